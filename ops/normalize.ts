/** Normalization layers as functions. */
import { noGrad } from "./grad_mode.ts";
import { DtypeError, rangeError, ShapeError } from "./check.ts";
import { add, div, mul, mulAdd, neg, rsub } from "./arithmetic.ts";
import { clamp } from "./choice.ts";
import { pow, rsqrt, square } from "./power.ts";
import { isFloat } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import { vectorNorm } from "./norm.ts";
import { normalizeRows } from "./normalize_kernels.ts";
import { avgPool2d } from "./pool.ts";
import { mean } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { padConstant } from "./slice.ts";
import { reshape } from "./view.ts";

/** Scale and shift after normalizing. */
export interface AffineOptions {
  /** Factor. */
  weight?: Tensor | undefined | null;
  /** Added after. */
  bias?: Tensor | undefined | null;
  /** Added to the variance. @default 1e-5 */
  eps?: number | undefined;
}

function requireFloat(op: string, x: Tensor): void {
  if (!isFloat(x.dtype)) throw new DtypeError(op, `dtype ${x.dtype} is not floating`);
}

/** `x · weight + bias` with what is given. */
function affine(
  x: Tensor,
  weight: Tensor | undefined | null,
  bias: Tensor | undefined | null,
): Tensor {
  if (weight && bias) return mulAdd(x, weight, bias);
  if (weight) return mul(x, weight);
  return bias ? add(x, bias) : x;
}

/** A vector of channels seen along axis 1 of `rank` axes. */
function alongChannels(x: Tensor | undefined | null, rank: number): Tensor | undefined {
  return x ? reshape(x, [x.numel, ...new Array<number>(Math.max(0, rank - 2)).fill(1)]) : undefined;
}

function checkChannels(
  op: string,
  x: Tensor,
  named: Readonly<Record<string, Tensor | undefined | null>>,
): void {
  const channels = x.shape[1] ?? x.numel;
  for (const [name, vector] of Object.entries(named)) {
    if (vector && (vector.ndim !== 1 || vector.shape[0] !== channels)) {
      throw new ShapeError(op, `${name} has ${vector.numel} numbers for ${channels} channels`, {
        input: x.shape,
        [name]: vector.shape,
      });
    }
  }
}

/** Options of `batchNorm`. */
export interface BatchNormOptions extends AffineOptions {
  /** Normalize by the batch and update the running statistics. @default false */
  training?: boolean | undefined;
  /** Share of the batch in new running statistics; a scalar where it changes. @default 0.1 */
  momentum?: number | Tensor | undefined;
}

/**
 * Normalizes each channel over the batch and space (Ioffe and Szegedy 2015), like
 * `torch.nn.functional.batch_norm`. While training, `runningMean` and `runningVar` are updated in
 * place.
 *
 * Shapes: input `[N, C, …]`, all vectors `[C]`.
 *
 * @param x Input.
 * @param runningMean Mean for evaluation; updated while training.
 * @param runningVar Variance for evaluation; updated while training, with Bessel's correction.
 * @param options Weight, bias, training, momentum, eps.
 * @throws {ShapeError} If a vector does not have one number per channel.
 * @throws {RangeError} If training sees one value per channel.
 *
 * @example
 * ```ts
 * import { batchNorm, tensor } from "@tensaurus/core";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const y = batchNorm(tensor([[1], [3]]), null, null, { training: true });
 * assertAlmostEquals((await y.data())[1]!, 1, 1e-4);
 * ```
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | undefined | null,
  runningVar: Tensor | undefined | null,
  options: BatchNormOptions = {},
): Tensor {
  const { weight, bias, training = false, momentum = 0.1, eps = 1e-5 } = options;
  requireFloat("batchNorm", x);
  checkChannels("batchNorm", x, { runningMean, runningVar, weight, bias });
  const rank = x.ndim;
  const scale = alongChannels(weight, rank), shift = alongChannels(bias, rank);
  if (!training) {
    if (!runningMean || !runningVar) {
      throw rangeError("batchNorm", "evaluation needs runningMean and runningVar");
    }
    const factor = rsqrt(add(runningVar, eps));
    const slope = weight ? mul(factor, weight) : factor;
    const offset = neg(mul(runningMean, slope));
    const level = bias ? add(offset, bias) : offset;
    return mulAdd(x, alongChannels(slope, rank)!, alongChannels(level, rank)!);
  }
  const count = x.numel / (x.shape[1] ?? 1);
  if (rank > 1 && count === 1) {
    throw rangeError("batchNorm", "training needs more than 1 value per channel", {
      input: x.shape,
    });
  }
  const axes = x.shape.map((_, d) => d).filter((d) => d !== 1);
  if (rank < 2 || x.numel === 0) return affine(x, scale, shift);
  const { normal, variance, mean: average } = normalizeRows(x, axes, eps);
  updateRunning(runningMean, average!, momentum);
  updateRunning(runningVar, variance, momentum, count / (count - 1));
  return affine(normal, scale, shift);
}

/** `running ← (1 − momentum) · running + momentum · factor · value`, outside of autograd. */
function updateRunning(
  running: Tensor | undefined | null,
  value: Tensor,
  momentum: number | Tensor,
  factor = 1,
): void {
  if (!running) return;
  noGrad(() => {
    const [share, rest] = typeof momentum === "number"
      ? [momentum * factor, 1 - momentum]
      : [mul(momentum, factor), rsub(momentum, 1)];
    const next = mulAdd(value.detach(), share, mul(running, rest));
    running.copy_(next);
  });
}

