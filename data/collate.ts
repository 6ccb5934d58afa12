import { formatShape, sizeOf } from "./_check.ts";
import {
  dtypeOf,
  HOST_DTYPES,
  type HostArray,
  type HostData,
  type HostDType,
  isHostArray,
} from "./array.ts";
import { stack, Tensor } from "../ops/mod.ts";

/**
 * What {@linkcode collate} makes of samples of type `T`: arrays and tensors get a leading batch axis,
 * tuples and objects keep their form, strings become a list.
 */
export type Collated<T> = T extends Tensor ? Tensor
  : T extends HostArray | ArrayBufferView | number | bigint | boolean ? HostArray
  : T extends string ? string[]
  : T extends readonly unknown[] ? { [K in keyof T]: Collated<T[K]> }
  : T extends object ? { [K in keyof T]: Collated<T[K]> }
  : never;

/**
 * Joins samples into one batch.
 *
 * Arrays of equal shape are stacked along a new first axis, tensors on their device. Numbers become
 * int32 where all of the batch are whole, float32 otherwise; booleans become bool. Tuples and plain
 * objects are joined part by part, strings are listed.
 *
 * @param samples Samples of equal form, at least one.
 * @returns The batch.
 * @throws {RangeError} If there are no samples, or shapes, lengths or types differ; the message
 *   says where in the sample.
 *
 * @example Two points with labels
 * ```ts
 * import { collate } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const samples: [Float32Array, number][] = [
 *   [new Float32Array([1, 2]), 0],
 *   [new Float32Array([3, 4]), 1],
 * ];
 * const [x, y] = collate(samples);
 * assertEquals([x.shape, y.shape, y.dtype], [[2, 2], [2], "int32"]);
 * ```
 */
export function collate<T>(samples: readonly T[]): Collated<T> {
  if (samples.length === 0) throw new RangeError("collate: there are no samples");
  return collateAt(samples, "sample") as Collated<T>;
}

function collateAt(samples: readonly unknown[], where: string): unknown {
  const first = samples[0];
  if (typeof first === "number") return stackNumbers(samples, where);
  if (typeof first === "bigint") return stackBigints(samples, where);
  if (typeof first === "boolean") return stackBooleans(samples, where);
  if (typeof first === "string") return [...samples];
  if (isHostArray(first)) return stackArrays(samples, where);
  if (ArrayBuffer.isView(first)) return stackArrays(samples.map((s) => wrapView(s, where)), where);
  if (first instanceof Tensor) return stackTensors(samples, first, where);
  if (Array.isArray(first)) return collateTuples(samples, where);
  if (isImageLike(first)) {
    throw new RangeError(
      `collate: ${where} is an image of bytes (end its transform with ToTensor)`,
    );
  }
  if (typeof first === "object" && first !== null) return collateObjects(samples, where);
  throw new RangeError(`collate: ${where} is ${describe(first)}, which has no batch`);
}

function describe(value: unknown): string {
  return value === null || value === undefined ? String(value) : `a ${typeof value}`;
}

function isImageLike(value: unknown): boolean {
  return typeof value === "object" && value !== null && "channels" in value && "width" in value;
}

function stackNumbers(samples: readonly unknown[], where: string): HostArray {
  const whole = samples.every((s) => Number.isInteger(s) && Math.abs(s as number) < 2 ** 31);
  const data = whole ? new Int32Array(samples.length) : new Float32Array(samples.length);
  samples.forEach((sample, i) => {
    if (typeof sample !== "number") throw typeError(where, i, sample, "a number");
    data[i] = sample;
  });
  return { dtype: whole ? "int32" : "float32", shape: [samples.length], data };
}

function stackBigints(samples: readonly unknown[], where: string): HostArray {
  const data = BigInt64Array.from(samples, (sample, i) => {
    if (typeof sample !== "bigint") throw typeError(where, i, sample, "a bigint");
    return sample;
  });
  return { dtype: "int64", shape: [samples.length], data };
}

function stackBooleans(samples: readonly unknown[], where: string): HostArray {
  const data = Uint8Array.from(samples, (sample, i) => {
    if (typeof sample !== "boolean") throw typeError(where, i, sample, "a boolean");
    return sample ? 1 : 0;
  });
  return { dtype: "bool", shape: [samples.length], data };
}

function typeError(where: string, i: number, value: unknown, expected: string): RangeError {
  return new RangeError(
    `collate: ${where} of sample ${i} is ${describe(value)}, sample 0 has ${expected}`,
  );
}

function wrapView(value: unknown, where: string): HostArray {
  const dtype = ArrayBuffer.isView(value) ? dtypeOf(value) : undefined;
  if (dtype === undefined) throw new RangeError(`collate: ${where} is no array of numbers`);
  const data = value as HostData;
  return { dtype, shape: [data.length], data };
}

function stackArrays(samples: readonly unknown[], where: string): HostArray {
  const first = samples[0] as HostArray, { dtype, shape } = first;
  const size = sizeOf(shape);
  const data = zeros(dtype, size * samples.length);
  samples.forEach((sample, i) => {
    if (!isHostArray(sample)) throw typeError(where, i, sample, "an array");
    checkSame(where, i, sample, first);
    (data as Float32Array).set(sample.data as Float32Array, i * size);
  });
  return { dtype, shape: [samples.length, ...shape], data };
}

function stackTensors(samples: readonly unknown[], first: Tensor, where: string): Tensor {
  const tensors = samples.map((sample, i) => {
    if (!(sample instanceof Tensor)) throw typeError(where, i, sample, "a tensor");
    checkSame(where, i, sample, first);
    return sample;
  });
  return stack(tensors);
}

/** Refuses samples that differ in dtype or shape. */
function checkSame(where: string, i: number, sample: Shaped, first: Shaped): void {
  const same = sample.dtype === first.dtype && sample.shape.length === first.shape.length &&
    sample.shape.every((extent, axis) => extent === first.shape[axis]);
  if (same) return;
  throw new RangeError(
    `collate: ${where} of sample ${i} is ${sample.dtype} ${formatShape(sample.shape)}, ` +
      `sample 0 is ${first.dtype} ${formatShape(first.shape)} ` +
      `(pad to equal shapes, or pass collate)`,
  );
}

interface Shaped {
  readonly dtype: string;
  readonly shape: readonly number[];
}

function zeros(dtype: HostDType, count: number): HostData {
  const { bytes, wrap } = HOST_DTYPES[dtype];
  return wrap(new ArrayBuffer(bytes * count), 0, count);
}

function collateTuples(samples: readonly unknown[], where: string): unknown[] {
  const length = (samples[0] as unknown[]).length;
  samples.forEach((sample, i) => {
    if (Array.isArray(sample) && sample.length === length) return;
    const found = Array.isArray(sample) ? `${sample.length} parts` : describe(sample);
    throw new RangeError(`collate: ${where} ${i} has ${found}, sample 0 has ${length} parts`);
  });
  return Array.from(
    { length },
    (_, part) => collateAt(samples.map((s) => (s as unknown[])[part]), `${where}[${part}]`),
  );
}

function collateObjects(samples: readonly unknown[], where: string): Record<string, unknown> {
  const keys = Object.keys(samples[0] as object);
  return Object.fromEntries(keys.map((key) => {
    const parts = samples.map((sample) => (sample as Record<string, unknown>)[key]);
    return [key, collateAt(parts, `${where}.${key}`)];
  }));
}
