import { embeddingBag, type EmbeddingBagOptions, noGrad, type Tensor } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";
import { checkCount } from "./_check.ts";
import { normalParameter } from "./_factory.ts";
import { type FactoryOptions, Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** Options of {@linkcode EmbeddingBag}. */
export interface EmbeddingBagLayerOptions extends FactoryOptions {
  /** How the rows of a bag are combined. @default "mean" */
  mode?: "sum" | "mean" | "max" | undefined;
  /** Row that starts as zeros, is not trained and counts in no bag; negative ones count from the end. */
  paddingIdx?: number | null | undefined;
  /** Rows longer than this are shortened, in place, when they are used. */
  maxNorm?: number | null | undefined;
  /** Which norm `maxNorm` means. @default 2 */
  normType?: number | undefined;
  /** Divide gradients by how often a row is looked up. @default false */
  scaleGradByFreq?: boolean | undefined;
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
export class EmbeddingBag extends Module {
  /** Number of rows. */
  readonly numEmbeddings: number;
  /** Size of a row. */
  readonly embeddingDim: number;
  /** The table. */
  weight: Parameter;
  readonly #options: EmbeddingBagOptions;

  /**
   * Makes the module.
   *
   * @param numEmbeddings Number of rows.
   * @param embeddingDim Size of a row.
   * @param options How rows are combined, padding row, greatest norm, offsets, dtype, device.
   * @throws {RangeError} If a size is not positive or `paddingIdx` is no row.
   */
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagLayerOptions = {}) {
    super();
    checkCount("EmbeddingBag", "numEmbeddings", numEmbeddings);
    checkCount("EmbeddingBag", "embeddingDim", embeddingDim);
    const { mode, paddingIdx, maxNorm, normType, scaleGradByFreq, includeLastOffset } = options;
    const row = paddingIdx ?? undefined;
    if (row !== undefined && (row < -numEmbeddings || row >= numEmbeddings)) {
      throw rangeError("EmbeddingBag", `paddingIdx ${row} is no row of ${numEmbeddings}`);
    }
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.#options = { mode, paddingIdx, maxNorm, normType, scaleGradByFreq, includeLastOffset };
    this.weight = normalParameter([numEmbeddings, embeddingDim], options);
    if (row === undefined) return;
    const first = row < 0 ? row + numEmbeddings : row;
    noGrad(() => this.weight.detach().narrow(0, first, 1).zero_());
  }

  /**
   * A layer around a table that exists, like `torch.nn.EmbeddingBag.from_pretrained`.
   *
   * @param table The table `[numEmbeddings, embeddingDim]`.
   * @param options Whether it stays as it is (default true), and those of the layer.
   */
  static fromPretrained(
    table: Tensor,
    options: EmbeddingBagLayerOptions & { freeze?: boolean | undefined } = {},
  ): EmbeddingBag {
    const [rows, size] = table.shape as [number, number];
    const layer = new EmbeddingBag(rows, size, options);
    layer.weight = new Parameter(table, { requiresGrad: !(options.freeze ?? true) });
    return layer;
  }

  /** One row for each bag. @throws {ShapeError} If offsets or weights do not fit. */
  forward(
    x: Tensor,
    options: Pick<EmbeddingBagOptions, "offsets" | "perSampleWeights"> = {},
  ): Tensor {
    return embeddingBag(x, this.weight, { ...this.#options, ...options });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.numEmbeddings}, ${this.embeddingDim}, mode=${this.#options.mode ?? "mean"}`;
  }
}
