import { checkInteger } from "./_check.ts";
import { RandomStream } from "./random.ts";
import { PURPOSE_BUCKETS, type Sampler } from "./sampler.ts";

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
