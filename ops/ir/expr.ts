/**
 * Scalar expressions: what a kernel computes for one point of its iteration space.
 *
 * Expressions are immutable and shared (a DAG). Index arithmetic is int32 and uses the same nodes.
 */
import type { DType } from "./dtype.ts";
import { type ScalarName, scalarRow } from "./scalar.ts";

/** A constant. Infinity and NaN are allowed. */
export interface ConstExpr {
  readonly kind: "const";
  readonly dtype: DType;
  readonly value: number;
}

/** Coordinate along axis `axis` of the kernel's iteration space, `0 ≤ value < size`, int32. */
export interface AxisExpr {
  readonly kind: "axis";
  readonly dtype: "int32";
  readonly axis: number;
  readonly size: number;
}

/**
 * Element `index` (flat, in elements, non-negative, relative to the binding's offset) of input
 * `input`. Where `guard` is false nothing is read and the value is 0.
 */
export interface LoadExpr {
  readonly kind: "load";
  readonly dtype: DType;
  readonly input: number;
  readonly index: Expr;
  readonly guard: Expr | undefined;
}

/** Result of reduction `slot` of the kernel, seen by later reductions and by the outputs. */
export interface AccExpr {
  readonly kind: "acc";
  readonly dtype: DType;
  readonly slot: number;
}

/** A scalar function applied to arguments. */
export interface CallExpr {
  readonly kind: "call";
  readonly dtype: DType;
  readonly op: ScalarName;
  readonly args: readonly Expr[];
}

/** A scalar expression. */
export type Expr = ConstExpr | AxisExpr | LoadExpr | AccExpr | CallExpr;

/** Constant of a dtype. */
export function constant(value: number, dtype: DType): ConstExpr {
  return { kind: "const", dtype, value };
}

/** Integer constant for index arithmetic. */
export function int(value: number): ConstExpr {
  return { kind: "const", dtype: "int32", value };
}

/** Coordinate along an axis of the iteration space. */
export function axis(index: number, size: number): Expr {
  return size === 1 ? int(0) : { kind: "axis", dtype: "int32", axis: index, size };
}

/** Element of an input. */
export function load(input: number, dtype: DType, index: Expr, guard?: Expr | undefined): Expr {
  return { kind: "load", dtype, input, index, guard };
}

/** Result of a reduction. */
export function acc(slot: number, dtype: DType): AccExpr {
  return { kind: "acc", dtype, slot };
}

/** A scalar function of arguments; folds constants and neutral elements. */
export function call(op: ScalarName, args: readonly Expr[], dtype?: DType): Expr {
  const last = args[args.length - 1]!;
  const result = scalarRow(op).result;
  const type = dtype ?? (op === "philox" ? "uint32" : result === "bool" ? "bool" : last.dtype);
  return fold(op, args, type) ?? { kind: "call", dtype: type, op, args };
}

/** Whether `x` is the constant `value`. */
export function isConst(x: Expr, value?: number): x is ConstExpr {
  return x.kind === "const" && (value === undefined || x.value === value);
}

function isInt(dtype: DType): boolean {
  return dtype === "int32" || dtype === "uint32";
}

function fold(op: ScalarName, args: readonly Expr[], dtype: DType): Expr | undefined {
  const [a, b, c] = args as [Expr, Expr, Expr];
  switch (op) {
    case "add":
      if (isConst(b, 0) && isInt(dtype)) return a;
      if (isConst(a, 0) && isInt(dtype)) return b;
      break;
    case "sub":
      if (isConst(b, 0)) return a;
      break;
    case "mul":
      if (isConst(b, 1)) return a;
      if (isConst(a, 1)) return b;
      if (isInt(dtype) && (isConst(a, 0) || isConst(b, 0))) return constant(0, dtype);
      break;
    case "div":
      if (isConst(b, 1)) return a;
      break;
    case "idiv":
      if (isConst(b, 1)) return a;
      break;
    case "imod":
      if (isConst(b, 1)) return constant(0, dtype);
      break;
    case "and":
      if (dtype === "bool") {
        if (isConst(a)) return a.value ? b : a;
        if (isConst(b)) return b.value ? a : b;
      }
      break;
    case "or":
      if (dtype === "bool") {
        if (isConst(a)) return a.value ? a : b;
        if (isConst(b)) return b.value ? b : a;
      }
      break;
    case "select":
      if (isConst(a)) return a.value ? b : c;
      if (b === c) return b;
      break;
    case "cast":
      if (a.dtype === dtype) return a;
      break;
  }
  if (isInt(dtype) || dtype === "bool") return foldInteger(op, args, dtype);
  return undefined;
}

/** Integer and bool functions of constants are exact, so they fold; float ones stay as written. */
function foldInteger(op: ScalarName, args: readonly Expr[], dtype: DType): Expr | undefined {
  if (op === "cast" || op === "bitcast" || op === "philox") return undefined;
  const values: number[] = [];
  for (const arg of args) {
    if (arg.kind !== "const") return undefined;
    values.push(arg.value);
  }
  // A product of 32-bit numbers has more digits than a float64; only the low 32 bits count.
  const value = op === "mul"
    ? Math.imul(values[0]!, values[1]!)
    : scalarRow(op).evaluate(...values);
  if (!Number.isFinite(value)) return undefined;
  return constant(dtype === "int32" ? value | 0 : dtype === "uint32" ? value >>> 0 : value, dtype);
}

