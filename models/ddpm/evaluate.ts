/**
 * How good a model is: whether a trained classifier sees what was asked for, how far the features
 * of samples are from those of real images, and bits per dimension.
 *
 * @module
 */
import { compile, Generator, noGrad, rand, randn, type Tensor, tensor } from "@tensaurus/core";
import type { Image } from "@tensaurus/core/data";
import type { Picture } from "../kit/picture.ts";
import type { Diffusion } from "./diffusion.ts";
import { frechetDistance, statisticsOf } from "./frechet.ts";
import { type ImageSettings, type LabeledSet, openImages, toFloats } from "./images.ts";
import type { Judge } from "./judge.ts";
import { type Mixture, type Painter, picturesOf } from "./paint.ts";
import type { Prompts } from "./prompts.ts";

/** Samples that are painted at once. */
const BATCH = 100;

/** What {@linkcode bitsPerDimension} is given. */
export interface BitsOptions {
  /** The network without a prompt: images `[N, C, H, W]`, steps int32 `[N]`. */
  predict: (x: Tensor, t: Tensor) => Tensor;
  /** The process. */
  diffusion: Diffusion;
  /** Images `[N, C, H, W]` from −1 to 1, in batches of one size. */
  batches: readonly Tensor[];
  /** Terms of the bound that are computed, of the T that there are. */
  terms: number;
  /** Seed of noise and steps. */
  seed: number;
}

/**
 * The variational bound in bits per dimension: the first term and the prior exactly, the others
 * from one random step in each of equal parts of the process.
 *
 * @param options Network, process, images.
 * @returns Bits per dimension, an estimate without bias of what all T terms give.
 */
export async function bitsPerDimension(options: BitsOptions): Promise<number> {
  const { predict, diffusion, batches, terms, seed } = options;
  const { steps } = diffusion.process;
  const generator = new Generator(seed);
  const parts = Math.max(1, Math.min(terms, steps) - 1);
  const length = (steps - 1) / parts;
  const term = compile((x0: Tensor, t: Tensor) =>
    noGrad(() => {
      const eps = randn(x0.shape, { generator });
      const xt = diffusion.qSample(x0, t, eps);
      return diffusion.bits(diffusion.split(predict(xt, t)), { x0, xt, t }, true).sum();
    }), { name: "bits" });
  let sum = 0, count = 0;
  for (const x0 of batches) {
    const size = x0.shape[0]!;
    count += size;
    const drawn = [...await rand([parts], { generator }).data()];
    const at = [0, ...drawn.map((u, i) => 1 + Math.floor((i + u) * length))];
    const values = at.map((t) =>
      term(x0, tensor(new Int32Array(size).fill(Math.min(t, steps - 1)), { shape: [size] }))
    );
    sum += await diffusion.priorBits(x0).sum().item();
    for (const [i, value] of values.entries()) sum += (i > 0 ? length : 1) * await value.item();
  }
  term.dispose();
  return sum / count;
}

/** What the judge says of the samples. */
interface Judged {
  /** Share of the prompted samples in which the judge sees what was asked for. */
  promptedAccuracy: number;
  /** Fréchet distance of the samples to the test images. */
  frechet: number;
  /** That of as many training images. */
  frechetFloor: number;
}

/** Figures of a model. */
export interface Scores extends Partial<Judged> {
  /** Bits per dimension of test images. */
  bitsPerDimension?: number;
}

/** What {@linkcode evaluate} is given. */
export interface Evaluated {
  /** The network: noisy images, steps, ids of prompts. */
  forward: (x: Tensor, t: Tensor, ids: Tensor) => Tensor;
  /** Prompts as numbers. */
  prompts: Prompts;
  /** What paints the samples. */
  painter: Painter;
  /** The process. */
  diffusion: Diffusion;
  /** The classifier; without one there are bits per dimension alone. */
  judge: Judge | undefined;
}

/** Settings of {@linkcode evaluate}. */
export interface EvaluateSettings extends ImageSettings {
  /** Samples that are judged. */
  evalSamples: number;
  /** Test images that they are compared with. */
  evalImages: number;
  /** Test images for bits per dimension. */
  bpdImages: number;
  /** Terms of the bound. */
  bpdTerms: number;
  /** Seed of the samples. */
  seed: number;
}

