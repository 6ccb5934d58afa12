/** Recording of a traced function as a graph of kernels. */
import type { Backend } from "../backends/backend.ts";
import { Storage } from "./storage.ts";
import type { DType, TypedArray } from "../ir/dtype.ts";
import type {
  Graph,
  GraphNode,
  KernelNode,
  PackNode,
  SequenceBlock,
  SequenceNode,
  Value,
} from "../ir/graph.ts";
import { type Kernel, sizeOf } from "../ir/kernel.ts";

/** An array that the host writes before every replay: arguments, learning rates, random keys. */
export interface HostInput {
  readonly value: Value;
  /** Called before each replay. */
  readonly produce: () => TypedArray;
}

let traceCount = 0;
let active: Trace | undefined;

/** The trace being recorded, if any. */
export function currentTrace(): Trace | undefined {
  return active;
}

/** Runs `record` with a trace active. */
export function withTrace<T>(trace: Trace, record: () => T): T {
  const before = active;
  active = trace;
  try {
    return record();
  } finally {
    active = before;
  }
}

/** Runs `body` outside of any trace, for constants that are made while tracing. */
export function withoutTrace<T>(body: () => T): T {
  const before = active;
  active = undefined;
  try {
    return body();
  } finally {
    active = before;
  }
}

/** A tensor, as far as the trace needs to know one. */
export interface GradientHolder {
  readonly storage: Storage;
}

/** A function being recorded. */
export class Trace {
  /** Distinguishes this trace's values from those of others. */
  readonly number: number = ++traceCount;
  readonly backend: Backend;
  readonly #nodes: GraphNode[] = [];
  readonly #inputs: Value[] = [];
  readonly #states = new Map<Storage, Value>();
  readonly #hostInputs: HostInput[] = [];
  readonly #shared = new Map<string, Value>();
  readonly #callbacks: (() => void)[] = [];
  readonly #guards: (() => boolean)[] = [];
  readonly #gradients = new Map<GradientHolder, unknown>();
  readonly #readGradients = new Set<GradientHolder>();
  #valueCount = 0;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Storages of the world outside that the function read or wrote, with their first values. */
  get captured(): ReadonlyMap<Storage, Value> {
    return this.#states;
  }

  /** Arrays that the host provides before each replay. */
  get hostInputs(): readonly HostInput[] {
    return this.#hostInputs;
  }

  /** Called after each replay, in order. */
  get callbacks(): readonly (() => void)[] {
    return this.#callbacks;
  }

  /** Conditions under which this trace may be replayed. */
  get guards(): readonly (() => boolean)[] {
    return this.#guards;
  }

  /**
   * Registers a condition that the recorded function depended on (a module's training flag); before
   * each replay it is asked again, and when it fails the function is traced anew.
   */
  guard(check: () => boolean): void {
    this.#guards.push(check);
  }

  /** Tensors whose `grad` was read or written, with what it was before. */
  get gradients(): ReadonlyMap<GradientHolder, unknown> {
    return this.#gradients;
  }

  /** Tensors whose `grad` was overwritten before it was read; what it was does not matter. */
  readonly clearedGradients: Set<GradientHolder> = new Set<GradientHolder>();

  #touchGradient(holder: GradientHolder, before: unknown): void {
    if (!this.#gradients.has(holder)) this.#gradients.set(holder, before);
  }

  /** Notes a read of `grad`. */
  readGradient(holder: GradientHolder, before: unknown): void {
    this.#touchGradient(holder, before);
    if (!this.clearedGradients.has(holder)) this.#readGradients.add(holder);
  }

