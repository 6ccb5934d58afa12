/** When an output may lie where an input lies. */
import { axis, type Expr, int } from "./expr.ts";
import { expressionsOf, type Kernel } from "./kernel.ts";
import { outputIndex, SameExpr } from "./fuse_kernel.ts";
import { loadsOf } from "./plan_cost.ts";

/**
 * Whether every read of input `slot` is of the very element that output `output` then replaces, at
 * the same point, so that both may share memory. At one point all outputs are computed before one is
 * written.
 */
export function isReadInPlace(kernel: Kernel, slot: number, output: number): boolean {
  const same = new SameExpr();
  const place = placeOf(kernel, output);
  if (place === undefined) return loadsOf(expressionsOf(kernel), slot).length === 0;
  if (loadsOf(earlyExpressions(kernel), slot).length > 0) return false;
  return loadsOf(expressionsOf(kernel), slot).every((x) => same.equal(x.index, place));
}

function placeOf(kernel: Kernel, output: number): Expr | undefined {
  switch (kernel.kind) {
    case "map":
    case "reduce":
    case "contract":
      return outputIndex(kernel, kernel.outputs[output]!);
    case "scatter":
      return kernel.size === 1 ? int(0) : axis(0, kernel.size);
    default:
      return undefined;
  }
}

/** Expressions that are read at other points, or after some output was written. */
function earlyExpressions(kernel: Kernel): Expr[] {
  switch (kernel.kind) {
    case "map":
      return [];
    case "reduce":
      // Full outputs are written while other outputs of the row still wait to be computed.
      return [
        ...kernel.reductions.map((r) => r.body),
        ...(kernel.outputs.some((o) => o.full) && kernel.outputs.some((o) => !o.full)
          ? kernel.outputs.map((o) => o.value)
          : []),
      ];
    case "scatter":
      return [kernel.target, kernel.value, ...(kernel.guard ? [kernel.guard] : [])];
    case "contract":
      // Backends that sum up in memory keep sums of such a kernel in scratch.
      return [kernel.a, kernel.b];
    case "scan":
    case "sort":
      return expressionsOf(kernel);
  }
}
