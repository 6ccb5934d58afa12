/**
 * Where each value lives: in an external array, a result, a part of a packed array, or a temporary;
 * with copies where a value must be in two places, and the order that writing in place demands.
 */
import { bytesOf } from "./dtype.ts";
import { axis, constant, int, load } from "./expr.ts";
import type { Graph, GraphNode, KernelNode, Value } from "./graph.ts";
import { type MapKernel, sizeOf } from "./kernel.ts";
import { isReadInPlace } from "./memory_alias.ts";

/** Memory that exists as a whole. */
export interface Storage {
  readonly role: "temporary" | "input" | "state" | "result";
  readonly bytes: number;
  /** The external or result value. */
  readonly value: Value | undefined;
}

/** A place in a storage. */
export interface Home {
  readonly storage: Storage;
  /** In elements. */
  readonly offset: number;
}

/** Values with their homes, and nodes in an order that is safe. */
export interface Placement {
  readonly nodes: readonly GraphNode[];
  readonly homes: ReadonlyMap<Value, Home>;
  /** One value per result of the graph, each in a storage of its own. */
  readonly results: readonly Value[];
}

/** Finds homes for all values of a graph. */
export function placeValues(graph: Graph): Placement {
  return new Placer(graph).run();
}

/** Bytes of a whole value. */
export function valueBytes(value: Value): number {
  return sizeOf(value.shape) * bytesOf(value.dtype);
}

