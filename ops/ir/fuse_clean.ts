/** Housekeeping between fusions: simpler expressions, equal kernels once, nothing that nobody needs. */
import type { KernelNode, Value } from "./graph.ts";
import { type Kernel, kernelKey, sizeOf } from "./kernel.ts";
import type { FusionGraph } from "./fuse_graph.ts";
import { normalizeOutputs, outputIndex } from "./fuse_kernel.ts";
import { liveReductions, renameResults } from "./fuse_results.ts";
import { linearOf } from "./simplify_linear.ts";
import { simplifyKernel } from "./simplify.ts";

/** Kernels that came out of `normalizeKernel`: passes look at each of them many times. */
const normal = new WeakSet<Kernel>();

/** A kernel in the form in which passes compare kernels. */
export function normalizeKernel(kernel: Kernel): Kernel {
  if (normal.has(kernel)) return kernel;
  const result = normalizeOutputs(simplifyKernel(kernel));
  normal.add(result);
  return result;
}

/** Simplifies every kernel, makes equal ones one, removes copies and what nobody needs. */
export function cleanGraph(graph: FusionGraph): void {
  for (const node of graph.kernelNodes) {
    const kernel = normalizeKernel(node.kernel);
    if (kernel !== node.kernel) graph.change(node, kernel, node.inputs, node.outputs);
  }
  removeCopies(graph);
  mergeEqual(graph);
  removeDead(graph);
}

/** A map that hands on an array as it is: its users take the array itself. */
function removeCopies(graph: FusionGraph): void {
  for (const node of graph.kernelNodes) {
    const source = copiedValue(node);
    if (source) graph.replaceValue(node.outputs[0]!, source);
  }
}

function copiedValue({ kernel, inputs, outputs }: KernelNode): Value | undefined {
  if (kernel.kind !== "map" || outputs.length !== 1) return undefined;
  const { value, index } = kernel.outputs[0]!;
  if (index !== undefined || value.kind !== "load" || value.guard) return undefined;
  const source = inputs[value.input]!;
  if (sizeOf(source.shape) !== sizeOf(outputs[0]!.shape)) return undefined;
  return sameIndex(kernel, value.index) ? source : undefined;
}

function sameIndex(kernel: Kernel, index: Parameters<typeof linearOf>[0]): boolean {
  const plain = linearOf(outputIndex(kernel, kernel.outputs[0]!));
  const given = linearOf(index);
  if (plain.constant !== given.constant || plain.terms.length !== given.terms.length) return false;
  return plain.terms.every((p) =>
    given.terms.some((g) =>
      g.coefficient === p.coefficient && g.atom.kind === "axis" && p.atom.kind === "axis" &&
      g.atom.axis === p.atom.axis
    )
  );
}

/** Common subexpressions of the graph: the same kernel on the same values. */
function mergeEqual(graph: FusionGraph): void {
  const seen = new Map<string, KernelNode>();
  for (const node of graph.kernelNodes) {
    const key = `${kernelKey(node.kernel)}|${node.inputs.map((v) => v.id).join(",")}`;
    const known = seen.get(key);
    if (known === undefined) {
      seen.set(key, node);
      continue;
    }
    for (const [i, value] of node.outputs.entries()) graph.replaceValue(value, known.outputs[i]!);
    graph.remove(node);
  }
}

/** Removes nodes and outputs that nobody needs, users before producers. */
export function removeDead(graph: FusionGraph): void {
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((v) => graph.isNeeded(v))) graph.remove(node);
    else if (node.kind === "kernel") dropOutputs(graph, node);
  }
}

/** Takes the outputs that nobody needs out of a kernel. */
export function dropOutputs(graph: FusionGraph, node: KernelNode): void {
  const needed = node.outputs.map((v) => graph.isNeeded(v));
  if (needed.every((n) => n)) return;
  const kernel = { ...node.kernel, outputs: node.kernel.outputs.filter((_, i) => needed[i]) };
  const outputs = node.outputs.filter((_, i) => needed[i]);
  graph.change(node, dropReductions(kernel as Kernel), node.inputs, outputs);
}

/** Leaves out trailing reductions that no output and no other reduction reads. */
function dropReductions(kernel: Kernel): Kernel {
  if (kernel.kind !== "reduce") return kernel;
  const live = liveReductions(kernel);
  if (live.every((l) => l)) return kernel;
  const slots = renumber(live);
  const reductions = kernel.reductions.filter((_, i) => live[i]);
  return renameResults({ ...kernel, reductions }, slots);
}

function renumber(live: readonly boolean[]): number[] {
  let next = 0;
  return live.map((l) => l ? next++ : -1);
}
