/** Arithmetic, comparison and logic, element by element, with broadcasting and type promotion. */
import { core, TensorBase } from "./base.ts";
import {
  apply,
  applyElementwise,
  asTensors,
  defineElementwise,
  defineOp,
  resultType,
  type TensorOrNumber,
} from "./define.ts";
import { broadcastShapes } from "./check.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

const CONVERT = defineOp<{ dtype: DType }>({
  name: "convert",
  lower([x], { dtype }) {
    const value = e.cast(x!.at(e.axesOf(x!.shape)), dtype);
    const outputs = [{ dtype, value, index: undefined }];
    const kernel = {
      kind: "map",
      shape: x!.shape,
      inputs: [{ dtype: x!.dtype }],
      outputs,
    } as const;
    return { kernel, shapes: [x!.shape] };
  },
  saves: "none",
  gradient: (context) => [convert(context.grad(), context.inputDtype(0))],
});

/**
 * The same values in another dtype, like `Tensor.to(dtype)`; the tensor itself if nothing changes.
 * Floats to integers truncate and saturate; to bool compare with zero.
 */
export function convert(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : apply(CONVERT, [x], { dtype });
}

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
    c.needs(1) ? neg(div(mul(c.grad(), c.input(0)), mul(c.input(1), c.input(1)))) : undefined,
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

const FLOOR_DIVIDE = defineElementwise({
  name: "floorDivide",
  dtypes: "number",
  scalar: (a, b) => {
    if (isFloat(a.dtype)) return e.call("floor", [e.div(a, b)]);
    const quotient = e.call("tdiv", [a, b]);
    if (a.dtype === "uint32") return quotient;
    const zero = e.int(0);
    const inexact = e.call("ne", [e.call("trem", [a, b]), zero]);
    const signsDiffer = e.call("xor", [e.lt(a, zero), e.lt(b, zero)]);
    return e.select(e.and(inexact, signsDiffer)!, e.sub(quotient, e.int(1)), quotient);
  },
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
    const signed = e.select(e.lt(x, zero), e.constant(-1, x.dtype), positive);
    return isFloat(x.dtype) ? e.select(e.call("isnan", [x]), x, signed) : signed;
  },
  saves: "none",
  gradient: (c) => [core().fullOn(c.grad().storage.backend, c.inputShape(0), 0, c.inputDtype(0))],
  domain: [-3, 3],
});

/** −1, 0 or 1 by sign, like `torch.sign`. */
export function sign(x: Tensor): Tensor {
  return applyElementwise(SIGN, [x]);
}

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
      ? mul(c.grad(), where(eq(c.output(), 0), 0, mul(c.output(), logOf(c.input(0)))))
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
  if (exponent === 1) return x;
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

const MAXIMUM = defineElementwise({
  name: "maximum",
  dtypes: "any",
  scalar: (a, b) => a.dtype === "bool" ? e.call("or", [a, b]) : e.call("max", [a, b]),
  gradient: (c) => extremumGradient(c.grad(), c.input(0), c.input(1), gt),
  domain: [-3, 3],
});

/** Where both are equal the gradient is shared, as in PyTorch. */
function extremumGradient(
  grad: Tensor,
  a: Tensor,
  b: Tensor,
  wins: (a: Tensor, b: Tensor) => Tensor,
): Tensor[] {
  const tie = mul(convert(eq(a, b), grad.dtype), 0.5);
  return [
    mul(grad, add(convert(wins(a, b), grad.dtype), tie)),
    mul(grad, add(convert(wins(b, a), grad.dtype), tie)),
  ];
}

/** The larger of two, like `torch.maximum`; NaN wins. */
export function maximum(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(MAXIMUM, [input, other]);
}

const MINIMUM = defineElementwise({
  name: "minimum",
  dtypes: "any",
  scalar: (a, b) => a.dtype === "bool" ? e.call("and", [a, b]) : e.call("min", [a, b]),
  gradient: (c) => extremumGradient(c.grad(), c.input(0), c.input(1), lt),
  domain: [-3, 3],
});

/** The smaller of two, like `torch.minimum`; NaN wins. */
export function minimum(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(MINIMUM, [input, other]);
}

