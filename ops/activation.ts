/** Activation functions of neural networks, element by element. */
import { checkChoice, ShapeError } from "./check.ts";
import { applyElementwise, defineElementwise } from "./define.ts";
import { abs, add, div, mul, neg, sub } from "./arithmetic.ts";
import { eq, ge, gt, le, lt } from "./comparison.ts";
import { square } from "./power.ts";
import { where } from "./choice.ts";
import { convert } from "./convert.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { erfc, exp, sigmoid, tanh } from "./math.ts";
import { RandomMethods } from "./random.ts";
import { softmax } from "./softmax.ts";
import type { Tensor } from "./tensor.ts";
import { chunk } from "./slice.ts";
import { reshape } from "./view.ts";

function half(x: Expr): Expr {
  return e.mul(x, e.constant(0.5, x.dtype));
}

/** `log(1 + e^x)` without overflow. */
function softplusOf(x: Expr): Expr {
  const zero = e.constant(0, x.dtype);
  const decay = e.call("exp", [e.call("neg", [e.call("abs", [x])])]);
  return e.add(e.call("max", [x, zero]), e.call("log1p", [decay]));
}

function logistic(x: Expr): Expr {
  const one = e.constant(1, x.dtype);
  return e.div(one, e.add(one, e.call("exp", [e.call("neg", [x])])));
}

const RELU = defineElementwise({
  name: "relu",
  dtypes: "number",
  scalar: (x) => e.call("max", [x, e.constant(0, x.dtype)]),
  saves: "output",
  gradient: (c) => [where(gt(c.output(), 0), c.grad(), 0)],
  domain: [-3, 3],
});

/**
 * `max(x, 0)`, like `torch.relu`; the gradient at 0 is 0.
 *
 * @example
 * ```ts
 * import { relu, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...await relu(tensor([-1, 2])).data()], [0, 2]);
 * ```
 */
export function relu(x: Tensor): Tensor {
  return applyElementwise(RELU, [x]);
}

const LEAKY_RELU = defineElementwise({
  name: "leakyRelu",
  dtypes: "float",
  scalar: (x, slope) => e.select(e.lt(e.constant(0, x.dtype), x), x, e.mul(x, slope)),
  gradient: (c) => {
    const positive = gt(c.input(0), 0);
    return [
      c.needs(0) ? where(positive, c.grad(), mul(c.grad(), c.input(1))) : undefined,
      c.needs(1) ? where(positive, 0, mul(c.grad(), c.input(0))) : undefined,
    ];
  },
  domain: [-3, 3],
});

/** `x` where positive, else `negativeSlope · x`, like `torch.nn.functional.leaky_relu`. */
export function leakyRelu(x: Tensor, negativeSlope = 0.01): Tensor {
  return applyElementwise(LEAKY_RELU, [x, negativeSlope]);
}

/**
 * `x` where positive, else `weight · x`, like `torch.nn.functional.prelu`.
 *
 * @param x Any shape; channels on axis 1.
 * @param weight One slope, or one per channel.
 * @throws {ShapeError} If the number of slopes is neither 1 nor the number of channels.
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  if (weight.ndim > 1) {
    throw new ShapeError("prelu", "weight has at most 1 dimension", { weight: weight.shape });
  }
  if (weight.numel === 1) return applyElementwise(LEAKY_RELU, [x, reshape(weight, [])]);
  const channels = x.ndim > 1 ? x.shape[1]! : 1;
  if (weight.numel !== channels) {
    throw new ShapeError("prelu", `weight has ${weight.numel} slopes for ${channels} channels`, {
      input: x.shape,
      weight: weight.shape,
    });
  }
  const slopes = reshape(weight, [channels, ...x.shape.slice(2).map(() => 1)]);
  return applyElementwise(LEAKY_RELU, [x, slopes]);
}

const ELU = defineElementwise({
  name: "elu",
  dtypes: "float",
  // scale · (x where positive, else alpha · (e^(rate · x) − 1))
  scalar: (x, alpha, scale, rate) => {
    const zero = e.constant(0, x.dtype);
    const below = e.mul(alpha, e.call("expm1", [e.mul(e.call("min", [x, zero]), rate)]));
    return e.mul(e.select(e.lt(zero, x), x, below), scale);
  },
  gradient: (c) => {
    const [x, alpha, scale, rate] = [c.input(0), c.input(1), c.input(2), c.input(3)];
    const positive = gt(x, 0);
    const slope = mul(mul(alpha, rate), exp(mul(where(positive, 0, x), rate)));
    return [mul(mul(c.grad(), scale), where(positive, 1, slope))];
  },
  domain: [-2, 2],
});

/** `x` where positive, else `alpha · (e^x − 1)`, like `torch.nn.functional.elu`. */
export function elu(x: Tensor, alpha = 1): Tensor {
  return applyElementwise(ELU, [x, alpha, 1, 1]);
}

