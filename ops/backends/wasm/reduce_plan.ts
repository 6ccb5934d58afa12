/**
 * What a `reduce` kernel computes, in loops: stages, the vector axis, what waits in an output.
 *
 * @module
 */
import { axesOf, ravel } from "../../ir/expr.ts";
import type { Expr } from "../../ir/expr.ts";
import type { KernelOutput, ReduceKernel } from "../../ir/kernel.ts";
import { arrangeLoops, loadsOf, type Loop, vectorCost } from "./emit_axes.ts";
import { usesFloat64 } from "./emit_nest.ts";
import { type Node, NodeBuilder, visitNodes } from "./emit_node.ts";
import { liftAxes, nodeCost } from "./map.ts";
import { type Accumulation, isArg } from "./reduce_accumulate.ts";

/** One reduction as nodes. */
export interface Item extends Accumulation {
  readonly slot: number;
  readonly body: Node;
  readonly position: Node;
}

export interface Store {
  readonly output: number;
  readonly value: Node;
  readonly index: Node;
}

/** The outermost reduced loop cut into parts, each with results of its own. */
export interface Parts {
  readonly count: number;
  /** Turns of the loop per part. */
  readonly length: number;
}

export interface ReducePlan {
  /** Loop over the parts, a unit each. */
  readonly parts: { readonly loop: Loop; readonly length: number } | undefined;
  readonly outer: readonly Loop[];
  readonly reduced: readonly Loop[];
  /** Reductions by passes over the reduced axes. */
  readonly stages: readonly (readonly Item[])[];
  readonly rowStores: readonly Store[];
  readonly fullStores: readonly Store[];
  /** Costly values of the last stage, kept in a full output's place until it is computed. */
  readonly kept: readonly Store[];
  /** The vector axis, one of the loops; in `outer` for columns. */
  readonly vector: Loop;
  readonly columns: boolean;
  readonly single: boolean;
}

/** Stands for a vector axis where there is none. */
export const NO_LOOP: Loop = { axis: 30, size: 1, group: 1 };

/** Groups of neighbouring reductions that read none of each other's results. */
function stagesOf(items: readonly Item[]): Item[][] {
  const stages: Item[][] = [];
  for (const item of items) {
    let needs = -1;
    visitNodes([item.body], (x) => {
      if (x.kind === "acc") needs = Math.max(needs, x.slot);
    });
    const last = stages.at(-1);
    if (last && last[0]!.slot > needs) last.push(item);
    else stages.push([item]);
  }
  return stages;
}

function outputIndex(kernel: ReduceKernel, output: KernelOutput): Expr {
  const shape = output.full ? [...kernel.shape, ...kernel.reduce] : kernel.shape;
  return output.index ?? ravel(axesOf(shape), shape);
}

/** Axis number of the parts, out of the way of the kernel's own. */
const PARTS_AXIS = 29;

