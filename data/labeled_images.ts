import { checkIndex } from "./_check.ts";
import type { Dataset } from "./dataset.ts";
import type { Image } from "./image.ts";
import { RandomStream } from "./random.ts";
import type { Transform } from "./transforms.ts";

/** Gray images with a class each, as {@linkcode LabeledImages} keeps them. */
export interface LabeledImagesInit {
  /** Pixels, `[count, height, width]`, row-major. */
  images: Uint8Array<ArrayBuffer>;
  /** Class of each image, `[count]`. */
  labels: Uint8Array<ArrayBuffer>;
  /** Height of an image. */
  height: number;
  /** Width of an image. */
  width: number;
  /** Names of the classes, in the order of the labels. */
  classes: readonly string[];
}

/**
 * A data set of gray images with labels: the pixels of all in one array, a view for each.
 *
 * Item `i` is `[image, label]`, the image as a transform made it.
 *
 * @example Two images of one pixel
 * ```ts
 * import { LabeledImages } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const data = new LabeledImages({
 *   images: new Uint8Array([10, 20]),
 *   labels: new Uint8Array([1, 0]),
 *   height: 1,
 *   width: 1,
 *   classes: ["zero", "one"],
 * });
 * const [image, label] = data.get(0);
 * assertEquals([data.length, image.data[0], label], [2, 10, 1]);
 * ```
 */
export class LabeledImages<T = Image> implements Dataset<[T, number]> {
  /** Pixels of all images, `[length, height, width]`. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** Class of each image, `[length]`. */
  readonly labels: Uint8Array<ArrayBuffer>;
  /** Height of an image. */
  readonly height: number;
  /** Width of an image. */
  readonly width: number;
  /** Names of the classes, in the order of the labels. */
  readonly classes: readonly string[];
  /** Number of images. */
  readonly length: number;
  readonly #transform: Transform<Image, T> | undefined;

  /**
   * Wraps pixels and labels; nothing is copied.
   *
   * @param init Pixels, labels, extents and class names.
   * @param transform What is done to each image when it is read.
   * @throws {RangeError} If the pixels do not fill the images, or a label has no class.
   */
  constructor(init: LabeledImagesInit, transform?: Transform<Image, T> | undefined) {
    const { images, labels, height, width, classes } = init;
    if (images.length !== labels.length * height * width) {
      throw new RangeError(
        `LabeledImages: images has ${images.length} pixels, ${labels.length} labels need ` +
          `${labels.length * height * width}: height ${height}, width ${width}`,
      );
    }
    const wrong = labels.findIndex((label) => label >= classes.length);
    if (wrong !== -1) {
      throw new RangeError(
        `LabeledImages: label ${labels[wrong]} of image ${wrong} is out of range for ` +
          `${classes.length} classes`,
      );
    }
    this.images = images;
    this.labels = labels;
    this.height = height;
    this.width = width;
    this.classes = classes;
    this.length = labels.length;
    this.#transform = transform;
  }

  /**
   * Image `index` as it is stored, without the transform; a view, not a copy.
   *
   * @param index Which image.
   * @returns The image, one channel.
   * @throws {RangeError} If there is no such image.
   */
  image(index: number): Image {
    checkIndex("image", index, this.length);
    const pixels = this.height * this.width;
    const data = this.images.subarray(index * pixels, (index + 1) * pixels);
    return { width: this.width, height: this.height, channels: 1, data };
  }

  /**
   * Item `index`.
   *
   * @param index Which item.
   * @param random Random numbers for the transform; fixed by the index where absent.
   * @returns The transformed image and its label.
   * @throws {RangeError} If there is no such item.
   */
  get(index: number, random?: RandomStream | undefined): [T, number] {
    checkIndex("get", index, this.length);
    const image = this.image(index);
    const transformed = this.#transform === undefined
      ? image as T
      : this.#transform.forward(image, random ?? new RandomStream(0, { index }));
    return [transformed, this.labels[index]!];
  }

  /**
   * The same images through another transform; pixels are shared.
   *
   * @param transform What is done to each image when it is read.
   * @returns The new data set.
   */
  withTransform<U>(transform: Transform<Image, U>): LabeledImages<U> {
    return new LabeledImages<U>(this, transform);
  }
}
