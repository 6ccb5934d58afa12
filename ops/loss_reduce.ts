/** From losses of elements to one. */
import { rangeError } from "./check.ts";
import type { Reduction } from "./loss.ts";
import { mean, sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";

/** Applies a reduction. */
export function reduceLoss(op: string, losses: Tensor, reduction: Reduction = "mean"): Tensor {
  if (reduction === "none") return losses;
  if (reduction === "sum") return sum(losses);
  if (reduction === "mean") return mean(losses);
  throw rangeError(op, `reduction "${reduction}" is not one of mean, sum, none`);
}
