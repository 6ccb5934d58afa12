/** Whole transformers. */
import { type Tensor, where } from "../ops/mod.ts";
import { ones } from "../ops/create.ts";
import { tril } from "../ops/arrange.ts";
import { checkCount } from "./_check.ts";
import type { TensorModule } from "./containers.ts";
import { xavierUniform_ } from "./init.ts";
import { type FactoryOptions, Module } from "./module.ts";
import { LayerNorm } from "./normalization_layer.ts";
import {
  type DecoderForwardOptions,
  type EncoderForwardOptions,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from "./transformer_layers.ts";

/** Options of {@linkcode TransformerEncoder} and {@linkcode TransformerDecoder}. */
export interface StackOptions {
  /** Norm of the result. */
  norm?: TensorModule | undefined;
}

/**
 * Encoder layers, one on the other, like `torch.nn.TransformerEncoder`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { TransformerEncoder, TransformerEncoderLayer } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const layer = new TransformerEncoderLayer(8, 2, { dimFeedforward: 16 });
 * assertEquals(new TransformerEncoder(layer, 2).forward(rand([5, 2, 8])).shape, [5, 2, 8]);
 * ```
 */
export class TransformerEncoder extends Module {
  /** The layers. */
  layers: TransformerEncoderLayer[];
  /** Norm of the result. */
  norm: TensorModule | undefined;

  /**
   * Makes the module.
   *
   * @param layer First layer; the others are copies of it.
   * @param numLayers Number of layers.
   * @param options Norm of the result.
   * @throws {RangeError} If there is no layer.
   */
  constructor(layer: TransformerEncoderLayer, numLayers: number, options: StackOptions = {}) {
    super();
    checkCount("TransformerEncoder", "numLayers", numLayers);
    this.layers = Array.from({ length: numLayers }, (_, i) => i ? layer.clone() : layer);
    this.norm = options.norm;
  }

  /** The encoded sequence. @throws {ShapeError} If shapes do not fit. */
  forward(src: Tensor, options: EncoderForwardOptions = {}): Tensor {
    const x = this.layers.reduce((y, layer) => layer.forward(y, options), src);
    return this.norm ? this.norm.forward(x) : x;
  }
}

/**
 * Decoder layers, one on the other, like `torch.nn.TransformerDecoder`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { TransformerDecoder, TransformerDecoderLayer } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const layer = new TransformerDecoderLayer(8, 2, { dimFeedforward: 16 });
 * const decoder = new TransformerDecoder(layer, 2);
 * assertEquals(decoder.forward(rand([5, 2, 8]), rand([3, 2, 8])).shape, [5, 2, 8]);
 * ```
 */
export class TransformerDecoder extends Module {
  /** The layers. */
  layers: TransformerDecoderLayer[];
  /** Norm of the result. */
  norm: TensorModule | undefined;

  /**
   * Makes the module.
   *
   * @param layer First layer; the others are copies of it.
   * @param numLayers Number of layers.
   * @param options Norm of the result.
   * @throws {RangeError} If there is no layer.
   */
  constructor(layer: TransformerDecoderLayer, numLayers: number, options: StackOptions = {}) {
    super();
    checkCount("TransformerDecoder", "numLayers", numLayers);
    this.layers = Array.from({ length: numLayers }, (_, i) => i ? layer.clone() : layer);
    this.norm = options.norm;
  }

  /** The decoded sequence. @throws {ShapeError} If shapes do not fit. */
  forward(tgt: Tensor, memory: Tensor, options: DecoderForwardOptions = {}): Tensor {
    const x = this.layers.reduce((y, layer) => layer.forward(y, memory, options), tgt);
    return this.norm ? this.norm.forward(x) : x;
  }
}

/** Options of {@linkcode Transformer}. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** Size of each position. @default 512 */
  dModel?: number | undefined;
  /** Number of heads. @default 8 */
  nhead?: number | undefined;
  /** Number of encoder layers. @default 6 */
  numEncoderLayers?: number | undefined;
  /** Number of decoder layers. @default 6 */
  numDecoderLayers?: number | undefined;
}

/** Options of `forward` of {@linkcode Transformer}. */
export interface TransformerForwardOptions extends DecoderForwardOptions {
  /** Pairs of the source to leave out; see `MultiheadAttention`. */
  srcMask?: Tensor | undefined | null;
  /** Keys of the source to leave out. */
  srcKeyPaddingMask?: Tensor | undefined | null;
  /** Position i of the source sees positions up to i. @default false */
  srcIsCausal?: boolean | undefined;
}

/**
 * Encoder and decoder (Vaswani et al. 2017), like `torch.nn.Transformer`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { Transformer } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const model = new Transformer({
 *   dModel: 8,
 *   nhead: 2,
 *   numEncoderLayers: 1,
 *   numDecoderLayers: 1,
 *   dimFeedforward: 16,
 * });
 * assertEquals(model.forward(rand([3, 2, 8]), rand([5, 2, 8])).shape, [5, 2, 8]);
 * ```
 */
export class Transformer extends Module {
  /** The encoder. */
  encoder: TransformerEncoder;
  /** The decoder. */
  decoder: TransformerDecoder;

  /**
   * Makes the module.
   *
   * @param options Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(options: TransformerOptions = {}) {
    super();
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6 } = options;
    const norm = () => {
      const { layerNormEps: eps, bias, dtype, device } = options;
      const factory: FactoryOptions = { dtype, device };
      return new LayerNorm(dModel, { eps, bias, ...factory });
    };
    const encoderLayer = new TransformerEncoderLayer(dModel, nhead, options);
    this.encoder = new TransformerEncoder(encoderLayer, numEncoderLayers, { norm: norm() });
    const decoderLayer = new TransformerDecoderLayer(dModel, nhead, options);
    this.decoder = new TransformerDecoder(decoderLayer, numDecoderLayers, { norm: norm() });
    for (const p of this.parameters()) if (p.ndim > 1) xavierUniform_(p);
  }

  /**
   * The decoded target.
   *
   * @param src Source `[S, B, dModel]` (or without B; or batch first).
   * @param tgt Target `[T, B, dModel]`.
   * @param options Masks.
   * @throws {ShapeError} If shapes do not fit.
   */
  forward(src: Tensor, tgt: Tensor, options: TransformerForwardOptions = {}): Tensor {
    const { srcMask, srcKeyPaddingMask, srcIsCausal } = options;
    const memory = this.encoder.forward(src, { srcMask, srcKeyPaddingMask, isCausal: srcIsCausal });
    return this.decoder.forward(tgt, memory, options);
  }

  /** A mask `[size, size]` to add: 0 up to the diagonal, −∞ after it. */
  static generateSquareSubsequentMask(size: number, options: FactoryOptions = {}): Tensor {
    const seen = tril(ones([size, size], { dtype: "bool", device: options.device }));
    return where(seen, 0, -Infinity).to(options.dtype ?? "float32");
  }
}
