/**
 * The `cpu` device: kernels compiled to WebAssembly, run by a pool of threads over one memory.
 *
 * @module
 */
import type {
  Backend,
  Binding,
  Buffer,
  CompiledKernel,
  Dispatch,
  KernelTiming,
  MemoryStatistics,
  PreparedPlan,
} from "../backend.ts";
import { type Kernel, kernelKey } from "../../ir/kernel.ts";
import { compileKernels, type Program } from "./backend_compile.ts";
import { addressesOf, labelOf, type Machine, operandsOf, WasmPlan } from "./backend_plan.ts";
import type { PlanPass } from "./emit_nest.ts";
import { BoundPlan, KernelCache } from "./kernel_plan.ts";
import { WasmMemory } from "./memory.ts";
import { relaxedSimd } from "./simd.ts";
import { WideProbe } from "./wide.ts";
import { WorkerPool } from "./workers.ts";

/** Settings of the backend. */
export interface WasmOptions {
  /** Threads with the main one. @default the processors that the platform reports */
  readonly threads?: number | undefined;
  /** Whether to take the kernels for engines that pair vectors. @default measured, see `wide.ts` */
  readonly wide?: boolean | undefined;
}

interface WasmBuffer extends Buffer {
  readonly address: number;
}

interface Compiled extends CompiledKernel {
  readonly program: Program;
  /** Planned passes by position, bound anew at each eager call. */
  readonly bound: (BoundPlan | undefined)[];
}

/** The argument block of eager calls has room for this many addresses. */
const ARGUMENT_WORDS = 256;

/** See the module's documentation. */
class WasmBackend implements Backend {
  readonly name = "cpu" as const;
  readonly cheapScatter = true;
  onTiming: ((timing: KernelTiming) => void) | undefined = undefined;
  onSource: ((label: string, source: string) => void) | undefined = undefined;
  readonly #machine: Machine;
  readonly #cache = new Map<string, Compiled>();
  readonly #arguments: number;

  constructor(options: WasmOptions) {
    const memory = new WasmMemory();
    const { threads } = options;
    const pool = new WorkerPool(memory, threads === undefined ? {} : { threads });
    const cache = new KernelCache(memory, pool);
    this.#machine = { memory, pool, cache, wide: new WideProbe(memory, pool, cache, options.wide) };
    this.#arguments = memory.alloc(4 * ARGUMENT_WORDS);
  }

  get description(): string {
    const { threads } = this.#machine.pool;
    const simd = relaxedSimd() ? "wasm simd relaxed-fma" : "wasm simd";
    const wide = this.#machine.wide.found ? ", wide tiles" : "";
    return `cpu, ${threads} thread${threads === 1 ? "" : "s"}, ${simd}${wide}`;
  }

  supports(dtype: "float16" | "float64"): boolean {
    return dtype === "float64";
  }

