/**
 * The flags that mean the same in every script: their help texts and their ranges.
 *
 * A script has those of them that stand in its config object.
 *
 * @module
 */
import type { Limit } from "./settings.ts";

/** Help texts of the shared flags. */
export const sharedDescribe = {
  device: "Where to compute: auto takes a hardware GPU where there is one",
  paired: "On x86-64 Linux, let V8 pair vectors of the CPU: same numbers, sooner, no bounds checks",
  seed: "Seed of everything random",
  steps: "Training steps",
  epochs: "Passes over the training set",
  batchSize: "Items per step",
  lr: "Learning rate (its peak, where there is a schedule)",
  out: "Folder for this run; empty means the next free one under runs/",
  resume: 'Run folder or checkpoint to continue from; "last" is the newest run of this script',
  dryRun: "Do one step of everything, then stop",
  overfitBatch: "Train on the first batch alone, to see the loss go to zero",
  logEvery: "Steps between two lines of progress",
  evalEvery: "Steps between two evaluations; 0 for none",
  sampleEvery: "Steps between two samples; 0 for none",
  saveEvery: "Steps between two checkpoints; 0 for none",
  expect: "Exit with status 1 where the result falls short of this; 0 expects nothing",
  preset: "A named set of settings; flags given beside it win",
} as const;

/** Name of a shared flag, as a key of a config object. */
export type SharedKey = keyof typeof sharedDescribe;

/** Ranges of the shared flags. */
export const sharedLimits: { readonly [K in SharedKey]?: Limit } = {
  device: ["auto", "webgpu", "cpu"],
  seed: { min: 0, max: 2 ** 32 - 1, integer: true },
  steps: { min: 1, integer: true },
  epochs: { min: 1, integer: true },
  batchSize: { min: 1, integer: true },
  lr: { min: 0 },
  logEvery: { min: 1, integer: true },
  evalEvery: { min: 0, integer: true },
  sampleEvery: { min: 0, integer: true },
  saveEvery: { min: 0, integer: true },
};
