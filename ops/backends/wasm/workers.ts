/**
 * The pool of threads that runs kernels.
 *
 * A **kernel** is an exported function `(args, start, end, thread)`: `args` is the address of its
 * argument block, `[start, end)` the tasks to do, `thread` a number below `pool.threads` for
 * scratch space. A task's result must not depend on the range or the thread that computes it: the
 * ranges are claimed as threads come free, so who does what differs from run to run.
 *
 * A **job** is a kernel, an argument block, a number of tasks and a grain: tasks are claimed `grain`
 * at a time. A job of one grain runs on the main thread, without a word to the others; work under
 * about 20 µs should be such a job. A **list** of jobs runs in order, each after the one before is
 * finished: it is what a compiled plan keeps, and replaying it is one call.
 *
 * The main thread is thread 0 and does its share. Workers start one by one, with the first
 * parallel jobs; until they are up the main thread does everything itself. Modules reach them as
 * bytes in the shared memory (a worker that sleeps in `memory.atomic.wait32` cannot receive
 * messages). How claims work: `driver.ts`; how threads start and end: `threads.ts`.
 *
 * @module
 */

import type { WasmMemory } from "./memory.ts";
import { CONTROL, driverModule, JOB } from "./driver.ts";
import { hardwareThreads, mayWait, startThread } from "./threads.ts";
import type { Thread } from "./threads.ts";

/** One kernel over one set of arguments. */
export interface Job {
  /** What {@linkcode WorkerPool.load} returned for the kernel. */
  readonly kernel: number;
  /** Address of the argument block. */
  readonly args: number;
  /** Number of tasks. */
  readonly tasks: number;
  /** Tasks claimed at a time; `tasks` or more means: on the main thread. @default 1 */
  readonly grain?: number;
}

/** Jobs in the order in which they run, laid out in the memory. */
export interface JobList {
  /** Address of the list. */
  readonly address: number;
  /** Number of jobs. */
  readonly count: number;
  /** Whether any of them is for more than one thread. */
  readonly parallel: boolean;
}

/** Settings of the pool. */
export interface PoolOptions {
  /** Threads with the main one. @default what the hardware has */
  threads?: number;
}

type Replay = (control: number, list: number, count: number) => number;

/** Threads that run kernels. See the module's documentation. */
export class WorkerPool {
  /** Number of threads, the main one included. */
  readonly threads: number;
  readonly #memory: WasmMemory;
  readonly #table = new WebAssembly.Table({ element: "anyfunc", initial: 256 });
  readonly #driver: Uint8Array<ArrayBuffer>;
  readonly #replay: Replay;
  readonly #control: number;
  readonly #single: JobList;
  readonly #workers: Thread[] = [];
  #functions = 0;
  #modules = 0;
  #lastLink: number;

