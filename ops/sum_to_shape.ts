/** The sum that undoes broadcasting. */
import { sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { reshape } from "./view.ts";

/** Sums over the axes along which `shape` was broadcast, so that the result has that shape. */
export function sumToShape(x: Tensor, shape: readonly number[]): Tensor {
  const skip = x.ndim - shape.length;
  const axes: number[] = [];
  for (let d = 0; d < x.ndim; d++) {
    if (d < skip || (shape[d - skip] === 1 && x.shape[d] !== 1)) axes.push(d);
  }
  return axes.length ? reshape(sum(x, axes), shape) : x;
}
