import type { HostArray } from "./array.ts";
import { checkImage, type Image } from "./image.ts";
import type { Transform } from "./transforms.ts";

/** An image as floats `[channels, height, width]`. */
export interface FloatImage extends HostArray {
  /** Element type. */
  dtype: "float32";
  /** Elements, row-major. */
  data: Float32Array<ArrayBuffer>;
}

/**
 * Bytes `[height, width, channels]` to floats `[channels, height, width]` in `[0, 1]`.
 *
 * @example
 * ```ts
 * import { createImage, ToTensor } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(2, 1, 1, new Uint8Array([0, 255]));
 * assertEquals(new ToTensor().forward(image).data, new Float32Array([0, 1]));
 * ```
 */
export class ToTensor implements Transform<Image, FloatImage> {
  /**
   * Converts one image.
   *
   * @param image Image.
   * @returns Floats.
   */
  forward(image: Image): FloatImage {
    checkImage("ToTensor", image);
    return floatImage(image, image.channels, [unitTable()]);
  }
}

let keptUnitTable: Float32Array | undefined;

/** `byte / 255` in float32 for all bytes. */
export function unitTable(): Float32Array {
  keptUnitTable ??= Float32Array.from({ length: 256 }, (_, byte) => byte / 255);
  return keptUnitTable;
}

/**
 * Looks every byte up in its channel's table (the last table serves the channels after it); a
 * one-channel image fills all `channels` of the result.
 */
export function floatImage(
  image: Image,
  channels: number,
  tables: readonly Float32Array[],
): FloatImage {
  const pixels = image.width * image.height;
  const result = new Float32Array(channels * pixels);
  for (let c = 0; c < channels; c++) {
    const table = tables[Math.min(c, tables.length - 1)]!;
    const start = c * pixels;
    if (image.channels === 1 && c > 0 && table === tables[Math.min(c - 1, tables.length - 1)]) {
      result.copyWithin(start, start - pixels, start);
      continue;
    }
    const step = image.channels;
    let from = step === 1 ? 0 : c;
    for (let i = 0; i < pixels; i++, from += step) result[start + i] = table[image.data[from]!]!;
  }
  return { dtype: "float32", shape: [channels, image.height, image.width], data: result };
}

/**
 * Subtracts a mean and divides by a deviation, one for each channel or one for all.
 *
 * @example
 * ```ts
 * import { Normalize } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = { dtype: "float32" as const, shape: [1, 1, 1], data: new Float32Array([1]) };
 * assertEquals(new Normalize(0.5, 0.25).forward(image).data, new Float32Array([2]));
 * ```
 */
export class Normalize implements Transform<FloatImage, FloatImage> {
  /** Mean of each channel, or one for all. */
  readonly mean: readonly number[];
  /** Deviation of each channel, or one for all. */
  readonly std: readonly number[];

  /**
   * Takes the statistics.
   *
   * @param mean Mean of each channel, or one for all.
   * @param std Deviation of each channel, or one for all.
   * @throws {RangeError} If a deviation is 0, or the two differ in length.
   */
  constructor(mean: number | readonly number[], std: number | readonly number[]) {
    this.mean = typeof mean === "number" ? [mean] : [...mean];
    this.std = typeof std === "number" ? [std] : [...std];
    if (this.mean.length !== this.std.length || this.mean.length === 0) {
      throw new RangeError(
        `Normalize: mean has ${this.mean.length} values, std has ${this.std.length}`,
      );
    }
    const zero = this.std.findIndex((value) => !(Math.abs(value) > 0));
    if (zero !== -1) {
      throw new RangeError(`Normalize: std ${zero} is ${this.std[zero]}, it divides`);
    }
  }

  /**
   * Normalizes one image.
   *
   * @param image Floats `[channels, height, width]`.
   * @returns Floats of the same shape.
   * @throws {RangeError} If the number of channels differs from the number of means.
   * @throws {TypeError} If the image holds bytes.
   */
  forward(image: FloatImage): FloatImage {
    if (!("shape" in image)) {
      throw new TypeError(
        "Normalize: expects floats, not an image of bytes (put ToTensor before it)",
      );
    }
    const channels = image.shape[0]!;
    this.checkChannels(channels);
    const pixels = image.data.length / channels;
    const data = new Float32Array(image.data.length);
    for (let c = 0; c < channels; c++) {
      const [mean, std] = this.statistics(c);
      for (let i = c * pixels; i < (c + 1) * pixels; i++) {
        data[i] = Math.fround(image.data[i]! - mean) / std;
      }
    }
    return { dtype: "float32", shape: [...image.shape], data };
  }

  /**
   * Throws unless there is a mean for each channel, or one for all.
   *
   * @param channels Number of channels.
   * @throws {RangeError} If the numbers differ.
   */
  checkChannels(channels: number): void {
    if (this.mean.length === 1 || this.mean.length === channels) return;
    throw new RangeError(
      `Normalize: image has ${channels} channels, mean and std have ${this.mean.length}`,
    );
  }

  /**
   * Mean and deviation of a channel in float32.
   *
   * @param channel Which channel.
   * @returns Mean and deviation.
   */
  statistics(channel: number): [mean: number, std: number] {
    const at = this.mean.length === 1 ? 0 : channel;
    return [Math.fround(this.mean[at]!), Math.fround(this.std[at]!)];
  }
}