class Placer {
  readonly #graph: Graph;
  readonly #nodes: GraphNode[];
  readonly #homes: Map<Value, Home> = new Map();
  readonly #readers: Map<Value, GraphNode[]> = new Map();
  /** Nodes that must run before a node although no value says so. */
  readonly #before: Map<GraphNode, Set<GraphNode>> = new Map();
  /** Packed values with the packs and positions that they are to be written to. */
  readonly #parts: Map<Value, { readonly whole: Value; readonly offset: number }> = new Map();
  /** Packs and the nodes that took their place. */
  readonly #packs: Map<GraphNode, GraphNode> = new Map();
  #fresh: number;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#nodes = [...graph.nodes];
    this.#fresh = 1 + graph.nodes.reduce(
      (id, n) => n.outputs.reduce((i, v) => Math.max(i, v.id), id),
      [...graph.inputs, ...graph.states].reduce((id, v) => Math.max(id, v.id), 0),
    );
    for (const node of this.#nodes) this.#read(node);
  }

  run(): Placement {
    for (const value of this.#graph.inputs) this.#external(value, "input");
    for (const value of this.#graph.states) this.#external(value, "state");
    this.#packParts();
    const results = this.#placeResults();
    this.#placeUpdates();
    for (const node of this.#nodes) for (const value of node.outputs) this.#home(value);
    return { nodes: this.#sorted(), homes: this.#homes, results };
  }

  #external(value: Value, role: "input" | "state"): void {
    this.#homes.set(value, { storage: { role, bytes: valueBytes(value), value }, offset: 0 });
  }

  #read(node: GraphNode): void {
    for (const value of node.inputs) {
      const readers = this.#readers.get(value);
      if (readers) readers.push(node);
      else this.#readers.set(value, [node]);
    }
  }

  /** A new node that copies a value, placed behind the node at `after` (or first). */
  #copy(source: Value, label: string): Value {
    const size = sizeOf(source.shape);
    const target: Value = { ...source, id: this.#fresh++, producer: undefined, label };
    const kernel = copyKernel(size, source.dtype);
    const node: KernelNode = { kind: "kernel", kernel, inputs: [source], outputs: [target], label };
    target.producer = node;
    const producer = this.#producer(source);
    this.#nodes.splice(producer ? this.#nodes.indexOf(producer) + 1 : 0, 0, node);
    this.#read(node);
    return target;
  }

  /** Whether a value can still be told where to live. */
  #isFree(value: Value): boolean {
    return value.producer !== undefined && !this.#homes.has(value) && !this.#parts.has(value);
  }

  /** Producers write into packed arrays; what lives elsewhere or twice in one is copied there. */
  #packParts(): void {
    for (const node of [...this.#nodes]) {
      if (node.kind !== "pack") continue;
      const [whole] = node.outputs;
      const inputs = node.inputs.map((value, i) => {
        const free = this.#isFree(value);
        const part = free ? value : this.#copy(value, "copy to pack");
        this.#parts.set(part, { whole, offset: node.offsets[i]! });
        return part;
      });
      const moved: GraphNode = { ...node, inputs };
      this.#replace(node, moved);
    }
  }

  /** A pack of other inputs in the place of `node`; values and readers follow. */
  #replace(node: GraphNode, moved: GraphNode): void {
    this.#nodes[this.#nodes.indexOf(node)] = moved;
    for (const value of node.inputs) {
      const readers = this.#readers.get(value)!;
      readers.splice(readers.indexOf(node), 1);
    }
    this.#read(moved);
    this.#packs.set(node, moved);
  }

  /** The node that makes a value (packs were rewritten). */
  #producer(value: Value): GraphNode | undefined {
    const node = value.producer;
    return node && (this.#packs.get(node) ?? node);
  }

  #placeResults(): Value[] {
    return this.#graph.results.map((wanted) => {
      const updated = this.#graph.updates.some((u) => u.value === wanted);
      const value = this.#isFree(wanted) && !updated
        ? wanted
        : this.#copy(wanted, "copy to result");
      const storage: Storage = { role: "result", bytes: valueBytes(value), value };
      this.#homes.set(value, { storage, offset: 0 });
      return value;
    });
  }

  #placeUpdates(): void {
    const { updates } = this.#graph;
    const updated = new Set(updates.map((u) => u.state));
    // A state that becomes another's old value: saved first, so that the order does not matter.
    const saved = updates.map(({ state, value }) => ({
      state,
      value: updated.has(value) && value !== state ? this.#copy(value, "save") : value,
    }));
    const late: { state: Value; value: Value }[] = [];
    for (const { state, value } of saved) {
      if (value === state) continue;
      if (!this.#writeInPlace(state, value)) late.push({ state, value });
    }
    for (const { state, value } of late) {
      const target = this.#copy(value, "copy to state");
      this.#homes.set(target, this.#homes.get(state)!);
      this.#runAfterReaders(state, target.producer!);
    }
  }

  /** Lets the producer of a state's new value write into the state, if all readers come before. */
  #writeInPlace(state: Value, value: Value): boolean {
    const writer = value.producer;
    if (!this.#isFree(value) || !writer) return false;
    if (writer.kind !== "kernel") {
      // Parts are written at many times, so nobody may want the old value.
      if (this.#readers.has(state) || this.#homes.get(state)!.storage.role !== "state") {
        return false;
      }
      this.#homes.set(value, this.#homes.get(state)!);
      return true;
    }
    const slot = writer.inputs.indexOf(state);
    const output = writer.outputs.indexOf(value);
    const inPlace = slot < 0 ||
      (writer.kind === "kernel" && isReadInPlace(writer.kernel, slot, output));
    if (!inPlace) return false;
    const readers = this.#readers.get(state) ?? [];
    if (readers.some((r) => r !== writer && this.#follows(r, writer))) return false;
    this.#homes.set(value, this.#homes.get(state)!);
    this.#runAfterReaders(state, writer);
    return true;
  }

  #runAfterReaders(state: Value, writer: GraphNode): void {
    const before = this.#before.get(writer) ?? new Set();
    for (const reader of this.#readers.get(state) ?? []) if (reader !== writer) before.add(reader);
    this.#before.set(writer, before);
  }

  /** Nodes that must run before a node. */
  #predecessors(node: GraphNode): GraphNode[] {
    const nodes = node.inputs.flatMap((v) => this.#producer(v) ?? []);
    const before = this.#before.get(node);
    return before ? [...before, ...nodes] : nodes;
  }

  /** Whether `late` has to run after `early`. */
  #follows(late: GraphNode, early: GraphNode): boolean {
    const seen = new Set<GraphNode>();
    const stack = [late];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node === early) return true;
      if (seen.has(node)) continue;
      seen.add(node);
      stack.push(...this.#predecessors(node));
    }
    return false;
  }

  #home(value: Value): Home {
    const known = this.#homes.get(value);
    if (known) return known;
    const part = this.#parts.get(value);
    let home: Home;
    if (part) {
      const whole = this.#home(part.whole);
      home = { storage: whole.storage, offset: whole.offset + part.offset };
    } else {
      const storage: Storage = { role: "temporary", bytes: valueBytes(value), value: undefined };
      home = { storage, offset: 0 };
    }
    this.#homes.set(value, home);
    return home;
  }

  /** All nodes, predecessors first, otherwise in the given order. */
  #sorted(): GraphNode[] {
    const done = new Set<GraphNode>();
    const sorted: GraphNode[] = [];
    for (const start of this.#nodes) {
      const stack: { node: GraphNode; rest: GraphNode[] }[] = [{
        node: start,
        rest: this.#predecessors(start).reverse(),
      }];
      for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
        const next = top.rest.pop();
        if (next === undefined || done.has(top.node)) {
          stack.pop();
          if (!done.has(top.node)) sorted.push(top.node);
          done.add(top.node);
        } else if (!done.has(next)) {
          if (stack.length > this.#nodes.length) throw new Error("internal: the order has a cycle");
          stack.push({ node: next, rest: this.#predecessors(next).reverse() });
        }
      }
    }
    return sorted;
  }
}

/** A kernel that copies `size` elements. */
export function copyKernel(size: number, dtype: Value["dtype"]): MapKernel {
  const index = size === 0 ? int(0) : axis(0, size);
  const value = size === 0 ? constant(0, dtype) : load(0, dtype, index);
  const outputs = [{ dtype, value, index: undefined }];
  return { kind: "map", shape: [size], inputs: [{ dtype }], outputs };
}
