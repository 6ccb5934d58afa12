/** Rules of the simplifier for comparisons, conditions, selections and casts. */
import { castValue, type Expr, isConst, type LoadExpr } from "./expr.ts";
import type { DType } from "./dtype.ts";
import {
  type Bound,
  boundOf,
  collectParts,
  conjunctsOf,
  differenceOf,
  formOf,
  rangeOfForm,
  spellBound,
  spellComparison,
} from "./simplify_bounds.ts";
import { fitsInt32, INT_HIGH } from "./simplify_linear.ts";
import type { Rule } from "./simplify_rules.ts";
import type { Simplifier } from "./simplify.ts";

const COMPARISON: Rule = {
  name: "comparison by range",
  ops: ["lt", "le", "eq"],
  apply: (x, s) => {
    const difference = differenceOf(x, s);
    if (difference === undefined) return undefined;
    if (difference.terms.length === 0) {
      const { constant } = difference;
      return s.bool(x.op === "lt" ? constant < 0 : x.op === "le" ? constant <= 0 : constant === 0);
    }
    const parts = spellBound(boundOf(x, s)!, s);
    return parts.length === 0 ? s.bool(true) : parts.length === 1 ? parts[0] : undefined;
  },
};

const INEQUALITY: Rule = {
  name: "inequality by range",
  ops: ["ne"],
  apply: (x, s) => {
    const difference = differenceOf(x, s);
    if (difference === undefined) return undefined;
    if (difference.terms.length === 0) return s.bool(difference.constant !== 0);
    const { form, factor } = formOf(difference.terms);
    const value = -difference.constant / factor;
    const [low, high] = rangeOfForm(form, s);
    if (!Number.isInteger(value) || value < low || value > high) return s.bool(true);
    if (low === high) return s.bool(false);
    return spellComparison("ne", form, value, s);
  },
};

/** `y / d < v` is `y < v · d`, and `v ≤ y / d` is `v · d ≤ y`. */
const QUOTIENT_COMPARISON: Rule = {
  name: "comparison of a quotient",
  ops: ["lt", "le"],
  apply: (x, s) => {
    const [a, b] = x.args as [Expr, Expr];
    const [quotient, limit] = x.op === "lt" ? [a, b] : [b, a];
    if (quotient.kind !== "call" || quotient.op !== "idiv" || !isConst(limit)) return undefined;
    const [of, by] = quotient.args as [Expr, Expr];
    if (!isConst(by) || by.value <= 0 || limit.value <= 0) return undefined;
    if (limit.value * by.value > INT_HIGH || !fitsInt32(s.rangeOfLinear(s.linear(of)))) {
      return undefined;
    }
    const value = s.int(limit.value * by.value);
    return x.op === "lt" ? s.make("lt", [of, value]) : s.make("le", [value, of]);
  },
};

/** Equal parts once; bounds on one form become the tightest ones; contradictions become false. */
const CONJUNCTION: Rule = {
  name: "bounds of one form meet",
  ops: ["and"],
  apply: (x, s) => {
    if (x.dtype !== "bool") return undefined;
    const parts: (Expr | Bound)[] = [];
    const bounds = new Map<string, number>();
    for (const part of conjunctsOf(x)) {
      if (isConst(part, 0)) return s.bool(false);
      const bound = boundOf(part, s);
      if (bound === undefined) {
        parts.push(part);
        continue;
      }
      const key = s.key(bound.form);
      const place = bounds.get(key);
      if (place === undefined) bounds.set(key, parts.push(bound) - 1);
      else parts[place] = meetBounds(parts[place] as Bound, bound);
    }
    const spelled = parts.flatMap((p) => "form" in p ? spellBound(p, s) : [p]);
    return conjunction(spelled, s);
  },
};

/** Both bounds; empty ranges stay empty. */
function meetBounds(a: Bound, b: Bound): Bound {
  const range = [Math.max(a.range[0], b.range[0]), Math.min(a.range[1], b.range[1])] as const;
  return { form: a.form, range };
}

function conjunction(parts: readonly Expr[], s: Simplifier): Expr {
  let result: Expr | undefined;
  for (const part of new Set(parts)) {
    if (isConst(part, 0)) return part;
    if (isConst(part)) continue;
    result = result === undefined ? part : s.join("and", result, part);
  }
  return result ?? s.bool(true);
}

const DISJUNCTION: Rule = {
  name: "equal alternatives",
  ops: ["or"],
  apply: (x, s) => {
    if (x.dtype !== "bool") return undefined;
    const parts = new Set<Expr>();
    collectParts(x, "or", parts);
    return [...parts].reduce((a, b) => s.join("or", a, b));
  },
};

const NEGATION: Rule = {
  name: "negated condition",
  ops: ["not"],
  apply: (x, s) => {
    const [a] = x.args as [Expr];
    if (a.kind !== "call") return undefined;
    const [p, q] = a.args as [Expr, Expr];
    if (a.op === "not" && p.dtype === "bool") return p;
    if (a.op === "eq") return s.make("ne", [p, q]);
    if (a.op === "ne") return s.make("eq", [p, q]);
    // Not for floats: a comparison with NaN is false both ways.
    if (p.dtype !== "int32") return undefined;
    if (a.op === "lt") return s.make("le", [q, p]);
    return a.op === "le" ? s.make("lt", [q, p]) : undefined;
  },
};

