/** Conversion and arithmetic, element by element, with broadcasting and type promotion. */
import type { GradientContext } from "./autograd.ts";
import { core } from "./base.ts";
import { applyElementwise, asTensors, defineElementwise, type TensorOrNumber } from "./define.ts";
import { isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

const ADD = defineElementwise({
  name: "add",
  dtypes: "any",
  scalar: (a, b) => a.dtype === "bool" ? e.call("or", [a, b]) : e.add(a, b),
  saves: "none",
  gradient: (c) => [c.grad(), c.grad()],
  domain: [-3, 3],
});

/** `input + other`, like `torch.add`; `alpha` multiplies `other`. */
export function add(
  input: Tensor,
  other: TensorOrNumber,
  options: { alpha?: number | undefined } = {},
): Tensor {
  return applyElementwise(ADD, [input, scaled(other, options.alpha)]);
}

const SUB = defineElementwise({
  name: "sub",
  dtypes: "number",
  scalar: (a, b) => e.sub(a, b),
  saves: "none",
  gradient: (c) => [c.grad(), c.needs(1) ? neg(c.grad()) : undefined],
  domain: [-3, 3],
});

/** `input − other`, like `torch.sub`; `alpha` multiplies `other`. */
export function sub(
  input: Tensor,
  other: TensorOrNumber,
  options: { alpha?: number | undefined } = {},
): Tensor {
  return applyElementwise(SUB, [input, scaled(other, options.alpha)]);
}

/** `other − alpha · input`, like `torch.rsub`. */
export function rsub(
  input: Tensor,
  other: TensorOrNumber,
  options: { alpha?: number | undefined } = {},
): Tensor {
  return applyElementwise(SUB, [
    ...asTensors("rsub", [other, scaled(input, options.alpha)]),
  ]);
}

function scaled(x: TensorOrNumber, alpha: number | undefined): TensorOrNumber {
  if (alpha === undefined || alpha === 1) return x;
  return typeof x === "object" ? mul(x, alpha) : Number(x) * alpha;
}

const MUL = defineElementwise({
  name: "mul",
  dtypes: "any",
  scalar: (a, b) => a.dtype === "bool" ? e.call("and", [a, b]) : e.mul(a, b),
  gradient: (c) => [
    c.needs(0) ? mul(c.grad(), c.input(1)) : undefined,
    c.needs(1) ? mul(c.grad(), c.input(0)) : undefined,
  ],
  domain: [-3, 3],
});

/** `input · other`, like `torch.mul`. */
export function mul(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(MUL, [input, other]);
}

const MUL_ADD = defineElementwise({
  name: "mulAdd",
  dtypes: "number",
  scalar: (x, factor, term) => e.add(e.mul(x, factor), term),
  gradient: (c) => [
    c.needs(0) ? mul(c.grad(), c.input(1)) : undefined,
    c.needs(1) ? mul(c.grad(), c.input(0)) : undefined,
    c.grad(),
  ],
  domain: [-3, 3],
});

/** `input · factor + term` in one kernel. */
export function mulAdd(input: Tensor, factor: TensorOrNumber, term: TensorOrNumber): Tensor {
  return applyElementwise(MUL_ADD, [input, factor, term]);
}

const DIV = defineElementwise({
  name: "div",
  dtypes: "float",
  scalar: (a, b) => e.div(a, b),
  gradient: (c) => [
    c.needs(0) ? div(c.grad(), c.input(1)) : undefined,
    // Not by the square of the divisor, which leaves the range long before the quotients do.
    c.needs(1) ? neg(div(mul(c.grad(), div(c.input(0), c.input(1))), c.input(1))) : undefined,
  ],
  domain: [0.5, 3],
});

/** How `div` rounds: not at all, towards zero, or down. */
export interface DivideOptions {
  /** How the quotient is rounded, if it is. @default undefined */
  roundingMode?: "trunc" | "floor" | undefined;
}

/** `input / other`, like `torch.div`; integers give float32 unless a rounding mode is given. */
export function div(
  input: Tensor,
  other: TensorOrNumber,
  options: DivideOptions = {},
): Tensor {
  if (options.roundingMode === "floor") return floorDivide(input, other);
  if (options.roundingMode === "trunc") return truncDivide(input, other);
  return applyElementwise(DIV, [input, other]);
}

/**
 * Python's and PyTorch's `//`: the quotient less the remainder, since the quotient itself may have
 * been rounded up to a whole number (1 / 0.1 is 10, 1 // 0.1 is 9).
 */
function floorQuotient(a: Expr, b: Expr): Expr {
  const number = (x: number) => e.constant(x, a.dtype);
  const rest = e.call("fmod", [a, b]);
  const signsDiffer = e.call("xor", [e.lt(rest, number(0)), e.lt(b, number(0))]);
  const below = e.and(e.call("ne", [rest, number(0)]), signsDiffer)!;
  const exact = e.call("round", [e.div(e.sub(a, rest), b)]);
  const floored = e.select(below, e.sub(exact, number(1)), exact);
  return e.select(e.eq(b, number(0)), e.div(a, b), floored);
}

function noSlope(c: GradientContext): Tensor[] {
  const zeros = core().fullOn(c.grad().storage.backend, c.grad().shape, 0, c.grad().dtype);
  return [zeros, zeros];
}

const FLOOR_DIVIDE = defineElementwise({
  name: "floorDivide",
  dtypes: "number",
  scalar: (a, b) => {
    if (isFloat(a.dtype)) return floorQuotient(a, b);
    const quotient = e.call("tdiv", [a, b]);
    if (a.dtype === "uint32") return quotient;
    const zero = e.int(0);
    const inexact = e.call("ne", [e.call("trem", [a, b]), zero]);
    const signsDiffer = e.call("xor", [e.lt(a, zero), e.lt(b, zero)]);
    return e.select(e.and(inexact, signsDiffer)!, e.sub(quotient, e.int(1)), quotient);
  },
  saves: "none",
  gradient: noSlope,
  domain: [0.5, 5],
});

/** `floor(input / other)`, like `torch.floor_divide`. */
export function floorDivide(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(FLOOR_DIVIDE, [input, other]);
}

const TRUNC_DIVIDE = defineElementwise({
  name: "truncDivide",
  dtypes: "number",
  scalar: (a, b) => isFloat(a.dtype) ? e.call("trunc", [e.div(a, b)]) : e.call("tdiv", [a, b]),
  saves: "none",
  gradient: noSlope,
  domain: [0.5, 5],
});

function truncDivide(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(TRUNC_DIVIDE, [input, other]);
}

const REMAINDER = defineElementwise({
  name: "remainder",
  dtypes: "number",
  scalar: (a, b) => {
    const zero = e.constant(0, a.dtype);
    const rest = e.call(isFloat(a.dtype) ? "fmod" : "trem", [a, b]);
    if (a.dtype === "uint32") return rest;
    const differ = e.call("xor", [e.lt(rest, zero), e.lt(b, zero)]);
    const fix = e.and(e.call("ne", [rest, zero]), differ)!;
    return e.select(fix, e.add(rest, b), rest);
  },
  gradient: (c) => [
    c.grad(),
    c.needs(1)
      ? neg(mul(c.grad(), div(c.input(0), c.input(1), { roundingMode: "floor" })))
      : undefined,
  ],
  domain: [0.6, 5],
});

/** Remainder with the sign of `other`, like `torch.remainder` and Python's `%`. */
export function remainder(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(REMAINDER, [input, other]);
}

const FMOD = defineElementwise({
  name: "fmod",
  dtypes: "number",
  scalar: (a, b) => e.call(isFloat(a.dtype) ? "fmod" : "trem", [a, b]),
  gradient: (c) => [
    c.grad(),
    c.needs(1)
      ? neg(mul(c.grad(), div(c.input(0), c.input(1), { roundingMode: "trunc" })))
      : undefined,
  ],
  domain: [0.6, 5],
});

/** Remainder with the sign of `input`, like `torch.fmod` and C. */
export function fmod(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(FMOD, [input, other]);
}

const NEG = defineElementwise({
  name: "neg",
  dtypes: "number",
  scalar: (x) => e.call("neg", [x]),
  saves: "none",
  gradient: (c) => [neg(c.grad())],
  domain: [-3, 3],
});

/** `−x`, like `torch.neg`. */
export function neg(x: Tensor): Tensor {
  return applyElementwise(NEG, [x]);
}

const ABS = defineElementwise({
  name: "abs",
  dtypes: "number",
  scalar: (x) => x.dtype === "uint32" ? x : e.call("abs", [x]),
  gradient: (c) => [mul(c.grad(), sign(c.input(0)))],
  domain: [-3, 3],
});

/** `|x|`, like `torch.abs`. */
export function abs(x: Tensor): Tensor {
  return applyElementwise(ABS, [x]);
}

const SIGN = defineElementwise({
  name: "sign",
  dtypes: "number",
  scalar: (x) => {
    const zero = e.constant(0, x.dtype), one = e.constant(1, x.dtype);
    const positive = e.select(e.lt(zero, x), one, zero);
    if (x.dtype === "uint32") return positive;
    return e.select(e.lt(x, zero), e.constant(-1, x.dtype), positive);
  },
  saves: "none",
  gradient: (c) => [core().fullOn(c.grad().storage.backend, c.inputShape(0), 0, c.inputDtype(0))],
  domain: [-3, 3],
});

/** −1, 0 or 1 by sign, like `torch.sign`; 0 for NaN. */
export function sign(x: Tensor): Tensor {
  return applyElementwise(SIGN, [x]);
}
