import type { SortKernel } from "../../ir/kernel.ts";
import type { LoweredKernel } from "./emit_nest.ts";
import type { WasmMemory } from "./memory.ts";
/** TODO */
export function lowerSort(_kernel: SortKernel, _memory: WasmMemory): LoweredKernel {
  throw new Error("internal: sort is not there yet");
}
