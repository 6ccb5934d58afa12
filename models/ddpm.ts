/**
 * Denoising diffusion: from noise to the picture that a prompt asked for.
 *
 * Ho et al. 2020, "Denoising diffusion probabilistic models", with the cosine schedule (Nichol &
 * Dhariwal 2021), v-prediction (Salimans & Ho 2022), classifier-free guidance (Ho & Salimans 2022)
 * and cross-attention to a small transformer over the prompt (Rombach et al. 2022).
 *
 * Data: the 60,000 digits of MNIST with prompts in English and Polish, made for each image anew:
 * "a handwritten three", "cyfra trzy", "3", "an odd digit", "a digit smaller than four". Or clothes
 * (Fashion-MNIST), letters (EMNIST), or any pictures, whose folders are the classes.
 *
 * The README has what it reaches, and in what time.
 *
 * ```sh
 * deno run -A models/ddpm.ts                       # about ten minutes on two cores
 * deno run -A models/ddpm.ts train --preset gpu    # wider and longer
 * deno run -A models/ddpm.ts --data fashion --data-folder ~/fashion-mnist
 * deno run -A models/ddpm.ts --data emnist --emnist-split letters --data-folder ~/emnist
 * deno run -A models/ddpm.ts --data folder --data-folder ~/photos --channels 3 --image-size 32
 * deno run -A models/ddpm.ts sample --prompt "a handwritten seven" --count 16 --guidance 3 --animate
 * deno run -A models/ddpm.ts interpolate --from "two" --to "five"
 * deno run -A models/ddpm.ts inpaint digit.png --mask mask.png --prompt "eight"
 * deno run -A models/ddpm.ts eval --classifier runs/cnn-001
 * ```
 *
 * The parts: ddpm/schedule.ts (β and what follows), ddpm/diffusion.ts (forward process, losses,
 * likelihood), ddpm/sampler_rows.ts and ddpm/samplers.ts, ddpm/unet.ts, ddpm/prompts.ts and ddpm/text.ts.
 *
 * @module
 */
import {
  arange,
  cat,
  compile,
  type CompiledFunction,
  manualSeed,
  noGrad,
  ones,
  rand,
  randint,
  randn,
  type Tensor,
  tensor,
  where,
  zeros,
} from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import * as optim from "@tensaurus/core/optim";
import { DataLoader } from "@tensaurus/core/data";
import { dirname } from "@std/path";
import { inpaint, interpolate, sample, type Studio } from "./ddpm/commands.ts";
import { Diffusion, type Prediction, type Variance } from "./ddpm/diffusion.ts";
import { evaluate } from "./ddpm/evaluate.ts";
import { asFloats, openImages } from "./ddpm/images.ts";
import { openJudge } from "./ddpm/judge.ts";
import { Painter } from "./ddpm/paint.ts";
import { Prompts, SLOTS } from "./ddpm/prompts.ts";
import {
  CHARTS,
  drawSamples,
  fromSettings,
  type Learner,
  loadModel,
  loadPrompts,
  loadRun,
  QUARTERS,
  readSums,
  saveRun,
} from "./ddpm/run.ts";
import { betasOf, Process, type ScheduleName } from "./ddpm/schedule.ts";
import { describe, FIXED, limits } from "./ddpm/settings.ts";
import { PromptEncoder } from "./ddpm/text.ts";
import { UNet } from "./ddpm/unet.ts";
import { commandLine, type Parsed, resumeConfig, type Script, UsageError } from "./kit/config.ts";
import { openDevice } from "./kit/device.ts";
import { expectAtLeast } from "./kit/expect.ts";
import { runMain } from "./kit/main.ts";
import { TrainingRun } from "./kit/run.ts";
import { type Checkpoint, findCheckpoint, savedConfig } from "./kit/run_folder.ts";

// ---------------------------------------------------------------------------------------- settings