const CLAMP = defineElementwise({
  name: "clamp",
  dtypes: "number",
  scalar: (x, low, high) => e.call("min", [e.call("max", [x, low]), high]),
  gradient: (c) => {
    const inside = logicalAnd(ge(c.input(0), c.input(1)), le(c.input(0), c.input(2)));
    const below = lt(c.input(0), c.input(1)), above = gt(c.input(0), c.input(2));
    const crossed = gt(c.input(1), c.input(2));
    return [
      where(inside, c.grad(), 0),
      c.needs(1) ? where(logicalAnd(below, logicalNot(crossed)), c.grad(), 0) : undefined,
      c.needs(2) ? where(logicalOr(above, crossed), c.grad(), 0) : undefined,
    ];
  },
  domain: [-3, 3],
});

/** Values limited to `[min, max]`, like `torch.clamp`; either bound may be missing or a tensor. */
export function clamp(
  x: Tensor,
  min?: TensorOrNumber | undefined | null,
  max?: TensorOrNumber | undefined | null,
): Tensor {
  const low = min ?? undefined, high = max ?? undefined;
  if (low === undefined && high === undefined) return x;
  if (high === undefined) return clampOneSide(x, low!, -1);
  if (low === undefined) return clampOneSide(x, high, 1);
  return applyElementwise(CLAMP, [x, low, high]);
}

/** A one-sided limit by a number passes the gradient at equality, unlike `maximum`. */
function clampOneSide(x: Tensor, bound: TensorOrNumber, side: 1 | -1): Tensor {
  if (!isFloat(x.dtype)) return side < 0 ? maximum(x, bound) : minimum(x, bound);
  return applyElementwise(CLAMP, side < 0 ? [x, bound, Infinity] : [x, -Infinity, bound]);
}

