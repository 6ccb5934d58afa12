/**
 * How good a model is: whether a trained classifier sees what was asked for, how far the features
 * of samples are from those of real images, and bits per dimension.
 *
 * @module
 */
import {
  compile,
  type CompiledFunction,
  Generator,
  noGrad,
  rand,
  randn,
  type Tensor,
  tensor,
} from "@tensaurus/core";
import { Compose, Grayscale, type Image, Normalize, Resize, ToTensor } from "@tensaurus/core/data";
import * as nn from "@tensaurus/core/nn";
import { Net } from "../cnn.ts";
import type { Picture } from "../kit/picture.ts";
import { type Checkpoint, findCheckpoint, savedConfig } from "../kit/run_folder.ts";
import { UsageError } from "../kit/settings.ts";
import { loadWeights } from "../kit/state.ts";
import type { Diffusion } from "./diffusion.ts";
import { frechetDistance, statisticsOf } from "./frechet.ts";
import { type ImageSettings, type LabeledSet, openImages, toFloats } from "./images.ts";
import { type Mixture, type Painter, picturesOf } from "./paint.ts";
import type { Prompts } from "./prompts.ts";

/** Images that the classifier sees at once. */
const BATCH = 100;

/** What the judge needs to know of the run that trained it. */
interface JudgeSettings {
  imageSize: number;
  classes: number;
  dropout: number;
  mean: number;
  deviation: number;
}

/** What the judge says about each image. */
export interface Verdict {
  /** Likeliest class. */
  labels: number[];
  /** Features before the last layer. */
  features: Float32Array[];
}

/** The classifier of models/cnn.ts. */
export class Judge {
  readonly #transform: Compose;
  readonly #look: CompiledFunction<[x: Tensor], { labels: Tensor; features: Tensor }>;

  private constructor(net: Net, { imageSize, mean, deviation }: JudgeSettings) {
    this.#transform = new Compose([
      new Grayscale(3),
      new Resize([imageSize, imageSize]),
      new ToTensor(),
      new Normalize([mean, mean, mean], [deviation, deviation, deviation]),
    ]);
    net.eval();
    let hidden: Tensor;
    net.fc1.registerForwardHook((_, output) => void (hidden = output as Tensor));
    this.#look = compile((x: Tensor) =>
      noGrad(() => {
        const labels = net.forward(x).argmax(1); // [N]
        return { labels, features: nn.functional.relu(hidden) }; // [N, 512]
      }), { name: "judge" });
  }

  /**
   * A trained classifier.
   *
   * @param checkpoint A run of models/cnn.ts, or `last`.
   * @returns The judge.
   * @throws {UsageError} If there is none.
   */
  static async open(checkpoint: string): Promise<Judge> {
    const found = await findJudge(checkpoint);
    const settings = await savedConfig(found) as unknown as JudgeSettings;
    const net = new Net(settings);
    await loadWeights(`${found.path}/model.safetensors`, net);
    return new Judge(net, settings);
  }

  /** A classifier that was never trained, to try the program out. */
  static untrained(): Judge {
    const settings = { imageSize: 28, classes: 10, dropout: 0, mean: 0.1307, deviation: 0.3081 };
    return new Judge(new Net(settings), settings);
  }

  /** Looks at images. */
  async look(images: readonly (Image | Picture)[]): Promise<Verdict> {
    const labels: number[] = [], features: Float32Array[] = [];
    for (let start = 0; start < images.length; start += BATCH) {
      const batch = images.slice(start, start + BATCH);
      const count = batch.length;
      // The last batch is filled up, so that there is one plan.
      while (batch.length < BATCH && images.length > BATCH) batch.push(batch[0]!);
      const arrays = batch.map((image) => this.#transform.forward(image as Image));
      const shape = [batch.length, ...arrays[0]!.shape];
      const values = new Float32Array(shape.reduce((n, s) => n * s, 1));
      for (const [i, { data }] of arrays.entries()) {
        values.set(data as Float32Array, i * data.length);
      }
      const verdict = this.#look(tensor(values, { shape }));
      labels.push(...[...await verdict.labels.data()].slice(0, count));
      const flat = await verdict.features.data() as Float32Array;
      const width = flat.length / batch.length;
      for (let i = 0; i < count; i++) features.push(flat.slice(i * width, (i + 1) * width));
    }
    return { labels, features };
  }
}

async function findJudge(checkpoint: string): Promise<Checkpoint> {
  try {
    return await findCheckpoint(checkpoint, { name: "cnn" });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const why = error.message.replace("--resume: ", "");
    throw new UsageError(`--classifier: ${why} (deno run -A models/cnn.ts trains one)`);
  }
}

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

/** Figures of a model. */
export interface Scores {
  /** Share of the prompted samples in which the judge sees what was asked for. */
  promptedAccuracy: number;
  /** Fréchet distance of the samples to the test images. */
  frechet: number;
  /** That of as many training images. */
  frechetFloor: number;
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
  /** The classifier. */
  judge: Judge;
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
  const { prompts, painter, judge } = model;
  const { evalSamples, evalImages, bpdImages, seed } = settings;
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
  const testImages = await openImages(settings, false);
  const trainImages = await openImages(settings, true);
  const test = statisticsOf((await judge.look(firstImages(testImages, evalImages))).features);
  const train = statisticsOf((await judge.look(firstImages(trainImages, evalSamples))).features);
  const scores: Scores = {
    promptedAccuracy: right / evalSamples,
    frechet: frechetDistance(statisticsOf(verdict.features), test),
    frechetFloor: frechetDistance(train, test),
  };
  const accuracy = (100 * scores.promptedAccuracy).toFixed(1);
  print(`prompted     ${accuracy} % of ${evalSamples} samples, painted in ${seconds.toFixed(1)} s`);
  print(
    `Fréchet      ${scores.frechet.toFixed(2)} to the test images, ` +
      `${scores.frechetFloor.toFixed(2)} from training images`,
  );
  if (bpdImages > 0) {
    scores.bitsPerDimension = await bitsOf(model, asBatch(testImages, bpdImages), settings);
    print(`bits/dim     ${scores.bitsPerDimension.toFixed(3)} of ${bpdImages} test images`);
  }
  return scores;
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
