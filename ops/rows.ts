/** Kernels that work on groups of elements, one group per point of the axes that are kept. */
import type { Operand } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";

/** Iteration of a kernel over an array: kept axes first, reduced axes after. */
export interface RowFrame {
  /** Sizes of the axes that are kept. */
  readonly shape: number[];
  /** Sizes of the axes that are reduced. */
  readonly reduce: number[];
  /** Coordinates in the array, in its own order of axes. */
  readonly coordinates: Expr[];
  /** Coordinates along the kept axes. */
  readonly outer: Expr[];
  /** Flat place in the array, for outputs of its shape. */
  readonly index: Expr;
  /** Elements of a group. */
  readonly count: number;
}

/** The frame of an array and the axes to reduce. */
export function rowFrame(x: Operand, axes: readonly number[]): RowFrame {
  const kept = x.shape.map((_, d) => d).filter((d) => !axes.includes(d));
  const coordinates: Expr[] = new Array(x.shape.length);
  for (const [position, d] of [...kept, ...axes].entries()) {
    coordinates[d] = e.axis(position, x.shape[d]!);
  }
  const reduce = axes.map((d) => x.shape[d]!);
  return {
    shape: kept.map((d) => x.shape[d]!),
    reduce,
    coordinates,
    outer: kept.map((d) => coordinates[d]!),
    index: e.ravel(coordinates, x.shape),
    count: sizeOf(reduce),
  };
}
