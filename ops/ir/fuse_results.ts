/** Reduction slots of a kernel: which are read, and other numbers for them. */
import { acc, type Expr, rewrite, visit } from "./expr.ts";
import { type Kernel, mapExpressions, type ReduceKernel } from "./kernel.ts";

/** Whether each reduction is read by an output, directly or through a later reduction. */
export function liveReductions(kernel: ReduceKernel): boolean[] {
  const live = kernel.reductions.map(() => false);
  const mark = (roots: readonly Expr[]): void =>
    visit(roots, (x) => {
      if (x.kind === "acc") live[x.slot] = true;
    });
  mark(kernel.outputs.flatMap((o) => o.index ? [o.value, o.index] : [o.value]));
  for (let slot = live.length - 1; slot >= 0; slot--) {
    if (live[slot]) mark([kernel.reductions[slot]!.body]);
  }
  return live;
}

/** The kernel with reduction `i` read as `slots[i]`. */
export function renameResults<K extends Kernel>(kernel: K, slots: readonly number[]): K {
  const memo = new Map<Expr, Expr>();
  return mapExpressions(
    kernel,
    (x) => rewrite(x, { acc: (y) => acc(slots[y.slot]!, y.dtype) }, memo),
  ) as K;
}