  /** A pool over a memory; starts no worker yet. */
  constructor(memory: WasmMemory, options: PoolOptions = {}) {
    this.#memory = memory;
    const wanted = options.threads ?? hardwareThreads();
    this.threads = memory.shared ? Math.max(1, Math.floor(wanted)) : 1;
    const bytes = CONTROL.slots + CONTROL.slotSize * this.threads;
    this.#control = memory.alloc(bytes);
    memory.view(this.#control, bytes, "u8").fill(0);
    memory.view(this.#control + CONTROL.mayWait, 1, "i32")[0] = mayWait() ? 1 : 0;
    this.#lastLink = this.#control + CONTROL.firstModule;
    this.#driver = driverModule(memory.shared);
    this.#replay = this.#instantiate(this.#driver).replay as unknown as Replay;
    this.#single = { address: memory.alloc(JOB.size), count: 1, parallel: true };
  }

  /** Number of workers that are up, at most `threads - 1`. */
  get ready(): number {
    return Atomics.load(this.#words(), (this.#control + CONTROL.ready) >>> 2);
  }

  /**
   * Compiles a module for all threads.
   *
   * The module may import `env.memory` and `env.table` and nothing else; through the table it can
   * call any kernel or helper by the number that this method returned for it.
   *
   * @param bytes The module.
   * @param names Names of exported functions.
   * @returns A number per name, for jobs and indirect calls.
   * @throws {WebAssembly.CompileError} If the module is not valid.
   */
  load(bytes: Uint8Array<ArrayBuffer>, names: readonly string[]): number[] {
    const exports = this.#instantiate(bytes);
    const base = this.#functions;
    while (this.#table.length < base + names.length) this.#table.grow(this.#table.length);
    const indices = names.map((name, i) => {
      this.#table.set(base + i, exports[name]!);
      return base + i;
    });
    this.#functions += names.length;
    if (this.threads > 1) this.#publish(bytes, names, base);
    return indices;
  }

  /**
   * Lays out a list of jobs.
   *
   * @param jobs In the order in which they run.
   * @returns The list, until {@linkcode WorkerPool.release}.
   */
  list(jobs: readonly Job[]): JobList {
    const address = this.#memory.alloc(JOB.size * jobs.length);
    const words = this.#memory.view(address, 4 * jobs.length, "i32");
    let parallel = false;
    jobs.forEach(({ kernel, args, tasks, grain = 1 }, i) => {
      words.set([kernel, args, tasks, Math.max(1, grain)], 4 * i);
      parallel ||= tasks > grain;
    });
    return { address, count: jobs.length, parallel };
  }

  /**
   * Frees a list.
   *
   * @param list What {@linkcode WorkerPool.list} returned.
   */
  release(list: JobList): void {
    this.#memory.free(list.address);
  }

  /**
   * Runs a list of jobs and returns when all are finished.
   *
   * @param list What {@linkcode WorkerPool.list} returned.
   * @throws {Error} If a kernel trapped, in whichever thread.
   */
  replay(list: JobList): void {
    if (list.parallel && this.#workers.length < this.threads - 1) this.#startWorker();
    let trapped: number;
    try {
      trapped = this.#replay(this.#control, list.address, list.count);
    } catch (error) {
      this.#abandon();
      throw new Error(`internal: a kernel trapped in thread 0: ${error}`, { cause: error });
    }
    if (trapped !== 0) throw this.#workerError();
  }

  /**
   * Runs one kernel.
   *
   * @param kernel What {@linkcode WorkerPool.load} returned for it.
   * @param args Address of its argument block.
   * @param tasks Number of tasks.
   * @param grain Tasks claimed at a time.
   */
  run(kernel: number, args: number, tasks: number, grain = 1): void {
    const words = this.#memory.view(this.#single.address, 4, "i32");
    words[0] = kernel;
    words[1] = args;
    words[2] = tasks;
    words[3] = Math.max(1, grain);
    this.replay(this.#single);
  }

  /** Ends the workers. The pool goes on with the main thread alone. */
  dispose(): void {
    const words = this.#words();
    Atomics.store(words, (this.#control + CONTROL.quit) >>> 2, 1);
    this.#wake();
    for (const worker of this.#workers) worker.terminate();
    while (this.#workers.length < this.threads) this.#workers.push({ terminate: () => {} });
    Atomics.store(words, (this.#control + CONTROL.ready) >>> 2, 0);
  }

  #words(): Int32Array<ArrayBufferLike> {
    const { buffer } = this.#memory.memory;
    return new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
  }

  #instantiate(bytes: Uint8Array<ArrayBuffer>): Record<string, CallableFunction> {
    const env = { memory: this.#memory.memory, table: this.#table };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
    return exports as Record<string, CallableFunction>;
  }

  /** Appends a module to the chain that workers follow. */
  #publish(bytes: Uint8Array, names: readonly string[], base: number): void {
    const text = new TextEncoder().encode(JSON.stringify(names));
    const record = this.#memory.alloc(16 + text.length + bytes.length);
    const words = this.#words();
    words.set([0, base, text.length, bytes.length], record >>> 2);
    const target = this.#memory.view(record + 16, text.length + bytes.length, "u8");
    target.set(text);
    target.set(bytes, text.length);
    words[this.#lastLink >>> 2] = record;
    this.#lastLink = record;
    Atomics.store(words, (this.#control + CONTROL.published) >>> 2, ++this.#modules);
    this.#wake();
  }

  #wake(): void {
    if (!this.#memory.shared) return;
    const epoch = (this.#control + CONTROL.epoch) >>> 2;
    Atomics.add(this.#words(), epoch, 1);
    Atomics.notify(this.#words(), epoch);
  }

  #startWorker(): void {
    const thread = startThread({
      memory: this.#memory.memory,
      driver: this.#driver,
      control: this.#control,
      thread: this.#workers.length + 1,
      offsets: CONTROL,
    });
    this.#workers.push(thread ?? { terminate: () => {} });
  }

  /** After a trap in the main thread: takes the job back and waits until no worker is in it. */
  #abandon(): void {
    const words = this.#words();
    const pending = (this.#control + CONTROL.pending) >>> 2;
    const slot = (this.#control + CONTROL.slots) >>> 2;
    const unclaimed = Math.max(0, Atomics.exchange(words, this.#control >>> 2, 0));
    Atomics.sub(words, pending, unclaimed + words[slot]!);
    words[slot] = 0;
    while (Atomics.load(words, pending) > 0);
    Atomics.store(words, (this.#control + CONTROL.error) >>> 2, 0);
  }

  #workerError(): Error {
    const words = this.#words();
    const flag = (this.#control + CONTROL.error) >>> 2;
    while (Atomics.load(words, flag) === 2); // the worker is still writing
    const length = words[(this.#control + CONTROL.errorLength) >>> 2]!;
    const text = this.#memory.view(this.#control + CONTROL.errorText, length, "u8").slice();
    Atomics.store(words, flag, 0);
    // A copy: decoders refuse bytes that other threads could change.
    const message = new TextDecoder().decode(new Uint8Array(text));
    return new Error(`internal: a kernel trapped in a worker: ${message}`);
  }
}
