import {
  arange,
  cat,
  cumsum,
  DtypeError,
  noGrad,
  ShapeError,
  stack,
  type Tensor,
  tensor,
  where,
} from "../ops/mod.ts";
import { reduceLoss } from "../ops/loss_reduce.ts";
import type { Reduction } from "../ops/loss.ts";
import { Module } from "./module.ts";

/** Options of {@linkcode ctcLoss}. */
export interface CTCLossOptions {
  /** Class that stands for nothing. @default 0 */
  blank?: number | undefined;
  /** Mean over the batch of the losses over target lengths, or their sum, or each. @default "mean" */
  reduction?: Reduction | undefined;
  /** 0 in place of an infinite loss, where the input is too short for its target. @default false */
  zeroInfinity?: boolean | undefined;
}

/** Lengths of the sequences of a batch. */
export type Lengths = Tensor | readonly number[];

/** Stands for the logarithm of 0: finite, so that differences of it are no NaN. */
const NEVER = -1e30;

function asLengths(lengths: Lengths, like: Tensor): Tensor {
  if ("length" in lengths) return tensor([...lengths], { dtype: "int32", device: like.device });
  return lengths.to("int32").reshape([-1]);
}

/** Targets `[N, S]`; those given end to end are laid out by the sum of the lengths before. */
function padded(targets: Tensor, lengths: Tensor, given: Lengths): Tensor {
  if (targets.ndim === 2) return targets;
  const longest = "length" in given ? Math.max(1, ...given) : targets.numel;
  const starts = cumsum(lengths, 0).sub(lengths).unsqueeze(1);
  const at = starts.add(arange(0, longest, 1, { device: targets.device }));
  return targets.gather(0, at.clamp(0, targets.numel - 1).reshape([-1]).to("int32"))
    .reshape([lengths.numel, longest]);
}

function logAddExp(terms: readonly Tensor[]): Tensor {
  const top = terms.reduce((a, b) => a.maximum(b)).detach();
  const sum = terms.map((term) => term.sub(top).exp()).reduce((a, b) => a.add(b));
  return sum.log().add(top);
}

/** Moves positions to the right by `by`, filling with the logarithm of 0. */
function shifted(x: Tensor, by: number): Tensor {
  return x.pad([by, -by], NEVER);
}

/**
 * Connectionist temporal classification (Graves et al. 2006), like
 * `torch.nn.functional.ctc_loss`. As there, the gradient is that of logits under a log-softmax.
 *
 * Shapes: logProbs `[T, N, C]` (or `[T, C]`), targets `[N, S]` or end to end `[sum of lengths]`.
 *
 * @param logProbs Logarithms of the probabilities of the classes at each time.
 * @param targets Classes to find, without blanks.
 * @param inputLengths Length of each input.
 * @param targetLengths Length of each target.
 * @param options Blank, reduction.
 * @returns The loss.
 * @throws {ShapeError} If shapes do not fit. @throws {DtypeError} If targets are not whole.
 */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Lengths,
  targetLengths: Lengths,
  options: CTCLossOptions = {},
): Tensor {
  const { blank = 0, reduction = "mean", zeroInfinity = false } = options;
  const single = logProbs.ndim === 2;
  const probs = single ? logProbs.unsqueeze(1) : logProbs;
  if (probs.ndim !== 3) {
    throw new ShapeError("ctcLoss", "logProbs need 2 or 3 dimensions", {
      logProbs: logProbs.shape,
    });
  }
  if (targets.dtype.startsWith("float")) {
    throw new DtypeError("ctcLoss", `targets have dtype ${targets.dtype}, expect int32`);
  }
  const [steps, batch] = probs.shape as [number, number, number];
  const inputs = asLengths(inputLengths, probs), lengths = asLengths(targetLengths, probs);
  const shapes = { logProbs: logProbs.shape, targets: targets.shape };
  if (inputs.numel !== batch || lengths.numel !== batch) {
    throw new ShapeError("ctcLoss", `a batch of ${batch} needs as many lengths`, shapes);
  }
  const rows = padded(
    single && targets.ndim === 1 ? targets.unsqueeze(0) : targets,
    lengths,
    targetLengths,
  );
  const total = totalOf(probs, withBlanks(rows, blank), inputs, lengths, blank);
  // The gradient of a log-softmax, in a term whose value is 0.
  const valid = arange(0, steps, 1, { device: probs.device }).unsqueeze(1).lt(inputs.unsqueeze(0));
  const soft = probs.exp();
  const tangent = where(valid.unsqueeze(2), soft.sub(soft.detach()), 0).sum([0, 2]);
  const loss = total.neg().add(tangent);
  const finite = total.gt(NEVER / 2);
  const losses = where(finite, loss, zeroInfinity ? 0 : Infinity);
  if (reduction !== "mean") {
    return reduceLoss("ctcLoss", single ? losses.squeeze(0) : losses, reduction);
  }
  return losses.div(lengths.clamp(1).to(losses.dtype)).mean();
}

