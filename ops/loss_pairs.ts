/** Losses of predictions against targets of the same kind, and of pairs and triples of vectors. */
import { broadcastShapes, ShapeError, shapeText } from "./check.ts";
import { abs, add, div, mul, neg, sub } from "./arithmetic.ts";
import { clamp, where } from "./choice.ts";
import { eq, gt, lt, ne } from "./comparison.ts";
import { log, sqrt, square } from "./power.ts";
import type { LossOptions } from "./loss.ts";
import { reduceLoss } from "./loss_reduce.ts";
import { exp, log1p, xlogy } from "./math.ts";
import { pairwiseDistance } from "./norm.ts";
import { sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";

/** Refuses shapes that do not broadcast, before an operation inside does under its own name. */
function checkShapes(op: string, tensors: Readonly<Record<string, Tensor>>): void {
  broadcastShapes(op, Object.values(tensors).map((x) => x.shape), Object.keys(tensors));
}

function difference(op: string, input: Tensor, target: Tensor): Tensor {
  checkShapes(op, { input, target });
  return sub(input, target);
}

/** Warnings that were given: a loop should not repeat them. */
const given = new Set<string>();

/** The same where PyTorch warns: `[N, 1]` against `[N]` gives `[N, N]`, hardly ever what is meant. */
function likeDifference(op: string, input: Tensor, target: Tensor): Tensor {
  const gap = difference(op, input, target);
  const [from, to] = [shapeText(input.shape), shapeText(target.shape)];
  const warning = `${op}: input ${from} and target ${to} differ, the loss is over ` +
    `${shapeText(gap.shape)} (reshape one of them)`;
  if (from !== to && !given.has(warning)) {
    given.add(warning);
    console.warn(warning);
  }
  return gap;
}

/** Mean squared error, like `torch.nn.functional.mse_loss`. */
export function mseLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return reduceLoss("mseLoss", square(likeDifference("mseLoss", input, target)), options.reduction);
}

/** Mean absolute error, like `torch.nn.functional.l1_loss`. */
export function l1Loss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return reduceLoss("l1Loss", abs(likeDifference("l1Loss", input, target)), options.reduction);
}

/** Options of `smoothL1Loss`. */
export interface SmoothL1LossOptions extends LossOptions {
  /** Differences below are squared. @default 1 */
  beta?: number | undefined;
}

/** Squared near 0, absolute beyond, like `torch.nn.functional.smooth_l1_loss`. */
export function smoothL1Loss(
  input: Tensor,
  target: Tensor,
  options: SmoothL1LossOptions = {},
): Tensor {
  const { beta = 1, reduction } = options;
  const gap = likeDifference("smoothL1Loss", input, target);
  if (beta === 0) return reduceLoss("smoothL1Loss", abs(gap), reduction);
  const size = abs(gap);
  const near = mul(square(gap), 0.5 / beta);
  return reduceLoss("smoothL1Loss", where(lt(size, beta), near, sub(size, beta / 2)), reduction);
}

/** Options of `huberLoss`. */
export interface HuberLossOptions extends LossOptions {
  /** Differences below are squared. @default 1 */
  delta?: number | undefined;
}

/** Squared near 0, linear beyond, like `torch.nn.functional.huber_loss`. */
export function huberLoss(input: Tensor, target: Tensor, options: HuberLossOptions = {}): Tensor {
  const { delta = 1, reduction } = options;
  const gap = likeDifference("huberLoss", input, target);
  const size = abs(gap);
  const far = mul(sub(size, delta / 2), delta);
  return reduceLoss("huberLoss", where(gt(size, delta), far, mul(square(gap), 0.5)), reduction);
}

/** Options of `klDiv`. */
export interface KlDivOptions {
  /** `"batchmean"` divides the sum by the size of axis 0. @default "mean" */
  reduction?: "mean" | "sum" | "none" | "batchmean" | undefined;
  /** The target is given as logarithms. @default false */
  logTarget?: boolean | undefined;
}

/** Kullback–Leibler divergence of log-probabilities from a target, like `torch.nn.functional.kl_div`. */
export function klDiv(input: Tensor, target: Tensor, options: KlDivOptions = {}): Tensor {
  const { reduction = "mean", logTarget = false } = options;
  checkShapes("klDiv", { input, target });
  const losses = logTarget
    ? mul(exp(target), sub(target, input))
    : sub(xlogy(target, target), mul(target, input));
  if (reduction !== "batchmean") return reduceLoss("klDiv", losses, reduction);
  return mul(sum(losses), 1 / (input.shape[0] ?? 1));
}

/** Options of `poissonNllLoss`. */
export interface PoissonNllLossOptions extends LossOptions {
  /** The input is the logarithm of the rate. @default true */
  logInput?: boolean | undefined;
  /** Add Stirling's approximation of the constant term. @default false */
  full?: boolean | undefined;
  /** Added before a logarithm. @default 1e-8 */
  eps?: number | undefined;
}

/** Negative log likelihood of counts, like `torch.nn.functional.poisson_nll_loss`. */
export function poissonNllLoss(
  input: Tensor,
  target: Tensor,
  options: PoissonNllLossOptions = {},
): Tensor {
  const { logInput = true, full = false, eps = 1e-8, reduction } = options;
  checkShapes("poissonNllLoss", { input, target });
  let losses = logInput
    ? sub(exp(input), mul(target, input))
    : sub(input, mul(target, log(add(input, eps))));
  if (full) {
    const large = gt(target, 1);
    const safe = where(large, target, 2);
    const stirling = add(sub(mul(safe, log(safe)), safe), mul(log(mul(safe, 2 * Math.PI)), 0.5));
    losses = add(losses, where(large, stirling, 0));
  }
  return reduceLoss("poissonNllLoss", losses, reduction);
}

