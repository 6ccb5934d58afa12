/**
 * Samplers: from noise to an image in any number of steps.
 *
 * All of them are one formula with other numbers. The network's output and x_t give x̂_0, and
 *
 * x_next = a x_t + b x̂_0 + c x̂_0(before) + σ z,
 *
 * so that a sampler is a table with a row for each step, made in float64 on the host, and the loop
 * runs one compiled plan again and again that reads its row by a counter on the device.
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
import type { Prediction, Variance } from "./diffusion.ts";
import { type Process, subsequence } from "./schedule.ts";

/** Names of the samplers. */
export const SAMPLERS = ["ddpm", "ddim", "dpm++2m"] as const;

/**
 * Ancestral sampling (Ho et al. 2020), DDIM (Song et al. 2021), DPM-Solver++ of second order with
 * the outputs of two steps (Lu et al. 2022).
 */
export type SamplerName = typeof SAMPLERS[number];

/** What becomes of an x̂_0 that leaves −1 to 1. */
export const THRESHOLDS = ["none", "clip", "dynamic"] as const;

/** Nothing, clipping, or division by a high percentile of each image (Saharia et al. 2022). */
export type Threshold = typeof THRESHOLDS[number];

/** The numbers of one step. */
export interface SamplerRow {
  /** Step of the process, as the network is told. */
  t: number;
  /** x̂_0 = `fromX` x_t + `fromOutput` output. */
  fromX: number;
  /** See `fromX`. */
  fromOutput: number;
  /** Factor of x_t. */
  x: number;
  /** Factor of x̂_0. */
  x0: number;
  /** Factor of the x̂_0 of the step before. */
  previous: number;
  /** Deviation of the noise. */
  noise: number;
  /** Factor of the deviation that the network gives, where it does; it adds to `noise` squared. */
  learned: number;
  /** Log variances that the network chooses between. */
  logSmall: number;
  /** See `logSmall`. */
  logLarge: number;
  /** √ᾱ of x_next. */
  signalAfter: number;
  /** √(1 − ᾱ) of x_next. */
  noiseAfter: number;
}

const COLUMNS = [
  "t",
  "fromX",
  "fromOutput",
  "x",
  "x0",
  "previous",
  "noise",
  "learned",
  "logSmall",
  "logLarge",
  "signalAfter",
  "noiseAfter",
] as const satisfies readonly (keyof SamplerRow)[];

/** Options of {@linkcode samplerRows}. */
export interface SamplerOptions {
  /** Which sampler. */
  sampler: SamplerName;
  /** Steps, at most as many as the process has. */
  steps: number;
  /** What the network predicts. */
  prediction: Prediction;
  /** Variance of ancestral sampling. @default {"fixed-small"} */
  variance?: Variance;
  /** Noise of DDIM: 0 none, 1 as much as ancestral sampling. @default {0} */
  eta?: number;
  /** Times that each step is done, going back in between (Lugmayr et al. 2022). @default {1} */
  resamples?: number;
}

type Update = Pick<SamplerRow, "x" | "x0" | "previous" | "noise" | "learned">;

/**
 * The table of a sampler.
 *
 * @param process The whole process.
 * @param options Which sampler, how many steps.
 * @returns Rows in the order of sampling, from noise to image.
 * @throws {RangeError} If there is no such sampler, or an option is out of range.
 *
 * @example The last step gives the image
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { betasOf, Process } from "./schedule.ts";
 *
 * const process = new Process(betasOf("cosine", 1000));
 * const rows = samplerRows(process, { sampler: "dpm++2m", steps: 20, prediction: "v" });
 * assertEquals([rows.length, rows[19]!.x, rows[19]!.x0], [20, 0, 1]);
 * ```
 */
