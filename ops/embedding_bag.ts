/** Bags of rows of a table, each combined to one row. */
import { div, mul } from "./arithmetic.ts";
import { core } from "./base.ts";
import { checkChoice, rangeError, ShapeError, shapeText } from "./check.ts";
import { maximum, where } from "./choice.ts";
import { eq, gt } from "./comparison.ts";
import { arange } from "./create.ts";
import { convert } from "./convert.ts";
import { checkIndex } from "./index_check.ts";
import { embedding, type EmbeddingOptions, indexAdd } from "./index_select.ts";
import { owned } from "./own.ts";
import { scatterReduce } from "./places.ts";
import { slice } from "./slice.ts";
import { searchsorted } from "./sort.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, unsqueeze } from "./view.ts";

/** Options of `embeddingBag`. */
export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** Where each bag of a one-dimensional input starts, int32, ascending from 0. */
  offsets?: Tensor | undefined | null;
  /** How the rows of a bag are combined; the mean of none is 0, as is the largest. @default "mean" */
  mode?: "sum" | "mean" | "max" | undefined;
  /** Factor of each row, of the shape of the input; mode `"sum"` only. */
  perSampleWeights?: Tensor | undefined | null;
  /** Whether the last of `offsets` is the end of the last bag. @default false */
  includeLastOffset?: boolean | undefined;
}

function checkBags(input: Tensor, options: EmbeddingBagOptions): void {
  const { offsets, mode = "mean", perSampleWeights } = options;
  checkIndex("embeddingBag", input);
  checkChoice("embeddingBag", "mode", mode, ["sum", "mean", "max"]);
  if (input.ndim !== 1 && input.ndim !== 2) {
    throw new ShapeError("embeddingBag", "input needs 1 or 2 dimensions", { input: input.shape });
  }
  if ((input.ndim === 1) !== Boolean(offsets) || (offsets && offsets.ndim !== 1)) {
    throw new ShapeError("embeddingBag", "1 dimension needs a vector of offsets, 2 need none", {
      input: input.shape,
      ...offsets ? { offsets: offsets.shape } : {},
    });
  }
  if (offsets) checkIndex("embeddingBag", offsets);
  if (!perSampleWeights) return;
  if (mode !== "sum") {
    throw rangeError("embeddingBag", `perSampleWeights needs mode "sum", not "${mode}"`);
  }
  if (shapeText(perSampleWeights.shape) !== shapeText(input.shape)) {
    throw new ShapeError("embeddingBag", "perSampleWeights does not have the shape of input", {
      input: input.shape,
      perSampleWeights: perSampleWeights.shape,
    });
  }
}

/** How many bags there are, and in which each position of the flat input lies, int32. */
function bagsOf(input: Tensor, options: EmbeddingBagOptions): { count: number; bag: Tensor } {
  const place = { dtype: "int32", device: input.device } as const;
  if (input.ndim === 2) {
    const [count, size] = input.shape as [number, number];
    const rows = reshape(arange(0, count, 1, place), [count, 1]);
    return { count, bag: reshape(expand(rows, [count, size]), [input.numel]) };
  }
  const { offsets, includeLastOffset } = options;
  const count = offsets!.numel - (includeLastOffset ? 1 : 0);
  const places = arange(0, input.numel, 1, place);
  return { count, bag: searchsorted(offsets!, places, { right: true }).sub(1) };
}

/**
 * Rows of a table, combined bag by bag, like `torch.nn.functional.embedding_bag`.
 *
 * Shapes: input `[B, N]`, or `[N]` with offsets `[B]`; weight `[V, D]`; result `[B, D]`.
 *
 * @param input Rows, int32.
 * @param weight The table.
 * @param options Offsets, how rows are combined, factors, padding row, greatest norm.
 * @throws {ShapeError} If the shapes do not fit.
 * @throws {RangeError} If a row is out of range, or factors are given where nothing is summed.
 *
 * @example
 * ```ts
 * import { embeddingBag, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const table = tensor([[1, 2], [3, 4], [5, 6]]);
 * const bags = tensor([[0, 1], [2, 2]], { dtype: "int32" });
 * assertEquals(await embeddingBag(bags, table).tolist(), [[2, 3], [5, 6]]);
 * ```
 */
export function embeddingBag(
  input: Tensor,
  weight: Tensor,
  options: EmbeddingBagOptions = {},
): Tensor {
  checkBags(input, options);
  const { mode = "mean", perSampleWeights, paddingIdx } = options;
  const flat = reshape(input, [input.numel]);
  const looked = embedding(flat, weight, options);
  const { count, bag } = bagsOf(input, options);
  // What belongs to no bag goes to one more behind, which is cut off.
  let target = where(bag.lt(0), count, bag.minimum(count));
  if (typeof paddingIdx === "number") {
    const row = paddingIdx < 0 ? paddingIdx + weight.shape[0]! : paddingIdx;
    target = where(eq(flat, row), count, target);
  }
  const full = (shape: readonly number[], value: number) =>
    core().fullOn(weight.storage.backend, shape, value, weight.dtype);
  const width = weight.shape[1]!;
  const base = full([count + 1, width], 0);
  const bags = (y: Tensor) => owned(slice(y, 0, 0, count), base);
  const members = indexAdd(full([count + 1], 0), 0, target, full(flat.shape, 1));
  if (mode === "max") {
    const index = expand(unsqueeze(target, 1), [input.numel, width]);
    const largest = scatterReduce(base, 0, index, looked, "amax", { includeSelf: false });
    return bags(where(unsqueeze(gt(members, 0), 1), largest, 0));
  }
  const scaled = perSampleWeights
    ? mul(looked, reshape(convert(perSampleWeights, weight.dtype), [input.numel, 1]))
    : looked;
  const total = indexAdd(base, 0, target, scaled);
  return bags(mode === "sum" ? total : div(total, unsqueeze(maximum(members, 1), 1)));
}
