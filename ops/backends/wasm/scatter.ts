import type { ScatterKernel } from "../../ir/kernel.ts";
import type { LoweredKernel } from "./emit_nest.ts";
/** TODO */
export function lowerScatter(_kernel: ScatterKernel): LoweredKernel {
  throw new Error("internal: scatter is not there yet");
}