  allocate(bytes: number): Buffer {
    const buffer: WasmBuffer = { bytes, address: this.#machine.memory.alloc(bytes) };
    return buffer;
  }

  release(buffer: Buffer): void {
    this.#machine.memory.free(addressOf(buffer));
  }

  write(buffer: Buffer, byteOffset: number, data: ArrayBufferView): void {
    const { byteLength } = data;
    const source = new Uint8Array(data.buffer, data.byteOffset, byteLength);
    this.#machine.memory.view(addressOf(buffer) + byteOffset, byteLength, "u8").set(source);
  }

  readSync(buffer: Buffer, byteOffset: number, bytes: number): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(bytes);
    result.set(this.#machine.memory.view(addressOf(buffer) + byteOffset, bytes, "u8"));
    return result;
  }

  read(buffer: Buffer, byteOffset: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(this.readSync(buffer, byteOffset, bytes));
  }

  copy(
    source: Buffer,
    sourceByte: number,
    target: Buffer,
    targetByte: number,
    bytes: number,
  ): void {
    const from = this.#machine.memory.view(addressOf(source) + sourceByte, bytes, "u8");
    this.#machine.memory.view(addressOf(target) + targetByte, bytes, "u8").set(from);
  }

  compile(kernel: Kernel): CompiledKernel {
    return this.#compileAll([kernel])[0]!;
  }

  run(kernel: CompiledKernel, bindings: readonly Binding[]): void {
    const { program } = kernel as Compiled;
    this.#machine.wide.poll();
    const start = this.onTiming ? performance.now() : 0;
    const { memory } = this.#machine;
    const scratch = program.scratch.map((bytes) => memory.alloc(bytes));
    const addresses = addressesOf(kernel.kernel, bindings, scratch, addressOfBinding);
    if (addresses.length > ARGUMENT_WORDS) {
      throw new RangeError(`internal: ${addresses.length} arrays in one kernel`);
    }
    memory.view(this.#arguments, addresses.length, "u32").set(addresses);
    this.#runPasses(kernel as Compiled, addresses, bindings.length);
    for (const address of scratch) memory.free(address);
    if (this.onTiming) {
      const milliseconds = performance.now() - start;
      this.onTiming({ label: labelOf(kernel.kernel), milliseconds });
    }
  }

  prepare(dispatches: readonly Dispatch[]): PreparedPlan {
    const coded = this.#compileAll(dispatches.map((d) => d.kernel));
    return new WasmPlan(this.#machine, dispatches, coded, addressOfBinding, () => this.onTiming);
  }

  synchronize(): Promise<void> {
    return Promise.resolve();
  }

  memory(): MemoryStatistics {
    const { live, peak, pooled } = this.#machine.memory.stats();
    return { live, peak, pooled };
  }

  trim(): number {
    return 0; // A WebAssembly memory never shrinks.
  }

  #runPasses(compiled: Compiled, addresses: readonly number[], bindings: number): void {
    const { pool } = this.#machine;
    const args = this.#arguments;
    compiled.program.passes.forEach((pass, i) => {
      if ("plan" in pass) {
        const bound = this.#bind(compiled, i, operandsOf(pass, args, addresses, bindings));
        for (const { kernel, args, tasks, grain } of bound.jobs) {
          pool.run(kernel, args, tasks, grain);
        }
      } else if (pass.direct) pass.direct(args, 0, pass.units, 0);
      else if (pass.units > 0) pool.run(pass.kernel, args, pass.units, pass.grain);
    });
  }

  /** The planned pass `i` of a kernel with other operands; made at its first eager call. */
  #bind(compiled: Compiled, i: number, operands: Record<string, number>): BoundPlan {
    const pass = compiled.program.passes[i] as PlanPass;
    const { memory, cache } = this.#machine;
    const known = compiled.bound[i];
    if (known) known.bind(operands);
    return known ?? (compiled.bound[i] = new BoundPlan(pass.plan, memory, cache, operands));
  }

  #compileAll(kernels: readonly Kernel[]): Compiled[] {
    const keys = kernels.map(kernelKey);
    const missing = new Map<string, Kernel>();
    keys.forEach((key, i) => {
      if (!this.#cache.has(key)) missing.set(key, kernels[i]!);
    });
    if (missing.size > 0) {
      const { memory, pool } = this.#machine;
      const programs = compileKernels(
        [...missing.values()],
        memory,
        pool,
        !this.onSource ? undefined : (bytes) => {
          const label = [...missing.values()].map(labelOf).join(" ");
          this.onSource?.(label, btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join("")));
        },
      );
      [...missing].forEach(([key, kernel], i) => {
        this.#cache.set(key, { kernel, key, program: programs[i]!, bound: [] });
      });
    }
    return keys.map((key) => this.#cache.get(key)!);
  }
}

function addressOf(buffer: Buffer): number {
  return (buffer as WasmBuffer).address;
}

function addressOfBinding(binding: Binding): number {
  return addressOf(binding.buffer);
}

/**
 * The `cpu` device.
 *
 * @param options Number of threads.
 * @returns A backend; its workers start with the first parallel kernel.
 */
export function createWasmBackend(options: WasmOptions = {}): Backend {
  return new WasmBackend(options);
}
