/**
 * What a training run keeps and shows: checkpoints, measurements, pictures.
 *
 * @module
 */
import type { Tensor } from "@tensaurus/core";
import type { LoaderState } from "@tensaurus/core/data";
import type { Module } from "@tensaurus/core/nn";
import type { AdamW, EMA } from "@tensaurus/core/optim";
import type { Panel } from "../kit/curves.ts";
import { readJson } from "../kit/files.ts";
import { encodePng, grid } from "../kit/picture.ts";
import type { Checkpoint, RunFolder } from "../kit/run_folder.ts";
import { UsageError } from "../kit/settings.ts";
import { checkpointFiles, loadCheckpoint, loadWeights } from "../kit/state.ts";
import { askFor } from "./evaluate.ts";
import { type Painter, picturesOf } from "./paint.ts";
import { Prompts } from "./prompts.ts";

/** What a run changes as it goes. */
export interface Learner {
  /** The trained weights. */
  model: Module;
  /** Their moments. */
  optimizer: AdamW;
  /** Their averages. */
  ema: EMA;
}

/** Quarters of the process, for which the loss is shown apart. */
export const QUARTERS = 4;

/** What a run draws of its metrics. */
export const CHARTS: Panel[] = [
  { title: "loss", keys: ["loss"], log: true },
  {
    title: "loss by quarter of the process",
    keys: ["loss1", "loss2", "loss3", "loss4"],
    log: true,
  },
  { title: "learning rate", keys: ["lr"] },
];

/** Saves the averaged weights as the model, and beside them what resuming needs. */
export async function saveRun(
  folder: RunFolder,
  step: number,
  { model, optimizer, ema }: Learner,
  loader: { state(): LoaderState },
  prompts: Prompts,
): Promise<Checkpoint> {
  const progress = { loader: loader.state(), emaUpdates: ema.updates };
  const trained = await checkpointFiles({ model, optimizer, progress });
  const averaged = await ema.swap(() => checkpointFiles({ model, progress }));
  return await folder.save(step, {
    ...trained,
    "model.safetensors": averaged["model.safetensors"]!,
    "trained.safetensors": trained["model.safetensors"]!,
    "text.json": JSON.stringify(prompts.save()) + "\n",
  });
}

/** Puts a checkpoint back. @returns Where the loader stood. */
export async function loadRun(
  path: string,
  { model, optimizer, ema }: Learner,
): Promise<LoaderState> {
  const progress = await loadCheckpoint(path, { model, optimizer });
  ema.loadStateDict(model.stateDict(), Number(progress["emaUpdates"]));
  await loadWeights(`${path}/trained.safetensors`, model);
  return progress["loader"] as LoaderState;
}

/**
 * The prompts of a checkpoint.
 *
 * @param path Folder of the checkpoint.
 * @returns The prompts that its model was trained with.
 * @throws {UsageError} If it is not one of models/ddpm.ts.
 */
export async function loadPrompts(path: string): Promise<Prompts> {
  try {
    return Prompts.load(await readJson(`${path}/text.json`));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(`--resume: ${path} is no checkpoint of models/ddpm.ts`);
  }
}

/**
 * The averaged weights of a checkpoint.
 *
 * @param path Folder of the checkpoint.
 * @param model Where to put them.
 * @throws {UsageError} If they are those of another network.
 */
export async function loadModel(path: string, model: Module): Promise<void> {
  try {
    await loadWeights(`${path}/model.safetensors`, model);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("loadStateDict")) throw error;
    throw new UsageError(`--resume: ${path} does not fit the settings: ${error.message}`);
  }
}

/**
 * Makes something from settings; what refuses them speaks to the user.
 *
 * @param make What may throw a `RangeError`.
 * @returns What was made.
 * @throws {UsageError} With the same message.
 */
export function fromSettings<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(error.message);
  }
}

/** Options of {@linkcode drawSamples}. */
export interface DrawOptions {
  /** Rows of the grid; a column for each of the first ten classes. */
  rows: number;
  /** Seed of the noise. */
  seed: number;
}

/**
 * Writes a grid of samples of the averaged weights.
 *
 * @param folder Where to write.
 * @param name Name of the file.
 * @param tools Model, averages, prompts, and what paints.
 * @param options Rows, seed.
 * @returns Path of the file.
 */
export async function drawSamples(
  folder: RunFolder,
  name: string,
  { model, ema, painter, prompts }: Learner & { painter: Painter; prompts: Prompts },
  { rows, seed }: DrawOptions,
): Promise<string> {
  const columns = Math.min(10, prompts.classes.length);
  const labels = Array.from({ length: rows * columns }, (_, i) => i % columns);
  const wanted = [askFor(prompts, labels)];
  model.eval();
  const pictures = await ema.swap(() => picturesOf(painter.finish({ wanted, seed })));
  model.train();
  const tiles = pictures.map((picture, i) => ({ picture, caption: prompts.classes[labels[i]!] }));
  return await folder.write(name, encodePng(grid(tiles, { columns })));
}

/** The loss, that of each quarter of the process, and the norm, as means; the sums start again. */
export async function readSums(
  sums: Tensor,
): Promise<{ loss: number; quarters: Record<string, number>; norm: number }> {
  const values = [...await sums.data()];
  sums.zero_();
  const quarters: Record<string, number> = {};
  let loss = 0, images = 0;
  for (let q = 0; q < QUARTERS; q++) {
    loss += values[q]!;
    images += values[QUARTERS + q]!;
    if (values[QUARTERS + q]! > 0) quarters[`loss${q + 1}`] = values[q]! / values[QUARTERS + q]!;
  }
  const norm = values[2 * QUARTERS]! / values[2 * QUARTERS + 1]!;
  return { loss: loss / images, quarters, norm };
}
