/** Numbers of the host as tensors: what makes tensors, and what mixes them with numbers, stands on it. */
import type { Backend } from "./backends/backend.ts";
import { wholeTensor } from "./base.ts";
import { checkStorable, ShapeError } from "./check.ts";
import { allocateStorage } from "./compile/storage.ts";
import { currentTrace, withoutTrace } from "./compile/trace.ts";
import { apply, defineOp } from "./define.ts";
import { halfBits } from "./half.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous, expand } from "./view.ts";

const FULL = defineOp<{ shape: readonly number[]; value: number; dtype: DType }>({
  name: "full",
  lower(_operands, { shape, value, dtype }) {
    const output = { dtype, value: e.constant(e.castValue(value, dtype), dtype), index: undefined };
    return { kernel: { kind: "map", shape, inputs: [], outputs: [output] }, shapes: [shape] };
  },
});

/** Bytes of host values in the device's layout. */
function encode(values: ArrayLike<number | boolean | bigint>, dtype: DType): ArrayBufferView {
  switch (dtype) {
    case "float32":
      return values instanceof Float32Array
        ? values
        : Float32Array.from(values as number[], Number);
    case "float64":
      return values instanceof Float64Array
        ? values
        : Float64Array.from(values as number[], Number);
    case "int32":
      return values instanceof Int32Array ? values : Int32Array.from(values as number[], Number);
    case "uint32":
      return values instanceof Uint32Array ? values : Uint32Array.from(values as number[], Number);
    case "bool":
      return Uint32Array.from(values as number[], (x) => x ? 1 : 0);
    case "float16":
      return Uint16Array.from(values as number[], (x) => halfBits(Number(x)));
  }
}

/** A tensor over host values, given in row-major order. */
export function fromValues(
  values: ArrayLike<number | boolean | bigint>,
  shape: readonly number[],
  dtype: DType,
  backend: Backend,
): Tensor {
  if (values.length !== sizeOf(shape)) {
    throw new ShapeError("tensor", `${values.length} values do not fill the shape`, { shape });
  }
  checkStorable("tensor", dtype, backend);
  const storage = allocateStorage(backend, dtype, values.length);
  if (values.length) backend.write(storage.buffer!, 0, encode(values, dtype));
  return wholeTensor(storage, shape);
}

/** Numbers already seen as eager constants, so that `x.mul(0.5)` uploads 0.5 once. */
const constants = new Map<string, Tensor>();

const CONSTANT_LIMIT = 1024;

/** A 0-dimensional constant of an exact dtype. */
function constantOn(backend: Backend, value: number, dtype: DType, weak: boolean): Tensor {
  const trace = currentTrace();
  if (trace && trace.backend === backend) {
    const full = apply(FULL, [], { shape: [], value, dtype }, backend);
    return wholeTensor(full.storage, [], weak);
  }
  const key = `${backend.name}:${dtype}:${weak}:${Object.is(value, -0) ? "-0" : value}`;
  let constant = constants.get(key);
  if (!constant || !constant.storage.buffer) {
    if (constants.size >= CONSTANT_LIMIT) constants.clear();
    const { storage } = withoutTrace(() => fromValues([value], [], dtype, backend));
    storage.shared = true;
    constant = wholeTensor(storage, [], weak);
    constants.set(key, constant);
  }
  return constant;
}

/**
 * The tensor that a JavaScript number stands for beside tensors of dtype `context`: of that dtype
 * where it is floating; else int32 for whole numbers and float32 for others.
 */
export function scalarOn(backend: Backend, value: number | boolean, context: DType): Tensor {
  if (typeof value === "boolean") return constantOn(backend, value ? 1 : 0, "bool", true);
  if (isFloat(context)) return constantOn(backend, value, context, true);
  if (!Number.isInteger(value)) return constantOn(backend, value, "float32", true);
  const unsigned = context === "uint32" && value >= 0;
  return constantOn(backend, value, unsigned ? "uint32" : "int32", true);
}

/** A tensor filled with one value on a given backend. */
export function fullOn(
  backend: Backend,
  shape: readonly number[],
  value: number,
  dtype: DType,
): Tensor {
  const trace = currentTrace();
  if (trace && trace.backend === backend) return apply(FULL, [], { shape, value, dtype }, backend);
  return contiguous(expand(constantOn(backend, value, dtype, false), shape), true);
}
