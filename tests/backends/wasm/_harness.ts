/** A memory, a pool and helpers to run plans in tests and benchmarks. */
import { WIDE_FLAG } from "../../../ops/backends/wasm/gemm_kernels.ts";
import { BoundPlan, KernelCache } from "../../../ops/backends/wasm/kernel_plan.ts";
import type { KernelPlan } from "../../../ops/backends/wasm/kernel_plan.ts";
import { WasmMemory } from "../../../ops/backends/wasm/memory.ts";
import { WorkerPool } from "../../../ops/backends/wasm/workers.ts";

export const memory: WasmMemory = new WasmMemory();
// For tests and benchmarks of the kernels for engines that pair vectors.
if (Deno.env.get("TENSAURUS_WIDE")) memory.view(WIDE_FLAG, 1, "i32")[0] = 1;
export const pool: WorkerPool = new WorkerPool(memory);
export const cache: KernelCache = new KernelCache(memory, pool);

let state = 12345;

/** A fixed sequence of numbers from −1 to 1. */
export function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
}

/** A block of `count` random numbers, with the numbers. */
export function randomBlock(count: number): { address: number; values: Float32Array } {
  const address = memory.alloc(4 * count);
  const values = Float32Array.from({ length: count }, random);
  memory.view(address, count, "f32").set(values);
  return { address, values };
}

/** Binds a plan with fresh scratch space and returns a function that runs it. */
export function prepare(
  plan: KernelPlan,
  operands: Record<string, number>,
  on: WorkerPool = pool,
): { run: () => void; free: () => void } {
  const scratch = memory.alloc(plan.scratchBytes);
  memory.view(scratch, plan.scratchBytes >>> 2, "f32").fill(NaN);
  const bound = new BoundPlan(plan, memory, cache, { ...operands, scratch });
  const list = on.list(bound.jobs);
  return {
    run: () => on.replay(list),
    free: () => {
      on.release(list);
      bound.free();
      memory.free(scratch);
    },
  };
}

/** Milliseconds of the fastest of several runs. */
export function fastest(run: () => void, budget = 700): number {
  const start = performance.now();
  let best = Infinity;
  while (performance.now() - start < budget) {
    const before = performance.now();
    run();
    best = Math.min(best, performance.now() - before);
  }
  return best;
}