export function samplerRows(process: Process, options: SamplerOptions): SamplerRow[] {
  const { sampler, steps, prediction, variance = "fixed-small", eta = 0, resamples = 1 } = options;
  if (!SAMPLERS.includes(sampler)) {
    throw new RangeError(
      `samplerRows: no sampler "${sampler}", there are ${SAMPLERS.join(", ")}`,
    );
  }
  if (!(eta >= 0 && eta <= 1)) throw new RangeError(`samplerRows: eta ${eta} is not within 0 to 1`);
  if (resamples > 1 && sampler === "dpm++2m") {
    throw new RangeError("samplerRows: dpm++2m cannot go back to resample (use ddpm or ddim)");
  }
  const kept = subsequence(process.steps, steps);
  const spaced = process.respaced(kept);
  const rows: SamplerRow[] = [];
  for (let i = steps - 1; i >= 0; i--) {
    const alphaBar = spaced.alphaBarPrevious[i]!;
    const row: SamplerRow = {
      t: kept[i]!,
      ...imageOf(prediction, spaced, i),
      ...updateOf(spaced, i, { sampler, variance, eta }),
      logSmall: spaced.posteriorLogVariance[i]!,
      logLarge: Math.log(spaced.beta[i]!),
      signalAfter: Math.sqrt(alphaBar),
      noiseAfter: Math.sqrt(1 - alphaBar),
    };
    for (let again = 1; again < resamples && i > 0; again++) rows.push(backAgain(row, spaced, i));
    rows.push(row);
  }
  return rows;
}

/** x̂_0 as a sum of x_t and the output. */
function imageOf(
  prediction: Prediction,
  { signal, noise }: Process,
  i: number,
): Pick<SamplerRow, "fromX" | "fromOutput"> {
  if (prediction === "x0") return { fromX: 0, fromOutput: 1 };
  if (prediction === "v") return { fromX: signal[i]!, fromOutput: -noise[i]! };
  return { fromX: 1 / signal[i]!, fromOutput: -noise[i]! / signal[i]! };
}

function updateOf(
  process: Process,
  i: number,
  { sampler, variance, eta }: Required<Pick<SamplerOptions, "sampler" | "variance" | "eta">>,
): Update {
  if (sampler === "ddpm") return ancestral(process, i, variance);
  return sampler === "ddim" ? implicit(process, i, eta) : multistep(process, i);
}

/** Ho et al. 2020, equations 6 and 7. */
function ancestral(process: Process, i: number, variance: Variance): Update {
  const learned = variance === "learned-range" && i > 0 ? 1 : 0;
  const small = process.posteriorVariance[i]!;
  const fixed = variance === "fixed-large" && i > 0 ? process.beta[i]! : small;
  return {
    x: process.posteriorMeanCoef2[i]!,
    x0: process.posteriorMeanCoef1[i]!,
    previous: 0,
    noise: learned ? 0 : Math.sqrt(fixed),
    learned,
  };
}

/** Song et al. 2021, equation 12, with ε written as (x_t − √ᾱ x̂_0) / √(1 − ᾱ). */
function implicit(process: Process, i: number, eta: number): Update {
  const now = process.alphaBar[i]!, next = process.alphaBarPrevious[i]!;
  const noise = eta * Math.sqrt((1 - next) / (1 - now) * (1 - now / next));
  const x = Math.sqrt(Math.max(0, 1 - next - noise ** 2) / (1 - now));
  return { x, x0: Math.sqrt(next) - x * Math.sqrt(now), previous: 0, noise, learned: 0 };
}

/** Lu et al. 2022, algorithm 2; of first order where a step has no length to compare with. */
function multistep(process: Process, i: number): Update {
  if (i === 0) return { x: 0, x0: 1, previous: 0, noise: 0, learned: 0 };
  const now = process.alphaBar[i]!, next = process.alphaBar[i - 1]!;
  const length = logSnr(next) - logSnr(now);
  const before = i + 1 < process.steps ? logSnr(now) - logSnr(process.alphaBar[i + 1]!) : Infinity;
  const slope = Number.isFinite(before) ? length / (2 * before) : 0;
  const image = Math.sqrt(next) * -Math.expm1(-length);
  const x = Math.sqrt((1 - next) / (1 - now));
  return { x, x0: image * (1 + slope), previous: -image * slope, noise: 0, learned: 0 };
}

/** λ, half the logarithm of the signal-to-noise ratio. */
function logSnr(alphaBar: number): number {
  return 0.5 * Math.log(alphaBar / (1 - alphaBar));
}

/** A step and the step of the forward process that undoes it, as one. */
function backAgain(row: SamplerRow, process: Process, i: number): SamplerRow {
  const beta = process.beta[i]!, share = Math.sqrt(1 - beta);
  return {
    ...row,
    x: share * row.x,
    x0: share * row.x0,
    noise: Math.sqrt((share * row.noise) ** 2 + beta),
    learned: share * row.learned,
    signalAfter: process.signal[i]!,
    noiseAfter: process.noise[i]!,
  };
}

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
