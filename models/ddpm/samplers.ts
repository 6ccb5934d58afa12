/**
 * The loop from noise to an image: one compiled plan runs again and again, and reads its row of the
 * sampler's table by a counter on the device.
 *
 * @module
 */
import {
  compile,
  type CompiledFunction,
  type Generator as RandomGenerator,
  noGrad,
  randn,
  sort,
  type Tensor,
  tensor,
  zerosLike,
} from "@tensaurus/core";
import { COLUMNS, type SamplerRow } from "./sampler_rows.ts";

/** What becomes of an x̂_0 that leaves −1 to 1. */
export const THRESHOLDS = ["none", "clip", "dynamic"] as const;

/** Nothing, clipping, or division by a high percentile of each image (Saharia et al. 2022). */
export type Threshold = typeof THRESHOLDS[number];

/** What a condition of the network may be made of. */
export type Conditions = { readonly [name: string]: Tensor | Conditions };

/** A network as samplers see it: images `[N, C, H, W]`, steps float `[N]`, conditions. */
export type Predictor<C extends Conditions> = (x: Tensor, t: Tensor, conditions: C) => Tensor;

/** Options of {@linkcode Sampler}. */
export interface LoopOptions {
  /** What becomes of an x̂_0 that leaves −1 to 1. @default {"clip"} */
  threshold?: Threshold;
  /** Percentile for `dynamic`, as a fraction. @default {0.995} */
  percentile?: number;
  /** Whether the output has a second half of channels with the variance. @default {false} */
  learned?: boolean;
  /** Where the noise comes from; the default generator where absent. */
  generator?: RandomGenerator;
}

/** Pixels that are given, for inpainting. */
export interface Known extends Conditions {
  /** Images `[N, C, H, W]`. */
  image: Tensor;
  /** 1 where the image is given, 0 where it is to be made; broadcasts to the images. */
  mask: Tensor;
}

/** Where sampling stands; the tensors are valid until the next step. */
export interface Denoised {
  /** Steps done. */
  done: number;
  /** Steps in all. */
  total: number;
  /** The image so far. */
  x: Tensor;
  /** The image that the network believes in. */
  x0: Tensor;
}

type Step<C> = CompiledFunction<
  [x: Tensor, before: Tensor, position: Tensor, table: Tensor, conditions: C, known: Known | null],
  { x: Tensor; x0: Tensor; position: Tensor }
>;

/** The loop over a sampler's table. One denoising step is one plan for each shape of images. */
export class Sampler<C extends Conditions> {
  readonly #step: Step<C>;

  /**
   * @param predict The network.
   * @param options Thresholds, learned variance, random numbers.
   */
  constructor(predict: Predictor<C>, options: LoopOptions = {}) {
    this.#step = compile(
      (x, before, position, table, conditions, known) =>
        noGrad(() => denoise(predict, options, { x, before, position, table, conditions, known })),
      { name: "denoise" },
    );
  }

  /**
   * Goes from noise to images; nothing waits for the device.
   *
   * @param start Standard normal noise `[N, C, H, W]`.
   * @param rows Table from {@linkcode samplerRows}.
   * @param conditions What the network is told beside x and t.
   * @param known Pixels that are given.
   * @returns The state after each step. The last `x` is the caller's; what else is to be kept must
   * be cloned before the next step.
   */
  *run(
    start: Tensor,
    rows: readonly SamplerRow[],
    conditions: C,
    known: Known | null = null,
  ): Generator<Denoised, void, void> {
    const table = deviceTable(rows);
    let state = { x: start, x0: zerosLike(start), position: tensor([0], { dtype: "int32" }) };
    for (let done = 1; done <= rows.length; done++) {
      const next = this.#step(state.x, state.x0, state.position, table, conditions, known);
      if (done > 1) state.x.dispose();
      state.x0.dispose();
      state.position.dispose();
      state = next;
      yield { done, total: rows.length, x: state.x, x0: state.x0 };
    }
  }

  /** Runs to the end. @returns The images. */
  sample(start: Tensor, rows: readonly SamplerRow[], conditions: C, known?: Known): Tensor {
    let x = start;
    for (const state of this.run(start, rows, conditions, known)) x = state.x;
    return x;
  }

  /** Text of the plan of one step. */
  describe(start: Tensor, rows: readonly SamplerRow[], conditions: C): string {
    const position = tensor([0], { dtype: "int32" });
    const table = deviceTable(rows);
    return this.#step.describe(start, zerosLike(start), position, table, conditions, null);
  }

  /** Plans traced so far. */
  get planCount(): number {
    return this.#step.planCount;
  }

  /** Gives back the memory of the plans. */
  dispose(): void {
    this.#step.dispose();
  }
}

