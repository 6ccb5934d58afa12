/**
 * From prompts to pictures: guidance, noise, the sampler's loop, and what is saved of it.
 *
 * @module
 */
import { Generator as RandomGenerator, noGrad, randn, type Tensor, tensor } from "@tensaurus/core";
import { fromPlanes, type Picture } from "../kit/picture.ts";
import type { Diffusion } from "./diffusion.ts";
import type { Prompts } from "./prompts.ts";
import { type SamplerName, type SamplerRow, samplerRows } from "./sampler_rows.ts";
import {
  type Conditions,
  type Denoised,
  type Known,
  mixOutputs,
  repeatBatch,
  Sampler,
  type Threshold,
} from "./samplers.ts";
import type { PromptEncoder } from "./text.ts";
import type { UNet } from "./unet.ts";

/** A text encoder and a U-Net. */
export interface TextToImage {
  /** The encoder. */
  text: PromptEncoder;
  /** The U-Net. */
  unet: UNet;
}

/** How pictures are sampled. */
export interface PaintSettings {
  /** Side of the images. */
  imageSize: number;
  /** Their channels. */
  channels: number;
  /** Which sampler. */
  sampler: string;
  /** Denoising steps. */
  sampleSteps: number;
  /** Noise of DDIM. */
  eta: number;
  /** Weight of the prompt against none: 1 is the prompt alone, 0 no prompt. */
  guidance: number;
  /** What becomes of an x̂_0 that leaves −1 to 1. */
  threshold: string;
  /** Percentile of the dynamic threshold. */
  percentile: number;
}

/** A prompt for each image with its weight; the weights of an image add up to 1. */
export interface Mixture {
  /** Prompts, one per image. */
  prompts: readonly string[];
  /** Weights, one per image. */
  weights: readonly number[];
}

/** Encoded prompts `[K N, L, D]` and their weights `[K, N]`. */
export interface MixedTexts extends Conditions {
  /** Tokens. */
  tokens: Tensor;
  /** Which of them are there. */
  present: Tensor;
  /** Weights. */
  weights: Tensor;
}

/** What to paint. */
export interface Order {
  /** Prompts with weights, before guidance. */
  wanted: readonly Mixture[];
  /** What to stay away from; empty for the model without a prompt. @default {""} */
  negative?: string;
  /** Seed of the noise. */
  seed: number;
  /** All images start from the same noise. @default {false} */
  sameNoise?: boolean;
  /** Pixels that are given. */
  known?: Known;
  /** Times that each step is done, for inpainting. @default {1} */
  resamples?: number;
}

/**
 * Mixtures with guidance: g times what is wanted, 1 − g times the negative prompt. Where only one
 * prompt has a weight it is 1, and the network runs on that prompt alone.
 *
 * @param wanted Prompts with weights that add up to 1.
 * @param negative The negative prompt, empty for none.
 * @param guidance g.
 * @returns Mixtures without those whose weights are all 0.
 */
export function guided(
  wanted: readonly Mixture[],
  negative: string,
  guidance: number,
): Mixture[] {
  const count = wanted[0]!.prompts.length;
  const without = {
    prompts: new Array<string>(count).fill(negative),
    weights: new Array<number>(count).fill(1 - guidance),
  };
  const weighted = wanted.map(({ prompts, weights }) => ({
    prompts,
    weights: weights.map((weight) => weight * guidance),
  }));
  const merged = new Map<string, Mixture>();
  for (const { prompts, weights } of [...weighted, without]) {
    const key = JSON.stringify(prompts);
    const known = merged.get(key)?.weights;
    merged.set(key, { prompts, weights: weights.map((weight, i) => weight + (known?.[i] ?? 0)) });
  }
  const used = [...merged.values()].filter(({ weights }) => weights.some((weight) => weight !== 0));
  return used.length === 1 ? [{ ...used[0]!, weights: new Array(count).fill(1) }] : used;
}

/** Samples pictures from a model; its plans are kept for the next time. */
export class Painter {
  readonly #model: TextToImage;
  readonly #prompts: Prompts;
  readonly #diffusion: Diffusion;
  readonly #settings: PaintSettings;
  readonly #generator = new RandomGenerator();
  readonly #sampler: Sampler<MixedTexts>;

