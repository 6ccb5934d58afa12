/**
 * Noise schedules and the tables that follow from them, in float64 on the host.
 *
 * Names are those of the papers: β_t is the variance added at step t, α_t = 1 − β_t,
 * ᾱ_t = ∏ α_s the share of the image's energy that is left after step t.
 *
 * @module
 */

/** Names of the schedules. */
export const SCHEDULES = ["linear", "cosine", "scaled-linear", "sigmoid"] as const;

/** Name of a schedule. */
export type ScheduleName = typeof SCHEDULES[number];

/** No step may take away all of the image, except the last with zero terminal SNR. */
const LARGEST_BETA = 0.999;

/** Options of {@linkcode betasOf}. */
export interface ScheduleOptions {
  /** Let the last step be pure noise (Lin et al. 2023). @default {false} */
  zeroTerminalSnr?: boolean;
}

/**
 * The variances β of a schedule.
 *
 * - `linear`: 1e-4 to 0.02 over 1000 steps (Ho et al. 2020), scaled for other numbers of steps.
 * - `cosine`: ᾱ_t = cos²((t / T + 0.008) / 1.008 · π / 2) (Nichol & Dhariwal 2021).
 * - `scaled-linear`: √β linear from √0.00085 to √0.012 (Rombach et al. 2022).
 * - `sigmoid`: ᾱ_t falls as a sigmoid from −3 to 3 (Jabri et al. 2022).
 *
 * @param name Which schedule.
 * @param steps Number of steps T.
 * @param options Whether the last step is pure noise.
 * @returns β_0 … β_{T−1}.
 * @throws {RangeError} If the schedule does not exist, or the number of steps is no whole number.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const beta = betasOf("linear", 1000);
 * assertAlmostEquals(beta[0]!, 1e-4);
 * assertAlmostEquals(beta[999]!, 0.02);
 * ```
 */
export function betasOf(
  name: ScheduleName,
  steps: number,
  options: ScheduleOptions = {},
): Float64Array {
  if (!Number.isInteger(steps) || steps < 1) {
    throw new RangeError(`betasOf: steps ${steps} is not a whole number of at least 1`);
  }
  const beta = plainBetas(name, steps);
  return options.zeroTerminalSnr ? withZeroTerminalSnr(beta) : beta;
}

function plainBetas(name: ScheduleName, steps: number): Float64Array {
  switch (name) {
    case "linear": {
      const scale = 1000 / steps;
      return evenly(scale * 1e-4, scale * 0.02, steps).map((b) => Math.min(b, LARGEST_BETA));
    }
    case "scaled-linear": {
      const scale = 1000 / steps;
      const roots = evenly(Math.sqrt(scale * 0.00085), Math.sqrt(scale * 0.012), steps);
      return roots.map((root) => Math.min(root ** 2, LARGEST_BETA));
    }
    case "cosine":
      return fromAlphaBar(steps, (t) => Math.cos((t + 0.008) / 1.008 * Math.PI / 2) ** 2);
    case "sigmoid": {
      const low = sigmoid(-3), high = sigmoid(3);
      return fromAlphaBar(steps, (t) => (high - sigmoid(6 * t - 3)) / (high - low));
    }
    default:
      throw new RangeError(
        `betasOf: no schedule "${name}", there are ${SCHEDULES.join(", ")}`,
      );
  }
}

/** β from ᾱ as a function of time from 0 to 1. */
function fromAlphaBar(steps: number, alphaBar: (time: number) => number): Float64Array {
  return Float64Array.from({ length: steps }, (_, t) => {
    const beta = 1 - alphaBar((t + 1) / steps) / alphaBar(t / steps);
    return Math.min(beta, LARGEST_BETA);
  });
}

/** Shifts and scales √ᾱ so that it ends at 0 and starts where it did. */
function withZeroTerminalSnr(beta: Float64Array): Float64Array {
  const root = alphaBarOf(beta).map(Math.sqrt);
  const first = root[0]!, last = root.at(-1)!;
  if (root.length === 1) return Float64Array.of(1);
  const alphaBar = root.map((r) => ((r - last) * first / (first - last)) ** 2);
  alphaBar[alphaBar.length - 1] = 0;
  return betasFrom(alphaBar);
}

/** ᾱ from β. */
export function alphaBarOf(beta: Float64Array): Float64Array {
  let product = 1;
  return beta.map((b) => product *= 1 - b);
}

