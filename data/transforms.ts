import { checkInteger, checkName } from "./_check.ts";
import {
  centerCrop,
  grayscale,
  type Image,
  pad,
  type PaddingMode,
  type PadOptions,
} from "./image.ts";
import { INTERPOLATIONS, resize, type ResizeOptions } from "./resize.ts";
import type { RandomStream } from "./random.ts";

/** A step of preparing a sample; random steps draw from the stream that they are given. */
export interface Transform<In, Out> {
  /**
   * Applies the step.
   *
   * @param input Sample.
   * @param random Random numbers of this sample.
   * @returns The transformed sample; the input is left as it was.
   */
  forward(input: In, random: RandomStream): Out;
  /**
   * True where three equal channels are treated as one channel is. {@linkcode Compose} then
   * computes a gray image once instead of three times.
   */
  readonly channelwise?: boolean | undefined;
}

/**
 * Resizes to `[height, width]`, or the shorter edge to one number; PIL's bytes.
 *
 * @example
 * ```ts
 * import { createImage, Resize } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = new Resize([48, 48]).forward(createImage(28, 28, 1));
 * assertEquals([image.width, image.height], [48, 48]);
 * ```
 */
export class Resize implements Transform<Image, Image> {
  /** Three equal channels stay equal. */
  readonly channelwise = true;
  readonly #size: number | readonly [number, number];
  readonly #options: ResizeOptions;

  /**
   * Takes the extent.
   *
   * @param size `[height, width]`, or the length of the shorter edge.
   * @param options Filter, bilinear where absent.
   * @throws {RangeError} If an extent is no positive integer, or the filter does not exist.
   */
  constructor(size: number | readonly [number, number], options: ResizeOptions = {}) {
    for (const extent of typeof size === "number" ? [size] : size) {
      checkInteger("Resize", "size", extent, 1);
    }
    checkName("Resize", "interpolation", options.interpolation ?? "bilinear", INTERPOLATIONS);
    this.#size = size;
    this.#options = options;
  }

  /**
   * Resizes one image.
   *
   * @param image Image.
   * @returns The resized image.
   */
  forward(image: Image): Image {
    return resize(image, this.#size, this.#options);
  }
}

/**
 * Cuts the middle out.
 *
 * @example
 * ```ts
 * import { CenterCrop, createImage } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new CenterCrop(20).forward(createImage(28, 28, 1)).width, 20);
 * ```
 */
export class CenterCrop implements Transform<Image, Image> {
  /** Three equal channels stay equal. */
  readonly channelwise = true;
  readonly #size: number | readonly [number, number];

  /**
   * Takes the extent.
   *
   * @param size Extent of the square, or `[height, width]`.
   * @throws {RangeError} If an extent is no positive integer.
   */
  constructor(size: number | readonly [number, number]) {
    for (const extent of typeof size === "number" ? [size] : size) {
      checkInteger("CenterCrop", "size", extent, 1);
    }
    this.#size = size;
  }

  /**
   * Crops one image.
   *
   * @param image Image.
   * @returns The middle.
   */
  forward(image: Image): Image {
    return centerCrop(image, this.#size);
  }
}

/**
 * Adds a border.
 *
 * @example
 * ```ts
 * import { createImage, Pad } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Pad(2).forward(createImage(28, 28, 1)).width, 32);
 * ```
 */
export class Pad implements Transform<Image, Image> {
  /** Three equal channels stay equal where the fill is one number. */
  readonly channelwise: boolean;
  readonly #padding: number | readonly number[];
  readonly #fill: number | readonly number[];
  readonly #mode: PaddingMode;

  /**
   * Takes the widths.
   *
   * @param padding One width, `[left and right, top and bottom]`, or `[left, top, right, bottom]`.
   * @param options How the border is filled.
   */
  constructor(padding: number | readonly number[], options: PadOptions = {}) {
    this.#padding = padding;
    this.#fill = options.fill ?? 0;
    this.#mode = options.mode ?? "constant";
    this.channelwise = typeof this.#fill === "number";
  }

  /**
   * Pads one image.
   *
   * @param image Image.
   * @returns The larger image.
   */
  forward(image: Image): Image {
    return pad(image, this.#padding, { fill: this.#fill, mode: this.#mode });
  }
}

/**
 * Gray version with one channel, or with three equal ones.
 *
 * @example
 * ```ts
 * import { createImage, Grayscale } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Grayscale(3).forward(createImage(2, 2, 1)).channels, 3);
 * ```
 */
export class Grayscale implements Transform<Image, Image> {
  /** Channels of the result. */
  readonly outputChannels: 1 | 3;

  /**
   * Takes the number of channels.
   *
   * @param outputChannels 1 or 3.
   * @throws {RangeError} If it is another.
   */
  constructor(outputChannels: 1 | 3 = 1) {
    if (outputChannels !== 1 && outputChannels !== 3) {
      throw new RangeError(`Grayscale: outputChannels is ${outputChannels}, expected 1 or 3`);
    }
    this.outputChannels = outputChannels;
  }

  /**
   * Converts one image.
   *
   * @param image Image with 1, 3 or 4 channels.
   * @returns The gray image.
   */
  forward(image: Image): Image {
    return grayscale(image, this.outputChannels);
  }
}
