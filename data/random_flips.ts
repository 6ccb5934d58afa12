/** Mirror images with a probability. */
import { checkRange } from "./_check.ts";
import { flipHorizontal, flipVertical, type Image } from "./image.ts";
import type { RandomStream } from "./random.ts";
import type { Transform } from "./transforms.ts";

/** What {@linkcode RandomHorizontalFlip} and {@linkcode RandomVerticalFlip} have in common. */
export abstract class RandomFlipBase implements Transform<Image, Image> {
  /** Three equal channels stay equal. */
  readonly channelwise = true;
  /** Probability. */
  readonly p: number;
  readonly #flip: (image: Image) => Image;

  /**
   * Takes the probability.
   *
   * @param name Name in messages.
   * @param flip Mirrors an image.
   * @param p From 0 to 1.
   * @throws {RangeError} If it is outside.
   */
  constructor(name: string, flip: (image: Image) => Image, p: number) {
    checkRange(name, "p", p, 0, 1);
    this.p = p;
    this.#flip = flip;
  }

  /**
   * Mirrors one image, or not.
   *
   * @param image Image.
   * @param random Random numbers of this image; one is drawn.
   * @returns The image or its mirror image.
   */
  forward(image: Image, random: RandomStream): Image {
    return random.uniform() < this.p ? this.#flip(image) : image;
  }
}

/**
 * Mirrors left and right with a probability.
 *
 * @example
 * ```ts
 * import { createImage, RandomHorizontalFlip, RandomStream } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(2, 1, 1, new Uint8Array([1, 2]));
 * const flipped = new RandomHorizontalFlip(1).forward(image, new RandomStream(0));
 * assertEquals(flipped.data, new Uint8Array([2, 1]));
 * ```
 */
export class RandomHorizontalFlip extends RandomFlipBase {
  /**
   * Takes the probability.
   *
   * @param p From 0 to 1.
   * @throws {RangeError} If it is outside.
   */
  constructor(p = 0.5) {
    super("RandomHorizontalFlip", flipHorizontal, p);
  }
}

/**
 * Mirrors top and bottom with a probability.
 *
 * @example
 * ```ts
 * import { createImage, RandomStream, RandomVerticalFlip } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(1, 2, 1, new Uint8Array([1, 2]));
 * const flipped = new RandomVerticalFlip(1).forward(image, new RandomStream(0));
 * assertEquals(flipped.data, new Uint8Array([2, 1]));
 * ```
 */
export class RandomVerticalFlip extends RandomFlipBase {
  /**
   * Takes the probability.
   *
   * @param p From 0 to 1.
   * @throws {RangeError} If it is outside.
   */
  constructor(p = 0.5) {
    super("RandomVerticalFlip", flipVertical, p);
  }
}
