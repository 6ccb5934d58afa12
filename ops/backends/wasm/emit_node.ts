/**
 * What code generation works on: expressions with index arithmetic in affine normal form.
 *
 * Every int32 sum of products with constants is one node `Σ coefficient · atom + offset`, so that
 * strides per axis can be read off, axes split and merged, and addresses hoisted term by term. Nodes
 * are unique: equal structure is the same object.
 *
 * @module
 */
import type { DType } from "../../ir/dtype.ts";
import type { Expr } from "../../ir/expr.ts";
import type { ScalarName } from "../../ir/scalar.ts";

interface NodeBase {
  /** Position of creation; operands have smaller ones. */
  readonly id: number;
  readonly dtype: DType;
  /** Bit set of the axes that the value depends on. */
  readonly axes: number;
  /** Bounds of an int32 value, infinite where unknown. */
  readonly min: number;
  readonly max: number;
}

/** A constant. */
export interface ConstNode extends NodeBase {
  readonly kind: "const";
  readonly value: number;
}

/** The coordinate along a loop. */
export interface AxisNode extends NodeBase {
  readonly kind: "axis";
  readonly axis: number;
}

/** One product of a sum. */
export interface Term {
  readonly coefficient: number;
  readonly atom: Node;
}

/** `Σ coefficient · atom + offset` in int32; atoms are not affine themselves. */
export interface AffineNode extends NodeBase {
  readonly kind: "affine";
  readonly terms: readonly Term[];
  readonly offset: number;
}

/** An element of an input. */
export interface LoadNode extends NodeBase {
  readonly kind: "load";
  readonly input: number;
  readonly index: Node;
  readonly guard: Node | undefined;
}

/** The result of a reduction. */
export interface AccNode extends NodeBase {
  readonly kind: "acc";
  readonly slot: number;
}

/** A scalar function. */
export interface CallNode extends NodeBase {
  readonly kind: "call";
  readonly op: ScalarName;
  readonly args: readonly Node[];
}

/** A value to generate code for. */
export type Node = ConstNode | AxisNode | AffineNode | LoadNode | AccNode | CallNode;

/** A sum taken apart. */
export interface Affine {
  readonly terms: readonly Term[];
  readonly offset: number;
}

/** The sum that an int32 node is; any other node is its own single term. */
export function affineOf(x: Node): Affine {
  if (x.kind === "affine") return x;
  if (x.kind === "const") return { terms: [], offset: x.value };
  return { terms: [{ coefficient: 1, atom: x }], offset: 0 };
}

/** Factor of an axis in a sum. */
export function coefficientOf(x: Affine, axis: number): number {
  for (const t of x.terms) {
    if (t.atom.kind === "axis" && t.atom.axis === axis) return t.coefficient;
  }
  return 0;
}

/** Operands of a node. */
export function operandsOf(x: Node): readonly Node[] {
  switch (x.kind) {
    case "affine":
      return x.terms.map((t) => t.atom);
    case "load":
      return x.guard ? [x.index, x.guard] : [x.index];
    case "call":
      return x.args;
    default:
      return [];
  }
}

/** Visits each distinct node once, operands first. */
export function visitNodes(roots: Iterable<Node>, enter: (x: Node) => void): void {
  const seen = new Set<Node>();
  function walk(x: Node): void {
    if (seen.has(x)) return;
    seen.add(x);
    for (const operand of operandsOf(x)) walk(operand);
    enter(x);
  }
  for (const root of roots) walk(root);
}

const SAFE = 2 ** 31;

function bounded(min: number, max: number): boolean {
  return min >= -SAFE && max < SAFE;
}

type NewNode =
  | Omit<ConstNode, "id">
  | Omit<AxisNode, "id">
  | Omit<AffineNode, "id">
  | Omit<LoadNode, "id">
  | Omit<AccNode, "id">
  | Omit<CallNode, "id">;

/** Makes nodes, each once, simplified where bounds allow. */
export class NodeBuilder {
  readonly #table = new Map<string, Node>();

  #unique(key: string, node: NewNode): Node {
    const known = this.#table.get(key);
    if (known !== undefined) return known;
    const made = { ...node, id: this.#table.size } as Node;
    this.#table.set(key, made);
    return made;
  }

