/** Reverse-mode differentiation: the recorded graph, `backward`, `grad`, and the modes around them. */
import { checkNan } from "./anomaly.ts";
import type { Backend } from "./backends/backend.ts";
import { core, isContiguous } from "./base.ts";
import { shapeText, stateError } from "./check.ts";
import type { Attribute } from "./define.ts";
import { isGradEnabled, withGradMode } from "./grad_mode.ts";
import { GradientHooks } from "./gradient_hooks.ts";
import type { DType } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";

/** What an operation keeps for its gradient. */
export type SavePolicy = "inputs" | "output" | "both" | "none";

/** What a gradient function is given. */
export interface GradientContext<A extends Attribute = Attribute> {
  readonly attributes: A;
  /** Number of inputs. */
  readonly inputs: number;
  /** Whether input `i` wants a gradient. */
  needs(i: number): boolean;
  /** Input `i` as it was, if the operation saves inputs. */
  input(i: number): Tensor;
  /** Shape of input `i`, always known. */
  inputShape(i: number): readonly number[];
  /** Dtype of input `i`, always known. */
  inputDtype(i: number): DType;
  /** Output `i` as it was, if the operation saves outputs. */
  output(i?: number): Tensor;
  /** Gradient of output `i`; zeros where none arrived. */
  grad(i?: number): Tensor;
  /** Whether a gradient of output `i` arrived at all. */
  arrived(i: number): boolean;
}

/** The function part of a node: gradients of the inputs from a context. */
export type GradientFunction<A extends Attribute> = (
  context: GradientContext<A>,
) => readonly (Tensor | undefined)[];

interface Edge {
  readonly node: GradientNode | undefined;
  readonly index: number;
  readonly leaf: Tensor | undefined;
}

interface Saved {
  readonly tensor: Tensor;
  readonly version: number;
}

interface Meta {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly backend: Backend;
}

let nodeCount = 0;

/** One recorded operation. */
export class GradientNode {
  /** Later operations have higher numbers; `backward` runs from high to low. */
  readonly number: number;
  readonly name: string;
  readonly #attributes: Attribute;
  readonly #gradient: GradientFunction<never>;
  readonly edges: readonly (Edge | undefined)[];
  readonly #inputs: (Saved | undefined)[];
  readonly #outputs: (Saved | undefined)[];
  readonly #inputMetas: readonly Meta[];
  readonly #outputMetas: readonly Meta[];
  #freed = false;
  #hooks: (GradientHooks | undefined)[] | undefined;

  constructor(
    name: string,
    attributes: Attribute,
    gradient: GradientFunction<never>,
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    saves: SavePolicy,
  ) {
    this.name = name;
    this.#attributes = attributes;
    this.#gradient = gradient;
    // Looking at an input may record it again (a view that was written), which comes first.
    this.edges = inputs.map(edgeOf);
    this.number = nodeCount++;
    this.#inputMetas = inputs.map(metaOf);
    this.#outputMetas = outputs.map(metaOf);
    this.#inputs = saves === "inputs" || saves === "both" ? inputs.map(save) : [];
    this.#outputs = saves === "output" || saves === "both" ? outputs.map(save) : [];
    for (const [i, output] of outputs.entries()) {
      output.gradientNode = this;
      output.outputIndex = i;
    }
  }

  /** Hooks on the gradient of an output, made when first asked for. */
  hooksOf(output: number): GradientHooks {
    this.#hooks ??= [];
    return this.#hooks[output] ??= new GradientHooks();
  }

  /** Lets the hooks see the gradients of the outputs. */
  runHooks(grads: (Tensor | undefined)[]): void {
    for (const [output, hooks] of this.#hooks?.entries() ?? []) {
      const gradient = grads[output];
      if (hooks && gradient) grads[output] = hooks.run(gradient);
    }
  }

