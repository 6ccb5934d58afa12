/** Comparisons of index arithmetic as bounds on affine forms, and conjunctions of them. */
import type { CallExpr, Expr } from "./expr.ts";
import {
  addLinear,
  commonFactor,
  fitsInt32,
  INT_LOW,
  type Interner,
  type Linear,
  orderTerms,
  type Range,
  type Term,
} from "./simplify_linear.ts";
import type { Simplifier } from "./simplify.ts";

/** An affine sum without constant, coefficients without common factor, the first one positive. */
export type Form = readonly Term[];

/** Statement that a form lies in a range. */
export interface Bound {
  readonly form: Form;
  readonly range: Range;
}

/** The form of which `terms` is `factor` times. */
export function formOf(terms: readonly Term[]): { form: Form; factor: number } {
  const ordered = orderTerms(terms);
  const divisor = commonFactor(ordered);
  const factor = ordered[0]!.coefficient < 0 ? -divisor : divisor;
  if (factor === 1) return { form: ordered, factor };
  const form = ordered.map((t) => ({ atom: t.atom, coefficient: t.coefficient / factor }));
  return { form, factor };
}

/** Text that is equal exactly for equal forms. */
export function formKey(form: Form, interner: Interner): string {
  return form.map((t) => `${interner.id(t.atom)}*${t.coefficient}`).join("+");
}

/**
 * What a comparison `lt`, `le` or `eq` of int32 sums says, if it is one and neither side may wrap:
 * a bound on a form, or simply true or false.
 */
export function boundOf(x: Expr, s: Simplifier): Bound | undefined {
  if (x.kind !== "call" || (x.op !== "lt" && x.op !== "le" && x.op !== "eq")) return undefined;
  const difference = differenceOf(x, s);
  if (difference === undefined || difference.terms.length === 0) return undefined;
  const { form, factor } = formOf(difference.terms);
  // form · factor + constant ≤ 0 (−1 for lt)
  const limit = -difference.constant - (x.op === "lt" ? 1 : 0);
  if (x.op === "eq") {
    const value = limit / factor;
    // A value between two integers is never reached: an empty range.
    return { form, range: Number.isInteger(value) ? [value, value] : [Infinity, -Infinity] };
  }
  return factor > 0
    ? { form, range: [-Infinity, Math.floor(limit / factor)] }
    : { form, range: [Math.ceil(limit / factor), Infinity] };
}

/** `left − right` of an int32 comparison as a sum in whole numbers; none if anything may wrap. */
export function differenceOf(x: CallExpr, s: Simplifier): Linear | undefined {
  const [a, b] = x.args as [Expr, Expr];
  if (a.dtype !== "int32" || b.dtype !== "int32") return undefined;
  const left = s.linear(a), right = s.linear(b);
  const l = s.rangeOfLinear(left), r = s.rangeOfLinear(right);
  if (!fitsInt32(l) || !fitsInt32(r)) return undefined;
  // One atom against a constant needs no arithmetic, so an unknown atom is welcome there.
  const plain = left.terms.length + right.terms.length === 1 &&
    (left.terms.length === 0 ? left : right).constant !== INT_LOW;
  if (!plain && !fitsInt32([l[0] - r[1], l[1] - r[0]])) return undefined;
  return addLinear(left, right, -1);
}

/** Bounds of the form from the ranges of its atoms and the known facts. */
export function rangeOfForm(form: Form, s: Simplifier): Range {
  return s.rangeOfLinear({ terms: form, constant: 0 });
}

/** The parts of a conjunction, each once, left to right. */
export function conjunctsOf(x: Expr): Set<Expr> {
  const parts = new Set<Expr>();
  collectParts(x, "and", parts);
  return parts;
}

/** Adds the parts of nested `and` or `or` of bools. */
export function collectParts(x: Expr, op: "and" | "or", parts: Set<Expr>): void {
  if (x.kind === "call" && x.op === op && x.dtype === "bool") {
    for (const arg of x.args) collectParts(arg, op, parts);
  } else parts.add(x);
}

/**
 * The canonical comparison(s) that say `low ≤ form ≤ high`, leaving out what the form's own range
 * already implies; a bool constant where the ranges decide.
 */
export function spellBound({ form, range }: Bound, s: Simplifier): Expr[] {
  const natural = rangeOfForm(form, s);
  const low = Math.max(range[0], natural[0]), high = Math.min(range[1], natural[1]);
  if (low > high) return [s.bool(false)];
  const needsLow = low > natural[0], needsHigh = high < natural[1];
  if (!needsLow && !needsHigh) return [];
  if (low === high) return [spellComparison("eq", form, low, s)];
  const parts: Expr[] = [];
  if (needsLow) parts.push(spellComparison("ge", form, low, s));
  if (needsHigh) parts.push(spellComparison("lt", form, high + 1, s));
  return parts;
}

/**
 * `form = value`, `form ≠ value`, `form ≥ value` or `form < value`: positive terms on one side,
 * negative ones on the other, the constant where it is added to terms only if it must be.
 */
export function spellComparison(
  relation: "eq" | "ne" | "ge" | "lt",
  form: Form,
  value: number,
  s: Simplifier,
): Expr {
  const negated = form
    .filter((t) => t.coefficient < 0)
    .map((t) => ({ atom: t.atom, coefficient: -t.coefficient }));
  const positive = s.spell({ terms: form.filter((t) => t.coefficient > 0), constant: 0 });
  const rest = s.spell({ terms: negated, constant: value });
  if (relation === "ge") return s.compare("le", rest, positive);
  return s.compare(relation, positive, rest);
}