// Short spellings; op definitions read as formulas with these.
/** `a + b` */
export function add(a: Expr, b: Expr): Expr {
  return call("add", [a, b]);
}
/** `a − b` */
export function sub(a: Expr, b: Expr): Expr {
  return call("sub", [a, b]);
}
/** `a · b` */
export function mul(a: Expr, b: Expr): Expr {
  return call("mul", [a, b]);
}
/** `a / b` */
export function div(a: Expr, b: Expr): Expr {
  return call("div", [a, b]);
}
/** `floor(a / b)` of non-negative integers. */
export function idiv(a: Expr, b: number): Expr {
  return call("idiv", [a, int(b)]);
}
/** `a mod b` of non-negative integers. */
export function imod(a: Expr, b: number): Expr {
  return call("imod", [a, int(b)]);
}
/** `a < b` */
export function lt(a: Expr, b: Expr): Expr {
  return call("lt", [a, b]);
}
/** `a ≤ b` */
export function le(a: Expr, b: Expr): Expr {
  return call("le", [a, b]);
}
/** `a = b` */
export function eq(a: Expr, b: Expr): Expr {
  return call("eq", [a, b]);
}
/** Both conditions; `undefined` stands for true. */
export function and(a: Expr | undefined, b: Expr | undefined): Expr | undefined {
  return a === undefined ? b : b === undefined ? a : call("and", [a, b]);
}
/** `condition ? a : b` */
export function select(condition: Expr, a: Expr, b: Expr): Expr {
  return call("select", [condition, a, b]);
}
/** Numeric conversion. */
export function cast(a: Expr, dtype: DType): Expr {
  if (a.kind === "const" && a.dtype !== dtype) {
    return constant(castValue(a.value, dtype, a.dtype), dtype);
  }
  return call("cast", [a], dtype);
}

/**
 * Value of a numeric conversion: float to integer truncates and saturates, integer to integer keeps
 * the bits, to bool compares.
 */
export function castValue(x: number, dtype: DType, from: DType = "float64"): number {
  if (dtype === "bool") return x !== 0 ? 1 : 0;
  if (dtype === "float32") return Math.fround(x);
  if (dtype === "float64" || dtype === "float16") return x;
  if (x !== x) return 0;
  if (isInt(from)) return dtype === "int32" ? x | 0 : x >>> 0;
  const [low, high] = dtype === "int32" ? [-2147483648, 2147483647] : [0, 4294967295];
  return Math.trunc(Math.min(Math.max(x, low), high));
}

/** Row-major flat index of coordinates. */
export function ravel(coordinates: readonly Expr[], shape: readonly number[]): Expr {
  let flat: Expr = int(0);
  for (const [d, size] of shape.entries()) flat = add(mul(flat, int(size)), coordinates[d]!);
  return flat;
}

/** Coordinates of a row-major flat index. */
export function unravel(flat: Expr, shape: readonly number[]): Expr[] {
  const coordinates: Expr[] = new Array(shape.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = shape[d]!;
    const quotient = idiv(flat, stride);
    coordinates[d] = size === 1 ? int(0) : d === 0 ? quotient : imod(quotient, size);
    stride *= size;
  }
  return coordinates;
}

/** Flat index by strides: `Σ coordinate · stride`. */
export function strided(coordinates: readonly Expr[], strides: readonly number[]): Expr {
  let flat: Expr = int(0);
  for (const [d, stride] of strides.entries()) {
    flat = add(flat, mul(coordinates[d]!, int(stride)));
  }
  return flat;
}

/** Axes `start, start + 1, …` for the sizes of `shape`. */
export function axesOf(shape: readonly number[], start = 0): Expr[] {
  return shape.map((size, d) => axis(start + d, size));
}

/** What `rewrite` may change: any subset of leaves; calls are rebuilt (and folded again). */
export interface Rewriter {
  readonly axis?: (x: AxisExpr) => Expr;
  readonly load?: (x: LoadExpr, index: Expr, guard: Expr | undefined) => Expr;
  readonly acc?: (x: AccExpr) => Expr;
  readonly call?: (x: CallExpr, args: readonly Expr[]) => Expr;
}

/** Rebuilds an expression bottom-up, each shared node once. `memo` shares work between roots. */
export function rewrite(root: Expr, rewriter: Rewriter, memo: Map<Expr, Expr> = new Map()): Expr {
  const done = memo.get(root);
  if (done !== undefined) return done;
  const result = rewriteNode(root, rewriter, memo);
  memo.set(root, result);
  return result;
}

function rewriteNode(x: Expr, rewriter: Rewriter, memo: Map<Expr, Expr>): Expr {
  switch (x.kind) {
    case "const":
      return x;
    case "axis":
      return rewriter.axis?.(x) ?? x;
    case "acc":
      return rewriter.acc?.(x) ?? x;
    case "load": {
      const index = rewrite(x.index, rewriter, memo);
      const guard = x.guard && rewrite(x.guard, rewriter, memo);
      if (rewriter.load) return rewriter.load(x, index, guard);
      return index === x.index && guard === x.guard ? x : load(x.input, x.dtype, index, guard);
    }
    case "call": {
      let changed = false;
      const args = x.args.map((arg) => {
        const next = rewrite(arg, rewriter, memo);
        changed ||= next !== arg;
        return next;
      });
      if (rewriter.call) return rewriter.call(x, args);
      return changed ? call(x.op, args, x.dtype) : x;
    }
  }
}

/** Children of a node, the guard of a load last. */
export function childrenOf(x: Expr): readonly Expr[] {
  if (x.kind === "call") return x.args;
  if (x.kind === "load") return x.guard ? [x.index, x.guard] : [x.index];
  return [];
}

/** Visits each distinct node under the roots once, children first. */
export function visit(roots: readonly Expr[], enter: (x: Expr) => void): void {
  const seen = new Set<Expr>();
  function walk(x: Expr): void {
    if (seen.has(x)) return;
    seen.add(x);
    for (const child of childrenOf(x)) walk(child);
    enter(x);
  }
  for (const root of roots) walk(root);
}
