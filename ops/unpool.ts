/** Pooling undone. */
import { rangeError, ShapeError, shapeText } from "./check.ts";
import type { Sizes } from "./convolution.ts";
import { core } from "./base.ts";
import { scatter } from "./index.ts";
import { checkIndex } from "./index_check.ts";
import { sizeOf } from "./ir/kernel.ts";
import { perAxis } from "./spatial.ts";
import type { Tensor } from "./tensor.ts";
import { reshape } from "./view.ts";
import { stepsOf } from "./windows.ts";

/** Options of `maxUnpool1d` and `maxUnpool2d`. */
export interface MaxUnpoolOptions {
  /** Step between windows. @default the window */
  stride?: Sizes | undefined | null;
  /** Positions that pooling added on both sides. @default 0 */
  padding?: Sizes | undefined;
  /** Spatial sizes of the result, or all sizes. @default (size − 1) · stride − 2 · padding + window */
  outputSize?: readonly number[] | undefined | null;
}

function maxUnpool(
  op: string,
  rank: number,
  x: Tensor,
  indices: Tensor,
  kernelSize: Sizes,
  options: MaxUnpoolOptions,
): Tensor {
  checkIndex(op, indices);
  if (x.ndim < rank + 1 || shapeText(x.shape) !== shapeText(indices.shape)) {
    throw new ShapeError(op, "indices do not fit the input", {
      input: x.shape,
      indices: indices.shape,
    });
  }
  const kernel = perAxis(op, "kernelSize", kernelSize, rank);
  const { outputSize } = options;
  const steps = stepsOf(op, options.stride, kernel);
  const padding = perAxis(op, "padding", options.padding, rank, 0);
  const outer = x.shape.slice(0, -rank), inner = x.shape.slice(-rank);
  const usual = inner.map((s, d) => (s - 1) * steps[d]! - 2 * padding[d]! + kernel[d]!);
  const wanted = outputSize?.slice(-rank) ?? usual;
  for (const [d, size] of wanted.entries()) {
    const far = Math.abs(size - usual[d]!) >= steps[d]!;
    if (wanted.length !== rank || (far && outputSize)) {
      const range = usual.map((s, i) => `${s - steps[i]! + 1} to ${s + steps[i]! - 1}`);
      throw rangeError(op, `outputSize ${shapeText(wanted)} is not within ${range.join(" × ")}`);
    }
  }
  const lead = sizeOf(outer), count = sizeOf(inner);
  const base = core().fullOn(x.storage.backend, [lead, sizeOf(wanted)], 0, x.dtype);
  const rows = (t: Tensor) => reshape(t, [lead, count]);
  return reshape(scatter(base, 1, rows(indices), rows(x)), [...outer, ...wanted]);
}

/**
 * Values put back where `maxPool1dWithIndices` found them, zeros elsewhere, like
 * `torch.nn.functional.max_unpool1d`.
 *
 * Shapes: `x` and `indices` `[N, C, L]` or `[C, L]`.
 *
 * @param x Values.
 * @param indices Positions in the result, flat over the spatial axes, int32.
 * @param kernelSize Size of the window.
 * @param options Stride, padding, size of the result.
 * @throws {ShapeError} If the shapes differ.
 * @throws {RangeError} If `outputSize` is not near the usual size.
 */
export function maxUnpool1d(
  x: Tensor,
  indices: Tensor,
  kernelSize: Sizes,
  options: MaxUnpoolOptions = {},
): Tensor {
  return maxUnpool("maxUnpool1d", 1, x, indices, kernelSize, options);
}

/**
 * Values put back where `maxPool2dWithIndices` found them, zeros elsewhere, like
 * `torch.nn.functional.max_unpool2d`.
 *
 * Shapes: `x` and `indices` `[N, C, H, W]` or `[C, H, W]`.
 *
 * @param x Values.
 * @param indices Positions in the result, flat over the spatial axes, int32.
 * @param kernelSize Size of the window.
 * @param options Stride, padding, size of the result.
 * @throws {ShapeError} If the shapes differ.
 * @throws {RangeError} If `outputSize` is not near the usual size.
 *
 * @example
 * ```ts
 * import { maxPool2dWithIndices, maxUnpool2d, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const { values, indices } = maxPool2dWithIndices(tensor([[[1, 2], [4, 3]]]), 2);
 * assertEquals(await maxUnpool2d(values, indices, 2).tolist(), [[[0, 0], [4, 0]]]);
 * ```
 */
export function maxUnpool2d(
  x: Tensor,
  indices: Tensor,
  kernelSize: Sizes,
  options: MaxUnpoolOptions = {},
): Tensor {
  return maxUnpool("maxUnpool2d", 2, x, indices, kernelSize, options);
}
