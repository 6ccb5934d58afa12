/**
 * Code for `scatter` kernels: a map that lays down the start, then read, combine, write in order.
 *
 * Axes along which points never meet are split over threads; the last of them runs in vectors where
 * targets are contiguous (the gradient of an embedding adds whole rows).
 *
 * @module
 */
import { bytesOf } from "../../ir/dtype.ts";
import { type ReduceOp, type ScatterKernel, sizeOf } from "../../ir/kernel.ts";
import type { FunctionBuilder, Local } from "./assembler.ts";
import { countVariant, type Value } from "./emit.ts";
import { arrangeLoops, loadsOf, type Loop, vectorCost } from "./emit_axes.ts";
import type { Lowering } from "./emit_lower.ts";
import {
  checkTypes,
  copiesFor,
  defineKernel,
  grainOf,
  type KernelPass,
  type LoweredKernel,
  type Nest,
  plainSlots,
  usesFloat64,
} from "./emit_nest.ts";
import { affineOf, coefficientOf, type Node, NodeBuilder } from "./emit_node.ts";
import { lowerMap, nodeCost } from "./map.ts";
import { hostFunctions } from "./math_f64.ts";
import { accumulate } from "./reduce_accumulate.ts";

interface ScatterPlan {
  /** Parallel loops that a unit of work fixes. */
  readonly prefix: readonly Loop[];
  /** Loops in order inside a unit. */
  readonly serial: readonly Loop[];
  /** Innermost loop, in vectors unless `single`. */
  readonly vector: Loop;
  readonly chunks: number;
  readonly target: Node;
  readonly value: Node;
  readonly guard: Node | undefined;
  readonly single: boolean;
}

const NO_LOOP: Loop = { axis: 30, size: 1, group: -1 };
/** Elements of a vector axis per unit: two cache lines of each row. */
const CHUNK = 32;

function plan(kernel: ScatterKernel): ScatterPlan {
  const builder = new NodeBuilder();
  const axes = kernel.shape.map((size, i) => builder.axis(i, size));
  // Neighbours merge only if both are parallel or both serial.
  const loops = kernel.shape.map((size, i) => ({
    axis: i,
    size,
    group: kernel.parallel.includes(i) ? 1 : 0,
  }));
  const memo = new Map();
  const lift = (x: ScatterKernel["target"]) => builder.lift(x, axes, memo);
  const roots = [kernel.target, kernel.value, ...(kernel.guard ? [kernel.guard] : [])].map(lift);
  const space = arrangeLoops(builder, { loops, roots });
  const [target, value, guard] = space.roots as [Node, Node, Node?];
  const parallel = space.loops.filter((l) => l.group === 1);
  const serial = space.loops.filter((l) => l.group === 0);
  const frame = { target, value, guard, serial };
  const vector = usesFloat64(space.roots) ? undefined : findVector(parallel, target, value, guard);
  if (vector === undefined) {
    return { ...frame, prefix: parallel, vector: NO_LOOP, chunks: 1, single: true };
  }
  const prefix = parallel.filter((l) => l !== vector);
  const units = sizeOf(prefix.map((l) => l.size));
  const chunks = units >= 32 ? 1 : Math.ceil(vector.size / CHUNK);
  return { ...frame, prefix, vector, chunks, single: false };
}

/** The parallel loop along which targets are contiguous and the guard is constant. */
function findVector(
  parallel: readonly Loop[],
  target: Node,
  value: Node,
  guard: Node | undefined,
): Loop | undefined {
  let found: Loop | undefined, best = Infinity;
  for (const loop of parallel) {
    const bit = 1 << loop.axis;
    const form = affineOf(target);
    const inside = form.terms.some((t) => t.atom.kind !== "axis" && (t.atom.axes & bit) !== 0);
    if (inside || coefficientOf(form, loop.axis) !== 1 || ((guard?.axes ?? 0) & bit) !== 0) {
      continue;
    }
    const cost = vectorCost(loadsOf([value]), loop);
    if (cost < best) [found, best] = [loop, cost];
  }
  return found;
}

