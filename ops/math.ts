/** Exponentials, logarithms and their relatives, element by element. */
import { add, div, mul, neg, rsub, sub } from "./arithmetic.ts";

import { where } from "./choice.ts";
import { convert } from "./convert.ts";
import { isFloat } from "./ir/dtype.ts";
import { eq, le, logicalAnd } from "./comparison.ts";
import { applyElementwise, defineElementwise, type TensorOrNumber } from "./define.ts";
import { ElementwiseMethods } from "./elementwise.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { log, pow, square } from "./power.ts";
import { ceil, floor, frac, isfinite, isinf, isnan, round, trunc } from "./rounding.ts";
import type { Tensor } from "./tensor.ts";
import {
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atanh,
  cos,
  cosh,
  sin,
  sinh,
  tan,
} from "./trigonometry.ts";

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

const TANH = defineElementwise({
  name: "tanh",
  dtypes: "float",
  scalar: (x) => e.call("tanh", [x]),
  saves: "output",
  gradient: (c) => [mul(c.grad(), rsub(square(c.output()), 1))],
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
  gradient: (c) => [mul(c.grad(), mul(c.output(), rsub(c.output(), 1)))],
  domain: [-5, 5],
});

/** `1 / (1 + e^−x)`, like `torch.sigmoid`. */
export function sigmoid(x: Tensor): Tensor {
  return applyElementwise(SIGMOID, [x]);
}

/** `2^x`, like `torch.exp2`. */
export function exp2(x: Tensor): Tensor {
  return pow(2, isFloat(x.dtype) ? x : convert(x, "float32"));
}

/** Logarithm to base 2, like `torch.log2`. */
export function log2(x: Tensor): Tensor {
  return mul(log(x), Math.LOG2E);
}

/** Logarithm to base 10, like `torch.log10`. */
export function log10(x: Tensor): Tensor {
  return mul(log(x), Math.LOG10E);
}

const XLOGY = defineElementwise({
  name: "xlogy",
  dtypes: "float",
  scalar: (x, y) => {
    const zero = e.constant(0, x.dtype);
    const nothing = e.and(e.eq(x, zero), e.call("not", [e.call("isnan", [y])]))!;
    return e.select(nothing, zero, e.mul(x, e.call("log", [y])));
  },
  gradient: (c) => {
    const [x, y] = [c.input(0), c.input(1)];
    return [
      c.needs(0) ? mul(c.grad(), where(logicalAnd(eq(x, 0), le(y, 0)), 0, log(y))) : undefined,
      c.needs(1) ? div(mul(c.grad(), x), y) : undefined,
    ];
  },
  domain: [0.2, 3],
});

/** `input · log(other)`, 0 where input is 0, like `torch.xlogy`. */
export function xlogy(input: TensorOrNumber, other: TensorOrNumber): Tensor {
  return applyElementwise(XLOGY, [input, other]);
}

const LOGADDEXP = defineElementwise({
  name: "logaddexp",
  dtypes: "float",
  scalar: (a, b) => {
    const gap = e.call("neg", [e.call("abs", [e.sub(a, b)])]);
    // Equal infinities have no gap.
    const rest = e.call("log1p", [e.call("exp", [gap])]);
    const more = e.select(e.eq(a, b), e.constant(Math.LN2, a.dtype), rest);
    return e.add(e.call("max", [a, b]), more);
  },
  gradient: (c) => {
    const share = sigmoid(sub(c.input(0), c.input(1)));
    return [mul(c.grad(), share), mul(c.grad(), rsub(share, 1))];
  },
  domain: [-3, 3],
});

/** `log(e^input + e^other)` without overflow, like `torch.logaddexp`. */
export function logaddexp(input: Tensor, other: Tensor): Tensor {
  return applyElementwise(LOGADDEXP, [input, other]);
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
