/**
 * Turns each group of axes of a kernel into one flat axis, with few divisions in the indices: axes
 * through which an index steps as through one are taken apart together.
 */
import { add, axesOf, axis, call, type Expr, idiv, imod, int, load, mul } from "../../ir/expr.ts";
import { sizeOf } from "../../ir/kernel.ts";

/** `Σ axes[a] · a + Σ atoms · factor + constant`, in int32. */
interface Linear {
  readonly axes: ReadonlyMap<number, number>;
  readonly atoms: ReadonlyMap<Expr, number>;
  readonly constant: number;
}

const NOTHING: ReadonlyMap<never, number> = new Map<never, number>();

function scaled<K>(map: ReadonlyMap<K, number>, factor: number): ReadonlyMap<K, number> {
  if (factor === 1) return map;
  return new Map([...map].map(([key, value]) => [key, Math.imul(value, factor)]));
}

function sum<K>(a: ReadonlyMap<K, number>, b: ReadonlyMap<K, number>): ReadonlyMap<K, number> {
  if (b.size === 0) return a;
  if (a.size === 0) return b;
  const result = new Map(a);
  for (const [key, value] of b) result.set(key, ((result.get(key) ?? 0) + value) | 0);
  return result;
}

function scale(a: Linear, factor: number): Linear {
  return {
    axes: scaled(a.axes, factor),
    atoms: scaled(a.atoms, factor),
    constant: Math.imul(a.constant, factor),
  };
}

function plus(a: Linear, b: Linear): Linear {
  return {
    axes: sum(a.axes, b.axes),
    atoms: sum(a.atoms, b.atoms),
    constant: (a.constant + b.constant) | 0,
  };
}

/** An axis inside its group. */
interface Segment {
  readonly axis: number;
  readonly size: number;
  /** Distance in the flat axis of its group. */
  readonly stride: number;
}

/** Expressions over flat axes. */
export interface Flattened {
  readonly roots: readonly Expr[];
  /** Size of each flat axis; axis g stands for group g. */
  readonly sizes: readonly number[];
}

/**
 * Rewrites `roots`, whose axes are numbered through the groups in order, so that axis `g` is the
 * row-major position in group `g`.
 *
 * @param roots Expressions of a kernel.
 * @param groups Shapes of the groups of axes.
 * @returns The rewritten expressions and the sizes of the flat axes.
 */
export function flatten(
  roots: readonly Expr[],
  groups: readonly (readonly number[])[],
): Flattened {
  const flattener = new Flattener(groups);
  return { roots: roots.map((root) => flattener.rebuild(root)), sizes: groups.map(sizeOf) };
}

class Flattener {
  readonly #groups: readonly (readonly number[])[];
  readonly #linear = new Map<Expr, Linear>();
  readonly #rebuilt = new Map<Expr, Expr>();
  readonly #segments: readonly (readonly Segment[])[];

  constructor(groups: readonly (readonly number[])[]) {
    this.#groups = groups;
    let start = 0;
    this.#segments = groups.map((shape) => {
      const segments: Segment[] = [];
      let stride = 1;
      for (let d = shape.length - 1; d >= 0; d--) {
        const size = shape[d]!;
        if (size !== 1) segments.unshift({ axis: start + d, size, stride });
        stride *= size;
      }
      start += shape.length;
      return segments;
    });
  }

  #form(x: Expr): Linear {
    const known = this.#linear.get(x);
    if (known !== undefined) return known;
    const form = this.#formOf(x);
    this.#linear.set(x, form);
    return form;
  }

  #formOf(x: Expr): Linear {
    if (x.kind === "const") return { axes: NOTHING, atoms: NOTHING, constant: x.value };
    if (x.kind === "axis") return { axes: new Map([[x.axis, 1]]), atoms: NOTHING, constant: 0 };
    if (x.kind === "call") {
      const [a, b] = x.args as [Expr, Expr];
      if (x.op === "add") return plus(this.#form(a), this.#form(b));
      if (x.op === "sub") return plus(this.#form(a), scale(this.#form(b), -1));
      if (x.op === "neg") return scale(this.#form(a), -1);
      if (x.op === "mul" && b.kind === "const") return scale(this.#form(a), b.value);
      if (x.op === "mul" && a.kind === "const") return scale(this.#form(b), a.value);
    }
    return { axes: NOTHING, atoms: new Map([[x, 1]]), constant: 0 };
  }

  /** The expression over flat axes. */
  rebuild(x: Expr): Expr {
    const done = this.#rebuilt.get(x);
    if (done !== undefined) return done;
    const result = this.#rebuildNode(x);
    this.#rebuilt.set(x, result);
    return result;
  }

  #rebuildNode(x: Expr): Expr {
    if (x.dtype === "int32" && (x.kind === "axis" || x.kind === "call")) {
      const form = this.#form(x);
      if (form.atoms.size !== 1 || form.axes.size > 0 || form.atoms.get(x) !== 1) {
        return this.#assemble(form);
      }
    }
    return this.#rebuildAtom(x);
  }

  #rebuildAtom(x: Expr): Expr {
    if (x.kind === "load") {
      return load(x.input, x.dtype, this.rebuild(x.index), x.guard && this.rebuild(x.guard));
    }
    if (x.kind !== "call") return x;
    return call(x.op, x.args.map((arg) => this.rebuild(arg)), x.dtype);
  }

  #assemble(form: Linear): Expr {
    let result: Expr = int(0);
    for (const [atom, factor] of form.atoms) {
      if (factor !== 0) result = add(result, mul(this.#rebuildAtom(atom), int(factor)));
    }
    for (const g of this.#groups.keys()) {
      for (const term of this.#walk(form, g)) result = add(result, term);
    }
    return add(result, int(form.constant));
  }

  /** Terms of one group; neighbours through which the index steps as through one share a quotient. */
  #walk(form: Linear, group: number): Expr[] {
    const segments = this.#segments[group]!;
    const total = sizeOf(this.#groups[group]!);
    const terms: Expr[] = [];
    for (let last = segments.length - 1; last >= 0;) {
      const { axis: inner, stride } = segments[last]!;
      const factor = form.axes.get(inner) ?? 0;
      let size = segments[last]!.size, first = last;
      while (first > 0) {
        const outer = segments[first - 1]!;
        if ((form.axes.get(outer.axis) ?? 0) !== Math.imul(factor, size)) break;
        size *= outer.size;
        first--;
      }
      last = first - 1;
      if (factor === 0) continue;
      const quotient = idiv(axis(group, total), stride);
      terms.push(mul(stride * size === total ? quotient : imod(quotient, size), int(factor)));
    }
    return terms.reverse();
  }
}

/** Row-major position over axes `start…` of `shape`. */
export function position(shape: readonly number[], start: number): Expr {
  let flat: Expr = int(0);
  for (const [d, x] of axesOf(shape, start).entries()) flat = add(mul(flat, int(shape[d]!)), x);
  return flat;
}
