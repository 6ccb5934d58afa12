import { checkInteger } from "./_check.ts";
import { macrotask, TurnKeeper } from "./_macrotask.ts";
import { type BatchSampler, FixedBatchSampler } from "./batch_sampler.ts";
import { collate as defaultCollate, type Collated } from "./collate.ts";
import type { Dataset } from "./dataset.ts";
import { RandomSampler, type Sampler, SequentialSampler } from "./sampler.ts";
import { place, type Placed } from "./tensors.ts";
import { type BatchRequest, readSamples, WorkerPool } from "./workers.ts";
import type { DeviceName } from "../ops/mod.ts";

/** Worker threads of a {@linkcode DataLoader}. */
export interface LoaderWorkers {
  /** URL of a module that calls {@linkcode serveDataset} with the same data set. */
  module: string | URL;
  /**
   * How many threads.
   *
   * @default {1}
   */
  count?: number | undefined;
}

/** Options of a {@linkcode DataLoader}. */
export interface DataLoaderOptions<T, B> {
  /**
   * Samples per batch.
   *
   * @default {1}
   */
  batchSize?: number | undefined;
  /**
   * A new random order for each epoch.
   *
   * @default {false}
   */
  shuffle?: boolean | undefined;
  /**
   * Seed of the order and of the random transforms.
   *
   * @default {0}
   */
  seed?: number | undefined;
  /** Order of the samples, in place of `shuffle`. */
  sampler?: Sampler | undefined;
  /** Whole batches, in place of `batchSize`, `shuffle`, `sampler` and `dropLast`. */
  batchSampler?: BatchSampler | undefined;
  /**
   * Leave out a last batch that is not full.
   *
   * @default {false}
   */
  dropLast?: boolean | undefined;
  /** Device of the tensors; the default device where absent. */
  device?: DeviceName | undefined;
  /** Joins samples into a batch; {@linkcode collate} where absent. */
  collate?: ((samples: T[]) => B) | undefined;
  /** Batches that are prepared ahead; 2 per worker thread, else 0, where absent. */
  prefetch?: number | undefined;
  /** Prepare batches in worker threads. */
  workers?: LoaderWorkers | undefined;
}

/** Where a {@linkcode DataLoader} stands: plain JSON, part of a checkpoint. */
export interface LoaderState {
  /** Seed of the order and of the random transforms. */
  seed: number;
  /** Epoch that is running, or runs next. */
  epoch: number;
  /** Batches of it that were given out. */
  batch: number;
  /** Samples in the data set. */
  samples: number;
}

/**
 * Batches of a data set, an epoch for each `for await`.
 *
 * The order and every random transform depend on the seed, the epoch and the position alone, so
 * `state()` and `loadState()` resume in the middle of an epoch bit for bit, with any number of
 * workers. A loop over the loader gives the event loop a turn every few milliseconds, in which
 * memory of dead tensors is given back.
 *
 * @example Batches of two
 * ```ts
 * import { DataLoader, TensorDataset } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const data = new TensorDataset({
 *   dtype: "float32",
 *   shape: [5, 1],
 *   data: new Float32Array([0, 1, 2, 3, 4]),
 * });
 * const loader = new DataLoader(data, { batchSize: 2, shuffle: true, seed: 1 });
 * const shapes = [];
 * for await (const [x] of loader) shapes.push(x!.shape);
 * assertEquals(shapes, [[2, 1], [2, 1], [1, 1]]);
 * ```
 */
export class DataLoader<T, B = Collated<T>> implements AsyncIterable<Placed<B>> {
  /** Batches per epoch. */
  readonly length: number;
  /** The samples. */
  readonly dataset: Dataset<T>;
  readonly #batches: BatchSampler;
  readonly #collate: (samples: T[]) => unknown;
  readonly #seed: number;
  readonly #prefetch: number;
  readonly #pool: WorkerPool | undefined;
  readonly #device: DeviceName | undefined;
  #epoch = 0;
  #batch = 0;
  #resumes = true;

  /**
   * Sets the loader up; nothing is read yet.
   *
   * @param dataset The samples.
   * @param options Batch size, order, workers.
   * @throws {RangeError} If an option is out of range, or two exclude each other.
   * @throws {TypeError} If the data set gives no samples.
   */
  constructor(dataset: Dataset<T>, options: DataLoaderOptions<T, B> = {}) {
    checkOptions(options);
    if (typeof dataset.get !== "function") {
      throw new TypeError(
        "DataLoader: dataset has no method get (for a list use { length, get: (i) => list[i] })",
      );
    }
    const { seed = 0, workers } = options;
    const count = workers === undefined ? 0 : workers.count ?? 1;
    this.dataset = dataset;
    this.#seed = seed;
    this.#device = options.device;
    this.#batches = options.batchSampler ?? batchesOf(dataset.length, options, seed);
    this.#collate = options.collate ?? defaultCollate;
    this.#prefetch = options.prefetch ?? 2 * count;
    this.#pool = workers && new WorkerPool(workers.module, count);
    this.length = this.#batches.length;
  }

