/** Checks of integer labels where the host can look at them without waiting. */
import { DtypeError, type Facts, rangeError } from "./check.ts";
import { currentTrace } from "./compile/trace.ts";
import { isInteger } from "./ir/dtype.ts";
import type { Tensor } from "./tensor.ts";

/** Refuses labels that are not whole numbers by dtype. */
export function checkLabelDtype(op: string, name: string, labels: Tensor): void {
  if (!isInteger(labels.dtype)) {
    throw new DtypeError(op, `${name} has dtype ${labels.dtype}, expects int32`);
  }
}

/**
 * Refuses labels outside of `0 … classes − 1`, except `ignore`. Only where reading them costs no
 * wait: eager, on a device in host memory. Elsewhere the kernel gives NaN or 0 for them.
 */
export function checkLabelRange(
  op: string,
  name: string,
  labels: Tensor,
  classes: number,
  facts: Facts,
  ignore?: number | undefined,
  unit = "classes",
): void {
  if (currentTrace() || labels.device === "webgpu") return;
  for (const label of labels.detach().dataSync()) {
    if ((label >= 0 && label < classes) || label === ignore) continue;
    throw rangeError(op, `${name} ${label} is out of range for ${classes} ${unit}`, facts);
  }
}
