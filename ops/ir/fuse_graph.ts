/** A graph while passes rewrite it: who uses what, what must stay, who depends on whom. */
import type { Graph, GraphNode, KernelNode, SequenceNode, Value } from "./graph.ts";
import { type Kernel, usedInputs } from "./kernel.ts";
import { renumberInputs } from "./fuse_kernel.ts";

/** A private copy of a graph (external values stay the caller's) with use lists. */
export class FusionGraph {
  readonly #source: Graph;
  #nodes: GraphNode[];
  readonly #uses: Map<Value, Set<GraphNode>> = new Map();
  readonly #pinned: Map<Value, number> = new Map();
  #results: Value[];
  #updates: { readonly state: Value; readonly value: Value }[];
  #order: Map<GraphNode, number> | undefined;
  /** Values of traces count up, those of passes down. */
  #lastId = 0;

  constructor(graph: Graph) {
    this.#source = graph;
    const copies = new Map<Value, Value>();
    const copy = (v: Value): Value => copies.get(v) ?? v;
    this.#nodes = graph.nodes.map((node) => copyNode(node, copies));
    this.#results = graph.results.map(copy);
    this.#updates = graph.updates.map(({ state, value }) => ({ state, value: copy(value) }));
    for (const node of this.#nodes) this.#register(node);
    for (const value of this.#kept()) this.#pin(value, 1);
  }

  /** Nodes in an order in which operands come first. */
  get nodes(): readonly GraphNode[] {
    this.#positions();
    return this.#nodes;
  }

  /** Kernel nodes in order. */
  get kernelNodes(): KernelNode[] {
    return this.nodes.filter((node): node is KernelNode => node.kind === "kernel");
  }

  /** Nodes that read a value. */
  usesOf(value: Value): ReadonlySet<GraphNode> {
    return this.#uses.get(value) ?? NOBODY;
  }

  /** Whether a value is a result or the new content of a state. */
  isPinned(value: Value): boolean {
    return (this.#pinned.get(value) ?? 0) > 0;
  }

  /** Whether a value must be stored at all. */
  isNeeded(value: Value): boolean {
    return this.isPinned(value) || this.usesOf(value).size > 0;
  }

  /** The state whose new content a value is. */
  stateOf(value: Value): Value | undefined {
    return this.#updates.find((u) => u.value === value)?.state;
  }

  /** Position of a node in the order of `nodes`. */
  position(node: GraphNode): number {
    return this.#positions().get(node)!;
  }

  /** Whether the node is still part of the graph. */
  has(node: GraphNode): boolean {
    return this.#positions().has(node);
  }

  /** Gives a node another kernel; its inputs are cut down to those that the kernel reads. */
  change(node: KernelNode, kernel: Kernel, inputs: readonly Value[], outputs: Value[]): void {
    this.#unregister(node);
    const trimmed = trimInputs(kernel, inputs);
    node.kernel = trimmed.kernel;
    node.inputs = trimmed.inputs;
    node.outputs = outputs;
    this.#register(node);
    this.#order = undefined;
  }

  /** Adds a node of one result before the node that is about to read it; returns the result. */
  add(kernel: Kernel, inputs: Value[], shape: readonly number[], before: KernelNode): Value {
    const { dtype } = kernel.outputs[0]!;
    const value: Value = {
      id: --this.#lastId,
      dtype,
      shape,
      producer: undefined,
      label: before.label,
    };
    const node: KernelNode = {
      kind: "kernel",
      kernel,
      inputs,
      outputs: [value],
      label: before.label,
    };
    this.#nodes.splice(this.#nodes.indexOf(before), 0, node);
    this.#register(node);
    this.#order = undefined;
    return value;
  }

  /** A sequence reads `source`, from element `offset` on, instead of `value`. */
  shiftInput(node: SequenceNode, value: Value, source: Value, offset: number): void {
    this.#unregister(node);
    const moved = node.inputs.map((v) => v === value);
    node.inputs = node.inputs.map((v) => v === value ? source : v);
    node.blocks = node.blocks.map(({ count, steps }) => ({
      count,
      steps: steps.map((step) => ({
        ...step,
        arguments: step.arguments.map((a) =>
          moved[a.array] ? { ...a, offset: a.offset + offset } : a
        ),
      })),
    }));
    this.#register(node);
    this.#order = undefined;
  }

  /** Puts a node where a later one stands, whose inputs it is about to take over. */
  moveTo(node: GraphNode, place: GraphNode): void {
    this.#nodes = this.#nodes.filter((n) => n !== node);
    this.#nodes.splice(this.#nodes.indexOf(place), 0, node);
    this.#order = undefined;
  }

  /** Takes a node out; its outputs must be unneeded or belong to another node by now. */
  remove(node: GraphNode): void {
    this.#unregister(node);
    this.#nodes = this.#nodes.filter((n) => n !== node);
    this.#order = undefined;
  }

  /** Everybody who read `before` reads `after`. */
  replaceValue(before: Value, after: Value): void {
    for (const node of [...this.usesOf(before)]) {
      const inputs = node.inputs.map((v) => v === before ? after : v);
      if (node.kind === "kernel") this.change(node, node.kernel, inputs, node.outputs);
      else {
        this.#unregister(node);
        node.inputs = inputs;
        this.#register(node);
      }
    }
    const swap = (v: Value): Value => v === before ? after : v;
    for (const value of this.#kept()) this.#pin(value, -1);
    this.#results = this.#results.map(swap);
    this.#updates = this.#updates.map(({ state, value }) => ({ state, value: swap(value) }));
    for (const value of this.#kept()) this.#pin(value, 1);
    this.#order = undefined;
  }

  /** Whether `late` needs `early` to have run: there is a path of values between them. */
  depends(late: GraphNode, early: GraphNode): boolean {
    return late === early || this.dependsThrough(late.inputs, early);
  }

  /** Whether one of the values needs `early` to have run. */
  dependsThrough(values: readonly Value[], early: GraphNode): boolean {
    const order = this.#positions();
    const limit = order.get(early)!;
    const seen = new Set<GraphNode>();
    const stack = values.flatMap((v) => v.producer ?? []);
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node === early) return true;
      if (seen.has(node) || order.get(node)! < limit) continue;
      seen.add(node);
      for (const v of node.inputs) if (v.producer) stack.push(v.producer);
    }
    return false;
  }

  /** The rewritten graph. */
  finish(): Graph {
    const { inputs, states } = this.#source;
    return {
      nodes: [...this.nodes],
      inputs,
      states,
      results: this.#results,
      updates: this.#updates,
    };
  }

  #kept(): Value[] {
    return [...this.#results, ...this.#updates.map((u) => u.value)];
  }

  #pin(value: Value, by: number): void {
    this.#pinned.set(value, (this.#pinned.get(value) ?? 0) + by);
  }

  #register(node: GraphNode): void {
    for (const value of node.inputs) {
      const uses = this.#uses.get(value);
      if (uses) uses.add(node);
      else this.#uses.set(value, new Set([node]));
    }
    for (const value of node.outputs) value.producer = node;
  }

  #unregister(node: GraphNode): void {
    for (const value of node.inputs) this.#uses.get(value)?.delete(node);
  }