  /** A constant. */
  constant(value: number, dtype: DType): Node {
    const text = Object.is(value, -0) ? "-0" : `${value}`;
    return this.#unique(`c${dtype}:${text}`, {
      kind: "const",
      dtype,
      value,
      axes: 0,
      min: value,
      max: value,
    });
  }

  /** An int32 constant. */
  int(value: number): Node {
    return this.constant(value | 0, "int32");
  }

  /** A loop's coordinate. */
  axis(axis: number, size: number): Node {
    if (size === 1) return this.int(0);
    const node = {
      kind: "axis",
      dtype: "int32",
      axis,
      axes: 1 << axis,
      min: 0,
      max: size - 1,
    } as const;
    return this.#unique(`x${axis}:${size}`, node);
  }

  /** A sum in normal form: terms by atom, `d·idiv(x, d) + imod(x, d)` put together again. */
  affine(terms: readonly Term[], offset: number): Node {
    const factors = new Map<Node, number>();
    function put(coefficient: number, atom: Node): void {
      factors.set(atom, Math.imul(1, (factors.get(atom) ?? 0) + coefficient));
    }
    for (const { coefficient, atom } of terms) {
      if (atom.kind === "affine") {
        for (const t of atom.terms) put(Math.imul(coefficient, t.coefficient), t.atom);
        offset += Math.imul(coefficient, atom.offset);
      } else if (atom.kind === "const") offset += Math.imul(coefficient, atom.value);
      else put(coefficient, atom);
    }
    for (const [atom, c] of factors) {
      if (atom.kind !== "call" || atom.op !== "imod" || c === 0) continue;
      const [x, d] = atom.args as [Node, Node];
      if (d.kind !== "const") continue;
      const quotient = this.#quotient(x, d.value);
      if (quotient === undefined || factors.get(quotient) !== Math.imul(c, d.value)) continue;
      factors.delete(atom);
      factors.delete(quotient);
      const rest = [...factors].map(([a, coefficient]) => ({ coefficient, atom: a }));
      return this.affine([...rest, { coefficient: c, atom: x }], offset);
    }
    return this.#finishAffine(factors, offset | 0);
  }

  #finishAffine(factors: Map<Node, number>, offset: number): Node {
    const terms: Term[] = [];
    for (const [atom, coefficient] of factors) {
      if (coefficient !== 0) terms.push({ coefficient, atom });
    }
    if (terms.length === 0) return this.int(offset);
    if (terms.length === 1 && terms[0]!.coefficient === 1 && offset === 0) return terms[0]!.atom;
    terms.sort((a, b) => a.atom.id - b.atom.id);
    let axes = 0, min = offset, max = offset;
    for (const { coefficient: c, atom } of terms) {
      axes |= atom.axes;
      min += c > 0 ? c * atom.min : c * atom.max;
      max += c > 0 ? c * atom.max : c * atom.min;
    }
    if (!bounded(min, max)) [min, max] = [-Infinity, Infinity];
    const key = `a${offset}` + terms.map((t) => `,${t.coefficient}*${t.atom.id}`).join("");
    return this.#unique(key, { kind: "affine", dtype: "int32", terms, offset, axes, min, max });
  }

  /** The node that `idiv(x, d)` became, if it was ever made. */
  #quotient(x: Node, d: number): Node | undefined {
    const q = this.idiv(x, d);
    return q.kind === "affine" ? undefined : q;
  }

  /** Parts of `x` for a division by `d`: `x = d·q + r` with the terms of `r` not divisible. */
  #divide(x: Node, d: number): { q: Node; r: Node } | undefined {
    const { terms, offset } = affineOf(x);
    const whole: Term[] = [], rest: Term[] = [];
    for (const t of terms) {
      if (t.coefficient % d === 0) whole.push({ coefficient: t.coefficient / d, atom: t.atom });
      else rest.push(t);
    }
    const low = Math.floor(offset / d);
    const r = this.affine(rest, offset - low * d);
    if (!(r.min >= 0) || !bounded(x.min, x.max)) return undefined;
    return { q: this.affine(whole, low), r };
  }

  /** `r = g·high + low` with `0 ≤ low < g` for a `g` that divides `d`. */
  #common(r: Node, d: number): { g: number; high: Node; low: Node } | undefined {
    const { terms, offset } = affineOf(r);
    for (const { coefficient: g } of terms) {
      if (g <= 1 || d % g !== 0) continue;
      const high = terms.filter((t) => t.coefficient % g === 0);
      const base = Math.floor(offset / g);
      const low = this.affine(terms.filter((t) => t.coefficient % g !== 0), offset - base * g);
      if (low.min < 0 || low.max >= g) continue;
      const scaled = high.map((t) => ({ coefficient: t.coefficient / g, atom: t.atom }));
      return { g, high: this.affine(scaled, base), low };
    }
    return undefined;
  }

  /** `floor(x / d)` of a non-negative `x`. */
  idiv(x: Node, d: number): Node {
    if (d === 1) return x;
    const parts = this.#divide(x, d);
    if (parts === undefined) return this.#plainCall("idiv", [x, this.int(d)], "int32");
    const { q, r } = parts;
    if (r.max < d) return q;
    const sum = (y: Node) =>
      this.affine([{ coefficient: 1, atom: q }, { coefficient: 1, atom: y }], 0);
    const common = this.#common(r, d);
    if (common) return sum(this.idiv(common.high, d / common.g));
    if (r.kind === "call" && r.op === "idiv" && r.args[1]!.kind === "const") {
      return sum(this.idiv(r.args[0]!, r.args[1]!.min * d));
    }
    return sum(this.#plainCall("idiv", [r, this.int(d)], "int32"));
  }

  /** `x mod d` of a non-negative `x`. */
  imod(x: Node, d: number): Node {
    if (d === 1) return this.int(0);
    const parts = this.#divide(x, d);
    if (parts === undefined) return this.#plainCall("imod", [x, this.int(d)], "int32");
    const r = parts.r;
    if (r.max < d) return r;
    const common = this.#common(r, d);
    if (common) {
      const high = this.imod(common.high, d / common.g);
      return this.affine([{ coefficient: common.g, atom: high }, {
        coefficient: 1,
        atom: common.low,
      }], 0);
    }
    if (r.kind === "call" && r.op === "imod" && r.args[1]!.min % d === 0) {
      return this.imod(r.args[0]!, d);
    }
    return this.#plainCall("imod", [r, this.int(d)], "int32");
  }

  /** A scalar function; integer sums and divisions by constants take their normal forms. */
  call(op: ScalarName, args: readonly Node[], dtype: DType): Node {
    const [a, b] = args as [Node, Node];
    if (dtype === "int32") {
      if (op === "add") return this.#sum(a, 1, b, 1);
      if (op === "sub") return this.#sum(a, 1, b, -1);
      if (op === "neg") return this.affine([{ coefficient: -1, atom: a }], 0);
      if (op === "mul" && b.kind === "const") return this.#sum(a, b.value, b, 0);
      if (op === "mul" && a.kind === "const") return this.#sum(b, a.value, a, 0);
      if (op === "idiv" && b.kind === "const" && b.value > 0) return this.idiv(a, b.value);
      if (op === "imod" && b.kind === "const" && b.value > 0) return this.imod(a, b.value);
    }
    return this.#decided(op, args) ?? this.#plainCall(op, args, dtype);
  }

  #sum(a: Node, ca: number, b: Node, cb: number): Node {
    return this.affine([{ coefficient: ca, atom: a }, { coefficient: cb, atom: b }], 0);
  }

  /** Conditions that bounds decide, and what follows from them. */
  #decided(op: ScalarName, args: readonly Node[]): Node | undefined {
    const [a, b, c] = args as [Node, Node, Node];
    const bool = (x: boolean) => this.constant(x ? 1 : 0, "bool");
    switch (op) {
      case "lt":
        if (a.dtype !== "int32") return undefined;
        return a.max < b.min ? bool(true) : a.min >= b.max ? bool(false) : undefined;
      case "le":
        if (a.dtype !== "int32") return undefined;
        return a.max <= b.min ? bool(true) : a.min > b.max ? bool(false) : undefined;
      case "and":
        if (a.dtype !== "bool") return undefined;
        if (a.kind === "const") return a.value ? b : a;
        return b.kind === "const" ? (b.value ? a : b) : undefined;
      case "or":
        if (a.dtype !== "bool") return undefined;
        if (a.kind === "const") return a.value ? a : b;
        return b.kind === "const" ? (b.value ? b : a) : undefined;
      case "not":
        return a.kind === "const" ? bool(a.value === 0) : undefined;
      case "select":
        return a.kind === "const" ? (a.value ? b : c) : undefined;
      default:
        return undefined;
    }
  }

  #plainCall(op: ScalarName, args: readonly Node[], dtype: DType): Node {
    const [min, max] = dtype === "int32" ? callBounds(op, args) : [-Infinity, Infinity];
    let axes = 0;
    for (const a of args) axes |= a.axes;
    const key = `${op}${dtype}:${args.map((a) => a.id).join()}`;
    return this.#unique(key, { kind: "call", dtype, op, args, axes, min, max });
  }

  /** An element of an input. */
  load(input: number, dtype: DType, index: Node, guard: Node | undefined): Node {
    if (guard?.kind === "const") {
      if (guard.value === 0) return this.constant(0, dtype);
      guard = undefined;
    }
    const axes = index.axes | (guard?.axes ?? 0);
    const key = `l${dtype}:${input}:${index.id}:${guard?.id ?? ""}`;
    const [min, max] = [-Infinity, Infinity];
    return this.#unique(key, { kind: "load", dtype, input, index, guard, axes, min, max });
  }

  /** The result of a reduction. What it depends on is known to who computes it. */
  acc(slot: number, dtype: DType): Node {
    const [axes, min, max] = [0, -Infinity, Infinity];
    return this.#unique(`r${dtype}:${slot}`, { kind: "acc", dtype, slot, axes, min, max });
  }

  /** Nodes of an expression; `axes[i]` stands for axis `i`. */
  lift(x: Expr, axes: readonly Node[], memo: Map<Expr, Node>): Node {
    const known = memo.get(x);
    if (known !== undefined) return known;
    const node = this.#liftNew(x, axes, memo);
    memo.set(x, node);
    return node;
  }

  #liftNew(x: Expr, axes: readonly Node[], memo: Map<Expr, Node>): Node {
    switch (x.kind) {
      case "const":
        return this.constant(x.value, x.dtype);
      case "axis":
        return axes[x.axis]!;
      case "acc":
        return this.acc(x.slot, x.dtype);
      case "load": {
        const guard = x.guard && this.lift(x.guard, axes, memo);
        return this.load(x.input, x.dtype, this.lift(x.index, axes, memo), guard);
      }
      case "call":
        return this.call(x.op, x.args.map((a) => this.lift(a, axes, memo)), x.dtype);
    }
  }

  /** The same value with axes, and with `sum` the results of reductions, replaced. */
  substitute(
    x: Node,
    axes: ReadonlyMap<number, Node>,
    memo: Map<Node, Node>,
    sum?: Node,
  ): Node {
    const known = memo.get(x);
    if (known !== undefined) return known;
    const again = (y: Node) => this.substitute(y, axes, memo, sum);
    let node: Node = x;
    if (x.kind === "axis") node = axes.get(x.axis) ?? x;
    else if (x.kind === "affine") {
      node = this.affine(x.terms.map((t) => ({ ...t, atom: again(t.atom) })), x.offset);
    } else if (x.kind === "load") {
      node = this.load(x.input, x.dtype, again(x.index), x.guard && again(x.guard));
    } else if (x.kind === "call") node = this.call(x.op, x.args.map(again), x.dtype);
    else if (x.kind === "acc") node = sum ?? x;
    memo.set(x, node);
    return node;
  }
}

function callBounds(op: ScalarName, args: readonly Node[]): [number, number] {
  const [a, b, c] = args as [Node, Node, Node];
  switch (op) {
    case "idiv":
      if (b.kind !== "const" || !(a.min >= 0)) return [0, SAFE - 1];
      return [Math.floor(a.min / b.value), Math.min(SAFE - 1, Math.floor(a.max / b.value))];
    case "imod":
      return [0, b.kind === "const" ? b.value - 1 : SAFE - 1];
    case "min":
      return [Math.min(a.min, b.min), Math.min(a.max, b.max)];
    case "max":
      return [Math.max(a.min, b.min), Math.max(a.max, b.max)];
    case "select":
      return [Math.min(b.min, c.min), Math.max(b.max, c.max)];
    default:
      return [-Infinity, Infinity];
  }
}
