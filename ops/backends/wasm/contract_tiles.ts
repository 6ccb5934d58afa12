/**
 * Functions that matrix products call back: operands computed while they are packed, and what
 * follows the sums, over one finished tile.
 *
 * Both get ranges of flat row, column or k numbers. One side (the one with the vector axis) is
 * walked in runs along its innermost loop; of the other each number is taken apart by divisions,
 * once per run.
 *
 * @module
 */
import type { FunctionBuilder, Local } from "./assembler.ts";
import type { CodeModule, Value } from "./emit.ts";
import { arrangeLoops, loadsOf, type Loop, vectorCost } from "./emit_axes.ts";
import type { Lowering } from "./emit_lower.ts";
import { boundValue } from "./emit_values.ts";
import { Nest, type Slots } from "./emit_nest.ts";
import type { Node, NodeBuilder } from "./emit_node.ts";
import { HOOK, PACK } from "./gemm_args.ts";

/** Group numbers of the loops of a product. */
export const GROUPS = { batch: 0, m: 1, n: 2, k: 3 } as const;

/** A name of a group. */
export type GroupName = keyof typeof GROUPS;

/** Expressions over the axes of a product, each axis in its group. */
export interface TileSpace {
  readonly loops: readonly Loop[];
  readonly roots: readonly Node[];
}

const NO_LOOP: Loop = { axis: 30, size: 1, group: -1 };

interface Side {
  /** Loops of the group, outermost first. */
  readonly loops: readonly Loop[];
  readonly low: Local;
  readonly high: Local;
}

/** Coordinates of `loops` from a flat number, which is used up; the last one is returned too. */
function takeApart(nest: Nest, flat: Local, loops: readonly Loop[]): Local | undefined {
  const { f, e } = nest;
  let last: Local | undefined;
  for (let i = loops.length - 1; i >= 0; i--) {
    const { size } = loops[i]!;
    let coordinate = flat;
    if (i > 0) {
      coordinate = f.local("i32");
      f.get(flat).i32(size).op("i32.rem_u").set(coordinate);
      f.get(flat).i32(size).op("i32.div_u").set(flat);
    }
    e.bind(nest.counter(loops[i]!), coordinate);
    last ??= coordinate;
  }
  return last;
}

/** What a turn of the vector loop does. */
interface Turn {
  readonly wide: readonly Value[];
  readonly one: readonly Value[];
}

interface Walk {
  /** Binds the batch's coordinates. */
  readonly batch: { readonly loops: readonly Loop[]; readonly flat: Local };
  /** The side with the vector axis as its last loop. */
  readonly runs: Side;
  readonly other: Side;
  /** Called where both sides are known: run's flat start, first coordinate, other's number. */
  readonly enter: (start: Local, first: Local, number: Local) => void;
}

/** Walks a tile: runs of the vector side, numbers of the other side, vectors. */
function walkTile(nest: Nest, walk: Walk, turn: Turn): void {
  const { f, e } = nest;
  const { runs, other } = walk;
  const roots = [...turn.wide, ...turn.one];
  const vector = runs.loops.at(-1) ?? NO_LOOP;
  takeApart(nest, walk.batch.flat, walk.batch.loops);
  e.place(roots, 1);
  const [position, end] = f.locals("i32", 2) as [Local, Local];
  f.get(runs.low).set(position);
  f.block((done) =>
    f.loop((again) => {
      f.get(position, runs.high).op("i32.ge_s").brIf(done);
      e.scope(() => {
        const flat = f.local("i32");
        f.get(position).set(flat);
        const first = takeApart(nest, flat, runs.loops) ?? zero(f);
        // The run ends with the innermost loop or with the range.
        f.get(first, runs.high).op("i32.add").get(position).op("i32.sub").set(end);
        f.get(end).i32(vector.size).get(end).i32(vector.size).op("i32.lt_s", "select").set(end);
        e.place(roots, 2);
        const number = boundValue(nest.table, "i32", 3);
        e.loop(number, other.low, other.high, 1, () => {
          const rest = f.local("i32");
          f.get(e.get(number, 0)).set(rest);
          takeApart(nest, rest, other.loops);
          walk.enter(position, first, e.get(number, 0));
          e.place(roots, 3);
          nest.stores(vector, first, end, turn.wide, turn.one);
        });
        f.get(position, end).op("i32.add").get(first).op("i32.sub").set(position);
      });
      f.br(again);
    })
  );
}

function zero(f: FunctionBuilder): Local {
  const local = f.local("i32");
  f.i32(0).set(local);
  return local;
}

function declareLevels(nest: Nest, batch: readonly Loop[], runs: Side, other: Side): void {
  for (const l of batch) nest.declare(l, 1);
  for (const l of runs.loops.slice(0, -1)) nest.declare(l, 2);
  for (const l of other.loops) nest.declare(l, 3);
  nest.declare(runs.loops.at(-1) ?? NO_LOOP, 4);
}

