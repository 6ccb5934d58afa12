/** Comparison, logic and bits, element by element. */
import { checkDtype } from "./check.ts";
import { applyElementwise, defineElementwise, type TensorOrNumber } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

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

/** All bits turned around, like `torch.bitwise_not`; integers or bools. @throws {DtypeError} For floats. */
export function bitwiseNot(x: Tensor): Tensor {
  checkDtype("bitwiseNot", x.dtype, ["bool", "int32", "uint32"]);
  if (x.dtype === "bool") return logicalNot(x);
  return bitwiseXor(x, x.dtype === "int32" ? -1 : 2 ** 32 - 1);
}

const WORD = 32;

const LEFT_SHIFT = defineElementwise({
  name: "bitwiseLeftShift",
  dtypes: "integral",
  scalar: (a, b) => e.select(isShift(b), e.call("shl", [a, b]), e.constant(0, a.dtype)),
  domain: [0, 20],
});

const RIGHT_SHIFT = defineElementwise({
  name: "bitwiseRightShift",
  dtypes: "integral",
  scalar: (a, b) => {
    const sign = e.select(e.lt(a, e.constant(0, a.dtype)), filled(a), e.constant(0, a.dtype));
    return e.select(isShift(b), e.call("shr", [a, b]), sign);
  },
  domain: [0, 20],
});

/** Whether a shift by so many places leaves anything; devices take the count modulo 32. */
function isShift(count: e.Expr): e.Expr {
  const { dtype } = count;
  return e.and(e.le(e.constant(0, dtype), count), e.lt(count, e.constant(WORD, dtype)))!;
}

function filled(x: e.Expr): e.Expr {
  return e.constant(x.dtype === "int32" ? -1 : 0, x.dtype);
}

function shifted(
  op: typeof LEFT_SHIFT,
  input: Tensor,
  other: TensorOrNumber,
): Tensor {
  const { name } = op.definition;
  checkDtype(name, input.dtype, ["int32", "uint32"]);
  if (typeof other === "object") checkDtype(name, other.dtype, ["int32", "uint32"]);
  return applyElementwise(op, [input, other]);
}

/**
 * `input · 2^other` by moving bits, like `torch.bitwise_left_shift`; 0 where `other` is 32 or more.
 *
 * @throws {DtypeError} If a dtype is not integer.
 */
export function bitwiseLeftShift(input: Tensor, other: TensorOrNumber): Tensor {
  return shifted(LEFT_SHIFT, input, other);
}

/**
 * `input / 2^other`, rounded down, by moving bits, like `torch.bitwise_right_shift`; all bits are that
 * of the sign where `other` is 32 or more.
 *
 * @throws {DtypeError} If a dtype is not integer.
 */
export function bitwiseRightShift(input: Tensor, other: TensorOrNumber): Tensor {
  return shifted(RIGHT_SHIFT, input, other);
}
