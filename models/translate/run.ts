/**
 * What a training run of the translator changes as it goes, and what its checkpoints hold.
 *
 * @module
 */
import { DataLoader, type HostArray, type LoaderState, loadTensors } from "@tensaurus/core/data";
import type { Module } from "@tensaurus/core/nn";
import * as optim from "@tensaurus/core/optim";
import type { Checkpoint, CheckpointFiles } from "../kit/run_folder.ts";
import { checkpointFiles, loadCheckpoint, tensorBytes } from "../kit/state.ts";
import { PairDataset, spokenTokenizer } from "./spoken.ts";

/** A model with what trains it. */
export interface Learner<M extends Module> {
  /** The model. */
  model: M;
  /** What changes its weights. */
  optimizer: optim.Adam;
  /** Averages of the weights, which are those that translate. */
  average: optim.EMA;
  /** Pairs of a source and a target. */
  loader: DataLoader<[source: HostArray, target: HostArray]>;
}

/**
 * Makes what trains a model.
 *
 * @param model The model.
 * @param settings Its settings.
 * @returns The model with its optimizer (5.3), the averages of its weights and the pairs.
 */
export function learnerOf<M extends Module>(
  model: M,
  settings: { batchSize: number; steps: number; seed: number; averaging: number },
): Learner<M> {
  const { batchSize, steps, seed, averaging: decay } = settings;
  const pairs = new PairDataset(spokenTokenizer(), steps * batchSize, seed);
  return {
    model,
    optimizer: new optim.Adam(model.parameters(), { betas: [0.9, 0.98], eps: 1e-9 }),
    average: new optim.EMA(model, { decay }),
    loader: new DataLoader(pairs, { batchSize }),
  };
}

/**
 * Puts the state of a checkpoint back.
 *
 * @param learner What has state.
 * @param checkpoint Where to go on from.
 */
export async function restore(
  { model, optimizer, average, loader }: Learner<Module>,
  checkpoint: Checkpoint,
): Promise<void> {
  const saved = await loadCheckpoint(checkpoint.path, { model, optimizer });
  // The number of pairs is that of the steps, which may be more than before.
  const { batch } = saved["loader"] as LoaderState;
  loader.loadState({ ...loader.state(), batch });
  const averages = await loadTensors(`${checkpoint.path}/average.safetensors`);
  average.loadStateDict(Object.fromEntries(averages), saved["updates"] as number);
}

/**
 * The files of a checkpoint.
 *
 * @param learner What has state.
 * @returns Files by name.
 */
export async function filesOf(learner: Learner<Module>): Promise<CheckpointFiles> {
  const { model, optimizer, average, loader } = learner;
  const progress = { loader: loader.state(), updates: average.updates };
  return {
    ...await checkpointFiles({ model, optimizer, progress }),
    "average.safetensors": await tensorBytes(Object.entries(average.stateDict())),
  };
}
