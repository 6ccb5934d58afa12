/**
 * Linear algebra, like `torch.linalg`. Factors are computed on the host in float64, so the device must
 * be one that can be read at once, and a compiled function cannot contain these; gradients are ops.
 */
import { add, mul, sub } from "./arithmetic.ts";
import { differentiable, differentiableAll } from "./autograd.ts";
import { broadcastShapes, rangeError, ShapeError } from "./check.ts";
import { where } from "./choice.ts";
import { eq } from "./comparison.ts";
import { matmul } from "./contract.ts";
import { convert } from "./convert.ts";
import { eye } from "./create.ts";
import { isFloat } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import { cofactorMatrix, logDeterminant } from "./linalg_host.ts";
import { forMatrices, onHost, squareSize, T } from "./linalg_stack.ts";
import { exp } from "./math.ts";
import { log } from "./power.ts";
import { sum } from "./reduce.ts";
import { solveStack } from "./solve_stack.ts";
import { owned } from "./own.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, unsqueeze } from "./view.ts";
import { tril, triu } from "./arrange.ts";

/** Options of `solve`. */
export interface SolveOptions {
  /** False solves `X A = B`. @default true */
  left?: boolean | undefined;
}

/**
 * Solution X of `A X = B`, like `torch.linalg.solve`.
 *
 * Shapes: a `[…, N, N]`; b `[…, N, K]`, or `[…, N]` with one axis less than `a`.
 *
 * @throws {ShapeError} If `a` is not square or `b` does not fit.
 * @throws {Error} If a matrix is singular.
 */
export function solve(a: Tensor, b: Tensor, options: SolveOptions = {}): Tensor {
  if (options.left === false) return T(solve(T(a), T(b)));
  const n = squareSize("solve", a);
  const vector = b.ndim === 1 ||
    (b.ndim === a.ndim - 1 && b.shape.every((s, d) => s === a.shape[d]));
  const right = vector ? unsqueeze(b, -1) : b;
  if (right.ndim < 2 || right.size(-2) !== n) {
    throw new ShapeError("solve", "right side does not fit", { a: a.shape, b: b.shape });
  }
  const x = solveMatrices(a, right);
  return vector ? reshape(x, x.shape.slice(0, -1)) : x;
}

/** Options of `solveTriangular`. */
export interface SolveTriangularOptions extends SolveOptions {
  /** Whether `a` is upper triangular; else lower. */
  upper: boolean;
  /** Whether the diagonal counts as ones, whatever it holds. @default false */
  unitriangular?: boolean | undefined;
}

/**
 * Solution X of `A X = B` for triangular A, like `torch.linalg.solve_triangular`; the other triangle is
 * not read.
 *
 * Shapes: a `[…, N, N]`, b `[…, N, K]`.
 *
 * @throws {ShapeError} If `a` is not square or `b` does not fit.
 * @throws {Error} If a matrix is singular.
 */
export function solveTriangular(a: Tensor, b: Tensor, options: SolveTriangularOptions): Tensor {
  const { upper, left, unitriangular = false } = options;
  const n = squareSize("solveTriangular", a);
  if (b.ndim < 2 || b.size(left === false ? -1 : -2) !== n) {
    throw new ShapeError("solveTriangular", "right side does not fit", { a: a.shape, b: b.shape });
  }
  const shift = unitriangular ? 1 : 0;
  const part = upper ? triu(a, shift) : tril(a, -shift);
  const whole = unitriangular ? add(part, eye(n, n, { dtype: a.dtype, device: a.device })) : part;
  if (left !== false) return solveMatrices(whole, b);
  return T(solveMatrices(T(whole), T(b)));
}

/** `solve` whose right side is matrices whatever its shape. */
function solveMatrices(a: Tensor, b: Tensor): Tensor {
  const n = a.size(-1);
  const batch = broadcastShapes("solve", [a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  return solveStack(expand(a, [...batch, n, n]), expand(b, [...batch, n, b.size(-1)]));
}

/** Inverse of square matrices, like `torch.linalg.inv`. @throws {Error} If a matrix is singular. */
export function inv(x: Tensor): Tensor {
  const n = squareSize("inv", x);
  const identity = eye(n, n, { dtype: isFloat(x.dtype) ? x.dtype : "float32", device: x.device });
  return solveStack(convert(x, identity.dtype), expand(identity, x.shape));
}

/** Sign of the determinant and logarithm of its absolute value, like `torch.linalg.slogdet`. */
export function slogdet(x: Tensor): { sign: Tensor; logabsdet: Tensor } {
  const n = squareSize("slogdet", x);
  const [sign, logabsdet] = differentiableAll("slogdet", null, [x], () => {
    const { values, make } = onHost(x);
    const shape = x.shape.slice(0, -2), count = sizeOf(shape);
    const signs = new Float64Array(count), logs = new Float64Array(count);
    forMatrices(values, n * n, count, (matrix, i) => {
      const found = logDeterminant(matrix, n);
      [signs[i], logs[i]] = [found.sign, found.log];
    });
    return [make(signs, shape), make(logs, shape)];
  }, (c) => {
    if (!c.arrived(1)) return [mul(c.input(0), 0)];
    return [mul(spreadOver(c.grad(1)), T(inv(c.input(0))))];
  });
  return { sign: sign!.detach(), logabsdet: logabsdet! };
}

/** A number per matrix with two axes of size 1 behind. */
function spreadOver(x: Tensor): Tensor {
  return unsqueeze(unsqueeze(x, -1), -1);
}

/** Derivative of the determinant by each element; right also where the matrix is singular. */
function cofactors(x: Tensor): Tensor {
  const n = x.size(-1);
  return differentiable("cofactors", null, [x], () => {
    const { values, make } = onHost(x);
    const found = new Float64Array(values.length);
    forMatrices(values, n * n, sizeOf(x.shape.slice(0, -2)), (matrix, i) => {
      found.set(cofactorMatrix(matrix, n), i * n * n);
    });
    return make(found, x.shape);
  }, (c) => {
    const inverse = T(inv(c.input(0)));
    const share = spreadOver(sum(mul(inverse, c.grad()), [-2, -1]));
    const turned = matmul(matmul(inverse, T(c.grad())), inverse);
    return [mul(spreadOver(det(c.input(0))), sub(mul(inverse, share), turned))];
  });
}

/** Determinant of square matrices, like `torch.linalg.det`. */
export function det(x: Tensor): Tensor {
  squareSize("det", x);
  return differentiable("det", null, [x], () => {
    const { sign, logabsdet } = slogdet(x);
    return where(eq(sign, 0), 0, mul(sign, exp(logabsdet)));
  }, (c) => [mul(spreadOver(c.grad()), cofactors(c.input(0)))]);
}

/** Logarithm of the determinant, NaN where it is negative, like `torch.logdet`. */
export function logdet(x: Tensor): Tensor {
  const { sign, logabsdet } = slogdet(x);
  return add(logabsdet, log(sign));
}

/** `x` to a whole power, like `torch.linalg.matrix_power`; negative powers invert. */
export function matrixPower(x: Tensor, n: number): Tensor {
  const size = squareSize("matrixPower", x);
  if (!Number.isInteger(n)) throw rangeError("matrixPower", `n ${n} is not whole`);
  if (n < 0) return matrixPower(inv(x), -n);
  if (n === 0) {
    return expand(eye(size, size, { dtype: x.dtype, device: x.device }), x.shape).clone();
  }
  if (n === 1) return owned(x, x);
  const root = matrixPower(x, Math.floor(n / 2));
  const square = matmul(root, root);
  return n % 2 ? matmul(square, x) : square;
}