  /** Notes a write of `grad`. */
  writeGradient(holder: GradientHolder, before: unknown): void {
    this.#touchGradient(holder, before);
    if (!this.#readGradients.has(holder)) this.clearedGradients.add(holder);
  }

  /** Nodes so far. */
  get nodes(): readonly GraphNode[] {
    return this.#nodes;
  }

  /** Makes a new array of the world outside hold `value` after each replay. */
  adopt(storage: Storage, value: Value): void {
    this.valueOf(storage);
    storage.traced = { trace: this.number, value };
  }

  /** Number of nodes so far, for messages and to see whether anything was recorded. */
  get length(): number {
    return this.#nodes.length;
  }

  #value(dtype: DType, shape: readonly number[], label: string): Value {
    return { id: this.#valueCount++, dtype, shape, producer: undefined, label };
  }

  /** The value that a storage holds at this point of the trace. */
  valueOf(storage: Storage): Value {
    if (storage.traced?.trace === this.number) return storage.traced.value;
    if (!storage.buffer) {
      throw new Error(
        storage.traced
          ? "compile: a tensor of another trace was used (return tensors from the compiled function instead of keeping them)"
          : "tensor: its memory was given back (dispose or tidy)",
      );
    }
    const value = this.#value(storage.dtype, [storage.size], "state");
    this.#states.set(storage, value);
    storage.traced = { trace: this.number, value };
    return value;
  }

  /** A storage that exists in this trace only. */
  storageOf(value: Value): Storage {
    const storage = new Storage(this.backend, value.dtype, sizeOf(value.shape), undefined);
    storage.traced = { trace: this.number, value };
    return storage;
  }

  /** Declares an argument; the caller writes its array before each replay. */
  argument(dtype: DType, shape: readonly number[], label: string): Value {
    const value = this.#value(dtype, shape, label);
    this.#inputs.push(value);
    return value;
  }

  /** An array that the host computes before each replay; calls with the same key share it. */
  hostInput(key: string, dtype: DType, shape: readonly number[], produce: () => TypedArray): Value {
    let value = this.#shared.get(key);
    if (!value) {
      value = this.argument(dtype, shape, key);
      this.#shared.set(key, value);
      this.#hostInputs.push({ value, produce });
    }
    return value;
  }

  /** Registers something to do after each replay (advance a counter of random calls). */
  afterReplay(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** Records a kernel. */
  kernel(
    kernel: Kernel,
    inputs: readonly Value[],
    shapes: readonly (readonly number[])[],
    label: string,
  ): Value[] {
    const outputs = kernel.outputs.map((o, i) => this.#value(o.dtype, shapes[i]!, label));
    const node: KernelNode = { kind: "kernel", kernel, inputs: [...inputs], outputs, label };
    for (const output of outputs) output.producer = node;
    this.#nodes.push(node);
    return outputs;
  }

  /** Records a sequence of kernels. */
  sequence(
    blocks: readonly SequenceBlock[],
    inputs: readonly Value[],
    outputs: readonly { readonly dtype: DType; readonly shape: readonly number[] }[],
    label: string,
  ): Value[] {
    const values = outputs.map((o) => this.#value(o.dtype, o.shape, label));
    const node: SequenceNode = {
      kind: "sequence",
      inputs: [...inputs],
      outputs: values,
      blocks,
      label,
    };
    for (const value of values) value.producer = node;
    this.#nodes.push(node);
    return values;
  }

  /** Records that arrays are laid end to end in one of `size` elements. */
  pack(inputs: readonly Value[], offsets: readonly number[], size: number, label: string): Value {
    const value = this.#value(inputs[0]!.dtype, [size], label);
    const node: PackNode = { kind: "pack", inputs: [...inputs], offsets, outputs: [value], label };
    value.producer = node;
    this.#nodes.push(node);
    return value;
  }

  /** From here on the storage holds `value`. */
  assign(storage: Storage, value: Value): void {
    this.valueOf(storage);
    storage.traced = { trace: this.number, value };
  }

  /** The finished graph: results, and the captured storages whose content changed. */
  finish(results: readonly Value[]): Graph {
    const updates: Graph["updates"] = [];
    for (const [storage, state] of this.#states) {
      const value = storage.traced!.value;
      if (value !== state) updates.push({ state, value });
    }
    return {
      nodes: this.#nodes,
      inputs: this.#inputs,
      states: [...this.#states.values()],
      results: [...results],
      updates,
    };
  }
}
