/** Choosing between values, element by element: extrema, limits, conditions. */
import { mul } from "./arithmetic.ts";
import { convert } from "./convert.ts";
import { core } from "./base.ts";
import { broadcastShapes } from "./check.ts";
import { eq, ge, gt, le, logicalAnd, logicalNot, logicalOr, lt } from "./comparison.ts";
import {
  apply,
  applyElementwise,
  defineElementwise,
  defineOp,
  resultType,
  type TensorOrNumber,
} from "./define.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

const MAXIMUM = defineElementwise({
  name: "maximum",
  dtypes: "any",
  scalar: (a, b) => a.dtype === "bool" ? e.call("or", [a, b]) : e.call("max", [a, b]),
  gradient: (c) => extremumGradient(c.grad(), c.input(0), c.input(1), lt),
  domain: [-3, 3],
});

/** Where both are equal the gradient is shared; where one is NaN both have it, as in PyTorch. */
function extremumGradient(
  grad: Tensor,
  a: Tensor,
  b: Tensor,
  loses: (a: Tensor, b: Tensor) => Tensor,
): Tensor[] {
  const shared = where(eq(a, b), mul(grad, 0.5), grad);
  return [where(loses(a, b), 0, shared), where(loses(b, a), 0, shared)];
}

/** The larger of two, like `torch.maximum`; NaN wins. */
export function maximum(input: Tensor, other: TensorOrNumber): Tensor {
  return applyElementwise(MAXIMUM, [input, other]);
}

const MINIMUM = defineElementwise({
  name: "minimum",
  dtypes: "any",
  scalar: (a, b) => a.dtype === "bool" ? e.call("and", [a, b]) : e.call("min", [a, b]),
  gradient: (c) => extremumGradient(c.grad(), c.input(0), c.input(1), gt),
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