  /** Gradients of the inputs from those of the outputs. */
  run(grads: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
    if (this.#freed) {
      throw stateError(
        "backward",
        `the graph of "${this.name}" was already freed by an earlier backward`,
        "pass { retainGraph: true } to the first call",
      );
    }
    const context: GradientContext<never> = {
      attributes: this.#attributes as never,
      inputs: this.edges.length,
      needs: (i) => this.edges[i] !== undefined,
      input: (i) => this.#restore(this.#inputs[i], `input ${i}`),
      output: (i = 0) => this.#restore(this.#outputs[i], "the output"),
      inputShape: (i) => this.#inputMetas[i]!.shape,
      inputDtype: (i) => this.#inputMetas[i]!.dtype,
      grad: (i = 0) => {
        const meta = this.#outputMetas[i]!;
        return grads[i] ?? core().fullOn(meta.backend, meta.shape, 0, meta.dtype);
      },
      arrived: (i) => grads[i] !== undefined,
    };
    return this.#gradient(context);
  }

  #restore(saved: Saved | undefined, what: string): Tensor {
    if (!saved) throw new Error(`internal: ${this.name} does not save ${what}`);
    if (saved.tensor.storage.version !== saved.version) {
      throw stateError(
        "backward",
        `${what} of "${this.name}", shape ${
          shapeText(saved.tensor.shape)
        }, was written in place after it was used`,
        "clone() before writing, or use the function that returns a new tensor",
      );
    }
    return saved.tensor;
  }

  /** Drops what was saved. */
  free(): void {
    this.#freed = true;
    this.#inputs.length = 0;
    this.#outputs.length = 0;
  }
}

function edgeOf(x: Tensor): Edge | undefined {
  if (!x.requiresGrad) return undefined;
  if (x.gradientNode) return { node: x.gradientNode, index: x.outputIndex, leaf: undefined };
  return { node: undefined, index: 0, leaf: x };
}

function metaOf(x: Tensor): Meta {
  return { shape: x.shape, dtype: x.dtype, backend: x.storage.backend };
}

function save(tensor: Tensor): Saved {
  return { tensor, version: tensor.storage.version };
}

/** Records an operation when a gradient may be asked for; the one place where nodes are made. */
export function recordGradient<A extends Attribute>(
  name: string,
  attributes: A,
  gradient: GradientFunction<A>,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  saves: SavePolicy,
): void {
  if (!isGradEnabled() || !inputs.some((x) => x.requiresGrad)) return;
  new GradientNode(name, attributes, gradient as GradientFunction<never>, inputs, outputs, saves);
}

/**
 * A function of several operations with a gradient of its own, cheaper or more accurate than the one
 * that follows from its parts. `forward` is not recorded; `gradient` is written with ops, so that it
 * can be differentiated again.
 */
export function differentiable<A extends Attribute>(
  name: string,
  attributes: A,
  inputs: readonly Tensor[],
  forward: () => Tensor,
  gradient: GradientFunction<A>,
  saves: SavePolicy = "inputs",
): Tensor {
  return differentiableAll(name, attributes, inputs, () => [forward()], gradient, saves)[0]!;
}

/** `differentiable` for functions with several results. */
export function differentiableAll<A extends Attribute>(
  name: string,
  attributes: A,
  inputs: readonly Tensor[],
  forward: () => Tensor[],
  gradient: GradientFunction<A>,
  saves: SavePolicy = "inputs",
): Tensor[] {
  const outputs = withGradMode(name, false, forward);
  recordGradient(name, attributes, gradient, inputs, outputs, saves);
  return outputs;
}

/** Options of `backward` and `grad`. */
export interface BackwardOptions {
  /** Gradient of the root; needed when it is not a single number. */
  gradient?: Tensor | undefined;
  /** Keep the graph for another `backward`. @default createGraph */
  retainGraph?: boolean | undefined;
  /** Record the computation of the gradients, for gradients of gradients. @default false */
  createGraph?: boolean | undefined;
}

function reachable(roots: readonly GradientNode[]): GradientNode[] {
  const seen = new Set<GradientNode>();
  const stack = [...roots];
  while (stack.length) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const edge of node.edges) if (edge?.node) stack.push(edge.node);
  }
  return [...seen].sort((a, b) => b.number - a.number);
}