const config = {
  data: "mnist",
  dataFolder: "",
  emnistSplit: "digits",
  images: 0,
  imageSize: 28,
  channels: 1,
  schedule: "cosine",
  diffusionSteps: 1000,
  zeroTerminalSnr: false,
  prediction: "v",
  variance: "fixed-small",
  minSnr: 0,
  width: 32,
  multipliers: [1, 2, 2] as readonly number[],
  blocks: 1,
  attention: [7] as readonly number[],
  heads: 4,
  groups: 8,
  dropout: 0,
  textWidth: 64,
  textLayers: 2,
  textHeads: 4,
  conditionDropout: 0.1,
  steps: 4000,
  batchSize: 32,
  lr: 2e-3,
  warmup: 100,
  weightDecay: 0.01,
  clip: 1,
  ema: 0.999,
  sampler: "ddim",
  sampleSteps: 50,
  eta: 0,
  guidance: 3,
  threshold: "clip",
  percentile: 0.995,
  resamples: 4,
  prompt: "",
  negative: "",
  from: "two",
  to: "five",
  mask: "",
  count: 16,
  animate: false,
  classifier: "last",
  evalSamples: 1000,
  evalImages: 10_000,
  bpdImages: 64,
  bpdTerms: 50,
  seed: 0,
  device: "auto",
  paired: true,
  out: "",
  resume: "",
  logEvery: 50,
  sampleEvery: 1000,
  saveEvery: 1000,
  dryRun: false,
  overfitBatch: false,
  expect: 0,
  preset: "",
};

type Config = typeof config;

/** Everything that the command line is made from. */
export const script: Script<Config> = {
  name: "models/ddpm.ts",
  about: "Denoising diffusion with prompts: trains on MNIST, samples, interpolates, inpaints.",
  config,
  describe,
  limits,
  presets: {
    // Wider and longer, for one card; not run yet.
    gpu: {
      width: 64,
      multipliers: [1, 2, 4],
      blocks: 2,
      attention: [14, 7],
      dropout: 0.1,
      textWidth: 128,
      steps: 40_000,
      batchSize: 128,
      lr: 5e-4,
      warmup: 1000,
      ema: 0.9995,
      sampleEvery: 2000,
      saveEvery: 2000,
      expect: 0.99,
    },
  },
  commands: {
    train: { about: "Train and evaluate (the default)" },
    sample: { about: "Paint what --prompt asks for", positional: "[CHECKPOINT]" },
    interpolate: { about: "Paint from one prompt to another", positional: "[CHECKPOINT]" },
    inpaint: { about: "Paint a part of a picture anew (the run by --resume)", positional: "IMAGE" },
    eval: { about: "Judge a run or a checkpoint", positional: "[CHECKPOINT]" },
  },
};

// ------------------------------------------------------------------------------------------- model

/** A prompt encoder and the U-Net that looks at what it gives. */
export class Ddpm extends nn.Module {
  text: PromptEncoder;
  unet: UNet;

  constructor(settings: Config, prompts: Prompts) {
    super();
    this.text = new PromptEncoder({
      vocabulary: prompts.vocabulary,
      length: prompts.length,
      width: settings.textWidth,
      layers: settings.textLayers,
      heads: settings.textHeads,
    });
    this.unet = new UNet({
      ...settings,
      context: settings.textWidth,
      outChannels: settings.channels * (settings.variance === "learned-range" ? 2 : 1),
    });
  }

  /** What the network predicts, `[N, C, H, W]`, of noisy images, steps `[N]` and prompts `[N, L]`. */
  override forward(x: Tensor, t: Tensor, ids: Tensor): Tensor {
    return this.unet.forward(x, t, this.text.forward(ids));
  }
}

function diffusionOf(settings: Config): Diffusion {
  const { schedule, diffusionSteps, zeroTerminalSnr, prediction, variance, minSnr } = settings;
  const beta = betasOf(schedule as ScheduleName, diffusionSteps, { zeroTerminalSnr });
  return fromSettings(() =>
    new Diffusion(new Process(beta), {
      prediction: prediction as Prediction,
      variance: variance as Variance,
      minSnr,
    })
  );
}

// ---------------------------------------------------------------------------------------- training

/** Warm-up, then half a cosine down to a hundredth. */
function lrAt(step: number, settings: Config): number {
  const { lr, warmup, steps } = settings;
  if (step < warmup) return lr * (step + 1) / warmup;
  const done = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return lr * (0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * done)));
}

