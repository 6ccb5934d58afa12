/** Finding the operation that produced the first NaN. */
import { shapeText, stateError } from "./check.ts";
import { isFloat } from "./ir/dtype.ts";
import { currentTrace } from "./compile/trace.ts";
import type { Tensor } from "./tensor.ts";

let detecting = false;

/**
 * Whether every operation and every gradient is checked for NaN, like
 * `torch.autograd.set_detect_anomaly`: the first operation that gives one throws, with its name.
 * Meanwhile compiled functions run operation by operation. Slow; for finding a fault.
 *
 * @param enabled On or off.
 *
 * @example
 * ```ts
 * import { setDetectAnomaly, tensor } from "@tensaurus/core";
 * import { assertThrows } from "@std/assert";
 *
 * setDetectAnomaly(true);
 * assertThrows(() => tensor([-1]).sqrt(), Error, "sqrt: gave a NaN: input [1]");
 * setDetectAnomaly(false);
 * ```
 */
export function setDetectAnomaly(enabled: boolean): void {
  detecting = enabled;
}

/** Whether operations are being checked. */
export function isDetectingAnomaly(): boolean {
  return detecting;
}

/** Throws when one of the outputs of an operation has a NaN. */
export function checkNan(
  name: string,
  outputs: readonly (Tensor | undefined)[],
  inputs: readonly Tensor[],
): void {
  if (!detecting || currentTrace()) return;
  for (const output of outputs) {
    if (!output || !isFloat(output.dtype) || output.dtype === "float16") continue;
    if (output.dataSync().some((v) => v !== v)) {
      const shapes = inputs.map((x) => shapeText(x.shape)).join(", ");
      throw stateError(name, `gave a NaN${shapes ? `: input ${shapes}` : ""}`);
    }
  }
}
