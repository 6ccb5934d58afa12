/** Products of several tensors, composed of those in `contract.ts`. */
import { broadcastShapes, normalizeAxis, ShapeError, shapeText } from "./check.ts";
import { addmm } from "./contract.ts";
import { einsum } from "./einsum.ts";
import { add, div, mul, sub } from "./arithmetic.ts";
import type { Tensor } from "./tensor.ts";
import { expand } from "./view.ts";
import { roll } from "./arrange.ts";

/** `input + value · a · b`, like `torch.addcmul`. */
export function addcmul(
  input: Tensor,
  a: Tensor,
  b: Tensor,
  options: { value?: number | undefined } = {},
): Tensor {
  return add(input, mul(a, b), { alpha: options.value });
}

/** `input + value · a / b`, like `torch.addcdiv`. */
export function addcdiv(
  input: Tensor,
  a: Tensor,
  b: Tensor,
  options: { value?: number | undefined } = {},
): Tensor {
  return add(input, div(a, b), { alpha: options.value });
}

/** `beta · input + alpha · (left @ right)` of stacks of matrices, like `torch.baddbmm`. */
export function baddbmm(
  input: Tensor,
  left: Tensor,
  right: Tensor,
  options: { beta?: number | undefined; alpha?: number | undefined } = {},
): Tensor {
  if (left.ndim !== 3 || right.ndim !== 3) {
    throw new ShapeError("baddbmm", "expects 3 and 3 dimensions", {
      left: left.shape,
      right: right.shape,
    });
  }
  return addmm(input, left, right, options);
}

/**
 * Cross product of vectors along an axis of size 3, like `torch.linalg.cross`; other axes broadcast.
 *
 * @throws {ShapeError} If the axis does not have size 3 in both.
 */
export function cross(input: Tensor, other: Tensor, dim = -1): Tensor {
  const shape = broadcastShapes("cross", [input.shape, other.shape]);
  const axis = normalizeAxis("cross", dim, shape.length);
  if (input.shape.at(axis - shape.length) !== 3 || other.shape.at(axis - shape.length) !== 3) {
    throw new ShapeError("cross", `dim ${dim} needs size 3`, {
      input: input.shape,
      other: other.shape,
    });
  }
  const a = expand(input, shape), b = expand(other, shape);
  const next = (x: Tensor) => roll(x, -1, axis);
  return next(sub(mul(a, next(b)), mul(next(a), b)));
}

/**
 * `x₁ᵀ W x₂ + bias` for each output feature, like `torch.nn.functional.bilinear`.
 *
 * Shapes: inputs `[…, A]` and `[…, B]`, weight `[O, A, B]`, bias `[O]`, result `[…, O]`.
 *
 * @throws {ShapeError} If the features, or the sizes before them, do not agree.
 */
export function bilinear(
  input1: Tensor,
  input2: Tensor,
  weight: Tensor,
  bias?: Tensor | undefined | null,
): Tensor {
  const shapes = { input1: input1.shape, input2: input2.shape, weight: weight.shape };
  if (
    weight.ndim !== 3 || input1.shape.at(-1) !== weight.shape[1] ||
    input2.shape.at(-1) !== weight.shape[2]
  ) throw new ShapeError("bilinear", "features do not agree", shapes);
  if (shapeText(input1.shape.slice(0, -1)) !== shapeText(input2.shape.slice(0, -1))) {
    throw new ShapeError("bilinear", "sizes before the features do not agree", shapes);
  }
  const y = einsum("...a,oab,...b->...o", input1, weight, input2);
  return bias ? add(y, bias) : y;
}
