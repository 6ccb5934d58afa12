/**
 * Fusion: fewer kernels that move fewer bytes. Every decision weighs bytes saved against work done
 * again, and can be printed.
 *
 * Order of the passes: clean up (simplify, equal kernels once); moves of elements disappear into
 * readers; products move from rows that were looked up to the table that has them; then, operands first, each map joins the kernel that makes its operand (an epilogue), or
 * the rows of a reduction, or is computed by its readers, or shares a kernel with a map over the
 * same points; reductions over the same rows become one; at last siblings that read the same arrays.
 */
import type { Graph, KernelNode, Value } from "./graph.ts";
import { iterationShape, type ReduceKernel, sizeOf } from "./kernel.ts";
import { cleanGraph, dropOutputs, normalizeKernel, removeDead } from "./fuse_clean.ts";
import { FusionGraph, trimInputs } from "./fuse_graph.ts";
import { inlineMap, inlineViews } from "./fuse_inline.ts";
import {
  absorbMap,
  type Merged,
  mergeMaps,
  mergeReductions,
  sharedElements,
} from "./fuse_merge.ts";
import { FUSION_LIMITS, type FusionLog, joinLabels } from "./fuse_rules.ts";
import { multiplyTables } from "./fuse_tables.ts";
import { rootsOf } from "./plan_cost.ts";
import { countNodes } from "./simplify.ts";

/** Options of `optimize`. */
export interface OptimizeOptions {
  /** Called with each decision and its score. */
  readonly log?: FusionLog | undefined;
  /** Whether a scatter costs no more than a map over its points. @default true */
  readonly cheapScatter?: boolean | undefined;
}

/** Sweeps after which the graph has to have settled. */
const MOST_SWEEPS = 8;

/** A graph that computes the same with fewer kernels and less traffic. */
export function optimize(source: Graph, options: OptimizeOptions = {}): Graph {
  const graph = new FusionGraph(source);
  const log = options.log ?? ignore;
  cleanGraph(graph);
  inlineViews(graph, log);
  if ((options.cheapScatter ?? true) && multiplyTables(graph, log)) cleanGraph(graph);
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    const fused = fuseAll(graph, log);
    cleanGraph(graph);
    if (!mergeSiblings(graph, log) && !fused) break;
  }
  return graph.finish();
}

function ignore(): void {}

/** One sweep over all nodes, operands first. */
function fuseAll(graph: FusionGraph, log: FusionLog): boolean {
  let changed = false;
  for (const node of graph.kernelNodes) {
    if (!graph.has(node)) continue;
    if (node.kernel.kind === "map") changed = fuseMap(graph, node, log) || changed;
    else if (node.kernel.kind === "reduce") changed = fuseReduce(graph, node, log) || changed;
  }
  return changed;
}

/** Kernels that make a node's inputs, the last first: joining it cannot be in another's way. */
function producersOf(graph: FusionGraph, node: KernelNode): KernelNode[] {
  const producers = new Set<KernelNode>();
  for (const { producer } of node.inputs) if (producer?.kind === "kernel") producers.add(producer);
  return [...producers].sort((a, b) => graph.position(b) - graph.position(a));
}

function fuseMap(graph: FusionGraph, node: KernelNode, log: FusionLog): boolean {
  const producers = producersOf(graph, node);
  if (operandsStay(graph, node) && inlineMap(graph, node, log)) return true;
  for (const producer of producers) {
    if (producer.kernel.kind !== "map" && joinProducer(graph, producer, node, log)) return true;
  }
  if (inlineMap(graph, node, log)) return true;
  for (const producer of producers) {
    if (producer.kernel.kind === "map" && joinProducer(graph, producer, node, log)) return true;
  }
  return false;
}

/**
 * Whether a map reads only arrays that are stored for others as well: then its readers may as well
 * read those, and storing its own value (the mask of a ReLU) would be a waste.
 */
function operandsStay(graph: FusionGraph, node: KernelNode): boolean {
  return node.inputs.every((v) =>
    !v.producer || graph.isPinned(v) || [...graph.usesOf(v)].some((user) => user !== node)
  );
}

/** Makes a map an epilogue of the kernel that makes its operand. */
function joinProducer(
  graph: FusionGraph,
  producer: KernelNode,
  node: KernelNode,
  log: FusionLog,
): boolean {
  if (!mayMeet(graph, producer, node)) return false;
  const merged = absorbMap(producer, node);
  if (!merged) return false;
  if (merged.rows && !rowsAllow(graph, producer, node, merged, log)) return false;
  const rule = merged.rows ? "row" : producer.kernel.kind === "map" ? "outputs" : "epilogue";
  return replaceBoth(graph, producer, node, merged, rule, log);
}

/** Whether two nodes can be one: nothing lies between them. */
function mayMeet(graph: FusionGraph, first: KernelNode, second: KernelNode): boolean {
  return !graph.dependsThrough(second.inputs.filter((v) => v.producer !== first), first);
}

