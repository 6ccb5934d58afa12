/**
 * Linear algebra, like `torch.linalg`. Factors are computed on the host in float64, so the device must
 * be one that can be read at once, and a compiled function cannot contain these; gradients are ops.
 */
import { differentiable, differentiableAll } from "./autograd.ts";
import { broadcastShapes, rangeError, ShapeError, stateError } from "./check.ts";
import { matmul } from "./contract.ts";
import { eye, fromValues } from "./create.ts";
import {
  abs,
  add,
  convert,
  div,
  eq,
  log,
  mul,
  neg,
  reciprocal,
  sub,
  where,
} from "./elementwise.ts";
import { isFloat } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import {
  choleskyFactor,
  logDeterminant,
  qrFactors,
  singularValues,
  solveMatrix,
  symmetricEigen,
} from "./linalg_host.ts";
import { exp } from "./math.ts";
import { sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, slice, transpose, tril, triu, unsqueeze } from "./view.ts";
import { cat } from "./index.ts";

/** Rows and columns of matrices in the last two axes. */
function matrixSizes(op: string, x: Tensor): [number, number] {
  if (x.ndim < 2) throw new ShapeError(op, "expects at least 2 dimensions", { input: x.shape });
  return [x.size(-2), x.size(-1)];
}

function squareSize(op: string, x: Tensor): number {
  const [rows, columns] = matrixSizes(op, x);
  if (rows !== columns) {
    throw new ShapeError(op, `expects square matrices, not ${rows} × ${columns}`, {
      input: x.shape,
    });
  }
  return rows;
}

/** The values in float64, and a maker of results of the same kind. */
function onHost(x: Tensor): {
  values: Float64Array;
  make: (values: ArrayLike<number>, shape: readonly number[]) => Tensor;
} {
  const dtype = isFloat(x.dtype) ? x.dtype : "float32";
  return {
    values: Float64Array.from(convert(x, dtype).detach().dataSync()),
    make: (values, shape) => fromValues(values, shape, dtype, x.storage.backend),
  };
}

/** Runs `each` for the matrices of a stack, one after the other. */
function forMatrices(
  values: Float64Array,
  size: number,
  count: number,
  each: (a: Float64Array, i: number) => void,
): void {
  for (let i = 0; i < count; i++) each(values.subarray(i * size, (i + 1) * size), i);
}

function T(x: Tensor): Tensor {
  return transpose(x, -2, -1);
}

/**
 * Solution X of `A X = B`, like `torch.linalg.solve`.
 *
 * Shapes: a `[…, N, N]`; b `[…, N, K]`, or `[…, N]` with one axis less than `a`.
 *
 * @throws {ShapeError} If `a` is not square or `b` does not fit.
 * @throws {Error} If a matrix is singular.
 */
export function solve(a: Tensor, b: Tensor): Tensor {
  const n = squareSize("solve", a);
  const vector = b.ndim === 1 ||
    (b.ndim === a.ndim - 1 && b.shape.every((s, d) => s === a.shape[d]));
  const right = vector ? unsqueeze(b, -1) : b;
  if (right.ndim < 2 || right.size(-2) !== n) {
    throw new ShapeError("solve", "right side does not fit", { a: a.shape, b: b.shape });
  }
  const batch = broadcastShapes("solve", [a.shape.slice(0, -2), right.shape.slice(0, -2)]);
  const matrices = expand(a, [...batch, n, n]);
  const x = solveStack(matrices, expand(right, [...batch, n, right.size(-1)]));
  return vector ? reshape(x, x.shape.slice(0, -1)) : x;
}

