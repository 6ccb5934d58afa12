import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { frechetDistance, statisticsOf, symmetricEigenvalues } from "../../models/ddpm/frechet.ts";

/** Numbers that look random. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296 - 0.5;
  };
}

function symmetric(size: number, next: () => number): Float64Array {
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) matrix[i * size + j] = matrix[j * size + i] = next();
  }
  return matrix;
}

Deno.test("symmetricEigenvalues() has the traces of the powers of the matrix", () => {
  for (const size of [1, 2, 3, 10, 40]) {
    const matrix = symmetric(size, noise(size));
    const values = symmetricEigenvalues(matrix, size);
    let trace = 0, squares = 0;
    for (let i = 0; i < size; i++) trace += matrix[i * size + i]!;
    for (const value of matrix) squares += value ** 2;
    assertAlmostEquals(values.reduce((sum, v) => sum + v, 0), trace, 1e-10);
    assertAlmostEquals(values.reduce((sum, v) => sum + v ** 2, 0), squares, 1e-10);
  }
});

Deno.test("symmetricEigenvalues() knows a matrix whose eigenvalues are known", () => {
  const size = 12;
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    matrix[i * size + i] = 2;
    if (i > 0) matrix[i * size + i - 1] = matrix[(i - 1) * size + i] = -1;
  }
  const values = [...symmetricEigenvalues(matrix, size)].sort((a, b) => a - b);
  for (const [i, value] of values.entries()) {
    assertAlmostEquals(value, 2 - 2 * Math.cos((i + 1) * Math.PI / (size + 1)), 1e-12);
  }
});

Deno.test("frechetDistance() of diagonal covariances is the sum over the dimensions", () => {
  const of = (mean: number[], deviation: number[]) => {
    const covariance = new Float64Array(9);
    deviation.forEach((d, i) => covariance[4 * i] = d ** 2);
    return { mean: Float64Array.from(mean), covariance };
  };
  // A dimension without variance has no root to take.
  const distance = frechetDistance(of([0, 1, 2], [1, 2, 0]), of([1, 1, 2], [3, 1, 1]));
  assertAlmostEquals(distance, 1 + 4 + 1 + 1, 1e-12);
});

Deno.test("frechetDistance() is 0 between equal sets, symmetric, and grows with a shift", () => {
  const next = noise(5);
  const rows = Array.from({ length: 50 }, () => Float64Array.from({ length: 64 }, next));
  const a = statisticsOf(rows);
  const b = statisticsOf(rows.map((row) => row.map((x) => 1.5 * x + 0.2)));
  // Fewer rows than features: the covariance has no full rank.
  assertAlmostEquals(frechetDistance(a, a), 0, 1e-6);
  assertAlmostEquals(frechetDistance(a, b), frechetDistance(b, a), 1e-6);
  assert(frechetDistance(a, b) > 64 * 0.2 ** 2 * 0.5);
});

Deno.test("statisticsOf() and frechetDistance() throw for what cannot be compared", () => {
  assertThrows(() => statisticsOf([[1]]), RangeError, "statisticsOf: 1 rows, at least 2");
  const one = statisticsOf([[1], [2]]), two = statisticsOf([[1, 2], [2, 1]]);
  assertThrows(
    () => frechetDistance(one, two),
    RangeError,
    "frechetDistance: 1 and 2 features",
  );
});
