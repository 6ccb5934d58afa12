/**
 * Simplifies index arithmetic and guards of kernels, so that views on views cost nothing.
 *
 * What is simplified by ranges is int32 and bool; float arithmetic stays as written. An index under
 * a guard need only stay right where the guard is true, and the guard's bounds are used for it.
 */
import { call, constant, type Expr, int, isConst, type LoadExpr, visit } from "./expr.ts";
import { type Kernel, mapExpressions } from "./kernel.ts";
import type { DType } from "./dtype.ts";
import type { ScalarName } from "./scalar.ts";
import {
  ANY_INT,
  buildLinear,
  fitsInt32,
  Interner,
  intersect,
  type Linear,
  linearOf,
  type Range,
  scaleRange,
  type Term,
} from "./simplify_linear.ts";
import { boundOf, conjunctsOf, type Form, formKey, formOf } from "./simplify_bounds.ts";
import { rangeOfCall } from "./simplify_ranges.ts";
import { type Rule, RULES } from "./simplify_rules.ts";

/** Rules by the function that they rewrite. */
const RULES_BY_OP: ReadonlyMap<ScalarName, readonly Rule[]> = groupRules();

function groupRules(): Map<ScalarName, Rule[]> {
  const groups = new Map<ScalarName, Rule[]>();
  for (const rule of RULES) {
    for (const op of rule.ops) {
      const group = groups.get(op);
      if (group) group.push(rule);
      else groups.set(op, [rule]);
    }
  }
  return groups;
}

/** Rewrites that a chain of rules may take before something is wrong with the rules. */
const MOST_STEPS = 100;

/**
 * Simplifies expressions of one kernel. Results are interned: equal results are one object. Facts
 * (bounds known from an enclosing guard) tighten the ranges; `under` adds more of them.
 */
export class Simplifier {
  readonly #interner: Interner;
  readonly #facts: ReadonlyMap<string, Range>;
  readonly #memo: Map<Expr, Expr> = new Map();
  readonly #normal: Map<Expr, Expr> = new Map();
  readonly #ranges: Map<Expr, Range> = new Map();
  readonly #children: Map<Expr, Simplifier> = new Map();
  /** The simplifier without facts. */
  readonly #root: Simplifier;

  /**
   * @param root The simplifier without facts that shares its nodes with this one.
   * @param facts Ranges of forms by their keys.
   */
  constructor(root?: Simplifier, facts: ReadonlyMap<string, Range> = new Map()) {
    this.#root = root ?? this;
    this.#interner = root ? root.#interner : new Interner();
    this.#facts = facts;
  }

  /** The simplest equal expression that the rules find. */
  simplify(x: Expr): Expr {
    const known = this.#memo.get(x);
    if (known !== undefined) return known;
    const result = this.#rebuild(x);
    this.#memo.set(x, result);
    this.#memo.set(result, result);
    return result;
  }

  /** A call of simplified arguments, simplified. */
  make(op: ScalarName, args: readonly Expr[], dtype?: DType): Expr {
    const x = call(op, args, dtype);
    if (x.kind !== "call") return x.kind === "const" ? this.#interner.intern(x) : x;
    return this.#normalize(this.#interner.intern(x));
  }

  /** A comparison of simplified sums in its canonical spelling. */
  compare(op: "lt" | "le" | "eq" | "ne", a: Expr, b: Expr): Expr {
    return this.#interner.intern(call(op, [a, b]));
  }

  /** Two simplified conditions joined, without looking for rules. */
  join(op: "and" | "or", a: Expr, b: Expr): Expr {
    return this.#interner.intern(call(op, [a, b]));
  }

  /** An integer constant. */
  int(value: number): Expr {
    return this.#interner.intern(int(value));
  }

  /** A bool constant. */
  bool(value: boolean): Expr {
    return this.#interner.intern(constant(value ? 1 : 0, "bool"));
  }

  /** A constant of any dtype. */
  constant(value: number, dtype: DType): Expr {
    return this.#interner.intern(constant(value, dtype));
  }

  /** A load of simplified parts. */
  load(x: LoadExpr): Expr {
    return this.#interner.intern(x);
  }

  /** The affine sum that a simplified expression is. */
  linear(x: Expr): Linear {
    return linearOf(x);
  }

  /** The simplified expression of an affine sum. */
  build(linear: Linear): Expr {
    return this.#normalize(buildLinear(linear, this.#interner));
  }