/** Nodes and loops of a kernel. */
export function planReduce(kernel: ReduceKernel, parts: Parts | undefined): ReducePlan {
  const builder = new NodeBuilder();
  const { loops, axes } = liftAxes(builder, [kernel.shape, kernel.reduce]);
  const memo = new Map();
  const place = ravel(axesOf(kernel.reduce, kernel.shape.length), kernel.reduce);
  const anyArg = kernel.reductions.some((r) => isArg(r.op));
  const roots = [
    ...kernel.reductions.map((r) => builder.lift(r.body, axes, memo)),
    ...kernel.outputs.flatMap((o) => [
      builder.lift(o.value, axes, memo),
      partIndex(builder, builder.lift(outputIndex(kernel, o), axes, memo), parts),
    ]),
    ...(anyArg ? [builder.lift(place, axes, memo)] : []),
  ];
  const space = arrangeLoops(builder, { loops, roots });
  const count = kernel.reductions.length;
  const position = anyArg ? space.roots.at(-1)! : builder.int(0);
  const items = kernel.reductions.map(({ op, body }, slot) => ({
    op,
    dtype: body.dtype,
    slot,
    body: space.roots[slot]!,
    position,
  }));
  const stores = kernel.outputs.map((_, i) => ({
    output: i,
    value: space.roots[count + 2 * i]!,
    index: space.roots[count + 2 * i + 1]!,
  }));
  const isFull = (s: Store) => kernel.outputs[s.output]!.full === true;
  const stages = stagesOf(items);
  const full = stores.filter(isFull);
  // With nothing to loop over, the value would be read before it is there.
  const last = space.loops.some((l) => l.group === 1) ? stages.at(-1) ?? [] : [];
  const kept = keepCostly(builder, kernel, last, full);
  return {
    parts: parts && {
      loop: { axis: PARTS_AXIS, size: parts.count, group: 0 },
      length: parts.length,
    },
    outer: space.loops.filter((l) => l.group === 0),
    reduced: space.loops.filter((l) => l.group === 1),
    stages,
    ...kept,
    rowStores: stores.filter((s) => !isFull(s)),
    ...chooseVector(space.loops, space.roots, full, anyArg),
    single: usesFloat64(space.roots),
  };
}

/**
 * Softmax computes every exponential for its sum, and needs it again for the quotient: where the
 * output goes it can wait meanwhile. Not where anything else that the output reads could be there.
 */
function keepCostly(
  builder: NodeBuilder,
  kernel: ReduceKernel,
  last: readonly Item[],
  full: readonly Store[],
): Pick<ReducePlan, "kept" | "fullStores"> {
  const [store] = full;
  const body = last.map((i) => i.body).find((x) => x.dtype === "float32" && isCostly(x));
  const plain = { kept: [], fullStores: full };
  if (full.length !== 1 || !store || !body || store.value === body) return plain;
  if (kernel.outputs[store.output]!.dtype !== "float32") return plain;
  const waiting = builder.load(
    kernel.inputs.length + store.output,
    "float32",
    store.index,
    undefined,
  );
  const value = builder.substitute(store.value, new Map(), new Map([[body, waiting]]));
  const loads = loadsOf([value]).filter((l) => l.index === store.index);
  if (loads.length !== 1 || !dependsOn(value, waiting)) return plain;
  return { kept: [{ ...store, value: body }], fullStores: [{ ...store, value }] };
}

function isCostly(x: Node): boolean {
  return nodeCost([x], false) > 1;
}

function dependsOn(x: Node, part: Node): boolean {
  let found = false;
  visitNodes([x], (y) => found ||= y === part);
  return found;
}

/** Results of parts lie side by side. */
function partIndex(builder: NodeBuilder, index: Node, parts: Parts | undefined): Node {
  if (parts === undefined) return index;
  const part = builder.axis(PARTS_AXIS, parts.count);
  const terms = [{ coefficient: parts.count, atom: index }, { coefficient: 1, atom: part }];
  return builder.affine(terms, 0);
}

/**
 * The loop that runs in vectors, and innermost. `inOrder` says that reduced elements have to come in
 * their order, so that of equal ones the first is taken.
 */
function chooseVector(
  loops: readonly Loop[],
  roots: readonly Node[],
  full: readonly Store[],
  inOrder: boolean,
): { vector: Loop; columns: boolean } {
  const accesses = [
    ...loadsOf(roots),
    ...full.map(({ index }) => ({ index, store: true })),
  ];
  let vector = NO_LOOP, best = Infinity;
  for (const loop of loops) {
    if (inOrder && loop.group === 1 && loop !== loops.at(-1)) continue;
    // A row ends with its lanes brought together, about the work of eight loads.
    const end = loop.group === 1 ? 8 / loop.size : 0;
    const cost = vectorCost(accesses, loop) + end;
    if (cost <= best) [vector, best] = [loop, cost];
  }
  return { vector, columns: vector.group === 0 };
}
