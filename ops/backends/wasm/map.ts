/**
 * Code for `map` kernels: loops over the output, vectors along the axis that makes most loads and
 * stores contiguous.
 *
 * @module
 */
import { axesOf, ravel } from "../../ir/expr.ts";
import { type MapKernel, sizeOf } from "../../ir/kernel.ts";
import type { Value } from "./emit.ts";
import { arrangeLoops, loadsOf, type Loop, type Space, vectorCost } from "./emit_axes.ts";
import {
  checkTypes,
  defineKernel,
  grainOf,
  type KernelPass,
  type Nest,
  type Slots,
  usesFloat64,
} from "./emit_nest.ts";
import { COSTLY, type Lowering } from "./emit_lower.ts";
import { affineOf, coefficientOf, type Node, NodeBuilder } from "./emit_node.ts";
import { hostFunctions } from "./math_f64.ts";

/** Elements of the vector axis per unit of work, where it is cut: 16 KiB of float32. */
const CHUNK = 4096;
/** The same in a transpose: so many cache lines stay in the second level even where they collide. */
const TRANSPOSE_CHUNK = 64;
/** Units of work that are enough for any number of threads. */
const ENOUGH_UNITS = 256;

/** What a map kernel computes, in loops. */
interface MapPlan {
  /** Loops that a unit of work fixes. */
  readonly prefix: readonly Loop[];
  /** Loops inside a unit. */
  readonly middle: readonly Loop[];
  readonly vector: Loop;
  readonly chunks: number;
  /** Elements of the vector axis per chunk, a multiple of four. */
  readonly chunk: number;
  readonly stores: readonly { readonly value: Node; readonly index: Node }[];
  readonly single: boolean;
}

/** Loops of a kernel's axes, and the nodes of its expressions. */
export function liftAxes(
  builder: NodeBuilder,
  groups: readonly (readonly number[])[],
): { loops: Loop[]; axes: Node[] } {
  const loops: Loop[] = [], axes: Node[] = [];
  groups.forEach((shape, group) => {
    for (const size of shape) {
      axes.push(builder.axis(axes.length, size));
      loops.push({ axis: axes.length - 1, size, group });
    }
  });
  return { loops, axes };
}

const NO_LOOP: Loop = { axis: 30, size: 1, group: 0 };

function plan(kernel: MapKernel): MapPlan {
  const builder = new NodeBuilder();
  const { loops, axes } = liftAxes(builder, [kernel.shape]);
  const memo = new Map();
  const rowMajor = ravel(axesOf(kernel.shape), kernel.shape);
  const roots = kernel.outputs.flatMap((o) => [
    builder.lift(o.value, axes, memo),
    builder.lift(o.index ?? rowMajor, axes, memo),
  ]);
  const space = arrangeLoops(builder, { loops, roots });
  const stores = kernel.outputs.map((_, i) => ({
    value: space.roots[2 * i]!,
    index: space.roots[2 * i + 1]!,
  }));
  return { ...cut(space, stores), stores, single: usesFloat64(space.roots) };
}

/** Chooses the vector axis and cuts the rest into units. */
function cut(
  space: Space,
  stores: MapPlan["stores"],
): Pick<MapPlan, "prefix" | "middle" | "vector" | "chunks" | "chunk"> {
  const accesses = [
    ...loadsOf(space.roots),
    ...stores.map(({ index }) => ({ index, store: true })),
  ];
  let vector = NO_LOOP, best = Infinity;
  for (const loop of space.loops) {
    const cost = vectorCost(accesses, loop);
    if (cost <= best) [vector, best] = [loop, cost];
  }
  const others = space.loops.filter((l) => l !== vector);
  const across = acrossLoop(space, vector);
  if (across) {
    const prefix = others.filter((l) => l !== across);
    const chunks = Math.ceil(vector.size / TRANSPOSE_CHUNK);
    return { prefix, middle: [across], vector, chunks, chunk: TRANSPOSE_CHUNK };
  }
  let units = 1, fixed = 0;
  while (fixed < others.length && (units < ENOUGH_UNITS || vector.size >= 64)) {
    units *= others[fixed++]!.size;
  }
  const chunks = units >= ENOUGH_UNITS ? 1 : Math.ceil(vector.size / CHUNK);
  return {
    prefix: others.slice(0, fixed),
    middle: others.slice(fixed),
    vector,
    chunks,
    chunk: CHUNK,
  };
}

