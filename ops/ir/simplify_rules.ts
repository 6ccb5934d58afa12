/**
 * The rules of the simplifier, each with a name and an example in the tests.
 *
 * Arguments of a call are simplified before a rule sees it. A rule answers with an expression that
 * is equal wherever the original means something (no enclosing guard is false, quotients are of
 * non-negative values, index arithmetic does not wrap), or with `undefined`.
 */
import type { CallExpr, Expr } from "./expr.ts";
import { isConst } from "./expr.ts";
import type { ScalarName } from "./scalar.ts";
import { addLinear, gcd, type Linear, type Term } from "./simplify_linear.ts";
import type { Simplifier } from "./simplify.ts";
import { CONDITION_RULES } from "./simplify_conditions.ts";

/** One way to make an expression simpler. */
export interface Rule {
  /** What tests and people call it. */
  readonly name: string;
  /** Functions whose calls it looks at. */
  readonly ops: readonly ScalarName[];
  /** The simpler expression, if the rule applies to `x`. */
  readonly apply: (x: CallExpr, s: Simplifier) => Expr | undefined;
}

/** The argument and the divisor of a quotient or remainder by a positive constant. */
function division(x: Expr, op: "idiv" | "imod"): { of: Expr; by: number } | undefined {
  if (x.kind !== "call" || x.op !== op || x.dtype !== "int32") return undefined;
  const [of, by] = x.args as [Expr, Expr];
  return by.kind === "const" && by.value > 0 ? { of, by: by.value } : undefined;
}

/** Sums past this are not shifted: what looks so large is unknown, not large. */
const KNOWN = 1 << 30;

/**
 * `linear = divisor · quotient + remainder`: divisible terms go to the quotient, and as much of the
 * constant as lets the remainder start in `[0, divisor)`. `fits` says that the remainder also ends
 * there. `undefined` where nothing is gained or the remainder might be negative.
 */
function split(linear: Linear, divisor: number, s: Simplifier):
  | { quotient: Linear; remainder: Linear; fits: boolean }
  | undefined {
  const over: Term[] = [], under: Term[] = [];
  for (const term of linear.terms) {
    const factor = term.coefficient / divisor;
    if (Number.isInteger(factor)) over.push({ atom: term.atom, coefficient: factor });
    else under.push(term);
  }
  const [low, high] = s.rangeOfLinear({ terms: under, constant: linear.constant });
  if (high > KNOWN || low < -KNOWN) {
    // Unknown terms: right as long as they cannot be negative.
    if (low < 0 || over.length === 0) return undefined;
  }
  const shift = low < -KNOWN || high > KNOWN ? 0 : Math.floor(low / divisor);
  const fits = high - shift * divisor < divisor;
  if (over.length === 0 && !fits) return undefined;
  const remainder = { terms: under, constant: linear.constant - shift * divisor };
  return { quotient: { terms: over, constant: shift }, remainder, fits };
}

const AFFINE: Rule = {
  name: "affine sum",
  ops: ["add", "sub", "neg", "mul"],
  apply: (x, s) => x.dtype === "int32" ? s.spell(s.linear(x)) : undefined,
};

/** `(y / b) · b + y mod b = y`, also as a part of a longer sum, and below a further remainder. */
const RECOMBINE: Rule = {
  name: "quotient and remainder meet",
  ops: ["add", "sub"],
  apply: (x, s) => {
    if (x.dtype !== "int32") return undefined;
    const linear = s.linear(x);
    if (linear.terms.length < 2) return undefined;
    for (const term of linear.terms) {
      const upper = division(term.atom, "imod");
      const quotient = division(upper?.of ?? term.atom, "idiv");
      const met = quotient && meet(linear, term, quotient, upper?.by, s);
      if (met) return met;
    }
    return undefined;
  },
};

/** Replaces `high`, which is `of / by` (mod `upper`) times something, and its remainder by both. */
function meet(
  linear: Linear,
  high: Term,
  { of, by }: { of: Expr; by: number },
  upper: number | undefined,
  s: Simplifier,
): Expr | undefined {
  const factor = high.coefficient / by;
  if (!Number.isInteger(factor)) return undefined;
  const low = s.linear(s.make("imod", [of, s.int(by)]));
  const coefficients = new Map(linear.terms.map((t) => [t.atom, t.coefficient]));
  const present = low.terms.every((t) => coefficients.get(t.atom) === t.coefficient * factor);
  if (!present) return undefined;
  const rest = addLinear(addLinear(linear, low, -factor), { terms: [high], constant: 0 }, -1);
  const whole = upper === undefined ? of : s.make("imod", [of, s.int(by * upper)]);
  return s.build(addLinear(rest, s.linear(whole), factor));
}

const QUOTIENT_NESTED: Rule = {
  name: "quotient of a quotient",
  ops: ["idiv"],
  apply: (x, s) => {
    const outer = division(x, "idiv");
    const inner = outer && division(outer.of, "idiv");
    if (!inner) return undefined;
    const by = inner.by * outer.by;
    return by > KNOWN ? s.int(0) : s.make("idiv", [inner.of, s.int(by)]);
  },
};

const QUOTIENT_SPLIT: Rule = {
  name: "quotient of divisible terms",
  ops: ["idiv"],
  apply: (x, s) => {
    const outer = division(x, "idiv");
    const parts = outer && split(s.linear(outer.of), outer.by, s);
    if (!parts) return undefined;
    if (parts.fits) return s.build(parts.quotient);
    const rest = s.make("idiv", [s.build(parts.remainder), s.int(outer.by)]);
    return s.build(addLinear(parts.quotient, s.linear(rest), 1));
  },
};