/** Rows as a tensor, filled up to a power of two, so that few plans serve all numbers of steps. */
function deviceTable(rows: readonly SamplerRow[]): Tensor {
  const length = 2 ** Math.ceil(Math.log2(Math.max(1024, rows.length)));
  const values = new Float32Array(length * COLUMNS.length);
  for (const [i, row] of rows.entries()) {
    values.set(COLUMNS.map((name) => row[name]), i * COLUMNS.length);
  }
  return tensor(values, { shape: [length, COLUMNS.length] });
}

interface StepInputs<C> {
  x: Tensor;
  before: Tensor;
  position: Tensor;
  table: Tensor;
  conditions: C;
  known: Known | null;
}

function denoise<C extends Conditions>(
  predict: Predictor<C>,
  { threshold = "clip", percentile = 0.995, learned = false, generator }: LoopOptions,
  { x, before, position, table, conditions, known }: StepInputs<C>,
): { x: Tensor; x0: Tensor; position: Tensor } {
  const row = table.indexSelect(0, position); // [1, columns]
  const at = (name: keyof SamplerRow): Tensor =>
    row.narrow(1, COLUMNS.indexOf(name), 1).reshape([1, 1, 1, 1]);
  const t = at("t").reshape([1]).expand([x.shape[0]!]); // [N]
  const output = predict(x, t, conditions); // [N, C or 2 C, H, W]
  const [value, raw] = learned ? output.chunk(2, 1) : [output];
  const guess = at("fromX").mul(x).add(at("fromOutput").mul(value!)); // x̂_0
  const x0 = limit(guess, threshold, percentile);
  let deviation = at("noise");
  if (raw) {
    const small = at("logSmall"), share = raw.add(1).mul(0.5);
    const variance = small.add(share.mul(at("logLarge").sub(small))).exp();
    deviation = deviation.square().add(at("learned").square().mul(variance)).sqrt();
  }
  const z = randn(x.shape, { generator });
  let next = at("x").mul(x).add(at("x0").mul(x0)).add(at("previous").mul(before));
  next = next.add(deviation.mul(z));
  if (known) {
    const noise = randn(x.shape, { generator });
    const given = at("signalAfter").mul(known.image).add(at("noiseAfter").mul(noise));
    next = known.mask.mul(given).add(known.mask.neg().add(1).mul(next));
  }
  return { x: next, x0, position: position.add(1) };
}

/** Brings x̂_0 back to −1 to 1. */
function limit(x0: Tensor, threshold: Threshold, percentile: number): Tensor {
  if (threshold === "none") return x0;
  if (threshold === "clip") return x0.clamp(-1, 1);
  const sizes = sort(x0.abs().flatten(1), 1).values; // [N, C H W], rising
  const place = Math.round(percentile * (sizes.shape[1]! - 1));
  const scale = sizes.select(1, place).clamp(1).reshape([-1, 1, 1, 1]); // [N, 1, 1, 1]
  return x0.minimum(scale).maximum(scale.neg()).div(scale);
}

/**
 * Classifier-free guidance and mixtures of prompts in one: the network runs on all conditions as
 * one batch, and the outputs are added with weights (Ho & Salimans 2022: g for the prompt, 1 − g for
 * none; a weight of 1 alone is the conditional model to the bit).
 *
 * @param output Outputs of all conditions `[K N, C, H, W]`.
 * @param weights Weights `[K, N]`, which add up to 1 for each image.
 * @returns The sum `[N, C, H, W]`.
 */
export function mixOutputs(output: Tensor, weights: Tensor): Tensor {
  const [kinds, count] = weights.shape as [number, number];
  const apart = output.unflatten(0, [kinds, count]); // [K, N, C, H, W]
  return apart.mul(weights.reshape([kinds, count, 1, 1, 1])).sum(0);
}

/**
 * Noise once for each condition, as one batch.
 *
 * @param x `[N, …]`.
 * @param kinds Number of conditions K.
 * @returns `[K N, …]`.
 */
export function repeatBatch(x: Tensor, kinds: number): Tensor {
  if (kinds === 1) return x;
  return x.unsqueeze(0).expand([kinds, ...x.shape]).reshape([
    kinds * x.shape[0]!,
    ...x.shape.slice(1),
  ]);
}
