/** Plans bound to memory: from a recorded trace to something that replays. */
import type { Backend, Buffer, Dispatch, PreparedPlan } from "../backends/backend.ts";
import type { Graph, Plan, PlanStep } from "../ir/graph.ts";
import { optimize } from "../ir/fuse.ts";
import { planGraph } from "../ir/memory.ts";
import { printPlan } from "../ir/print.ts";
import { bytesOf } from "../ir/dtype.ts";
import { sizeOf } from "../ir/kernel.ts";
import { debug, debugLevel } from "./debug.ts";
import { allocate, allocateStorage, type Storage } from "./storage.ts";
import { timedRun } from "./timing.ts";
import type { HostInput, Trace } from "./trace.ts";

function printDecision(rule: string, text: string): void {
  debug(2, () => `fuse: ${rule.padEnd(10)} ${text}`);
}

/** A captured storage and the buffer that the plan was bound to. */
interface Bound {
  readonly storage: Storage;
  readonly index: number;
  buffer: Buffer;
}

interface OwnedBuffers {
  readonly backend: Backend;
  readonly buffers: Buffer[];
  prepared: PreparedPlan | undefined;
}

const owners = new FinalizationRegistry<OwnedBuffers>(releaseOwned);

function releaseOwned(owned: OwnedBuffers): void {
  owned.prepared?.dispose();
  owned.prepared = undefined;
  for (const buffer of owned.buffers.splice(0)) owned.backend.release(buffer);
}

/** A traced function ready to run again and again. */
export class Replay {
  readonly plan: Plan;
  readonly #backend: Backend;
  readonly #buffers: Buffer[];
  readonly #owned: OwnedBuffers;
  readonly #bound: Bound[] = [];
  readonly #arguments: readonly number[];
  readonly #hostInputs: readonly { readonly input: HostInput; readonly index: number }[];
  readonly #callbacks: readonly (() => void)[];
  readonly #graph: Graph;

  /**
   * @param trace The recorded function.
   * @param graph Its graph.
   * @param argumentCount How many of the graph's inputs, in order, are arguments.
   */
  constructor(trace: Trace, graph: Graph, argumentIds: readonly number[]) {
    const start = performance.now();
    const { cheapScatter } = trace.backend;
    const log = debugLevel() >= 2 ? printDecision : undefined;
    const optimized = optimize(graph, { log, cheapScatter });
    this.#graph = optimized;
    this.plan = planGraph(optimized);
    this.#backend = trace.backend;
    this.#callbacks = trace.callbacks;
    const indexOf = new Map<number, number>();
    for (const [index, buffer] of this.plan.buffers.entries()) {
      if (buffer.role !== "result" && buffer.value) indexOf.set(buffer.value.id, index);
    }
    this.#owned = { backend: this.#backend, buffers: [], prepared: undefined };
    owners.register(this, this.#owned);
    const storageOf = new Map<number, Storage>();
    for (const [storage, value] of trace.captured) storageOf.set(value.id, storage);
    this.#buffers = this.plan.buffers.map((buffer, index) => {
      const storage = buffer.role === "state" ? storageOf.get(buffer.value!.id) : undefined;
      if (!storage) {
        const own = allocate(this.#backend, buffer.bytes);
        this.#owned.buffers.push(own);
        return own;
      }
      storage.pinned = true;
      this.#bound.push({ storage, index, buffer: storage.buffer! });
      return storage.buffer!;
    });
    // An argument that nothing reads has no buffer in the plan.
    this.#arguments = argumentIds.map((id) => indexOf.get(id) ?? -1);
    this.#hostInputs = trace.hostInputs.map((input) => ({
      input,
      index: indexOf.get(input.value.id) ?? -1,
    }));
    const planned = performance.now();
    this.#prepare();
    debug(1, () => {
      const end = performance.now();
      return `compile: ${this.plan.steps.length} kernels, fused and planned in ${
        (planned - start).toFixed(0)
      } ms, code in ${(end - planned).toFixed(0)} ms`;
    });
    debug(3, () => this.describe());
  }

  #prepare(): void {
    const dispatches = this.#rounds().map(({ step, round }) => this.#dispatch(step, round));
    this.#owned.prepared?.dispose();
    this.#owned.prepared = this.#backend.prepare(dispatches);
  }

  /** The steps in the order in which they run, rounds of loops one after the other. */
  #rounds(): { step: PlanStep; round: number }[] {
    const { steps } = this.plan;
    const order: { step: PlanStep; round: number }[] = [];
    for (let first = 0; first < steps.length;) {
      const { loop } = steps[first]!;
      let end = first + 1;
      while (loop && steps[end]?.loop === loop) end++;
      for (let round = 0; round < (loop?.count ?? 1); round++) {
        for (const step of steps.slice(first, end)) order.push({ step, round });
      }
      first = end;
    }
    return order;
  }

  #dispatch(step: PlanStep, round: number): Dispatch {
    const bindings = step.arguments.map(({ buffer, offset, stride = 0 }) => ({
      buffer: this.#buffers[buffer]!,
      offset: offset + round * stride,
    }));
    return { kernel: step.kernel, bindings };
  }

  /** Text of the plan. */
  describe(): string {
    return printPlan(this.plan);
  }

  /** Follows captured tensors whose memory has moved since the plan was bound. */
  #rebind(): void {
    let moved = false;
    for (const bound of this.#bound) {
      const { buffer } = bound.storage;
      if (buffer === bound.buffer) continue;
      if (!buffer) {
        throw new Error(
          "compile: a captured tensor was disposed (keep it alive while the function is used)",
        );
      }
      bound.buffer = buffer;
      this.#buffers[bound.index] = buffer;
      moved = true;
    }
    if (moved) this.#prepare();
  }

  /** Runs the plan on arguments; gives new storages with the results. */
  run(inputs: readonly { readonly storage: Storage; readonly offset: number }[]): Storage[] {
    this.#rebind();
    const backend = this.#backend;
    for (const [i, { storage, offset }] of inputs.entries()) {
      const index = this.#arguments[i]!;
      if (index < 0) continue;
      const { bytes } = this.plan.buffers[index]!;
      backend.copy(
        storage.buffer!,
        offset * bytesOf(storage.dtype),
        this.#buffers[index]!,
        0,
        bytes,
      );
    }
    for (const { input, index } of this.#hostInputs) {
      if (index >= 0) backend.write(this.#buffers[index]!, 0, input.produce());
    }
    const prepared = this.#owned.prepared!;
    if (debugLevel() < 1) prepared.run();
    else timedRun(backend, this.#rounds().map(({ step }) => step), () => prepared.run());
    for (const callback of this.#callbacks) callback();
    for (const { storage } of this.#bound) if (this.#updated.has(storage)) storage.version++;
    return this.plan.results.map(({ buffer, offset }, i) => {
      const value = this.#graph.results[i]!;
      const size = sizeOf(value.shape), width = bytesOf(value.dtype);
      const storage = allocateStorage(backend, value.dtype, size);
      backend.copy(this.#buffers[buffer]!, offset * width, storage.buffer!, 0, size * width);
      return storage;
    });
  }

  #updated = new Set<Storage>();

  /** Declares storages that the plan writes, so that autograd sees their versions change. */
  markUpdated(storages: Iterable<Storage>): void {
    for (const storage of storages) this.#updated.add(storage);
  }

  /** Gives back the plan's memory. */
  dispose(): void {
    releaseOwned(this.#owned);
  }
}
