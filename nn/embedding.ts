import { embedding, type EmbeddingOptions, noGrad, type Tensor } from "../ops/mod.ts";
import { rangeError, ShapeError } from "../ops/check.ts";
import { checkCount } from "./_check.ts";
import { normalParameter } from "./_factory.ts";
import { type FactoryOptions, Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** Options of {@linkcode Embedding}. */
export interface EmbeddingLayerOptions extends FactoryOptions {
  /** Row that starts as zeros and is not trained; negative ones count from the end. */
  paddingIdx?: number | null | undefined;
  /** Rows longer than this are shortened, in place, when they are used. */
  maxNorm?: number | null | undefined;
  /** Which norm `maxNorm` means. @default 2 */
  normType?: number | undefined;
  /** Divide the gradient of a row by how often it is used. @default false */
  scaleGradByFreq?: boolean | undefined;
}

/** What {@linkcode Embedding} and `EmbeddingBag` have in common: a table. */
export abstract class EmbeddingBase extends Module {
  /** Number of rows. */
  readonly numEmbeddings: number;
  /** Size of a row. */
  readonly embeddingDim: number;
  /** Row that is not trained. */
  readonly paddingIdx: number | undefined;
  /** The table. */
  weight: Parameter;
  readonly #limits: Omit<EmbeddingOptions, "paddingIdx">;

  /**
   * Makes the module with standard normal rows.
   *
   * @param name Name in messages.
   * @param numEmbeddings Number of rows.
   * @param embeddingDim Size of a row.
   * @param options Padding row, greatest norm, dtype, device.
   * @throws {RangeError} If a size is not positive or `paddingIdx` is no row.
   */
  constructor(
    name: string,
    numEmbeddings: number,
    embeddingDim: number,
    options: EmbeddingLayerOptions,
  ) {
    super();
    checkCount(name, "numEmbeddings", numEmbeddings);
    checkCount(name, "embeddingDim", embeddingDim);
    const { paddingIdx, maxNorm, normType, scaleGradByFreq } = options;
    if (typeof paddingIdx === "number") {
      if (paddingIdx < -numEmbeddings || paddingIdx >= numEmbeddings) {
        throw rangeError(name, `paddingIdx ${paddingIdx} is no row of ${numEmbeddings}`);
      }
      this.paddingIdx = paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    }
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.#limits = { maxNorm, normType, scaleGradByFreq };
    this.weight = normalParameter([numEmbeddings, embeddingDim], options);
    const row = this.paddingIdx;
    if (row !== undefined) noGrad(() => this.weight.detach().narrow(0, row, 1).zero_());
  }

  /** What a look-up is told. */
  protected get lookup(): EmbeddingOptions {
    return { ...this.#limits, paddingIdx: this.paddingIdx };
  }

  /** Takes over a table that exists. */
  protected adopt(table: Tensor, freeze = true): this {
    this.weight = new Parameter(table, { requiresGrad: !freeze });
    return this;
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.numEmbeddings}, ${this.embeddingDim}`;
  }
}

/** Rows of a table and their size. */
export function tableSizes(op: string, table: Tensor): [number, number] {
  if (table.ndim !== 2) {
    throw new ShapeError(op, "table needs 2 dimensions", { table: table.shape });
  }
  return [table.size(0), table.size(1)];
}

/**
 * A table of vectors, looked up by whole numbers, like `torch.nn.Embedding`.
 *
 * Shapes: input `[…]` int32, weight `[numEmbeddings, embeddingDim]`, result `[…, embeddingDim]`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { Embedding } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const tokens = tensor([[0, 2, 1]], { dtype: "int32" });
 * assertEquals(new Embedding(3, 4).forward(tokens).shape, [1, 3, 4]);
 * ```
 */
export class Embedding extends EmbeddingBase {
  /**
   * Makes the module.
   *
   * @param numEmbeddings Number of rows.
   * @param embeddingDim Size of a row.
   * @param options Padding row, greatest norm, dtype, device.
   * @throws {RangeError} If a size is not positive or `paddingIdx` is no row.
   */
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingLayerOptions = {}) {
    super("Embedding", numEmbeddings, embeddingDim, options);
  }

  /**
   * A layer around a table that exists, like `torch.nn.Embedding.from_pretrained`.
   *
   * @param table The table `[numEmbeddings, embeddingDim]`.
   * @param options Whether it stays as it is (default true), padding row, greatest norm.
   * @throws {ShapeError} If the table is no matrix.
   */
  static fromPretrained(
    table: Tensor,
    options: EmbeddingLayerOptions & { freeze?: boolean | undefined } = {},
  ): Embedding {
    const sizes = tableSizes("Embedding.fromPretrained", table);
    return new Embedding(...sizes, options).adopt(table, options.freeze);
  }

  /** The rows. @throws {DtypeError} If the input is not whole. */
  forward(x: Tensor): Tensor {
    return embedding(x, this.weight, this.lookup);
  }
}
