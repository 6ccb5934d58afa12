/** The gamma function and its relatives. */
import { rangeError } from "./check.ts";
import { applyElementwise, defineElementwise, type ElementwiseOp } from "./define.ts";
import { mul } from "./arithmetic.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

/** Arguments are raised above this by the recurrence before the asymptotic series is used. */
const SHIFT = 10;

function number(value: number, like: Expr): Expr {
  return e.constant(value, like.dtype);
}

/** `c₀ + t · (c₁ + t · (…))` */
function polynomial(t: Expr, coefficients: readonly number[]): Expr {
  let y = number(coefficients.at(-1)!, t);
  for (const c of coefficients.slice(0, -1).reverse()) y = e.add(e.mul(y, t), number(c, t));
  return y;
}

/** `x` where positive (or 1 elsewhere), and `1 − x` for the reflection; picks between both at the end. */
function mirrored(x: Expr): { side: Expr; positive: Expr } {
  const negative = e.lt(x, number(0.5, x));
  return { side: negative, positive: e.select(negative, e.sub(number(1, x), x), x) };
}

/** The distance of x from the nearest whole number, for sin πx without loss near the poles. */
function offWhole(x: Expr): Expr {
  return e.sub(x, e.call("round", [x]));
}

/** ζ(n) − 1 for n from 2. */
const ZETA_LESS_ONE = [
  0.6449340668482264,
  0.2020569031595943,
  0.08232323371113819,
  0.03692775514336993,
  0.01734306198444914,
  0.008349277381922827,
  0.00407735619794434,
  0.0020083928260822143,
  0.0009945751278180853,
  0.0004941886041194645,
  0.0002460865533080483,
  0.00012271334757848915,
  6.124813505870483e-5,
  3.058823630702049e-5,
  1.528225940865187e-5,
  7.637197637899763e-6,
  3.81729326499984e-6,
  1.908212716553939e-6,
  9.539620338727962e-7,
  4.769329867878064e-7,
  2.38450502727733e-7,
  1.1921992596531106e-7,
  5.960818905125948e-8,
  2.980350351465228e-8,
];

/** log Γ(2 + t) by powers of t, for |t| ≤ ½: the first is 1 − γ. */
const LOG_GAMMA_NEAR_2 = [
  0.42278433509846713,
  ...ZETA_LESS_ONE.map((z, i) => (i % 2 ? -z : z) / (i + 2)),
];

/** Up to here log Γ comes from [½, 2½), with as many factors as there are whole steps in between. */
const NEAR = 8.5;

/** log Γ(x) for ½ ≤ x < NEAR, exact also around 1 and 2, where it is 0. */
function logGammaNear(x: Expr): Expr {
  const one = number(1, x);
  let rest = x, factors: Expr = one;
  for (let i = 2.5; i < NEAR; i++) {
    const over = e.le(number(2.5, x), rest), less = e.sub(rest, one);
    factors = e.select(over, e.mul(factors, less), factors);
    rest = e.select(over, less, rest);
  }
  const low = e.lt(rest, number(1.5, x));
  const t = e.sub(rest, e.select(low, one, number(2, x)));
  const around = e.mul(t, polynomial(t, LOG_GAMMA_NEAR_2));
  const step = e.select(low, e.call("log1p", [t]), number(0, x));
  return e.add(e.sub(around, step), e.call("log", [factors]));
}

/** log Γ(x) for x ≥ 0.5: from NEAR on by Stirling's series. */
function logGammaPositive(x: Expr): Expr {
  const inverse = e.div(number(1, x), x);
  const series = e.mul(
    inverse,
    polynomial(e.mul(inverse, inverse), [
      1 / 12,
      -1 / 360,
      1 / 1260,
      -1 / 1680,
      1 / 1188,
      -691 / 360360,
      1 / 156,
    ]),
  );
  // (x − ½) log x − x with nothing larger than the result in between.
  const less = e.sub(e.call("log", [x]), number(1, x));
  const main = e.mul(e.sub(x, number(0.5, x)), less);
  const far = e.add(e.add(main, number(0.5 * (Math.log(2 * Math.PI) - 1), x)), series);
  return e.select(e.lt(x, number(NEAR, x)), logGammaNear(x), far);
}

const LGAMMA: ElementwiseOp = defineElementwise({
  name: "lgamma",
  dtypes: "float",
  scalar: (x) => {
    const { side, positive } = mirrored(x);
    const value = logGammaPositive(positive);
    const sine = e.call("sin", [e.mul(offWhole(x), number(Math.PI, x))]);
    const reflected = e.sub(
      number(Math.log(Math.PI), x),
      e.add(e.call("log", [e.call("abs", [sine])]), value),
    );
    const y = e.select(side, reflected, value);
    const infinite = e.eq(e.call("abs", [x]), number(Infinity, x));
    const pole = e.and(side, e.eq(offWhole(x), number(0, x)))!;
    return e.select(e.call("or", [infinite, pole]), number(Infinity, x), y);
  },
  gradient: (c) => [mul(c.grad(), digamma(c.input(0)))],
  domain: [0.5, 5],
});

