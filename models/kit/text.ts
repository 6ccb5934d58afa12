/**
 * Text for language models: a user's files or the sonnets, split by position, and the tokens that
 * are shown to a model.
 *
 * @module
 */
import { noGrad, type Tensor, zeros } from "@tensaurus/core";
import {
  CharTokenizer,
  DataLoader,
  FixedBatchSampler,
  type HostArray,
  loadSonnets,
  loadText,
  loadTokenizer,
  RandomSampler,
  SequentialSampler,
  splitTokens,
  TokenBlocks,
  type Tokenizer,
  TrackBatchSampler,
  trainBpe,
} from "@tensaurus/core/data";
import type { Module } from "@tensaurus/core/nn";
import { UsageError } from "./settings.ts";

/** Where text comes from and how it is split into tokens. */
export interface TextSettings {
  /** Files; none for the sonnets. */
  text: readonly string[];
  /** Kind of tokenizer. */
  tokenizer: string;
  /** Tokens of a trained vocabulary. */
  vocabSize: number;
}

/** A text as tokens. */
export interface TokenText {
  /** The tokenizer. */
  tokenizer: Tokenizer;
  /** The first nine tenths. */
  train: Uint32Array<ArrayBuffer>;
  /** The rest. */
  validation: Uint32Array<ArrayBuffer>;
  /** Mean length of a token. */
  charactersPerToken: number;
}

/** Batches of inputs and targets, both `[B, T]`. */
export type TokenLoader = DataLoader<[input: HostArray, target: HostArray]>;

/**
 * Reads the text and splits it.
 *
 * @param settings Files and tokenizer.
 * @param known A tokenizer that a model was trained with; none makes one from the text.
 * @returns Tokenizer and both parts.
 * @throws {UsageError} If the known tokenizer lacks characters of the text.
 */
export async function openText(settings: TextSettings, known?: Tokenizer): Promise<TokenText> {
  const text = settings.text.length ? await loadText(...settings.text) : await loadSonnets();
  const { vocabSize } = settings;
  const made = settings.tokenizer === "bpe" ? trainBpe([text], { vocabSize }) : undefined;
  const tokenizer = known ?? made ?? CharTokenizer.fromText(text);
  const tokens = encodeFor("--text", tokenizer, text);
  const [train, validation] = splitTokens(tokens);
  return { tokenizer, train, validation, charactersPerToken: [...text].length / tokens.length };
}

/** Reads the tokenizer that stands beside a checkpoint's run. */
export async function savedTokenizer(checkpoint: { path: string }): Promise<Tokenizer> {
  return await loadTokenizer(`${checkpoint.path}/../../tokenizer.json`);
}

/**
 * Ids of a text that a flag names.
 *
 * @param flag The flag, for messages.
 * @param tokenizer The tokenizer.
 * @param text The text.
 * @returns Its ids.
 * @throws {UsageError} If the vocabulary lacks characters (the message names them).
 */
export function encodeFor(
  flag: string,
  tokenizer: Tokenizer,
  text: string,
): Uint32Array<ArrayBuffer> {
  try {
    return tokenizer.encode(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${flag}: ${error.message.replace("encode: ", "")}`);
  }
}

/** Size and number of batches. */
export interface BatchSettings {
  /** Tokens per row. */
  context: number;
  /** Rows. */
  batchSize: number;
  /** Batches. */
  batches: number;
  /** Seed of the order. */
  seed: number;
}

/**
 * Batches from random places of a text, as nanoGPT takes them.
 *
 * @param tokens The text.
 * @param settings Size and number of batches.
 * @returns A loader with one epoch of that many batches.
 * @throws {UsageError} If the text is shorter than one row.
 */
export function randomBatches(tokens: ArrayLike<number>, settings: BatchSettings): TokenLoader {
  const { batchSize, batches, seed } = settings;
  const blocks = blocksOf(tokens, settings.context, 1);
  const numSamples = batchSize * batches;
  const sampler = new RandomSampler(blocks.length, { seed, replacement: true, numSamples });
  return new DataLoader(blocks, { batchSize, sampler, seed });
}

/**
 * The same first batches of a text every time, one block after the other, for evaluation.
 *
 * @param tokens The text.
 * @param settings Size and greatest number of batches; 0 takes all that are full.
 * @returns A loader.
 * @throws {UsageError} If the text is shorter than one row.
 */
export function orderedBatches(tokens: ArrayLike<number>, settings: BatchSettings): TokenLoader {
  const blocks = blocksOf(tokens, settings.context, settings.context);
  const batchSize = Math.min(settings.batchSize, blocks.length);
  const full = Math.floor(blocks.length / batchSize);
  const count = Math.min(settings.batches || full, full) * batchSize;
  const batchSampler = new FixedBatchSampler(new SequentialSampler(count), batchSize);
  return new DataLoader(blocks, { batchSampler });
}

/**
 * Batches for a recurrent model that carries its state over: row `r` of each batch continues row `r` of
 * the one before.
 *
 * @param tokens The text.
 * @param context Tokens per row.
 * @param tracks Rows; fewer where the text is too short for them.
 * @returns A loader, with the rows that it has.
 * @throws {UsageError} If the text is shorter than one row.
 */
export function trackBatches(
  tokens: ArrayLike<number>,
  context: number,
  tracks: number,
): TokenLoader & { batchSize: number } {
  const blocks = blocksOf(tokens, context, context);
  const batchSize = Math.min(tracks, blocks.length);
  const batchSampler = new TrackBatchSampler(blocks.length, batchSize);
  return Object.assign(new DataLoader(blocks, { batchSampler }), { batchSize });
}

function blocksOf(tokens: ArrayLike<number>, context: number, stride: number): TokenBlocks {
  if (tokens.length <= context) {
    throw new UsageError(
      `--context: a part of the text has ${tokens.length} tokens, a row of ${context} needs ` +
        `${context + 1} (use a longer text or a shorter context)`,
    );
  }
  return new TokenBlocks(tokens, context, { stride });
}

/**
 * Mean loss over a loader, added up on the device and read once.
 *
 * @param model The model; in evaluation mode until the loss is known, then in training mode.
 * @param loader Batches.
 * @param loss The mean loss of a batch, compiled.
 * @returns Nats per token.
 */
export async function meanLoss(
  model: Module,
  loader: TokenLoader,
  loss: (x: Tensor, y: Tensor) => Tensor,
): Promise<number> {
  const sum = zeros([]);
  model.eval();
  for await (const [x, y] of loader) noGrad(() => sum.add_(loss(x!, y!)));
  model.train();
  return await sum.item() / loader.length;
}
