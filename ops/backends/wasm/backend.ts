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
import { bytesOf } from "../../ir/dtype.ts";
import { type Kernel, kernelKey } from "../../ir/kernel.ts";
import { compileKernels, type Program } from "./backend_compile.ts";
import { WasmMemory } from "./memory.ts";
import { relaxedSimd } from "./simd.ts";
import { type Job, type JobList, WorkerPool } from "./workers.ts";

/** Settings of the backend. */
export interface WasmOptions {
  /** Threads with the main one. @default the processors that the platform reports */
  readonly threads?: number | undefined;
}

interface WasmBuffer extends Buffer {
  readonly address: number;
}

interface Compiled extends CompiledKernel {
  readonly program: Program;
}

/** Argument blocks that eager calls cycle through need room for this many words. */
const ARGUMENT_WORDS = 256;

/** See the module's documentation. */
class WasmBackend implements Backend {
  readonly name = "cpu" as const;
  onTiming: ((timing: KernelTiming) => void) | undefined = undefined;
  readonly #memory: WasmMemory;
  readonly #pool: WorkerPool;
  readonly #cache = new Map<string, Compiled>();
  readonly #arguments: number;

  constructor(options: WasmOptions) {
    this.#memory = new WasmMemory();
    const { threads } = options;
    this.#pool = new WorkerPool(this.#memory, threads === undefined ? {} : { threads });
    this.#arguments = this.#memory.alloc(4 * ARGUMENT_WORDS);
  }

  get description(): string {
    const { threads } = this.#pool;
    const simd = relaxedSimd() ? "wasm simd relaxed-fma" : "wasm simd";
    return `cpu, ${threads} thread${threads === 1 ? "" : "s"}, ${simd}`;
  }

  supports(dtype: "float16" | "float64"): boolean {
    return dtype === "float64";
  }

  allocate(bytes: number): Buffer {
    const buffer: WasmBuffer = { bytes, address: this.#memory.alloc(bytes) };
    return buffer;
  }

  release(buffer: Buffer): void {
    this.#memory.free(addressOf(buffer));
  }

  write(buffer: Buffer, byteOffset: number, data: ArrayBufferView): void {
    const { byteLength } = data;
    const source = new Uint8Array(data.buffer, data.byteOffset, byteLength);
    this.#memory.view(addressOf(buffer) + byteOffset, byteLength, "u8").set(source);
  }

  readSync(buffer: Buffer, byteOffset: number, bytes: number): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(bytes);
    result.set(this.#memory.view(addressOf(buffer) + byteOffset, bytes, "u8"));
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
    const from = this.#memory.view(addressOf(source) + sourceByte, bytes, "u8");
    this.#memory.view(addressOf(target) + targetByte, bytes, "u8").set(from);
  }

  compile(kernel: Kernel): CompiledKernel {
    return this.#compileAll([kernel])[0]!;
  }

  run(kernel: CompiledKernel, bindings: readonly Binding[]): void {
    const { program } = kernel as Compiled;
    const start = this.onTiming ? performance.now() : 0;
    const scratch = program.scratch.map((bytes) => this.#memory.alloc(bytes));
    const count = bindings.length + scratch.length;
    if (count > ARGUMENT_WORDS) throw new RangeError(`internal: ${count} arrays in one kernel`);
    this.#writeArguments(this.#arguments, kernel.kernel, bindings, scratch);
    for (const pass of program.passes) this.#runPass(pass, this.#arguments);
    for (const address of scratch) this.#memory.free(address);
    if (this.onTiming) this.#report(kernel.kernel, start);
  }

  prepare(dispatches: readonly Dispatch[]): PreparedPlan {
    const compiled = this.#compileAll(dispatches.map((d) => d.kernel));
    return new WasmPlan(this.#memory, this.#pool, dispatches, compiled, {
      write: (address, i, scratch) => {
        const { kernel, bindings } = dispatches[i]!;
        this.#writeArguments(address, kernel, bindings, scratch);
      },
      timing: () => this.onTiming,
    });
  }

  synchronize(): Promise<void> {
    return Promise.resolve();
  }

  memory(): MemoryStatistics {
    const { live, peak, pooled } = this.#memory.stats();
    return { live, peak, pooled };
  }

  trim(): number {
    return 0; // A WebAssembly memory never shrinks.
  }

  #report(kernel: Kernel, start: number): void {
    this.onTiming?.({ label: kernel.kind, milliseconds: performance.now() - start });
  }