  /** The canonical spelling of an affine sum, without looking for rules. */
  spell(linear: Linear): Expr {
    return buildLinear(linear, this.#interner);
  }

  /** Key of a form, for bounds. */
  key(form: Form): string {
    return formKey(form, this.#interner);
  }

  /** Values that a simplified int32 or bool expression can have. */
  range(x: Expr): Range {
    const known = this.#ranges.get(x);
    if (known !== undefined) return known;
    const result = this.#rangeOf(x);
    this.#ranges.set(x, result);
    return result;
  }

  /** Exact range of an affine sum; wider than int32 where the sum may wrap. */
  rangeOfLinear({ terms, constant }: Linear): Range {
    let low = 0, high = 0;
    for (const { atom, coefficient } of terms) {
      const [a, b] = scaleRange(this.range(atom), coefficient);
      low += a;
      high += b;
    }
    const range = this.#facts.size > 0 ? this.#tighten(terms, [low, high]) : [low, high] as const;
    return [range[0] + constant, range[1] + constant];
  }

  /** This simplifier with the bounds that `guard` (simplified) states. */
  under(guard: Expr): Simplifier {
    const known = this.#children.get(guard);
    if (known !== undefined) return known;
    const facts = new Map(this.#facts);
    for (const conjunct of conjunctsOf(guard)) {
      const bound = boundOf(conjunct, this);
      if (bound === undefined) continue;
      const key = this.key(bound.form);
      facts.set(key, intersect(facts.get(key) ?? bound.range, bound.range));
    }
    const child = facts.size === 0 ? this : new Simplifier(this.#root, facts);
    this.#children.set(guard, child);
    return child;
  }

  #rebuild(x: Expr): Expr {
    switch (x.kind) {
      case "load": {
        // A load inside a guarded index is read before the guard is looked at: it must be safe alone.
        if (this.#root !== this) return this.#root.simplify(x);
        const guard = x.guard && this.simplify(x.guard);
        if (guard && isConst(guard, 0)) return this.constant(0, x.dtype);
        if (guard === undefined || isConst(guard)) {
          return this.load({ ...x, index: this.simplify(x.index), guard: undefined });
        }
        return this.load({ ...x, index: this.under(guard).simplify(x.index), guard });
      }
      case "call":
        return this.make(x.op, x.args.map((arg) => this.simplify(arg)), x.dtype);
      default:
        return this.#interner.intern(x);
    }
  }

  #normalize(start: Expr): Expr {
    const known = this.#normal.get(start);
    if (known !== undefined) return known;
    let x = start;
    for (let steps = 0; x.kind === "call"; steps++) {
      if (steps > MOST_STEPS) throw new Error(`internal: simplification of ${x.op} does not end`);
      const next = this.#step(x);
      if (next === undefined) break;
      x = next;
    }
    this.#normal.set(start, x);
    this.#normal.set(x, x);
    return x;
  }

  #step(x: Expr & { kind: "call" }): Expr | undefined {
    for (const rule of RULES_BY_OP.get(x.op) ?? []) {
      const next = rule.apply(x, this);
      if (next !== undefined && next !== x) return next;
    }
    return undefined;
  }

  #rangeOf(x: Expr): Range {
    const range = this.#ownRange(x);
    if (this.#facts.size === 0 || x.dtype !== "int32" || x.kind === "const") return range;
    const linear = this.linear(x);
    // A sum was tightened term by term; an atom has bounds of its own.
    return isAtom(linear, x) ? this.#tighten(linear.terms, range) : range;
  }

  #ownRange(x: Expr): Range {
    if (x.kind === "const") return [x.value, x.value];
    if (x.kind === "axis") return [0, x.size - 1];
    if (x.dtype === "bool") return [0, 1];
    if (x.kind !== "call" || x.dtype !== "int32") return ANY_INT;
    const linear = this.linear(x);
    const range = isAtom(linear, x) ? rangeOfCall(x, this) : this.rangeOfLinear(linear);
    return fitsInt32(range) ? range : ANY_INT;
  }

  /** The range of a sum without its constant, cut to the known bounds of its form. */
  #tighten(terms: readonly Term[], range: Range): Range {
    if (terms.length === 0) return range;
    const { form, factor } = formOf(terms);
    const fact = this.#facts.get(this.key(form));
    return fact === undefined ? range : intersect(range, scaleRange(fact, factor));
  }
}

function isAtom(linear: Linear, x: Expr): boolean {
  return linear.terms.length === 1 && linear.terms[0]!.atom === x;
}

/** Simplifies one int32 or bool expression. */
export function simplifyIndex(x: Expr): Expr {
  return new Simplifier().simplify(x);
}

/** The same kernel with simpler expressions; the kernel itself where nothing changed. */
export function simplifyKernel(kernel: Kernel): Kernel {
  const simplifier = new Simplifier();
  let changed = false;
  const result = mapExpressions(kernel, (x) => {
    const next = simplifier.simplify(x);
    changed ||= next !== x;
    return next;
  });
  return changed ? result : kernel;
}

/** Number of distinct nodes, the measure that rules bring down. */
export function countNodes(roots: readonly Expr[]): number {
  let count = 0;
  visit(roots, () => count++);
  return count;
}
