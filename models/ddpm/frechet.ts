/**
 * Fréchet distance between two sets of features, each taken as a normal distribution
 * (Heusel et al. 2017), in float64 on the host.
 *
 * @module
 */

/** Mean and covariance of features. */
export interface FeatureStatistics {
  /** Mean, one number per feature. */
  readonly mean: Float64Array;
  /** Covariance, row-major. */
  readonly covariance: Float64Array;
}

/**
 * Mean and covariance.
 *
 * @param rows Features, one array per image, at least two.
 * @returns The statistics.
 * @throws {RangeError} If there are fewer than two rows.
 */
export function statisticsOf(rows: readonly ArrayLike<number>[]): FeatureStatistics {
  if (rows.length < 2) throw new RangeError(`statisticsOf: ${rows.length} rows, at least 2`);
  const size = rows[0]!.length;
  const mean = new Float64Array(size);
  for (const row of rows) for (let i = 0; i < size; i++) mean[i]! += row[i]! / rows.length;
  const covariance = new Float64Array(size * size);
  const centred = new Float64Array(size);
  for (const row of rows) {
    for (let i = 0; i < size; i++) centred[i] = row[i]! - mean[i]!;
    for (let i = 0; i < size; i++) {
      const factor = centred[i]! / (rows.length - 1);
      if (factor === 0) continue;
      for (let j = 0; j <= i; j++) covariance[i * size + j]! += factor * centred[j]!;
    }
  }
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) covariance[j * size + i] = covariance[i * size + j]!;
  }
  return { mean, covariance };
}

/**
 * |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½).
 *
 * The last trace is the sum of the roots of the eigenvalues of Lᵀ Σ₂ L, where Σ₁ = L Lᵀ.
 *
 * @param a One set.
 * @param b The other.
 * @returns The distance, 0 for equal statistics.
 * @throws {RangeError} If the numbers of features differ.
 *
 * @example In one dimension it is (μ₁ − μ₂)² + (σ₁ − σ₂)²
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const of = (mean: number, variance: number) => ({
 *   mean: Float64Array.of(mean),
 *   covariance: Float64Array.of(variance),
 * });
 * assertAlmostEquals(frechetDistance(of(0, 1), of(3, 4)), 10);
 * ```
 */
export function frechetDistance(a: FeatureStatistics, b: FeatureStatistics): number {
  const size = a.mean.length;
  if (b.mean.length !== size) {
    throw new RangeError(`frechetDistance: ${size} and ${b.mean.length} features`);
  }
  let distance = 0;
  for (let i = 0; i < size; i++) {
    distance += (a.mean[i]! - b.mean[i]!) ** 2;
    distance += a.covariance[i * size + i]! + b.covariance[i * size + i]!;
  }
  const factor = cholesky(a.covariance, size);
  const middle = congruence(factor, b.covariance, size);
  for (const value of symmetricEigenvalues(middle, size)) {
    distance -= 2 * Math.sqrt(Math.max(0, value));
  }
  return Math.max(0, distance);
}

/** Lower L with L Lᵀ = A for a positive semi-definite A; columns without a pivot are 0. */
function cholesky(matrix: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size);
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, matrix[i * size + i]!);
  const smallest = largest * size * Number.EPSILON;
  for (let j = 0; j < size; j++) {
    let pivot = matrix[j * size + j]!;
    for (let k = 0; k < j; k++) pivot -= lower[j * size + k]! ** 2;
    if (pivot <= smallest) continue;
    const root = Math.sqrt(pivot);
    lower[j * size + j] = root;
    for (let i = j + 1; i < size; i++) {
      let sum = matrix[i * size + j]!;
      for (let k = 0; k < j; k++) sum -= lower[i * size + k]! * lower[j * size + k]!;
      lower[i * size + j] = sum / root;
    }
  }
  return lower;
}