/** β from ᾱ: the schedule of any sub-sequence of steps. */
export function betasFrom(alphaBar: Float64Array): Float64Array {
  return alphaBar.map((a, t) => 1 - a / (alphaBar[t - 1] ?? 1));
}

function evenly(from: number, to: number, count: number): Float64Array {
  const step = count > 1 ? (to - from) / (count - 1) : 0;
  return Float64Array.from({ length: count }, (_, i) => from + step * i);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** What follows from β, one number per step: `q` is the forward process, `p` the reverse. */
export class Process {
  /** Number of steps T. */
  readonly steps: number;
  /** β_t. */
  readonly beta: Float64Array;
  /** ᾱ_t. */
  readonly alphaBar: Float64Array;
  /** ᾱ_{t−1}, with ᾱ_{−1} = 1. */
  readonly alphaBarPrevious: Float64Array;
  /** √ᾱ_t: how much of the image is in x_t. */
  readonly signal: Float64Array;
  /** √(1 − ᾱ_t): how much noise is in x_t. */
  readonly noise: Float64Array;
  /** ᾱ_t / (1 − ᾱ_t). */
  readonly snr: Float64Array;
  /** β̃_t, the variance of q(x_{t−1} | x_t, x_0); 0 at t = 0. */
  readonly posteriorVariance: Float64Array;
  /** Its logarithm; at t = 0, where it has none, that of t = 1. */
  readonly posteriorLogVariance: Float64Array;
  /** Factor of x_0 in the mean of q(x_{t−1} | x_t, x_0). */
  readonly posteriorMeanCoef1: Float64Array;
  /** Factor of x_t in that mean. */
  readonly posteriorMeanCoef2: Float64Array;

  /**
   * @param beta Variances, from {@linkcode betasOf}.
   * @throws {RangeError} If a variance is not above 0 and at most 1.
   */
  constructor(beta: Float64Array) {
    const wrong = beta.findIndex((b) => !(b > 0 && b <= 1));
    if (wrong >= 0) {
      throw new RangeError(`Process: beta ${beta[wrong]} of step ${wrong} is not within 0 to 1`);
    }
    const alphaBar = alphaBarOf(beta);
    const previous = alphaBar.map((_, t) => alphaBar[t - 1] ?? 1);
    const of = (f: (b: number, a: number, before: number) => number): Float64Array =>
      beta.map((b, t) => f(b, alphaBar[t]!, previous[t]!));
    this.steps = beta.length;
    this.beta = beta;
    this.alphaBar = alphaBar;
    this.alphaBarPrevious = previous;
    this.signal = alphaBar.map(Math.sqrt);
    this.noise = alphaBar.map((a) => Math.sqrt(1 - a));
    this.snr = alphaBar.map((a) => a / (1 - a));
    this.posteriorVariance = of((b, a, before) => b * (1 - before) / (1 - a));
    const second = this.posteriorVariance[1] ?? beta[0]!;
    this.posteriorLogVariance = this.posteriorVariance.map((v, t) => Math.log(t ? v : second));
    this.posteriorMeanCoef1 = of((b, a, before) => b * Math.sqrt(before) / (1 - a));
    this.posteriorMeanCoef2 = of((b, a, before) => Math.sqrt(1 - b) * (1 - before) / (1 - a));
  }

  /**
   * The process of some of the steps, with β computed again from the kept ᾱ.
   *
   * @param kept Steps that are kept, in rising order.
   * @returns The shorter process; its step i is step `kept[i]` of this one.
   */
  respaced(kept: readonly number[]): Process {
    return new Process(betasFrom(Float64Array.from(kept, (t) => this.alphaBar[t]!)));
  }
}

/**
 * Steps of a sub-sequence: from the first to the last, evenly spaced, rounded.
 *
 * @param total Steps of the whole process.
 * @param count Steps to keep.
 * @returns Rising steps; the last is always `total − 1`, from two on the first is 0.
 * @throws {RangeError} If there are more steps to keep than there are.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(subsequence(1000, 4), [0, 333, 666, 999]);
 * assertEquals(subsequence(1000, 1), [999]);
 * ```
 */
export function subsequence(total: number, count: number): number[] {
  if (!Number.isInteger(count) || count < 1 || count > total) {
    throw new RangeError(
      `subsequence: ${count} steps of ${total}, expected a whole number from 1 to ${total}`,
    );
  }
  if (count === 1) return [total - 1];
  return Array.from({ length: count }, (_, i) => Math.round(i * (total - 1) / (count - 1)));
}