/** Classes with blanks before, between and after: `[N, 2S + 1]`. */
function withBlanks(rows: Tensor, blank: number): Tensor {
  const [batch, size] = rows.shape as [number, number];
  const whole = rows.to("int32");
  const blanks = whole.mul(0).add(blank).to("int32");
  const pairs = stack([blanks, whole], 2).reshape([batch, 2 * size]);
  return cat([pairs, whole.narrow(1, 0, 1).mul(0).add(blank).to("int32")], 1);
}

/** Logarithm of the probability of all paths, by the forward recursion: `[N]`. */
function totalOf(
  probs: Tensor,
  labels: Tensor,
  inputs: Tensor,
  lengths: Tensor,
  blank: number,
): Tensor {
  const [steps, batch] = probs.shape as [number, number];
  const states = labels.shape[1]!;
  const picked = probs.gather(2, labels.unsqueeze(0).expand([steps, batch, states]));
  const place = arange(0, states, 1, { device: probs.device });
  // A label may be reached from the one two places before, unless it is the same or a blank.
  const skips = noGrad(() =>
    labels.ne(blank).logicalAnd(labels.ne(labels.pad([2, -2], -1).to("int32")))
  );
  let alpha = where(place.lt(2), picked.select(0, 0), NEVER);
  for (let t = 1; t < steps; t++) {
    const jump = where(skips, shifted(alpha, 2), NEVER);
    const next = logAddExp([alpha, shifted(alpha, 1), jump]).add(picked.select(0, t));
    alpha = where(inputs.gt(t).unsqueeze(1), next, alpha);
  }
  const last = lengths.mul(2).unsqueeze(1).to("int32");
  const ends = alpha.gather(1, last);
  const before = where(last.gt(0), alpha.gather(1, last.sub(1).clamp(0).to("int32")), NEVER);
  return logAddExp([ends, before]).squeeze(1);
}

/**
 * Connectionist temporal classification (Graves et al. 2006), like `torch.nn.CTCLoss`.
 *
 * @example
 * ```ts
 * import { logSoftmax, rand, tensor } from "@tensaurus/core";
 * import { CTCLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const logProbs = logSoftmax(rand([6, 1, 4]), 2);
 * const targets = tensor([[1, 2]], { dtype: "int32" });
 * assertEquals(new CTCLoss().forward(logProbs, targets, [6], [2]).shape, []);
 * ```
 */
export class CTCLoss extends Module {
  readonly #options: CTCLossOptions;

  /**
   * Makes the module.
   *
   * @param options Blank, reduction.
   */
  constructor(options: CTCLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss. @throws {ShapeError} If shapes do not fit. */
  forward(
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: Lengths,
    targetLengths: Lengths,
  ): Tensor {
    return ctcLoss(logProbs, targets, inputLengths, targetLengths, this.#options);
  }
}
