import { embeddingBag, type EmbeddingBagOptions, type Tensor } from "../ops/mod.ts";
import { checkChoice } from "../ops/check.ts";
import { EmbeddingBase, type EmbeddingLayerOptions, tableSizes } from "./embedding.ts";

/** Options of {@linkcode EmbeddingBag}. */
export interface EmbeddingBagLayerOptions extends EmbeddingLayerOptions {
  /** How the rows of a bag are combined. @default "mean" */
  mode?: "sum" | "mean" | "max" | undefined;
  /** Whether the last offset is the end of the last bag. @default false */
  includeLastOffset?: boolean | undefined;
}

/**
 * A table of vectors, looked up bag by bag, like `torch.nn.EmbeddingBag`.
 *
 * Shapes: input `[B, N]`, or `[N]` with offsets `[B]`, int32; weight `[numEmbeddings, embeddingDim]`;
 * result `[B, embeddingDim]`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { EmbeddingBag } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const words = tensor([0, 2, 1, 1], { dtype: "int32" });
 * const offsets = tensor([0, 3], { dtype: "int32" });
 * assertEquals(new EmbeddingBag(3, 4).forward(words, { offsets }).shape, [2, 4]);
 * ```
 */
export class EmbeddingBag extends EmbeddingBase {
  readonly #mode: "sum" | "mean" | "max";
  readonly #includeLastOffset: boolean | undefined;

  /**
   * Makes the module.
   *
   * @param numEmbeddings Number of rows.
   * @param embeddingDim Size of a row.
   * @param options How rows are combined, padding row, which counts in no bag, greatest norm, offsets.
   * @throws {RangeError} If a size is not positive, `paddingIdx` is no row, or there is no such mode.
   */
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagLayerOptions = {}) {
    super("EmbeddingBag", numEmbeddings, embeddingDim, options);
    const { mode = "mean", includeLastOffset } = options;
    checkChoice("EmbeddingBag", "mode", mode, ["sum", "mean", "max"]);
    this.#mode = mode;
    this.#includeLastOffset = includeLastOffset;
  }

  /**
   * A layer around a table that exists, like `torch.nn.EmbeddingBag.from_pretrained`.
   *
   * @param table The table `[numEmbeddings, embeddingDim]`.
   * @param options Whether it stays as it is (default true), and those of the layer.
   * @throws {ShapeError} If the table is no matrix.
   */
  static fromPretrained(
    table: Tensor,
    options: EmbeddingBagLayerOptions & { freeze?: boolean | undefined } = {},
  ): EmbeddingBag {
    const sizes = tableSizes("EmbeddingBag.fromPretrained", table);
    return new EmbeddingBag(...sizes, options).adopt(table, options.freeze);
  }

  /** One row for each bag. @throws {ShapeError} If offsets or weights do not fit. */
  forward(
    x: Tensor,
    options: Pick<EmbeddingBagOptions, "offsets" | "perSampleWeights"> = {},
  ): Tensor {
    const combined = { mode: this.#mode, includeLastOffset: this.#includeLastOffset };
    return embeddingBag(x, this.weight, { ...this.lookup, ...combined, ...options });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${super.extraRepr()}, mode=${this.#mode}`;
  }
}
