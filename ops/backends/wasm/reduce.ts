/**
 * Code for `reduce` kernels.
 *
 * Vectors run along the reduced axis (rows: lanes come together at the end) or along an outer axis
 * (columns: each lane is its own result), whichever makes the loads contiguous. Reductions that do
 * not need each other's results run in one pass; later ones and the outputs read the row again,
 * which is in the cache by then.
 *
 * @module
 */
import { type ReduceKernel, sizeOf } from "../../ir/kernel.ts";
import type { Operand } from "./assembler.ts";
import { countVariant, type Value } from "./emit.ts";
import type { Loop } from "./emit_axes.ts";
import type { Lowering } from "./emit_lower.ts";
import { boundValue } from "./emit_values.ts";
import {
  checkTypes,
  copiesFor,
  defineKernel,
  grainOf,
  type KernelPass,
  type LoweredKernel,
  type Nest,
  plainSlots,
  type Slots,
} from "./emit_nest.ts";
import { emitNothing, nodeCost } from "./map.ts";
import { hostFunctions } from "./math_f64.ts";
import {
  accumulate,
  combineLanes,
  combineStates,
  isArg,
  newState,
  resetState,
  spreadFirst,
  type State,
} from "./reduce_accumulate.ts";
import {
  type Item,
  NO_LOOP,
  type Parts,
  planReduce,
  type ReducePlan,
  type Store,
} from "./reduce_plan.ts";
import { splitReduce } from "./reduce_split.ts";

/** Loop sizes between two flushes of a sum into a total: bounds the error of long sums. */
const ROW_BLOCK = 2048;
const COLUMN_BLOCK = 128;
/** Columns per unit of work: four vectors, one cache line of each row. */
const COLUMN_CHUNK = 16;

/** Values of one stage in one lowering. */
interface LoweredItem {
  readonly item: Item;
  readonly body: Value;
  readonly position: Value | undefined;
}

/** Lowerings of a plan: in vectors and one by one, each with its own results of reductions. */
class Side {
  readonly lowering: Lowering;
  readonly stages: LoweredItem[][];
  readonly accs: Value[] = [];
  readonly rowStores: Value[];
  readonly fullStores: Value[];
  readonly kept: Value[];