/** Whether going over the rows of a reduction again is better than a kernel of its own. */
function rowsAllow(
  graph: FusionGraph,
  producer: KernelNode,
  node: KernelNode,
  merged: Merged,
  log: FusionLog,
): boolean {
  const { shape, reduce } = producer.kernel as ReduceKernel;
  const length = sizeOf(reduce), rows = sizeOf(shape);
  const fits = length <= FUSION_LIMITS.rowLength &&
    (length <= FUSION_LIMITS.shortRow || rows >= FUSION_LIMITS.rowCount);
  // Something as long as the rows themselves must be there for both.
  const shared = sharedElements(merged, producer.inputs.length);
  const inner = node.inputs.some((v) => isFullOutput(producer, v));
  const gain = inner || shared >= length * rows / 2;
  if (!fits || !gain) {
    log(
      "keep",
      `${node.label} after ${producer.label}: ${rows} rows of ${length}, shares ${shared}`,
    );
  }
  return fits && gain && graph.has(node);
}

function isFullOutput(producer: KernelNode, value: Value): boolean {
  const slot = producer.outputs.indexOf(value);
  return slot >= 0 && producer.kernel.outputs[slot]!.full === true;
}

function replaceBoth(
  graph: FusionGraph,
  first: KernelNode,
  second: KernelNode,
  merged: Merged,
  rule: string,
  log: FusionLog,
): boolean {
  // Values that only the second read are values of the kernel's own now.
  const outputs = merged.outputs.map((v) => {
    const users = graph.usesOf(v);
    return graph.isPinned(v) || second.outputs.includes(v) || [...users].some((n) => n !== second);
  });
  const kept = {
    ...merged.kernel,
    outputs: merged.kernel.outputs.filter((_, i) => outputs[i]),
  } as Merged["kernel"];
  const trimmed = trimInputs(normalizeKernel(kept), merged.inputs);
  const inPlace = merged.outputs.filter((v) => {
    const state = graph.stateOf(v);
    return state !== undefined && trimmed.inputs.includes(state);
  });
  const buffers = trimmed.inputs.length + kept.outputs.length - inPlace.length;
  if (buffers > FUSION_LIMITS.buffers) {
    log("keep", `${second.label} after ${first.label}: ${buffers} buffers`);
    return false;
  }
  if (countNodes(rootsOf(trimmed.kernel).map((r) => r.expr)) > FUSION_LIMITS.nodes) return false;
  log(rule, `${second.label} joins ${first.label}`);
  graph.moveTo(first, second);
  graph.remove(second);
  const values = merged.outputs.filter((_, i) => outputs[i]);
  graph.change(first, trimmed.kernel, trimmed.inputs, values);
  first.label = joinLabels(first.label, second.label);
  dropOutputs(graph, first);
  return true;
}

/** A reduction over the rows of a reduction that it reads. */
function fuseReduce(graph: FusionGraph, node: KernelNode, log: FusionLog): boolean {
  for (const producer of producersOf(graph, node)) {
    if (producer.kernel.kind !== "reduce" || !mayMeet(graph, producer, node)) continue;
    const merged = mergeReductions(producer, node);
    if (!merged || !rowsAllow(graph, producer, node, merged, log)) continue;
    if (replaceBoth(graph, producer, node, merged, "row", log)) return true;
  }
  return false;
}

/** Maps, and reductions, over the same points that do not need each other and share something. */
function mergeSiblings(graph: FusionGraph, log: FusionLog): boolean {
  let changed = false;
  for (const node of graph.kernelNodes) {
    if (node.kernel.kind !== "map" && node.kernel.kind !== "reduce") continue;
    for (let joined = true; joined && graph.has(node);) {
      joined = siblingsOf(graph, node).some((other) => joinSiblings(graph, node, other, log));
      changed ||= joined;
    }
  }
  if (changed) removeDead(graph);
  return changed;
}

/** Later kernels of the same kind that read one of the node's inputs, or are as small as it is. */
function siblingsOf(graph: FusionGraph, node: KernelNode): KernelNode[] {
  const small = sizeOf(iterationShape(node.kernel)) <= FUSION_LIMITS.smallKernel;
  const later = graph.nodes.slice(graph.position(node) + 1);
  return later.filter((other): other is KernelNode =>
    other.kind === "kernel" && other.kernel.kind === node.kernel.kind &&
    (small || other.inputs.some((v) => node.inputs.includes(v)))
  );
}

function joinSiblings(
  graph: FusionGraph,
  first: KernelNode,
  second: KernelNode,
  log: FusionLog,
): boolean {
  const points = sizeOf(iterationShape(first.kernel));
  if (sizeOf(iterationShape(second.kernel)) !== points) return false;
  const small = points <= FUSION_LIMITS.smallKernel;
  const array = sharedArray(first, second);
  if (!small && array < points / 2) return false;
  if (graph.depends(second, first) || graph.depends(first, second)) return false;
  const merged = first.kernel.kind === "map"
    ? mergeMaps(first, second)
    : mergeReductions(first, second);
  if (!merged) return false;
  // A scalar that both read is no reason; half of what they go over is, and so is a launch saved.
  // Maps that follow each other (the three parts of an attention layer's input) need not even read
  // the same elements of their array.
  const close = graph.position(second) - graph.position(first) <= FUSION_LIMITS.neighbours;
  const shared = close && first.kernel.kind === "map"
    ? array
    : sharedElements(merged, first.inputs.length);
  if (!small && shared < points / 2) return false;
  if (!small && merged.rows && !rowsAllow(graph, first, second, merged, log)) return false;
  return replaceBoth(graph, first, second, merged, "siblings", log);
}

/** Size of the largest array that both read. */
function sharedArray(first: KernelNode, second: KernelNode): number {
  const both = second.inputs.filter((v) => first.inputs.includes(v));
  return Math.max(0, ...both.map((v) => sizeOf(v.shape)));
}