/** Options of `gaussianNllLoss`. */
export interface GaussianNllLossOptions extends LossOptions {
  /** Add the constant term. @default false */
  full?: boolean | undefined;
  /** Smallest variance; the gradient passes the limit. @default 1e-6 */
  eps?: number | undefined;
}

/** Negative log likelihood under a normal distribution, like `torch.nn.functional.gaussian_nll_loss`. */
export function gaussianNllLoss(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  options: GaussianNllLossOptions = {},
): Tensor {
  const { full = false, eps = 1e-6, reduction } = options;
  const missing = variance.ndim === input.ndim - 1 &&
    variance.shape.every((s, d) => s === input.shape[d]);
  const spread = missing ? variance.unsqueeze(-1) : variance;
  checkShapes("gaussianNllLoss", { input, target, variance: spread });
  const limited = add(spread, sub(clamp(spread, eps), spread).detach());
  const gap = square(sub(input, target));
  const losses = mul(add(log(limited), div(gap, limited)), 0.5);
  const shifted = full ? add(losses, 0.5 * Math.log(2 * Math.PI)) : losses;
  return reduceLoss("gaussianNllLoss", shifted, reduction);
}

/** Options of losses with a margin. */
export interface MarginLossOptions extends LossOptions {
  /** Default 1 for hinge embedding and triplets, 0 for ranking and cosines. */
  margin?: number | undefined;
}

/** `x` where the target is 1, `max(0, margin − x)` where it is −1, like `torch.nn.functional.hinge_embedding_loss`. */
export function hingeEmbeddingLoss(
  input: Tensor,
  target: Tensor,
  options: MarginLossOptions = {},
): Tensor {
  const { margin = 1, reduction } = options;
  checkShapes("hingeEmbeddingLoss", { input, target });
  const far = where(ne(target, 1), clamp(add(neg(input), margin), 0), 0);
  const near = where(ne(target, -1), input, 0);
  return reduceLoss("hingeEmbeddingLoss", add(far, near), reduction);
}

/** `max(0, −y · (a − b) + margin)`, like `torch.nn.functional.margin_ranking_loss`. */
export function marginRankingLoss(
  input: Tensor,
  other: Tensor,
  target: Tensor,
  options: MarginLossOptions = {},
): Tensor {
  const { margin = 0, reduction } = options;
  checkShapes("marginRankingLoss", { input, other, target });
  const losses = clamp(add(mul(neg(target), sub(input, other)), margin), 0);
  return reduceLoss("marginRankingLoss", losses, reduction);
}

/** `1 − cos` where the target is 1, `max(0, cos − margin)` where it is −1, like `torch.nn.functional.cosine_embedding_loss`. */
export function cosineEmbeddingLoss(
  input: Tensor,
  other: Tensor,
  target: Tensor,
  options: MarginLossOptions = {},
): Tensor {
  const { margin = 0, reduction } = options;
  if (target.ndim > 1 || input.ndim !== target.ndim + 1 || other.ndim !== input.ndim) {
    throw new ShapeError("cosineEmbeddingLoss", "expects [N, D], [N, D] and [N], or one of each", {
      input: input.shape,
      other: other.shape,
      target: target.shape,
    });
  }
  checkShapes("cosineEmbeddingLoss", { input, other, target: target.unsqueeze(-1) });
  const eps = 1e-12;
  const size = (x: Tensor) => add(sum(square(x), -1), eps);
  const cosine = div(sum(mul(input, other), -1), sqrt(mul(size(input), size(other))));
  const near = where(eq(target, 1), add(neg(cosine), 1), 0);
  const far = where(eq(target, -1), clamp(sub(cosine, margin), 0), 0);
  return reduceLoss("cosineEmbeddingLoss", add(near, far), reduction);
}

/** Options of `tripletMarginLoss`. */
export interface TripletMarginLossOptions extends MarginLossOptions {
  /** Which norm. @default 2 */
  p?: number | undefined;
  /** Added to avoid a division by zero. @default 1e-6 */
  eps?: number | undefined;
  /** Use the distance of positive and negative where it is smaller (Balntas et al. 2016). @default false */
  swap?: boolean | undefined;
}

/** `max(0, margin + d(anchor, positive) − d(anchor, negative))`, like `torch.nn.functional.triplet_margin_loss`. */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletMarginLossOptions = {},
): Tensor {
  const { margin = 1, p = 2, eps = 1e-6, swap = false, reduction } = options;
  checkShapes("tripletMarginLoss", { anchor, positive, negative });
  const distance = (a: Tensor, b: Tensor) => pairwiseDistance(a, b, { p, eps });
  const far = distance(anchor, negative);
  const nearest = swap ? far.minimum(distance(positive, negative)) : far;
  const losses = clamp(add(sub(distance(anchor, positive), nearest), margin), 0);
  return reduceLoss("tripletMarginLoss", losses, reduction);
}

/** `log(1 + e^(−y · x))`, like `torch.nn.functional.soft_margin_loss`. */
export function softMarginLoss(
  input: Tensor,
  target: Tensor,
  options: LossOptions = {},
): Tensor {
  checkShapes("softMarginLoss", { input, target });
  return reduceLoss("softMarginLoss", log1p(exp(mul(neg(target), input))), options.reduction);
}
