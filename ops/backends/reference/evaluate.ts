/** Expressions as closures over a point, arrays and accumulators; all arithmetic is float64. */
import { type CallExpr, castValue, type Expr, type LoadExpr } from "../../ir/expr.ts";
import type { DType } from "../../ir/dtype.ts";
import { type Instruction, linearize } from "../../ir/program.ts";
import { bitcast, scalarRow } from "../../ir/scalar.ts";
import { cellsOf, type ReferenceBuffer, tagOf } from "./memory.ts";

/** An array as kernels see it: element 0 lies at `offset`, in elements of the array's dtype. */
export interface BoundArray {
  readonly buffer: ReferenceBuffer;
  readonly offset: number;
}

/** What expressions read while a kernel runs. */
export interface Scope {
  readonly axes: number[];
  readonly accumulators: number[];
  readonly inputs: readonly BoundArray[];
}

/** Computes the values of some expressions at the scope's current point. */
export type Evaluator = (scope: Scope) => Float64Array<ArrayBuffer>;

type Step = (scope: Scope, values: Float64Array<ArrayBuffer>) => number;

/** Evaluates all roots at once, shared parts once; the result is overwritten by the next call. */
export function evaluatorOf(roots: readonly Expr[]): Evaluator {
  const program = linearize(roots);
  const steps = program.instructions.map(stepOf);
  const values = new Float64Array(steps.length);
  const results = new Float64Array(roots.length);
  return (scope) => {
    for (let i = 0; i < steps.length; i++) values[i] = steps[i]!(scope, values);
    for (let r = 0; r < results.length; r++) results[r] = values[program.roots[r]!]!;
    return results;
  };
}

function stepOf({ expr, args }: Instruction): Step {
  switch (expr.kind) {
    case "const": {
      const { value } = expr;
      return () => value;
    }
    case "axis": {
      const { axis } = expr;
      return ({ axes }) => axes[axis]!;
    }
    case "acc": {
      const { slot } = expr;
      return ({ accumulators }) => accumulators[slot]!;
    }
    case "load":
      return loadStep(expr, args);
    case "call": {
      const run = callStep(expr, args);
      return (_, values) => run(values);
    }
  }
}

function loadStep(x: LoadExpr, args: readonly number[]): Step {
  const { input, dtype } = x;
  const [index, guard] = args as [number, number | undefined];
  const step = cellsOf(dtype), tag = tagOf(dtype);
  return ({ inputs }, values) => {
    if (guard !== undefined && values[guard] === 0) return 0;
    const { buffer, offset } = inputs[input]!;
    const cell = (values[index]! + offset) * step;
    return buffer.tags[cell] === tag ? buffer.values[cell]! : buffer.get(cell, dtype);
  };
}

function callStep(
  x: CallExpr,
  args: readonly number[],
): (values: Float64Array<ArrayBuffer>) => number {
  const [a, b, c] = args as [number, number, number];
  const from = x.args[0]!.dtype, to = x.dtype;
  if (x.op === "cast") return (v) => castValue(v[a]!, to, from);
  if (x.op === "bitcast") return (v) => bitcast(v[a]!, from, to);
  const wrap = wrapperOf(to);
  // The product of two 32-bit numbers has more digits than a float64.
  if (x.op === "mul" && wrap !== undefined) return (v) => wrap(Math.imul(v[a]!, v[b]!));
  const row: { evaluate: (...args: number[]) => number } = scalarRow(x.op);
  const f = row.evaluate;
  const plain = args.length === 1
    ? (v: Float64Array) => f(v[a]!)
    : args.length === 2
    ? (v: Float64Array) => f(v[a]!, v[b]!)
    : args.length === 3
    ? (v: Float64Array) => f(v[a]!, v[b]!, v[c]!)
    : (v: Float64Array) => f(...args.map((i) => v[i]!));
  return wrap === undefined ? plain : (v) => wrap(plain(v));
}

/** How results of integer arithmetic come back to 32 bits; floats and bools need nothing. */
export function wrapperOf(dtype: DType): ((x: number) => number) | undefined {
  if (dtype === "int32") return (x) => x | 0;
  return dtype === "uint32" ? (x) => x >>> 0 : undefined;
}
