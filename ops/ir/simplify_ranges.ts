/** Ranges of the int32 functions that are no affine sums. */
import type { CallExpr, Expr } from "./expr.ts";
import type { ScalarName } from "./scalar.ts";
import { ANY_INT, type Range } from "./simplify_linear.ts";
import type { Simplifier } from "./simplify.ts";

type RangeRule = (args: readonly Expr[], s: Simplifier) => Range;

/** Functions that are not listed can have any value. */
const RANGE_RULES: Partial<Record<ScalarName, RangeRule>> = {
  idiv: ([a, b], s) => {
    if (b!.kind !== "const" || b!.value <= 0) return ANY_INT;
    const [low, high] = s.range(a!);
    return [Math.floor(low / b!.value), Math.floor(high / b!.value)];
  },
  imod: ([a, b], s) => {
    if (b!.kind !== "const" || b!.value <= 0) return ANY_INT;
    // A negative value is possible only where a guard is false, so that nobody looks at it.
    return [0, Math.min(Math.max(s.range(a!)[1], 0), b!.value - 1)];
  },
  mul: ([a, b], s) => {
    const [p, q] = s.range(a!), [r, t] = s.range(b!);
    const corners = [p * r, p * t, q * r, q * t];
    return [Math.min(...corners), Math.max(...corners)];
  },
  min: ([a, b], s) => {
    const p = s.range(a!), q = s.range(b!);
    return [Math.min(p[0], q[0]), Math.min(p[1], q[1])];
  },
  max: ([a, b], s) => {
    const p = s.range(a!), q = s.range(b!);
    return [Math.max(p[0], q[0]), Math.max(p[1], q[1])];
  },
  abs: ([a], s) => {
    const [low, high] = s.range(a!);
    return [
      low <= 0 && high >= 0 ? 0 : Math.min(-low, low < 0 ? Infinity : low),
      Math.max(-low, high),
    ];
  },
  select: ([, a, b], s) => {
    const p = s.range(a!), q = s.range(b!);
    return [Math.min(p[0], q[0]), Math.max(p[1], q[1])];
  },
  cast: ([a], s) => a!.dtype === "bool" ? s.range(a!) : ANY_INT,
  and: ([a, b], s) => {
    const p = s.range(a!), q = s.range(b!);
    if (p[0] >= 0 && q[0] >= 0) return [0, Math.min(p[1], q[1])];
    return p[0] >= 0 ? [0, p[1]] : q[0] >= 0 ? [0, q[1]] : ANY_INT;
  },
};

/** Range of a call whose arguments are simplified; may be wider than int32 where it can wrap. */
export function rangeOfCall(x: CallExpr, s: Simplifier): Range {
  return RANGE_RULES[x.op]?.(x.args, s) ?? ANY_INT;
}