function solveStack(a: Tensor, b: Tensor): Tensor {
  return differentiable("solve", null, [a, b], () => {
    const n = a.size(-1), columns = b.size(-1);
    const { values, make } = onHost(a);
    const right = onHost(b).values, x = new Float64Array(right.length);
    forMatrices(values, n * n, sizeOf(a.shape.slice(0, -2)), (matrix, i) => {
      const side = right.subarray(i * n * columns, (i + 1) * n * columns);
      const solution = solveMatrix(matrix, n, side, columns);
      if (!solution) throw stateError("solve", `matrix ${i} is singular`);
      x.set(solution, i * n * columns);
    });
    return make(x, b.shape);
  }, (c) => {
    // gB = A⁻ᵀ gX, gA = −gB Xᵀ
    const right = solveStack(T(c.input(0)), c.grad());
    return [c.needs(0) ? neg(matmul(right, T(c.output()))) : undefined, right];
  }, "both");
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

/** Determinant of square matrices, like `torch.linalg.det`. */
export function det(x: Tensor): Tensor {
  const { sign, logabsdet } = slogdet(x);
  return where(eq(sign, 0), 0, mul(sign, exp(logabsdet)));
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
  const root = matrixPower(x, Math.floor(n / 2));
  if (n === 1) return x;
  const square = matmul(root, root);
  return n % 2 ? matmul(square, x) : square;
}

/** Zeros above the diagonal and half of it. */
function lowerHalf(x: Tensor): Tensor {
  return mul(add(tril(x), tril(x, -1)), 0.5);
}

/**
 * Lower factor L of `A = L Lᵀ` of symmetric positive definite matrices, like
 * `torch.linalg.cholesky`; with `upper` its transpose.
 *
 * @throws {Error} If a matrix is not positive definite.
 */
export function cholesky(x: Tensor, options: { upper?: boolean | undefined } = {}): Tensor {
  const n = squareSize("cholesky", x);
  const source = options.upper ? T(x) : x;
  const lower = differentiable("cholesky", null, [source], () => {
    const { values, make } = onHost(source);
    const factors = new Float64Array(values.length);
    forMatrices(values, n * n, sizeOf(x.shape.slice(0, -2)), (matrix, i) => {
      const factor = choleskyFactor(matrix, n);
      if (!factor) throw stateError("cholesky", `matrix ${i} is not positive definite`);
      factors.set(factor, i * n * n);
    });
    return make(factors, x.shape);
  }, (c) => {
    // gA = L⁻ᵀ P L⁻¹ with P the symmetric part of the lower half of Lᵀ gL (Murray 2016).
    const l = c.output();
    const part = lowerHalf(matmul(T(l), tril(c.grad())));
    const symmetric = add(part, T(part));
    const half = solveStack(T(l), symmetric);
    return [mul(T(solveStack(T(l), T(half))), 0.5)];
  }, "output");
  return options.upper ? T(lower) : lower;
}

/** Options of `qr`. */
export interface QrOptions {
  /** `"complete"` gives a square Q (without gradient). @default "reduced" */
  mode?: "reduced" | "complete" | undefined;
}

/** Factors `A = Q R` with orthogonal Q and upper triangular R, like `torch.linalg.qr`. */
export function qr(x: Tensor, options: QrOptions = {}): { q: Tensor; r: Tensor } {
  const [m, n] = matrixSizes("qr", x);
  if (m < n && options.mode !== "complete") {
    // The first columns decide Q; the others are only seen from it.
    const { q, r } = qr(slice(x, -1, 0, m));
    return { q, r: cat([r, matmul(T(q), slice(x, -1, m, n))], -1) };
  }
  const k = options.mode === "complete" ? m : n;
  const [q, r] = differentiableAll("qr", null, [x], () => {
    const { values, make } = onHost(x);
    const batch = x.shape.slice(0, -2), count = sizeOf(batch);
    const qs = new Float64Array(count * m * k), rs = new Float64Array(count * k * n);
    forMatrices(values, m * n, count, (matrix, i) => {
      const found = qrFactors(matrix, m, n);
      for (let a = 0; a < m; a++) {
        for (let b = 0; b < k; b++) qs[(i * m + a) * k + b] = found.q[a * m + b]!;
      }
      rs.set(found.r.subarray(0, k * n), i * k * n);
    });
    return [make(qs, [...batch, m, k]), make(rs, [...batch, k, n])];
  }, (c) => {
    if (k !== n) throw stateError("qr", 'mode "complete" has no gradient', 'use "reduced"');
    const [out, upper] = [c.output(0), c.output(1)];
    const inner = triu(sub(matmul(c.grad(1), T(upper)), matmul(T(out), c.grad(0))));
    const symmetric = add(inner, T(triu(inner, 1)));
    const whole = add(c.grad(0), matmul(out, symmetric));
    return [T(solveStack(upper, T(whole)))];
  }, "output");
  return { q: q!, r: r! };
}

/** Eigenvalues in ascending order and eigenvectors (columns) of symmetric matrices, like `torch.linalg.eigh`. */
export function eigh(
  x: Tensor,
  options: { uplo?: "L" | "U" | undefined } = {},
): { eigenvalues: Tensor; eigenvectors: Tensor } {
  const n = squareSize("eigh", x);
  const lower = options.uplo !== "U";
  const [eigenvalues, eigenvectors] = differentiableAll("eigh", null, [x], () => {
    const half = lower ? tril(x) : triu(x);
    const whole = add(half, lower ? T(tril(x, -1)) : T(triu(x, 1)));
    const { values, make } = onHost(whole);
    const batch = x.shape.slice(0, -2), count = sizeOf(batch);
    const all = new Float64Array(count * n), vectors = new Float64Array(count * n * n);
    forMatrices(values, n * n, count, (matrix, i) => {
      const found = symmetricEigen(matrix, n);
      all.set(found.values, i * n);
      vectors.set(found.vectors, i * n * n);
    });
    return [make(all, [...batch, n]), make(vectors, x.shape)];
  }, (c) => {
    const [values, v] = [c.output(0), c.output(1)];
    const gap = sub(unsqueeze(values, -2), unsqueeze(values, -1));
    const turn = matmul(T(v), c.grad(1));
    // Vectors stay orthogonal: only the skew part of the change counts.
    const inner = mul(mul(sub(turn, T(turn)), 0.5), inverseOffDiagonal(gap));
    const onDiagonal = mul(unsqueeze(c.grad(0), -1), identityLike(gap));
    return [matmul(matmul(v, add(inner, onDiagonal)), T(v))];
  }, "output");
  return { eigenvalues: eigenvalues!, eigenvectors: eigenvectors! };
}

/** Eigenvalues of symmetric matrices in ascending order, like `torch.linalg.eigvalsh`. */
export function eigvalsh(x: Tensor, options: { uplo?: "L" | "U" | undefined } = {}): Tensor {
  return eigh(x, options).eigenvalues;
}

function identityLike(x: Tensor): Tensor {
  return eye(x.size(-2), x.size(-1), { dtype: x.dtype, device: x.device });
}

/** `1 / x` outside of the diagonal, 0 on it. */
function inverseOffDiagonal(x: Tensor): Tensor {
  const identity = identityLike(x);
  return div(add(neg(identity), 1), add(x, identity));
}

/** Factors of a singular value decomposition `A = U diag(S) Vᵀ`. */
export interface Svd {
  /** Left vectors as columns. */
  readonly u: Tensor;
  /** Singular values in descending order. */
  readonly s: Tensor;
  /** Right vectors as rows. */
  readonly vh: Tensor;
}

/** Options of `svd`. */
export interface SvdOptions {
  /** Square U and Vᵀ; their columns past the singular values have no gradient. @default true */
  fullMatrices?: boolean | undefined;
}

/** Singular value decomposition, like `torch.linalg.svd`. */
export function svd(x: Tensor, options: SvdOptions = {}): Svd {
  const [m, n] = matrixSizes("svd", x);
  const { fullMatrices = true } = options;
  const k = Math.min(m, n);
  const batch = x.shape.slice(0, -2), count = sizeOf(batch);
  const [columns, rows] = fullMatrices ? [m, n] : [k, k];
  const [u, s, vh] = differentiableAll("svd", null, [x], () => {
    const { values, make } = onHost(x);
    const us = new Float64Array(count * m * columns), ss = new Float64Array(count * k);
    const vs = new Float64Array(count * rows * n);
    forMatrices(values, m * n, count, (matrix, i) => {
      const found = singularValues(matrix, m, n);
      for (let a = 0; a < m; a++) {
        for (let b = 0; b < columns; b++) us[(i * m + a) * columns + b] = found.u[a * m + b]!;
      }
      ss.set(found.s.subarray(0, k), i * k);
      vs.set(found.vt.subarray(0, rows * n), i * rows * n);
    });
    return [
      make(us, [...batch, m, columns]),
      make(ss, [...batch, k]),
      make(vs, [...batch, rows, n]),
    ];
  }, (c) => {
    const left = (t: Tensor) => slice(t, -1, 0, k), right = (t: Tensor) => slice(t, -2, 0, k);
    const gu = c.arrived(0) ? left(c.grad(0)) : undefined;
    const gv = c.arrived(2) ? T(right(c.grad(2))) : undefined;
    const gs = c.arrived(1) ? c.grad(1) : undefined;
    return [svdGradient(left(c.output(0)), c.output(1), T(right(c.output(2))), gu, gs, gv)];
  }, "output");
  return { u: u!, s: s!, vh: vh! };
}

/** Gradient of the reduced decomposition (Townsend 2016). */
function svdGradient(
  u: Tensor,
  s: Tensor,
  v: Tensor,
  gu: Tensor | undefined,
  gs: Tensor | undefined,
  gv: Tensor | undefined,
): Tensor {
  const row = unsqueeze(s, -2), column = unsqueeze(s, -1);
  const gap = mul(sub(row, column), add(row, column));
  const inverse = inverseOffDiagonal(gap);
  const skew = (x: Tensor) => mul(sub(x, T(x)), inverse);
  let middle = mul(unsqueeze(gs ?? mul(s, 0), -1), identityLike(gap));
  if (gu) middle = add(middle, mul(skew(matmul(T(u), gu)), row));
  if (gv) middle = add(middle, mul(column, skew(matmul(T(v), gv))));
  let total = matmul(matmul(u, middle), T(v));
  if (gu && u.size(-2) > u.size(-1)) {
    const outside = div(sub(gu, matmul(u, matmul(T(u), gu))), row);
    total = add(total, matmul(outside, T(v)));
  }
  if (gv && v.size(-2) > v.size(-1)) {
    const outside = div(sub(gv, matmul(v, matmul(T(v), gv))), row);
    total = add(total, matmul(u, T(outside)));
  }
  return total;
}

/** Singular values in descending order, like `torch.linalg.svdvals`. */
export function svdvals(x: Tensor): Tensor {
  return svd(x, { fullMatrices: false }).s;
}

/** Options of `pinv` and `matrixRank`. */
export interface RankOptions {
  /** Singular values below `rtol` times the largest count as 0. @default max(m, n) · precision */
  rtol?: number | undefined | null;
  /** Singular values below count as 0. @default 0 */
  atol?: number | undefined | null;
}

function precisionOf(x: Tensor): number {
  return x.dtype === "float64" ? 2 ** -52 : 2 ** -23;
}

/** Options of `pinv`. */
export interface PinvOptions extends RankOptions {
  /** Matrices are symmetric; only their lower triangle is read. @default false */
  hermitian?: boolean | undefined;
}

/** Inverse of the values above the limit, 0 for the others. */
function inverseAbove(values: Tensor, relative: number, absolute: number): Tensor {
  const size = abs(values);
  const limit = mul(size.amax(-1, { keepdim: true }), relative).maximum(absolute);
  const large = size.gt(limit);
  return where(large, reciprocal(where(large, values, 1)), 0);
}

function pseudoInverse(x: Tensor, relative: number, absolute: number, hermitian: boolean): Tensor {
  if (hermitian) {
    const { eigenvalues, eigenvectors } = eigh(x);
    const inverse = inverseAbove(eigenvalues, relative, absolute);
    return matmul(mul(eigenvectors, unsqueeze(inverse, -2)), T(eigenvectors));
  }
  const { u, s, vh } = svd(x, { fullMatrices: false });
  return matmul(mul(T(vh), unsqueeze(inverseAbove(s, relative, absolute), -2)), T(u));
}

/** Pseudo-inverse (Moore–Penrose), like `torch.linalg.pinv`. */
export function pinv(x: Tensor, options: PinvOptions = {}): Tensor {
  const [m, n] = matrixSizes("pinv", x);
  if (x.numel === 0) return T(x).clone();
  const { rtol, atol } = options;
  const relative = rtol ?? (atol ? 0 : Math.max(m, n) * precisionOf(x));
  const { hermitian = false } = options;
  return differentiable("pinv", null, [x], () => {
    return pseudoInverse(x, relative, atol ?? 0, hermitian);
  }, (c) => {
    const [a, p, g] = [c.input(0), c.output(), T(c.grad())];
    if (m <= n) {
      const k = matmul(g, p), kp = matmul(k, T(p));
      const tail = matmul(matmul(T(p), p), sub(g, matmul(k, a)));
      return [add(add(neg(T(matmul(p, k))), sub(kp, matmul(matmul(a, p), kp))), tail)];
    }
    const k = matmul(p, g), pk = matmul(T(p), k);
    const head = matmul(matmul(sub(g, matmul(a, k)), p), T(p));
    return [add(sub(head, T(matmul(k, p))), sub(pk, matmul(matmul(pk, p), a)))];
  }, "both");
}

/** What `lstsq` gives. */
export interface LeastSquares {
  /** X, the shortest where there are several. */
  readonly solution: Tensor;
  /** Sum of squares of `A X − B` per column; empty unless A has more rows than columns. */
  readonly residuals: Tensor;
}

/**
 * Least-squares solution of `A X ≈ B`, like `torch.linalg.lstsq`; rank and singular values are
 * `matrixRank` and `svdvals`.
 */
export function lstsq(a: Tensor, b: Tensor, options: RankOptions = {}): LeastSquares {
  const solution = matmul(pinv(a, options), b);
  if (a.size(-2) <= a.size(-1)) return { solution, residuals: slice(reshape(b, [-1]), 0, 0, 0) };
  const gap = sub(matmul(a, solution), b);
  return { solution, residuals: sum(mul(gap, gap), -2) };
}

/** Number of singular values that are not 0, int32, like `torch.linalg.matrix_rank`. */
export function matrixRank(x: Tensor, options: RankOptions = {}): Tensor {
  const [m, n] = matrixSizes("matrixRank", x);
  const s = svdvals(x.detach());
  const relative = options.rtol ?? (options.atol ? 0 : Math.max(m, n) * precisionOf(x));
  const limit = mul(s.amax(-1, { keepdim: true }), relative).maximum(options.atol ?? 0);
  return sum(s.gt(limit), -1);
}
