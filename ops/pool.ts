/** Pooling: the largest or the mean element of windows over spatial axes. */
import { rangeError } from "./check.ts";
import type { Sizes } from "./convolution.ts";
import { mul } from "./arithmetic.ts";
import { sizeOf } from "./ir/kernel.ts";
import { pow } from "./power.ts";
import { maxOver, meanOver } from "./pool_kernels.ts";
import type { ValuesAndIndices } from "./extremum.ts";
import { perAxis } from "./spatial.ts";
import type { Tensor } from "./tensor.ts";
import { adaptiveWindows, fixedWindows, type WindowOptions } from "./windows.ts";

/**
 * Largest element of each window, like `torch.nn.functional.max_pool1d`; NaN wins.
 *
 * Shapes: input `[N, C, L]` or `[C, L]`.
 *
 * @param x Input.
 * @param kernelSize Size of the window.
 * @param options Stride (default the window), padding, dilation, ceilMode.
 * @throws {ShapeError} If the window is larger than the padded input.
 * @throws {RangeError} If the padding is more than half of the window.
 */
export function maxPool1d(x: Tensor, kernelSize: Sizes, options: WindowOptions = {}): Tensor {
  return maxPool1dWithIndices(x, kernelSize, options).values;
}

/** `maxPool1d` with the position of each value, flat over the spatial axes, int32, like `return_indices`. */
export function maxPool1dWithIndices(
  x: Tensor,
  kernelSize: Sizes,
  options: WindowOptions = {},
): ValuesAndIndices {
  return maxOver(x, fixedWindows("maxPool1d", x.shape, kernelSize, 1, options));
}

/**
 * Largest element of each window, like `torch.nn.functional.max_pool2d`; NaN wins.
 *
 * Shapes: input `[N, C, H, W]` or `[C, H, W]`.
 *
 * @param x Input.
 * @param kernelSize Size of the window.
 * @param options Stride (default the window), padding, dilation, ceilMode.
 * @throws {ShapeError} If the window is larger than the padded input.
 * @throws {RangeError} If the padding is more than half of the window.
 *
 * @example
 * ```ts
 * import { maxPool2d, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await maxPool2d(tensor([[[1, 2], [3, 4]]]), 2).item(), 4);
 * ```
 */
export function maxPool2d(x: Tensor, kernelSize: Sizes, options: WindowOptions = {}): Tensor {
  return maxPool2dWithIndices(x, kernelSize, options).values;
}

/** `maxPool2d` with the position of each value, flat over the spatial axes, int32, like `return_indices`. */
export function maxPool2dWithIndices(
  x: Tensor,
  kernelSize: Sizes,
  options: WindowOptions = {},
): ValuesAndIndices {
  return maxOver(x, fixedWindows("maxPool2d", x.shape, kernelSize, 2, options));
}

/**
 * Largest element of each window, like `torch.nn.functional.max_pool3d`; NaN wins.
 *
 * Shapes: input `[N, C, D, H, W]` or `[C, D, H, W]`.
 *
 * @param x Input.
 * @param kernelSize Size of the window.
 * @param options Stride (default the window), padding, dilation, ceilMode.
 * @throws {ShapeError} If the window is larger than the padded input.
 * @throws {RangeError} If the padding is more than half of the window.
 */
export function maxPool3d(x: Tensor, kernelSize: Sizes, options: WindowOptions = {}): Tensor {
  return maxPool3dWithIndices(x, kernelSize, options).values;
}

/** `maxPool3d` with the position of each value, flat over the spatial axes, int32, like `return_indices`. */
export function maxPool3dWithIndices(
  x: Tensor,
  kernelSize: Sizes,
  options: WindowOptions = {},
): ValuesAndIndices {
  return maxOver(x, fixedWindows("maxPool3d", x.shape, kernelSize, 3, options));
}

/** Options of mean pooling. */
export interface AvgPoolOptions extends Omit<WindowOptions, "dilation"> {
  /** Count padding as zeros that take part in the mean. @default true */
  countIncludePad?: boolean | undefined;
  /** What sums are divided by, instead of the size of the window. */
  divisorOverride?: number | undefined | null;
}

function avgPool(
  op: string,
  rank: number,
  x: Tensor,
  kernelSize: Sizes,
  options: AvgPoolOptions,
): Tensor {
  const { countIncludePad = true, divisorOverride } = options;
  if (divisorOverride === 0) throw rangeError(op, "divisorOverride is 0");
  const windows = fixedWindows(op, x.shape, kernelSize, rank, options);
  return meanOver(op, x, windows, countIncludePad, divisorOverride ?? null);
}

/** Mean of each window, like `torch.nn.functional.avg_pool1d`. */
export function avgPool1d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool("avgPool1d", 1, x, kernelSize, options);
}

/** Mean of each window, like `torch.nn.functional.avg_pool2d`. */
export function avgPool2d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool("avgPool2d", 2, x, kernelSize, options);
}

/** Mean of each window, like `torch.nn.functional.avg_pool3d`. */
export function avgPool3d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool("avgPool3d", 3, x, kernelSize, options);
}

