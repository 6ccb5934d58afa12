/** Kernels of losses over classes: rows of scores against integer labels, without one-hot arrays. */
import type { GradientContext } from "./autograd.ts";
import { core } from "./base.ts";
import {
  apply,
  applyAll,
  type Attribute,
  defineOp,
  type OpDefinition,
  type Operand,
} from "./define.ts";
import { add, mul, neg, sub } from "./arithmetic.ts";
import { ne } from "./comparison.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { Kernel, KernelOutput, Reduction } from "./ir/kernel.ts";
import { exp } from "./math.ts";
import { sum } from "./reduce.ts";
import { rowFrame } from "./rows.ts";
import type { Tensor } from "./tensor.ts";
import { unsqueeze } from "./view.ts";

interface LabelAttributes {
  readonly [name: string]: Attribute;
  /** Label that counts for nothing. */
  readonly ignore: number;
}

interface CrossEntropyAttributes extends LabelAttributes {
  /** Share of the target spread evenly over the classes. */
  readonly smoothing: number;
}

/** The label at a row, whether it counts, and whether it is a class at all. */
function labelAt(
  target: Operand,
  outer: readonly Expr[],
  classes: number,
  ignore: number,
): { label: Expr; counts: Expr; inside: Expr } {
  const label = e.cast(target.at(outer), "int32");
  const inside = e.and(e.le(e.int(0), label), e.lt(label, e.int(classes)))!;
  return { label, counts: e.call("ne", [label, e.int(ignore)]), inside };
}

/** Class axis is 1: `[N, C, …]` and labels `[N, …]`; coordinates with class `c`. */
function withClass(outer: readonly Expr[], c: Expr): Expr[] {
  return [outer[0]!, c, ...outer.slice(1)];
}

function classWeight(weight: Operand | undefined, c: Expr, inside: Expr, one: Expr): Expr {
  return weight ? weight.at([c], inside) : one;
}

/**
 * Outputs per row: loss, logarithm of Σ e^x, weight of the label (0 where it is ignored).
 * A label out of range makes the loss NaN.
 */
const CROSS_ENTROPY = defineOp<CrossEntropyAttributes>({
  name: "crossEntropy",
  lower([x, target, weight], { ignore, smoothing }) {
    const frame = rowFrame(x!, [1]);
    const { dtype } = x!;
    const classes = x!.shape[1]!;
    const number = (value: number) => e.constant(value, dtype);
    const value = x!.at(frame.coordinates);
    const top = e.acc(0, dtype), rest = e.call("log", [e.acc(1, dtype)]);
    const reductions: Reduction[] = [
      { op: "max", body: value, dtype },
      { op: "sum", body: e.call("exp", [e.sub(value, top)]), dtype },
    ];
    const { label, counts, inside } = labelAt(target!, frame.outer, classes, ignore);
    const own = classWeight(weight, label, inside, number(1));
    const picked = x!.at(withClass(frame.outer, label), inside);
    let loss = e.mul(own, e.sub(rest, e.sub(picked, top)));
    if (smoothing > 0) {
      const spread = e.sub(rest, e.sub(value, top));
      const body = weight ? e.mul(weight.at([frame.coordinates[1]!]), spread) : spread;
      reductions.push({ op: "sum", body, dtype });
      const even = e.mul(e.acc(2, dtype), number(smoothing / classes));
      loss = e.add(e.mul(loss, number(1 - smoothing)), even);
    }
    const guarded = e.select(counts, e.select(inside, loss, number(NaN)), number(0));
    const outputs: KernelOutput[] = [
      { dtype, value: guarded, index: undefined },
      { dtype, value: e.add(top, rest), index: undefined },
      { dtype, value: e.select(counts, own, number(0)), index: undefined },
    ];
    const inputs = [x!, target!, ...(weight ? [weight] : [])].map((o) => ({ dtype: o.dtype }));
    const { shape, reduce } = frame;
    return {
      kernel: { kind: "reduce", shape, reduce, inputs, reductions, outputs },
      shapes: [shape, shape, shape],
    };
  },
  saves: "both",
  gradient: (c) => {
    const [x, target] = [c.input(0), c.input(1)];
    const weights = c.inputs > 2 ? [c.input(2)] : [];
    const scale = c.output(1);
    let total: Tensor | undefined;
    if (c.arrived(0)) {
      total = apply(CROSS_ENTROPY_BACK, [c.grad(0), x, target, scale, ...weights], c.attributes);
    }
    if (c.arrived(1)) {
      const part = mul(unsqueeze(c.grad(1), 1), exp(sub(x, unsqueeze(scale, 1))));
      total = total ? add(total, part) : part;
    }
    return [total];
  },
});