/** `x` where positive, else `alpha · (e^(x / alpha) − 1)`, like `torch.nn.functional.celu`. */
export function celu(x: Tensor, alpha = 1): Tensor {
  return applyElementwise(ELU, [x, alpha, 1, 1 / alpha]);
}

/** Self-normalizing unit (Klambauer et al. 2017), like `torch.nn.functional.selu`. */
export function selu(x: Tensor): Tensor {
  return applyElementwise(ELU, [x, 1.6732632423543772, 1.0507009873554805, 1]);
}

const SQRT_HALF = Math.SQRT1_2;
const PHI_SCALE = 1 / Math.sqrt(2 * Math.PI);

const GELU = defineElementwise({
  name: "gelu",
  dtypes: "float",
  scalar: (x) => {
    const tail = e.call("erfc", [e.mul(x, e.constant(-SQRT_HALF, x.dtype))]);
    return e.mul(half(x), tail);
  },
  gradient: (c) => {
    const x = c.input(0);
    const cumulative = mul(erfc(mul(x, -SQRT_HALF)), 0.5);
    const density = mul(exp(mul(square(x), -0.5)), PHI_SCALE);
    return [mul(c.grad(), add(cumulative, mul(x, density)))];
  },
  domain: [-3, 3],
});

const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBE = 0.044715;

const GELU_TANH = defineElementwise({
  name: "geluTanh",
  dtypes: "float",
  scalar: (x) => {
    const number = (value: number) => e.constant(value, x.dtype);
    const cube = e.mul(e.mul(e.mul(x, x), x), number(TANH_CUBE));
    const t = e.call("tanh", [e.mul(e.add(x, cube), number(TANH_SCALE))]);
    return e.mul(half(x), e.add(t, number(1)));
  },
  gradient: (c) => {
    const x = c.input(0), x2 = square(x);
    const t = tanh(mul(mul(x, add(mul(x2, TANH_CUBE), 1)), TANH_SCALE));
    const inner = mul(add(mul(x2, 3 * TANH_CUBE), 1), TANH_SCALE);
    const slope = mul(mul(x, add(neg(square(t)), 1)), inner);
    return [mul(mul(c.grad(), 0.5), add(add(t, 1), slope))];
  },
  domain: [-3, 3],
});

/** Options of `gelu`. */
export interface GeluOptions {
  /** `"tanh"` is the approximation that GPT-2 uses. @default "none" */
  approximate?: "none" | "tanh" | undefined;
}

/** Gaussian error linear unit `x · Φ(x)`, like `torch.nn.functional.gelu`. */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  const { approximate = "none" } = options;
  checkChoice("gelu", "approximate", approximate, ["none", "tanh"]);
  return applyElementwise(approximate === "tanh" ? GELU_TANH : GELU, [x]);
}

const SILU = defineElementwise({
  name: "silu",
  dtypes: "float",
  scalar: (x) => e.mul(x, logistic(x)),
  gradient: (c) => {
    const x = c.input(0), s = sigmoid(x);
    return [mul(c.grad(), mul(s, add(mul(x, add(neg(s), 1)), 1)))];
  },
  domain: [-4, 4],
});

/** `x · sigmoid(x)`, like `torch.nn.functional.silu`. */
export function silu(x: Tensor): Tensor {
  return applyElementwise(SILU, [x]);
}

const MISH = defineElementwise({
  name: "mish",
  dtypes: "float",
  scalar: (x) => e.mul(x, e.call("tanh", [softplusOf(x)])),
  gradient: (c) => {
    const x = c.input(0);
    const t = tanh(softplus(x));
    const slope = mul(mul(x, sigmoid(x)), add(neg(square(t)), 1));
    return [mul(c.grad(), add(t, slope))];
  },
  domain: [-4, 4],
});

/** `x · tanh(softplus(x))`, like `torch.nn.functional.mish`. */
export function mish(x: Tensor): Tensor {
  return applyElementwise(MISH, [x]);
}

const SOFTPLUS = defineElementwise({
  name: "softplus",
  dtypes: "float",
  scalar: (x, beta, threshold) => {
    const scaled = e.mul(x, beta);
    return e.select(e.lt(threshold, scaled), x, e.div(softplusOf(scaled), beta));
  },
  gradient: (c) => {
    const scaled = mul(c.input(0), c.input(1));
    return [mul(c.grad(), where(gt(scaled, c.input(2)), 1, sigmoid(scaled)))];
  },
  domain: [0.5, 3],
});

