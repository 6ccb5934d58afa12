/**
 * Settings of `models/gpt.ts` that are its own: sizes and kinds of layers, and where weights come from.
 *
 * @module
 */
import type { RotaryScaling } from "@tensaurus/core/nn";
import { type Limit, UsageError } from "./settings.ts";

/** Sizes and kinds of layers. */
export interface GptOptions {
  /** Tokens. */
  vocabSize: number;
  /** Positions. */
  context: number;
  /** Blocks. */
  layers: number;
  /** Attention heads. */
  heads: number;
  /** Heads of keys and values. */
  kvHeads: number;
  /** Features of a token. */
  width: number;
  /** Features of a head. */
  headSize: number;
  /** Features inside a feed-forward layer. */
  hidden: number;
  /** `layer` or `rms`. */
  norm: string;
  /** Added to variances. */
  eps: number;
  /** `gelu`, `gelu-tanh` or `swiglu`. */
  activation: string;
  /** `learned`, `sinusoidal` or `rotary`. */
  positions: string;
  /** Base of the rotary frequencies. */
  rotaryBase: number;
  /** How they change for texts longer than those of pre-training. */
  rotaryScaling?: RotaryScaling | undefined;
  /** Whether queries and keys are normalized. */
  qkNorm: boolean;
  /** Whether there are offsets. */
  bias: boolean;
  /** Whether the last layer shares the embedding's weights. */
  tie: boolean;
  /** Probability of dropping. */
  dropout: number;
}

/** Settings of the architecture, with their defaults: nanoGPT's configuration for a laptop. */
export const config = {
  context: 64,
  layers: 4,
  heads: 4,
  kvHeads: 0,
  width: 128,
  hidden: 0,
  norm: "layer",
  activation: "gelu",
  positions: "learned",
  qkNorm: false,
  tie: true,
  bias: false,
  dropout: 0,
};

/** Settings of the architecture. */
export type GptSettings = typeof config;

/** Settings that the weights of a run depend on. */
export const FIXED = [
  ...(Object.keys(config) as (keyof GptSettings)[]).filter((key) => key !== "dropout"),
  ...["tokenizer", "vocabSize", "hf", "loraRank", "loraAlpha"] as const,
];

/** Help texts of the script's own settings. */
export const describe = {
  context: "Tokens that the model sees at once",
  layers: "Blocks",
  heads: "Attention heads",
  kvHeads: "Heads of keys and values, each shared by a group; 0 for as many as there are heads",
  width: "Features of a token",
  hidden: "Features inside a feed-forward layer; 0 for 4 times the width (SwiGLU: 8/3)",
  norm: "Normalization",
  activation: "Feed-forward layer",
  positions: "Encoding of positions",
  qkNorm: "Normalize queries and keys",
  tie: "Use the embedding as the last layer too",
  bias: "Offsets in linear layers and norms",
  dropout: "Probability of dropping",
  hf: "Folder with a model of the GPT-2, Llama or Phi-3 family, as Hugging Face saves them",
  loraRank: "Fine-tune adapters of this rank alone; 0 trains all weights",
  loraAlpha: "Scale of the adapters",
  beta2: "Memory of AdamW's squared gradients",
  weightDecay: "Decay of matrices",
  evalBatches: "Batches of an evaluation; 0 for all",
} as const;

const whole = { min: 1, integer: true } as const;
const countOrAuto = { min: 0, integer: true } as const;

/** Their allowed values. */
export const limits: { readonly [K in keyof typeof describe]?: Limit } = {
  context: whole,
  layers: whole,
  heads: whole,
  kvHeads: countOrAuto,
  width: whole,
  hidden: countOrAuto,
  norm: ["layer", "rms"],
  activation: ["gelu", "gelu-tanh", "swiglu"],
  positions: ["learned", "sinusoidal", "rotary"],
  dropout: { min: 0, max: 0.999 },
  loraRank: countOrAuto,
  beta2: { min: 0, max: 0.99999 },
  evalBatches: countOrAuto,
};

/**
 * Options of a model that is trained from scratch.
 *
 * @param settings The settings.
 * @param vocabSize Tokens of the tokenizer.
 * @returns Options.
 * @throws {UsageError} If sizes do not divide.
 */
export function gptOptions(settings: GptSettings, vocabSize: number): GptOptions {
  const { context, layers, heads, width, norm, activation, positions } = settings;
  const { qkNorm, bias, tie, dropout } = settings;
  const kvHeads = settings.kvHeads || heads;
  if (width % heads) throw new UsageError(`--heads: ${heads} heads do not divide width ${width}`);
  if (heads % kvHeads) {
    throw new UsageError(`--kv-heads: ${kvHeads} heads do not divide ${heads} heads`);
  }
  const headSize = width / heads;
  if (positions === "rotary" && headSize % 2) {
    throw new UsageError(`--positions: rotary needs heads of even size, width ${width} / ${heads}`);
  }
  // Two matrices of 4 or three of 8/3 times the width have the same size (Shazeer 2020).
  const automatic = activation === "swiglu" ? 8 * Math.round(width / 3) : 4 * width;
  const hidden = settings.hidden || automatic;
  const sizes = { vocabSize, context, layers, heads, kvHeads, width, headSize, hidden };
  const kinds = { norm, activation, positions, qkNorm, bias, tie };
  return { ...sizes, ...kinds, dropout, eps: 1e-5, rotaryBase: 10_000 };
}
