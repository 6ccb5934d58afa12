/**
 * What the scripts of language models share: settings of text and sampling, reports, samples.
 *
 * @module
 */
import { bitsPerCharacter, perplexity, type Tokenizer } from "@tensaurus/core/data";
import { curvesSvg } from "./curves.ts";
import { exists } from "./files.ts";
import { type SampleOptions, type TokenGenerator, writeText } from "./generate.ts";
import { standardOutput } from "./progress.ts";
import type { RunFolder } from "./run_folder.ts";
import type { Limit } from "./settings.ts";
import { encodeFor } from "./text.ts";

/** Settings of text and sampling, with their defaults. */
export const config = {
  text: [] as string[],
  tokenizer: "char",
  vocabSize: 512,
  prompt: "\n",
  length: 256,
  temperature: 0.8,
  topK: 0,
  topP: 1,
};

/** Settings of text and sampling. */
export type Settings = typeof config;

/** Their help texts. */
export const describe: { readonly [K in keyof Settings]: string } = {
  text: "Text files, UTF-8; none takes Shakespeare's sonnets",
  tokenizer: "Characters, or byte pairs learned from the text",
  vocabSize: "Tokens of a learned vocabulary",
  prompt: "Text to go on from",
  length: "Tokens to write",
  temperature: "Below 1 bolder, above 1 wilder, 0 always the likeliest token",
  topK: "Draw from this many of the likeliest tokens; 0 from all",
  topP: "Draw from the likeliest tokens that together have this probability",
};

/** Their allowed values. */
export const limits: { readonly [K in keyof Settings]?: Limit } = {
  tokenizer: ["char", "bpe"],
  vocabSize: { min: 256, integer: true },
  length: { min: 1, integer: true },
  temperature: { min: 0 },
  topK: { min: 0, integer: true },
  topP: { min: 1e-9, max: 1 },
};

/** The settings of sampling, as `sampleTokens` takes them. */
export function samplingOf(settings: Settings): SampleOptions {
  const { temperature, topK, topP } = settings;
  return { temperature, topK, topP };
}

/**
 * Writes text to the terminal as it is made, and how fast it came.
 *
 * @param generator The model, in evaluation mode.
 * @param tokenizer Its tokenizer.
 * @param settings Prompt and length.
 * @param stop Token that ends the text.
 */
export async function showSample(
  generator: TokenGenerator,
  tokenizer: Tokenizer,
  settings: Pick<Settings, "prompt" | "length">,
  stop?: number,
): Promise<void> {
  const { prompt, length } = settings;
  encodeFor("--prompt", tokenizer, prompt);
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

/** Says so, and ends the process with status 1, where a loss ended above what was expected. */
export function checkLoss(loss: number, expect: number): void {
  if (expect === 0 || loss <= expect) return;
  console.error(`validation loss ${loss.toFixed(4)} is above --expect ${expect}`);
  Deno.exitCode = 1;
}

/**
 * Puts the best weights and the curves into a run's folder and closes it.
 *
 * @param folder The folder.
 */
export async function finishRun(folder: RunFolder): Promise<void> {
  const best = folder.file("checkpoints/best");
  const source = await exists(best) ? best : (await folder.checkpoints()).at(-1)!.path;
  await folder.write("model.safetensors", await Deno.readFile(`${source}/model.safetensors`));
  await folder.write("curves.svg", curvesSvg(await folder.metrics()));
  folder.close();
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
