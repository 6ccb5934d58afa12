/** Transcendental and rounding functions, element by element. */
import { core } from "./base.ts";
import { applyElementwise, defineElementwise, type TensorOrNumber } from "./define.ts";
import {
  abs,
  add,
  div,
  ElementwiseMethods,
  eq,
  ge,
  gt,
  log,
  logicalOr,
  lt,
  mul,
  ne,
  neg,
  pow,
  reciprocal,
  sign,
  sqrt,
  square,
  sub,
  where,
} from "./elementwise.ts";
import { isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

/** `1 − x`. */
function sub1(x: Tensor): Tensor {
  return add(neg(x), 1);
}

/** Logistic function without overflow: `e^−x` of a large negative x is infinite, and 1 / ∞ is 0. */
function logistic(x: Expr): Expr {
  const one = e.constant(1, x.dtype);
  return e.div(one, e.add(one, e.call("exp", [e.call("neg", [x])])));
}

const EXP = defineElementwise({
  name: "exp",
  dtypes: "float",
  scalar: (x) => e.call("exp", [x]),
  saves: "output",
  gradient: (c) => [mul(c.grad(), c.output())],
  domain: [-3, 3],
});

/** `e^x`, like `torch.exp`. */
export function exp(x: Tensor): Tensor {
  return applyElementwise(EXP, [x]);
}

const EXPM1 = defineElementwise({
  name: "expm1",
  dtypes: "float",
  scalar: (x) => e.call("expm1", [x]),
  saves: "output",
  gradient: (c) => [mul(c.grad(), add(c.output(), 1))],
  domain: [-3, 3],
});

/** `e^x − 1`, accurate near zero, like `torch.expm1`. */
export function expm1(x: Tensor): Tensor {
  return applyElementwise(EXPM1, [x]);
}

const LOG1P = defineElementwise({
  name: "log1p",
  dtypes: "float",
  scalar: (x) => e.call("log1p", [x]),
  saves: "inputs",
  gradient: (c) => [div(c.grad(), add(c.input(0), 1))],
  domain: [-0.8, 5],
});

/** Natural logarithm of `1 + x`, accurate near zero, like `torch.log1p`. */
export function log1p(x: Tensor): Tensor {
  return applyElementwise(LOG1P, [x]);
}

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
  gradient: (c) => [div(c.grad(), sqrt(sub1(square(c.input(0)))))],
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
  gradient: (c) => [neg(div(c.grad(), sqrt(sub1(square(c.input(0))))))],
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

const TANH = defineElementwise({
  name: "tanh",
  dtypes: "float",
  scalar: (x) => e.call("tanh", [x]),
  saves: "output",
  gradient: (c) => [mul(c.grad(), sub1(square(c.output())))],
  domain: [-3, 3],
});

/** Hyperbolic tangent, like `torch.tanh`. */
export function tanh(x: Tensor): Tensor {
  return applyElementwise(TANH, [x]);
}

const ERF = defineElementwise({
  name: "erf",
  dtypes: "float",
  scalar: (x) => e.call("erf", [x]),
  saves: "inputs",
  gradient: (c) => [mul(mul(c.grad(), exp(neg(square(c.input(0))))), 2 / Math.sqrt(Math.PI))],
  domain: [-3, 3],
});

/** Error function, like `torch.erf`. */
export function erf(x: Tensor): Tensor {
  return applyElementwise(ERF, [x]);
}

const ERFC = defineElementwise({
  name: "erfc",
  dtypes: "float",
  scalar: (x) => e.call("erfc", [x]),
  saves: "inputs",
  gradient: (c) => [mul(mul(c.grad(), exp(neg(square(c.input(0))))), -2 / Math.sqrt(Math.PI))],
  domain: [-3, 3],
});

/** Complementary error function, like `torch.erfc`. */
export function erfc(x: Tensor): Tensor {
  return applyElementwise(ERFC, [x]);
}

const SIGMOID = defineElementwise({
  name: "sigmoid",
  dtypes: "float",
  scalar: (x) => logistic(x),
  saves: "output",
  gradient: (c) => [mul(c.grad(), mul(c.output(), sub1(c.output())))],
  domain: [-5, 5],
});

/** `1 / (1 + e^−x)`, like `torch.sigmoid`. */
export function sigmoid(x: Tensor): Tensor {
  return applyElementwise(SIGMOID, [x]);
}

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

/** `2^x`, like `torch.exp2`. */
export function exp2(x: Tensor): Tensor {
  return pow(2, x);
}

/** Logarithm to base 2, like `torch.log2`. */
export function log2(x: Tensor): Tensor {
  return mul(log(x), Math.LOG2E);
}

/** Logarithm to base 10, like `torch.log10`. */
export function log10(x: Tensor): Tensor {
  return mul(log(x), Math.LOG10E);
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

/** Fractional part with the sign of x, like `torch.frac`. */
export function frac(x: Tensor): Tensor {
  return sub(x, trunc(x));
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

/** Magnitude of `input` with the sign of `other`, like `torch.copysign`. */
export function copysign(input: Tensor, other: TensorOrNumber): Tensor {
  const negative = typeof other === "object"
    ? logicalOr(lt(other, 0), isNegativeZero(other))
    : eq(abs(input), Number(other) < 0 || Object.is(other, -0) ? abs(input) : Infinity);
  return where(negative, neg(abs(input)), abs(input));
}

function isNegativeZero(x: Tensor): Tensor {
  return eq(reciprocal(x), -Infinity);
}

/** `input · log(other)`, 0 where input is 0, like `torch.xlogy`. */
export function xlogy(input: TensorOrNumber, other: TensorOrNumber): Tensor {
  const base = typeof other === "object" ? other : (input as Tensor).mul(0).add(other);
  const x = typeof input === "object" ? input : base.mul(0).add(input);
  const zero = where(isnan(base), 0, eq(x, 0).logicalAnd(isnan(base).logicalNot()));
  return where(zero, 0, mul(x, log(where(zero, 1, base))));
}

/** `log(e^input + e^other)` without overflow, like `torch.logaddexp`. */
export function logaddexp(input: Tensor, other: Tensor): Tensor {
  const larger = input.maximum(other);
  const gap = neg(abs(sub(input, other)));
  return where(eq(input, other), add(larger, Math.LN2), add(larger, log1p(exp(gap))));
}

/** NaN and infinities replaced by numbers, like `torch.nan_to_num`. */
export function nanToNum(
  x: Tensor,
  nan = 0,
  posinf = 3.4028234663852886e38,
  neginf = -3.4028234663852886e38,
): Tensor {
  const finite = where(isnan(x), nan, where(eq(x, Infinity), posinf, x));
  return where(eq(x, -Infinity), neginf, finite);
}

/** `sin(πx) / (πx)`, 1 at 0, like `torch.sinc`. */
export function sinc(x: Tensor): Tensor {
  const zero = eq(x, 0);
  const angle = mul(where(zero, 1, x), Math.PI);
  return where(zero, 1, div(sin(angle), angle));
}

/** `input + weight · (end − input)`, like `torch.lerp`. */
export function lerp(input: Tensor, end: Tensor, weight: TensorOrNumber): Tensor {
  return add(input, mul(sub(end, input), weight));
}

/** The larger of two, ignoring NaN where one side has a number, like `torch.fmax`. */
export function fmax(input: Tensor, other: Tensor): Tensor {
  return where(logicalOr(ge(input, other), isnan(other)), input, other);
}

/** The smaller of two, ignoring NaN where one side has a number, like `torch.fmin`. */
export function fmin(input: Tensor, other: Tensor): Tensor {
  return where(logicalOr(lt(input, other), isnan(other)), input, other);
}

/** Inverse of the error function, like `torch.erfinv` (Giles 2010, then two Newton steps). */
export function erfinv(x: Tensor): Tensor {
  const w = neg(log(mul(sub1(x), add(x, 1))));
  const central = polynomial(sub(w, 2.5), [
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
  ]);
  const tail = polynomial(sub(sqrt(where(gt(w, 0), w, 1)), 3), [
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
  ]);
  let y = mul(x, where(lt(w, 5), central, tail));
  for (let step = 0; step < 2; step++) {
    const slope = mul(exp(neg(square(y))), 2 / Math.sqrt(Math.PI));
    const better = sub(y, div(sub(erf(y), x), slope));
    y = where(isfinite(better), better, y);
  }
  const edge = ge(abs(x), 1);
  const limit = where(eq(abs(x), 1), mul(sign(x), Infinity), NaN);
  return where(edge, limit, where(ne(x, 0), y, x));
}

function polynomial(x: Tensor, coefficients: readonly number[]): Tensor {
  let y = mul(x, coefficients[0]!);
  for (const c of coefficients.slice(1, -1)) y = mul(add(y, c), x);
  return add(y, coefficients[coefficients.length - 1]!);
}

/** Methods of tensors from this file. */
export abstract class MathMethods extends ElementwiseMethods {
  /** See the function `exp`. */
  exp(this: Tensor): Tensor {
    return exp(this);
  }
  /** See the function `expm1`. */
  expm1(this: Tensor): Tensor {
    return expm1(this);
  }
  /** See the function `log1p`. */
  log1p(this: Tensor): Tensor {
    return log1p(this);
  }
  /** See the function `sin`. */
  sin(this: Tensor): Tensor {
    return sin(this);
  }
  /** See the function `cos`. */
  cos(this: Tensor): Tensor {
    return cos(this);
  }
  /** See the function `tan`. */
  tan(this: Tensor): Tensor {
    return tan(this);
  }
  /** See the function `asin`. */
  asin(this: Tensor): Tensor {
    return asin(this);
  }
  /** See the function `acos`. */
  acos(this: Tensor): Tensor {
    return acos(this);
  }
  /** See the function `atan`. */
  atan(this: Tensor): Tensor {
    return atan(this);
  }
  /** See the function `tanh`. */
  tanh(this: Tensor): Tensor {
    return tanh(this);
  }
  /** See the function `erf`. */
  erf(this: Tensor): Tensor {
    return erf(this);
  }
  /** See the function `erfc`. */
  erfc(this: Tensor): Tensor {
    return erfc(this);
  }
  /** See the function `sigmoid`. */
  sigmoid(this: Tensor): Tensor {
    return sigmoid(this);
  }
  /** See the function `floor`. */
  floor(this: Tensor): Tensor {
    return floor(this);
  }
  /** See the function `ceil`. */
  ceil(this: Tensor): Tensor {
    return ceil(this);
  }
  /** See the function `trunc`. */
  trunc(this: Tensor): Tensor {
    return trunc(this);
  }
  /** See the function `round`. */
  round(this: Tensor): Tensor {
    return round(this);
  }
  /** See the function `isnan`. */
  isnan(this: Tensor): Tensor {
    return isnan(this);
  }
  /** See the function `isinf`. */
  isinf(this: Tensor): Tensor {
    return isinf(this);
  }
  /** See the function `isfinite`. */
  isfinite(this: Tensor): Tensor {
    return isfinite(this);
  }
  /** See the function `exp2`. */
  exp2(this: Tensor): Tensor {
    return exp2(this);
  }
  /** See the function `log2`. */
  log2(this: Tensor): Tensor {
    return log2(this);
  }
  /** See the function `log10`. */
  log10(this: Tensor): Tensor {
    return log10(this);
  }
  /** See the function `sinh`. */
  sinh(this: Tensor): Tensor {
    return sinh(this);
  }
  /** See the function `cosh`. */
  cosh(this: Tensor): Tensor {
    return cosh(this);
  }
  /** See the function `asinh`. */
  asinh(this: Tensor): Tensor {
    return asinh(this);
  }
  /** See the function `acosh`. */
  acosh(this: Tensor): Tensor {
    return acosh(this);
  }
  /** See the function `atanh`. */
  atanh(this: Tensor): Tensor {
    return atanh(this);
  }
  /** See the function `frac`. */
  frac(this: Tensor): Tensor {
    return frac(this);
  }
}