/** What a run trains, and the step that trains it. */
export interface Training extends Learner {
  model: Ddpm;
  diffusion: Diffusion;
  /** One step as one plan; nothing waits for it. */
  step: CompiledFunction<[x0: Tensor, labels: Tensor], void>;
  /** Since the last line: the loss and the images of each quarter, the norm, the steps. */
  sums: Tensor;
}

/** Model, optimizer and averages of some settings, and their training step. */
export function trainingOf(settings: Config, prompts: Prompts): Training {
  const { conditionDropout, diffusionSteps, lr, weightDecay, clip, ema: decay } = settings;
  const diffusion = diffusionOf(settings);
  const model = fromSettings(() => new Ddpm(settings, prompts));
  const optimizer = new optim.AdamW(model.parameters(), { lr, betas: [0.9, 0.99], weightDecay });
  const ema = new optim.EMA(model, { decay });

  const shape = [prompts.classes.length * SLOTS, prompts.length];
  const table = tensor(prompts.encodeAll(prompts.table()), { shape });
  const nothing = tensor(prompts.encode("")); // [L]
  const sums = zeros([2 * QUARTERS + 2]);
  const step = compile((x0: Tensor, labels: Tensor) => {
    const n = x0.shape[0]!;
    const slot = labels.mul(SLOTS).add(randint(0, SLOTS, [n]));
    const dropped = rand([n, 1]).lt(conditionDropout);
    const ids = where(dropped, nothing, table.indexSelect(0, slot)); // [N, L]
    const t = randint(0, diffusionSteps, [n]);
    const eps = randn(x0.shape);
    const xt = diffusion.qSample(x0, t, eps); // [N, C, H, W]

    optimizer.zeroGrad();
    const losses = diffusion.loss(model.forward(xt, t, ids), { x0, eps, xt, t }); // [N]
    losses.mean().backward();
    const norm = optim.clipGradNorm(model.parameters(), clip)!;
    optimizer.step();
    ema.update();
    noGrad(() => {
      const quarter = t.mul(QUARTERS).to("float32").div(diffusionSteps).floor(); // [N]
      const member = quarter.unsqueeze(1).eq(arange(0, QUARTERS)).to("float32"); // [N, 4]
      const byQuarter = member.mul(losses.unsqueeze(1)).sum(0); // [4]
      sums.add_(cat([byQuarter, member.sum(0), norm.reshape([1]), ones([1])])); // [10]
    });
  }, { name: "trainStep" });
  return { model, optimizer, ema, diffusion, step, sums };
}

async function train(settings: Config, checkpoint?: Checkpoint): Promise<void> {
  const device = await openDevice(settings);
  const { seed, dryRun, steps } = settings;
  const images = await openImages(settings, true);
  const prompts = Prompts.of(images.classes);
  const judge = await openJudge(settings, prompts.classes);
  manualSeed(seed); // after the judge, whose weights are drawn where it is untrained
  const learner = trainingOf(settings, prompts);
  const { model, optimizer, ema, diffusion, sums, step: trainStep } = learner;
  const batchSize = Math.min(settings.batchSize, images.length);
  const order = { batchSize, shuffle: true, dropLast: true, seed };
  const loader = new DataLoader(asFloats(images), order);

  using run = await TrainingRun.open({
    script: script.name,
    name: "ddpm",
    device,
    settings,
    checkpoint,
    model,
    total: dryRun ? (checkpoint?.step ?? 0) + 1 : steps,
    perStep: batchSize,
    unit: "images",
    columns: ["loss", "lr", "norm"],
  });
  if (checkpoint) loader.loadState(await loadRun(checkpoint.path, learner));
  const save = () => saveRun(run.folder, run.step, learner, loader, prompts);
  const painter = new Painter(model, prompts, diffusion, settings);
  const rows = dryRun ? 1 : 4;
  const draw = (name: string) =>
    drawSamples(run.folder, name, { ...learner, painter, prompts }, { rows, seed });

  while (!run.over) {
    for await (const batch of loader) {
      const lr = optimizer.paramGroups[0]!.lr = lrAt(run.step, settings);
      trainStep(...run.batch(batch));
      await run.stepped(sums);
      if (run.due(settings.logEvery)) {
        const { loss, norm, quarters } = await readSums(sums);
        run.log({ loss, lr, norm, ...quarters });
      } else run.show();
      if (run.over) break;
      if (run.due(settings.sampleEvery)) {
        run.note(await draw(`samples/step-${String(run.step).padStart(6, "0")}.png`));
      }
      if (run.due(settings.saveEvery)) await save();
    }
  }
  run.stop();
  const { path } = await save();
  if (dryRun) await loadRun(path, learner);
  await run.publish(path, CHARTS);
  console.log(`samples     ${await draw("samples.png")}`);
  const forward = model.eval().forward.bind(model);
  const judged = { forward, prompts, painter, diffusion, judge };
  const scores = await ema.swap(() => evaluate(judged, evalSettings(settings)));
  run.folder.log({ step: run.step, ...scores });
  run.finish();
  expectAtLeast("prompted accuracy", scores.promptedAccuracy ?? 0, settings.expect);
}

