import { checkInteger } from "./_check.ts";

// Constants of Philox-4x32: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

function multiplyHigh(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + (cross / 0x10000 >>> 0)) >>> 0;
}

/**
 * One block of Philox-4x32-10: four 32-bit words from a counter of four and a key of two words.
 *
 * @param counter Four 32-bit words; overwritten with the result.
 * @param key0 First key word.
 * @param key1 Second key word.
 */
export function philox(counter: Uint32Array, key0: number, key1: number): void {
  let [c0, c1, c2, c3] = counter as unknown as [number, number, number, number];
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = (high1 ^ c1 ^ key0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ key1) >>> 0;
    c3 = low0 >>> 0;
    key0 = (key0 + WEYL_0) >>> 0;
    key1 = (key1 + WEYL_1) >>> 0;
  }
  counter[0] = c0;
  counter[1] = c1;
  counter[2] = c2;
  counter[3] = c3;
}

/** Which numbers a {@linkcode RandomStream} gives. */
export interface RandomStreamOptions {
  /**
   * Pass over the data.
   *
   * @default {0}
   */
  epoch?: number | undefined;
  /**
   * Sample within the pass.
   *
   * @default {0}
   */
  index?: number | undefined;
  /**
   * Separates independent uses of the same seed, epoch and index.
   *
   * @default {0}
   */
  purpose?: number | undefined;
}

/**
 * Random numbers on the host, addressed by seed, epoch and index rather than by how many were
 * drawn before: which worker prepares a sample, and in which order, changes nothing.
 *
 * Philox-4x32-10 (Salmon et al. 2011), the counter-based generator of the whole library.
 *
 * @example The numbers of sample 7 in epoch 1 do not depend on other samples
 * ```ts
 * import { RandomStream } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const first = new RandomStream(42, { epoch: 1, index: 7 }).uniform(-10, 10);
 * const again = new RandomStream(42, { epoch: 1, index: 7 }).uniform(-10, 10);
 * assertEquals(first, again);
 * ```
 */
export class RandomStream {
  readonly #key0: number;
  readonly #key1: number;
  readonly #purpose: number;
  readonly #index: number;
  readonly #epoch: number;
  readonly #words: Uint32Array = new Uint32Array(4);
  #block = 0;
  #used = 4;

  /**
   * Opens the stream at its first number.
   *
   * @param seed An integer from 0 to 2^53 − 1.
   * @param options Epoch, index and purpose.
   * @throws {RangeError} If one of them is negative or no integer.
   */
  constructor(seed: number, options: RandomStreamOptions = {}) {
    const { epoch = 0, index = 0, purpose = 0 } = options;
    checkInteger("RandomStream", "seed", seed, 0);
    checkInteger("RandomStream", "epoch", epoch, 0);
    checkInteger("RandomStream", "index", index, 0);
    checkInteger("RandomStream", "purpose", purpose, 0);
    this.#key0 = seed >>> 0;
    this.#key1 = Math.floor(seed / 2 ** 32) >>> 0;
    this.#purpose = purpose;
    this.#index = index;
    this.#epoch = epoch;
  }

  /**
   * Next 32 random bits.
   *
   * @returns An integer from 0 to 2^32 − 1.
   */
  next(): number {
    if (this.#used === 4) {
      const words = this.#words;
      words[0] = this.#block++;
      words[1] = this.#purpose;
      words[2] = this.#index;
      words[3] = this.#epoch;
      philox(words, this.#key0, this.#key1);
      this.#used = 0;
    }
    return this.#words[this.#used++]!;
  }

  /**
   * A number drawn uniformly from `[low, high)`.
   *
   * @param low Lower bound.
   * @param high Upper bound.
   * @returns The number.
   */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.next() / 2 ** 32);
  }

  /**
   * An integer drawn uniformly, without bias, from `0` to `count − 1`.
   *
   * @param count How many integers there are to choose from, 1 to 2^32.
   * @returns The integer.
   */
  integer(count: number): number {
    checkInteger("integer", "count", count, 1);
    const limit = 2 ** 32 - (2 ** 32 % count);
    let bits = this.next();
    while (bits >= limit) bits = this.next();
    return bits % count;
  }

  /**
   * A number from the normal distribution (Box and Muller's method).
   *
   * @param mean Mean.
   * @param deviation Standard deviation.
   * @returns The number.
   */
  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /**
   * The integers `0` to `count − 1` in random order (Fisher and Yates' shuffle).
   *
   * @param count How many.
   * @returns The permutation.
   */
  permutation(count: number): Uint32Array<ArrayBuffer> {
    checkInteger("permutation", "count", count, 0);
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let last = count - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      const kept = order[last]!;
      order[last] = order[other]!;
      order[other] = kept;
    }
    return order;
  }
}
