/** From losses of elements to one. */
import { checkChoice } from "./check.ts";
import type { Reduction } from "./loss.ts";
import { mean, sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";

/** Applies a reduction. */
export function reduceLoss(op: string, losses: Tensor, reduction: Reduction = "mean"): Tensor {
  checkChoice(op, "reduction", reduction, ["mean", "sum", "none"]);
  if (reduction === "none") return losses;
  return reduction === "sum" ? sum(losses) : mean(losses);
}