/**
 * The loop along which a load that jumps along the vector axis is contiguous, in a transpose: next
 * outside of short pieces of the vector axis, so that a cache line is read by one run of turns.
 */
function acrossLoop(space: Space, vector: Loop): Loop | undefined {
  for (const { index } of loadsOf(space.roots)) {
    const form = affineOf(index);
    if (Math.abs(coefficientOf(form, vector.axis)) < 16) continue;
    const found = space.loops.find((l) => coefficientOf(form, l.axis) === 1 && l.size >= 16);
    if (found) return found;
  }
  return undefined;
}

function storesOf(nest: Nest, lowering: Lowering, stores: MapPlan["stores"]): Value[] {
  return stores.map(({ value, index }, i) => lowering.store(nest.output(i), index, value));
}

function emitMap(nest: Nest, plan: MapPlan): void {
  const { e } = nest;
  const { prefix, middle, vector } = plan;
  for (const loop of prefix) nest.declare(loop, 1);
  middle.forEach((loop, i) => nest.declare(loop, 2 + i));
  const level = 2 + middle.length;
  nest.declare(vector, level);
  const one = nest.lowering(undefined);
  // Chunks start at multiples of four.
  const wide = plan.single ? [] : storesOf(nest, nest.lowering(vector.axis, one), plan.stores);
  const single = storesOf(nest, one, plan.stores);
  const roots = [...wide, ...single];
  e.place(roots, 0);
  nest.units(prefix, plan.chunks, (chunk) => {
    const [low, high] = nest.chunkBounds(chunk, plan.chunk, vector.size);
    nest.loops(middle, 2, roots, () => {
      nest.stores(vector, low, high, wide, single);
    });
  });
}

/** Estimated nanoseconds per element of computing nodes in vectors. */
export function nodeCost(roots: readonly Node[], single: boolean): number {
  let ns = 0.1;
  const seen = new Set<Node>();
  const walk = (x: Node): void => {
    if (seen.has(x)) return;
    seen.add(x);
    if (x.kind === "load") ns += 0.3;
    if (x.kind === "call") {
      ns += 0.1;
      if (COSTLY.has(x.op)) ns += 1.5;
      for (const a of x.args) walk(a);
    }
    if (x.kind === "load") {
      walk(x.index);
      if (x.guard) walk(x.guard);
    }
    if (x.kind === "affine") { for (const t of x.terms) walk(t.atom); }
  };
  for (const root of roots) walk(root);
  return single ? 4 * ns : ns;
}

/** Lowers a map kernel. */
export function lowerMap(kernel: MapKernel, slots: Slots): KernelPass {
  checkTypes([...kernel.inputs, ...kernel.outputs].map((x) => x.dtype));
  const size = sizeOf(kernel.shape);
  if (size === 0) return { units: 0, grain: 1, host: new Map(), emit: emitNothing };
  const p = plan(kernel);
  const units = p.chunks * sizeOf(p.prefix.map((l) => l.size));
  const values = p.stores.map((s) => s.value);
  return {
    units,
    grain: grainOf(units, size * nodeCost(values, p.single)),
    host: hostFunctions(p.stores.flatMap((s) => [s.value, s.index])),
    emit: (module, name) => defineKernel(module, name, slots, (nest) => emitMap(nest, p)),
  };
}

/** A kernel that does nothing. */
export function emitNothing(module: Parameters<KernelPass["emit"]>[0], name: string): void {
  defineKernel(module, name, { inputs: [], outputs: [] }, () => {});
}
