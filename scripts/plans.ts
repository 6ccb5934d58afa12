/**
 * Golden plans: the kernels, bytes and FLOPs of one step of each model, as text in `tests/plans`:
 * the workloads of the benchmark, and the steps of `models/ddpm.ts` as that script runs them. A
 * refactor leaves them as they are; a faster plan shows in the diff.
 *
 * ```sh
 * deno task plans           # write them again
 * deno task plans --check   # fail where one differs
 * ```
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { refuseUnknown } from "./_flags.ts";
import { manualSeed, randint, randn, setDevice } from "@tensaurus/core";
import { Painter, same } from "../models/ddpm/paint.ts";
import { Prompts } from "../models/ddpm/prompts.ts";
import { script as ddpm, trainingOf } from "../models/ddpm.ts";
import { exists, writeWhole } from "../models/kit/files.ts";
import { WORKLOADS } from "./bench/workloads.ts";

/** Folder of the texts. */
const FOLDER = new URL("../tests/plans/", import.meta.url);

/** Name of the file of a workload. */
function planFile(workload: string): string {
  return `${workload.replaceAll(" ", "_")}.txt`;
}

/** Training step and denoising step of `models/ddpm.ts` with the settings that it has by default. */
function ddpmPlans(): [file: string, text: string][] {
  const { config } = ddpm;
  const { batchSize, imageSize, channels, count } = config;
  manualSeed(0);
  const prompts = Prompts.of([..."0123456789"]);
  const { model, diffusion, step } = trainingOf(config, prompts);
  const images = randn([batchSize, channels, imageSize, imageSize]);
  const training = step.describe(images, randint(0, prompts.classes.length, [batchSize]));
  step.dispose();
  const painter = new Painter(model.eval(), prompts, diffusion, config);
  const denoising = painter.describe({ wanted: [same(prompts.question(7), count)], seed: 0 });
  const size = `${imageSize}x${imageSize}`;
  return [
    [planFile(`ddpm-script train b${batchSize} ${size}`), training],
    [planFile(`ddpm-script denoise b${count} ${size}`), denoising],
  ];
}

/** Text of the plan of each workload, and of each script, that a CPU can trace in a moment. */
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
  for (const [file, text] of ddpmPlans()) texts.set(file, text);
  return texts;
}

/** Names of the plans that differ from their files. */
async function changedPlans(): Promise<string[]> {
  const changed: string[] = [];
  for (const [file, text] of await planTexts()) {
    const path = new URL(file, FOLDER).pathname;
    if (!await exists(path) || await Deno.readTextFile(path) !== text) changed.push(file);
  }
  return changed;
}

if (import.meta.main) {
  const { check } = parseArgs(Deno.args, { boolean: ["check"], unknown: refuseUnknown });
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
