/**
 * What the training runs of language models do beside their steps: going on from a checkpoint, and
 * validation, lines, checkpoints and samples between steps.
 *
 * @module
 */
import type { DeviceName, Tensor } from "@tensaurus/core";
import type { LoaderState, Tokenizer } from "@tensaurus/core/data";
import type { Module } from "@tensaurus/core/nn";
import type { TokenGenerator } from "./generate.ts";
import { sampleText, type Settings } from "./language.ts";
import { TrainingRun } from "./run.ts";
import type { Checkpoint, CheckpointFiles } from "./run_folder.ts";
import { checkpointFiles, loadCheckpoint, type StatefulOptimizer } from "./state.ts";

/** What a run changes as it goes, and what its checkpoints hold. */
export interface Learner {
  /** The model. */
  model: Module;
  /** What changes its weights. */
  optimizer: StatefulOptimizer;
  /** What it reads. */
  loader: { state(): LoaderState; loadState(state: LoaderState): void };
  /** Its tokenizer. */
  tokenizer: Tokenizer;
}

/** Settings that a run reads. */
type RunSettings = Settings & { steps: number; batchSize: number; context: number };

/** A run of a language model. */
export interface LanguageRunOptions {
  /** The script, such as `models/gpt.ts`. */
  script: string;
  /** Start of the name of a numbered folder. */
  name: string;
  /** Device of the run. */
  device: DeviceName;
  /** Its settings. */
  settings: RunSettings;
  /** Where to go on from. */
  checkpoint: Checkpoint | undefined;
}

/**
 * Opens the run of a language model.
 *
 * @param model What is trained.
 * @param options The run.
 * @returns The run, whose lines have loss, validation loss, learning rate and norm of the gradients.
 */
export function openRun(model: Module, options: LanguageRunOptions): Promise<TrainingRun> {
  const { steps: total, batchSize, context } = options.settings;
  return TrainingRun.open({
    ...options,
    model,
    total,
    perStep: batchSize * context,
    unit: "tok",
    columns: ["loss", "val", "lr", "norm"],
  });
}

/**
 * Puts the state of a checkpoint back; a new run keeps its tokenizer.
 *
 * @param run The run.
 * @param learner What has state.
 * @param checkpoint Where to go on from.
 */
export async function beginRun(
  run: TrainingRun,
  { model, optimizer, loader, tokenizer }: Learner,
  checkpoint: Checkpoint | undefined,
): Promise<void> {
  if (!checkpoint) {
    await run.folder.write("tokenizer.json", JSON.stringify(tokenizer));
    return;
  }
  const saved = await loadCheckpoint(checkpoint.path, { model, optimizer });
  loader.loadState(saved["loader"] as LoaderState);
  run.best = saved["best"] as number | null ?? Infinity;
}

/**
 * The files of a checkpoint.
 *
 * @param run The run.
 * @param learner What has state.
 * @returns Files by name.
 */
export function filesOf(run: TrainingRun, learner: Learner): Promise<CheckpointFiles> {
  const { model, optimizer, loader } = learner;
  const progress = { loader: loader.state(), best: run.best };
  return checkpointFiles({ model, optimizer, progress });
}

/** What happens between steps. */
export interface Between extends Learner {
  /** Settings: how often what happens. */
  settings: RunSettings;
  /** Loss and norm of the gradients, summed over the steps since the last line. */
  sums: Tensor;
  /** Makes the files of a checkpoint. */
  files(): Promise<CheckpointFiles>;
  /** Gives the validation loss. */
  evaluate(): Promise<number>;
  /** Writes with the model. */
  generator: TokenGenerator;
}

/**
 * Does what is due after a step: validation, a line, a checkpoint, a sample.
 *
 * @param run The run.
 * @param between What is done.
 * @param lr Learning rate of the step.
 */
export async function afterStep(run: TrainingRun, between: Between, lr: number): Promise<void> {
  const { model, tokenizer, settings, sums, files, generator } = between;
  await run.stepped(sums);
  if (run.due(settings.evalEvery)) await run.validated(await between.evaluate(), files);
  if (run.due(settings.logEvery)) {
    const [loss, norm] = await run.means(sums) as [number, number];
    run.log({ loss, lr, norm }, { val: run.val });
  } else run.show();
  if (run.due(settings.saveEvery)) await run.save(files, between);
  if (run.due(settings.sampleEvery)) {
    const written = await sampleText(model, generator, tokenizer, settings);
    run.note(`--- step ${run.step}\n${written}\n---`);
  }
}
