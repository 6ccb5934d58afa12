/** What kernels cost: arithmetic, and bytes that must move. Estimates for decisions and reports. */
import { bytesOf, isFloat } from "./dtype.ts";
import { childrenOf, type Expr, type LoadExpr, visit } from "./expr.ts";
import { iterationShape, type Kernel, sizeOf } from "./kernel.ts";
import { scalarRow } from "./scalar.ts";
import { Simplifier } from "./simplify.ts";

/** An expression of a kernel and how often it is evaluated. */
export interface Root {
  readonly expr: Expr;
  /** Points of the iteration space at which it is evaluated. */
  readonly points: number;
  /** Operand of a contraction: each element is read by many points, in tiles. */
  readonly operand: boolean;
}

/** Arithmetic and traffic of one run of a kernel. */
export interface KernelCost {
  /** Bytes of inputs, each element counted once. */
  readonly readBytes: number;
  readonly writeBytes: number;
  /** Floating operations; a function such as `exp` counts as one. */
  readonly flops: number;
}

/** Every expression that computes a value (not where it is stored), with its number of points. */
export function rootsOf(kernel: Kernel): Root[] {
  const outer = kernel.kind === "scatter" ? 0 : pointsOf(kernel);
  const all = sizeOf(iterationShape(kernel));
  const outputs = kernel.outputs.map((o) => root(o.value, o.full ? all : outer));
  switch (kernel.kind) {
    case "map":
      return outputs;
    case "reduce":
      return [...kernel.reductions.map((r) => root(r.body, all)), ...outputs];
    case "contract": {
      const [b, m, n, k] = [kernel.batch, kernel.m, kernel.n, kernel.k].map(sizeOf) as [
        number,
        number,
        number,
        number,
      ];
      const a = { expr: kernel.a, points: b * m * k, operand: true };
      return [a, { expr: kernel.b, points: b * n * k, operand: true }, ...outputs];
    }
    case "scan":
      return [root(kernel.body, all), ...outputs];
    case "scatter": {
      const per = [kernel.target, kernel.value, ...(kernel.guard ? [kernel.guard] : [])];
      const start = kernel.init ? [root(kernel.init, kernel.size)] : [];
      return [...start, ...per.map((x) => root(x, all))];
    }
    case "sort":
      return [];
  }
}

function root(expr: Expr, points: number): Root {
  return { expr, points, operand: false };
}

/** Points at which outputs that are not `full` are written. */
export function pointsOf(kernel: Kernel): number {
  switch (kernel.kind) {
    case "map":
    case "scan":
    case "reduce":
      return sizeOf(kernel.shape);
    case "contract":
      return sizeOf(kernel.batch) * sizeOf(kernel.m) * sizeOf(kernel.n);
    case "scatter":
      return kernel.size;
    case "sort":
      return kernel.rows * kernel.length;
  }
}

/** Elements that output `slot` holds. */
export function outputElements(kernel: Kernel, slot: number): number {
  return kernel.outputs[slot]!.full ? sizeOf(iterationShape(kernel)) : pointsOf(kernel);
}

/** Calls `enter` for each value node under the roots: indices and guards of loads are left out. */
export function visitValues(roots: readonly Expr[], enter: (x: Expr) => void): void {
  const seen = new Set<Expr>();
  function walk(x: Expr): void {
    if (seen.has(x)) return;
    seen.add(x);
    if (x.kind !== "load") { for (const child of childrenOf(x)) walk(child); }
    enter(x);
  }
  for (const x of roots) walk(x);
}

/** Cost of computing a value once, in multiplications; a load counts as one. */
export function valueCost(x: Expr): number {
  let cost = 0;
  visitValues([x], (y) => {
    if (y.kind === "call") cost += scalarRow(y.op).cost;
    else if (y.kind === "load") cost += 1;
  });
  return cost;
}

/** The loads of one input, or of all. */
export function loadsOf(roots: readonly Expr[], input?: number): LoadExpr[] {
  const loads: LoadExpr[] = [];
  visit(roots, (x) => {
    if (x.kind === "load" && (input === undefined || x.input === input)) loads.push(x);
  });
  return loads;
}

/** Number of distinct points of the axes that an expression depends on. */
export function axisPoints(x: Expr): number {
  const sizes = new Map<number, number>();
  visit([x], (y) => {
    if (y.kind === "axis") sizes.set(y.axis, y.size);
  });
  return sizeOf([...sizes.values()]);
}

/** Elements of output `slot` that are written: not all, where a scatter keeps what is there. */
function writtenElements(kernel: Kernel, slot: number): number {
  const all = outputElements(kernel, slot);
  return kernel.kind === "scatter" && !kernel.init ? Math.min(all, sizeOf(kernel.shape)) : all;
}

const elementCounts = new WeakMap<Kernel, readonly number[]>();

/** Elements of each input that are read, each counted once as far as can be told. */
export function elementsRead(kernel: Kernel): readonly number[] {
  let counts = elementCounts.get(kernel);
  if (counts === undefined) {
    counts = countElements(kernel);
    elementCounts.set(kernel, counts);
  }
  return counts;
}

function countElements(kernel: Kernel): number[] {
  if (kernel.kind === "sort") return [kernel.rows * kernel.length];
  const s = new Simplifier();
  const hulls = kernel.inputs.map(() => ({ low: Infinity, high: -Infinity, touched: 0 }));
  const roots = rootsOf(kernel).map((r) => s.simplify(r.expr));
  for (const x of loadsOf(roots)) {
    const hull = hulls[x.input]!;
    const [low, high] = (x.guard ? s.under(x.guard) : s).range(x.index);
    hull.low = Math.min(hull.low, low);
    hull.high = Math.max(hull.high, high);
    hull.touched += axisPoints(x.index);
  }
  return hulls.map(({ low, high, touched }) => Math.max(0, Math.min(high - low + 1, touched)));
}

/** Cost of one run. */
export function kernelCost(kernel: Kernel): KernelCost {
  const elements = elementsRead(kernel);
  let readBytes = 0, writeBytes = 0, flops = 0;
  for (const [i, { dtype }] of kernel.inputs.entries()) readBytes += elements[i]! * bytesOf(dtype);
  for (const [i, { dtype }] of kernel.outputs.entries()) {
    writeBytes += writtenElements(kernel, i) * bytesOf(dtype);
  }
  for (const { expr, points } of rootsOf(kernel)) flops += floatOperations(expr) * points;
  return { readBytes, writeBytes, flops: flops + ownFlops(kernel) };
}

function floatOperations(x: Expr): number {
  let count = 0;
  visitValues([x], (y) => {
    if (y.kind === "call" && isFloat(y.dtype) && y.op !== "select" && y.op !== "cast") count++;
  });
  return count;
}

/** Operations that the kind itself adds: products and sums of a contraction, steps of a reduction. */
function ownFlops(kernel: Kernel): number {
  const all = sizeOf(iterationShape(kernel));
  switch (kernel.kind) {
    case "contract":
      return 2 * all;
    case "reduce":
      return kernel.reductions.length * all;
    case "scan":
    case "scatter":
      return all;
    default:
      return 0;
  }
}