/** The effect of one point: nothing where the guard fails or the target is out of bounds. */
function combineEffect(nest: Nest, kernel: ScatterKernel, p: ScatterPlan, l: Lowering): Value {
  const { dtype } = kernel.outputs[0]!;
  const lanes = l.stride(p.target) === 1;
  const address = l.address(nest.output(0), p.target, bytesOf(dtype));
  const first = l.address(nest.table.make("zero", "i32", [], (f) => void f.i32(0)), p.target, 1);
  const value = lanes ? l.storedVector(p.value) : l.stored(p.value);
  const args = [address, first, value, ...(p.guard ? [l.scalar(p.guard)] : [])];
  return nest.table.fresh(undefined, args, (f, [at, target, x, guard], copy) => {
    f.get(target!).i32(kernel.size).op("i32.lt_u");
    if (guard) f.get(guard).op("i32.and");
    f.if(() => combine(f, kernel, at!, x!, lanes ? 16 * copy : undefined));
  }, { variant: lanes });
}

/** Reads, combines and writes: four lanes at a byte offset, or one element. */
function combine(
  f: FunctionBuilder,
  kernel: ScatterKernel,
  at: Local,
  x: Local,
  offset: number | undefined,
): void {
  const { dtype } = kernel.outputs[0]!;
  let result = x;
  if (kernel.op !== "set") {
    const names: Record<string, ReduceOp> = { add: "sum", mul: "prod", max: "max", min: "min" };
    const old = f.local(dtype === "float64" ? "f64" : "v128");
    f.get(at);
    if (dtype === "float64") f.memory("f64.load");
    else if (offset === undefined) f.memory("v128.load32_zero");
    else f.memory("v128.load", offset, 2);
    f.set(old);
    result = x;
    if (x.type === "i32") {
      result = f.local("v128");
      f.get(x).op("i32x4.splat").set(result);
    }
    accumulate(
      f,
      { op: names[kernel.op]!, dtype },
      { value: old, position: undefined },
      result,
      undefined,
    );
    result = old;
  }
  f.get(at, result);
  if (result.type === "f64") f.memory("f64.store");
  else if (result.type === "i32") f.memory("i32.store");
  else if (offset === undefined) f.memoryLane("v128.store32_lane", 0);
  else f.memory("v128.store", offset, 2);
}

function emitScatter(nest: Nest, kernel: ScatterKernel, p: ScatterPlan): void {
  for (const loop of p.prefix) nest.declare(loop, 1);
  p.serial.forEach((loop, i) => nest.declare(loop, 2 + i));
  nest.declare(p.vector, 2 + p.serial.length);
  const one = combineEffect(nest, kernel, p, nest.lowering(undefined));
  const wide = p.single ? undefined : combineEffect(nest, kernel, p, nest.lowering(p.vector.axis));
  const roots = wide ? [wide, one] : [one];
  const copies = wide ? Math.min(2, copiesFor(countVariant([wide]))) : 0;
  nest.e.place(roots, 0);
  nest.units(p.prefix, p.chunks, (chunk) => {
    const [low, high] = nest.chunkBounds(chunk, CHUNK, p.vector.size);
    nest.loops(p.serial, 2, roots, () => {
      nest.vector(p.vector, low, high, copies, (n) => {
        if (n === 0) nest.e.run([one]);
        for (let c = 0; c < n; c++) nest.e.run([wide!], c);
      });
    });
  });
}

/** Lowers a scatter kernel: the start, if there is one, then the points. */
export function lowerScatter(kernel: ScatterKernel): LoweredKernel {
  checkTypes([...kernel.inputs, ...kernel.outputs].map((x) => x.dtype));
  const slots = plainSlots(kernel);
  const { dtype } = kernel.outputs[0]!;
  const start = kernel.init
    ? [lowerMap({
      kind: "map",
      shape: [kernel.size],
      inputs: kernel.inputs,
      outputs: [{ dtype, value: kernel.init, index: undefined }],
    }, slots)]
    : [];
  const size = sizeOf(kernel.shape);
  if (size === 0) return { passes: start, scratch: [] };
  const p = plan(kernel);
  const units = p.chunks * sizeOf(p.prefix.map((l) => l.size));
  const roots = [p.target, p.value, ...(p.guard ? [p.guard] : [])];
  const points: KernelPass = {
    units,
    grain: grainOf(units, size * (1 + nodeCost(roots, p.single))),
    host: hostFunctions(roots),
    emit: (module, name) =>
      defineKernel(module, name, slots, (nest) => emitScatter(nest, kernel, p)),
  };
  return { passes: [...start, points], scratch: [] };
}
