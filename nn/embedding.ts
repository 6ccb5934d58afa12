import { embedding, noGrad, type Tensor, vectorNorm, where, zeros } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";
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
export class Embedding extends Module {
  /** Number of rows. */
  readonly numEmbeddings: number;
  /** Size of a row. */
  readonly embeddingDim: number;
  /** Row that is not trained. */
  readonly paddingIdx: number | undefined;
  /** The table. */
  weight: Parameter;
  readonly #maxNorm: number | undefined;
  readonly #normType: number;

  /**
   * Makes the module.
   *
   * @param numEmbeddings Number of rows.
   * @param embeddingDim Size of a row.
   * @param options Padding row, greatest norm, dtype, device.
   * @throws {RangeError} If a size is not positive or `paddingIdx` is no row.
   */
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingLayerOptions = {}) {
    super();
    checkCount("Embedding", "numEmbeddings", numEmbeddings);
    checkCount("Embedding", "embeddingDim", embeddingDim);
    const { paddingIdx } = options;
    if (typeof paddingIdx === "number") {
      if (paddingIdx < -numEmbeddings || paddingIdx >= numEmbeddings) {
        throw rangeError("Embedding", `paddingIdx ${paddingIdx} is no row of ${numEmbeddings}`);
      }
      this.paddingIdx = paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    }
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.#maxNorm = options.maxNorm ?? undefined;
    this.#normType = options.normType ?? 2;
    this.weight = normalParameter([numEmbeddings, embeddingDim], options);
    const row = this.paddingIdx;
    if (row !== undefined) noGrad(() => this.weight.detach().narrow(0, row, 1).zero_());
  }

  /**
   * A layer around a table that exists, like `torch.nn.Embedding.from_pretrained`.
   *
   * @param table The table `[numEmbeddings, embeddingDim]`.
   * @param options Whether it stays as it is (default true), padding row, greatest norm.
   */
  static fromPretrained(
    table: Tensor,
    options: EmbeddingLayerOptions & { freeze?: boolean | undefined } = {},
  ): Embedding {
    const [rows, size] = table.shape as [number, number];
    const layer = new Embedding(rows, size, options);
    layer.weight = new Parameter(table, { requiresGrad: !(options.freeze ?? true) });
    return layer;
  }

  /** The rows. @throws {DtypeError} If the input is not whole. */
  forward(x: Tensor): Tensor {
    if (this.#maxNorm !== undefined) this.#shorten(x, this.#maxNorm);
    const { paddingIdx } = this;
    return embedding(x, this.weight, paddingIdx === undefined ? {} : { paddingIdx });
  }

  #shorten(x: Tensor, maxNorm: number): void {
    noGrad(() => {
      const { weight } = this;
      const used = zeros([this.numEmbeddings], { device: weight.device })
        .scatter(0, x.reshape([-1]), 1).unsqueeze(-1);
      const norm = vectorNorm(weight, { ord: this.#normType, dim: -1, keepdim: true });
      const factor = norm.add(1e-7).reciprocal().mul(maxNorm);
      const long = norm.gt(maxNorm).logicalAnd(used.gt(0));
      weight.copy_(where(long, weight.mul(factor), weight));
    });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.numEmbeddings}, ${this.embeddingDim}`;
  }
}
