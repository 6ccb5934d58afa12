/**
 * Affine sums of index arithmetic: `Σ coefficient · atom + constant`, and the ranges of values.
 *
 * Atoms are compared by identity, so all nodes must come from one `Interner`.
 */
import { childrenOf, type Expr, int } from "./expr.ts";

/** Lowest and highest value, both included. */
export type Range = readonly [low: number, high: number];

/** Lowest int32. */
export const INT_LOW = -2147483648;
/** Highest int32. */
export const INT_HIGH = 2147483647;

/** All of int32: nothing is known. */
export const ANY_INT: Range = [INT_LOW, INT_HIGH];

/** `coefficient · atom`. */
export interface Term {
  readonly atom: Expr;
  readonly coefficient: number;
}

/** `Σ coefficient · atom + constant`; each atom once, no coefficient 0. */
export interface Linear {
  readonly terms: readonly Term[];
  readonly constant: number;
}

/** Whether every value of the range is an int32, so that the sum cannot have wrapped. */
export function fitsInt32(range: Range): boolean {
  return range[0] >= INT_LOW && range[1] <= INT_HIGH;
}

/** The values in both ranges; `a` where they contradict each other (unreachable code). */
export function intersect(a: Range, b: Range): Range {
  const low = Math.max(a[0], b[0]), high = Math.min(a[1], b[1]);
  return low <= high ? [low, high] : a;
}

/** Range of `x · factor` for `x` in `range`. */
export function scaleRange(range: Range, factor: number): Range {
  const a = range[0] * factor, b = range[1] * factor;
  return a <= b ? [a, b] : [b, a];
}

/** Greatest common divisor of the coefficients, at least 1. */
export function commonFactor(terms: readonly Term[]): number {
  let divisor = 0;
  for (const { coefficient } of terms) divisor = gcd(divisor, Math.abs(coefficient));
  return Math.max(divisor, 1);
}

/** Greatest common divisor of two non-negative integers. */
export function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** The affine sum that `x` is; any node that is not a sum is an atom. */
export function linearOf(x: Expr): Linear {
  const sums = new Map<Expr, number>();
  const constant = collect(x, 1, sums);
  return linearFrom(sums, constant);
}

/** The sum with these coefficients. */
export function linearFrom(sums: ReadonlyMap<Expr, number>, constant: number): Linear {
  const terms: Term[] = [];
  for (const [atom, coefficient] of sums) {
    if (coefficient !== 0) terms.push({ atom, coefficient });
  }
  return { terms, constant: constant | 0 };
}

/** Adds `factor · x` to `sums`; returns what it adds to the constant. */
function collect(x: Expr, factor: number, sums: Map<Expr, number>): number {
  if (x.kind === "const") return Math.imul(x.value, factor);
  if (x.kind === "call" && x.dtype === "int32") {
    const [a, b] = x.args as [Expr, Expr];
    switch (x.op) {
      case "add":
        return (collect(a, factor, sums) + collect(b, factor, sums)) | 0;
      case "sub":
        return (collect(a, factor, sums) + collect(b, Math.imul(factor, -1), sums)) | 0;
      case "neg":
        return collect(a, Math.imul(factor, -1), sums);
      case "mul":
        if (b.kind === "const") return collect(a, Math.imul(factor, b.value), sums);
        if (a.kind === "const") return collect(b, Math.imul(factor, a.value), sums);
    }
  }
  sums.set(x, ((sums.get(x) ?? 0) + factor) | 0);
  return 0;
}

/** `a + factor · b`. */
export function addLinear(a: Linear, b: Linear, factor: number): Linear {
  const sums = new Map<Expr, number>();
  for (const { atom, coefficient } of a.terms) sums.set(atom, coefficient);
  for (const { atom, coefficient } of b.terms) {
    sums.set(atom, ((sums.get(atom) ?? 0) + Math.imul(coefficient, factor)) | 0);
  }
  return linearFrom(sums, a.constant + Math.imul(b.constant, factor));
}

