/** Factorizations of small matrices on the host, in float64. Matrices are row-major. */

/** LU with partial pivoting in place; rows are exchanged in `order`. Gives the sign of the permutation, 0 if singular. */
function decompose(a: Float64Array, n: number, order: number[]): number {
  let sign = 1, singular = false;
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) {
      if (Math.abs(a[i * n + k]!) > Math.abs(a[best * n + k]!)) best = i;
    }
    if (best !== k) {
      for (let j = 0; j < n; j++) swap(a, k * n + j, best * n + j);
      [order[k], order[best]] = [order[best]!, order[k]!];
      sign = -sign;
    }
    const pivot = a[k * n + k]!;
    if (pivot === 0) {
      singular = true;
      continue;
    }
    for (let i = k + 1; i < n; i++) {
      const factor = a[i * n + k]! / pivot;
      a[i * n + k] = factor;
      for (let j = k + 1; j < n; j++) a[i * n + j]! -= factor * a[k * n + j]!;
    }
  }
  return singular ? 0 : sign;
}

function swap(a: Float64Array, i: number, j: number): void {
  const x = a[i]!;
  a[i] = a[j]!;
  a[j] = x;
}

function sequence(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** X of A X = B for B with `columns` columns; `undefined` if A is singular. */
export function solveMatrix(
  matrix: Float64Array,
  n: number,
  right: Float64Array,
  columns: number,
): Float64Array | undefined {
  const a = matrix.slice(), order = sequence(n);
  if (decompose(a, n, order) === 0 && n > 0) return undefined;
  const x = new Float64Array(n * columns);
  for (let c = 0; c < columns; c++) {
    for (let i = 0; i < n; i++) {
      let sum = right[order[i]! * columns + c]!;
      for (let j = 0; j < i; j++) sum -= a[i * n + j]! * x[j * columns + c]!;
      x[i * columns + c] = sum;
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = x[i * columns + c]!;
      for (let j = i + 1; j < n; j++) sum -= a[i * n + j]! * x[j * columns + c]!;
      x[i * columns + c] = sum / a[i * n + i]!;
    }
  }
  return x;
}

/** Sign of the determinant and logarithm of its absolute value. */
export function logDeterminant(matrix: Float64Array, n: number): { sign: number; log: number } {
  const a = matrix.slice();
  let sign = decompose(a, n, sequence(n));
  if (sign === 0) return { sign: 0, log: -Infinity };
  let log = 0;
  for (let i = 0; i < n; i++) {
    const pivot = a[i * n + i]!;
    if (pivot < 0) sign = -sign;
    log += Math.log(Math.abs(pivot));
  }
  return { sign, log };
}

/** Lower L of A = L Lᵀ; `undefined` if A is not positive definite. Reads the lower triangle. */
export function choleskyFactor(a: Float64Array, n: number): Float64Array | undefined {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      if (i !== j) l[i * n + j] = sum / l[j * n + j]!;
      else if (sum > 0) l[i * n + i] = Math.sqrt(sum);
      else return undefined;
    }
  }
  return l;
}

/** Householder QR of an m × n matrix: orthogonal Q (m × m) and R (m × n), with LAPACK's signs. */
export function qrFactors(
  matrix: Float64Array,
  m: number,
  n: number,
): { q: Float64Array; r: Float64Array } {
  const r = matrix.slice(), q = new Float64Array(m * m);
  for (let i = 0; i < m; i++) q[i * m + i] = 1;
  for (let k = 0; k < Math.min(m - 1, n); k++) {
    let norm = 0;
    for (let i = k; i < m; i++) norm = Math.hypot(norm, r[i * n + k]!);
    const v = new Float64Array(m);
    for (let i = k; i < m; i++) v[i] = r[i * n + k]!;
    if (norm === 0 || v.subarray(k + 1).every((x) => x === 0)) continue;
    v[k]! += v[k]! >= 0 ? norm : -norm;
    let square = 0;
    for (let i = k; i < m; i++) square += v[i]! ** 2;
    reflectRows(r, v, square, k, m, n);
    reflectColumns(q, v, square, k, m);
    for (let i = k + 1; i < m; i++) r[i * n + k] = 0;
  }
  return { q, r };
}

/** R ← (I − 2 v vᵀ / vᵀv) R */
function reflectRows(
  r: Float64Array,
  v: Float64Array,
  square: number,
  k: number,
  m: number,
  n: number,
): void {
  for (let j = k; j < n; j++) {
    let dot = 0;
    for (let i = k; i < m; i++) dot += v[i]! * r[i * n + j]!;
    const factor = 2 * dot / square;
    for (let i = k; i < m; i++) r[i * n + j]! -= factor * v[i]!;
  }
}

/** Q ← Q (I − 2 v vᵀ / vᵀv) */
function reflectColumns(
  q: Float64Array,
  v: Float64Array,
  square: number,
  k: number,
  m: number,
): void {
  for (let i = 0; i < m; i++) {
    let dot = 0;
    for (let j = k; j < m; j++) dot += q[i * m + j]! * v[j]!;
    const factor = 2 * dot / square;
    for (let j = k; j < m; j++) q[i * m + j]! -= factor * v[j]!;
  }
}

const SWEEPS = 60;