/** dx = g · (w_t · (1 − ε) · (p − hot) + ε / C · (W · p − w)), with p = e^(x − scale) and W = Σ w. */
const CROSS_ENTROPY_BACK: OpDefinition<CrossEntropyAttributes> = defineOp<CrossEntropyAttributes>({
  name: "crossEntropyGradient",
  lower([grad, x, target, scale, weight], { ignore, smoothing }) {
    const frame = rowFrame(x!, [1]);
    const { dtype } = x!;
    const classes = x!.shape[1]!;
    const number = (value: number) => e.constant(value, dtype);
    const smooth = smoothing > 0 && weight !== undefined;
    const axes = e.axesOf(x!.shape);
    // Weights have a sum to take first; without, this is a plain map.
    const coordinates = smooth ? frame.coordinates : axes;
    const outer = coordinates.filter((_, d) => d !== 1), c = coordinates[1]!;
    const { label, counts, inside } = labelAt(target!, outer, classes, ignore);
    const p = e.call("exp", [e.sub(x!.at(coordinates), scale!.at(outer))]);
    const hot = e.select(e.eq(c, label), number(1), number(0));
    let slope = e.sub(p, hot);
    if (weight) slope = e.mul(classWeight(weight, label, inside, number(1)), slope);
    if (smoothing > 0) {
      const mass = weight ? e.mul(e.acc(0, dtype), p) : e.mul(number(classes), p);
      const even = e.sub(mass, weight ? weight.at([c]) : number(1));
      slope = e.add(
        e.mul(slope, number(1 - smoothing)),
        e.mul(even, number(smoothing / classes)),
      );
    }
    const used = e.and(counts, inside)!;
    const value = e.select(used, e.mul(grad!.at(outer), slope), number(0));
    const inputs = [grad!, x!, target!, scale!, ...(weight ? [weight] : [])]
      .map((o) => ({ dtype: o.dtype }));
    const kernel: Kernel = smooth
      ? {
        kind: "reduce",
        shape: frame.shape,
        reduce: frame.reduce,
        inputs,
        reductions: [{ op: "sum", body: weight!.at([c]), dtype }],
        outputs: [{ dtype, value, index: frame.index, full: true }],
      }
      : {
        kind: "map",
        shape: x!.shape,
        inputs,
        outputs: [{ dtype, value, index: undefined }],
      };
    return { kernel, shapes: [x!.shape] };
  },
  gradient: (c) => crossEntropySecond(c),
});

function crossEntropySecond(
  c: GradientContext<CrossEntropyAttributes>,
): readonly (Tensor | undefined)[] {
  const [g, x, target, scale, v] = [c.input(0), c.input(1), c.input(2), c.input(3), c.grad()];
  const weights = c.inputs > 4 ? [c.input(4)] : [];
  const { smoothing, ignore } = c.attributes;
  const classes = x.shape[1]!;
  const unit = () => {
    const one = core().fullOn(g.storage.backend, g.shape, 1, g.dtype);
    return apply(CROSS_ENTROPY_BACK, [one, x, target, scale, ...weights], c.attributes);
  };
  const counts = ne(target, ignore).to(x.dtype);
  const own = weights[0] ? nllRows(x.detach(), target, weights[0], ignore).weights : counts;
  const mass = weights[0] ? sum(weights[0]) : classes;
  const share = add(mul(own, 1 - smoothing), mul(mul(counts, smoothing / classes), mass));
  const p = exp(sub(x, unsqueeze(scale, 1)));
  const flow = mul(mul(v, unsqueeze(mul(g, share), 1)), p);
  return [
    c.needs(0) ? sum(mul(v, unit()), 1) : undefined,
    c.needs(1) ? flow : undefined,
    undefined,
    c.needs(3) ? neg(sum(flow, 1)) : undefined,
  ];
}

