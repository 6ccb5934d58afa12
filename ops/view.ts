/** Other ways to see the same elements. */
import { contiguousStrides, core, isContiguous, makeTensor } from "./base.ts";
import {
  checkList,
  checkSizes,
  normalizeAxes,
  normalizeAxis,
  rangeError,
  ShapeError,
  shapeText,
} from "./check.ts";
import { apply, defineOp } from "./define.ts";
import * as e from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { viewOf } from "./view_of.ts";

const COPY = defineOp<null>({
  name: "contiguous",
  lower([x]) {
    const value = x!.at(e.axesOf(x!.shape));
    const { dtype, shape } = x!;
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [{ dtype }], outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => [c.grad()],
});

/**
 * The same values row-major without gaps, like `Tensor.contiguous`: the tensor itself where it is
 * so already, else a copy.
 *
 * @param x Any tensor.
 * @param copy Copy in any case.
 */
export function contiguous(x: Tensor, copy = false): Tensor {
  return !copy && isContiguous(x) ? x : apply(COPY, [x], null);
}

/** A copy with a storage of its own, like `torch.clone`. */
export function clone(x: Tensor): Tensor {
  return contiguous(x, true);
}

/** Fills in a −1 and checks the number of elements. */
function resolveShape(op: string, x: Tensor, shape: readonly number[]): number[] {
  checkList(op, "shape", shape);
  const unknown = shape.filter((s) => s === -1).length;
  const known = shape.reduce((n, s) => s === -1 ? n : n * s, 1);
  const total = sizeOf(x.shape);
  if (unknown > 1) throw new ShapeError(op, "only one size can be −1", { shape });
  const resolved = shape.map((s) => s === -1 ? (known === 0 ? 0 : total / known) : s);
  if (resolved.some((s) => !Number.isInteger(s) || s < 0) || sizeOf(resolved) !== total) {
    throw new ShapeError(op, `${total} elements do not fit the shape ${shapeText(shape)}`, {
      input: x.shape,
    });
  }
  return resolved;
}

/** Strides under which `x` reads as `shape` without a copy, if there are any. */
function reshapeStrides(x: Tensor, shape: readonly number[]): number[] | undefined {
  if (isContiguous(x)) return contiguousStrides(shape);
  const strides: number[] = new Array(shape.length);
  let to = shape.length - 1;
  let from = x.shape.length - 1;
  while (from >= 0) {
    // A run of old axes that walks memory evenly must be covered by a run of new axes.
    let block = x.shape[from]!;
    const step = x.strides[from]!;
    while (from > 0 && (x.shape[from - 1] === 1 || x.strides[from - 1] === block * step)) {
      block *= x.shape[--from]!;
    }
    let covered = 1;
    while (to >= 0 && covered < block) {
      strides[to] = covered * step;
      covered *= shape[to--]!;
    }
    if (covered !== block) return undefined;
    from--;
  }
  for (; to >= 0; to--) strides[to] = 1;
  return strides;
}

/**
 * The elements in row-major order under another shape, like `torch.reshape`; a view where possible.
 * One size may be −1.
 *
 * @throws {ShapeError} If the number of elements differs.
 *
 * @example
 * ```ts
 * import { arange } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(arange(6).reshape([2, -1]).shape, [2, 3]);
 * ```
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const sizes = resolveShape("reshape", x, shape);
  const strides = reshapeStrides(x, sizes);
  const source = strides ? x : contiguous(x, true);
  const view = {
    shape: sizes,
    strides: strides ?? contiguousStrides(sizes),
    offset: source.offset,
  };
  return viewOf(
    "reshape",
    source,
    view,
    (c) => reshape(c.grad(), c.inputShape(0)),
    (y) => reshape(y, sizes),
  );
}

/** Merges axes `startDim` to `endDim` into one, like `torch.flatten`. */
export function flatten(x: Tensor, startDim = 0, endDim = -1): Tensor {
  const from = normalizeAxis("flatten", startDim, x.ndim, "startDim");
  const to = normalizeAxis("flatten", endDim, x.ndim, "endDim");
  if (x.ndim === 0) return reshape(x, [1]);
  if (from > to) throw rangeError("flatten", `startDim ${startDim} comes after endDim ${endDim}`);
  const merged = sizeOf(x.shape.slice(from, to + 1));
  return reshape(x, [...x.shape.slice(0, from), merged, ...x.shape.slice(to + 1)]);
}

/** Splits axis `dim` into `sizes`, like `torch.unflatten`. */
export function unflatten(x: Tensor, dim: number, sizes: readonly number[]): Tensor {
  const at = normalizeAxis("unflatten", dim, x.ndim);
  const size = x.shape[at]!;
  const known = sizes.reduce((n, s) => s === -1 ? n : n * s, 1);
  const filled = sizes.map((s) => s === -1 ? size / known : s);
  return reshape(x, [...x.shape.slice(0, at), ...filled, ...x.shape.slice(at + 1)]);
}

/** Axes in another order, like `torch.permute`. */
export function permute(x: Tensor, dims: readonly number[]): Tensor {
  checkList("permute", "dims", dims);
  const order = normalizeAxes("permute", dims, x.ndim);
  if (order.length !== x.ndim) {
    throw new ShapeError("permute", `${dims.length} axes named, the tensor has ${x.ndim}`, {
      input: x.shape,
      dims,
    });
  }
  const view = {
    shape: order.map((d) => x.shape[d]!),
    strides: order.map((d) => x.strides[d]!),
    offset: x.offset,
  };
  const inverse = order.map((_, d) => order.indexOf(d));
  return viewOf(
    "permute",
    x,
    view,
    (c) => permute(c.grad(), inverse),
    (y) => permute(y, order),
  );
}

/** Two axes swapped, like `torch.transpose`. */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  const a = normalizeAxis("transpose", dim0, x.ndim, "dim0");
  const b = normalizeAxis("transpose", dim1, x.ndim, "dim1");
  if (x.ndim === 0) return x;
  const order = x.shape.map((_, d) => d === a ? b : d === b ? a : d);
  return permute(x, order);
}