/** Eigenvalues in ascending order and eigenvectors (columns) of a symmetric matrix, by Jacobi's rotations. */
export function symmetricEigen(
  matrix: Float64Array,
  n: number,
): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice(), v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let off = 0, whole = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        whole += a[i * n + j]! ** 2;
        if (i !== j) off += a[i * n + j]! ** 2;
      }
    }
    if (off <= 1e-30 * whole) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) rotateSymmetric(a, v, n, p, q);
    }
  }
  const order = sequence(n).sort((i, j) => a[i * n + i]! - a[j * n + j]!);
  const values = Float64Array.from(order, (i) => a[i * n + i]!);
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) vectors[i * n + j] = v[i * n + order[j]!]!;
  }
  return { values, vectors };
}

function rotateSymmetric(
  a: Float64Array,
  v: Float64Array,
  n: number,
  p: number,
  q: number,
): void {
  const apq = a[p * n + q]!;
  if (apq === 0) return;
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1), s = t * c;
  for (let k = 0; k < n; k++) rotatePair(a, k * n + p, k * n + q, c, s);
  for (let k = 0; k < n; k++) rotatePair(a, p * n + k, q * n + k, c, s);
  for (let k = 0; k < n; k++) rotatePair(v, k * n + p, k * n + q, c, s);
}

function rotatePair(a: Float64Array, i: number, j: number, c: number, s: number): void {
  const x = a[i]!, y = a[j]!;
  a[i] = c * x - s * y;
  a[j] = s * x + c * y;
}

/** Singular values in descending order, U (m × m) and Vᵀ (n × n) of an m × n matrix. */
export function singularValues(
  matrix: Float64Array,
  m: number,
  n: number,
): { u: Float64Array; s: Float64Array; vt: Float64Array } {
  if (m < n) {
    const { u, s, vt } = singularValues(transposeMatrix(matrix, m, n), n, m);
    return { u: transposeMatrix(vt, m, m), s, vt: transposeMatrix(u, n, n) };
  }
  const a = matrix.slice(), v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let rotated = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) rotated = orthogonalize(a, v, m, n, p, q) || rotated;
    }
    if (!rotated) break;
  }
  return sortedFactors(a, v, m, n);
}

/** One rotation of Hestenes' one-sided method: makes columns p and q orthogonal. */
function orthogonalize(
  a: Float64Array,
  v: Float64Array,
  m: number,
  n: number,
  p: number,
  q: number,
): boolean {
  let alpha = 0, beta = 0, gamma = 0;
  for (let i = 0; i < m; i++) {
    const x = a[i * n + p]!, y = a[i * n + q]!;
    alpha += x * x;
    beta += y * y;
    gamma += x * y;
  }
  if (gamma === 0 || Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta)) return false;
  const zeta = (beta - alpha) / (2 * gamma);
  const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const c = 1 / Math.sqrt(1 + t * t), s = c * t;
  for (let i = 0; i < m; i++) rotatePair(a, i * n + p, i * n + q, c, s);
  for (let i = 0; i < n; i++) rotatePair(v, i * n + p, i * n + q, c, s);
  return true;
}

function sortedFactors(
  a: Float64Array,
  v: Float64Array,
  m: number,
  n: number,
): { u: Float64Array; s: Float64Array; vt: Float64Array } {
  const lengths = sequence(n).map((j) => {
    let norm = 0;
    for (let i = 0; i < m; i++) norm = Math.hypot(norm, a[i * n + j]!);
    return norm;
  });
  const order = sequence(n).sort((i, j) => lengths[j]! - lengths[i]!);
  const s = Float64Array.from(order, (j) => lengths[j]!);
  const vt = new Float64Array(n * n), u = new Float64Array(m * m);
  const tiny = 1e-14 * (s[0] ?? 0) * Math.max(m, n);
  const columns: number[][] = [];
  for (const [place, j] of order.entries()) {
    for (let i = 0; i < n; i++) vt[place * n + i] = v[i * n + j]!;
    if (lengths[j]! <= tiny) continue;
    columns.push(sequence(m).map((i) => a[i * n + j]! / lengths[j]!));
  }
  completeBasis(columns, m);
  for (const [j, column] of columns.entries()) {
    for (let i = 0; i < m; i++) u[i * m + j] = column[i]!;
  }
  return { u, s, vt };
}

/** Adds unit vectors, made orthogonal (twice, for accuracy), until there are m columns. */
function completeBasis(columns: number[][], m: number): void {
  for (let e = 0; e < m && columns.length < m; e++) {
    const x = sequence(m).map((i) => i === e ? 1 : 0);
    for (let pass = 0; pass < 2; pass++) {
      for (const column of columns) {
        const dot = column.reduce((sum, c, i) => sum + c * x[i]!, 0);
        for (let i = 0; i < m; i++) x[i]! -= dot * column[i]!;
      }
    }
    const norm = Math.hypot(...x);
    if (norm > 1e-8) columns.push(x.map((value) => value / norm));
  }
}

/** The transpose of an m × n matrix. */
export function transposeMatrix(a: Float64Array, m: number, n: number): Float64Array {
  const t = new Float64Array(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) t[j * m + i] = a[i * n + j]!;
  return t;
}

/** Derivative of the determinant by each element: `det(U) det(Vᵀ) U diag(products of the other values) Vᵀ`. */
export function cofactorMatrix(a: Float64Array, n: number): Float64Array {
  const { u, s, vt } = singularValues(a, n, n);
  const sign = logDeterminant(u, n).sign * logDeterminant(vt, n).sign;
  const found = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    let others = sign;
    for (let j = 0; j < n; j++) if (j !== k) others *= s[j]!;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) found[i * n + j]! += u[i * n + k]! * others * vt[k * n + j]!;
    }
  }
  return found;
}
