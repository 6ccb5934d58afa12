/** Elements picked and placed along one axis; indexing as methods of tensors. */
import { convert } from "./convert.ts";
import { core } from "./base.ts";
import { normalizeAxis, ShapeError } from "./check.ts";
import { where } from "./choice.ts";
import { ContractMethods } from "./contract.ts";
import { checkIndex } from "./index_check.ts";
import { gatherFrom, scatterInto } from "./index_kernels.ts";
import { indexAdd, indexSelect } from "./index_select.ts";
import { type ScatterKernel, sizeOf } from "./ir/kernel.ts";
import { repeatInterleave } from "./join.ts";
import { slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape } from "./view.ts";

/**
 * Elements picked along one axis, like `torch.gather`: `out[i][j] = x[index[i][j]][j]` for axis 0.
 *
 * @param x Any tensor.
 * @param dim Axis to pick along.
 * @param index int32, as many axes as `x`, not larger than `x` on the others; out of range reads 0.
 */
export function gather(x: Tensor, dim: number, index: Tensor): Tensor {
  checkIndex("gather", index);
  if (x.ndim === 0) {
    return reshape(gather(reshape(x, [1]), 0, reshape(index, [sizeOf(index.shape)])), index.shape);
  }
  const axis = normalizeAxis("gather", dim, x.ndim);
  if (sizeOf(index.shape) === 0) {
    // Nothing is read, whatever the shapes.
    return reshape(slice(reshape(x, [-1]), 0, 0, 0), index.shape);
  }
  const fits = index.ndim === x.ndim && index.shape.every((s, d) => d === axis || s <= x.shape[d]!);
  if (!fits) {
    throw new ShapeError("gather", "index does not fit the input", {
      input: x.shape,
      index: index.shape,
    });
  }
  return gatherFrom(x, axis, index);
}

function scatterChecked(
  name: string,
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor | number,
  op: ScatterKernel["op"],
): Tensor {
  checkIndex(name, index);
  const axis = normalizeAxis(name, dim, x.ndim);
  const values = typeof source === "object"
    ? source
    : expand(core().fullOn(x.storage.backend, [], source, x.dtype), index.shape);
  const fits = index.ndim === x.ndim && values.ndim === x.ndim &&
    index.shape.every((s, d) => (d === axis || s <= x.shape[d]!) && s <= values.shape[d]!);
  if (x.ndim === 0) {
    return reshape(
      scatterInto(reshape(x, [1]), 0, reshape(index, [-1]), reshape(values, [-1]), op),
      [],
    );
  }
  if (!fits) {
    throw new ShapeError(name, "index does not fit the input and the source", {
      input: x.shape,
      index: index.shape,
      source: values.shape,
    });
  }
  return scatterInto(x, axis, index, values, op);
}

/** A copy with values placed along an axis, like `torch.scatter`; a reduction combines instead of replacing. */
export function scatter(
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor | number,
  options: { reduce?: "add" | "multiply" | undefined } = {},
): Tensor {
  const op = options.reduce === "add" ? "add" : options.reduce === "multiply" ? "mul" : "set";
  return scatterChecked("scatter", x, dim, index, source, op);
}

/** A copy with values added along an axis, like `torch.scatter_add`; in a fixed order, so results repeat. */
export function scatterAdd(x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
  return scatterChecked("scatterAdd", x, dim, index, source, "add");
}

/**
 * A copy with the slices that a vector of positions names replaced, like `torch.index_copy`. Positions
 * out of range are left out.
 *
 * @param x Any tensor.
 * @param dim Axis of the positions.
 * @param index int32, one position per slice of `source`.
 * @param source The slices: shape of `x`, but for `dim`.
 * @throws {ShapeError} If shapes do not agree.
 */
export function indexCopy(x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
  checkIndex("indexCopy", index);
  const axis = normalizeAxis("indexCopy", dim, x.ndim);
  const positions = reshape(index, [-1]);
  if (x.ndim === 0) {
    return reshape(indexCopy(reshape(x, [1]), 0, positions, reshape(source, [1])), []);
  }
  const fits = index.ndim <= 1 && source.ndim === x.ndim &&
    source.shape.every((s, d) => s === (d === axis ? positions.shape[0] : x.shape[d]));
  if (!fits) {
    throw new ShapeError("indexCopy", "index and source do not fit the input", {
      input: x.shape,
      index: index.shape,
      source: source.shape,
    });
  }
  const along = reshape(positions, source.shape.map((s, d) => d === axis ? s : 1));
  return scatterInto(x, axis, expand(along, source.shape), source, "set");
}

/** `x` where `mask` is false, `value` where it is true, like `torch.masked_fill`. */
export function maskedFill(x: Tensor, mask: Tensor, value: number | Tensor): Tensor {
  return convert(where(mask, value, x), x.dtype);
}

/** Methods of tensors from this file. */
export abstract class IndexMethods extends ContractMethods {
  /** See the function `gather`. */
  gather(this: Tensor, dim: number, index: Tensor): Tensor {
    return gather(this, dim, index);
  }
  /** See the function `scatter`. */
  scatter(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor | number,
    options?: { reduce?: "add" | "multiply" | undefined },
  ): Tensor {
    return scatter(this, dim, index, source, options);
  }
  /** See the function `scatterAdd`. */
  scatterAdd(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return scatterAdd(this, dim, index, source);
  }
  /** See the function `indexSelect`. */
  indexSelect(this: Tensor, dim: number, index: Tensor): Tensor {
    return indexSelect(this, dim, index);
  }
  /** See the function `indexAdd`. */
  indexAdd(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options?: { alpha?: number | undefined },
  ): Tensor {
    return indexAdd(this, dim, index, source, options);
  }
  /** See the function `indexCopy`. */
  indexCopy(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return indexCopy(this, dim, index, source);
  }
  /** See the function `maskedFill`. */
  maskedFill(this: Tensor, mask: Tensor, value: number | Tensor): Tensor {
    return maskedFill(this, mask, value);
  }
  /** See the function `repeatInterleave`. */
  repeatInterleave(this: Tensor, repeats: number, dim?: number | undefined): Tensor {
    return repeatInterleave(this, repeats, dim);
  }
}
