/** Which dispatches a kernel becomes. */
import type { Kernel } from "../../ir/kernel.ts";
import { mapStep } from "./map.ts";
import { reduceStep } from "./reduce.ts";
import { type DeviceFacts, kernelArguments, type Lowered } from "./step.ts";

/** Lowers a kernel of any kind. */
export function lower(kernel: Kernel, facts: DeviceFacts): Lowered {
  const args = kernelArguments(kernel);
  switch (kernel.kind) {
    case "map":
      return { steps: [mapStep(kernel, args)], scratch: [] };
    case "reduce":
      return { steps: [reduceStep(kernel, args)], scratch: [] };
    default:
      throw new Error(`webgpu: internal: no code yet for ${kernel.kind} ${facts.half}`);
  }
}
