/** Powers, roots and the logarithm, element by element. */
import { div, mul, neg, rsub, sub } from "./arithmetic.ts";
import { clamp, where } from "./choice.ts";
import { eq, ge, logicalAnd } from "./comparison.ts";
import { applyElementwise, asTensors, defineElementwise, type TensorOrNumber } from "./define.ts";
import { isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import { owned } from "./own.ts";
import type { Tensor } from "./tensor.ts";

const POW = defineElementwise({
  name: "pow",
  dtypes: "number",
  scalar: (a, b) => {
    if (isFloat(a.dtype)) return e.call("pow", [a, b]);
    return e.cast(
      e.call("round", [e.call("pow", [e.cast(a, "float32"), e.cast(b, "float32")])]),
      a.dtype,
    );
  },
  saves: "both",
  gradient: (c) => [
    c.needs(0) ? mul(c.grad(), powSlope(c.input(0), c.input(1))) : undefined,
    c.needs(1)
      ? where(
        logicalAnd(eq(c.input(0), 0), ge(c.input(1), 0)),
        0,
        mul(c.grad(), mul(c.output(), logOf(c.input(0)))),
      )
      : undefined,
  ],
  domain: [0.5, 3],
});

function powSlope(base: Tensor, exponent: Tensor): Tensor {
  return where(eq(exponent, 0), 0, mul(exponent, pow(base, sub(exponent, 1))));
}

const LOG = defineElementwise({
  name: "log",
  dtypes: "float",
  scalar: (x) => e.call("log", [x]),
  gradient: (c) => [div(c.grad(), c.input(0))],
  domain: [0.2, 5],
});

/** Natural logarithm, like `torch.log`. */
export function log(x: Tensor): Tensor {
  return applyElementwise(LOG, [x]);
}

function logOf(x: Tensor): Tensor {
  return log(x);
}

/** Powers by small exponents are products: exact, and cheaper than the general function. */
function powByNumber(x: Tensor, exponent: number): Tensor | undefined {
  if (exponent === 1) return owned(x, x);
  if (exponent === 2) return square(x);
  if (exponent === 3) return mul(square(x), x);
  if (!isFloat(x.dtype)) return undefined;
  if (exponent === 0.5) return sqrt(x);
  if (exponent === -0.5) return reciprocal(sqrt(x));
  if (exponent === -1) return reciprocal(x);
  return undefined;
}

/** `input ^ exponent`, like `torch.pow`; either may be a number. */
export function pow(input: TensorOrNumber, exponent: TensorOrNumber): Tensor {
  if (typeof input === "object" && typeof exponent === "number") {
    const special = powByNumber(input, exponent);
    if (special) return special;
  }
  return applyElementwise(POW, asTensors("pow", [input, exponent]));
}

const SQUARE = defineElementwise({
  name: "square",
  dtypes: "number",
  scalar: (x) => e.mul(x, x),
  gradient: (c) => [mul(mul(c.grad(), c.input(0)), 2)],
  domain: [-3, 3],
});

/** `x²`, like `torch.square`. */
export function square(x: Tensor): Tensor {
  return applyElementwise(SQUARE, [x]);
}

const SQRT = defineElementwise({
  name: "sqrt",
  dtypes: "float",
  scalar: (x) => e.call("sqrt", [x]),
  saves: "output",
  gradient: (c) => [div(c.grad(), mul(c.output(), 2))],
  domain: [0.2, 5],
});

/** Square root, like `torch.sqrt`. */
export function sqrt(x: Tensor): Tensor {
  return applyElementwise(SQRT, [x]);
}

const RECIPROCAL = defineElementwise({
  name: "reciprocal",
  dtypes: "float",
  scalar: (x) => e.div(e.constant(1, x.dtype), x),
  saves: "output",
  gradient: (c) => [neg(mul(c.grad(), square(c.output())))],
  domain: [0.5, 3],
});

/** `1 / x`, like `torch.reciprocal`. */
export function reciprocal(x: Tensor): Tensor {
  return applyElementwise(RECIPROCAL, [x]);
}

/** `1 / √x`, like `torch.rsqrt`. */
export function rsqrt(x: Tensor): Tensor {
  return reciprocal(sqrt(x));
}

/**
 * `log(x / (1 − x))`, the inverse of `sigmoid`, like `torch.logit`; NaN outside of `[0, 1]`.
 *
 * @param x Probabilities.
 * @param options Limits `x` to `[eps, 1 − eps]` first.
 */
export function logit(x: Tensor, options: { eps?: number | undefined | null } = {}): Tensor {
  const { eps } = options;
  const limited = typeof eps === "number" ? clamp(x, eps, 1 - eps) : x;
  return sub(log(limited), log(rsub(limited, 1)));
}
