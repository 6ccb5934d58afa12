import { checkInteger } from "./_check.ts";
import { RandomStream } from "./random.ts";

/** An order of samples for each epoch. The same epoch must always give the same order. */
export interface Sampler {
  /** Samples per epoch. */
  readonly length: number;
  /**
   * Indices of the samples of an epoch.
   *
   * @param epoch Which epoch, from 0.
   * @returns The indices in order.
   */
  order(epoch: number): ArrayLike<number>;
}

/** Streams of one seed that must not repeat each other's numbers. */
const PURPOSE_ORDER = 1;
/** The stream of batches, beside that of the order. */
export const PURPOSE_BUCKETS = 2;

function orderStream(seed: number, epoch: number): RandomStream {
  return new RandomStream(seed, { epoch, purpose: PURPOSE_ORDER });
}

/**
 * First to last, every epoch.
 *
 * @example
 * ```ts
 * import { SequentialSampler } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...new SequentialSampler(3).order()], [0, 1, 2]);
 * ```
 */
export class SequentialSampler implements Sampler {
  /** Samples per epoch. */
  readonly length: number;

  /**
   * Takes the number of samples.
   *
   * @param length Samples in the data set.
   */
  constructor(length: number) {
    checkInteger("SequentialSampler", "length", length, 0);
    this.length = length;
  }

  /**
   * The indices in rising order.
   *
   * @returns The indices.
   */
  order(): Uint32Array<ArrayBuffer> {
    return Uint32Array.from({ length: this.length }, (_, i) => i);
  }
}

/** Options of {@linkcode RandomSampler}. */
export interface RandomSamplerOptions {
  /**
   * Seed of the order.
   *
   * @default {0}
   */
  seed?: number | undefined;
  /**
   * Draw each sample anew from all, so that some come twice and some not at all.
   *
   * @default {false}
   */
  replacement?: boolean | undefined;
  /** Samples per epoch; the length of the data set where absent. */
  numSamples?: number | undefined;
}

/**
 * A new random order for each epoch, or draws with replacement: over a data set of windows of text
 * those are random offsets.
 *
 * @example
 * ```ts
 * import { RandomSampler } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const sampler = new RandomSampler(5, { seed: 1 });
 * assertEquals([...sampler.order(0)].sort(), [0, 1, 2, 3, 4]);
 * assertEquals(sampler.order(3), sampler.order(3));
 * ```
 */
export class RandomSampler implements Sampler {
  /** Samples per epoch. */
  readonly length: number;
  readonly #count: number;
  readonly #seed: number;
  readonly #replacement: boolean;

  /**
   * Takes the number of samples.
   *
   * @param length Samples in the data set.
   * @param options Seed, replacement, samples per epoch.
   * @throws {RangeError} If more are asked for without replacement than there are.
   */
  constructor(length: number, options: RandomSamplerOptions = {}) {
    checkInteger("RandomSampler", "length", length, 1);
    const { seed = 0, replacement = false, numSamples = length } = options;
    checkInteger("RandomSampler", "numSamples", numSamples, 1);
    if (!replacement && numSamples > length) {
      throw new RangeError(
        `RandomSampler: numSamples is ${numSamples}, the data set has ${length} samples ` +
          "(use { replacement: true })",
      );
    }
    this.length = numSamples;
    this.#count = length;
    this.#seed = seed;
    this.#replacement = replacement;
  }

  /**
   * The order of an epoch.
   *
   * @param epoch Which epoch.
   * @returns The indices.
   */
  order(epoch: number): Uint32Array<ArrayBuffer> {
    const random = orderStream(this.#seed, epoch);
    if (!this.#replacement) return random.permutation(this.#count).slice(0, this.length);
    return Uint32Array.from({ length: this.length }, () => random.integer(this.#count));
  }
}

/**
 * Draws samples by weight, for classes of unequal size.
 *
 * @example A class that is never drawn
 * ```ts
 * import { WeightedRandomSampler } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const sampler = new WeightedRandomSampler([0, 1, 0], 4);
 * assertEquals([...sampler.order(0)], [1, 1, 1, 1]);
 * ```
 */
export class WeightedRandomSampler implements Sampler {
  /** Samples per epoch. */
  readonly length: number;
  readonly #weights: Float64Array;
  readonly #seed: number;
  readonly #replacement: boolean;

  /**
   * Takes the weights.
   *
   * @param weights Weight of each sample; they need not sum to 1.
   * @param numSamples Samples per epoch.
   * @param options Seed (0 where absent) and replacement (true where absent).
   * @throws {RangeError} If a weight is negative, all are 0, or too few are positive.
   */
  constructor(
    weights: ArrayLike<number>,
    numSamples: number,
    options: Pick<RandomSamplerOptions, "seed" | "replacement"> = {},
  ) {
    checkInteger("WeightedRandomSampler", "numSamples", numSamples, 1);
    const { seed = 0, replacement = true } = options;
    this.#weights = Float64Array.from(weights);
    const wrong = this.#weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
    if (wrong !== -1) {
      throw new RangeError(
        `WeightedRandomSampler: weight ${wrong} is ${weights[wrong]}, expected at least 0`,
      );
    }
    const positive = this.#weights.filter((weight) => weight > 0).length;
    const needed = replacement ? 1 : numSamples;
    if (positive < needed) {
      throw new RangeError(
        `WeightedRandomSampler: ${positive} weights are positive, ${needed} are needed`,
      );
    }
    this.length = numSamples;
    this.#seed = seed;
    this.#replacement = replacement;
  }

  /**
   * The draws of an epoch.
   *
   * @param epoch Which epoch.
   * @returns The indices.
   */
  order(epoch: number): Uint32Array<ArrayBuffer> {
    const random = orderStream(this.#seed, epoch);
    return this.#replacement ? this.#drawAgain(random) : this.#drawOnce(random);
  }

  #drawAgain(random: RandomStream): Uint32Array<ArrayBuffer> {
    let sum = 0;
    const ends = this.#weights.map((weight) => sum += weight);
    const last = this.#weights.findLastIndex((weight) => weight > 0);
    return Uint32Array.from({ length: this.length }, () => {
      const target = random.uniform(0, sum);
      let [low, high] = [0, last];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (ends[middle]! > target) high = middle;
        else low = middle + 1;
      }
      return low;
    });
  }

  /** Efraimidis and Spirakis 2006: the largest of `log(u) / weight` win. */
  #drawOnce(random: RandomStream): Uint32Array<ArrayBuffer> {
    const keys = this.#weights.map((w) => Math.log(1 - random.uniform()) / w);
    const indices = Array.from(keys.keys()).filter((i) => this.#weights[i]! > 0);
    indices.sort((a, b) => keys[b]! - keys[a]! || a - b);
    return Uint32Array.from(indices.slice(0, this.length));
  }
}
