/** Elementwise functions and reductions. */
import * as T from "../../ops/mod.ts";
import { type Parameters, type Row, row } from "./parameters.ts";

/** Reductions take one axis, several, or all. */
function reduction(
  f: (x: T.Tensor, dim?: T.Axes, options?: T.ReduceOptions) => unknown,
): Row {
  return row("input dim keepdim", (p) => f(p.input, axesOf(p), { keepdim: p.keepdim ?? false }));
}

/** An empty list of axes is all of them, as in PyTorch. */
function axesOf(p: Parameters): T.Axes {
  const dim = p.dim as T.Axes;
  return typeof dim === "object" && dim?.length === 0 ? undefined : dim;
}

function spread(
  f: (x: T.Tensor, dim?: T.Axes, options?: T.VarianceOptions) => unknown,
): Row {
  // PyTorch takes `unbiased` in the place of the axes, too.
  return row("input dim unbiased keepdim", (args) => {
    const p = typeof args.dim === "boolean" ? { ...args, unbiased: args.dim, dim: null } : args;
    const correction = p.correction ?? (p.unbiased === false ? 0 : 1);
    return f(p.input, axesOf(p as Parameters), { correction, keepdim: p.keepdim ?? false });
  });
}

function extremumPositions(f: typeof T.argmax): Row {
  return row("input dim keepdim", (p) => f(p.input, p.dim, { keepdim: p.keepdim ?? false }));
}

/** Rows by PyTorch's name. */
export const MATH_ROWS: Record<string, Row> = {
  positive: row("input", (p) => p.input.mul(1)),
  "true_divide": row("input other", (p) => T.div(p.input, p.other)),
  round: row("input", (p) => T.round(p.input, p)),
  nan_to_num: row("input nan posinf neginf", (p) => T.nanToNum(p.input, p.nan, p.posinf, p.neginf)),
  clamp: row("input min max", (p) => T.clamp(p.input, p.min, p.max)),
  lerp: row("input other weight", (p) => T.lerp(p.input, p.other, p.weight)),
  where: row("input mask other", (p) => T.where(p.mask, p.input, p.other)),
  sum: reduction(T.sum),
  mean: reduction(T.mean),
  prod: reduction(T.prod),
  nansum: reduction(T.nansum),
  amax: reduction(T.amax),
  amin: reduction(T.amin),
  all: reduction(T.all),
  any: reduction(T.any),
  logsumexp: reduction(T.logsumexp),
  count_nonzero: row("input dim", (p) => T.countNonzero(p.input, axesOf(p))),
  std: spread(T.std),
  var: spread(T.variance),
  var_mean: spread(T.varMean),
  argmax: extremumPositions(T.argmax),
  argmin: extremumPositions(T.argmin),
  aminmax: row("input", (p) => {
    const options = { keepdim: p.keepdim ?? false };
    return [T.amin(p.input, p.dim, options), T.amax(p.input, p.dim, options)];
  }),
  softmax: row("input dim", (p) => T.softmax(p.input, p.dim)),
  log_softmax: row("input dim", (p) => T.logSoftmax(p.input, p.dim)),
  cumsum: row("input dim", (p) => T.cumsum(p.input, p.dim)),
  cumprod: row("input dim", (p) => T.cumprod(p.input, p.dim)),
  cummax: row("input dim", (p) => T.cummax(p.input, p.dim)),
  cummin: row("input dim", (p) => T.cummin(p.input, p.dim)),
  sort: row("input dim descending", (p) => T.sort(p.input, p.dim, p)),
  argsort: row("input dim descending", (p) => T.argsort(p.input, p.dim, p)),
  topk: row("input k dim largest sorted", (p) => T.topk(p.input, p.k, p.dim, p)),
  median: row(
    "input dim",
    (p) =>
      p.dim === undefined ? T.median(p.input.reshape([-1]), 0).values : T.median(p.input, p.dim, p),
  ),
  searchsorted: row(
    "input values",
    (p) => T.searchsorted(p.input, p.values, { right: p.right ?? p.side === "right" }),
  ),
  bincount: row("input", (p) => T.bincount(p.input, p)),
  unique: row("input", async (p) => {
    const { values, inverse, counts } = await T.unique(p.input, p);
    return [values, ...(p.returnInverse ? [inverse] : []), ...(p.returnCounts ? [counts] : [])];
  }),
  norm: row("input p dim keepdim", (p) => T.norm(p.input, p.p, p)),
  cdist: row("input other p compute_mode", (p) => T.cdist(p.input, p.other, p)),
  einsum: row("tensors equation", (p) => T.einsum(p.equation, ...p.tensors)),
  tensordot: row(
    "input other dims",
    (p) => T.tensordot(p.input, p.other, p.dims as unknown as number),
  ),
  addmm: row("input other third", (p) => T.addmm(p.input, p.other, p.third, p)),
  baddbmm: row("input other third", (p) => T.baddbmm(p.input, p.other, p.third, p)),
  cross: row("input other", (p) => T.cross(p.input, p.other, p.dim)),
  "linalg.cross": row("input other", (p) => T.cross(p.input, p.other, p.dim)),
};