/** Options of `instanceNorm`. */
export interface InstanceNormOptions extends AffineOptions {
  /** Mean for evaluation; updated while statistics of the input are used. */
  runningMean?: Tensor | undefined | null;
  /** Variance for evaluation; updated likewise. */
  runningVar?: Tensor | undefined | null;
  /** Normalize by the input's own statistics. @default true */
  useInputStats?: boolean | undefined;
  /** Share of the input in new running statistics. @default 0.1 */
  momentum?: number | undefined;
}

/** Normalizes each channel of each sample over space, like `torch.nn.functional.instance_norm`. */
export function instanceNorm(x: Tensor, options: InstanceNormOptions = {}): Tensor {
  const { weight, bias, runningMean, runningVar, useInputStats = true } = options;
  const { momentum = 0.1, eps = 1e-5 } = options;
  requireFloat("instanceNorm", x);
  checkChannels("instanceNorm", x, { runningMean, runningVar, weight, bias });
  if (!useInputStats) return batchNorm(x, runningMean, runningVar, { weight, bias, eps });
  const count = sizeOf(x.shape.slice(2));
  if (count === 1) {
    throw rangeError("instanceNorm", "needs more than 1 value per channel", { input: x.shape });
  }
  const axes = x.shape.map((_, d) => d).filter((d) => d > 1);
  const { normal, variance, mean: average } = normalizeRows(x, axes, eps);
  if (runningMean) updateRunning(runningMean, noGrad(() => mean(average!, 0)), momentum);
  if (runningVar) {
    updateRunning(runningVar, noGrad(() => mean(variance, 0)), momentum, count / (count - 1));
  }
  return affine(normal, alongChannels(weight, x.ndim), alongChannels(bias, x.ndim));
}

function trailingAxes(
  op: string,
  x: Tensor,
  shape: readonly number[],
  weight: Tensor | undefined | null,
): number[] {
  const skip = x.ndim - shape.length;
  if (skip < 0 || !shape.length || shape.some((s, d) => s !== x.shape[skip + d])) {
    throw new ShapeError(op, "normalizedShape is not the end of the input's shape", {
      input: x.shape,
      normalizedShape: shape,
    });
  }
  if (weight && (weight.ndim !== shape.length || weight.shape.some((s, d) => s !== shape[d]))) {
    throw new ShapeError(op, "weight does not have the normalized shape", {
      weight: weight.shape,
      normalizedShape: shape,
    });
  }
  return shape.map((_, d) => skip + d);
}

/**
 * Normalizes over the last axes (Ba et al. 2016), like `torch.nn.functional.layer_norm`.
 *
 * @param x Input that ends in `normalizedShape`.
 * @param normalizedShape Sizes of the axes to normalize over.
 * @param options Weight and bias of that shape, eps.
 * @throws {ShapeError} If the input does not end in `normalizedShape`.
 */
export function layerNorm(
  x: Tensor,
  normalizedShape: readonly number[],
  options: AffineOptions = {},
): Tensor {
  requireFloat("layerNorm", x);
  const axes = trailingAxes("layerNorm", x, normalizedShape, options.weight);
  const { normal } = normalizeRows(x, axes, options.eps ?? 1e-5);
  return affine(normal, options.weight, options.bias);
}

