/**
 * Whether wide tiles are faster: where the engine makes 256-bit instructions of neighbouring 128-bit
 * ones, or has more than the 15 vector registers of x86-64 to give.
 *
 * V8 can, on x86-64 with AVX2, when it is started with `--experimental-wasm-revectorize` and nothing
 * stands between the two halves; bounds checks do, so in Deno, where they are explicit,
 * `--no-wasm-bounds-checks` belongs to it. WebAssembly cannot ask. So two tiles of a matrix product
 * are timed: one that suits 15 registers of 128 bits, and one whose sums fit only if each register
 * holds 256. On one core of an EPYC (Zen 5) this probe finds 60 and 41 GFLOP/s without, 77 and 113
 * with pairing. Both add in the same order: which one is taken never changes a bit of a result.
 *
 * @module
 */

import { planGemm } from "./gemm.ts";
import { WIDE_FLAG } from "./gemm_kernels.ts";
import { BoundPlan } from "./kernel_plan.ts";
import type { KernelCache } from "./kernel_plan.ts";
import type { WasmMemory } from "./memory.ts";
import type { WorkerPool } from "./workers.ts";

/** Rows, columns and length of the sums; one task, about 10 µs. */
const [M, N, K] = [48, 24, 256] as const;

/** Products per measurement. */
const TURNS = 16;

/** Measurements. The code is compiled anew by the optimizing tier after the first two or three. */
const POLLS = 12;

/** Milliseconds between measurements. */
const INTERVAL = 25;

/** Below this ratio of times the wide tile is taken. */
const THRESHOLD = 0.8;

/** Finds out in the first third of a second of computing, in about 4 ms. */
export class WideProbe {
  readonly #memory: WasmMemory;
  readonly #pool: WorkerPool;
  readonly #cache: KernelCache;
  #polls = 0;
  #next = 0;
  readonly #best: [narrow: number, wide: number] = [Infinity, Infinity];

  /** A probe that has measured nothing, and will not where the answer is `known`. */
  constructor(memory: WasmMemory, pool: WorkerPool, cache: KernelCache, known?: boolean) {
    this.#memory = memory;
    this.#pool = pool;
    this.#cache = cache;
    if (known === undefined) return;
    this.#polls = POLLS;
    this.#set(known ? 1 : 0);
  }

  /** Whether wide tiles were found to be faster; false as long as nothing is known. */
  get found(): boolean {
    return this.#polls === POLLS && this.#memory.view(WIDE_FLAG, 1, "i32")[0] === 1;
  }

  /** Measures once if it is time to; to be called often, between kernels. */
  poll(): void {
    if (this.#polls === POLLS) return;
    const now = performance.now();
    if (now < this.#next) return;
    this.#next = now + INTERVAL;
    this.#measure();
    if (++this.#polls < POLLS) return;
    const [narrow, wide] = this.#best;
    this.#set(wide < THRESHOLD * narrow ? 1 : 0);
  }

  #set(flag: number): void {
    this.#memory.view(WIDE_FLAG, 1, "i32")[0] = flag;
  }

  #measure(): void {
    const plan = planGemm({
      m: M,
      n: N,
      k: K,
      a: { row: K, column: 1 },
      b: { row: N, column: 1 },
      c: { row: N, column: 1 },
      threads: this.#pool.threads,
    });
    const sizes = [M * K, K * N, M * N].map((count) => 4 * count);
    const [a, b, c] = sizes.map((bytes) => this.#memory.alloc(bytes)) as [number, number, number];
    this.#memory.view(a, M * K, "f32").fill(0);
    this.#memory.view(b, K * N, "f32").fill(0);
    const scratch = this.#memory.alloc(plan.scratchBytes);
    const bound = new BoundPlan(plan, this.#memory, this.#cache, { a, b, c, scratch });
    for (const flag of [0, 1] as const) {
      this.#set(flag);
      const start = performance.now();
      for (let turn = 0; turn < TURNS; turn++) {
        for (const { kernel, args, tasks } of bound.jobs) {
          this.#pool.run(kernel, args, tasks, tasks);
        }
      }
      this.#best[flag] = Math.min(this.#best[flag], performance.now() - start);
    }
    this.#set(0);
    bound.free();
    for (const block of [a, b, c, scratch]) this.#memory.free(block);
  }
}
