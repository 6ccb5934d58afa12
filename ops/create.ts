/** Making tensors: from data, constants and ranges. */
import type { DeviceName } from "./backends/backend.ts";
import { checkSizes, rangeError, ShapeError } from "./check.ts";
import { backendOr } from "./compile/devices.ts";
import { apply, defineOp } from "./define.ts";
import { fromValues, fullOn } from "./host_values.ts";
import type { DType, TypedArray } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

/** Options that all functions that make tensors share. */
export interface TensorOptions {
  /** Element type. @default "float32", or that of the data */
  dtype?: DType | undefined;
  /** Device. @default the one chosen by `setDevice` */
  device?: DeviceName | undefined;
  /** Whether `backward` computes a gradient for it. @default false */
  requiresGrad?: boolean | undefined;
}

/** Numbers, booleans, or arrays of them to any depth. */
export type NestedArray = number | boolean | bigint | readonly NestedArray[];

/** What `tensor` accepts: nested arrays, or a typed array (one-dimensional). */
export type TensorData = NestedArray | TypedArray | BigInt64Array | Int8Array | Int16Array;

const RANGE = defineOp<{ length: number; start: number; step: number; dtype: DType }>({
  name: "arange",
  lower(_operands, { length, start, step, dtype }) {
    const shape = [length];
    const at = e.cast(e.axis(0, length), dtype);
    const value = e.add(e.constant(start, dtype), e.mul(at, e.constant(step, dtype)));
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [], outputs }, shapes: [shape] };
  },
});

function shapeOfNested(data: NestedArray): number[] {
  const shape: number[] = [];
  let level: NestedArray = data;
  while (Array.isArray(level)) {
    shape.push(level.length);
    if (level.length === 0) break;
    level = level[0];
  }
  return shape;
}

function flattenNested(
  data: NestedArray,
  shape: readonly number[],
  depth: number,
  out: (number | boolean | bigint)[],
): void {
  if (!Array.isArray(data)) {
    if (depth !== shape.length) throw raggedError(shape);
    out.push(data as number | boolean | bigint);
    return;
  }
  if (data.length !== shape[depth]) throw raggedError(shape);
  for (const item of data) flattenNested(item, shape, depth + 1, out);
}

function raggedError(shape: readonly number[]): ShapeError {
  return new ShapeError("tensor", "nested arrays differ in length or depth", {
    "first rows": shape,
  });
}

function dtypeOfTyped(data: object): DType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Uint32Array) return "uint32";
  return "int32";
}

function finish(x: Tensor, options: TensorOptions): Tensor {
  return options.requiresGrad ? x.setRequiresGrad(true) : x;
}

/**
 * A tensor from numbers, nested arrays or a typed array, like `torch.tensor`.
 *
 * Shapes follow the nesting. Numbers become float32, booleans bool, typed arrays keep their type
 * (8- and 16-bit integers become int32); `dtype` overrides. The data is copied.
 *
 * @param data Values.
 * @param options Dtype, device, whether a gradient is wanted.
 * @returns A new tensor.
 * @throws {ShapeError} If nested arrays are ragged.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(tensor([[1, 2, 3], [4, 5, 6]]).shape, [2, 3]);
 * ```
 */
export function tensor(
  data: TensorData,
  options: TensorOptions & { shape?: readonly number[] } = {},
): Tensor {
  const backend = backendOr(options.device);
  if (ArrayBuffer.isView(data)) {
    const values = data as TypedArray;
    const shape = options.shape ?? [values.length];
    return finish(fromValues(values, shape, options.dtype ?? dtypeOfTyped(data), backend), options);
  }
  const nested = data as NestedArray;
  const shape = shapeOfNested(nested);
  const flat: (number | boolean | bigint)[] = [];
  flattenNested(nested, shape, 0, flat);
  const bools = flat.length > 0 && flat.every((x) => typeof x === "boolean");
  const dtype = options.dtype ?? (bools ? "bool" : "float32");
  return finish(fromValues(flat, options.shape ?? shape, dtype, backend), options);
}

/**
 * A tensor filled with one value, like `torch.full`.
 *
 * @param shape Sizes.
 * @param value Value of every element.
 * @param options Dtype (default float32, bool for booleans), device, requiresGrad.
 * @returns A new tensor.
 */
export function full(
  shape: readonly number[],
  value: number | boolean,
  options: TensorOptions = {},
): Tensor {
  checkSizes("full", shape);
  const dtype = options.dtype ?? (typeof value === "boolean" ? "bool" : "float32");
  return finish(fullOn(backendOr(options.device), shape, Number(value), dtype), options);
}

