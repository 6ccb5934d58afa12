import { checkIndex, checkInteger, formatShape } from "./_check.ts";
import { checkHostArray, type HostArray, type HostData } from "./array.ts";
import { RandomStream } from "./random.ts";
import { Tensor } from "../ops/mod.ts";

/** Samples by index. */
export interface Dataset<T> {
  /** Number of samples. */
  readonly length: number;
  /**
   * Sample `index`.
   *
   * @param index From 0 to `length − 1`.
   * @param random Random numbers of this sample in this epoch, for random transforms.
   * @returns The sample, or a promise of it.
   */
  get(index: number, random?: RandomStream | undefined): T | Promise<T>;
}

/**
 * Tensors, or arrays on the host, that share their first extent; sample `i` is row `i` of each, like
 * `torch.utils.data.TensorDataset`.
 *
 * @example Tensors
 * ```ts
 * import { arange, randn } from "@tensaurus/core";
 * import { DataLoader, TensorDataset } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const data = new TensorDataset(randn([6, 2]), arange(6));
 * for await (const [x, y] of new DataLoader(data, { batchSize: 3, shuffle: true })) {
 *   assertEquals([x.shape, y.shape], [[3, 2], [3]]);
 * }
 * ```
 *
 * @example Arrays
 * ```ts
 * import { TensorDataset } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const data = new TensorDataset(
 *   { dtype: "float32", shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) },
 *   { dtype: "int32", shape: [2], data: new Int32Array([7, 8]) },
 * );
 * const [x, y] = data.get(1);
 * assertEquals([x.shape, y.shape, y.data[0]], [[2], [], 8]);
 * ```
 */
export class TensorDataset<T extends readonly (Tensor | HostArray)[]> implements Dataset<T> {
  /** Number of rows. */
  readonly length: number;
  readonly #arrays: T;

  /**
   * Wraps the arrays; nothing is copied.
   *
   * @param arrays Arrays `[length, …]`.
   * @throws {RangeError} If there are none, one is a scalar, or the first extents differ.
   */
  constructor(...arrays: T) {
    arrays.forEach((array, i) => {
      if (!(array instanceof Tensor)) checkHostArray("TensorDataset", `array ${i}`, array);
    });
    const length = arrays[0]?.shape[0];
    if (length === undefined || arrays.some((array) => array.shape[0] !== length)) {
      const shapes = arrays.map((array) => formatShape(array.shape)).join(", ");
      throw new RangeError(`TensorDataset: arrays must share their first extent: ${shapes}`);
    }
    this.length = length;
    this.#arrays = arrays;
  }

  /**
   * Row `index` of each array; views, not copies.
   *
   * @param index Which row.
   * @returns The rows.
   * @throws {RangeError} If there is no such row.
   */
  get(index: number): T {
    checkIndex("get", index, this.length);
    const rows = this.#arrays.map((array) => {
      if (array instanceof Tensor) return array.select(0, index);
      const { dtype, shape, data } = array;
      const size = data.length / this.length;
      const row = data.subarray(index * size, (index + 1) * size) as HostData;
      return { dtype, shape: shape.slice(1), data: row };
    });
    return rows as readonly (Tensor | HostArray)[] as T;
  }
}

/**
 * Some of the samples of another data set, in any order.
 *
 * @example
 * ```ts
 * import { Subset } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const letters = { length: 3, get: (i: number) => "abc"[i]! };
 * assertEquals(new Subset(letters, [2, 0]).get(0), "c");
 * ```
 */
export class Subset<T> implements Dataset<T> {
  /** Number of samples. */
  readonly length: number;
  readonly #dataset: Dataset<T>;
  readonly #indices: ArrayLike<number>;

  /**
   * Takes the indices.
   *
   * @param dataset All samples.
   * @param indices Which of them.
   * @throws {RangeError} If an index is out of range.
   */
  constructor(dataset: Dataset<T>, indices: ArrayLike<number>) {
    for (let i = 0; i < indices.length; i++) checkIndex("Subset", indices[i]!, dataset.length);
    this.length = indices.length;
    this.#dataset = dataset;
    this.#indices = indices;
  }

  /**
   * Sample `index` of the subset.
   *
   * @param index Which sample.
   * @param random Random numbers of this sample.
   * @returns The sample.
   * @throws {RangeError} If there is no such sample.
   */
  get(index: number, random?: RandomStream | undefined): T | Promise<T> {
    checkIndex("get", index, this.length);
    return this.#dataset.get(this.#indices[index]!, random);
  }
}

