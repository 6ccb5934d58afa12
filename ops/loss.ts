/** Losses over classes: scores or probabilities against labels. */
import { logsigmoid } from "./activation.ts";
import { add, div, mul, neg, sub } from "./arithmetic.ts";
import { DtypeError, rangeError, ShapeError } from "./check.ts";
import { clamp } from "./choice.ts";
import { applyElementwise, defineElementwise } from "./define.ts";
import { isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { checkLabelDtype, checkLabelRange } from "./labels.ts";
import { crossEntropyRows, nllRows, type RowLosses } from "./loss_kernels.ts";
import { reduceLoss } from "./loss_reduce.ts";
import { log1p } from "./math.ts";
import { log } from "./power.ts";
import { mean, sum } from "./reduce.ts";
import { logSoftmax } from "./softmax.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape } from "./view.ts";

/** How losses of single elements become one: their mean, their sum, or not at all. */
export type Reduction = "mean" | "sum" | "none";

/** The option that all losses share. */
export interface LossOptions {
  /** What becomes of the losses of single elements. @default "mean" */
  reduction?: Reduction | undefined;
}

/** Options of losses with integer labels. */
export interface LabelLossOptions extends LossOptions {
  /** Weight per class: `[C]`. */
  weight?: Tensor | undefined | null;
  /** Label that counts for nothing. @default -100 */
  ignoreIndex?: number | undefined;
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends LabelLossOptions {
  /** Share of the target spread evenly over the classes, 0 to 1. @default 0 */
  labelSmoothing?: number | undefined;
}

/** Scores as `[N, C, …]` and labels as `[N, …]`, checked. */
function rowsOf(
  op: string,
  x: Tensor,
  target: Tensor,
  weight: Tensor | undefined | null,
  ignore: number,
): { scores: Tensor; labels: Tensor } {
  const facts = { input: x.shape, target: target.shape };
  if (!isFloat(x.dtype)) throw new DtypeError(op, `input has dtype ${x.dtype}, expects a float`);
  checkLabelDtype(op, "target", target);
  const wanted = x.shape.filter((_, d) => d !== (x.ndim === 1 ? 0 : 1));
  if (
    x.ndim === 0 || wanted.length !== target.ndim || wanted.some((s, d) => s !== target.shape[d])
  ) {
    throw new ShapeError(op, "target does not have the input's shape without the classes", facts);
  }
  const classes = x.shape[x.ndim === 1 ? 0 : 1]!;
  if (weight && (weight.ndim !== 1 || weight.shape[0] !== classes)) {
    throw new ShapeError(op, `weight has ${weight.numel} numbers for ${classes} classes`, {
      ...facts,
      weight: weight.shape,
    });
  }
  checkLabelRange(op, "target", target, classes, facts, ignore);
  if (x.ndim > 1) return { scores: x, labels: target };
  return { scores: reshape(x, [1, classes]), labels: reshape(target, [1]) };
}

function reduceRows(
  op: string,
  { losses, weights }: RowLosses,
  shape: readonly number[],
  reduction: Reduction = "mean",
): Tensor {
  if (reduction === "mean") return div(sum(losses), sum(weights));
  const total = reduceLoss(op, losses, reduction);
  return reduction === "none" ? reshape(total, shape) : total;
}

/**
 * Cross entropy of scores and labels, like `torch.nn.functional.cross_entropy`.
 *
 * Shapes: input `[C]`, `[N, C]` or `[N, C, …]`; target int32 without the class axis, or floating
 * probabilities of the input's shape. Labels out of range are an error on the CPU, NaN elsewhere.
 *
 * @param input Scores before the softmax.
 * @param target Labels, or probabilities of the classes.
 * @param options Class weights, ignored label, label smoothing, reduction.
 * @returns A number, or one loss per row with `reduction: "none"`.
 * @throws {ShapeError} If the shapes do not agree.
 * @throws {RangeError} If a label is out of range.
 *
 * @example
 * ```ts
 * import { crossEntropy, tensor } from "@tensaurus/core";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const loss = crossEntropy(tensor([[0, 0]]), tensor([1], { dtype: "int32" }));
 * assertAlmostEquals(await loss.item(), Math.log(2), 1e-6);
 * ```
 */
export function crossEntropy(
  input: Tensor,
  target: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw rangeError("crossEntropy", `labelSmoothing ${labelSmoothing} is not between 0 and 1`);
  }
  if (isFloat(target.dtype)) return crossEntropyOfProbabilities(input, target, options);
  const { scores, labels } = rowsOf("crossEntropy", input, target, weight, ignoreIndex);
  const rows = crossEntropyRows(scores, labels, weight, ignoreIndex, labelSmoothing);
  return reduceRows("crossEntropy", rows, target.shape, reduction);
}

function crossEntropyOfProbabilities(
  input: Tensor,
  target: Tensor,
  { weight, labelSmoothing = 0, reduction = "mean" }: CrossEntropyOptions,
): Tensor {
  if (input.ndim !== target.ndim || input.shape.some((s, d) => s !== target.shape[d])) {
    const facts = { input: input.shape, target: target.shape };
    const hint = 'labels need dtype int32: to("int32")';
    throw new ShapeError("crossEntropy", "probabilities need the input's shape", facts, hint);
  }
  const axis = input.ndim === 1 ? 0 : 1;
  const classes = input.shape[axis]!;
  const smooth = labelSmoothing > 0
    ? add(mul(target, 1 - labelSmoothing), labelSmoothing / classes)
    : target;
  const terms = mul(logSoftmax(input, axis), smooth);
  const spread = new Array<number>(Math.max(0, input.ndim - 2)).fill(1);
  const weighted = weight ? mul(terms, reshape(weight, [classes, ...spread])) : terms;
  const losses = neg(sum(weighted, axis));
  if (reduction !== "mean") return reduceLoss("crossEntropy", losses, reduction);
  return mul(sum(losses), classes / input.numel);
}

/**
 * Negative log likelihood of log-probabilities and labels, like `torch.nn.functional.nll_loss`.
 *
 * @param input Log-probabilities `[C]`, `[N, C]` or `[N, C, …]`.
 * @param target Labels, int32, without the class axis.
 * @param options Class weights, ignored label, reduction.
 * @throws {ShapeError} If the shapes do not agree.
 * @throws {RangeError} If a label is out of range.
 */
export function nllLoss(input: Tensor, target: Tensor, options: LabelLossOptions = {}): Tensor {
  const { weight, ignoreIndex = -100, reduction } = options;
  const { scores, labels } = rowsOf("nllLoss", input, target, weight, ignoreIndex);
  const rows = nllRows(scores, labels, weight, ignoreIndex);
  return reduceRows("nllLoss", rows, target.shape, reduction);
}

/** `max(log x, −100)`, PyTorch's limit that keeps the loss finite. */
function limitedLog(x: Expr, inner: "log" | "log1p"): Expr {
  return e.call("max", [e.call(inner, [x]), e.constant(-100, x.dtype)]);
}

const BINARY = defineElementwise({
  name: "binaryCrossEntropy",
  dtypes: "float",
  scalar: (x, y) => {
    const rest = limitedLog(e.call("neg", [x]), "log1p");
    const other = e.mul(e.sub(y, e.constant(1, y.dtype)), rest);
    return e.sub(other, e.mul(y, limitedLog(x, "log")));
  },
  gradient: (c) => {
    const [x, y] = [c.input(0), c.input(1)];
    const slope = () => div(sub(x, y), clamp(mul(x, add(neg(x), 1)), 1e-12));
    const limited = (t: Tensor) => clamp(t, -100);
    return [
      c.needs(0) ? mul(c.grad(), slope()) : undefined,
      c.needs(1) ? mul(c.grad(), sub(limited(log1p(neg(x))), limited(log(x)))) : undefined,
    ];
  },
  domain: [0.1, 0.9],
});

/** Options of binary cross entropy. */
export interface BinaryLossOptions extends LossOptions {
  /** Weight per element; broadcasts. */
  weight?: Tensor | undefined | null;
}

/** Shapes must be equal, since broadcasting a target is mostly a mistake. */
function requireSameShape(op: string, input: Tensor, target: Tensor): void {
  if (input.ndim !== target.ndim || input.shape.some((s, d) => s !== target.shape[d])) {
    throw new ShapeError(op, "input and target differ in shape", {
      input: input.shape,
      target: target.shape,
    });
  }
}

/**
 * Binary cross entropy of probabilities, like `torch.nn.functional.binary_cross_entropy`.
 *
 * @throws {ShapeError} If the shapes differ.
 */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  options: BinaryLossOptions = {},
): Tensor {
  requireSameShape("binaryCrossEntropy", input, target);
  const losses = applyElementwise(BINARY, [input, target]);
  const weighted = options.weight ? mul(losses, options.weight) : losses;
  return reduceLoss("binaryCrossEntropy", weighted, options.reduction);
}