/** Outputs per row: −w · x at the label, and w (0 where the label is ignored). */
const NLL = defineOp<LabelAttributes>({
  name: "nll",
  lower([x, target, weight], { ignore }) {
    const { dtype } = x!;
    const { shape } = target!;
    const outer = e.axesOf(shape);
    const number = (value: number) => e.constant(value, dtype);
    const { label, counts, inside } = labelAt(target!, outer, x!.shape[1]!, ignore);
    const own = classWeight(weight, label, inside, number(1));
    const loss = e.call("neg", [e.mul(own, x!.at(withClass(outer, label), inside))]);
    const guarded = e.select(counts, e.select(inside, loss, number(NaN)), number(0));
    const outputs: KernelOutput[] = [
      { dtype, value: guarded, index: undefined },
      { dtype, value: e.select(counts, own, number(0)), index: undefined },
    ];
    const inputs = [x!, target!, ...(weight ? [weight] : [])].map((o) => ({ dtype: o.dtype }));
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape, shape] };
  },
  gradient: (c) => {
    if (!c.arrived(0)) return [undefined];
    const weights = c.inputs > 2 ? [c.input(2)] : [];
    const attributes = { ignore: c.attributes.ignore, shape: c.inputShape(0) };
    return [apply(NLL_PLACE, [c.grad(0), c.input(1), ...weights], attributes)];
  },
});

/** −w · g at the label, zeros elsewhere. */
const NLL_PLACE: OpDefinition<LabelAttributes & { readonly shape: readonly number[] }> = defineOp<
  LabelAttributes & { readonly shape: readonly number[] }
>({
  name: "nllGradient",
  lower([grad, target, weight], { ignore, shape }) {
    const { dtype } = grad!;
    const axes = e.axesOf(shape);
    const outer = axes.filter((_, d) => d !== 1);
    const one = e.constant(1, dtype), zero = e.constant(0, dtype);
    const { label, counts, inside } = labelAt(target!, outer, shape[1]!, ignore);
    const own = classWeight(weight, label, inside, one);
    const here = e.and(counts, e.eq(axes[1]!, label))!;
    const value = e.select(here, e.call("neg", [e.mul(own, grad!.at(outer))]), zero);
    const inputs = [grad!, target!, ...(weight ? [weight] : [])].map((o) => ({ dtype: o.dtype }));
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  gradient: (c) => {
    const weights = c.inputs > 2 ? [c.input(2)] : [];
    return [apply(NLL, [c.grad(), c.input(1), ...weights], { ignore: c.attributes.ignore })];
  },
});

/** Losses and label weights of rows. */
export interface RowLosses {
  /** One loss per row. */
  readonly losses: Tensor;
  /** Weight of each row's label; 0 where it is ignored. */
  readonly weights: Tensor;
}

/** Cross entropy of scores `[N, C, …]` and labels `[N, …]`. */
export function crossEntropyRows(
  x: Tensor,
  target: Tensor,
  weight: Tensor | undefined | null,
  ignore: number,
  smoothing: number,
): RowLosses {
  const inputs = weight ? [x, target, weight.detach()] : [x, target];
  const [losses, , weights] = applyAll(CROSS_ENTROPY, inputs, { ignore, smoothing });
  return { losses: losses!, weights: weights!.detach() };
}

/** Negative log likelihood of log-probabilities `[N, C, …]` and labels `[N, …]`. */
export function nllRows(
  x: Tensor,
  target: Tensor,
  weight: Tensor | undefined | null,
  ignore: number,
): RowLosses {
  const inputs = weight ? [x, target, weight.detach()] : [x, target];
  const [losses, weights] = applyAll(NLL, inputs, { ignore });
  return { losses: losses!, weights: weights!.detach() };
}
