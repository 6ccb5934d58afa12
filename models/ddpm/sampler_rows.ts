/**
 * Samplers as tables: from noise to an image in any number of steps.
 *
 * All of them are one formula with other numbers. The network's output and x_t give x̂_0, and
 *
 * x_next = a x_t + b x̂_0 + c x̂_0(before) + σ z,
 *
 * so that a sampler is a table with a row for each step, made in float64 on the host.
 *
 * @module
 */
import type { Prediction, Variance } from "./diffusion.ts";
import { type Process, subsequence } from "./schedule.ts";

/** Names of the samplers. */
export const SAMPLERS = ["ddpm", "ddim", "dpm++2m"] as const;

/**
 * Ancestral sampling (Ho et al. 2020), DDIM (Song et al. 2021), DPM-Solver++ of second order with
 * the outputs of two steps (Lu et al. 2022).
 */
export type SamplerName = typeof SAMPLERS[number];

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

/** The numbers in the order in which a device has them. */
export const COLUMNS = [
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
