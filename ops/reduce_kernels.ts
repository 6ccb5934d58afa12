/** What kernels of reductions share. */
import type { Attribute, Operand } from "./define.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { ReduceKernel, ReduceOp } from "./ir/kernel.ts";
import { rowFrame } from "./rows.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape } from "./view.ts";

/** Axes that a kernel reduces. */
export interface ReduceAttributes {
  readonly [name: string]: Attribute;
  readonly axes: readonly number[];
}

/** A kernel that reduces `axes` of an array by one or more operations. */
export function reduceKernel(
  x: Operand,
  axes: readonly number[],
  ops: readonly ReduceOp[],
  dtype: DType,
): ReduceKernel {
  const { shape, reduce, coordinates } = rowFrame(x, axes);
  const body = e.cast(x.at(coordinates), dtype);
  const reductions = ops.map((op) => ({
    op,
    body,
    dtype: op.startsWith("arg") ? "int32" as const : dtype,
  }));
  const outputs = reductions.map((r, i) => ({
    dtype: r.dtype,
    value: e.acc(i, r.dtype),
    index: undefined,
  }));
  return { kind: "reduce", shape, reduce, inputs: [{ dtype: x.dtype }], reductions, outputs };
}

/** Inserts the reduced axes again as size 1 and repeats to the input's shape. */
export function spread(y: Tensor, axes: readonly number[], shape: readonly number[]): Tensor {
  return expand(reshape(y, shape.map((s, d) => axes.includes(d) ? 1 : s)), shape);
}

/** The reduced axes put back with size 1, if asked for. */
export function keep(
  y: Tensor,
  axes: readonly number[],
  shape: readonly number[],
  keepdim: boolean | undefined,
): Tensor {
  return keepdim ? reshape(y, shape.map((s, d) => axes.includes(d) ? 1 : s)) : y;
}
