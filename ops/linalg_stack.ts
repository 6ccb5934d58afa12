/** Stacks of matrices on the host. */
import { convert } from "./convert.ts";
import { ShapeError } from "./check.ts";
import { fromValues } from "./host_values.ts";
import { isFloat } from "./ir/dtype.ts";
import type { Tensor } from "./tensor.ts";
import { transpose } from "./view.ts";

/** Rows and columns of matrices in the last two axes. */
export function matrixSizes(op: string, x: Tensor): [number, number] {
  if (x.ndim < 2) throw new ShapeError(op, "expects at least 2 dimensions", { input: x.shape });
  return [x.size(-2), x.size(-1)];
}

/** Size of square matrices in the last two axes. */
export function squareSize(op: string, x: Tensor): number {
  const [rows, columns] = matrixSizes(op, x);
  if (rows !== columns) {
    throw new ShapeError(op, `expects square matrices, not ${rows} × ${columns}`, {
      input: x.shape,
    });
  }
  return rows;
}

/** The values in float64, and a maker of results of the same kind. */
export function onHost(x: Tensor): {
  values: Float64Array;
  make: (values: ArrayLike<number>, shape: readonly number[]) => Tensor;
} {
  const dtype = isFloat(x.dtype) ? x.dtype : "float32";
  return {
    values: Float64Array.from(convert(x, dtype).detach().dataSync()),
    make: (values, shape) => fromValues(values, shape, dtype, x.storage.backend),
  };
}

/** Runs `each` for the matrices of a stack, one after the other. */
export function forMatrices(
  values: Float64Array,
  size: number,
  count: number,
  each: (a: Float64Array, i: number) => void,
): void {
  for (let i = 0; i < count; i++) each(values.subarray(i * size, (i + 1) * size), i);
}

/** Matrices transposed. */
export function T(x: Tensor): Tensor {
  return transpose(x, -2, -1);
}
