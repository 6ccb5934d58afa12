/** Layers of transformers. */
import { gelu, relu, type Tensor } from "../ops/mod.ts";
import { checkChoice } from "../ops/check.ts";
import { checkCount } from "./_check.ts";
import { type AttentionForwardOptions, MultiheadAttention } from "./attention.ts";
import { Dropout } from "./dropout.ts";
import { Linear } from "./linear.ts";
import { type FactoryOptions, Module } from "./module.ts";
import { LayerNorm } from "./normalization_layer.ts";

/** Options of {@linkcode TransformerEncoderLayer} and {@linkcode TransformerDecoderLayer}. */
export interface TransformerLayerOptions extends FactoryOptions {
  /** Size between the two linear maps. @default 2048 */
  dimFeedforward?: number | undefined;
  /** Probability of a zero while training. @default 0.1 */
  dropout?: number | undefined;
  /** Function between the two linear maps. @default "relu" */
  activation?: "relu" | "gelu" | ((x: Tensor) => Tensor) | undefined;
  /** Added to the variance in layer norms. @default 1e-5 */
  layerNormEps?: number | undefined;
  /** Inputs are `[B, T, E]` in place of `[T, B, E]`. @default false */
  batchFirst?: boolean | undefined;
  /** Normalize before each part instead of after. @default false */
  normFirst?: boolean | undefined;
  /** Learn offsets. @default true */
  bias?: boolean | undefined;
}

/** Options of `forward` of {@linkcode TransformerEncoderLayer}. */
export interface EncoderForwardOptions {
  /** Pairs to leave out; see {@linkcode MultiheadAttention}. */
  srcMask?: Tensor | undefined | null;
  /** Keys to leave out. */
  srcKeyPaddingMask?: Tensor | undefined | null;
  /** Position i sees positions up to i. @default false */
  isCausal?: boolean | undefined;
}

/** Options of `forward` of {@linkcode TransformerDecoderLayer}. */
export interface DecoderForwardOptions {
  /** Pairs of the target to leave out; see {@linkcode MultiheadAttention}. */
  tgtMask?: Tensor | undefined | null;
  /** Pairs of target and memory to leave out. */
  memoryMask?: Tensor | undefined | null;
  /** Keys of the target to leave out. */
  tgtKeyPaddingMask?: Tensor | undefined | null;
  /** Keys of the memory to leave out. */
  memoryKeyPaddingMask?: Tensor | undefined | null;
  /** Position i of the target sees positions up to i. @default false */
  tgtIsCausal?: boolean | undefined;
  /** Position i of the target sees positions of the memory up to i. @default false */
  memoryIsCausal?: boolean | undefined;
}

type Activation = (x: Tensor) => Tensor;

function activationOf(name: string, given: TransformerLayerOptions["activation"]): Activation {
  if (typeof given === "function") return given;
  const chosen = given ?? "relu";
  checkChoice(name, "activation", chosen, ["relu", "gelu"]);
  return chosen === "gelu" ? (x) => gelu(x) : relu;
}

/** Parts that encoder and decoder layers share. */
export abstract class TransformerLayerBase extends Module {
  /** Attention within the sequence. */
  selfAttn: MultiheadAttention;
  readonly #activation: Activation;
  /** Whether parts are normalized before. */
  readonly normFirst: boolean;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param dModel Size of each position.
   * @param nhead Number of heads.
   * @param options Settings.
   */
  constructor(name: string, dModel: number, nhead: number, options: TransformerLayerOptions) {
    super();
    checkCount(name, "dModel", dModel);
    checkCount(name, "dimFeedforward", options.dimFeedforward ?? 2048);
    this.selfAttn = new MultiheadAttention(dModel, nhead, attentionOptions(options));
    this.#activation = activationOf(name, options.activation);
    this.normFirst = options.normFirst ?? false;
  }