/** Options of `softplus`. */
export interface SoftplusOptions {
  /** Sharpness. @default 1 */
  beta?: number | undefined;
  /** The function is linear where `beta · x` is above. @default 20 */
  threshold?: number | undefined;
}

/** `log(1 + e^(beta · x)) / beta`, like `torch.nn.functional.softplus`. */
export function softplus(x: Tensor, options: SoftplusOptions = {}): Tensor {
  const { beta = 1, threshold: limit = 20 } = options;
  return applyElementwise(SOFTPLUS, [x, beta, limit]);
}

const LOGSIGMOID = defineElementwise({
  name: "logsigmoid",
  dtypes: "float",
  scalar: (x) => e.call("neg", [softplusOf(e.call("neg", [x]))]),
  gradient: (c) => [mul(c.grad(), sigmoid(neg(c.input(0))))],
  domain: [-4, 4],
});

/** `log(sigmoid(x))` without underflow, like `torch.nn.functional.logsigmoid`. */
export function logsigmoid(x: Tensor): Tensor {
  return applyElementwise(LOGSIGMOID, [x]);
}

/** Values limited to `[min, max]` with no gradient at and beyond the limits, like `torch.nn.functional.hardtanh`. */
export function hardtanh(x: Tensor, min = -1, max = 1): Tensor {
  return where(le(x, min), min, where(ge(x, max), max, x));
}

/** `min(max(x, 0), 6)`, like `torch.nn.functional.relu6`. */
export function relu6(x: Tensor): Tensor {
  return hardtanh(x, 0, 6);
}

/** `relu6(x + 3) / 6`, like `torch.nn.functional.hardsigmoid`. */
export function hardsigmoid(x: Tensor): Tensor {
  return div(relu6(add(x, 3)), 6);
}

/** `x · relu6(x + 3) / 6`, like `torch.nn.functional.hardswish`. */
export function hardswish(x: Tensor): Tensor {
  return mul(x, hardsigmoid(x));
}

/** 0 inside `[−lambd, lambd]`, `x` outside, like `torch.nn.functional.hardshrink`. */
export function hardshrink(x: Tensor, lambd = 0.5): Tensor {
  return where(le(abs(x), lambd), 0, x);
}

/** `x` moved towards 0 by `lambd`, 0 inside, like `torch.nn.functional.softshrink`. */
export function softshrink(x: Tensor, lambd = 0.5): Tensor {
  return where(gt(x, lambd), sub(x, lambd), where(lt(x, -lambd), add(x, lambd), mul(x, 0)));
}

/** `x / (1 + |x|)`, like `torch.nn.functional.softsign`. */
export function softsign(x: Tensor): Tensor {
  return div(x, add(abs(x), 1));
}

/** `x − tanh(x)`, like `torch.nn.functional.tanhshrink`. */
export function tanhshrink(x: Tensor): Tensor {
  return sub(x, tanh(x));
}

/** `x` where it is above `limit`, else `value`, like `torch.nn.functional.threshold`. */
export function threshold(x: Tensor, limit: number, value: number): Tensor {
  return where(le(x, limit), value, x);
}

/** Softmax of `−x`, like `torch.nn.functional.softmin`. */
export function softmin(x: Tensor, dim: number): Tensor {
  return softmax(neg(x), dim);
}

/**
 * Gated linear unit, like `torch.nn.functional.glu`: the first half of an axis times the sigmoid of
 * the second.
 *
 * @throws {ShapeError} If the axis has an odd size.
 */
export function glu(x: Tensor, dim = -1): Tensor {
  if (x.ndim === 0 || x.size(dim) % 2) {
    throw new ShapeError("glu", `dim ${dim} needs an even size`, { input: x.shape });
  }
  const [a, b] = chunk(x, 2, dim) as [Tensor, Tensor];
  return mul(a, sigmoid(b));
}

/** 1 where positive, 0 where negative, `values` at 0, like `torch.heaviside`. */
export function heaviside(x: Tensor, values: Tensor): Tensor {
  return where(eq(x, 0), values, convert(gt(x, 0), values.dtype));
}

/** Methods of tensors from this file. */
export abstract class ActivationMethods extends RandomMethods {
  /** See the function `relu`. */
  relu(this: Tensor): Tensor {
    return relu(this);
  }
  /** See the function `gelu`. */
  gelu(this: Tensor, options?: GeluOptions): Tensor {
    return gelu(this, options);
  }
  /** See the function `silu`. */
  silu(this: Tensor): Tensor {
    return silu(this);
  }
}