/** Sizes of an adaptive pooling's result: one for all axes, or one per axis; `null` keeps a size. */
export type AdaptiveSizes = number | readonly (number | null)[];

/** Mean of windows that divide the input evenly into `outputSize`, like `torch.nn.functional.adaptive_avg_pool1d`. */
export function adaptiveAvgPool1d(x: Tensor, outputSize: AdaptiveSizes): Tensor {
  const windows = adaptiveWindows("adaptiveAvgPool1d", x.shape, outputSize, 1);
  return meanOver("adaptiveAvgPool1d", x, windows, true, null);
}

/** Largest element of windows that divide the input evenly into `outputSize`, like `torch.nn.functional.adaptive_max_pool1d`. */
export function adaptiveMaxPool1d(x: Tensor, outputSize: AdaptiveSizes): Tensor {
  return adaptiveMaxPool1dWithIndices(x, outputSize).values;
}

/** `adaptiveMaxPool1d` with the position of each value, flat over the spatial axes, int32. */
export function adaptiveMaxPool1dWithIndices(
  x: Tensor,
  outputSize: AdaptiveSizes,
): ValuesAndIndices {
  return maxOver(x, adaptiveWindows("adaptiveMaxPool1d", x.shape, outputSize, 1));
}

/** Mean of windows that divide the input evenly into `outputSize`, like `torch.nn.functional.adaptive_avg_pool2d`. */
export function adaptiveAvgPool2d(x: Tensor, outputSize: AdaptiveSizes): Tensor {
  const windows = adaptiveWindows("adaptiveAvgPool2d", x.shape, outputSize, 2);
  return meanOver("adaptiveAvgPool2d", x, windows, true, null);
}

/** Largest element of windows that divide the input evenly into `outputSize`, like `torch.nn.functional.adaptive_max_pool2d`. */
export function adaptiveMaxPool2d(x: Tensor, outputSize: AdaptiveSizes): Tensor {
  return adaptiveMaxPool2dWithIndices(x, outputSize).values;
}

/** `adaptiveMaxPool2d` with the position of each value, flat over the spatial axes, int32. */
export function adaptiveMaxPool2dWithIndices(
  x: Tensor,
  outputSize: AdaptiveSizes,
): ValuesAndIndices {
  return maxOver(x, adaptiveWindows("adaptiveMaxPool2d", x.shape, outputSize, 2));
}

/** Mean of windows that divide the input evenly into `outputSize`, like `torch.nn.functional.adaptive_avg_pool3d`. */
export function adaptiveAvgPool3d(x: Tensor, outputSize: AdaptiveSizes): Tensor {
  const windows = adaptiveWindows("adaptiveAvgPool3d", x.shape, outputSize, 3);
  return meanOver("adaptiveAvgPool3d", x, windows, true, null);
}

/** Largest element of windows that divide the input evenly into `outputSize`, like `torch.nn.functional.adaptive_max_pool3d`. */
export function adaptiveMaxPool3d(x: Tensor, outputSize: AdaptiveSizes): Tensor {
  return adaptiveMaxPool3dWithIndices(x, outputSize).values;
}

/** `adaptiveMaxPool3d` with the position of each value, flat over the spatial axes, int32. */
export function adaptiveMaxPool3dWithIndices(
  x: Tensor,
  outputSize: AdaptiveSizes,
): ValuesAndIndices {
  return maxOver(x, adaptiveWindows("adaptiveMaxPool3d", x.shape, outputSize, 3));
}

/** Options of pooling by a norm. */
export type LpPoolOptions = Pick<WindowOptions, "stride" | "ceilMode">;

/** The mean of powers times the size of a whole window: PyTorch scales up those cut off at the end. */
function lpPool(
  op: string,
  rank: number,
  x: Tensor,
  p: number,
  kernelSize: Sizes,
  options: LpPoolOptions,
): Tensor {
  if (!(p > 0)) throw rangeError(op, `normType ${p} is not above 0`);
  const means = avgPool(op, rank, pow(x, p), kernelSize, options);
  return pow(mul(means, sizeOf(perAxis(op, "kernelSize", kernelSize, rank))), 1 / p);
}

/** p-norm of each window, `(Σ x^p)^(1/p)`, like `torch.nn.functional.lp_pool1d`. */
export function lpPool1d(
  x: Tensor,
  p: number,
  kernelSize: Sizes,
  options: LpPoolOptions = {},
): Tensor {
  return lpPool("lpPool1d", 1, x, p, kernelSize, options);
}

/** p-norm of each window, `(Σ x^p)^(1/p)`, like `torch.nn.functional.lp_pool2d`. */
export function lpPool2d(
  x: Tensor,
  p: number,
  kernelSize: Sizes,
  options: LpPoolOptions = {},
): Tensor {
  return lpPool("lpPool2d", 2, x, p, kernelSize, options);
}

/** p-norm of each window, `(Σ x^p)^(1/p)`, like `torch.nn.functional.lp_pool3d`. */
export function lpPool3d(
  x: Tensor,
  p: number,
  kernelSize: Sizes,
  options: LpPoolOptions = {},
): Tensor {
  return lpPool("lpPool3d", 3, x, p, kernelSize, options);
}
