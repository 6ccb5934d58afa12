/** Sums of products: matrix products. Convolutions are in `convolution.ts`. */
import { diagonal } from "./arrange.ts";
import { broadcastShapes, checkSameDtype, DtypeError, ShapeError } from "./check.ts";
import { contract, LETTERS } from "./contract_kernel.ts";
import { sum } from "./reduce.ts";
import { SoftmaxMethods } from "./softmax.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, unsqueeze } from "./view.ts";

function commonDtype(op: string, x: Tensor, y: Tensor): [Tensor, Tensor] {
  checkSameDtype(op, x, y);
  if (x.dtype === "bool" || x.dtype === "uint32") {
    throw new DtypeError(op, `dtype ${x.dtype} is not supported, expects a float or int32`);
  }
  return [x, y];
}

/**
 * Matrix product with broadcasting over leading axes, like `torch.matmul`: vectors are taken as a row
 * on the left and a column on the right.
 *
 * Shapes: `[…, M, K]` times `[…, K, N]` gives `[…, M, N]`.
 *
 * @param input Left factor.
 * @param other Right factor, same dtype.
 * @returns The product.
 * @throws {ShapeError} If the inner sizes differ or an operand has no axes.
 *
 * @example
 * ```ts
 * import { matmul, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const y = matmul(tensor([[1, 2]]), tensor([[3], [4]]));
 * assertEquals(await y.item(), 11);
 * ```
 */
export function matmul(input: Tensor, other: Tensor): Tensor {
  const [x, y] = commonDtype("matmul", input, other);
  if (x.ndim === 0 || y.ndim === 0) {
    throw new ShapeError("matmul", "both need at least one dimension", {
      input: x.shape,
      other: y.shape,
    });
  }
  if (x.ndim === 1) {
    const product = matmul(unsqueeze(x, 0), y);
    return reshape(product, [
      ...product.shape.slice(0, y.ndim === 1 ? 0 : -2),
      ...product.shape.slice(y.ndim === 1 ? 1 : -1),
    ]);
  }
  if (y.ndim === 1) {
    const product = matmul(x, unsqueeze(y, 1));
    return reshape(product, product.shape.slice(0, -1));
  }
  const inner = x.shape.at(-1)!;
  if (inner !== y.shape.at(-2)) {
    throw new ShapeError("matmul", `inner sizes ${inner} and ${y.shape.at(-2)} differ`, {
      input: x.shape,
      other: y.shape,
    });
  }
  if (y.ndim === 2) {
    const rows = LETTERS.slice(0, x.ndim - 1);
    return contract(x, y, `${rows}y`, "yz", `${rows}z`);
  }
  const batch = broadcastShapes("matmul", [x.shape.slice(0, -2), y.shape.slice(0, -2)]);
  const letters = LETTERS.slice(0, batch.length);
  const wide = (t: Tensor) => expand(t, [...batch, ...t.shape.slice(-2)]);
  return contract(wide(x), wide(y), `${letters}xy`, `${letters}yz`, `${letters}xz`);
}

/** Product of two matrices, like `torch.mm`. */
export function mm(input: Tensor, other: Tensor): Tensor {
  requireRank("mm", input, 2, other, 2);
  return matmul(input, other);
}

/** Products of two stacks of matrices, like `torch.bmm`. */
export function bmm(input: Tensor, other: Tensor): Tensor {
  requireRank("bmm", input, 3, other, 3);
  return matmul(input, other);
}

/** Matrix times vector, like `torch.mv`. */
export function mv(input: Tensor, vector: Tensor): Tensor {
  requireRank("mv", input, 2, vector, 1);
  return matmul(input, vector);
}

/** Inner product of two vectors, like `torch.dot`. */
export function dot(input: Tensor, other: Tensor): Tensor {
  requireRank("dot", input, 1, other, 1);
  return matmul(input, other);
}

/** All products of two vectors, like `torch.outer`. */
export function outer(input: Tensor, other: Tensor): Tensor {
  requireRank("outer", input, 1, other, 1);
  return unsqueeze(input, 1).mul(unsqueeze(other, 0));
}

function requireRank(op: string, x: Tensor, xRank: number, y: Tensor, yRank: number): void {
  if (x.ndim !== xRank || y.ndim !== yRank) {
    throw new ShapeError(op, `expects ${xRank} and ${yRank} dimensions`, {
      input: x.shape,
      other: y.shape,
    });
  }
}

/** `beta · input + alpha · (left @ right)`, like `torch.addmm` and `torch.baddbmm`. */
export function addmm(
  input: Tensor,
  left: Tensor,
  right: Tensor,
  options: { beta?: number | undefined; alpha?: number | undefined } = {},
): Tensor {
  const { beta = 1, alpha = 1 } = options;
  const product = matmul(left, right);
  const scaled = alpha === 1 ? product : product.mul(alpha);
  if (beta === 0) return scaled;
  return scaled.add(beta === 1 ? input : input.mul(beta));
}

/** Affine map of the last axis, like `torch.nn.functional.linear`: `input @ weightᵀ + bias`. */
export function linear(input: Tensor, weight: Tensor, bias?: Tensor | undefined | null): Tensor {
  const features = weight.shape.at(-1), own = input.shape.at(-1) ?? "no";
  if (weight.ndim < 1 || weight.ndim > 2 || own !== features) {
    throw new ShapeError("linear", `input has ${own} features, weight expects ${features}`, {
      input: input.shape,
      weight: weight.shape,
    });
  }
  commonDtype("linear", input, weight);
  if (weight.ndim === 1) return addBias(matmul(input, weight), bias);
  const rows = LETTERS.slice(0, input.ndim - 1);
  return addBias(contract(input, weight, `${rows}y`, "zy", `${rows}z`), bias);
}

function addBias(x: Tensor, bias: Tensor | undefined | null): Tensor {
  return bias ? x.add(bias) : x;
}

/** Sum of the diagonal, like `torch.trace`. */
export function trace(x: Tensor): Tensor {
  return sum(diagonal(x));
}

/** Kronecker product, like `torch.kron`. */
export function kron(input: Tensor, other: Tensor): Tensor {
  const rank = Math.max(input.ndim, other.ndim);
  const lift = (t: Tensor) => reshape(t, [...new Array<number>(rank - t.ndim).fill(1), ...t.shape]);
  const a = lift(input), b = lift(other);
  const left = reshape(a, a.shape.flatMap((s) => [s, 1]));
  const right = reshape(b, b.shape.flatMap((s) => [1, s]));
  return reshape(left.mul(right), a.shape.map((s, d) => s * b.shape[d]!));
}

/** Methods of tensors from this file. */
export abstract class ContractMethods extends SoftmaxMethods {
  /** See the function `matmul`. */
  matmul(this: Tensor, other: Tensor): Tensor {
    return matmul(this, other);
  }
  /** See the function `mm`. */
  mm(this: Tensor, other: Tensor): Tensor {
    return mm(this, other);
  }
  /** See the function `bmm`. */
  bmm(this: Tensor, other: Tensor): Tensor {
    return bmm(this, other);
  }
  /** See the function `dot`. */
  dot(this: Tensor, other: Tensor): Tensor {
    return dot(this, other);
  }
}
