/**
 * Loops over which a kernel's code runs: axes split where a division by a constant becomes exact,
 * and merged where every index is contiguous over both.
 *
 * @module
 */
import { affineOf, coefficientOf, type Node, type NodeBuilder, visitNodes } from "./emit_node.ts";

/** One loop of a nest. */
export interface Loop {
  /** Number of the axis node that is its coordinate. */
  readonly axis: number;
  readonly size: number;
  /** Loops of different groups (outer, reduced) never merge. */
  readonly group: number;
}

/** Loops from the outermost to the innermost, and the values computed in them. */
export interface Space {
  readonly loops: readonly Loop[];
  readonly roots: readonly Node[];
}

/**
 * Smallest inner part that splitting an axis may leave: below two vectors, a gather along the whole
 * axis is better than a loop over less than a vector.
 */
const SMALLEST_PART = 8;

/** Axis numbers are bits of a word. */
const MOST_AXES = 31;

/** Values that stand as a whole: roots and operands of all but sums. */
export function wholeNodes(roots: readonly Node[]): Set<Node> {
  const whole = new Set<Node>(roots);
  visitNodes(roots, (x) => {
    if (x.kind === "load") {
      whole.add(x.index);
      if (x.guard) whole.add(x.guard);
    } else if (x.kind === "call") { for (const arg of x.args) whole.add(arg); }
  });
  return whole;
}

function freeAxis(used: readonly number[]): number {
  for (let axis = 0; axis < MOST_AXES; axis++) if (!used.includes(axis)) return axis;
  throw new Error("internal: more than 31 axes in a kernel");
}

/** Where an axis could be split: the size of the inner part. */
function findSplit(space: Space): { loop: Loop; part: number } | undefined {
  if (space.loops.length + 2 > MOST_AXES) return undefined;
  let found: { loop: Loop; part: number } | undefined;
  visitNodes(space.roots, (x) => {
    if (found || x.kind !== "call" || (x.op !== "idiv" && x.op !== "imod")) return;
    const [value, divisor] = x.args as [Node, Node];
    if (divisor.kind !== "const") return;
    const form = affineOf(value);
    for (const loop of space.loops) {
      const c = coefficientOf(form, loop.axis);
      const part = divisor.value / c;
      if (c <= 0 || !Number.isInteger(part) || loop.size % part !== 0) continue;
      if (part >= SMALLEST_PART && part < loop.size) found = { loop, part };
    }
  });
  return found;
}

function replaceLoops(
  builder: NodeBuilder,
  space: Space,
  axes: ReadonlyMap<number, Node>,
  loops: readonly Loop[],
): Space {
  const memo = new Map<Node, Node>();
  return { loops, roots: space.roots.map((root) => builder.substitute(root, axes, memo)) };
}

function split(builder: NodeBuilder, space: Space, loop: Loop, part: number): Space {
  const used = space.loops.map((l) => l.axis);
  const high = freeAxis(used);
  const low = freeAxis([...used, high]);
  const value = builder.affine([
    { coefficient: part, atom: builder.axis(high, loop.size / part) },
    { coefficient: 1, atom: builder.axis(low, part) },
  ], 0);
  const parts = [
    { ...loop, axis: high, size: loop.size / part },
    { ...loop, axis: low, size: part },
  ];
  const loops = space.loops.flatMap((l) => l === loop ? parts : [l]);
  return replaceLoops(builder, space, new Map([[loop.axis, value]]), loops);
}

function isMergeable(x: Node, outer: Loop, inner: Loop): boolean {
  if ((x.axes & ((1 << outer.axis) | (1 << inner.axis))) === 0) return true;
  const form = affineOf(x);
  const step = coefficientOf(form, inner.axis);
  return coefficientOf(form, outer.axis) === Math.imul(step, inner.size);
}

/** Whether it reads each element twice in a row, which merged loops do by one load for two. */
function isRepeated(x: Node, outer: Loop, inner: Loop): boolean {
  const form = affineOf(x);
  return (x.axes & (1 << inner.axis)) === 0 && coefficientOf(form, outer.axis) === 1 &&
    form.terms.every((t) => t.atom.kind === "axis");
}

function merge(builder: NodeBuilder, space: Space, at: number): Space {
  const [outer, inner] = [space.loops[at]!, space.loops[at + 1]!];
  const axis = freeAxis(space.loops.map((l) => l.axis));
  const size = outer.size * inner.size;
  const whole = builder.axis(axis, size);
  const axes = new Map([
    [outer.axis, builder.idiv(whole, inner.size)],
    [inner.axis, builder.imod(whole, inner.size)],
  ]);
  const loops = [...space.loops];
  loops.splice(at, 2, { axis, size, group: outer.group });
  return replaceLoops(builder, space, axes, loops);
}

/** Drops loops of one turn, splits, then merges, from the innermost pair outwards. */
export function arrangeLoops(builder: NodeBuilder, start: Space): Space {
  let space: Space = { loops: start.loops.filter((l) => l.size !== 1), roots: start.roots };
  for (let turn = 0; turn < 16; turn++) {
    const found = findSplit(space);
    if (found === undefined) break;
    space = split(builder, space, found.loop, found.part);
  }
  for (let at = space.loops.length - 2; at >= 0; at--) {
    const [outer, inner] = [space.loops[at]!, space.loops[at + 1]];
    if (inner === undefined || outer.group !== inner.group) continue;
    if (outer.size * inner.size >= 2 ** 31) continue;
    const whole = wholeNodes(space.roots);
    const repeats = inner.size === 2 && at === space.loops.length - 2;
    const fits = (x: Node) =>
      isMergeable(x, outer, inner) || (repeats && isRepeated(x, outer, inner));
    if ([...whole].every(fits)) space = merge(builder, space, at);
  }
  return space;
}

/**
 * Cost of running along an axis in vectors, per element: contiguous and constant loads are cheap,
 * gathers and scattered stores are not, short loops waste lanes.
 */
export function vectorCost(
  loads: readonly { readonly index: Node; readonly store: boolean }[],
  loop: Loop,
): number {
  const bit = 1 << loop.axis;
  let cost = 1;
  for (const { index, store } of loads) {
    const form = affineOf(index);
    const c = coefficientOf(form, loop.axis);
    const odd = form.terms.filter((t) => t.atom.kind !== "axis" && (t.atom.axes & bit) !== 0);
    if (odd.length > 0) cost += !store && odd.every((t) => isHalf(t.atom)) ? 2 : 7;
    else if (c === 1) cost += 1;
    else if (c === 0) cost += store ? 8 : 0.1;
    else if (c === 2 && !store) cost += 2;
    else if (c === -1) cost += 1.5;
    else cost += store ? 8 : Math.abs(c) < 16 ? 5 : 8;
  }
  const lanes = Math.floor(loop.size / 4) + (loop.size % 4);
  return cost * (lanes * 4 + 6) / loop.size;
}

/** A half, as of indices where each element serves two neighbours. */
function isHalf(x: Node): boolean {
  if (x.kind !== "call" || x.op !== "idiv") return false;
  const by = x.args[1]!;
  return by.kind === "const" && by.value === 2;
}

/** Index expressions of all loads under the roots. */
export function loadsOf(roots: readonly Node[]): { index: Node; store: boolean }[] {
  const loads: { index: Node; store: boolean }[] = [];
  visitNodes(roots, (x) => {
    if (x.kind === "load") loads.push({ index: x.index, store: false });
  });
  return loads;
}