/** Lᵀ B L. */
function congruence(lower: Float64Array, matrix: Float64Array, size: number): Float64Array {
  const half = multiply(matrix, lower, size);
  const transposed = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) transposed[j * size + i] = lower[i * size + j]!;
  }
  return multiply(transposed, half, size);
}

function multiply(a: Float64Array, b: Float64Array, size: number): Float64Array {
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const row = result.subarray(i * size, (i + 1) * size);
    for (let k = 0; k < size; k++) {
      const factor = a[i * size + k]!;
      if (factor === 0) continue;
      const other = b.subarray(k * size, (k + 1) * size);
      for (let j = 0; j < size; j++) row[j]! += factor * other[j]!;
    }
  }
  return result;
}

/**
 * Eigenvalues of a symmetric matrix: Householder's reduction to three diagonals, then QL with
 * implicit shifts (Martin, Reinsch & Wilkinson 1968; Bowdler et al. 1968).
 *
 * @param matrix Row-major; only the lower half is read.
 * @param size Rows.
 * @returns The eigenvalues, unsorted.
 */
export function symmetricEigenvalues(matrix: Float64Array, size: number): Float64Array {
  const { diagonal, beside } = tridiagonal(matrix.slice(), size);
  for (let l = 0; l < size; l++) {
    for (let round = 0;; round++) {
      let m = l;
      while (m < size - 1) {
        const scale = Math.abs(diagonal[m]!) + Math.abs(diagonal[m + 1]!);
        if (Math.abs(beside[m]!) <= Number.EPSILON * scale) break;
        m++;
      }
      if (m === l) break;
      if (round === 60) throw new Error("symmetricEigenvalues: no convergence");
      implicitShift(diagonal, beside, l, m);
    }
  }
  return diagonal;
}

interface Tridiagonal {
  diagonal: Float64Array;
  /** Elements beside the diagonal; the last is 0. */
  beside: Float64Array;
}

function tridiagonal(a: Float64Array, size: number): Tridiagonal {
  const diagonal = new Float64Array(size), beside = new Float64Array(size);
  const p = new Float64Array(size);
  for (let i = size - 1; i > 0; i--) {
    const v = a.subarray(i * size, i * size + i);
    let norm = 0;
    for (const value of v) norm += value ** 2;
    const last = v[i - 1]!;
    const g = last >= 0 ? -Math.sqrt(norm) : Math.sqrt(norm);
    diagonal[i] = a[i * size + i]!;
    beside[i - 1] = g;
    const h = norm - last * g;
    if (h === 0) {
      beside[i - 1] = last;
      continue;
    }
    v[i - 1] = last - g;
    // p = A v / h from the lower half, then A ← A − v qᵀ − q vᵀ.
    p.fill(0, 0, i);
    for (let j = 0; j < i; j++) {
      const row = a.subarray(j * size, j * size + j);
      let sum = a[j * size + j]! * v[j]!;
      for (let k = 0; k < j; k++) {
        sum += row[k]! * v[k]!;
        p[k]! += row[k]! * v[j]!;
      }
      p[j]! += sum;
    }
    let dot = 0;
    for (let j = 0; j < i; j++) dot += (p[j]! /= h) * v[j]!;
    const k = dot / (2 * h);
    for (let j = 0; j < i; j++) p[j]! -= k * v[j]!;
    for (let j = 0; j < i; j++) {
      const row = a.subarray(j * size, j * size + j + 1);
      for (let c = 0; c <= j; c++) row[c]! -= v[j]! * p[c]! + p[j]! * v[c]!;
    }
  }
  diagonal[0] = a[0]!;
  return { diagonal, beside };
}

/** One QL step on the block from `l` to `m`. */
function implicitShift(d: Float64Array, e: Float64Array, l: number, m: number): void {
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let r = Math.hypot(g, 1);
  g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
  let s = 1, c = 1, p = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i]!, b = c * e[i]!;
    r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1]! - p;
    r = (d[i]! - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
}
