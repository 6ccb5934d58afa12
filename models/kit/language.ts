/**
 * What the scripts of language models share: settings of text, sampling and runs, reports, samples.
 *
 * @module
 */
import { bitsPerCharacter, perplexity, type Tokenizer } from "@tensaurus/core/data";
import type { Describe } from "./config.ts";
import type { Module } from "@tensaurus/core/nn";
import { expectAtMost } from "./expect.ts";
import { exists } from "./files.ts";
import { type SampleOptions, type TokenGenerator, writeText } from "./generate.ts";
import { standardOutput } from "./progress.ts";
import type { TrainingRun } from "./run.ts";
import { type Limit, UsageError } from "./settings.ts";
import { encodeFor, type TokenText } from "./text.ts";

/** Settings of text, sampling and runs, with their defaults. */
export const config = {
  text: [] as string[],
  tokenizer: "char",
  vocabSize: 512,
  prompt: "\n",
  length: 256,
  temperature: 0.8,
  topK: 0,
  topP: 1,
  minLr: 1e-4,
  warmup: 100,
  clip: 1,
  seed: 0,
  device: "auto",
  paired: true,
  out: "",
  resume: "",
  logEvery: 50,
  evalEvery: 250,
  sampleEvery: 500,
  saveEvery: 500,
  dryRun: false,
  overfitBatch: false,
  expect: 0,
  preset: "",
};

/** Settings of text, sampling and runs. */
export type Settings = typeof config;

/** Their help texts. */
export const describe: Describe<Settings> = {
  text: "Text files, UTF-8; none takes Shakespeare's sonnets",
  tokenizer: "Characters, or byte pairs learned from the text",
  vocabSize: "Tokens of a learned vocabulary",
  prompt: "Text to go on from",
  length: "Tokens to write",
  temperature: "Below 1 bolder, above 1 wilder, 0 always the likeliest token",
  topK: "Draw from this many of the likeliest tokens; 0 from all",
  topP: "Draw from the likeliest tokens that together have this probability",
  minLr: "Learning rate at the end",
  warmup: "Steps until the learning rate is reached",
  clip: "Greatest norm of all gradients; 0 for none",
  expect: "Exit with status 1 where the validation loss ends above this; 0 expects nothing",
};

/** Their allowed values. */
export const limits: { readonly [K in keyof Settings]?: Limit } = {
  tokenizer: ["char", "bpe"],
  vocabSize: { min: 256, integer: true },
  length: { min: 1, integer: true },
  temperature: { min: 0 },
  topK: { min: 0, integer: true },
  topP: { min: 1e-9, max: 1 },
  warmup: { min: 0, integer: true },
  clip: { min: 0 },
};

/** The settings of sampling, as `sampleTokens` takes them. */
export function samplingOf(
  settings: Pick<Settings, "temperature" | "topK" | "topP">,
): SampleOptions {
  const { temperature, topK, topP } = settings;
  return { temperature, topK, topP };
}

/**
 * Writes text to the terminal as it is made, and how fast it came.
 *
 * @param generator The model, in evaluation mode.
 * @param tokenizer Its tokenizer.
 * @param settings Prompt and length.
 * @param stop Tokens that end the text.
 */
export async function showSample(
  generator: TokenGenerator,
  tokenizer: Tokenizer,
  settings: Pick<Settings, "prompt" | "length">,
  stop?: readonly number[],
): Promise<void> {
  const { prompt, length } = settings;
  if (encodeFor("--prompt", tokenizer, prompt).length === 0) {
    throw new UsageError("--prompt: is empty (give at least one character)");
  }
  const { write } = standardOutput();
  const { rate } = await writeText(generator, tokenizer, prompt, { length, stop, show: write });
  const speed = rate > 0 ? `\n(${Math.round(rate)} tokens/s)` : "";
  console.log(speed);
}

/** A loss in nats with the figures that say the same: perplexity, bits per character. */
export function lossText(loss: number, charactersPerToken: number): string {
  const bits = bitsPerCharacter(loss, charactersPerToken).toFixed(3);
  return `loss ${loss.toFixed(4)} nats  perplexity ${
    perplexity(loss).toFixed(2)
  }  ${bits} bits per character`;
}

/**
 * What a model in training writes by now.
 *
 * @param model The model; it is put back into training mode.
 * @param generator What writes with it.
 * @param tokenizer Its tokenizer.
 * @param settings Prompt and length.
 * @returns The text.
 */
export async function sampleText(
  model: Module,
  generator: TokenGenerator,
  tokenizer: Tokenizer,
  { prompt, length }: Pick<Settings, "prompt" | "length">,
): Promise<string> {
  model.eval();
  const { text } = await writeText(generator, tokenizer, prompt, { length });
  model.train();
  return text;
}

/** What a run of a language model came to. */
export interface Outcome {
  /** The text. */
  text: Pick<TokenText, "charactersPerToken">;
  /** Loss that is expected at most; 0 expects nothing. */
  expect: number;
}

/**
 * Puts the best weights and the curves into a run's folder, closes it, and says how good they are.
 *
 * @param run The run.
 * @param outcome What it came to.
 */
export async function finishRun(run: TrainingRun, outcome: Outcome): Promise<void> {
  const best = run.folder.file("checkpoints/best");
  await run.publish(await exists(best) ? best : undefined);
  console.log(`best validation ${lossText(run.best, outcome.text.charactersPerToken)}`);
  run.finish();
  expectAtMost("validation loss", run.best, outcome.expect);
}

/** Settings of {@linkcode warmupCosine}. */
export interface ScheduleSettings {
  /** Greatest learning rate. */
  lr: number;
  /** Learning rate at the end. */
  minLr: number;
  /** Steps until the greatest is reached. */
  warmup: number;
  /** Steps in all. */
  steps: number;
}

/**
 * Learning rate of a step: linear warm-up, then half a cosine down to the last step, as nanoGPT has it.
 *
 * @param step Steps done.
 * @param settings The schedule.
 * @returns The learning rate.
 */
export function warmupCosine(step: number, settings: ScheduleSettings): number {
  const { lr, minLr, warmup, steps } = settings;
  if (step < warmup) return lr * (step + 1) / (warmup + 1);
  const low = Math.min(minLr, lr);
  const done = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return low + 0.5 * (1 + Math.cos(Math.PI * done)) * (lr - low);
}