/** Options of `binaryCrossEntropyWithLogits`. */
export interface BinaryLogitsLossOptions extends BinaryLossOptions {
  /** Weight of positive targets; broadcasts. */
  posWeight?: Tensor | undefined | null;
}

/**
 * Binary cross entropy of scores, like `torch.nn.functional.binary_cross_entropy_with_logits`.
 *
 * @throws {ShapeError} If the shapes differ.
 */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: BinaryLogitsLossOptions = {},
): Tensor {
  requireSameShape("binaryCrossEntropyWithLogits", input, target);
  const { weight, posWeight, reduction } = options;
  const cost = neg(logsigmoid(input));
  const scaled = posWeight ? mul(add(mul(sub(posWeight, 1), target), 1), cost) : cost;
  const losses = add(mul(add(neg(target), 1), input), scaled);
  const weighted = weight ? mul(losses, weight) : losses;
  return reduceLoss("binaryCrossEntropyWithLogits", weighted, reduction);
}

/** `−Σ (y · log σ(x) + (1 − y) · log σ(−x)) / C` per row, like `torch.nn.functional.multilabel_soft_margin_loss`. */
export function multilabelSoftMarginLoss(
  input: Tensor,
  target: Tensor,
  options: BinaryLossOptions = {},
): Tensor {
  requireSameShape("multilabelSoftMarginLoss", input, target);
  const hit = mul(target, logsigmoid(input));
  const miss = mul(add(neg(target), 1), logsigmoid(neg(input)));
  const losses = neg(add(hit, miss));
  const weighted = options.weight ? mul(losses, options.weight) : losses;
  return reduceLoss("multilabelSoftMarginLoss", mean(weighted, -1), options.reduction);
}

