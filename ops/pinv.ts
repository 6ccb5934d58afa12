/** Pseudo-inverses, least squares and ranks. */
import { abs, add, mul, neg, sub } from "./arithmetic.ts";
import { differentiable } from "./autograd.ts";
import { where } from "./choice.ts";
import { matmul } from "./contract.ts";
import { eigh, svd, svdvals } from "./factors.ts";
import { matrixSizes, T } from "./linalg_stack.ts";
import { reciprocal } from "./power.ts";
import { sum } from "./reduce.ts";
import { slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import { reshape, unsqueeze } from "./view.ts";

/** Options of `pinv` and `matrixRank`. */
export interface RankOptions {
  /** Singular values below `rtol` times the largest count as 0. @default max(m, n) · precision */
  rtol?: number | Tensor | undefined | null;
  /** Singular values below count as 0. @default 0 */
  atol?: number | Tensor | undefined | null;
}

function precisionOf(x: Tensor): number {
  return x.dtype === "float64" ? 2 ** -52 : 2 ** -23;
}

/** Options of `pinv`. */
export interface PinvOptions extends RankOptions {
  /** Matrices are symmetric; only their lower triangle is read. @default false */
  hermitian?: boolean | undefined;
}

/** Limits beside rows of values: a number, or one per matrix. */
function beside(limit: number | Tensor): number | Tensor {
  return typeof limit === "number" ? limit : unsqueeze(limit.detach(), -1);
}

/** Which sizes count: those above both limits. */
function aboveLimits(sizes: Tensor, options: RankOptions, missing: number): Tensor {
  const { rtol, atol } = options;
  const relative = rtol ?? (atol ? 0 : missing);
  const largest = sizes.amax(-1, { keepdim: true });
  return sizes.gt(mul(largest, beside(relative)).maximum(beside(atol ?? 0)));
}

/** Inverse of the values above the limits, 0 for the others. */
function inverseAbove(values: Tensor, options: RankOptions, missing: number): Tensor {
  const large = aboveLimits(abs(values), options, missing);
  return where(large, reciprocal(where(large, values, 1)), 0);
}

function pseudoInverse(x: Tensor, options: PinvOptions): Tensor {
  const missing = Math.max(x.size(-2), x.size(-1)) * precisionOf(x);
  if (options.hermitian) {
    const { eigenvalues, eigenvectors } = eigh(x);
    const inverse = inverseAbove(eigenvalues, options, missing);
    return matmul(mul(eigenvectors, unsqueeze(inverse, -2)), T(eigenvectors));
  }
  const { u, s, vh } = svd(x, { fullMatrices: false });
  return matmul(mul(T(vh), unsqueeze(inverseAbove(s, options, missing), -2)), T(u));
}

/** Pseudo-inverse (Moore–Penrose), like `torch.linalg.pinv`. */
export function pinv(x: Tensor, options: PinvOptions = {}): Tensor {
  const [m, n] = matrixSizes("pinv", x);
  if (x.numel === 0) return T(x).clone();
  return differentiable("pinv", null, [x], () => pseudoInverse(x, options), (c) => {
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
  return sum(aboveLimits(svdvals(x.detach()), options, Math.max(m, n) * precisionOf(x)), -1);
}
