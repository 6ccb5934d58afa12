/**
 * Straight-line form of expressions: each distinct value computed once, operands before users.
 * Backends generate code from it; the printer and the cache key use it as well.
 */
import { childrenOf, type Expr } from "./expr.ts";

/** One value of a program. */
export interface Instruction {
  /** The expression node (its operands are given by `args`, not by its own children). */
  readonly expr: Expr;
  /** Positions of the operands: for a load, the index and then the guard if there is one. */
  readonly args: readonly number[];
}

/** Values in order, and the position of each root. */
export interface Program {
  readonly instructions: readonly Instruction[];
  readonly roots: readonly number[];
}

/** Structural text of a node whose operands have the given numbers. */
function shallowKey(x: Expr, args: readonly number[]): string {
  switch (x.kind) {
    case "const":
      return `c:${x.dtype}:${Object.is(x.value, -0) ? "-0" : x.value}`;
    case "axis":
      return `x:${x.axis}:${x.size}`;
    case "acc":
      return `r:${x.dtype}:${x.slot}`;
    case "load":
      return `l:${x.dtype}:${x.input}:${args.join(",")}`;
    case "call":
      return `${x.op}:${x.dtype}:${args.join(",")}`;
  }
}

/** Orders and merges the values under the roots (common subexpressions become one). */
export function linearize(roots: readonly Expr[]): Program {
  const instructions: Instruction[] = [];
  const byKey = new Map<string, number>();
  const byNode = new Map<Expr, number>();
  function number(x: Expr): number {
    const known = byNode.get(x);
    if (known !== undefined) return known;
    const args = childrenOf(x).map(number);
    const key = shallowKey(x, args);
    let position = byKey.get(key);
    if (position === undefined) {
      position = instructions.length;
      instructions.push({ expr: x, args });
      byKey.set(key, position);
    }
    byNode.set(x, position);
    return position;
  }
  return { roots: roots.map(number), instructions };
}

/** Text that is equal exactly for programs that compute the same, for cache keys. */
export function programKey(program: Program): string {
  const lines = program.instructions.map(({ expr, args }) => shallowKey(expr, args));
  return `${lines.join(";")}=>${program.roots.join(",")}`;
}
