/** Rounding, and functions that look at signs, infinities and NaN, element by element. */
import { abs, add, div, mul, neg, sub } from "./arithmetic.ts";
import { core } from "./base.ts";
import { maximum, minimum, where } from "./choice.ts";
import { eq, lt } from "./comparison.ts";
import { applyElementwise, defineElementwise, type TensorOrNumber } from "./define.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import { owned } from "./own.ts";
import type { Tensor } from "./tensor.ts";

function zeroGradient(grad: Tensor): Tensor {
  return core().fullOn(grad.storage.backend, grad.shape, 0, grad.dtype);
}

const FLOOR = defineElementwise({
  name: "floor",
  dtypes: "number",
  scalar: (x) => isFloat(x.dtype) ? e.call("floor", [x]) : x,
  saves: "none",
  gradient: (c) => [zeroGradient(c.grad())],
  domain: [-5, 5],
});

/** Largest whole number not above, like `torch.floor`. */
export function floor(x: Tensor): Tensor {
  return applyElementwise(FLOOR, [x]);
}

const CEIL = defineElementwise({
  name: "ceil",
  dtypes: "number",
  scalar: (x) => isFloat(x.dtype) ? e.call("ceil", [x]) : x,
  saves: "none",
  gradient: (c) => [zeroGradient(c.grad())],
  domain: [-5, 5],
});

/** Smallest whole number not below, like `torch.ceil`. */
export function ceil(x: Tensor): Tensor {
  return applyElementwise(CEIL, [x]);
}

const TRUNC = defineElementwise({
  name: "trunc",
  dtypes: "number",
  scalar: (x) => isFloat(x.dtype) ? e.call("trunc", [x]) : x,
  saves: "none",
  gradient: (c) => [zeroGradient(c.grad())],
  domain: [-5, 5],
});

/** Whole part, towards zero, like `torch.trunc`. */
export function trunc(x: Tensor): Tensor {
  return applyElementwise(TRUNC, [x]);
}

const ROUND = defineElementwise({
  name: "round",
  dtypes: "number",
  scalar: (x) => isFloat(x.dtype) ? e.call("round", [x]) : x,
  saves: "none",
  gradient: (c) => [zeroGradient(c.grad())],
  domain: [-5, 5],
});

/** Nearest whole number (or multiple of `10^−decimals`), halves to even, like `torch.round`. */
export function round(x: Tensor, options: { decimals?: number | undefined } = {}): Tensor {
  const { decimals = 0 } = options;
  if (decimals === 0 || !isFloat(x.dtype)) return applyElementwise(ROUND, [x]);
  const scale = 10 ** Math.abs(decimals);
  return decimals > 0 ? div(round(mul(x, scale)), scale) : mul(round(div(x, scale)), scale);
}

const ISNAN = defineElementwise({
  name: "isnan",
  dtypes: "any",
  scalar: (x) => isFloat(x.dtype) ? e.call("isnan", [x]) : e.constant(0, "bool"),
  domain: [-3, 3],
});

/** Where elements are NaN, like `torch.isnan`. */
export function isnan(x: Tensor): Tensor {
  return applyElementwise(ISNAN, [x]);
}

/** Where elements are infinite, like `torch.isinf`. */
export function isinf(x: Tensor): Tensor {
  return eq(abs(x), Infinity);
}

/** Where elements are neither infinite nor NaN, like `torch.isfinite`. */
export function isfinite(x: Tensor): Tensor {
  return isFloat(x.dtype) ? lt(abs(x), Infinity) : eq(x, x);
}

/** Fractional part with the sign of x, like `torch.frac`. */
export function frac(x: Tensor): Tensor {
  return sub(x, trunc(x));
}

const COPYSIGN = defineElementwise({
  name: "copysign",
  dtypes: "float",
  scalar: (a, b) => {
    const size = e.call("abs", [a]);
    const negativeZero = e.eq(e.div(e.constant(1, b.dtype), b), e.constant(-Infinity, b.dtype));
    const negative = e.call("or", [e.lt(b, e.constant(0, b.dtype)), negativeZero]);
    return e.select(negative, e.call("neg", [size]), size);
  },
  saves: "both",
  gradient: (c) => {
    const [x, y, grad] = [c.input(0), c.output(), c.grad()];
    return [where(eq(x, 0), 0, where(eq(x, y), grad, neg(grad))), zeroGradient(grad)];
  },
  domain: [0.3, 3],
});

/** Magnitude of `input` with the sign of `other`, like `torch.copysign`. */
export function copysign(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(COPYSIGN, [input, other]);
}

/** Largest finite values. */
const LARGEST: Partial<Record<DType, number>> = {
  float16: 65504,
  float32: 3.4028234663852886e38,
  float64: Number.MAX_VALUE,
};

/**
 * NaN and infinities replaced by numbers, like `torch.nan_to_num`; infinities by the largest value of
 * the dtype where nothing else is asked for.
 */
export function nanToNum(
  x: Tensor,
  nan = 0,
  posinf?: number | undefined | null,
  neginf?: number | undefined | null,
): Tensor {
  const largest = LARGEST[x.dtype];
  if (largest === undefined) return owned(x, x);
  const low = where(eq(x, -Infinity), neginf ?? -largest, x);
  return where(isnan(x), nan, where(eq(x, Infinity), posinf ?? largest, low));
}

/** `input + weight · (end − input)`, like `torch.lerp`. */
export function lerp(input: Tensor, end: Tensor, weight: TensorOrNumber): Tensor {
  return add(input, mul(sub(end, input), weight));
}

/** The larger of two, ignoring NaN where one side has a number, like `torch.fmax`. */
export function fmax(input: Tensor, other: Tensor): Tensor {
  return where(isnan(other), input, where(isnan(input), other, maximum(input, other)));
}

/** The smaller of two, ignoring NaN where one side has a number, like `torch.fmin`. */
export function fmin(input: Tensor, other: Tensor): Tensor {
  return where(isnan(other), input, where(isnan(input), other, minimum(input, other)));
}

/** Whether the sign is minus, also that of −0, like `torch.signbit`; false for NaN. */
export function signbit(x: Tensor): Tensor {
  return lt(
    isFloat(x.dtype)
      ? copysign(core().fullOn(x.storage.backend, x.shape, 1, x.dtype), x.detach())
      : x,
    0,
  );
}
