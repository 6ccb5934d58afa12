/** Kernels of normalization: groups of elements brought to mean 0 and variance 1. */
import type { GradientContext } from "./autograd.ts";
import { apply, applyAll, type Attribute, defineOp, type OpDefinition } from "./define.ts";
import { add, div, mul, neg } from "./arithmetic.ts";
import { rsqrt, sqrt } from "./power.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { type KernelOutput, type Reduction, sizeOf } from "./ir/kernel.ts";
import { sum } from "./reduce.ts";
import { rowFrame } from "./rows.ts";
import type { Tensor } from "./tensor.ts";
import { reshape } from "./view.ts";

interface NormalizeAttributes {
  readonly [name: string]: Attribute;
  /** Axes of a group. */
  readonly axes: readonly number[];
  readonly eps: number;
  /** Whether the mean is taken away first; without, the "variance" is the mean square. */
  readonly center: boolean;
}

function inverseRoot(variance: Expr, eps: number): Expr {
  const shifted = e.add(variance, e.constant(eps, variance.dtype));
  return e.div(e.constant(1, variance.dtype), e.call("sqrt", [shifted]));
}

/** Outputs: normalized elements, variance (or mean square) of each group, and its mean if centred. */
const NORMALIZE = defineOp<NormalizeAttributes>({
  name: "normalize",
  lower([x], { axes, eps, center }) {
    const frame = rowFrame(x!, axes);
    const { dtype } = x!;
    const value = x!.at(frame.coordinates);
    const share = e.constant(1 / frame.count, dtype);
    const reductions: Reduction[] = [];
    let centred = value;
    if (center) {
      reductions.push({ op: "sum", body: value, dtype });
      centred = e.sub(value, e.mul(e.acc(0, dtype), share));
    }
    reductions.push({ op: "sum", body: e.mul(centred, centred), dtype });
    const variance = e.mul(e.acc(center ? 1 : 0, dtype), share);
    const result = e.mul(centred, inverseRoot(variance, eps));
    const outputs: KernelOutput[] = [
      { dtype, value: result, index: frame.index, full: true },
      { dtype, value: variance, index: undefined },
    ];
    if (center) outputs.push({ dtype, value: e.mul(e.acc(0, dtype), share), index: undefined });
    const { shape, reduce } = frame;
    return {
      kernel: { kind: "reduce", shape, reduce, inputs: [{ dtype }], reductions, outputs },
      shapes: [x!.shape, shape, shape],
    };
  },
  saves: "output",
  gradient: (c) => [normalizeGradient(c)],
});

/** With n elements: d mean / dx = 1/n, d variance / dx = 2 (x − mean) / n = 2 y √(variance + eps) / n. */
function normalizeGradient(c: GradientContext<NormalizeAttributes>): Tensor {
  const { axes, eps } = c.attributes;
  const shape = c.inputShape(0);
  const count = sizeOf(axes.map((d) => shape[d]!));
  const wide = (t: Tensor) => reshape(t, shape.map((s, d) => axes.includes(d) ? 1 : s));
  const y = c.output(0), variance = c.output(1);
  let total: Tensor | undefined;
  if (c.arrived(0)) total = apply(NORMALIZE_BACK, [c.grad(0), y, variance], c.attributes);
  if (c.arrived(1)) {
    const slope = mul(mul(c.grad(1), sqrt(add(variance, eps))), 2 / count);
    const part = mul(y, wide(slope));
    total = total ? add(total, part) : part;
  }
  if (c.arrived(2)) {
    const part = mul(wide(c.grad(2)), 1 / count);
    total = total ? add(total, part) : part.expand(shape);
  }
  return total!;
}

/** dx = (g − mean(g) − y · mean(g · y)) / √(variance + eps), without the first mean if not centred. */
const NORMALIZE_BACK: OpDefinition<NormalizeAttributes> = defineOp<NormalizeAttributes>({
  name: "normalizeGradient",
  lower([grad, y, variance], { axes, eps, center }) {
    const frame = rowFrame(y!, axes);
    const { dtype } = y!;
    const g = grad!.at(frame.coordinates), out = y!.at(frame.coordinates);
    const share = e.constant(1 / frame.count, dtype);
    const reductions: Reduction[] = [{ op: "sum", body: e.mul(g, out), dtype }];
    if (center) reductions.push({ op: "sum", body: g, dtype });
    const along = e.sub(g, e.mul(out, e.mul(e.acc(0, dtype), share)));
    const centred = center ? e.sub(along, e.mul(e.acc(1, dtype), share)) : along;
    const value = e.mul(centred, inverseRoot(variance!.at(frame.outer), eps));
    const outputs = [{ dtype, value, index: frame.index, full: true }];
    const inputs = [{ dtype }, { dtype }, { dtype }];
    const { shape, reduce } = frame;
    return {
      kernel: { kind: "reduce", shape, reduce, inputs, reductions, outputs },
      shapes: [y!.shape],
    };
  },
  saves: "both",
  gradient: (c) => {
    const { axes, eps } = c.attributes;
    const [g, y, variance, v] = [c.input(0), c.input(1), c.input(2), c.grad()];
    const shape = y.shape;
    const count = sizeOf(axes.map((d) => shape[d]!));
    const mean = (t: Tensor) => mul(sum(t, axes, { keepdim: true }), 1 / count);
    const root = reshape(rsqrt(add(variance, eps)), mean(y).shape);
    const slope = c.needs(2)
      ? div(mul(sum(mul(v, c.output()), axes), -0.5), add(variance, eps))
      : undefined;
    return [
      c.needs(0) ? apply(NORMALIZE_BACK, [v, y, variance], c.attributes) : undefined,
      c.needs(1)
        ? neg(mul(root, add(mul(v, mean(mul(g, y))), mul(g, mean(mul(v, y))))))
        : undefined,
      slope,
    ];
  },
});

/** What normalizing gives: elements, and statistics of each group over the axes that are kept. */
export interface Normalized {
  /** Elements with mean 0 and variance 1. */
  readonly normal: Tensor;
  /** Biased variance of each group, or mean square if not centred. */
  readonly variance: Tensor;
  /** Mean of each group; missing if not centred. */
  readonly mean: Tensor | undefined;
}

/** Brings groups along `axes` to mean 0 and variance 1 (`center` false: to mean square 1). */
export function normalizeRows(
  x: Tensor,
  axes: readonly number[],
  eps: number,
  center = true,
): Normalized {
  const [normal, variance, mean] = applyAll(NORMALIZE, [x], { axes, eps, center });
  return { normal: normal!, variance: variance!, mean };
}
