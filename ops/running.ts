/** Neighbours along an axis combined: differences, running logarithms of sums. */
import { sub } from "./arithmetic.ts";
import { DtypeError, normalizeAxis, rangeError, ShapeError } from "./check.ts";
import { where } from "./choice.ts";
import { eq, logicalAnd, logicalXor } from "./comparison.ts";
import { isFloat } from "./ir/dtype.ts";
import { cat } from "./join.ts";
import { logaddexp } from "./math.ts";
import { owned } from "./own.ts";
import { slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";

/** Options of `diff`. */
export interface DiffOptions {
  /** How many times differences are taken. @default 1 */
  n?: number | undefined;
  /** Axis. @default -1 */
  dim?: number | undefined;
  /** Put in front of `x` first. */
  prepend?: Tensor | undefined | null;
  /** Put behind `x` first. */
  append?: Tensor | undefined | null;
}

/**
 * Differences of neighbours along an axis, like `torch.diff`; of bools, whether they differ.
 *
 * @param x At least 1 dimension.
 * @param options How often, axis, what comes in front and behind.
 * @throws {ShapeError} If `x` is a number.
 * @throws {RangeError} If `n` is not a whole number of at least 0.
 */
export function diff(x: Tensor, options: DiffOptions = {}): Tensor {
  const { n = 1, dim = -1, prepend, append } = options;
  if (x.ndim === 0) throw new ShapeError("diff", "expects at least 1 dimension", { input: [] });
  if (!Number.isInteger(n) || n < 0) {
    throw rangeError("diff", `n ${n} is not a whole number of at least 0`);
  }
  const axis = normalizeAxis("diff", dim, x.ndim);
  const parts = (n === 0 ? [x] : [prepend, x, append]).filter((t): t is Tensor => Boolean(t));
  let y = parts.length > 1 ? cat(parts, axis) : x;
  for (let i = 0; i < n && y.shape[axis]! > 0; i++) {
    const later = slice(y, axis, 1), earlier = slice(y, axis, 0, y.shape[axis]! - 1);
    y = y.dtype === "bool" ? logicalXor(later, earlier) : sub(later, earlier);
  }
  return owned(y, x);
}

/** `logaddexp` whose gradient is 0 instead of NaN where both are −∞. */
function logaddexpOf(a: Tensor, b: Tensor): Tensor {
  const nothing = logicalAnd(eq(a, -Infinity), eq(b, -Infinity));
  const sum = logaddexp(where(nothing, 0, a), where(nothing, 0, b));
  return where(nothing, -Infinity, sum);
}

/**
 * Running `log(Σ e^x)` along an axis without overflow, like `torch.logcumsumexp`; by doubling, in
 * `log₂` of the size rounds.
 *
 * @throws {DtypeError} For integers.
 */
export function logcumsumexp(x: Tensor, dim: number): Tensor {
  if (!isFloat(x.dtype)) {
    throw new DtypeError(
      "logcumsumexp",
      `dtype ${x.dtype} has no logcumsumexp`,
      {},
      "convert first",
    );
  }
  const axis = normalizeAxis("logcumsumexp", dim, x.ndim);
  const size = x.shape[axis] ?? 1;
  let y = x;
  for (let step = 1; step < size; step *= 2) {
    const joined = logaddexpOf(slice(y, axis, step), slice(y, axis, 0, size - step));
    y = cat([slice(y, axis, 0, step), joined], axis);
  }
  return owned(y, x);
}