  /** Epoch that is running, or runs next. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * Where the loader stands: after the last batch that it gave out, whatever it has prepared.
   *
   * @returns Plain JSON.
   */
  state(): LoaderState {
    const { length: samples } = this.dataset;
    return { seed: this.#seed, epoch: this.#epoch, batch: this.#batch, samples };
  }

  /**
   * Goes to where another loader stood; the next loop goes on with the batch after it.
   *
   * @param state What `state()` gave.
   * @throws {RangeError} If the state belongs to another seed or another data set.
   */
  loadState(state: LoaderState): void {
    const { seed, epoch, batch, samples } = state;
    if (seed !== this.#seed) {
      throw new RangeError(`loadState: the state has seed ${seed}, the loader ${this.#seed}`);
    }
    if (samples !== this.dataset.length) {
      throw new RangeError(
        `loadState: the state has ${samples} samples, the data set ${this.dataset.length}`,
      );
    }
    checkInteger("loadState", "epoch", epoch, 0);
    checkInteger("loadState", "batch", batch, 0);
    const finished = batch >= this.length;
    this.#epoch = finished ? epoch + 1 : epoch;
    this.#batch = finished ? 0 : batch;
    this.#resumes = true;
  }

  /** Stops the worker threads now; they also stop when nobody asks them for a second. */
  close(): void {
    this.#pool?.close();
  }

  /**
   * The batches of the next epoch as tensors, or of the rest of the epoch that a state was loaded
   * for. After a loop that was left early, the next one begins a new epoch.
   *
   * @returns The batches.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Placed<B>, void, void> {
    for await (const batch of this.hostBatches()) yield place(batch, this.#device) as Placed<B>;
  }

  /**
   * The same batches, their arrays left in host memory.
   *
   * @returns The batches.
   */
  async *hostBatches(): AsyncGenerator<B, void, void> {
    if (!this.#resumes && this.#batch > 0) this.#finishEpoch();
    this.#resumes = false;
    const epoch = this.#epoch;
    const requests = this.#requests(epoch, this.#batch);
    const ready: Promise<unknown>[] = [];
    const turns = new TurnKeeper();
    while (true) {
      while (ready.length <= this.#prefetch) {
        const request = requests.next();
        if (request.done) break;
        const batch = this.#prepare(request.value);
        batch.catch(() => {}); // Reported when its turn comes.
        ready.push(batch);
      }
      const next = ready.shift();
      if (next === undefined) break;
      const batch = await next;
      await turns.turn();
      this.#batch++;
      yield batch as B;
    }
    if (this.#epoch === epoch && !this.#resumes) this.#finishEpoch();
    await macrotask();
  }

  #finishEpoch(): void {
    this.#epoch++;
    this.#batch = 0;
  }

  *#requests(epoch: number, from: number): Generator<BatchRequest> {
    let position = 0;
    for (const [i, batch] of this.#batches.batches(epoch).entries()) {
      if (i >= from) {
        yield { indices: Uint32Array.from(batch), seed: this.#seed, epoch, position };
      }
      position += batch.length;
    }
  }

  async #prepare(request: BatchRequest): Promise<unknown> {
    if (this.#pool !== undefined) return await this.#pool.request(request);
    return this.#collate(await readSamples(this.dataset, request));
  }
}

function batchesOf<T, B>(
  length: number,
  options: DataLoaderOptions<T, B>,
  seed: number,
): BatchSampler {
  const { batchSize = 1, shuffle = false, dropLast } = options;
  const sampler = options.sampler ??
    (shuffle ? new RandomSampler(length, { seed }) : new SequentialSampler(length));
  return new FixedBatchSampler(sampler, batchSize, { dropLast });
}

function checkOptions<T, B>(options: DataLoaderOptions<T, B>): void {
  const { batchSize = 1, seed = 0, prefetch = 0, workers } = options;
  checkInteger("DataLoader", "batchSize", batchSize, 1);
  checkInteger("DataLoader", "seed", seed, 0);
  checkInteger("DataLoader", "prefetch", prefetch, 0);
  checkInteger("DataLoader", "workers.count", workers?.count ?? 1, 1);
  checkExclusive(options, "sampler", ["shuffle"]);
  checkExclusive(options, "batchSampler", ["batchSize", "shuffle", "sampler", "dropLast"]);
  if (workers !== undefined && options.collate !== undefined) {
    throw new RangeError(
      "DataLoader: workers and collate exclude each other (give collate to serveDataset)",
    );
  }
}

type OrderOption = "batchSize" | "shuffle" | "sampler" | "batchSampler" | "dropLast";

function checkExclusive(
  options: Partial<Record<OrderOption, unknown>>,
  name: OrderOption,
  others: readonly OrderOption[],
): void {
  const clash = others.find((other) => options[other] !== undefined);
  if (options[name] === undefined || clash === undefined) return;
  throw new RangeError(`DataLoader: ${name} and ${clash} exclude each other (give one of them)`);
}