/**
 * Data sets one after another.
 *
 * @example
 * ```ts
 * import { ConcatDataset } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const letters = { length: 2, get: (i: number) => "ab"[i]! };
 * const both = new ConcatDataset([letters, letters]);
 * assertEquals([both.length, both.get(3)], [4, "b"]);
 * ```
 */
export class ConcatDataset<T> implements Dataset<T> {
  /** Number of samples of all. */
  readonly length: number;
  readonly #datasets: readonly Dataset<T>[];

  /**
   * Takes the parts.
   *
   * @param datasets The data sets, in order.
   * @throws {RangeError} If there are none.
   */
  constructor(datasets: readonly Dataset<T>[]) {
    if (datasets.length === 0) throw new RangeError("ConcatDataset: there are no data sets");
    this.length = datasets.reduce((sum, dataset) => sum + dataset.length, 0);
    this.#datasets = [...datasets];
  }

  /**
   * Sample `index`, counted through all parts.
   *
   * @param index Which sample.
   * @param random Random numbers of this sample.
   * @returns The sample.
   * @throws {RangeError} If there is no such sample.
   */
  get(index: number, random?: RandomStream | undefined): T | Promise<T> {
    checkIndex("get", index, this.length);
    let rest = index;
    for (const dataset of this.#datasets) {
      if (rest < dataset.length) return dataset.get(rest, random);
      rest -= dataset.length;
    }
    throw new Error("internal: ConcatDataset lengths changed");
  }
}

/**
 * A data set whose samples pass through a function.
 *
 * @example
 * ```ts
 * import { MapDataset } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const squares = new MapDataset({ length: 4, get: (i: number) => i }, (n) => n * n);
 * assertEquals(await squares.get(3), 9);
 * ```
 */
export class MapDataset<T, U> implements Dataset<U> {
  /** Number of samples. */
  readonly length: number;
  readonly #dataset: Dataset<T>;
  readonly #map: (sample: T, random: RandomStream) => U;

  /**
   * Takes the function.
   *
   * @param dataset Samples.
   * @param map What is done to each; random steps draw from the stream.
   */
  constructor(dataset: Dataset<T>, map: (sample: T, random: RandomStream) => U) {
    this.length = dataset.length;
    this.#dataset = dataset;
    this.#map = map;
  }

  /**
   * Sample `index`.
   *
   * @param index Which sample.
   * @param random Random numbers of this sample; fixed by the index where absent.
   * @returns The mapped sample.
   */
  get(index: number, random?: RandomStream | undefined): U | Promise<U> {
    const stream = random ?? new RandomStream(0, { index });
    const sample = this.#dataset.get(index, stream);
    if (sample instanceof Promise) return sample.then((value: T) => this.#map(value, stream));
    return this.#map(sample, stream);
  }
}

/**
 * Splits a data set at random into parts that share no sample.
 *
 * @param dataset All samples.
 * @param sizes Sizes of the parts, or fractions that sum to 1 (the first parts take what rounding
 *   leaves over, as in PyTorch).
 * @param options Seed of the order, 0 where absent.
 * @returns The parts.
 * @throws {RangeError} If the sizes do not sum to the length, or the fractions to 1.
 *
 * @example
 * ```ts
 * import { randomSplit } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const numbers = { length: 10, get: (i: number) => i };
 * const [train, test] = randomSplit(numbers, [0.8, 0.2], { seed: 1 });
 * assertEquals([train!.length, test!.length], [8, 2]);
 * ```
 */
export function randomSplit<T>(
  dataset: Dataset<T>,
  sizes: readonly number[],
  options: { seed?: number | undefined } = {},
): Subset<T>[] {
  const counts = splitSizes(dataset.length, sizes);
  const order = new RandomStream(options.seed ?? 0).permutation(dataset.length);
  let start = 0;
  return counts.map((count) => new Subset(dataset, order.subarray(start, start += count)));
}

function splitSizes(length: number, sizes: readonly number[]): number[] {
  const sum = sizes.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) < 1e-6 && sizes.every((size) => size >= 0 && size <= 1) && length !== 1) {
    const counts = sizes.map((fraction) => Math.floor(length * fraction + 1e-9));
    let left = length - counts.reduce((a, b) => a + b, 0);
    for (let i = 0; left > 0; i = (i + 1) % counts.length, left--) counts[i]!++;
    return counts;
  }
  for (const size of sizes) checkInteger("randomSplit", "size", size, 0);
  if (sum !== length) {
    throw new RangeError(`randomSplit: sizes sum to ${sum}, the data set has ${length} samples`);
  }
  return [...sizes];
}