const WHERE = defineOp<{ dtype: DType }>({
  name: "where",
  lower(operands, { dtype }) {
    const shape = broadcastShapes("where", operands.map((x) => x.shape));
    const axes = e.axesOf(shape);
    const [condition, a, b] = operands.map((x) => {
      const skip = shape.length - x.shape.length;
      return x.at(x.shape.map((size, d) => size === 1 ? e.int(0) : axes[skip + d]!));
    });
    const value = e.select(e.cast(condition!, "bool"), e.cast(a!, dtype), e.cast(b!, dtype));
    const inputs = operands.map((x) => ({ dtype: x.dtype }));
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  gradient: (c) => {
    const side = (i: number, a: TensorOrNumber, b: TensorOrNumber) =>
      c.needs(i)
        ? convert(core().sumToShape(where(c.input(0), a, b), c.inputShape(i)), c.inputDtype(i))
        : undefined;
    return [undefined, side(1, c.grad(), 0), side(2, 0, c.grad())];
  },
});

/** `condition ? input : other`, like `torch.where`; `condition` is bool, the others promote. */
export function where(
  condition: Tensor,
  input: TensorOrNumber,
  other: TensorOrNumber,
): Tensor {
  const sides = [input, other];
  const anchor = sides.find((x): x is Tensor => typeof x === "object");
  const context = anchor?.dtype ?? "float32";
  const [a, b] = sides.map((x) =>
    typeof x === "object" ? x : core().scalarOn(condition.storage.backend, x, context)
  ) as [Tensor, Tensor];
  broadcastShapes("where", [condition.shape, a.shape, b.shape]);
  return apply(WHERE, [condition, a, b], { dtype: resultType([a, b]) });
}

const LT = defineElementwise({
  name: "lt",
  dtypes: "any",
  scalar: (a, b) => e.lt(a, b),
  domain: [-3, 3],
});

/** `input < other` as bool, like `torch.lt`. */
export function lt(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(LT, [input, other]);
}

const LE = defineElementwise({
  name: "le",
  dtypes: "any",
  scalar: (a, b) => e.le(a, b),
  domain: [-3, 3],
});

/** `input ≤ other` as bool, like `torch.le`. */
export function le(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(LE, [input, other]);
}

const GT = defineElementwise({
  name: "gt",
  dtypes: "any",
  scalar: (a, b) => e.lt(b, a),
  domain: [-3, 3],
});

/** `input > other` as bool, like `torch.gt`. */
export function gt(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(GT, [input, other]);
}

const GE = defineElementwise({
  name: "ge",
  dtypes: "any",
  scalar: (a, b) => e.le(b, a),
  domain: [-3, 3],
});

/** `input ≥ other` as bool, like `torch.ge`. */
export function ge(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(GE, [input, other]);
}

const EQ = defineElementwise({
  name: "eq",
  dtypes: "any",
  scalar: (a, b) => e.eq(a, b),
  domain: [-3, 3],
});

/** `input = other` as bool, like `torch.eq`. */
export function eq(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(EQ, [input, other]);
}

const NE = defineElementwise({
  name: "ne",
  dtypes: "any",
  scalar: (a, b) => e.call("ne", [a, b]),
  domain: [-3, 3],
});

/** `input ≠ other` as bool, like `torch.ne`. */
export function ne(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(NE, [input, other]);
}

const LOGICAL_AND = defineElementwise({
  name: "logicalAnd",
  dtypes: "any",
  scalar: (a, b) => e.call("and", [e.cast(a, "bool"), e.cast(b, "bool")]),
  domain: [-1, 1],
});

/** Truth of both sides combined by `and`, like `torch.logical_and`; non-zero is true. */
export function logicalAnd(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(LOGICAL_AND, [input, other]);
}

const LOGICAL_OR = defineElementwise({
  name: "logicalOr",
  dtypes: "any",
  scalar: (a, b) => e.call("or", [e.cast(a, "bool"), e.cast(b, "bool")]),
  domain: [-1, 1],
});

/** Truth of both sides combined by `or`, like `torch.logical_or`; non-zero is true. */
export function logicalOr(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(LOGICAL_OR, [input, other]);
}

const LOGICAL_XOR = defineElementwise({
  name: "logicalXor",
  dtypes: "any",
  scalar: (a, b) => e.call("xor", [e.cast(a, "bool"), e.cast(b, "bool")]),
  domain: [-1, 1],
});

/** Truth of both sides combined by `xor`, like `torch.logical_xor`; non-zero is true. */
export function logicalXor(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(LOGICAL_XOR, [input, other]);
}

const LOGICAL_NOT = defineElementwise({
  name: "logicalNot",
  dtypes: "any",
  scalar: (x) => e.call("not", [e.cast(x, "bool")]),
  domain: [-1, 1],
});

/** Truth turned around, like `torch.logical_not`. */
export function logicalNot(x: Tensor): Tensor {
  return applyElementwise(LOGICAL_NOT, [x]);
}

const BITWISE_AND = defineElementwise({
  name: "bitwiseAnd",
  dtypes: "integral",
  scalar: (a, b) => e.call("and", [a, b]),
  domain: [0, 100],
});

/** Bits of both sides combined by `and`, like `torch.bitwise_and`; integers or bools. */
export function bitwiseAnd(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(BITWISE_AND, [input, other]);
}

const BITWISE_OR = defineElementwise({
  name: "bitwiseOr",
  dtypes: "integral",
  scalar: (a, b) => e.call("or", [a, b]),
  domain: [0, 100],
});

/** Bits of both sides combined by `or`, like `torch.bitwise_or`; integers or bools. */
export function bitwiseOr(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(BITWISE_OR, [input, other]);
}

const BITWISE_XOR = defineElementwise({
  name: "bitwiseXor",
  dtypes: "integral",
  scalar: (a, b) => e.call("xor", [a, b]),
  domain: [0, 100],
});

/** Bits of both sides combined by `xor`, like `torch.bitwise_xor`; integers or bools. */
export function bitwiseXor(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(BITWISE_XOR, [input, other]);
}

/** Methods of tensors from this file. */
export abstract class ElementwiseMethods extends TensorBase {
  /** See the function `add`. */
  add(this: Tensor, other: TensorOrNumber, options?: { alpha?: number | undefined }): Tensor {
    return add(this, other, options);
  }
  /** See the function `sub`. */
  sub(this: Tensor, other: TensorOrNumber, options?: { alpha?: number | undefined }): Tensor {
    return sub(this, other, options);
  }
  /** See the function `mul`. */
  mul(this: Tensor, other: TensorOrNumber): Tensor {
    return mul(this, other);
  }
  /** See the function `div`. */
  div(this: Tensor, other: TensorOrNumber, options?: DivideOptions): Tensor {
    return div(this, other, options);
  }
  /** See the function `floorDivide`. */
  floorDivide(this: Tensor, other: TensorOrNumber): Tensor {
    return floorDivide(this, other);
  }
  /** See the function `remainder`. */
  remainder(this: Tensor, other: TensorOrNumber): Tensor {
    return remainder(this, other);
  }
  /** See the function `fmod`. */
  fmod(this: Tensor, other: TensorOrNumber): Tensor {
    return fmod(this, other);
  }
  /** See the function `pow`. */
  pow(this: Tensor, exponent: TensorOrNumber): Tensor {
    return pow(this, exponent);
  }
  /** See the function `maximum`. */
  maximum(this: Tensor, other: TensorOrNumber): Tensor {
    return maximum(this, other);
  }
  /** See the function `minimum`. */
  minimum(this: Tensor, other: TensorOrNumber): Tensor {
    return minimum(this, other);
  }
  /** See the function `clamp`. */
  clamp(
    this: Tensor,
    min?: TensorOrNumber | undefined | null,
    max?: TensorOrNumber | undefined | null,
  ): Tensor {
    return clamp(this, min, max);
  }
  /** See the function `where`. */
  where(this: Tensor, condition: Tensor, other: TensorOrNumber): Tensor {
    return where(condition, this, other);
  }
  /** See the function `lt`. */
  lt(this: Tensor, other: TensorOrNumber): Tensor {
    return lt(this, other);
  }
  /** See the function `le`. */
  le(this: Tensor, other: TensorOrNumber): Tensor {
    return le(this, other);
  }
  /** See the function `gt`. */
  gt(this: Tensor, other: TensorOrNumber): Tensor {
    return gt(this, other);
  }
  /** See the function `ge`. */
  ge(this: Tensor, other: TensorOrNumber): Tensor {
    return ge(this, other);
  }
  /** See the function `eq`. */
  eq(this: Tensor, other: TensorOrNumber): Tensor {
    return eq(this, other);
  }
  /** See the function `ne`. */
  ne(this: Tensor, other: TensorOrNumber): Tensor {
    return ne(this, other);
  }
  /** See the function `logicalAnd`. */
  logicalAnd(this: Tensor, other: TensorOrNumber): Tensor {
    return logicalAnd(this, other);
  }
  /** See the function `logicalOr`. */
  logicalOr(this: Tensor, other: TensorOrNumber): Tensor {
    return logicalOr(this, other);
  }
  /** See the function `logicalXor`. */
  logicalXor(this: Tensor, other: TensorOrNumber): Tensor {
    return logicalXor(this, other);
  }
  /** See the function `bitwiseAnd`. */
  bitwiseAnd(this: Tensor, other: TensorOrNumber): Tensor {
    return bitwiseAnd(this, other);
  }
  /** See the function `bitwiseOr`. */
  bitwiseOr(this: Tensor, other: TensorOrNumber): Tensor {
    return bitwiseOr(this, other);
  }
  /** See the function `bitwiseXor`. */
  bitwiseXor(this: Tensor, other: TensorOrNumber): Tensor {
    return bitwiseXor(this, other);
  }
  /** See the function `neg`. */
  neg(this: Tensor): Tensor {
    return neg(this);
  }
  /** See the function `abs`. */
  abs(this: Tensor): Tensor {
    return abs(this);
  }
  /** See the function `sign`. */
  sign(this: Tensor): Tensor {
    return sign(this);
  }
  /** See the function `log`. */
  log(this: Tensor): Tensor {
    return log(this);
  }
  /** See the function `square`. */
  square(this: Tensor): Tensor {
    return square(this);
  }
  /** See the function `sqrt`. */
  sqrt(this: Tensor): Tensor {
    return sqrt(this);
  }
  /** See the function `reciprocal`. */
  reciprocal(this: Tensor): Tensor {
    return reciprocal(this);
  }
  /** See the function `rsqrt`. */
  rsqrt(this: Tensor): Tensor {
    return rsqrt(this);
  }
  /** See the function `logicalNot`. */
  logicalNot(this: Tensor): Tensor {
    return logicalNot(this);
  }
}
