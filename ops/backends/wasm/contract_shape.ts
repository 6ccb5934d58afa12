/**
 * What a `contract` kernel is as matrix products: which axes are rows, columns, sums and batches, and
 * which operands lie in memory with plain strides.
 *
 * @module
 */
import type { ContractKernel } from "../../ir/kernel.ts";
import { sizeOf } from "../../ir/kernel.ts";
import type { Loop } from "./emit_axes.ts";
import {
  type Affine,
  affineOf,
  coefficientOf,
  type Node,
  NodeBuilder,
  visitNodes,
} from "./emit_node.ts";
import type { OperandPlace } from "./emit_nest.ts";
import { type GroupName, GROUPS } from "./contract_tiles.ts";

/** A kernel's expressions with its axes in groups; axes that do not fit a group are batches. */
export interface Product {
  readonly builder: NodeBuilder;
  readonly loops: readonly Loop[];
  readonly a: Node;
  readonly b: Node;
  /** Value and index of each output in turn. */
  readonly outputs: readonly Node[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batches: number;
  /** Where C lies: offsets by batch, strides of rows and columns; undefined: only in scratch. */
  readonly c: Plain | undefined;
}

/** An array with strides. In elements. */
export interface Plain {
  /** Input slot; for C: 0. */
  readonly slot: number;
  readonly row: number;
  readonly column: number;
  readonly batches: readonly number[];
}

/** The index as a sum over axes alone, or undefined. */
function axisSum(index: Node): Affine | undefined {
  const form = affineOf(index);
  return form.terms.every((t) => t.atom.kind === "axis") ? form : undefined;
}

/** The step between neighbours of the merged loops, or undefined where they do not merge. */
function chainStep(form: Affine, loops: readonly Loop[]): number | undefined {
  let step: number | undefined, next = 0;
  for (let i = loops.length - 1; i >= 0; i--) {
    const { size, axis } = loops[i]!;
    if (size === 1) continue;
    const c = coefficientOf(form, axis);
    if (step !== undefined && c !== next) return undefined;
    step ??= c;
    next = c * size;
  }
  return step ?? 0;
}

/** Value of the index for each batch, rows and columns at 0. */
function batchOffsets(form: Affine, loops: readonly Loop[]): number[] {
  let offsets = [form.offset];
  for (const { axis, size } of loops) {
    const c = coefficientOf(form, axis);
    offsets = offsets.flatMap((o) => Array.from({ length: size }, (_, i) => o + c * i));
  }
  return offsets;
}

/** Splits a group: the longest tail over which C has one stride stays, the rest is batch. */
function splitGroup(form: Affine, loops: readonly Loop[]): number {
  for (let start = 0; start < loops.length; start++) {
    if (chainStep(form, loops.slice(start)) !== undefined) return start;
  }
  return loops.length;
}

/**
 * Takes a kernel apart.
 *
 * @param kernel A contraction.
 * @param regrouped Whether outer rows and columns may become batches, so that C is plain in each.
 * @returns Its operands and groups.
 */
export function productOf(kernel: ContractKernel, regrouped = true): Product {
  const builder = new NodeBuilder();
  const groups: [GroupName, readonly number[]][] = [
    ["batch", kernel.batch],
    ["m", kernel.m],
    ["n", kernel.n],
    ["k", kernel.k],
  ];
  const loops: Loop[] = [];
  for (const [name, shape] of groups) {
    for (const size of shape) loops.push({ axis: loops.length, size, group: GROUPS[name] });
  }
  const axes = loops.map(({ axis, size }) => builder.axis(axis, size));
  const memo = new Map();
  const lift = (x: ContractKernel["a"]) => builder.lift(x, axes, memo);
  const outputs = kernel.outputs.flatMap((o) => [lift(o.value), lift(o.index!)]);
  const form = axisSum(outputs[1]!);
  const grouped = form && regrouped ? regroup(loops, form) : loops;
  const size = (name: GroupName) => sizeOf(inGroup(grouped, name).map((l) => l.size));
  const product = {
    builder,
    loops: grouped,
    a: lift(kernel.a),
    b: lift(kernel.b),
    outputs,
    m: size("m"),
    n: size("n"),
    k: size("k"),
    batches: size("batch"),
  };
  return { ...product, c: form && plainOf(form, 0, grouped, "m", "n") };
}

/** Loops of a group in order. */
export function inGroup(loops: readonly Loop[], name: GroupName): Loop[] {
  return loops.filter((l) => l.group === GROUPS[name]);
}

/** Moves outer rows and columns over which C has no single stride to the batches, in order. */
function regroup(loops: readonly Loop[], form: Affine): Loop[] {
  const moved = new Set<Loop>();
  for (const name of ["m", "n"] as const) {
    const group = inGroup(loops, name);
    // Rows and columns of one turn carry no stride; the innermost loop always stays.
    const start = splitGroup(form, group);
    for (const l of group.slice(0, Math.min(start, group.length - 1))) moved.add(l);
  }
  const batch = [
    ...inGroup(loops, "batch"),
    ...loops.filter((l) => moved.has(l)).map((l) => ({ ...l, group: GROUPS.batch })),
  ];
  const rest = loops.filter((l) => l.group !== GROUPS.batch && !moved.has(l));
  return [...batch, ...rest];
}

/** Strides of an index over rows and columns, if it has them. */
function plainOf(
  form: Affine,
  slot: number,
  loops: readonly Loop[],
  rows: GroupName,
  columns: GroupName,
): Plain | undefined {
  const row = chainStep(form, inGroup(loops, rows));
  const column = chainStep(form, inGroup(loops, columns));
  if (row === undefined || column === undefined) return undefined;
  return { slot, row, column, batches: batchOffsets(form, inGroup(loops, "batch")) };
}

/** Strides of an operand that is a plain load, if it is one. */
export function plainOperand(
  x: Node,
  loops: readonly Loop[],
  rows: GroupName,
  columns: GroupName,
): Plain | undefined {
  if (x.kind !== "load" || x.guard || x.dtype !== "float32") return undefined;
  const form = axisSum(x.index);
  return form && plainOf(form, x.input, loops, rows, columns);
}

/** What follows the sums, as far as the product itself can do it. */
export interface SimpleEpilogue {
  readonly bias: { readonly side: "row" | "column"; readonly load: Node } | undefined;
  readonly relu: boolean;
}

/** `acc`, `acc + bias`, `max(…, 0)`: undefined for anything else. */
export function simpleEpilogue(p: Product): SimpleEpilogue | undefined {
  if (p.outputs.length !== 2) return undefined;
  let x = p.outputs[0]!;
  const relu = x.kind === "call" && x.op === "max" && isZero(x.args[1]!);
  if (relu && x.kind === "call") x = x.args[0]!;
  if (x.kind === "acc") return { bias: undefined, relu };
  if (x.kind !== "call" || x.op !== "add") return undefined;
  const [left, right] = x.args as [Node, Node];
  const term = left.kind === "acc" ? right : right.kind === "acc" ? left : undefined;
  if (term?.kind !== "load") return undefined;
  const side = biasSide(p, term);
  return side && { bias: { side, load: term }, relu };
}

function isZero(x: Node): boolean {
  return x.kind === "const" && x.value === 0;
}

/** Whether a load is one number per row or per column, contiguous. */
function biasSide(p: Product, x: Node): "row" | "column" | undefined {
  for (const [name, side] of [["m", "row"], ["n", "column"]] as const) {
    const others = p.loops.filter((l) => l.group !== GROUPS[name]);
    if (x.kind !== "load" || others.some((l) => (x.axes & (1 << l.axis)) !== 0)) continue;
    const plain = plainOperand(x, p.loops, name, "k");
    if (plain && (plain.row === 1 || p[name] === 1)) return side;
  }
  return undefined;
}

/** Where the numbers of a bias start. */
export function biasPlace(x: Node): OperandPlace {
  if (x.kind !== "load") throw new Error("internal: a bias that is no load");
  return { slot: x.input, bytes: 4 * affineOf(x.index).offset };
}

/** Whether what follows the sums reads where the first output is written: both may be one array. */
export function readsOutput(p: Product): boolean {
  let found = false;
  visitNodes(p.outputs, (x) => found ||= x.kind === "load" && x.index === p.outputs[1]);
  return found;
}

/** Row-major number of a point over batches, rows and columns. */
export function flatIndex(p: Product): Node {
  let flat = p.builder.int(0);
  for (const { axis, size, group } of p.loops) {
    if (group === GROUPS.k) continue;
    const terms = [{ coefficient: size, atom: flat }, {
      coefficient: 1,
      atom: p.builder.axis(axis, size),
    }];
    flat = p.builder.affine(terms, 0);
  }
  return flat;
}
