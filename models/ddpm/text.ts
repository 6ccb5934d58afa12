/**
 * A small transformer encoder for prompts, trained together with the U-Net.
 *
 * @module
 */
import { cat, randn, type Tensor } from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import { PAD } from "./prompts.ts";
import type { TextContext } from "./unet.ts";

/** Options of {@linkcode PromptEncoder}. */
export interface PromptEncoderOptions {
  /** Number of words. */
  vocabulary: number;
  /** Longest prompt. */
  length: number;
  /** Width of a token. */
  width: number;
  /** Number of layers. */
  layers: number;
  /** Heads of the attention. */
  heads: number;
}

/** Words and their places, then layers of self-attention (Vaswani et al. 2017, norm first). */
export class PromptEncoder extends nn.Module {
  words: nn.Embedding;
  places: nn.Parameter;
  encoder: nn.TransformerEncoder;

  constructor({ vocabulary, length, width, layers, heads }: PromptEncoderOptions) {
    super();
    this.words = new nn.Embedding(vocabulary, width);
    this.places = new nn.Parameter(randn([length, width]).mul(0.02));
    const layer = new nn.TransformerEncoderLayer(width, heads, {
      dimFeedforward: 2 * width,
      activation: "gelu",
      dropout: 0,
      normFirst: true,
      batchFirst: true,
    });
    this.encoder = new nn.TransformerEncoder(layer, layers, { norm: new nn.LayerNorm(width) });
  }

  /** Tokens `[N, L, D]` of ids `[N, L]`, and which of them are there. */
  override forward(ids: Tensor): TextContext {
    const x = this.words.forward(ids).add(this.places); // [N, L, D]
    const tokens = this.encoder.forward(x, { srcKeyPaddingMask: ids.eq(PAD) }); // [N, L, D]
    return { tokens, present: ids.ne(PAD) };
  }
}

/** Texts of several batches as one batch. */
export function joinTexts(texts: readonly TextContext[]): TextContext {
  return {
    tokens: cat(texts.map(({ tokens }) => tokens)),
    present: cat(texts.map(({ present }) => present)),
  };
}
