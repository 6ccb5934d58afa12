/** Factorizations of matrices, like `torch.linalg`; see `linalg.ts`. */
import { add, div, mul, neg, sub } from "./arithmetic.ts";
import { tril, triu } from "./arrange.ts";
import { differentiable, differentiableAll } from "./autograd.ts";
import { stateError } from "./check.ts";
import { matmul } from "./contract.ts";
import { eye } from "./create.ts";
import { sizeOf } from "./ir/kernel.ts";
import { cat } from "./join.ts";
import { solveStack } from "./solve_stack.ts";
import { choleskyFactor, qrFactors, singularValues, symmetricEigen } from "./linalg_host.ts";
import { forMatrices, matrixSizes, onHost, squareSize, T } from "./linalg_stack.ts";
import { slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import { unsqueeze } from "./view.ts";

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
