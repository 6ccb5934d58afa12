/** Elementwise functions as methods of tensors. */
import {
  abs,
  add,
  div,
  type DivideOptions,
  floorDivide,
  fmod,
  mul,
  neg,
  remainder,
  sign,
  sub,
} from "./arithmetic.ts";
import { TensorBase } from "./base.ts";
import { signbit } from "./rounding.ts";
import { clamp, maximum, minimum, where } from "./choice.ts";
import {
  bitwiseAnd,
  bitwiseLeftShift,
  bitwiseNot,
  bitwiseOr,
  bitwiseRightShift,
  bitwiseXor,
  eq,
  ge,
  gt,
  le,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  lt,
  ne,
} from "./comparison.ts";
import type { TensorOrNumber } from "./define.ts";
import { log, logit, pow, reciprocal, rsqrt, sqrt, square } from "./power.ts";
import type { Tensor } from "./tensor.ts";

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
  /** See the function `bitwiseNot`. */
  bitwiseNot(this: Tensor): Tensor {
    return bitwiseNot(this);
  }
  /** See the function `bitwiseLeftShift`. */
  bitwiseLeftShift(this: Tensor, other: TensorOrNumber): Tensor {
    return bitwiseLeftShift(this, other);
  }
  /** See the function `bitwiseRightShift`. */
  bitwiseRightShift(this: Tensor, other: TensorOrNumber): Tensor {
    return bitwiseRightShift(this, other);
  }
  /** See the function `signbit`. */
  signbit(this: Tensor): Tensor {
    return signbit(this);
  }
  /** See the function `logit`. */
  logit(this: Tensor, options?: { eps?: number | undefined | null }): Tensor {
    return logit(this, options);
  }
}