  /** Positions of nodes in order; sorts again after a change, as stably as can be. */
  #positions(): Map<GraphNode, number> {
    if (this.#order) return this.#order;
    const order = new Map<GraphNode, number>();
    const sorted: GraphNode[] = [];
    const place = (start: GraphNode): void => {
      // An explicit stack: graphs of long unrolled loops are deep.
      const stack: [node: GraphNode, next: number][] = [[start, 0]];
      while (stack.length > 0) {
        const top = stack[stack.length - 1]!;
        const [node, next] = top;
        if (order.has(node)) {
          stack.pop();
        } else if (next < node.inputs.length) {
          top[1]++;
          const producer = node.inputs[next]!.producer;
          if (producer && !order.has(producer)) stack.push([producer, 0]);
          if (stack.length > this.#nodes.length) throw new Error("internal: the graph has a cycle");
        } else {
          order.set(node, sorted.length);
          sorted.push(node);
          stack.pop();
        }
      }
    };
    for (const node of this.#nodes) place(node);
    if (sorted.length !== this.#nodes.length) {
      throw new Error("internal: a value is read whose producer is no part of the graph");
    }
    this.#nodes = sorted;
    this.#order = order;
    return order;
  }
}

const NOBODY: ReadonlySet<GraphNode> = new Set();

function copyNode(node: GraphNode, copies: Map<Value, Value>): GraphNode {
  const inputs = node.inputs.map((v) => copies.get(v) ?? v);
  const outputs = node.outputs.map((v) => {
    const copy = { ...v };
    copies.set(v, copy);
    return copy;
  });
  return { ...node, inputs, outputs } as GraphNode;
}

/** The kernel with equal inputs made one and unread ones left out. */
export function trimInputs(
  kernel: Kernel,
  inputs: readonly Value[],
): { kernel: Kernel; inputs: Value[] } {
  const used = usedInputs(kernel);
  const kept: Value[] = [];
  const slots = inputs.map((value, slot) => {
    if (!used.has(slot)) return -1;
    const known = kept.indexOf(value);
    return known >= 0 ? known : kept.push(value) - 1;
  });
  return { kernel: renumberInputs(kernel, slots), inputs: kept };
}