  constructor(nest: Nest, plan: ReducePlan, axis: number | undefined, level: number) {
    this.lowering = nest.lowering(axis);
    const items = plan.stages.flat();
    for (const item of items) {
      const type = isArg(item.op) && item.dtype === "float64"
        ? "i32"
        : item.dtype === "float64"
        ? "f64"
        : "v128";
      const variant = axis !== undefined && plan.columns;
      const acc = boundValue(nest.table, type, level, variant);
      this.accs.push(acc);
      this.lowering.bindAcc(item.slot, acc);
    }
    this.stages = plan.stages.map((stage) => stage.map((item) => this.#item(item)));
    const store = (s: Store) => this.lowering.store(nest.output(s.output), s.index, s.value);
    this.fullStores = plan.fullStores.map(store);
    this.kept = plan.kept.map(store);
    this.rowStores = axis === undefined || plan.columns ? plan.rowStores.map(store) : [];
  }

  #item(item: Item): LoweredItem {
    const { lowering } = this;
    const wide = item.dtype !== "float64";
    const body = wide ? lowering.vector(item.body) : lowering.native(item.body);
    const at = isArg(item.op)
      ? wide ? lowering.vector(item.position) : lowering.scalar(item.position)
      : undefined;
    return { item, body, position: at };
  }

  /** Everything that has to be computed, for hoisting. */
  roots(): Value[] {
    const bodies = this.stages.flat().flatMap((s) => s.position ? [s.body, s.position] : [s.body]);
    return [...bodies, ...this.rowStores, ...this.fullStores, ...this.kept];
  }
}

function bodiesOf(stage: readonly LoweredItem[]): Value[] {
  return stage.flatMap((s) => s.position ? [s.body, s.position] : [s.body]);
}

/** Takes one turn's values into the accumulators. */
function takeIn(nest: Nest, side: Side, k: number, states: readonly State[], copy: number): void {
  const stage = side.stages[k]!;
  stage.forEach(({ item, body, position }, i) => {
    const x = nest.e.get(body, copy);
    const at = position && nest.e.get(position, copy);
    accumulate(nest.f, item, states[i]!, x, at);
  });
  if (k === side.stages.length - 1) nest.e.run(side.kept, copy);
}

function newStates(nest: Nest, stage: readonly LoweredItem[]): State[] {
  return stage.map(({ item }) => newState(nest.f, item));
}

function resetAll(nest: Nest, stage: readonly LoweredItem[], states: readonly State[]): void {
  stage.forEach(({ item }, i) => resetState(nest.f, item, states[i]!));
}

function combineAll(
  nest: Nest,
  stage: readonly LoweredItem[],
  into: readonly State[],
  from: readonly State[],
): void {
  stage.forEach(({ item }, i) => combineStates(nest.f, item, into[i]!, from[i]!));
}

function releaseAll(nest: Nest, states: readonly State[]): void {
  for (const s of states) {
    nest.f.release(s.value);
    if (s.position) nest.f.release(s.position);
  }
}

/** Runs `body(low, high)` over blocks of a loop. */
function blocks(
  nest: Nest,
  loop: Loop,
  block: number,
  body: (low: Operand, high: Operand) => void,
): void {
  const [start, end] = nest.rangeOf(loop);
  if (loop.size <= block) return body(start, end);
  const { f } = nest;
  const [low, high] = [f.local("i32"), f.local("i32")];
  f.range(low, start, end, block, () => {
    f.get(low).i32(block).op("i32.add").set(high);
    f.get(high).push(end).get(high).push(end).op("i32.lt_s", "select").set(high);
    nest.e.scope(() => body(low, high));
  });
}

/** Whether a stage's sums are long enough to be summed in blocks. */
function isBlocked(stage: readonly LoweredItem[], total: number, block: number): boolean {
  return total > block && stage.some(({ item }) => item.op === "sum" && item.dtype !== "float64");
}

/** Emits one stage along rows; leaves the results bound for both sides. */
function emitRowStage(nest: Nest, plan: ReducePlan, k: number, wide: Side | undefined, one: Side) {
  const stage = one.stages[k]!;
  const lanes = wide?.stages[k];
  const kept = k === plan.stages.length - 1 ? [...(wide?.kept ?? []), ...one.kept] : [];
  const roots = [...(lanes ? bodiesOf(lanes) : []), ...bodiesOf(stage), ...kept];
  const others = plan.reduced.filter((l) => l !== plan.vector);
  const copies = lanes ? copiesFor(countVariant(bodiesOf(lanes)) + 2 * stage.length) : 0;
  const total = sizeOf(plan.reduced.map((l) => l.size));
  const blocked = isBlocked(stage, total, ROW_BLOCK);
  const states = Array.from({ length: copies }, () => newStates(nest, stage));
  const tail = newStates(nest, stage);
  const totals = blocked && copies > 0 ? newStates(nest, stage) : undefined;
  for (const s of [...states, tail, ...(totals ? [totals] : [])]) resetAll(nest, stage, s);
  nest.loops(others, 2, roots, () => {
    blocks(nest, plan.vector, blocked ? ROW_BLOCK : Infinity, (low, high) => {
      if (totals) { for (const s of states) resetAll(nest, stage, s); }
      nest.vector(plan.vector, low, high, copies, (n) => {
        if (n === 0) takeIn(nest, one, k, tail, 0);
        for (let c = 0; c < n; c++) takeIn(nest, wide!, k, states[c]!, c);
      });
      if (totals) {
        mergeCopies(nest, stage, states);
        combineAll(nest, stage, totals, states[0]!);
      }
    });
  });
  if (copies > 0) {
    if (!totals) mergeCopies(nest, stage, states);
    const sum = totals ?? states[0]!;
    stage.forEach(({ item }, i) => {
      combineLanes(nest.f, item, sum[i]!);
      combineStates(nest.f, item, tail[i]!, sum[i]!);
    });
  }
  stage.forEach(({ item }, i) => {
    spreadFirst(nest.f, tail[i]!);
    const local = tail[i]!.position ?? tail[i]!.value;
    for (const side of [wide, one]) if (side) nest.e.bind(side.accs[item.slot]!, local);
  });
  for (const s of states) releaseAll(nest, s);
  if (totals) releaseAll(nest, totals);
}

/** Brings the copies together in the first, as a tree. */
function mergeCopies(nest: Nest, stage: readonly LoweredItem[], states: readonly State[][]): void {
  for (let step = states.length >> 1; step > 0; step >>= 1) {
    for (let c = 0; c < step; c++) combineAll(nest, stage, states[c]!, states[c + step]!);
  }
}

/** Loops that a unit of work fixes: outer ones, then the part. */
function unitLoops(plan: ReducePlan, outer: readonly Loop[]): readonly Loop[] {
  return plan.parts ? [...outer, plan.parts.loop] : outer;
}

/** Restricts the outermost reduced loop to the unit's part. */
function setPart(nest: Nest, plan: ReducePlan): void {
  const first = plan.reduced[0];
  if (plan.parts === undefined || first === undefined) return;
  const part = nest.e.get(nest.counter(plan.parts.loop), 0);
  nest.setRange(first, nest.chunkBounds(part, plan.parts.length, first.size));
}

function emitRows(nest: Nest, plan: ReducePlan): void {
  const { e } = nest;
  for (const loop of unitLoops(plan, plan.outer)) nest.declare(loop, 1);
  const others = plan.reduced.filter((l) => l !== plan.vector);
  others.forEach((loop, i) => nest.declare(loop, 2 + i));
  nest.declare(plan.vector, 2 + others.length);
  const wide = plan.single ? undefined : new Side(nest, plan, plan.vector.axis, 1);
  const one = new Side(nest, plan, undefined, 1);
  const roots = [...(wide?.roots() ?? []), ...one.roots()];
  e.place(roots, 0);
  nest.units(unitLoops(plan, plan.outer), 1, () => {
    setPart(nest, plan);
    plan.stages.forEach((_, k) => emitRowStage(nest, plan, k, wide, one));
    // Full outputs come first: what they read may be the array that they write.
    if (plan.fullStores.length > 0) {
      const stores = wide?.fullStores ?? [];
      nest.loops(others, 2, [...stores, ...one.fullStores], () => {
        nest.stores(plan.vector, 0, plan.vector.size, stores, one.fullStores);
      });
    }
    e.run(one.rowStores);
  });
}

/** One turn of the vector loop over columns: `n` vectors side by side, or one element. */
function emitColumnTurn(nest: Nest, plan: ReducePlan, side: Side, n: number): void {
  const { e } = nest;
  const copies = Array.from({ length: Math.max(1, n) }, (_, c) => c);
  const level = 3;
  const total = sizeOf(plan.reduced.map((l) => l.size));
  const outer = plan.reduced.slice(0, -1);
  const inner = plan.reduced.at(-1) ?? NO_LOOP;
  side.stages.forEach((stage, k) => {
    const blocked = isBlocked(stage, total, COLUMN_BLOCK);
    const states = copies.map(() => newStates(nest, stage));
    const totals = blocked ? copies.map(() => newStates(nest, stage)) : states;
    for (const s of totals) resetAll(nest, stage, s);
    const kept = k === side.stages.length - 1 ? side.kept : [];
    const roots = [...bodiesOf(stage), ...kept];
    nest.loops(outer, level, roots, () => {
      e.place(roots, level + outer.length - 1, copies.length);
      blocks(nest, inner, blocked ? COLUMN_BLOCK : Infinity, (low, high) => {
        if (blocked) { for (const s of states) resetAll(nest, stage, s); }
        e.loop(nest.counter(inner), low, high, 1, () => {
          for (const c of copies) takeIn(nest, side, k, states[c]!, c);
        });
        if (blocked) { for (const c of copies) combineAll(nest, stage, totals[c]!, states[c]!); }
      });
    }, copies.length);
    for (const c of copies) {
      stage.forEach(({ item }, i) => {
        const { position, value } = totals[c]![i]!;
        e.bind(side.accs[item.slot]!, position ?? value, c);
      });
    }
    if (blocked) { for (const s of states) releaseAll(nest, s); }
  });
  if (side.fullStores.length > 0) {
    nest.loops(plan.reduced, level, side.fullStores, () => {
      for (const c of copies) e.run(side.fullStores, c);
    }, copies.length);
  }
  for (const c of copies) e.run(side.rowStores, c);
}

function emitColumns(nest: Nest, plan: ReducePlan): void {
  const { e } = nest;
  const prefix = unitLoops(plan, plan.outer.filter((l) => l !== plan.vector));
  for (const loop of prefix) nest.declare(loop, 1);
  nest.declare(plan.vector, 2);
  const reduced = plan.reduced.length > 0 ? plan.reduced : [NO_LOOP];
  reduced.forEach((loop, i) => nest.declare(loop, 3 + i));
  const wide = plan.single ? undefined : new Side(nest, plan, plan.vector.axis, 2);
  const one = new Side(nest, plan, undefined, 2);
  const roots = [...(wide?.roots() ?? []), ...one.roots()];
  const values = wide ? countVariant(bodiesOf(wide.stages.flat())) + wide.accs.length : 0;
  const copies = wide ? copiesFor(values) : 0;
  e.place(roots, 0);
  nest.units(prefix, columnChunks(plan), (chunk) => {
    const [low, high] = typeof chunk === "number"
      ? [0, plan.vector.size]
      : nest.chunkBounds(chunk, COLUMN_CHUNK, plan.vector.size);
    setPart(nest, plan);
    e.place(roots, 1);
    nest.vector(plan.vector, low, high, copies, (n) => {
      emitColumnTurn(nest, plan, n === 0 ? one : wide!, n);
    });
  });
}

function columnChunks(plan: ReducePlan): number {
  return Math.ceil(plan.vector.size / COLUMN_CHUNK);
}

/** Outputs can be read too, behind the inputs: values wait in them. */
function withOutputs(slots: Slots): Slots {
  return { inputs: [...slots.inputs, ...slots.outputs], outputs: slots.outputs };
}

function unitsOf(p: ReducePlan): number {
  const outer = sizeOf(p.outer.map((l) => l.size));
  return p.columns ? outer / p.vector.size * columnChunks(p) : outer;
}

/** Units of work of the kernel in one pass, and turns of its outermost reduced loop. */
export function reduceShape(kernel: ReduceKernel): { units: number; turns: number } {
  const p = planReduce(kernel, undefined);
  return { units: unitsOf(p), turns: p.reduced[0]?.size ?? 1 };
}

/** Lowers one reduce kernel to one function, with results per part where `parts` are given. */
export function lowerReducePass(kernel: ReduceKernel, slots: Slots, parts?: Parts): KernelPass {
  checkTypes([...kernel.inputs, ...kernel.outputs].map((x) => x.dtype));
  const outer = sizeOf(kernel.shape);
  if (outer === 0) return { units: 0, grain: 1, host: new Map(), emit: emitNothing };
  const p = planReduce(kernel, parts);
  const units = unitsOf(p) * (parts?.count ?? 1);
  const bodies = p.stages.flat().map((i) => i.body);
  const values = [...p.rowStores, ...p.fullStores].map((s) => s.value);
  const cost = nodeCost([...bodies, ...p.fullStores.map((s) => s.value)], p.single);
  const ns = outer * (8 + sizeOf(kernel.reduce) * cost);
  return {
    units,
    grain: grainOf(units, ns),
    host: hostFunctions([...bodies, ...values]),
    emit: (module, name) =>
      defineKernel(module, name, withOutputs(slots), (nest) => {
        if (p.columns) emitColumns(nest, p);
        else emitRows(nest, p);
      }),
  };
}

/** Lowers a reduce kernel: to one function, or to several where few results need long sums. */
export function lowerReduce(kernel: ReduceKernel): LoweredKernel {
  return splitReduce(kernel) ??
    { passes: [lowerReducePass(kernel, plainSlots(kernel))], scratch: [] };
}
