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

/** An order of whole batches for each epoch. The same epoch must always give the same batches. */
export interface BatchSampler {
  /** Batches per epoch. */
  readonly length: number;
  /**
   * Indices of the samples of each batch of an epoch.
   *
   * @param epoch Which epoch, from 0.
   * @returns One list for each batch.
   */
  batches(epoch: number): readonly ArrayLike<number>[];
}

// Streams of one seed that must not repeat each other's numbers.
const PURPOSE_ORDER = 1;
const PURPOSE_BUCKETS = 2;

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

/** Options of the batch samplers. */
export interface BatchOptions {
  /**
   * Leave out a last batch that is not full.
   *
   * @default {false}
   */
  dropLast?: boolean | undefined;
}

/**
 * Cuts the order of a sampler into batches.
 *
 * @example
 * ```ts
 * import { FixedBatchSampler, SequentialSampler } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const sampler = new FixedBatchSampler(new SequentialSampler(5), 2);
 * assertEquals(sampler.batches(0).map((batch) => batch.length), [2, 2, 1]);
 * ```
 */
export class FixedBatchSampler implements BatchSampler {
  /** Batches per epoch. */
  readonly length: number;
  readonly #sampler: Sampler;
  readonly #batchSize: number;

  /**
   * Takes the order and the size.
   *
   * @param sampler Order of the samples.
   * @param batchSize Samples per batch.
   * @param options Whether a last batch that is not full is left out.
   * @throws {RangeError} If the size is no positive integer.
   */
  constructor(sampler: Sampler, batchSize: number, options: BatchOptions = {}) {
    checkInteger("FixedBatchSampler", "batchSize", batchSize, 1);
    const full = sampler.length / batchSize;
    this.length = options.dropLast ? Math.floor(full) : Math.ceil(full);
    this.#sampler = sampler;
    this.#batchSize = batchSize;
  }

  /**
   * The batches of an epoch.
   *
   * @param epoch Which epoch.
   * @returns Indices of each batch.
   */
  batches(epoch: number): Uint32Array<ArrayBuffer>[] {
    const order = Uint32Array.from(this.#sampler.order(epoch));
    const size = this.#batchSize;
    return Array.from({ length: this.length }, (_, i) => order.subarray(i * size, (i + 1) * size));
  }
}

/** Options of {@linkcode BucketBatchSampler}. */
export interface BucketBatchOptions extends BatchOptions {
  /**
   * Seed of the order.
   *
   * @default {0}
   */
  seed?: number | undefined;
  /**
   * Batches whose samples are sorted together: more means less padding, fewer more chance.
   *
   * @default {50}
   */
  bucketBatches?: number | undefined;
}

/**
 * Batches of samples of similar length, for sequences that are padded to the longest: shuffle,
 * sort within buckets of many batches, cut, shuffle the batches.
 *
 * @example
 * ```ts
 * import { BucketBatchSampler } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const sampler = new BucketBatchSampler([9, 1, 8, 2], 2);
 * const sums = sampler.batches(0).map((batch) => Array.from(batch).sort().join());
 * assertEquals(sums.sort(), ["0,2", "1,3"]);
 * ```
 */
export class BucketBatchSampler implements BatchSampler {
  /** Batches per epoch. */
  readonly length: number;
  readonly #lengths: ArrayLike<number>;
  readonly #batchSize: number;
  readonly #bucket: number;
  readonly #seed: number;

  /**
   * Takes the lengths.
   *
   * @param lengths Length of each sample.
   * @param batchSize Samples per batch.
   * @param options Seed, bucket, last batch.
   * @throws {RangeError} If a size is no positive integer.
   */
  constructor(lengths: ArrayLike<number>, batchSize: number, options: BucketBatchOptions = {}) {
    const { seed = 0, bucketBatches = 50, dropLast = false } = options;
    checkInteger("BucketBatchSampler", "batchSize", batchSize, 1);
    checkInteger("BucketBatchSampler", "bucketBatches", bucketBatches, 1);
    const full = lengths.length / batchSize;
    this.length = dropLast ? Math.floor(full) : Math.ceil(full);
    this.#lengths = lengths;
    this.#batchSize = batchSize;
    this.#bucket = batchSize * bucketBatches;
    this.#seed = seed;
  }

  /**
   * The batches of an epoch.
   *
   * @param epoch Which epoch.
   * @returns Indices of each batch.
   */
  batches(epoch: number): Uint32Array<ArrayBuffer>[] {
    const random = new RandomStream(this.#seed, { epoch, purpose: PURPOSE_BUCKETS });
    const order = random.permutation(this.#lengths.length);
    for (let start = 0; start < order.length; start += this.#bucket) {
      const bucket = order.subarray(start, start + this.#bucket);
      bucket.sort((a, b) => this.#lengths[a]! - this.#lengths[b]! || a - b);
    }
    const size = this.#batchSize;
    return Array.from(
      random.permutation(this.length),
      (i) => order.slice(i * size, (i + 1) * size),
    );
  }
}

/**
 * Batches for a recurrent model that carries its state over: the samples (consecutive blocks of a
 * text) are cut into `batchSize` tracks, and row `r` of each batch continues row `r` of the one
 * before. Blocks that do not fill all tracks are left out.
 *
 * @example Two tracks
 * ```ts
 * import { TrackBatchSampler } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TrackBatchSampler(5, 2).batches().map((b) => [...b]), [[0, 2], [1, 3]]);
 * ```
 */
export class TrackBatchSampler implements BatchSampler {
  /** Batches per epoch. */
  readonly length: number;
  readonly #batchSize: number;

  /**
   * Takes the number of blocks.
   *
   * @param blocks Samples in the data set.
   * @param batchSize Tracks.
   * @throws {RangeError} If there are fewer blocks than tracks.
   */
  constructor(blocks: number, batchSize: number) {
    checkInteger("TrackBatchSampler", "batchSize", batchSize, 1);
    if (blocks < batchSize) {
      throw new RangeError(
        `TrackBatchSampler: ${blocks} blocks do not fill ${batchSize} tracks ` +
          "(use a smaller batch or shorter blocks)",
      );
    }
    this.length = Math.floor(blocks / batchSize);
    this.#batchSize = batchSize;
  }

  /**
   * The batches, the same every epoch.
   *
   * @returns Indices of each batch.
   */
  batches(): Uint32Array<ArrayBuffer>[] {
    const { length } = this;
    return Array.from(
      { length },
      (_, i) => Uint32Array.from({ length: this.#batchSize }, (_, track) => track * length + i),
    );
  }
}