/** Zeros of a shape, like `torch.zeros`. */
export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** Ones of a shape, like `torch.ones`. */
export function ones(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** A tensor to be written to, like `torch.empty`; it holds zeros. */
export function empty(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** A tensor to be written to, of the same shape, dtype and device; it holds zeros. */
export function emptyLike(x: Tensor, options: TensorOptions = {}): Tensor {
  return fullLike(x, 0, options);
}

/** A tensor of the same shape, dtype and device filled with one value. */
export function fullLike(x: Tensor, value: number, options: TensorOptions = {}): Tensor {
  const backend = options.device ? backendOr(options.device) : x.storage.backend;
  return finish(fullOn(backend, x.shape, value, options.dtype ?? x.dtype), options);
}

/** Zeros of the same shape, dtype and device. */
export function zerosLike(x: Tensor, options: TensorOptions = {}): Tensor {
  return fullLike(x, 0, options);
}

/** Ones of the same shape, dtype and device. */
export function onesLike(x: Tensor, options: TensorOptions = {}): Tensor {
  return fullLike(x, 1, options);
}

/**
 * Numbers from `start` up to but without `end`, like `torch.arange`.
 *
 * The default dtype is int32 where all three are whole, else float32.
 *
 * @param start First number, or the end when it stands alone (then the start is 0).
 * @param end Bound that is not reached.
 * @param step Difference of neighbours, not 0.
 * @param options Dtype, device.
 * @returns A tensor `[ceil((end − start) / step)]`.
 * @throws {RangeError} If `step` is 0 or leads away from `end`.
 *
 * @example
 * ```ts
 * import { arange } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...await arange(2, 8, 2).data()], [2, 4, 6]);
 * ```
 */
export function arange(
  start: number,
  end?: number | undefined,
  step = 1,
  options: TensorOptions = {},
): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end];
  if (![from, to, step].every(Number.isFinite)) {
    throw rangeError("arange", "start, end and step must be finite", {
      start: from,
      end: to,
      step,
    });
  }
  if (step === 0) throw rangeError("arange", "step is 0");
  if ((to - from) / step < 0) {
    throw rangeError("arange", `step ${step} leads away from the end`, { start: from, end: to });
  }
  const whole = Number.isInteger(from) && Number.isInteger(to) && Number.isInteger(step);
  const length = Math.ceil((to - from) / step);
  const dtype = options.dtype ?? (whole ? "int32" : "float32");
  const attributes = { length, start: from, step, dtype };
  return finish(apply(RANGE, [], attributes, backendOr(options.device)), options);
}

/** Computed on the host in float64: the ends are exact. */
function evenly(op: string, start: number, end: number, count: number): Float64Array {
  if (!Number.isInteger(count) || count < 0) {
    throw rangeError(op, `count ${count} is not a whole number of at least 0`);
  }
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  return Float64Array.from(
    { length: count },
    (_, i) => i === count - 1 && count > 1 ? end : start + step * i,
  );
}

/** `count` evenly spaced numbers from `start` to `end`, both included, like `torch.linspace`. */
export function linspace(
  start: number,
  end: number,
  count: number,
  options: TensorOptions = {},
): Tensor {
  const values = evenly("linspace", start, end, count);
  const dtype = options.dtype ?? "float32";
  return finish(fromValues(values, [count], dtype, backendOr(options.device)), options);
}

/** Options of `logspace`. */
export interface LogspaceOptions extends TensorOptions {
  /** What the powers are of. @default 10 */
  base?: number | undefined;
}

/** `count` powers of `base` with evenly spaced exponents from `start` to `end`, like `torch.logspace`. */
export function logspace(
  start: number,
  end: number,
  count: number,
  options: LogspaceOptions = {},
): Tensor {
  const { base = 10 } = options;
  const exponents = evenly("logspace", start, end, count);
  const values = exponents.map((x) => Math.pow(base, x));
  const dtype = options.dtype ?? "float32";
  return finish(fromValues(values, [count], dtype, backendOr(options.device)), options);
}

const EYE = defineOp<{ rows: number; columns: number; dtype: DType }>({
  name: "eye",
  lower(_operands, { rows, columns, dtype }) {
    const shape = [rows, columns];
    const value = e.cast(e.eq(e.axis(0, rows), e.axis(1, columns)), dtype);
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [], outputs }, shapes: [shape] };
  },
});

/** Ones on the diagonal, zeros elsewhere, like `torch.eye`. */
export function eye(
  rows: number,
  columns: number = rows,
  options: TensorOptions = {},
): Tensor {
  checkSizes("eye", [rows, columns]);
  const attributes = { rows, columns, dtype: options.dtype ?? "float32" };
  return finish(apply(EYE, [], attributes, backendOr(options.device)), options);
}