/** Options of `multiMarginLoss`. */
export interface MultiMarginLossOptions extends BinaryLossOptions {
  /** Exponent, 1 or 2. @default 1 */
  p?: number | undefined;
  /** Distance that is asked for. @default 1 */
  margin?: number | undefined;
}

/** Hinge over classes, like `torch.nn.functional.multi_margin_loss`; input `[N, C]` or `[C]`, target labels. */
export function multiMarginLoss(
  input: Tensor,
  target: Tensor,
  options: MultiMarginLossOptions = {},
): Tensor {
  const { p = 1, margin = 1, weight, reduction } = options;
  if (p !== 1 && p !== 2) throw rangeError("multiMarginLoss", `p ${p} is neither 1 nor 2`);
  const { scores, labels } = rowsOf("multiMarginLoss", input, target, weight, -1);
  const classes = scores.shape[1]!;
  const own = neg(nllRows(scores, labels, undefined, -1).losses);
  const gap = clamp(add(sub(scores, expand(reshape(own, [-1, 1]), scores.shape)), margin), 0);
  const powered = p === 2 ? mul(gap, gap) : gap;
  const others = sub(sum(powered, 1), Math.max(0, margin) ** p);
  const weights = weight ? nllRows(scores.detach(), labels, weight, -1).weights : undefined;
  const losses = mul(weights ? mul(others, weights) : others, 1 / classes);
  return reduceLoss("multiMarginLoss", reshape(losses, target.shape), reduction);
}
