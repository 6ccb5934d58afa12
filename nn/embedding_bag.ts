/** Sums, means and largest elements of bags of rows. */
import { arange, indexAdd, type Tensor, where, zeros } from "../ops/mod.ts";
import { checkChoice, rangeError, ShapeError } from "../ops/check.ts";
import { Embedding, type EmbeddingLayerOptions } from "./embedding.ts";

/** Options of {@linkcode EmbeddingBag}. */
export interface EmbeddingBagOptions extends EmbeddingLayerOptions {
  /** What is made of the rows of a bag. @default "mean" */
  mode?: "sum" | "mean" | "max" | undefined;
  /** The last offset is the end of the last bag, not a bag of its own. @default false */
  includeLastOffset?: boolean | undefined;
}

/** Options of `forward` of {@linkcode EmbeddingBag}. */
export interface BagForwardOptions {
  /** Where each bag begins, int32; for input of one axis. */
  offsets?: Tensor | undefined;
  /** Factor of each row, of the input's shape; for sums alone. */
  perSampleWeights?: Tensor | undefined;
}

/**
 * Rows of a table, reduced bag by bag, like `torch.nn.EmbeddingBag`. Rows at `paddingIdx` do not
 * count; a bag without rows gives zeros.
 *
 * Shapes: input `[B, L]`, or `[N]` with offsets `[B]`; result `[B, embeddingDim]`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { EmbeddingBag } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const words = tensor([1, 2, 4, 5, 4], { dtype: "int32" });
 * const offsets = tensor([0, 3], { dtype: "int32" });
 * assertEquals(new EmbeddingBag(10, 3).forward(words, { offsets }).shape, [2, 3]);
 * ```
 */
export class EmbeddingBag extends Embedding {
  /** What is made of the rows of a bag. */
  readonly mode: "sum" | "mean" | "max";
  readonly #includeLastOffset: boolean;

  /**
   * Makes the module with standard normal rows.
   *
   * @param numEmbeddings Number of rows.
   * @param embeddingDim Size of a row.
   * @param options Mode, padding row, limit of norms.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagOptions = {}) {
    super(numEmbeddings, embeddingDim, options);
    this.mode = options.mode ?? "mean";
    this.#includeLastOffset = options.includeLastOffset ?? false;
    checkChoice("EmbeddingBag", "mode", this.mode, ["sum", "mean", "max"]);
  }

  /** A layer over a table that is there; frozen unless `freeze` is false. */
  static override fromPretrained(
    table: Tensor,
    options: EmbeddingBagOptions & { freeze?: boolean | undefined } = {},
  ): EmbeddingBag {
    return super.fromPretrained(table, options) as EmbeddingBag;
  }

  /**
   * The bags.
   *
   * @param x Rows to take.
   * @param options Offsets, weights.
   * @throws {ShapeError} If offsets and the input's axes do not go together.
   * @throws {RangeError} If weights are given for another mode than sums.
   */
  override forward(x: Tensor, options: BagForwardOptions = {}): Tensor {
    const { offsets, perSampleWeights } = options;
    const facts = { input: x.shape, offsets: offsets?.shape ?? "none" };
    if (offsets ? x.ndim !== 1 || offsets.ndim !== 1 : x.ndim !== 2) {
      throw new ShapeError("EmbeddingBag", "expects [B, L], or [N] and offsets [B]", facts);
    }
    if (perSampleWeights && this.mode !== "sum") {
      throw rangeError("EmbeddingBag", `perSampleWeights need mode "sum", not "${this.mode}"`);
    }
    const rows = super.forward(x).reshape([-1, this.embeddingDim]); // [N, D]
    const { bags, count } = this.#bagsOf(x, offsets);
    const kept = this.paddingIdx === undefined
      ? undefined
      : x.reshape([-1]).ne(this.paddingIdx).unsqueeze(1); // [N, 1]
    if (this.mode === "max") return largest(rows, bags, count, kept);
    const weighted = perSampleWeights ? rows.mul(perSampleWeights.reshape([-1, 1])) : rows;
    const sums = summed(kept ? where(kept, weighted, 0) : weighted, bags, count);
    if (this.mode === "sum") return sums;
    const ones = kept?.to(rows.dtype) ?? rows.detach().narrow(1, 0, 1).mul(0).add(1);
    return sums.div(summed(ones, bags, count).clamp(1));
  }

  /** The bag of each row, `[N]`, and their number. */
  #bagsOf(x: Tensor, offsets: Tensor | undefined): { bags: Tensor; count: number } {
    const at = arange(0, x.numel, 1, { device: x.device, dtype: "int32" });
    if (!offsets) {
      const [count, length] = x.shape as [number, number];
      return { bags: at.floorDivide(Math.max(1, length)).to("int32"), count };
    }
    const count = offsets.numel - (this.#includeLastOffset ? 1 : 0);
    const starts = offsets.narrow(0, 0, count);
    return { bags: starts.le(at.unsqueeze(1)).sum(1).sub(1).to("int32"), count };
  }
}

function summed(rows: Tensor, bags: Tensor, count: number): Tensor {
  const { dtype, device } = rows;
  return indexAdd(zeros([count, rows.shape[1]!], { dtype, device }), 0, bags, rows);
}

/** Every bag looks at all rows: B · N · D comparisons. */
function largest(rows: Tensor, bags: Tensor, count: number, kept: Tensor | undefined): Tensor {
  if (!rows.shape[0]) return summed(rows, bags, count);
  const own = bags.unsqueeze(0).eq(arange(0, count, 1, { device: bags.device }).unsqueeze(1));
  const inside = kept ? own.logicalAnd(kept.reshape([1, -1])) : own; // [B, N]
  const values = where(inside.unsqueeze(2), rows.unsqueeze(0), -Infinity).amax(1);
  return where(inside.any(1).unsqueeze(1), values, 0);
}