// -------------------------------------------------------------------------------------- evaluation

/** A trial looks at a few images only. */
function evalSettings(settings: Config): Config {
  if (!settings.dryRun) return settings;
  return { ...settings, evalSamples: 4, evalImages: 4, bpdImages: 2, bpdTerms: 2 };
}

// ----------------------------------------------------------------------------------- other commands

interface Opened extends Studio {
  settings: Config;
  model: Ddpm;
  prompts: Prompts;
  diffusion: Diffusion;
}

/** A trained model with the settings of its run, then the flags given now. */
async function openModel(parsed: Parsed<Config>, name = ""): Promise<Opened> {
  const { config: given } = parsed;
  const checkpoint = await findCheckpoint(name || given.resume || "last", { name: "ddpm" });
  const saved = await savedConfig(checkpoint);
  const { out, dryRun, count, animate, expect, steps } = given;
  const settings = { ...resumeConfig(parsed, saved, FIXED), out, dryRun, count, animate, expect };
  if (parsed.given.has("steps")) settings.sampleSteps = steps;
  if (dryRun) settings.sampleSteps = 2;
  checkSampleSteps(settings);
  await openDevice(settings);
  const prompts = await loadPrompts(checkpoint.path);
  for (const key of ["prompt", "negative", "from", "to"] as const) {
    if (parsed.given.has(key)) prompts.check(`--${key}`, settings[key]);
  }
  const model = fromSettings(() => new Ddpm(settings, prompts));
  await loadModel(checkpoint.path, model);
  model.eval();
  const diffusion = diffusionOf(settings);
  const painter = new Painter(model, prompts, diffusion, settings);
  const folder = dirname(dirname(checkpoint.path));
  return { settings, folder, model, prompts, diffusion, painter };
}

function checkSampleSteps({ sampleSteps, diffusionSteps }: Config): void {
  if (sampleSteps <= diffusionSteps) return;
  throw new UsageError(
    `--steps: ${sampleSteps} denoising steps of a process that has ${diffusionSteps}`,
  );
}

async function evalCommand(parsed: Parsed<Config>): Promise<void> {
  const { settings, model, ...tools } = await openModel(parsed, parsed.args[0]);
  const judge = await openJudge(settings, tools.prompts.classes, true);
  const forward = model.forward.bind(model);
  const scores = await evaluate({ ...tools, forward, judge }, evalSettings(settings));
  expectAtLeast("prompted accuracy", scores.promptedAccuracy ?? 0, settings.expect);
}

async function trainCommand(parsed: Parsed<Config>): Promise<void> {
  const { resume, dryRun } = parsed.config;
  const checkpoint = resume === "" ? undefined : await findCheckpoint(resume, { name: "ddpm" });
  const settings = checkpoint
    ? resumeConfig(parsed, await savedConfig(checkpoint), FIXED)
    : parsed.config;
  checkSampleSteps(settings);
  await train({ ...settings, ...(dryRun ? { sampleSteps: 2 } : {}), dryRun }, checkpoint);
}

async function main(): Promise<void> {
  const parsed = commandLine(script);
  const [named] = parsed.args;
  if (parsed.command === "sample") await sample(await openModel(parsed, named));
  else if (parsed.command === "interpolate") await interpolate(await openModel(parsed, named));
  else if (parsed.command === "inpaint") await inpaint(await openModel(parsed), named);
  else if (parsed.command === "eval") await evalCommand(parsed);
  else await trainCommand(parsed);
}

if (import.meta.main) await runMain(main);
