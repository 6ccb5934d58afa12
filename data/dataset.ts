import type { RandomStream } from "./random.ts";

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