/**
 * Divides by the root mean square over the last axes (Zhang and Sennrich 2019), like
 * `torch.nn.functional.rms_norm`.
 *
 * @param x Input that ends in `normalizedShape`.
 * @param normalizedShape Sizes of the axes to normalize over.
 * @param options Weight of that shape; eps, by default the dtype's precision.
 * @throws {ShapeError} If the input does not end in `normalizedShape`.
 */
export function rmsNorm(
  x: Tensor,
  normalizedShape: readonly number[],
  options: { weight?: Tensor | undefined | null; eps?: number | undefined | null } = {},
): Tensor {
  requireFloat("rmsNorm", x);
  const axes = trailingAxes("rmsNorm", x, normalizedShape, options.weight);
  const precision = x.dtype === "float64" ? 2 ** -52 : x.dtype === "float16" ? 2 ** -10 : 2 ** -23;
  const { normal } = normalizeRows(x, axes, options.eps ?? precision, false);
  return affine(normal, options.weight, undefined);
}

/**
 * Normalizes groups of channels with their space (Wu and He 2018), like
 * `torch.nn.functional.group_norm`.
 *
 * @param x `[N, C, …]`.
 * @param numGroups Number of groups; divides the channels.
 * @param options Weight and bias per channel, eps.
 * @throws {ShapeError} If the groups do not divide the channels.
 */
export function groupNorm(x: Tensor, numGroups: number, options: AffineOptions = {}): Tensor {
  const { weight, bias, eps = 1e-5 } = options;
  requireFloat("groupNorm", x);
  if (x.ndim < 2) {
    throw new ShapeError("groupNorm", "input needs at least 2 dimensions", { input: x.shape });
  }
  const [batch, channels] = x.shape as [number, number];
  if (!Number.isInteger(numGroups) || numGroups < 1 || channels % numGroups) {
    throw new ShapeError("groupNorm", `${numGroups} groups do not divide ${channels} channels`, {
      input: x.shape,
    });
  }
  checkChannels("groupNorm", x, { weight, bias });
  const size = channels / numGroups * sizeOf(x.shape.slice(2));
  const { normal } = normalizeRows(reshape(x, [batch, numGroups, size]), [2], eps);
  const rank = x.ndim;
  return affine(reshape(normal, x.shape), alongChannels(weight, rank), alongChannels(bias, rank));
}

/** Options of `localResponseNorm`. */
export interface LocalResponseNormOptions {
  /** Factor of the sum of squares. @default 1e-4 */
  alpha?: number | undefined;
  /** Exponent of the divisor. @default 0.75 */
  beta?: number | undefined;
  /** Added to the sum. @default 1 */
  k?: number | undefined;
}

/** `x / (k + alpha · mean of squares over neighbouring channels)^beta`, like `torch.nn.functional.local_response_norm`. */
export function localResponseNorm(
  x: Tensor,
  size: number,
  options: LocalResponseNormOptions = {},
): Tensor {
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
  requireFloat("localResponseNorm", x);
  if (x.ndim < 3) {
    throw new ShapeError("localResponseNorm", "input needs at least 3 dimensions", {
      input: x.shape,
    });
  }
  if (x.numel === 0) return x;
  const [batch, channels] = x.shape as [number, number];
  const flat = reshape(square(x), [batch, 1, channels, sizeOf(x.shape.slice(2))]);
  const before = Math.floor(size / 2);
  const padded = padConstant(flat, [0, 0, before, size - 1 - before]);
  const average = reshape(avgPool2d(padded, [size, 1], { stride: 1 }), x.shape);
  return div(x, pow(add(mul(average, alpha), k), beta));
}

/** Options of `normalize`. */
export interface NormalizeOptions {
  /** Which norm. @default 2 */
  p?: number | undefined;
  /** Axis of a vector. @default 1 */
  dim?: number | undefined;
  /** Smallest divisor. @default 1e-12 */
  eps?: number | undefined;
}

/** Vectors divided by their p-norm, like `torch.nn.functional.normalize`. */
export function normalize(x: Tensor, options: NormalizeOptions = {}): Tensor {
  const { p = 2, dim = 1, eps = 1e-12 } = options;
  const length = vectorNorm(x, { ord: p, dim, keepdim: true });
  return div(x, clamp(length, eps));
}
