/**
 * How a kernel family hands its work to a plan: modules to compile, jobs to run in order, scratch.
 *
 * A planning function (`planGemm`, `planWinograd`) knows the geometry and nothing of addresses. It
 * returns a {@linkcode KernelPlan} whose argument blocks name operands; binding writes addresses
 * into a block in the memory and gives jobs for the pool. A compiled plan binds once; an eager call
 * binds again with other operands, which rewrites a few words.
 *
 * @module
 */

import type { ModuleOptions } from "./assembler.ts";
import type { WasmMemory } from "./memory.ts";
import type { Job, WorkerPool } from "./workers.ts";

/** A module of kernels, compiled once per process. */
export interface KernelModule {
  /** What tells it from others; the full structure, never a hash. */
  readonly key: string;
  /** Exported functions, kernels or helpers. */
  readonly names: readonly string[];
  /** Makes the bytes. */
  build(options: ModuleOptions): Uint8Array<ArrayBuffer>;
}

/** The number of another function in the table, for indirect calls. */
export interface FunctionWord {
  /** Module that exports it. */
  readonly module: KernelModule;
  /** Its name there. */
  readonly name: string;
}

/** The address of an operand, plus an offset in bytes. */
export interface PointerWord {
  /** Name of the operand. */
  readonly operand: string;
  /** Bytes to add. @default 0 */
  readonly bytes?: number;
}

/** The address of the argument block of another job of the plan. */
export interface BlockWord {
  /** Position of the job. */
  readonly block: number;
}

/** One word of an argument block: a number, or what binding turns into one. */
export type ArgWord = number | PointerWord | FunctionWord | BlockWord;

/** A job whose arguments are not bound yet. */
export interface PlannedJob extends FunctionWord {
  /** The argument block. */
  readonly args: readonly ArgWord[];
  /** Number of tasks. */
  readonly tasks: number;
  /** Tasks claimed at a time. @default 1 */
  readonly grain?: number;
}

/** Jobs in order, and the scratch space that they share. */
export interface KernelPlan {
  /** Jobs; each after the one before. */
  readonly jobs: readonly PlannedJob[];
  /** Size of the operand `scratch`, free for other use between two runs. */
  readonly scratchBytes: number;
  /** Floating-point operations of one run. */
  readonly flops: number;
  /** Work that need not be done again while an operand stays as it is. */
  readonly ahead?: AheadPlan;
}

/** Work done once for many runs of a plan: what it writes stays in the operand `ahead`. */
export interface AheadPlan {
  /** Jobs that run before the first run of the plan. */
  readonly jobs: readonly PlannedJob[];
  /** Name of the one operand that they read. */
  readonly source: string;
  /** Bytes of the operand `ahead`. */
  readonly bytes: number;
}

/** The bits of a single-precision number, for a word of an argument block. */
export function floatWord(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0]!;
}

/** Compiles each module once and remembers the numbers of its functions. */
export class KernelCache {
  readonly #pool: WorkerPool;
  readonly #memory: WasmMemory;
  readonly #functions = new Map<string, number[]>();

  /** A cache for one memory and its pool. */
  constructor(memory: WasmMemory, pool: WorkerPool) {
    this.#memory = memory;
    this.#pool = pool;
  }

  /**
   * The number of a function for jobs and indirect calls.
   *
   * @param module Where it is; compiled now if it was not before.
   * @param name Its name.
   * @returns The number.
   */
  find(module: KernelModule, name: string): number {
    let numbers = this.#functions.get(module.key);
    if (numbers === undefined) {
      numbers = this.#pool.load(module.build(this.#memory.moduleOptions), module.names);
      this.#functions.set(module.key, numbers);
    }
    const number = numbers[module.names.indexOf(name)];
    if (number === undefined) throw new Error(`internal: ${module.key} has no kernel ${name}`);
    return number;
  }
}

/** A plan with its argument blocks in the memory. */
export class BoundPlan {
  /** For `WorkerPool.list`; valid for any operands that are set. */
  readonly jobs: readonly Job[];
  readonly #memory: WasmMemory;
  readonly #address: number;
  readonly #pointers: { word: number; operand: string; bytes: number }[] = [];

  /** Allocates the blocks, loads the kernels and writes the addresses. */
  constructor(
    plan: KernelPlan,
    memory: WasmMemory,
    cache: KernelCache,
    operands: Readonly<Record<string, number>>,
  ) {
    this.#memory = memory;
    // Every block starts on its own cache lines.
    const sizes = plan.jobs.map((job) => Math.ceil(job.args.length / 32) * 32);
    const words = sizes.reduce((sum, size) => sum + size, 0);
    this.#address = memory.alloc(4 * words);
    const values = new Int32Array(words);
    const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
    this.jobs = plan.jobs.map((job, i) => {
      const start = starts[i]!;
      job.args.forEach((arg, j) => {
        if (typeof arg === "number") values[start + j] = arg;
        else if ("module" in arg) values[start + j] = cache.find(arg.module, arg.name);
        else if ("block" in arg) values[start + j] = this.#address + 4 * starts[arg.block]!;
        else {
          const { operand, bytes = 0 } = arg;
          this.#pointers.push({ word: start + j, operand, bytes });
        }
      });
      const args = this.#address + 4 * start;
      const { tasks, grain = 1 } = job;
      return { kernel: cache.find(job.module, job.name), args, tasks, grain };
    });
    memory.view(this.#address, words, "i32").set(values);
    this.bind(operands);
  }

  /**
   * Writes the addresses of the operands.
   *
   * @param operands By the names that the plan uses; `scratch` where it has scratch space.
   * @throws {Error} If one is missing.
   */
  bind(operands: Readonly<Record<string, number>>): void {
    const words = this.#memory.view(this.#address, this.#size(), "u32");
    for (const { word, operand, bytes } of this.#pointers) {
      const address = operands[operand];
      if (address === undefined) throw new Error(`internal: operand ${operand} is not bound`);
      words[word] = address + bytes;
    }
  }

  /** Frees the argument blocks. */
  free(): void {
    this.#memory.free(this.#address);
  }

  #size(): number {
    return this.#memory.sizeOf(this.#address) >>> 2;
  }
}