/** Gives equal nodes one identity. */
export class Interner {
  readonly #nodes: Map<string, Expr> = new Map();
  readonly #ids: Map<Expr, number> = new Map();

  /** The one node equal to `x`, whose children are already interned. */
  intern(x: Expr): Expr {
    if (this.#ids.has(x)) return x;
    const key = this.#key(x);
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    this.#nodes.set(key, x);
    this.#ids.set(x, this.#ids.size);
    return x;
  }

  /** Number of an interned node. */
  id(x: Expr): number {
    const id = this.#ids.get(x);
    if (id === undefined) throw new Error(`internal: a ${x.kind} node was not interned`);
    return id;
  }

  #key(x: Expr): string {
    switch (x.kind) {
      case "const":
        return `c${x.dtype}${Object.is(x.value, -0) ? "-0" : x.value}`;
      case "axis":
        return `x${x.axis},${x.size}`;
      case "acc":
        return `r${x.dtype}${x.slot}`;
      case "load":
        return `l${x.dtype}${x.input},${this.id(x.index)},${x.guard ? this.id(x.guard) : ""}`;
      case "call": {
        let key = `${x.op}:${x.dtype}`;
        for (const arg of x.args) key += `,${this.id(arg)}`;
        return key;
      }
    }
  }
}

/** The one spelling of an affine sum: large strides first, positive terms first, constant last. */
export function buildLinear(linear: Linear, interner: Interner): Expr {
  const terms = orderTerms(linear.terms);
  const first = terms.findIndex((t) => t.coefficient > 0);
  if (first > 0) terms.unshift(...terms.splice(first, 1));
  function node(op: "add" | "sub" | "mul", a: Expr, b: Expr): Expr {
    return interner.intern({ kind: "call", op, dtype: "int32", args: [a, b] });
  }
  function constantOf(value: number): Expr {
    return interner.intern(int(value));
  }
  let sum: Expr | undefined;
  for (const { atom, coefficient } of terms) {
    const size = sum === undefined ? coefficient : Math.abs(coefficient);
    const term = size === 1 ? atom : node("mul", atom, constantOf(size));
    sum = sum === undefined ? term : node(coefficient < 0 ? "sub" : "add", sum, term);
  }
  const { constant } = linear;
  if (sum === undefined) return constantOf(constant);
  if (constant === 0) return sum;
  // The lowest int32 has no negative.
  return constant > 0 || constant === INT_LOW
    ? node("add", sum, constantOf(constant))
    : node("sub", sum, constantOf(-constant));
}

/** Terms by falling stride, then by structure, so that the order does not depend on history. */
export function orderTerms(terms: readonly Term[]): Term[] {
  return [...terms].sort((a, b) =>
    Math.abs(b.coefficient) - Math.abs(a.coefficient) || compareExpr(a.atom, b.atom)
  );
}

const KIND_ORDER = { axis: 0, acc: 1, const: 2, load: 3, call: 4 };

/** A total order of expressions by structure. */
export function compareExpr(a: Expr, b: Expr): number {
  if (a === b) return 0;
  if (a.kind !== b.kind) return KIND_ORDER[a.kind] - KIND_ORDER[b.kind];
  const own = compareOwn(a, b);
  if (own !== 0) return own;
  const left = childrenOf(a), right = childrenOf(b);
  for (let i = 0; i < left.length && i < right.length; i++) {
    const order = compareExpr(left[i]!, right[i]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareOwn(a: Expr, b: Expr): number {
  if (a.kind === "const" && b.kind === "const") return a.value - b.value;
  if (a.kind === "axis" && b.kind === "axis") return a.axis - b.axis || a.size - b.size;
  if (a.kind === "acc" && b.kind === "acc") return a.slot - b.slot;
  if (a.kind === "load" && b.kind === "load") return a.input - b.input;
  if (a.kind === "call" && b.kind === "call") {
    return a.op < b.op ? -1 : a.op > b.op ? 1 : 0;
  }
  return 0;
}
