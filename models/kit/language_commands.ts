/**
 * The commands of a language model's script, which are the same for every architecture: going on with a
 * run, `sample`, `eval`.
 *
 * @module
 */
import { manualSeed } from "@tensaurus/core";
import type { Tokenizer } from "@tensaurus/core/data";
import type { Module } from "@tensaurus/core/nn";
import { type Command, commandLine, type Parsed, resumeConfig, type Script } from "./config.ts";
import { openDevice } from "./device.ts";
import { expectAtMost } from "./expect.ts";
import type { SampleOptions, TokenGenerator } from "./generate.ts";
import * as language from "./language.ts";
import { type Checkpoint, findCheckpoint, savedConfig } from "./run_folder.ts";
import type { Settings } from "./settings.ts";
import { loadWeights } from "./state.ts";
import { openText, savedTokenizer, type TokenText } from "./text.ts";

/** The commands, for the help. */
export const commands: Readonly<Record<string, Command>> = {
  train: { about: "Train, evaluate and write a sample (the default)" },
  sample: { about: "Write text with a run or a checkpoint", positional: "[CHECKPOINT]" },
  eval: { about: "Loss, perplexity and bits per character", positional: "[CHECKPOINT]" },
};

/** Settings of a script, the shared ones among them. */
type LanguageSettings = Settings & language.Settings;

/** A model with its tokenizer. */
export interface OpenedModel<M extends Module> {
  /** The model. */
  model: M;
  /** Its tokenizer. */
  tokenizer: Tokenizer;
  /** Tokens that end a text, where there are any. */
  endOfText?: readonly number[] | undefined;
  /** How its makers draw tokens; flags go before it. */
  sampling?: SampleOptions | undefined;
}

/** What a script has beside its settings. */
export interface LanguageScript<C extends LanguageSettings, M extends Module> {
  /** Start of the names of its runs. */
  name: string;
  /** Settings that the weights of a run depend on. */
  fixed: readonly (keyof C & string)[];
  /** Trains; goes on from a checkpoint where there is one. */
  train(settings: C, checkpoint?: Checkpoint): Promise<void>;
  /** Makes a model for settings; where those name weights there may be no tokenizer yet. */
  open(
    settings: C,
    tokenizer: Tokenizer | undefined,
  ): OpenedModel<M> | Promise<OpenedModel<M>>;
  /** Whether settings name weights that need no run. */
  hasWeights?(settings: C): boolean;
  /** What writes with a model. */
  generator(model: M, tokenizer: Tokenizer, settings: C): TokenGenerator;
  /** Mean loss over the validation part of a text. */
  evaluator(model: M, text: TokenText, settings: C): () => Promise<number>;
}

/**
 * Runs the command that the command line names.
 *
 * @param script Settings and help.
 * @param parts What the script has beside them.
 */
export async function runLanguageScript<C extends LanguageSettings, M extends Module>(
  script: Script<C>,
  parts: LanguageScript<C, M>,
): Promise<void> {
  const parsed = commandLine(script);
  if (parsed.command === "sample") return await sample(parsed, parts);
  if (parsed.command === "eval") return await evaluate(parsed, parts);
  const { resume } = parsed.config;
  if (!resume) return await parts.train(parsed.config);
  const checkpoint = await findCheckpoint(resume, { name: parts.name });
  const settings = resumeConfig(parsed, await savedConfig(checkpoint), parts.fixed);
  await parts.train(settings, checkpoint);
}

/** The model of a checkpoint, or of the weights that settings name. */
async function openTrained<C extends LanguageSettings, M extends Module>(
  parsed: Parsed<C>,
  parts: LanguageScript<C, M>,
): Promise<OpenedModel<M> & { settings: C }> {
  const { config: given, args } = parsed;
  await openDevice(given);
  manualSeed(given.seed);
  const name = args[0] ?? given.resume;
  if (!name && parts.hasWeights?.(given)) {
    const opened = await parts.open(given, undefined);
    opened.model.eval();
    return { ...opened, settings: given };
  }
  const checkpoint = await findCheckpoint(name || "last", { name: parts.name });
  const settings = resumeConfig(parsed, await savedConfig(checkpoint), parts.fixed);
  const opened = await parts.open(settings, await savedTokenizer(checkpoint));
  await loadWeights(`${checkpoint.path}/model.safetensors`, opened.model);
  opened.model.eval();
  return { ...opened, settings };
}

async function sample<C extends LanguageSettings, M extends Module>(
  parsed: Parsed<C>,
  parts: LanguageScript<C, M>,
): Promise<void> {
  const { model, tokenizer, endOfText, sampling = {} } = await openTrained(parsed, parts);
  const unsaid = Object.entries(sampling).filter(([key]) => !parsed.given.has(key));
  const settings = { ...parsed.config, ...Object.fromEntries(unsaid) };
  const generator = parts.generator(model, tokenizer, settings);
  await language.showSample(generator, tokenizer, parsed.config, endOfText);
}

async function evaluate<C extends LanguageSettings, M extends Module>(
  parsed: Parsed<C>,
  parts: LanguageScript<C, M>,
): Promise<void> {
  const { model, tokenizer, settings } = await openTrained(parsed, parts);
  const text = await openText(settings, tokenizer);
  const loss = await parts.evaluator(model, text, settings)();
  console.log(`validation ${language.lossText(loss, text.charactersPerToken)}`);
  expectAtMost("validation loss", loss, settings.expect);
}
