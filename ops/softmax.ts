/** Softmax and its logarithm: one kernel per direction. */
import { normalizeAxis } from "./check.ts";
import { apply, type Attribute, defineOp, type OpDefinition } from "./define.ts";
import { add, mul, neg, sub } from "./arithmetic.ts";
import { convert } from "./convert.ts";
import { eq } from "./comparison.ts";
import { log } from "./power.ts";
import { where } from "./choice.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Reduction } from "./ir/kernel.ts";
import { exp } from "./math.ts";
import { amax } from "./extremum.ts";
import { type Axes, sum } from "./reduce.ts";
import { ReduceMethods } from "./reduce_methods.ts";
import { rowFrame } from "./rows.ts";
import type { Tensor } from "./tensor.ts";
import { reshape } from "./view.ts";

interface SoftmaxAttributes {
  readonly [name: string]: Attribute;
  readonly axis: number;
  readonly log: boolean;
  /** Groups that are −∞ throughout give zeros instead of NaN. */
  readonly safe: boolean;
}

const SOFTMAX = defineOp<SoftmaxAttributes>({
  name: "softmax",
  lower([x], { axis, log: logarithm, safe }) {
    const frame = rowFrame(x!, [axis]);
    const { dtype } = x!;
    const value = x!.at(frame.coordinates);
    const zero = e.constant(0, dtype);
    const best = e.acc(0, dtype), total = e.acc(1, dtype);
    const top = safe ? e.select(e.eq(best, e.constant(-Infinity, dtype)), zero, best) : best;
    const shifted = e.sub(value, top);
    const power = e.call("exp", [shifted]);
    const reductions: Reduction[] = [
      { op: "max", body: value, dtype },
      { op: "sum", body: power, dtype },
    ];
    const quotient = e.div(power, total);
    const result = logarithm
      ? e.sub(shifted, e.call("log", [total]))
      : safe
      ? e.select(e.eq(total, zero), zero, quotient)
      : quotient;
    const outputs = [{ dtype, value: result, index: frame.index, full: true }];
    const { shape, reduce } = frame;
    return {
      kernel: { kind: "reduce", shape, reduce, inputs: [{ dtype }], reductions, outputs },
      shapes: [x!.shape],
    };
  },
  saves: "output",
  gradient: (c) => [apply(SOFTMAX_BACK, [c.grad(), c.output()], c.attributes)],
});

/** From the gradient g and the result y: `y · (g − Σ g·y)`, or `g − e^y · Σ g` for the logarithm. */
const SOFTMAX_BACK: OpDefinition<SoftmaxAttributes> = defineOp<SoftmaxAttributes>({
  name: "softmaxGradient",
  lower([grad, y], { axis, log: logarithm }) {
    const frame = rowFrame(y!, [axis]);
    const { dtype } = y!;
    const g = grad!.at(frame.coordinates), out = y!.at(frame.coordinates);
    const total = e.acc(0, dtype);
    const reductions: Reduction[] = [
      { op: "sum", body: logarithm ? g : e.mul(g, out), dtype },
    ];
    const value = logarithm
      ? e.sub(g, e.mul(e.call("exp", [out]), total))
      : e.mul(out, e.sub(g, total));
    const outputs = [{ dtype, value, index: frame.index, full: true }];
    const inputs = [{ dtype }, { dtype }];
    const { shape, reduce } = frame;
    return {
      kernel: { kind: "reduce", shape, reduce, inputs, reductions, outputs },
      shapes: [y!.shape],
    };
  },
  gradient: (c) => {
    const { axis, log: logarithm } = c.attributes;
    const [g, y, v] = [c.input(0), c.input(1), c.grad()];
    const along = (x: Tensor) => sum(x, axis, { keepdim: true });
    if (logarithm) {
      const power = exp(y);
      return [
        c.needs(0) ? sub(v, along(mul(v, power))) : undefined,
        c.needs(1) ? neg(mul(mul(v, power), along(g))) : undefined,
      ];
    }
    const weighted = along(mul(v, y));
    return [
      c.needs(0) ? mul(y, sub(v, weighted)) : undefined,
      c.needs(1) ? sub(mul(v, sub(g, along(mul(g, y)))), mul(g, weighted)) : undefined,
    ];
  },
});

/** Options of softmax functions. */
export interface SoftmaxOptions {
  /** Convert to this dtype first. */
  dtype?: DType | undefined;
}

function rowSoftmax(
  op: string,
  x: Tensor,
  dim: number,
  options: SoftmaxOptions,
  kind: { readonly log: boolean; readonly safe: boolean },
): Tensor {
  const source = convert(x, options.dtype ?? (isFloat(x.dtype) ? x.dtype : "float32"));
  const axis = normalizeAxis(op, dim, x.ndim);
  if (x.ndim === 0) return reshape(apply(SOFTMAX, [reshape(source, [1])], { axis, ...kind }), []);
  return apply(SOFTMAX, [source], { axis, ...kind });
}

/**
 * `e^x / Σ e^x` along one axis, like `torch.softmax`.
 *
 * @example
 * ```ts
 * import { softmax, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...await softmax(tensor([1, 1]), 0).data()], [0.5, 0.5]);
 * ```
 */
export function softmax(x: Tensor, dim: number, options: SoftmaxOptions = {}): Tensor {
  return rowSoftmax("softmax", x, dim, options, { log: false, safe: false });
}

/** Softmax whose rows of −∞ throughout are zeros, as attention wants for positions that see nothing. */
export function safeSoftmax(x: Tensor, dim: number, options: SoftmaxOptions = {}): Tensor {
  return rowSoftmax("softmax", x, dim, options, { log: false, safe: true });
}

/** Logarithm of the softmax along one axis, like `torch.log_softmax`. */
export function logSoftmax(x: Tensor, dim: number, options: SoftmaxOptions = {}): Tensor {
  return rowSoftmax("logSoftmax", x, dim, options, { log: true, safe: false });
}

/** `log Σ e^x` without overflow, like `torch.logsumexp`. */
export function logsumexp(
  x: Tensor,
  dim?: Axes,
  options: { keepdim?: boolean | undefined } = {},
): Tensor {
  const source = isFloat(x.dtype) ? x : convert(x, "float32");
  if (source.numel === 0) return log(sum(exp(source), dim, options));
  const top = amax(source.detach(), dim, { keepdim: true });
  const finite = where(eq(top.abs(), Infinity), 0, top);
  const total = log(sum(exp(sub(source, finite)), dim, { keepdim: options.keepdim }));
  return add(total, options.keepdim ? finite : reshape(finite, total.shape));
}

/** Methods of tensors from this file. */
export abstract class SoftmaxMethods extends ReduceMethods {
  /** See the function `logsumexp`. */
  logsumexp(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return logsumexp(this, dim, options);
  }
  /** See the function `softmax`. */
  softmax(this: Tensor, dim: number, options?: SoftmaxOptions): Tensor {
    return softmax(this, dim, options);
  }
  /** See the function `logSoftmax`. */
  logSoftmax(this: Tensor, dim: number, options?: SoftmaxOptions): Tensor {
    return logSoftmax(this, dim, options);
  }
}