/**
 * Paints samples and judges them.
 *
 * @param model Network, prompts, painter, judge.
 * @param settings How many.
 * @param print Where the figures go.
 * @returns The figures.
 */
export async function evaluate(
  model: Evaluated,
  settings: EvaluateSettings,
  print: (line: string) => void = console.log,
): Promise<Scores> {
  const { bpdImages } = settings;
  const testImages = await openImages(settings, false);
  const scores: Scores = model.judge
    ? await judgeSamples({ ...model, judge: model.judge }, testImages, settings, print)
    : {};
  if (bpdImages > 0) {
    scores.bitsPerDimension = await bitsOf(model, asBatch(testImages, bpdImages), settings);
    const count = Math.min(bpdImages, testImages.length);
    print(`bits/dim    ${scores.bitsPerDimension.toFixed(3)} of ${count} test images`);
  }
  return scores;
}

async function judgeSamples(
  { prompts, painter, judge }: Evaluated & { judge: Judge },
  testImages: LabeledSet,
  settings: EvaluateSettings,
  print: (line: string) => void,
): Promise<Judged> {
  const { evalSamples, evalImages, seed } = settings;
  const labels = Array.from({ length: evalSamples }, (_, i) => i % prompts.classes.length);
  const began = performance.now();
  const pictures: Picture[] = [];
  for (let start = 0; start < evalSamples; start += BATCH) {
    const wanted = [askFor(prompts, labels.slice(start, start + BATCH))];
    pictures.push(...await picturesOf(painter.finish({ wanted, seed: seed + start })));
  }
  const seconds = (performance.now() - began) / 1000;
  const verdict = await judge.look(pictures);
  const right = verdict.labels.filter((label, i) => label === labels[i]).length;
  const trainImages = await openImages(settings, true);
  const test = statisticsOf((await judge.look(firstImages(testImages, evalImages))).features);
  const train = statisticsOf((await judge.look(firstImages(trainImages, evalSamples))).features);
  const promptedAccuracy = right / evalSamples;
  const frechet = frechetDistance(statisticsOf(verdict.features), test);
  const frechetFloor = frechetDistance(train, test);
  const accuracy = (100 * promptedAccuracy).toFixed(1);
  print(`prompted    ${accuracy} % of ${evalSamples} samples, painted in ${seconds.toFixed(1)} s`);
  print(
    `Fréchet     ${frechet.toFixed(2)} to the test images, ` +
      `${frechetFloor.toFixed(2)} from training images`,
  );
  return { promptedAccuracy, frechet, frechetFloor };
}

/** One prompt per image, which names its class. */
export function askFor(prompts: Prompts, labels: readonly number[]): Mixture {
  return {
    prompts: labels.map((label) => prompts.question(label)),
    weights: labels.map(() => 1),
  };
}

/** Bits per dimension of the model without a prompt. */
function bitsOf(
  { forward, prompts, diffusion }: Evaluated,
  images: Tensor,
  settings: EvaluateSettings,
): Promise<number> {
  const { bpdTerms, seed } = settings;
  const nothing = tensor(prompts.encode("")); // [L]
  return bitsPerDimension({
    predict: (x, t) => forward(x, t, nothing.expand([x.shape[0]!, prompts.length])),
    diffusion,
    batches: [images],
    terms: bpdTerms,
    seed,
  });
}

function firstImages(set: LabeledSet, count: number): Image[] {
  return Array.from({ length: Math.min(count, set.length) }, (_, i) => set.get(i)[0]);
}

/** The first images as one batch `[N, C, H, W]` from −1 to 1. */
function asBatch(set: LabeledSet, count: number): Tensor {
  const items = firstImages(set, count).map(toFloats);
  const [first] = items;
  const values = new Float32Array(items.length * first!.data.length);
  for (const [i, { data }] of items.entries()) values.set(data, i * data.length);
  return tensor(values, { shape: [items.length, ...first!.shape] });
}