  /** Two linear maps with a function between them. */
  protected feedForward(x: Tensor, first: Linear, drop: Dropout, second: Linear): Tensor {
    return second.forward(drop.forward(this.#activation(first.forward(x))));
  }

  /** `x + part(norm(x))`, or `norm(x + part(x))`. */
  protected residual(x: Tensor, norm: LayerNorm, part: (x: Tensor) => Tensor): Tensor {
    return this.normFirst ? x.add(part(norm.forward(x))) : norm.forward(x.add(part(x)));
  }
}

function attentionOptions(options: TransformerLayerOptions): {
  dropout: number;
  bias: boolean | undefined;
  batchFirst: boolean | undefined;
} & FactoryOptions {
  const { dropout = 0.1, bias, batchFirst, dtype, device } = options;
  return { dropout, bias, batchFirst, dtype, device };
}

function attended(
  attention: MultiheadAttention,
  query: Tensor,
  memory: Tensor,
  options: AttentionForwardOptions,
): Tensor {
  return attention.forward(query, memory, memory, { ...options, needWeights: false })[0];
}

/**
 * Self-attention and two linear maps (Vaswani et al. 2017), like `torch.nn.TransformerEncoderLayer`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { TransformerEncoderLayer } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const layer = new TransformerEncoderLayer(8, 2, { dimFeedforward: 16, batchFirst: true });
 * assertEquals(layer.forward(rand([2, 5, 8])).shape, [2, 5, 8]);
 * ```
 */
export class TransformerEncoderLayer extends TransformerLayerBase {
  /** First linear map. */
  linear1: Linear;
  /** Dropout between the linear maps. */
  dropout: Dropout;
  /** Second linear map. */
  linear2: Linear;
  /** Norm of the attention part. */
  norm1: LayerNorm;
  /** Norm of the linear part. */
  norm2: LayerNorm;
  /** Dropout after the attention. */
  dropout1: Dropout;
  /** Dropout after the linear maps. */
  dropout2: Dropout;
  readonly #arguments: readonly [number, number, TransformerLayerOptions];

  /**
   * Makes the module.
   *
   * @param dModel Size of each position.
   * @param nhead Number of heads; divides `dModel`.
   * @param options Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super("TransformerEncoderLayer", dModel, nhead, options);
    const { dimFeedforward = 2048, dropout = 0.1, layerNormEps: eps, bias } = options;
    const { dtype, device } = options;
    this.#arguments = [dModel, nhead, options];
    this.linear1 = new Linear(dModel, dimFeedforward, { bias, dtype, device });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias, dtype, device });
    this.norm1 = new LayerNorm(dModel, { eps, bias, dtype, device });
    this.norm2 = new LayerNorm(dModel, { eps, bias, dtype, device });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
  }

  /** A layer of the same settings and values. */
  clone(): TransformerEncoderLayer {
    const copy = new TransformerEncoderLayer(...this.#arguments);
    copy.loadStateDict(this.stateDict());
    return copy;
  }

  /**
   * The encoded sequence.
   *
   * @param src Sequence `[T, B, dModel]` (or without B; or batch first).
   * @param options Masks.
   * @throws {ShapeError} If shapes do not fit.
   */
  forward(src: Tensor, options: EncoderForwardOptions = {}): Tensor {
    const { srcMask: attnMask, srcKeyPaddingMask: keyPaddingMask, isCausal } = options;
    const seen = this.residual(src, this.norm1, (x) =>
      this.dropout1.forward(
        attended(this.selfAttn, x, x, { attnMask, keyPaddingMask, isCausal }),
      ));
    return this.residual(
      seen,
      this.norm2,
      (x) => this.dropout2.forward(this.feedForward(x, this.linear1, this.dropout, this.linear2)),
    );
  }
}

/**
 * Self-attention, attention to a memory and two linear maps (Vaswani et al. 2017), like
 * `torch.nn.TransformerDecoderLayer`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { TransformerDecoderLayer } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const layer = new TransformerDecoderLayer(8, 2, { dimFeedforward: 16, batchFirst: true });
 * assertEquals(layer.forward(rand([2, 5, 8]), rand([2, 3, 8])).shape, [2, 5, 8]);
 * ```
 */
export class TransformerDecoderLayer extends TransformerLayerBase {
  /** Attention to the memory. */
  multiheadAttn: MultiheadAttention;
  /** First linear map. */
  linear1: Linear;
  /** Dropout between the linear maps. */
  dropout: Dropout;
  /** Second linear map. */
  linear2: Linear;
  /** Norm of the self-attention part. */
  norm1: LayerNorm;
  /** Norm of the memory part. */
  norm2: LayerNorm;
  /** Norm of the linear part. */
  norm3: LayerNorm;
  /** Dropout after the self-attention. */
  dropout1: Dropout;
  /** Dropout after the attention to the memory. */
  dropout2: Dropout;
  /** Dropout after the linear maps. */
  dropout3: Dropout;
  readonly #arguments: readonly [number, number, TransformerLayerOptions];

  /**
   * Makes the module.
   *
   * @param dModel Size of each position.
   * @param nhead Number of heads; divides `dModel`.
   * @param options Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super("TransformerDecoderLayer", dModel, nhead, options);
    const { dimFeedforward = 2048, dropout = 0.1, layerNormEps: eps, bias } = options;
    const { dtype, device } = options;
    this.#arguments = [dModel, nhead, options];
    this.multiheadAttn = new MultiheadAttention(dModel, nhead, attentionOptions(options));
    this.linear1 = new Linear(dModel, dimFeedforward, { bias, dtype, device });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias, dtype, device });
    this.norm1 = new LayerNorm(dModel, { eps, bias, dtype, device });
    this.norm2 = new LayerNorm(dModel, { eps, bias, dtype, device });
    this.norm3 = new LayerNorm(dModel, { eps, bias, dtype, device });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
  }

  /** A layer of the same settings and values. */
  clone(): TransformerDecoderLayer {
    const copy = new TransformerDecoderLayer(...this.#arguments);
    copy.loadStateDict(this.stateDict());
    return copy;
  }

  /**
   * The decoded sequence.
   *
   * @param tgt Sequence `[T, B, dModel]` (or without B; or batch first).
   * @param memory What the encoder gave.
   * @param options Masks.
   * @throws {ShapeError} If shapes do not fit.
   */
  forward(tgt: Tensor, memory: Tensor, options: DecoderForwardOptions = {}): Tensor {
    const own = {
      attnMask: options.tgtMask,
      keyPaddingMask: options.tgtKeyPaddingMask,
      isCausal: options.tgtIsCausal,
    };
    const other = {
      attnMask: options.memoryMask,
      keyPaddingMask: options.memoryKeyPaddingMask,
      isCausal: options.memoryIsCausal,
    };
    const self = this.residual(
      tgt,
      this.norm1,
      (x) => this.dropout1.forward(attended(this.selfAttn, x, x, own)),
    );
    const seen = this.residual(
      self,
      this.norm2,
      (x) => this.dropout2.forward(attended(this.multiheadAttn, x, memory, other)),
    );
    return this.residual(
      seen,
      this.norm3,
      (x) => this.dropout3.forward(this.feedForward(x, this.linear1, this.dropout, this.linear2)),
    );
  }
}
