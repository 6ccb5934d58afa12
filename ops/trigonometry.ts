/** Trigonometric and hyperbolic functions, element by element. */
import { add, div, mul, neg, rsub, sub } from "./arithmetic.ts";
import { where } from "./choice.ts";
import { eq } from "./comparison.ts";
import {
  applyElementwise,
  defineElementwise,
  type ElementwiseOp,
  type TensorOrNumber,
} from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { log1p } from "./math.ts";
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
    const size = add(square(c.input(0)), square(c.input(1)));
    // At the origin the angle has no slope; 0 as in PyTorch.
    const scale = where(eq(size, 0), 0, div(c.grad(), size));
    return [mul(scale, c.input(1)), neg(mul(scale, c.input(0)))];
  },
  domain: [0.3, 3],
});

/** Angle of the point (other, input) in radians, like `torch.atan2`. */
export function atan2(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(ATAN2, [input, other]);
}

/** From here on e^x alone, in two factors: it leaves the range before half of it does. */
const STEEP = 80;

function halfExp(size: Expr): Expr {
  const root = e.call("exp", [e.mul(size, e.constant(0.5, size.dtype))]);
  return e.mul(e.mul(root, e.constant(0.5, size.dtype)), root);
}

const SINH: ElementwiseOp = defineElementwise({
  name: "sinh",
  dtypes: "float",
  scalar: (x) => {
    const a = e.call("abs", [x]), half = e.constant(0.5, x.dtype);
    const [up, down] = [a, e.call("neg", [a])].map((t) => e.call("expm1", [t])) as [Expr, Expr];
    const flat = e.mul(e.sub(up, down), half);
    const y = e.select(e.lt(e.constant(STEEP, x.dtype), a), halfExp(a), flat);
    // Minus zero stays.
    return e.select(e.lt(e.constant(0, x.dtype), x), y, e.call("neg", [y]));
  },
  gradient: (c) => [mul(c.grad(), cosh(c.input(0)))],
  domain: [-3, 3],
});

/** Hyperbolic sine, like `torch.sinh`; by `expm1`, so that it is accurate near zero. */
export function sinh(x: Tensor): Tensor {
  return applyElementwise(SINH, [x]);
}

const COSH: ElementwiseOp = defineElementwise({
  name: "cosh",
  dtypes: "float",
  scalar: (x) => {
    const a = e.call("abs", [x]);
    const [up, down] = [a, e.call("neg", [a])].map((t) => e.call("exp", [t])) as [Expr, Expr];
    const flat = e.mul(e.add(up, down), e.constant(0.5, x.dtype));
    return e.select(e.lt(e.constant(STEEP, x.dtype), a), halfExp(a), flat);
  },
  gradient: (c) => [mul(c.grad(), sinh(c.input(0)))],
  domain: [-3, 3],
});

/** Hyperbolic cosine, like `torch.cosh`. */
export function cosh(x: Tensor): Tensor {
  return applyElementwise(COSH, [x]);
}

/** Past this the square of a float32 overflows; asinh and acosh are log(2x) there to the last bit. */
const SQUARE_LIMIT = 1e18;

function logOfDouble(x: Expr): Expr {
  return e.add(e.call("log", [x]), e.constant(Math.LN2, x.dtype));
}

const ASINH = defineElementwise({
  name: "asinh",
  dtypes: "float",
  scalar: (x) => {
    const a = e.call("abs", [x]), one = e.constant(1, x.dtype), zero = e.constant(0, x.dtype);
    const root = e.call("sqrt", [e.add(e.mul(a, a), one)]);
    const small = e.call("log1p", [e.add(a, e.div(e.mul(a, a), e.add(root, one)))]);
    const y = e.select(e.lt(e.constant(SQUARE_LIMIT, x.dtype), a), logOfDouble(a), small);
    return e.select(e.lt(x, zero), e.call("neg", [y]), y);
  },
  gradient: (c) => [div(c.grad(), sqrt(add(square(c.input(0)), 1)))],
  domain: [-5, 5],
});

/** Inverse hyperbolic sine, like `torch.asinh`. */
export function asinh(x: Tensor): Tensor {
  return applyElementwise(ASINH, [x]);
}

const ACOSH = defineElementwise({
  name: "acosh",
  dtypes: "float",
  scalar: (x) => {
    const one = e.constant(1, x.dtype), t = e.sub(x, one);
    const root = e.call("sqrt", [e.mul(t, e.add(x, one))]);
    const near = e.call("log1p", [e.add(t, root)]);
    const y = e.select(e.lt(e.constant(SQUARE_LIMIT, x.dtype), x), logOfDouble(x), near);
    return e.select(e.lt(x, one), e.constant(NaN, x.dtype), y);
  },
  gradient: (c) => {
    const x = c.input(0);
    return [div(c.grad(), mul(sqrt(sub(x, 1)), sqrt(add(x, 1))))];
  },
  domain: [1.2, 5],
});

/** Inverse hyperbolic cosine, like `torch.acosh`. */
export function acosh(x: Tensor): Tensor {
  return applyElementwise(ACOSH, [x]);
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

const HYPOT = defineElementwise({
  name: "hypot",
  dtypes: "float",
  scalar: (x, y) => {
    const a = e.call("abs", [x]), b = e.call("abs", [y]);
    const zero = e.constant(0, x.dtype), infinity = e.constant(Infinity, x.dtype);
    const long = e.call("max", [a, b]);
    const ratio = e.div(e.call("min", [a, b]), e.select(e.eq(long, zero), infinity, long));
    const root = e.call("sqrt", [e.add(e.mul(ratio, ratio), e.constant(1, x.dtype))]);
    const either = e.call("or", [e.eq(a, infinity), e.eq(b, infinity)]);
    return e.select(either, infinity, e.mul(long, root));
  },
  saves: "both",
  gradient: (c) => {
    const share = (i: number) =>
      c.needs(i) ? mul(c.grad(), div(c.input(i), c.output())) : undefined;
    return [share(0), share(1)];
  },
  domain: [0.3, 3],
});

/** `√(input² + other²)`, like `torch.hypot`. */
export function hypot(input: Tensor, other: Tensor): Tensor {
  return applyElementwise(HYPOT, [input, other]);
}

/** `sin(πx) / (πx)`, 1 at 0, like `torch.sinc`. */
export function sinc(x: Tensor): Tensor {
  const zero = eq(x, 0);
  const angle = mul(where(zero, 1, x), Math.PI);
  return where(zero, 1, div(sin(angle), angle));
}