/** Two axes swapped, like `torch.swapaxes`: `transpose` by NumPy's name. */
export function swapaxes(x: Tensor, axis0: number, axis1: number): Tensor {
  return transpose(x, axis0, axis1);
}

/** Two axes swapped, like `torch.swapdims`: another name of `transpose`. */
export function swapdims(x: Tensor, dim0: number, dim1: number): Tensor {
  return transpose(x, dim0, dim1);
}

/** Axes moved to new places, the others in their order, like `torch.movedim`. */
export function movedim(
  x: Tensor,
  source: number | readonly number[],
  destination: number | readonly number[],
): Tensor {
  const from = normalizeAxes("movedim", source, x.ndim);
  const to = normalizeAxes("movedim", destination, x.ndim);
  const order: number[] = new Array(x.ndim).fill(-1);
  for (const [i, d] of to.entries()) order[d] = from[i]!;
  const rest = x.shape.map((_, d) => d).filter((d) => !from.includes(d));
  return permute(x, order.map((d) => d === -1 ? rest.shift()! : d));
}

/** Axes of size 1 (and new ones in front) repeated to `shape`, without a copy, like `torch.expand`; −1 keeps a size. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  checkList("expand", "shape", shape);
  const skip = shape.length - x.ndim;
  const sizes = shape.map((s, d) => s === -1 && d >= skip ? x.shape[d - skip]! : s);
  checkSizes("expand", sizes);
  const fits = skip >= 0 && x.shape.every((s, d) => s === 1 || s === sizes[skip + d]);
  if (!fits) throw new ShapeError("expand", "sizes do not broadcast", { input: x.shape, shape });
  const strides = sizes.map((s, d) =>
    d < skip || (x.shape[d - skip] === 1 && s !== 1) ? 0 : x.strides[d - skip]!
  );
  const view = { shape: sizes, strides, offset: x.offset };
  return viewOf(
    "expand",
    x,
    view,
    (c) => core().sumToShape(c.grad(), c.inputShape(0)),
    (y) => expand(y, sizes),
  );
}

/** A new axis of size 1, like `torch.unsqueeze`. */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  const at = normalizeAxis("unsqueeze", dim, x.ndim + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Axes of size 1 taken away (all, or those named), like `torch.squeeze`. */
export function squeeze(x: Tensor, dim?: number | readonly number[] | undefined): Tensor {
  const drop = normalizeAxes("squeeze", dim, x.ndim);
  return reshape(x, x.shape.filter((s, d) => s !== 1 || !drop.includes(d)));
}

/** The values cut off from the autograd graph, like `Tensor.detach`; shares memory. */
export function detach(x: Tensor): Tensor {
  return makeTensor(x.storage, x);
}
