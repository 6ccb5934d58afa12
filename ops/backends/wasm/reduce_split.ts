import type { ReduceKernel } from "../../ir/kernel.ts";
import type { LoweredKernel } from "./emit_nest.ts";
/** TODO */
export function splitReduce(_kernel: ReduceKernel): LoweredKernel | undefined {
  return undefined;
}