/** The gradient that the walk starts with: the one given, or 1 for a number. */
export function rootGradient(op: string, root: Tensor, gradient: Tensor | undefined): Tensor {
  if (!root.requiresGrad) {
    throw stateError(op, "the tensor does not require a gradient and no input of it does");
  }
  if (gradient) {
    if (shapeText(gradient.shape) !== shapeText(root.shape)) {
      throw stateError(
        op,
        `gradient has shape ${shapeText(gradient.shape)}, the tensor ${shapeText(root.shape)}`,
      );
    }
    return gradient;
  }
  if (sizeOf(root.shape) !== 1) {
    throw stateError(
      op,
      `only a single number has an implicit gradient: shape ${shapeText(root.shape)}`,
      "pass { gradient }, or take sum() or mean() first",
    );
  }
  return core().fullOn(root.storage.backend, root.shape, 1, root.dtype);
}

/** Walks the graph and hands each leaf (and each watched output) its gradient. */
export function propagate(
  root: Tensor,
  seed: Tensor,
  watched: ReadonlyMap<GradientNode, ReadonlyMap<number, number>>,
  deliver: (leaf: Tensor | number, gradient: Tensor) => void,
  keep: boolean,
): void {
  if (!root.gradientNode) return deliver(root, root.leafHooks?.run(seed) ?? seed);
  const pending = new Map<GradientNode, (Tensor | undefined)[]>();
  // A hook sees the whole gradient of its leaf, at the end.
  const hooked = new Map<Tensor, Tensor>();
  function arriveAtLeaf(leaf: Tensor, gradient: Tensor): void {
    if (!leaf.leafHooks) return deliver(leaf, gradient);
    const before = hooked.get(leaf);
    hooked.set(leaf, before ? core().add(before, gradient) : gradient);
  }
  function arrive(edge: Edge, gradient: Tensor): void {
    if (edge.leaf) return arriveAtLeaf(edge.leaf, gradient);
    const slots = pending.get(edge.node!) ?? [];
    const before = slots[edge.index];
    slots[edge.index] = before ? core().add(before, gradient) : gradient;
    pending.set(edge.node!, slots);
  }
  arrive({ node: root.gradientNode, index: root.outputIndex, leaf: undefined }, seed);
  for (const node of reachable([root.gradientNode])) {
    const grads = pending.get(node);
    if (!grads) continue;
    pending.delete(node);
    node.runHooks(grads);
    for (const [output, position] of watched.get(node) ?? []) {
      const gradient = grads[output];
      if (gradient) deliver(position, gradient);
    }
    const inputGrads = node.run(grads);
    checkNan(`gradient of ${node.name}`, inputGrads, []);
    for (const [i, edge] of node.edges.entries()) {
      const gradient = inputGrads[i];
      if (edge && gradient) arrive(edge, gradient);
    }
    if (!keep) node.free();
  }
  for (const [leaf, gradient] of hooked) deliver(leaf, leaf.leafHooks!.run(gradient));
}

/** Accumulates the gradient of `root` into `grad` of the leaves it was computed from. */
export function backward(root: Tensor, options: BackwardOptions = {}): void {
  const { createGraph = false, retainGraph = createGraph } = options;
  const seed = rootGradient("backward", root, options.gradient);
  const taken = new Set([seed.storage]);
  // A gradient that goes to several leaves, was handed in or repeats elements is copied, so that
  // writing one in place changes no other.
  function own(gradient: Tensor): Tensor {
    const free = !taken.has(gradient.storage) && isContiguous(gradient);
    taken.add(gradient.storage);
    return free ? gradient : core().clone(gradient);
  }
  withGradMode("backward", createGraph, () => {
    propagate(root, seed, new Map(), (leaf, gradient) => {
      const tensor = leaf as Tensor;
      tensor.grad = tensor.grad ? core().add(tensor.grad, gradient) : own(gradient);
    }, retainGraph);
  });
}