  #runPass(pass: Program["passes"][number], args: number): void {
    if (pass.direct) pass.direct(args, 0, pass.units, 0);
    else if (pass.units > 0) this.#pool.run(pass.kernel, args, pass.units, pass.grain);
  }

  #writeArguments(
    address: number,
    kernel: Kernel,
    bindings: readonly Binding[],
    scratch: readonly number[],
  ): void {
    const arrays = [...kernel.inputs, ...kernel.outputs];
    const words = this.#memory.view(address, bindings.length + scratch.length, "i32");
    bindings.forEach(({ buffer, offset }, i) => {
      words[i] = addressOf(buffer) + offset * bytesOf(arrays[i]!.dtype);
    });
    scratch.forEach((a, i) => words[bindings.length + i] = a);
  }

  #compileAll(kernels: readonly Kernel[]): Compiled[] {
    const keys = kernels.map(kernelKey);
    const missing = new Map<string, Kernel>();
    keys.forEach((key, i) => {
      if (!this.#cache.has(key)) missing.set(key, kernels[i]!);
    });
    if (missing.size > 0) {
      const programs = compileKernels([...missing.values()], this.#memory, this.#pool);
      [...missing].forEach(([key, kernel], i) => {
        this.#cache.set(key, { kernel, key, program: programs[i]! });
      });
    }
    return keys.map((key) => this.#cache.get(key)!);
  }
}

function addressOf(buffer: Buffer): number {
  return (buffer as WasmBuffer).address;
}

interface PlanHooks {
  readonly write: (address: number, dispatch: number, scratch: readonly number[]) => void;
  readonly timing: () => ((timing: KernelTiming) => void) | undefined;
}

type Step =
  | { readonly list: JobList; readonly direct?: undefined }
  | { readonly list?: undefined; readonly direct: () => void };

/** Jobs of a plan in a list, cut where a kernel must run on the main thread by itself. */
class WasmPlan implements PreparedPlan {
  readonly #memory: WasmMemory;
  readonly #pool: WorkerPool;
  readonly #hooks: PlanHooks;
  readonly #blocks: number[] = [];
  readonly #steps: Step[] = [];
  /** The steps of each dispatch apart, made when timing is first asked for. */
  readonly #dispatches: { readonly kernel: Kernel; readonly compiled: Compiled; args: number }[] =
    [];

  constructor(
    memory: WasmMemory,
    pool: WorkerPool,
    dispatches: readonly Dispatch[],
    compiled: readonly Compiled[],
    hooks: PlanHooks,
  ) {
    this.#memory = memory;
    this.#pool = pool;
    this.#hooks = hooks;
    const scratch = this.#scratch(compiled);
    let jobs: Job[] = [];
    const flush = () => {
      if (jobs.length > 0) this.#steps.push({ list: pool.list(jobs) });
      jobs = [];
    };
    dispatches.forEach(({ kernel, bindings }, i) => {
      const { program } = compiled[i]!;
      const own = program.scratch.map((_, j) => scratch[j]!);
      const args = this.#block(4 * Math.max(1, bindings.length + own.length));
      hooks.write(args, i, own);
      this.#dispatches.push({ kernel, compiled: compiled[i]!, args });
      for (const pass of program.passes) {
        const { direct, units } = pass;
        if (direct) {
          flush();
          this.#steps.push({ direct: () => direct(args, 0, units, 0) });
        } else if (units > 0) {
          jobs.push({ kernel: pass.kernel, args, tasks: units, grain: pass.grain });
        }
      }
    });
    flush();
  }

  run(): void {
    const onTiming = this.#hooks.timing();
    if (onTiming) return this.#runTimed(onTiming);
    for (const step of this.#steps) {
      if (step.list) this.#pool.replay(step.list);
      else step.direct();
    }
  }

  dispose(): void {
    for (const block of this.#blocks.splice(0)) this.#memory.free(block);
    for (const step of this.#steps.splice(0)) if (step.list) this.#pool.release(step.list);
  }

  #runTimed(onTiming: (timing: KernelTiming) => void): void {
    for (const { kernel, compiled, args } of this.#dispatches) {
      const start = performance.now();
      for (const pass of compiled.program.passes) {
        if (pass.direct) pass.direct(args, 0, pass.units, 0);
        else if (pass.units > 0) this.#pool.run(pass.kernel, args, pass.units, pass.grain);
      }
      onTiming({ label: kernel.kind, milliseconds: performance.now() - start });
    }
  }

  #block(bytes: number): number {
    const address = this.#memory.alloc(bytes);
    this.#blocks.push(address);
    return address;
  }

  /** Scratch arrays, shared by all kernels of the plan: the j-th of each in one place. */
  #scratch(compiled: readonly Compiled[]): number[] {
    const sizes: number[] = [];
    for (const { program } of compiled) {
      program.scratch.forEach((bytes, j) => sizes[j] = Math.max(sizes[j] ?? 0, bytes));
    }
    return sizes.map((bytes) => this.#block(bytes));
  }
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
