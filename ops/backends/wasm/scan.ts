/**
 * Code for `scan` kernels: the running combination is a loop; vectors run along another axis where
 * that is contiguous, else elements are taken one by one.
 *
 * @module
 */
import { axesOf, ravel } from "../../ir/expr.ts";
import { type ScanKernel, sizeOf } from "../../ir/kernel.ts";
import { countVariant, type Value } from "./emit.ts";
import { arrangeLoops, loadsOf, type Loop, vectorCost } from "./emit_axes.ts";
import type { Lowering } from "./emit_lower.ts";
import { boundValue } from "./emit_values.ts";
import {
  checkTypes,
  copiesFor,
  defineKernel,
  grainOf,
  type LoweredKernel,
  type Nest,
  plainSlots,
  usesFloat64,
} from "./emit_nest.ts";
import { type Node, NodeBuilder } from "./emit_node.ts";
import { emitNothing, nodeCost } from "./map.ts";
import { hostFunctions } from "./math_f64.ts";
import { accumulate, type Accumulation, newState, resetState } from "./reduce_accumulate.ts";

interface ScanPlan extends Accumulation {
  readonly prefix: readonly Loop[];
  readonly vector: Loop;
  readonly scanned: readonly Loop[];
  readonly body: Node;
  readonly stores: readonly { readonly value: Node; readonly index: Node }[];
  /** Whether all is done one by one. */
  readonly single: boolean;
}

const NO_LOOP: Loop = { axis: 30, size: 1, group: 0 };
/** Elements of the vector axis per unit of work. */
const CHUNK = 16;

function plan(kernel: ScanKernel): ScanPlan {
  const builder = new NodeBuilder();
  const axes = kernel.shape.map((size, i) => builder.axis(i, size));
  const loops = kernel.shape.map((size, i) => ({
    axis: i,
    size,
    group: i < kernel.axis ? 0 : i === kernel.axis ? 1 : 2,
  }));
  const memo = new Map();
  const rowMajor = ravel(axesOf(kernel.shape), kernel.shape);
  const lift = (x: ScanKernel["body"]) => builder.lift(x, axes, memo);
  const roots = [
    lift(kernel.body),
    ...kernel.outputs.flatMap((o) => [lift(o.value), lift(o.index ?? rowMajor)]),
  ];
  const space = arrangeLoops(builder, { loops, roots });
  const stores = kernel.outputs.map((_, i) => ({
    value: space.roots[1 + 2 * i]!,
    index: space.roots[2 + 2 * i]!,
  }));
  const accesses = [...loadsOf(space.roots), ...stores.map((s) => ({ ...s, store: true }))];
  let vector = NO_LOOP, best = 2 + 2 * accesses.length;
  for (const loop of space.loops) {
    const cost = loop.group === 1 ? Infinity : vectorCost(accesses, loop);
    if (cost <= best) [vector, best] = [loop, cost];
  }
  return {
    op: kernel.op,
    dtype: kernel.body.dtype,
    prefix: space.loops.filter((l) => l.group !== 1 && l !== vector),
    vector,
    scanned: space.loops.filter((l) => l.group === 1),
    body: space.roots[0]!,
    stores,
    single: vector === NO_LOOP || usesFloat64(space.roots),
  };
}

interface Side {
  readonly acc: Value;
  readonly body: Value;
  readonly stores: readonly Value[];
}

function lowerSide(nest: Nest, p: ScanPlan, lowering: Lowering, wide: boolean): Side {
  const floats = p.dtype === "float64";
  // One level deeper than the loops: it changes in every turn, after what is hoisted.
  const acc = boundValue(nest.table, floats ? "f64" : "v128", 3 + p.scanned.length, wide);
  lowering.bindAcc(0, acc);
  return {
    acc,
    body: floats ? lowering.native(p.body) : lowering.vector(p.body),
    stores: p.stores.map(({ value, index }, i) => lowering.store(nest.output(i), index, value)),
  };
}

function rootsOf(side: Side): Value[] {
  return [side.body, ...side.stores];
}

/** One turn over `n` vectors side by side (or one element): the loop along the scanned axis. */
function emitTurn(nest: Nest, p: ScanPlan, side: Side, n: number): void {
  const { e, f } = nest;
  const copies = Array.from({ length: Math.max(1, n) }, (_, c) => c);
  const states = copies.map(() => newState(f, p));
  for (const s of states) resetState(f, p, s);
  nest.loops(p.scanned, 3, rootsOf(side), () => {
    for (const c of copies) {
      accumulate(f, p, states[c]!, e.get(side.body, c), undefined);
      e.bind(side.acc, states[c]!.value, c);
      e.run(side.stores, c);
    }
  }, copies.length);
}

function emitScan(nest: Nest, p: ScanPlan): void {
  for (const loop of p.prefix) nest.declare(loop, 1);
  nest.declare(p.vector, 2);
  p.scanned.forEach((loop, i) => nest.declare(loop, 3 + i));
  const wide = p.single ? undefined : lowerSide(nest, p, nest.lowering(p.vector.axis), true);
  const one = lowerSide(nest, p, nest.lowering(undefined), false);
  const roots = [...(wide ? rootsOf(wide) : []), ...rootsOf(one)];
  const copies = wide ? copiesFor(countVariant(rootsOf(wide))) : 0;
  nest.e.place(roots, 0);
  nest.units(p.prefix, Math.ceil(p.vector.size / CHUNK), (chunk) => {
    const [low, high] = nest.chunkBounds(chunk, CHUNK, p.vector.size);
    nest.e.place(roots, 1);
    nest.vector(p.vector, low, high, copies, (n) => emitTurn(nest, p, n === 0 ? one : wide!, n));
  });
}

/** Lowers a scan kernel. */
export function lowerScan(kernel: ScanKernel): LoweredKernel {
  checkTypes([...kernel.inputs, ...kernel.outputs].map((x) => x.dtype));
  const size = sizeOf(kernel.shape);
  if (size === 0) {
    return { passes: [{ units: 0, grain: 1, host: new Map(), emit: emitNothing }], scratch: [] };
  }
  const p = plan(kernel);
  const slots = plainSlots(kernel);
  const units = Math.ceil(p.vector.size / CHUNK) * sizeOf(p.prefix.map((l) => l.size));
  const roots = [p.body, ...p.stores.flatMap((s) => [s.value, s.index])];
  return {
    passes: [{
      units,
      grain: grainOf(units, size * nodeCost(roots, p.single)),
      host: hostFunctions(roots),
      emit: (module, name) => defineKernel(module, name, slots, (nest) => emitScan(nest, p)),
    }],
    scratch: [],
  };
}