const SELECT_SAME: Rule = {
  name: "select between equals",
  ops: ["select"],
  apply: (x) => x.args[1] === x.args[2] ? x.args[1] : undefined,
};

const SELECT_NEGATED: Rule = {
  name: "select by a negated condition",
  ops: ["select"],
  apply: (x, s) => {
    const [c, a, b] = x.args as [Expr, Expr, Expr];
    if (c.kind !== "call" || c.op !== "not") return undefined;
    return s.make("select", [c.args[0]!, b, a]);
  },
};

const SELECT_NESTED: Rule = {
  name: "select by a condition already known",
  ops: ["select"],
  apply: (x, s) => {
    const [c, a, b] = x.args as [Expr, Expr, Expr];
    const inner = (y: Expr, side: 1 | 2): Expr =>
      y.kind === "call" && y.op === "select" && y.args[0] === c ? y.args[side]! : y;
    const left = inner(a, 1), right = inner(b, 2);
    return left === a && right === b ? undefined : s.make("select", [c, left, right]);
  },
};

const SELECT_BOOL: Rule = {
  name: "select between true and false",
  ops: ["select"],
  apply: (x, s) => {
    const [c, a, b] = x.args as [Expr, Expr, Expr];
    if (x.dtype !== "bool" || c.dtype !== "bool") return undefined;
    if (isConst(a, 1)) return s.make("or", [c, b]);
    if (isConst(b, 0)) return s.make("and", [c, a]);
    return isConst(a, 0) && isConst(b, 1) ? s.make("not", [c]) : undefined;
  },
};

/** A load is 0 already where its guard is false. */
const SELECT_LOAD: Rule = {
  name: "select of a guarded load",
  ops: ["select"],
  apply: (x) => {
    const [c, a, b] = x.args as [Expr, Expr, Expr];
    if (a.kind !== "load" || a.guard === undefined || !isConst(b, 0) || Object.is(b.value, -0)) {
      return undefined;
    }
    return implies(a, c) ? a : undefined;
  },
};

function implies(x: LoadExpr, condition: Expr): boolean {
  const stated = conjunctsOf(x.guard!);
  for (const part of conjunctsOf(condition)) if (!stated.has(part)) return false;
  return true;
}

const CAST_CONSTANT: Rule = {
  name: "cast of a constant",
  ops: ["cast"],
  apply: (x, s) => {
    const [a] = x.args as [Expr];
    // Half precision rounds, which is left to the device.
    if (!isConst(a) || x.dtype === "float16") return undefined;
    return s.constant(castValue(a.value, x.dtype, a.dtype), x.dtype);
  },
};

/** Types that hold every value of the type in front. */
const WIDER: Record<DType, readonly DType[]> = {
  bool: ["int32", "uint32", "float16", "float32", "float64"],
  int32: ["float64"],
  uint32: ["float64"],
  float16: ["float32", "float64"],
  float32: ["float64"],
  float64: [],
};

const CAST_TWICE: Rule = {
  name: "cast of a widening cast",
  ops: ["cast"],
  apply: (x, s) => {
    const [a] = x.args as [Expr];
    if (a.kind !== "call" || a.op !== "cast") return undefined;
    const [of] = a.args as [Expr];
    if (!WIDER[of.dtype].includes(a.dtype)) return undefined;
    return of.dtype === x.dtype ? of : s.make("cast", [of], x.dtype);
  },
};

/** A bool made a number and compared with 0 or 1. */
const CAST_COMPARED: Rule = {
  name: "comparison of a cast bool",
  ops: ["eq", "ne"],
  apply: (x, s) => {
    const [a, b] = x.args as [Expr, Expr];
    const of = a.kind === "call" && a.op === "cast"
      ? a.args[0]!
      : a.dtype === "bool"
      ? a
      : undefined;
    if (of?.dtype !== "bool" || !isConst(b) || (b.value !== 0 && b.value !== 1)) return undefined;
    return (x.op === "eq") === (b.value === 1) ? of : s.make("not", [of]);
  },
};

const CAST_SELECT: Rule = {
  name: "bool of a selected number",
  ops: ["ne"],
  apply: (x, s) => {
    const [a, b] = x.args as [Expr, Expr];
    if (a.kind !== "call" || a.op !== "select" || !isConst(b)) return undefined;
    const [c, p, q] = a.args as [Expr, Expr, Expr];
    if (!isConst(p) || !isConst(q) || c.dtype !== "bool") return undefined;
    return s.make("select", [c, s.bool(p.value !== b.value), s.bool(q.value !== b.value)]);
  },
};

/** Rules for conditions, in the order in which they are tried. */
export const CONDITION_RULES: readonly Rule[] = [
  CAST_COMPARED,
  CAST_SELECT,
  COMPARISON,
  QUOTIENT_COMPARISON,
  INEQUALITY,
  CONJUNCTION,
  DISJUNCTION,
  NEGATION,
  SELECT_NEGATED,
  SELECT_SAME,
  SELECT_NESTED,
  SELECT_BOOL,
  SELECT_LOAD,
  CAST_CONSTANT,
  CAST_TWICE,
];
