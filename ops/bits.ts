/** Bits of whole numbers, and the sign bit. */
import { checkDtype } from "./check.ts";
import { bitwiseXor, logicalNot, lt } from "./comparison.ts";
import { applyElementwise, defineElementwise, type TensorOrNumber } from "./define.ts";
import { isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import { copysign } from "./rounding.ts";
import { onesLike } from "./create.ts";
import type { Tensor } from "./tensor.ts";

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

/** Whether the sign is minus, also that of −0, like `torch.signbit`; false for NaN. */
export function signbit(x: Tensor): Tensor {
  return lt(isFloat(x.dtype) ? copysign(onesLike(x), x.detach()) : x, 0);
}