  /**
   * @param model Text encoder and U-Net.
   * @param prompts Prompts as numbers.
   * @param diffusion The process, and what the network predicts.
   * @param settings Sampler, steps, guidance.
   */
  constructor(
    model: TextToImage,
    prompts: Prompts,
    diffusion: Diffusion,
    settings: PaintSettings,
  ) {
    this.#model = model;
    this.#prompts = prompts;
    this.#diffusion = diffusion;
    this.#settings = settings;
    this.#sampler = new Sampler((x, t, { tokens, present, weights }) => {
      const kinds = weights.shape[0]!;
      const text = { tokens, present };
      const output = model.unet.forward(repeatBatch(x, kinds), repeatBatch(t, kinds), text);
      return kinds > 1 ? mixOutputs(output, weights) : output;
    }, {
      threshold: settings.threshold as Threshold,
      percentile: settings.percentile,
      learned: diffusion.variance === "learned-range",
      generator: this.#generator,
    });
  }

  /** Number of plans so far: one per number of images and prompts. */
  get planCount(): number {
    return this.#sampler.planCount;
  }

  /**
   * Paints; nothing waits for the device.
   *
   * @param order What to paint.
   * @returns The state after each step; see {@linkcode Sampler.run}.
   */
  *paint(order: Order): Generator<Denoised, void, void> {
    yield* this.#sampler.run(...this.#prepare(order), order.known);
  }

  /** Text of the plan of one step. */
  describe(order: Order): string {
    return this.#sampler.describe(...this.#prepare(order));
  }

  /** Noise, the table of the sampler, and the prompts with guidance. */
  #prepare(order: Order): [start: Tensor, rows: SamplerRow[], texts: MixedTexts] {
    const { imageSize, channels, guidance } = this.#settings;
    const { wanted, negative = "", seed, sameNoise = false, resamples = 1 } = order;
    const count = wanted[0]!.prompts.length;
    const rows = samplerRows(this.#diffusion.process, {
      sampler: this.#settings.sampler as SamplerName,
      steps: this.#settings.sampleSteps,
      eta: this.#settings.eta,
      prediction: this.#diffusion.prediction,
      variance: this.#diffusion.variance,
      resamples,
    });
    this.#generator.manualSeed(seed);
    const shape = [sameNoise ? 1 : count, channels, imageSize, imageSize];
    const noise = randn(shape, { generator: this.#generator });
    const start = sameNoise ? noise.expand([count, ...shape.slice(1)]).contiguous() : noise;
    return [start, rows, this.#encode(guided(wanted, negative, guidance))];
  }

  /** Paints to the end. @returns Images `[N, C, H, W]` from −1 to 1. */
  finish(order: Order): Tensor {
    let x: Tensor | undefined;
    for (const state of this.paint(order)) x = state.x;
    return x!;
  }

  #encode(mixtures: readonly Mixture[]): MixedTexts {
    const count = mixtures[0]!.prompts.length;
    const ids = this.#prompts.encodeAll(mixtures.flatMap(({ prompts }) => prompts));
    const shape = [mixtures.length * count, this.#prompts.length];
    const text = noGrad(() => this.#model.text.forward(tensor(ids, { shape })));
    const weights = tensor(mixtures.flatMap((mixture) => mixture.weights), {
      shape: [mixtures.length, count],
    });
    return { ...text, weights };
  }
}

/** One prompt for all images. */
export function same(prompt: string, count: number): Mixture {
  return { prompts: new Array(count).fill(prompt), weights: new Array(count).fill(1) };
}

/** Images `[N, C, H, W]` from −1 to 1 as pictures. */
export async function picturesOf(images: Tensor): Promise<Picture[]> {
  const [count, channels, height, width] = images.shape as [number, number, number, number];
  const values = await images.data() as Float32Array;
  const size = channels * height * width;
  return Array.from(
    { length: count },
    (_, i) =>
      fromPlanes(values.subarray(i * size, (i + 1) * size), [channels, height, width], [-1, 1]),
  );
}
