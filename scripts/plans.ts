/**
 * Golden plans: the kernels, bytes and FLOPs of one training step of each model, as text in
 * `tests/plans`. A refactor leaves them as they are; a faster plan shows in the diff.
 *
 * ```sh
 * deno task plans           # write them again
 * deno task plans --check   # fail where one differs
 * ```
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { manualSeed, setDevice } from "@tensaurus/core";
import { exists, writeWhole } from "../models/kit/files.ts";
import { WORKLOADS } from "./bench/workloads.ts";

/** Folder of the texts. */
const FOLDER = new URL("../tests/plans/", import.meta.url);

/** Name of the file of a workload. */
export function planFile(workload: string): string {
  return `${workload.replaceAll(" ", "_")}.txt`;
}

/** Text of the plan of each workload that a CPU can trace in a moment. */
export async function planTexts(): Promise<Map<string, string>> {
  await setDevice("cpu");
  const texts = new Map<string, string>();
  for (const { name, gpuOnly, make } of WORKLOADS) {
    if (gpuOnly) continue;
    manualSeed(0);
    const { step, args } = make();
    texts.set(planFile(name), step.describe(...args));
    step.dispose();
  }
  return texts;
}

/** Names of the plans that differ from their files. */
export async function changedPlans(): Promise<string[]> {
  const changed: string[] = [];
  for (const [file, text] of await planTexts()) {
    const path = new URL(file, FOLDER).pathname;
    if (!await exists(path) || await Deno.readTextFile(path) !== text) changed.push(file);
  }
  return changed;
}

if (import.meta.main) {
  const { check } = parseArgs(Deno.args, { boolean: ["check"] });
  if (check) {
    const changed = await changedPlans();
    for (const file of changed) console.error(`tests/plans/${file} differs (deno task plans)`);
    Deno.exit(changed.length ? 1 : 0);
  }
  for (const [file, text] of await planTexts()) {
    await writeWhole(new URL(file, FOLDER).pathname, text);
    console.log(`tests/plans/${file}: ${text.trimEnd().split("\n").at(-1)}`);
  }
}
