/**
 * Everything that a resumed run needs, as the files of a checkpoint: weights, optimizer, random
 * numbers, the loader's position and what else the script wants to remember.
 *
 * @module
 */
import { getRandomState, type RandomState, setRandomState, Tensor } from "@tensaurus/core";
import { loadTensors, serializeSafetensors, toHost } from "@tensaurus/core/data";
import type { Module } from "@tensaurus/core/nn";
import { readJson } from "./files.ts";
import type { CheckpointFiles } from "./run_folder.ts";

/** An optimizer, as far as a checkpoint needs to know one. */
export interface StatefulOptimizer {
  /** Moments and settings; tensors anywhere in it. */
  stateDict(): unknown;
  /** Takes them back. */
  loadStateDict(state: never): void;
}

/** What has state in a training run. */
export interface Stateful {
  /** The weights. */
  model: Module;
  /** Its moments and settings, where it has been made. */
  optimizer?: StatefulOptimizer | undefined;
  /** Anything that `JSON` keeps: step, epoch, loader, best loss. */
  progress: Record<string, unknown>;
}

interface StateFile {
  random: RandomState;
  optimizer: unknown;
  progress: Record<string, unknown>;
}

/** Takes the tensors out of nested data, leaving their names in `{ "$tensor": name }`. */
function extract(value: unknown, path: string, found: [string, Tensor][]): unknown {
  if (value instanceof Tensor) {
    found.push([path, value]);
    return { $tensor: path };
  }
  if (Array.isArray(value)) return value.map((item, i) => extract(item, `${path}.${i}`, found));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, extract(item, `${path}.${key}`, found)]),
    );
  }
  return value;
}

/** Puts tensors back where {@linkcode extract} took them from. */
function restore(value: unknown, tensors: ReadonlyMap<string, Tensor>): unknown {
  if (Array.isArray(value)) return value.map((item) => restore(item, tensors));
  if (typeof value !== "object" || value === null) return value;
  if ("$tensor" in value) return tensors.get(String(value.$tensor));
  return Object.fromEntries(Object.entries(value).map(([k, item]) => [k, restore(item, tensors)]));
}

/**
 * Tensors as the bytes of a safetensors file.
 *
 * @param tensors Names and tensors.
 * @returns The bytes.
 */
export async function tensorBytes(
  tensors: Iterable<readonly [string, Tensor]>,
): Promise<Uint8Array> {
  const arrays: [string, Awaited<ReturnType<typeof toHost>>][] = [];
  for (const [name, tensor] of tensors) arrays.push([name, await toHost(tensor)]);
  return serializeSafetensors(arrays, { format: "pt" });
}

/**
 * The files of a checkpoint.
 *
 * @param state Model, optimizer and progress.
 * @returns `model.safetensors`, and what resuming needs beside it.
 */
export async function checkpointFiles(state: Stateful): Promise<CheckpointFiles> {
  const moments: [string, Tensor][] = [];
  const optimizer = extract(state.optimizer?.stateDict() ?? null, "optimizer", moments);
  const file: StateFile = { random: getRandomState(), optimizer, progress: state.progress };
  return {
    "model.safetensors": await tensorBytes(Object.entries(state.model.stateDict())),
    "optimizer.safetensors": await tensorBytes(moments),
    "state.json": JSON.stringify(file) + "\n",
  };
}

/**
 * Puts a checkpoint back into a model, its optimizer and the random numbers.
 *
 * @param folder Folder of the checkpoint.
 * @param state Where to put it; `progress` is not read.
 * @returns The progress that was saved.
 * @throws {Error} If weights are missing or of another shape.
 */
export async function loadCheckpoint(
  folder: string,
  state: Pick<Stateful, "model" | "optimizer">,
): Promise<Record<string, unknown>> {
  await loadWeights(`${folder}/model.safetensors`, state.model);
  const file = await readJson<StateFile>(`${folder}/state.json`);
  if (state.optimizer && file.optimizer) {
    const moments = await loadTensors(`${folder}/optimizer.safetensors`);
    const saved = restore(file.optimizer, moments);
    state.optimizer.loadStateDict(saved as never);
  }
  setRandomState(file.random);
  return file.progress;
}

/**
 * Loads weights alone.
 *
 * @param path A safetensors file.
 * @param model Where to put them.
 */
export async function loadWeights(path: string, model: Module): Promise<void> {
  model.loadStateDict(Object.fromEntries(await loadTensors(path)));
}
