/** Trigonometric and hyperbolic functions, element by element. */
import { add, div, mul, neg, rsub, sub } from "./arithmetic.ts";
import { where } from "./choice.ts";
import { eq } from "./comparison.ts";
import { applyElementwise, defineElementwise, type TensorOrNumber } from "./define.ts";
import * as e from "./ir/expr.ts";
import { exp, expm1, log1p } from "./math.ts";
import { sqrt, square } from "./power.ts";
import type { Tensor } from "./tensor.ts";

const SIN = defineElementwise({
  name: "sin",
  dtypes: "float",
  scalar: (x) => e.call("sin", [x]),
  saves: "inputs",
  gradient: (c) => [mul(c.grad(), cos(c.input(0)))],
  domain: [-6, 6],
});

/** Sine of radians, like `torch.sin`. */
export function sin(x: Tensor): Tensor {
  return applyElementwise(SIN, [x]);
}

const COS = defineElementwise({
  name: "cos",
  dtypes: "float",
  scalar: (x) => e.call("cos", [x]),
  saves: "inputs",
  gradient: (c) => [neg(mul(c.grad(), sin(c.input(0))))],
  domain: [-6, 6],
});

/** Cosine of radians, like `torch.cos`. */
export function cos(x: Tensor): Tensor {
  return applyElementwise(COS, [x]);
}

const TAN = defineElementwise({
  name: "tan",
  dtypes: "float",
  scalar: (x) => e.call("tan", [x]),
  saves: "output",
  gradient: (c) => [mul(c.grad(), add(square(c.output()), 1))],
  domain: [-1.2, 1.2],
});

/** Tangent of radians, like `torch.tan`. */
export function tan(x: Tensor): Tensor {
  return applyElementwise(TAN, [x]);
}

const ASIN = defineElementwise({
  name: "asin",
  dtypes: "float",
  scalar: (x) => e.call("asin", [x]),
  saves: "inputs",
  gradient: (c) => [div(c.grad(), sqrt(rsub(square(c.input(0)), 1)))],
  domain: [-0.9, 0.9],
});

/** Arc sine in radians, like `torch.asin`. */
export function asin(x: Tensor): Tensor {
  return applyElementwise(ASIN, [x]);
}

const ACOS = defineElementwise({
  name: "acos",
  dtypes: "float",
  scalar: (x) => e.call("acos", [x]),
  saves: "inputs",
  gradient: (c) => [neg(div(c.grad(), sqrt(rsub(square(c.input(0)), 1))))],
  domain: [-0.9, 0.9],
});

/** Arc cosine in radians, like `torch.acos`. */
export function acos(x: Tensor): Tensor {
  return applyElementwise(ACOS, [x]);
}

const ATAN = defineElementwise({
  name: "atan",
  dtypes: "float",
  scalar: (x) => e.call("atan", [x]),
  saves: "inputs",
  gradient: (c) => [div(c.grad(), add(square(c.input(0)), 1))],
  domain: [-5, 5],
});

/** Arc tangent in radians, like `torch.atan`. */
export function atan(x: Tensor): Tensor {
  return applyElementwise(ATAN, [x]);
}

const ATAN2 = defineElementwise({
  name: "atan2",
  dtypes: "float",
  scalar: (y, x) => e.call("atan2", [y, x]),
  gradient: (c) => {
    const scale = div(c.grad(), add(square(c.input(0)), square(c.input(1))));
    return [mul(scale, c.input(1)), neg(mul(scale, c.input(0)))];
  },
  domain: [0.3, 3],
});

/** Angle of the point (other, input) in radians, like `torch.atan2`. */
export function atan2(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(ATAN2, [input, other]);
}

/** Hyperbolic sine, like `torch.sinh`; by `expm1`, so that it is accurate near zero. */
export function sinh(x: Tensor): Tensor {
  return mul(sub(expm1(x), expm1(neg(x))), 0.5);
}

/** Hyperbolic cosine, like `torch.cosh`. */
export function cosh(x: Tensor): Tensor {
  return mul(add(exp(x), exp(neg(x))), 0.5);
}

const ASINH = defineElementwise({
  name: "asinh",
  dtypes: "float",
  scalar: (x) => {
    const a = e.call("abs", [x]), one = e.constant(1, x.dtype), zero = e.constant(0, x.dtype);
    const root = e.call("sqrt", [e.add(e.mul(a, a), one)]);
    const small = e.call("log1p", [e.add(a, e.div(e.mul(a, a), e.add(root, one)))]);
    // Past 1e18 the square overflows; asinh is log(2x) there to the last bit.
    const big = e.add(e.call("log", [a]), e.constant(Math.LN2, x.dtype));
    const y = e.select(e.lt(e.constant(1e18, x.dtype), a), big, small);
    return e.select(e.lt(x, zero), e.call("neg", [y]), y);
  },
  gradient: (c) => [div(c.grad(), sqrt(add(square(c.input(0)), 1)))],
  domain: [-5, 5],
});

/** Inverse hyperbolic sine, like `torch.asinh`. */
export function asinh(x: Tensor): Tensor {
  return applyElementwise(ASINH, [x]);
}

/** Inverse hyperbolic cosine, like `torch.acosh`. */
export function acosh(x: Tensor): Tensor {
  const t = sub(x, 1);
  return log1p(add(t, sqrt(mul(t, add(x, 1)))));
}

/** Inverse hyperbolic tangent, like `torch.atanh`. */
export function atanh(x: Tensor): Tensor {
  return mul(sub(log1p(x), log1p(neg(x))), 0.5);
}

/** Degrees to radians, like `torch.deg2rad`. */
export function deg2rad(x: Tensor): Tensor {
  return mul(x, Math.PI / 180);
}

/** Radians to degrees, like `torch.rad2deg`. */
export function rad2deg(x: Tensor): Tensor {
  return mul(x, 180 / Math.PI);
}

/** `√(input² + other²)`, like `torch.hypot`. */
export function hypot(input: Tensor, other: Tensor): Tensor {
  return sqrt(add(square(input), square(other)));
}

/** `sin(πx) / (πx)`, 1 at 0, like `torch.sinc`. */
export function sinc(x: Tensor): Tensor {
  const zero = eq(x, 0);
  const angle = mul(where(zero, 1, x), Math.PI);
  return where(zero, 1, div(sin(angle), angle));
}
