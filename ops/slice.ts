/** Parts of axes as views, and the padding that undoes them. */
import { normalizeAxes, normalizeAxis, rangeError, ShapeError } from "./check.ts";
import { embed } from "./embed.ts";
import { owned } from "./own.ts";
import type { Tensor } from "./tensor.ts";
import { reshape } from "./view.ts";
import { viewOf } from "./view_of.ts";

/**
 * Every `step`-th element of one axis from `start` up to `stop`, like `x[…, start:stop:step]`.
 * Negative positions count from the end; a negative step runs backwards.
 */
export function slice(
  x: Tensor,
  dim: number,
  start?: number | undefined | null,
  stop?: number | undefined | null,
  step = 1,
): Tensor {
  const at = normalizeAxis("slice", dim, x.ndim);
  if (!Number.isInteger(step) || step === 0) {
    throw rangeError("slice", `step ${step} is not allowed`);
  }
  const size = x.shape[at] ?? 1;
  const low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const place = (p: number | undefined | null, missing: number) =>
    p === undefined || p === null ? missing : Math.min(Math.max(p < 0 ? p + size : p, low), high);
  const from = place(start, step > 0 ? 0 : size - 1);
  const to = place(stop, step > 0 ? size : -1);
  const length = Math.max(0, Math.ceil((to - from) / step));
  const shape = x.shape.map((s, d) => d === at ? length : s);
  const strides = x.strides.map((s, d) => d === at ? s * step : s);
  const offset = x.offset + (length ? from * (x.strides[at] ?? 0) : 0);
  return viewOf(
    "slice",
    x,
    { shape, strides, offset },
    (c) =>
      embed(
        c.grad(),
        c.inputShape(0),
        shape.map((_, d) => d === at ? from : 0),
        shape.map((_, d) => d === at ? step : 1),
      ),
    (y) => slice(y, at, start, stop, step),
  );
}

/** `length` elements of one axis from `start`, like `torch.narrow`. */
export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  const at = normalizeAxis("narrow", dim, x.ndim);
  const size = x.shape[at] ?? 1;
  const from = start < 0 ? start + size : start;
  if (from < 0 || length < 0 || from + length > size) {
    throw rangeError("narrow", `${start} + ${length} is out of range for size ${size}`, {
      input: x.shape,
    });
  }
  return slice(x, at, from, from + length);
}

/** One position of an axis, which disappears, like `torch.select`. */
export function select(x: Tensor, dim: number, index: number): Tensor {
  const at = normalizeAxis("select", dim, x.ndim);
  const size = x.shape[at] ?? 0;
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw rangeError("select", `index ${index} is out of range for size ${size}`, {
      input: x.shape,
    });
  }
  const from = index < 0 ? index + size : index;
  const picked = slice(x, at, from, from + 1);
  return reshape(picked, x.shape.filter((_, d) => d !== at));
}

/** The positions of an axis as separate tensors, like `torch.unbind`. */
export function unbind(x: Tensor, dim = 0): Tensor[] {
  const at = normalizeAxis("unbind", dim, x.ndim);
  return Array.from({ length: x.shape[at] ?? 0 }, (_, i) => select(x, at, i));
}

/** Pieces of one axis: of `sizeOrSizes` elements each, or of the sizes listed; like `torch.split`. */
export function split(x: Tensor, sizeOrSizes: number | readonly number[], dim = 0): Tensor[] {
  const at = normalizeAxis("split", dim, x.ndim);
  const total = x.shape[at] ?? 0;
  let sizes = sizeOrSizes;
  if (typeof sizes === "number") {
    if (sizes <= 0) throw rangeError("split", `size ${sizes} is not positive`);
    const each = sizes;
    const count = Math.max(1, Math.ceil(total / each));
    sizes = Array.from({ length: count }, (_, i) => Math.min(each, total - i * each));
  }
  const sum = sizes.reduce((a, b) => a + b, 0);
  if (sum !== total) {
    throw new ShapeError("split", `sizes add up to ${sum}, dim ${dim} has ${total}`, {
      input: x.shape,
      sizes,
    });
  }
  let start = 0;
  return sizes.map((size) => {
    const piece = slice(x, at, start, start + size);
    start += size;
    return piece;
  });
}

/** At most `chunks` pieces of equal size (the last may be smaller), like `torch.chunk`. */
export function chunk(x: Tensor, chunks: number, dim = 0): Tensor[] {
  if (!Number.isInteger(chunks) || chunks < 1) {
    throw rangeError("chunk", `chunks ${chunks} is not positive`);
  }
  const size = x.shape[normalizeAxis("chunk", dim, x.ndim)] ?? 0;
  const each = Math.ceil(size / chunks);
  // Nothing is cut into as many pieces as asked for.
  return split(x, each || new Array<number>(chunks).fill(0), dim);
}

/**
 * Axes read backwards, like `torch.flip`, but without a copy: a view, as all that only moves elements
 * is (`contiguous` copies).
 */
export function flip(x: Tensor, dims: number | readonly number[]): Tensor {
  let y = x;
  for (const d of normalizeAxes("flip", dims, x.ndim)) y = slice(y, d, null, null, -1);
  return y;
}

/** Columns read backwards, like `torch.fliplr`. */
export function fliplr(x: Tensor): Tensor {
  return flip(x, 1);
}

/** Rows read backwards, like `torch.flipud`. */
export function flipud(x: Tensor): Tensor {
  return flip(x, 0);
}

/**
 * Constant padding, like `torch.nn.functional.pad`: pairs (before, after) for the last axis, then
 * the one before it, and so on. Negative amounts cut.
 */
export function padConstant(x: Tensor, padding: readonly number[], value = 0): Tensor {
  if (padding.length % 2 || padding.length / 2 > x.ndim) {
    throw new ShapeError("pad", `${padding.length} amounts do not fit ${x.ndim} dimensions`, {
      input: x.shape,
      padding,
    });
  }
  let y = x;
  const starts: number[] = x.shape.map(() => 0);
  const shape = [...x.shape];
  for (let pair = 0; pair < padding.length / 2; pair++) {
    const d = x.ndim - 1 - pair;
    const before = padding[2 * pair]!, after = padding[2 * pair + 1]!;
    y = slice(y, d, Math.max(0, -before), y.shape[d]! + Math.min(0, after));
    starts[d] = Math.max(0, before);
    shape[d] = y.shape[d]! + Math.max(0, before) + Math.max(0, after);
    if (x.shape[d]! + before + after < 0) {
      throw new ShapeError("pad", `dim ${d} would have a negative size`, {
        input: x.shape,
        padding,
      });
    }
  }
  if (shape.every((s, d) => s === y.shape[d])) return owned(y, x);
  return embed(y, shape, starts, shape.map(() => 1), value);
}
