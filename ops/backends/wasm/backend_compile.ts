/**
 * From kernels to functions of loaded modules.
 *
 * @module
 */
import type { Kernel } from "../../ir/kernel.ts";
import { CodeModule } from "./emit.ts";
import { type KernelPass, type LoweredKernel, plainSlots, type PlanPass } from "./emit_nest.ts";
import { lowerMap } from "./map.ts";
import { hostImports } from "./math_f64.ts";
import type { WasmMemory } from "./memory.ts";
import { lowerReduce } from "./reduce.ts";
import { lowerContract } from "./contract_lowering.ts";
import { lowerScatter } from "./scatter.ts";
import { lowerScan } from "./scan.ts";
import { lowerSort } from "./sort.ts";
import type { WorkerPool } from "./workers.ts";

/** A kernel function called without the pool. */
export type Direct = (args: number, start: number, end: number, thread: number) => void;

/** One loaded function of a kernel. */
export interface ProgramPass {
  /** Number in the pool, or −1 where `direct` is called instead. */
  readonly kernel: number;
  readonly direct?: Direct | undefined;
  readonly units: number;
  readonly grain: number;
}

/** A kernel as loaded. */
export interface Program {
  readonly passes: readonly (ProgramPass | PlanPass)[];
  /** Bytes of scratch arrays, bound behind the outputs. */
  readonly scratch: readonly number[];
}

function lower(kernel: Kernel, memory: WasmMemory, threads: number): LoweredKernel {
  switch (kernel.kind) {
    case "map":
      return { passes: [lowerMap(kernel, plainSlots(kernel))], scratch: [] };
    case "reduce":
      return lowerReduce(kernel);
    case "contract":
      return lowerContract(kernel, threads);
    case "scatter":
      return lowerScatter(kernel);
    case "scan":
      return lowerScan(kernel);
    case "sort":
      return lowerSort(kernel, memory);
  }
}

/** Loads a pass that calls JavaScript into the main thread alone. */
function loadDirect(pass: KernelPass, memory: WasmMemory): Direct {
  if (pass.direct) return pass.direct;
  const module = new CodeModule(memory.moduleOptions, pass.host);
  pass.emit(module, "k");
  const compiled = new WebAssembly.Module(module.builder.build());
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
  const env = { memory: memory.memory, table };
  const imports = { env, host: hostImports(pass.host) } as unknown as WebAssembly.Imports;
  return new WebAssembly.Instance(compiled, imports).exports.k as Direct;
}

/**
 * Compiles kernels, those for all threads in one module.
 *
 * @param kernels What to compile.
 * @param memory Memory that they run in.
 * @param pool Threads that run them.
 * @param onModule Told the bytes of the module.
 * @returns A program per kernel.
 */
export function compileKernels(
  kernels: readonly Kernel[],
  memory: WasmMemory,
  pool: WorkerPool,
  onModule?: ((bytes: Uint8Array) => void) | undefined,
): Program[] {
  const lowered = kernels.map((kernel) => lower(kernel, memory, pool.threads));
  const module = new CodeModule(memory.moduleOptions);
  const names: string[] = [];
  const pending = lowered.map(({ passes }) =>
    passes.map((pass) => {
      if ("plan" in pass) return pass;
      if (pass.direct || pass.host.size > 0) return { pass, name: -1 };
      const name = names.push(`k${names.length}`) - 1;
      pass.emit(module, names[name]!);
      return { pass, name };
    })
  );
  let loaded: number[] = [];
  if (names.length > 0) {
    const bytes = module.builder.build();
    onModule?.(bytes);
    loaded = pool.load(bytes, names);
  }
  return lowered.map(({ scratch }, i) => ({
    scratch,
    passes: pending[i]!.map((item) => {
      if ("plan" in item) return item;
      const { pass, name } = item;
      return {
        kernel: name < 0 ? -1 : loaded[name]!,
        direct: name < 0 ? loadDirect(pass, memory) : undefined,
        units: pass.units,
        grain: pass.grain,
      };
    }),
  }));
}
