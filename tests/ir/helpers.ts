/** Helpers of the IR tests: seeded random numbers and evaluation of integer expressions. */
import { castValue, type Expr } from "../../ops/ir/expr.ts";
import { scalarRow } from "../../ops/ir/scalar.ts";

/** Seeded generator (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    this.#state = (this.#state + 0x6D2B79F5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!;
  }
}

/** Values that an expression may refer to. */
export interface Environment {
  readonly axes: readonly number[];
  readonly inputs?: readonly (readonly number[])[];
}

/** Value of an expression; `NaN` where an unguarded load is out of bounds. */
export function evaluate(x: Expr, env: Environment): number {
  switch (x.kind) {
    case "const":
      return x.value;
    case "axis":
      return env.axes[x.axis]!;
    case "acc":
      throw new Error("no accumulators here");
    case "load": {
      if (x.guard && evaluate(x.guard, env) === 0) return 0;
      return env.inputs?.[x.input]?.[evaluate(x.index, env)] ?? NaN;
    }
    case "call": {
      const args = x.args.map((arg) => evaluate(arg, env));
      if (x.op === "cast") return castValue(args[0]!, x.dtype, x.args[0]!.dtype);
      if (x.op === "mul" && x.dtype === "int32") return Math.imul(args[0]!, args[1]!);
      const value = scalarRow(x.op).evaluate(...args);
      return x.dtype === "int32" ? value | 0 : value;
    }
  }
}

/** All points of a shape, row-major. */
export function* points(shape: readonly number[]): Generator<number[]> {
  const point = shape.map(() => 0);
  if (shape.some((s) => s === 0)) return;
  while (true) {
    yield [...point];
    let d = shape.length - 1;
    while (d >= 0 && ++point[d]! === shape[d]) point[d--] = 0;
    if (d < 0) return;
  }
}