const QUOTIENT_FACTOR: Rule = {
  name: "quotient by a common factor",
  ops: ["idiv"],
  apply: (x, s) => {
    const outer = division(x, "idiv");
    const reduced = outer && divideOut(s.linear(outer.of), outer.by, s);
    if (!reduced) return undefined;
    return s.make("idiv", [s.build(reduced.result), s.int(outer.by / reduced.factor)]);
  },
};

/**
 * `linear = factor · result + rest` where the factor divides the divisor and the rest lies in
 * `[0, factor)`: the rest then has no part in a quotient and stays as it is in a remainder.
 */
function divideOut(linear: Linear, divisor: number, s: Simplifier):
  | { result: Linear; factor: number; rest: Linear }
  | undefined {
  const factors = new Set(linear.terms.map((t) => gcd(Math.abs(t.coefficient), divisor)));
  for (const factor of [...factors].sort((p, q) => q - p)) {
    const parts = factor > 1 ? split(linear, factor, s) : undefined;
    if (parts?.fits) return { result: parts.quotient, factor, rest: parts.remainder };
  }
  return undefined;
}

const QUOTIENT_OF_REMAINDER: Rule = {
  name: "quotient of a remainder",
  ops: ["idiv"],
  apply: (x, s) => {
    const outer = division(x, "idiv");
    const inner = outer && division(outer.of, "imod");
    if (!inner || inner.by % outer.by !== 0) return undefined;
    const quotient = s.make("idiv", [inner.of, s.int(outer.by)]);
    return s.make("imod", [quotient, s.int(inner.by / outer.by)]);
  },
};

const REMAINDER_SPLIT: Rule = {
  name: "remainder of divisible terms",
  ops: ["imod"],
  apply: (x, s) => {
    const outer = division(x, "imod");
    const parts = outer && split(s.linear(outer.of), outer.by, s);
    if (!parts) return undefined;
    const rest = s.build(parts.remainder);
    return parts.fits ? rest : s.make("imod", [rest, s.int(outer.by)]);
  },
};

const REMAINDER_FACTOR: Rule = {
  name: "remainder by a common factor",
  ops: ["imod"],
  apply: (x, s) => {
    const outer = division(x, "imod");
    const reduced = outer && divideOut(s.linear(outer.of), outer.by, s);
    if (!reduced) return undefined;
    const high = s.make("imod", [s.build(reduced.result), s.int(outer.by / reduced.factor)]);
    return s.build(addLinear(reduced.rest, s.linear(high), reduced.factor));
  },
};

/** `(c · (y mod m) + …) mod d = (c · y + …) mod d` where d divides c · m. */
const REMAINDER_OF_REMAINDER: Rule = {
  name: "remainder of a remainder",
  ops: ["imod"],
  apply: (x, s) => {
    const outer = division(x, "imod");
    if (!outer) return undefined;
    const linear = s.linear(outer.of);
    for (const term of linear.terms) {
      const inner = division(term.atom, "imod");
      if (!inner || term.coefficient < 0) continue;
      if ((term.coefficient * inner.by) % outer.by !== 0) continue;
      const rest = { ...linear, terms: linear.terms.filter((t) => t !== term) };
      const sum = addLinear(rest, s.linear(inner.of), term.coefficient);
      return s.make("imod", [s.build(sum), s.int(outer.by)]);
    }
    return undefined;
  },
};

const EXTREMUM: Rule = {
  name: "extremum by range",
  ops: ["min", "max"],
  apply: (x, s) => {
    const [a, b] = x.args as [Expr, Expr];
    if (a === b) return a;
    if (x.dtype !== "int32") return undefined;
    const p = s.range(a), q = s.range(b);
    if (p[1] <= q[0]) return x.op === "min" ? a : b;
    return q[1] <= p[0] ? (x.op === "min" ? b : a) : undefined;
  },
};

const ABSOLUTE: Rule = {
  name: "absolute value by range",
  ops: ["abs"],
  apply: (x, s) => {
    const [a] = x.args as [Expr];
    return x.dtype === "int32" && s.range(a)[0] >= 0 ? a : undefined;
  },
};

/** Signed division of non-negative values is the division that the other rules know. */
const TRUNCATED: Rule = {
  name: "truncated division by range",
  ops: ["tdiv", "trem"],
  apply: (x, s) => {
    const [a, b] = x.args as [Expr, Expr];
    if (x.dtype !== "int32" || !isConst(b) || b.value <= 0 || s.range(a)[0] < 0) return undefined;
    return s.make(x.op === "tdiv" ? "idiv" : "imod", [a, b]);
  },
};

/** All rules; of those for one function, the first that applies is taken, again and again. */
export const RULES: readonly Rule[] = [
  AFFINE,
  RECOMBINE,
  QUOTIENT_NESTED,
  QUOTIENT_SPLIT,
  QUOTIENT_FACTOR,
  QUOTIENT_OF_REMAINDER,
  REMAINDER_SPLIT,
  REMAINDER_OF_REMAINDER,
  REMAINDER_FACTOR,
  EXTREMUM,
  ABSOLUTE,
  TRUNCATED,
  ...CONDITION_RULES,
];
