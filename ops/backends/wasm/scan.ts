import type { ScanKernel } from "../../ir/kernel.ts";
import type { LoweredKernel } from "./emit_nest.ts";
/** TODO */
export function lowerScan(_kernel: ScanKernel): LoweredKernel {
  throw new Error("internal: scan is not there yet");
}