function groupOf(space: TileSpace, name: GroupName): Loop[] {
  return space.loops.filter((l) => l.group === GROUPS[name]);
}

/** Which of two groups has the better vector axis. */
function vectorGroup(
  space: TileSpace,
  stores: readonly { index: Node; store: boolean }[],
  first: GroupName,
  second: GroupName,
): GroupName {
  const accesses = [...loadsOf(space.roots), ...stores];
  const cost = (name: GroupName) => {
    const loop = groupOf(space, name).at(-1);
    return loop ? vectorCost(accesses, loop) : Infinity;
  };
  return cost(first) <= cost(second) ? first : second;
}

/** An operand that is computed while it is packed. */
export interface PackedOperand {
  readonly builder: NodeBuilder;
  readonly space: TileSpace;
  /** The group beside k: `m` for the left operand, `n` for the right one. */
  readonly side: "m" | "n";
  readonly slots: Slots;
  /** Bytes from one row or column, and from one k, to the next in the packed form. */
  readonly sideStep: number;
  readonly kStep: number;
}

/** Defines a pack function (see `PACK` in `gemm_args.ts`). */
export function emitPackFunction(module: CodeModule, name: string, operand: PackedOperand): void {
  const space = arrangeLoops(operand.builder, operand.space);
  const value = space.roots[0]!;
  module.builder.func({ ...PACK, export: name }, (f) => {
    const [, batch, first, last, kFirst, kLast, target] = f.params as Local[] & [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const nest = new Nest(f, module, operand.slots);
    const side = { loops: groupOf(space, operand.side), low: first, high: last };
    const k = { loops: groupOf(space, "k"), low: kFirst, high: kLast };
    const sideRuns = vectorGroup(space, [], operand.side, "k") !== "k";
    const [runs, other] = sideRuns ? [side, k] : [k, side];
    const [runStep, otherStep] = sideRuns
      ? [operand.sideStep, operand.kStep]
      : [operand.kStep, operand.sideStep];
    const batchLoops = groupOf(space, "batch");
    declareLevels(nest, batchLoops, runs, other);
    const vector = runs.loops.at(-1) ?? NO_LOOP;
    const row = boundValue(nest.table, "i32", 3);
    const store = (l: Lowering) => [l.storeAlong(row, nest.counter(vector), runStep / 4, value)];
    const turn = {
      wide: runs.loops.length > 0 ? store(nest.lowering(vector.axis)) : [],
      one: store(nest.lowering(undefined)),
    };
    nest.e.place([...turn.wide, ...turn.one], 0);
    walkTile(nest, {
      batch: { loops: batchLoops, flat: batch },
      runs,
      other,
      enter: (start, coordinate, number) => {
        // target + (number − low) · step + (start − low − coordinate) · step
        const at = f.local("i32");
        f.get(target).get(number, other.low).op("i32.sub").i32(otherStep).op("i32.mul", "i32.add");
        f.get(start, runs.low).op("i32.sub").get(coordinate).op("i32.sub").i32(runStep);
        f.op("i32.mul", "i32.add").set(at);
        nest.e.bind(row, at);
      },
    }, turn);
  });
}

/** What follows the sums: values at indices, of all outputs. */
export interface Epilogue {
  readonly builder: NodeBuilder;
  /** Roots: value and index of each output in turn. */
  readonly space: TileSpace;
  readonly slots: Slots;
}

/** Defines a hook (see `HOOK` in `gemm_args.ts`). */
export function emitHookFunction(module: CodeModule, name: string, epilogue: Epilogue): void {
  const space = arrangeLoops(epilogue.builder, epilogue.space);
  const stores = space.roots.flatMap((value, i) =>
    i % 2 === 0 ? [{ value, index: space.roots[i + 1]!, store: true }] : []
  );
  module.builder.func({ ...HOOK, export: name }, (f) => {
    const [, batch, rowFirst, rowLast, first, last] = f.params as Local[] & [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const nest = new Nest(f, module, epilogue.slots);
    const rows = { loops: groupOf(space, "m"), low: rowFirst, high: rowLast };
    const columns = { loops: groupOf(space, "n"), low: first, high: last };
    const byColumns = vectorGroup(space, stores, "n", "m") === "n";
    const [runs, other] = byColumns ? [columns, rows] : [rows, columns];
    const batchLoops = groupOf(space, "batch");
    declareLevels(nest, batchLoops, runs, other);
    const vector = runs.loops.at(-1);
    const effects = (l: Lowering) =>
      stores.map(({ value, index }, i) => l.store(nest.output(i), index, value));
    const turn = {
      wide: vector ? effects(nest.lowering(vector.axis)) : [],
      one: effects(nest.lowering(undefined)),
    };
    nest.e.place([...turn.wide, ...turn.one], 0);
    const batchFlat = { loops: batchLoops, flat: batch };
    walkTile(nest, { batch: batchFlat, runs, other, enter: () => {} }, turn);
  });
}