/** Logarithm of the absolute value of the gamma function, like `torch.lgamma`. */
export function lgamma(x: Tensor): Tensor {
  return applyElementwise(LGAMMA, [x]);
}

function digammaPositive(x: Expr): Expr {
  let low: Expr = number(0, x);
  for (let i = 0; i < SHIFT; i++) low = e.add(low, e.div(number(1, x), e.add(x, number(i, x))));
  const y = e.add(x, number(SHIFT, x));
  const inverse = e.div(number(1, x), y), square = e.mul(inverse, inverse);
  const series = e.mul(
    square,
    polynomial(square, [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12]),
  );
  const main = e.sub(e.call("log", [y]), e.mul(number(0.5, x), inverse));
  return e.sub(e.sub(main, series), low);
}

const DIGAMMA: ElementwiseOp = defineElementwise({
  name: "digamma",
  dtypes: "float",
  scalar: (x) => {
    const { side, positive } = mirrored(x);
    const value = digammaPositive(positive);
    const tangent = e.call("tan", [e.mul(offWhole(x), number(Math.PI, x))]);
    const y = e.select(side, e.sub(value, e.div(number(Math.PI, x), tangent)), value);
    // The poles: ∓∞ at ±0, undefined at the negative whole numbers.
    const pole = e.and(e.eq(offWhole(x), number(0, x)), e.lt(x, number(0, x)))!;
    const atZero = e.select(e.eq(x, number(0, x)), e.div(number(-1, x), x), y);
    return e.select(pole, number(NaN, x), atZero);
  },
  gradient: (c) => [mul(c.grad(), polygamma(1, c.input(0)))],
  domain: [0.5, 5],
});

/** Derivative of `lgamma`, like `torch.digamma`. */
export function digamma(x: Tensor): Tensor {
  return applyElementwise(DIGAMMA, [x]);
}

/** Bernoulli numbers B₂, B₄, … */
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6];

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

function power(x: Expr, n: number): Expr {
  let y = x;
  for (let i = 1; i < n; i++) y = e.mul(y, x);
  return y;
}

/** (−1)^(n+1) ψ⁽ⁿ⁾(x) for x > 0: terms below SHIFT, then the asymptotic series. */
function polygammaPositive(n: number, x: Expr): Expr {
  let total: Expr = number(0, x);
  for (let i = 0; i < SHIFT; i++) {
    total = e.add(total, e.div(number(factorial(n), x), power(e.add(x, number(i, x)), n + 1)));
  }
  const y = e.add(x, number(SHIFT, x));
  const inverse = e.div(number(1, x), y), square = e.mul(inverse, inverse);
  const head = e.add(number(factorial(n - 1), x), e.mul(number(factorial(n) / 2, x), inverse));
  const terms = BERNOULLI.map((b, i) => b * factorial(2 * i + n + 1) / factorial(2 * i + 2));
  const tail = e.mul(square, polynomial(square, terms));
  return e.add(total, e.mul(power(inverse, n), e.add(head, tail)));
}

const polygammas = new Map<number, ElementwiseOp>();

function polygammaOp(n: number): ElementwiseOp {
  let op = polygammas.get(n);
  if (!op) {
    op = defineElementwise({
      name: `polygamma${n}`,
      dtypes: "float",
      scalar: (x) => polygammaScalar(n, x),
      gradient: (c) => [mul(c.grad(), polygamma(n + 1, c.input(0)))],
      domain: [0.5, 5],
    });
    polygammas.set(n, op);
  }
  return op;
}

function polygammaScalar(n: number, x: Expr): Expr {
  const sign = number(n % 2 ? 1 : -1, x);
  if (n > 1) return e.mul(sign, polygammaPositive(n, x));
  const { side, positive } = mirrored(x);
  const value = polygammaPositive(1, positive);
  const sine = e.call("sin", [e.mul(offWhole(x), number(Math.PI, x))]);
  const reflected = e.sub(e.div(number(Math.PI ** 2, x), e.mul(sine, sine)), value);
  return e.select(side, reflected, value);
}

/**
 * `n`-th derivative of `digamma`, like `torch.polygamma`; for n > 1 only at positive `x`.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 0.
 */
export function polygamma(n: number, x: Tensor): Tensor {
  if (!Number.isInteger(n) || n < 0) {
    throw rangeError("polygamma", `n ${n} is not a whole number of at least 0`);
  }
  return n === 0 ? digamma(x) : applyElementwise(polygammaOp(n), [x]);
}
