/** Connectionist temporal classification. */
import { rangeError, ShapeError } from "./check.ts";
import { arange, fullLike } from "./create.ts";
import { fromValues } from "./host_values.ts";
import { add, div, mul, neg, sub } from "./arithmetic.ts";
import { eq, logicalAnd, lt, ne } from "./comparison.ts";
import { log } from "./power.ts";
import { maximum, where } from "./choice.ts";
import { cat } from "./join.ts";
import { gather } from "./index.ts";
import type { LossOptions } from "./loss.ts";
import { reduceLoss } from "./loss_reduce.ts";
import { exp } from "./math.ts";
import { sum } from "./reduce.ts";
import { cumsum } from "./sort.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, unsqueeze } from "./view.ts";
import { padConstant, select, slice } from "./slice.ts";

/** Options of `ctcLoss`. */
export interface CtcLossOptions extends LossOptions {
  /** Class that stands for nothing. @default 0 */
  blank?: number | undefined;
  /** Targets that do not fit their input give 0 instead of an infinite loss. @default false */
  zeroInfinity?: boolean | undefined;
}

/** Logarithm of an impossible probability; finite, so that gradients stay numbers. */
const NEVER = -1e30;

function lengthsOf(lengths: Tensor | readonly number[], like: Tensor): Tensor {
  if ("storage" in lengths) return reshape(lengths, [-1]);
  return fromValues(lengths, [lengths.length], "int32", like.storage.backend);
}

/** Targets as `[N, S]`: concatenated ones are cut apart. */
function targetRows(targets: Tensor, lengths: Tensor | readonly number[], like: Tensor): Tensor {
  if (targets.ndim === 2) return targets;
  const sizes = "storage" in lengths ? [...lengths.dataSync()] : lengths;
  const longest = Math.max(1, ...sizes);
  const counts = lengthsOf(lengths, like);
  const starts = unsqueeze(sub(cumsum(counts, 0), counts), 1);
  const places = add(starts, arange(longest, undefined, 1, { device: targets.device }));
  const inside = lt(places, targets.shape[0]!);
  const index = where(inside, places, 0).to("int32");
  return reshape(gather(targets, 0, reshape(index, [-1])), index.shape);
}

/** `log(e^a + e^b + e^c)` */
function logSum(a: Tensor, b: Tensor, c: Tensor): Tensor {
  const top = maximum(maximum(a, b), c).detach();
  const total = add(add(exp(sub(a, top)), exp(sub(b, top))), exp(sub(c, top)));
  return add(top, log(total));
}

/** Logarithm of the probability of each target: the forward recursion over time (Graves et al. 2006). */
function logLikelihood(
  logProbs: Tensor,
  rows: Tensor,
  inputLengths: Tensor,
  targetLengths: Tensor,
  blank: number,
): Tensor {
  const [steps, batch] = logProbs.shape as [number, number];
  const labels = rows.to("int32"), size = 2 * rows.shape[1]! + 1;
  // Labels with blanks between and around: [N, 2 S + 1].
  const blanks = fullLike(labels, blank);
  const pairs = reshape(cat([unsqueeze(blanks, 2), unsqueeze(labels, 2)], 2), [batch, size - 1]);
  const extended = cat([pairs, slice(blanks, 1, 0, 1)], 1);
  const emitted = gather(logProbs, 2, expand(unsqueeze(extended, 0), [steps, batch, size]));
  const before = padConstant(extended, [2, -2], blank);
  const skips = logicalAnd(ne(extended, blank), ne(extended, before));
  const place = arange(size, undefined, 1, { device: logProbs.device });
  let alpha = where(lt(place, 2), select(emitted, 0, 0), NEVER);
  for (let t = 1; t < steps; t++) {
    const step = padConstant(alpha, [1, -1], NEVER);
    const skip = where(skips, padConstant(alpha, [2, -2], NEVER), NEVER);
    const next = add(logSum(alpha, step, skip), select(emitted, 0, t));
    alpha = where(unsqueeze(lt(fullLike(inputLengths, t), inputLengths), 1), next, alpha);
  }
  const last = unsqueeze(mul(targetLengths, 2), 1);
  const atBlank = gather(alpha, 1, last);
  const atLabel = where(eq(last, 0), NEVER, gather(alpha, 1, maximum(sub(last, 1), 0)));
  return reshape(logSum(atBlank, atLabel, fullLike(atLabel, NEVER)), [batch]);
}

/**
 * Connectionist temporal classification loss, like `torch.nn.functional.ctc_loss`.
 *
 * Its gradient is PyTorch's: that of the scores before `logSoftmax`, which is what reaches them
 * through it.
 *
 * @param logProbs Log-probabilities `[T, N, C]` or `[T, C]`.
 * @param targets Labels `[N, S]`, or all one after the other.
 * @param inputLengths Steps of each sample.
 * @param targetLengths Labels of each sample.
 * @param options Blank, reduction, treatment of infinite losses.
 * @throws {ShapeError} If the shapes do not agree.
 */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Tensor | readonly number[],
  targetLengths: Tensor | readonly number[],
  options: CtcLossOptions = {},
): Tensor {
  const { blank = 0, zeroInfinity = false, reduction = "mean" } = options;
  if (logProbs.ndim === 2) {
    const rows = targets.ndim === 1 ? unsqueeze(targets, 0) : targets;
    const losses = ctcLoss(unsqueeze(logProbs, 1), rows, inputLengths, targetLengths, options);
    return reduction === "none" ? reshape(losses, []) : losses;
  }
  if (logProbs.ndim !== 3 || (targets.ndim === 2 && targets.shape[0] !== logProbs.shape[1])) {
    throw new ShapeError("ctcLoss", "expects log-probabilities [T, N, C] and N targets", {
      logProbs: logProbs.shape,
      targets: targets.shape,
    });
  }
  if (blank < 0 || blank >= logProbs.shape[2]!) {
    throw rangeError("ctcLoss", `blank ${blank} is out of range for ${logProbs.shape[2]} classes`);
  }
  const steps = lengthsOf(inputLengths, logProbs), sizes = lengthsOf(targetLengths, logProbs);
  const rows = targetRows(targets, targetLengths, logProbs);
  const likelihood = logLikelihood(logProbs, rows, steps, sizes, blank);
  const impossible = lt(likelihood, NEVER / 2);
  const times = arange(logProbs.shape[0]!, undefined, 1, { device: logProbs.device });
  const alive = lt(unsqueeze(times, 1), steps).to(logProbs.dtype);
  const mass = sum(mul(sum(exp(logProbs), 2), alive), 0);
  const losses = sub(add(neg(likelihood), mass), mass.detach());
  const finite = where(impossible, zeroInfinity ? 0 : Infinity, losses);
  if (reduction !== "mean") return reduceLoss("ctcLoss", finite, reduction);
  return reduceLoss("ctcLoss", div(finite, maximum(sizes, 1)), "mean");
}
