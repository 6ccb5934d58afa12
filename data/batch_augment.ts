import { checkInteger, checkRange } from "./_check.ts";
import type { HostArray } from "./array.ts";
import {
  adjustBrightnessBatch,
  adjustContrastBatch,
  normalizeBatch,
  resizeBatch,
  rotateBatch,
  rotationParameters,
} from "./device_transforms.ts";
import type { Image } from "./image.ts";
import type { RandomStream } from "./random.ts";
import type { Transform } from "./transforms.ts";
import type { Tensor } from "../ops/mod.ts";

/** What a {@linkcode BatchAugment} does, in this order. */
export interface BatchAugmentOptions {
  /** Extent `[height, width]` to resize to. */
  size: readonly [number, number];
  /**
   * Channels of the result: 3 spreads gray images.
   *
   * @default {1}
   */
  channels?: 1 | 3 | undefined;
  /**
   * Largest rotation either way, in degrees.
   *
   * @default {0}
   */
  rotation?: number | undefined;
  /**
   * Largest change of brightness.
   *
   * @default {0}
   */
  brightness?: number | undefined;
  /**
   * Largest change of contrast.
   *
   * @default {0}
   */
  contrast?: number | undefined;
  /**
   * Mean that is subtracted from values in `[0, 1]`.
   *
   * @default {0}
   */
  mean?: number | undefined;
  /**
   * Deviation that divides them.
   *
   * @default {1}
   */
  std?: number | undefined;
}

/** What the host hands to the device for each image. */
export interface AugmentInput {
  /** Pixels `[1, H, W]`, bytes. */
  pixels: HostArray;
  /** Rotation, int32 `[6]`. */
  rotation: HostArray;
  /** Factors of brightness, contrast and again brightness, float32 `[3]`. */
  jitter: HostArray;
}

/**
 * Grayscale, Resize, RandomRotation, ColorJitter, ToTensor and Normalize on the device, a batch at
 * a time: the host draws the random numbers and sends the small original images. The draws are
 * those of the host transforms, so for the same seed both ways give the same images, up to one
 * level of 255.
 *
 * @example Digits of 4×4 to 6×6
 * ```ts
 * import { BatchAugment, DataLoader, LabeledImages } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const augment = new BatchAugment({ size: [6, 6], channels: 3, rotation: 10, brightness: 0.2 });
 * const digits = new LabeledImages({
 *   images: new Uint8Array(32),
 *   labels: new Uint8Array([0, 1]),
 *   height: 4,
 *   width: 4,
 *   classes: ["zero", "one"],
 * });
 * const loader = new DataLoader(digits.withTransform(augment.prepare()), { batchSize: 2 });
 * for await (const [{ pixels, rotation, jitter }] of loader) {
 *   assertEquals(augment.forward(pixels, rotation, jitter).shape, [2, 3, 6, 6]);
 * }
 * ```
 */
export class BatchAugment {
  readonly #size: readonly [number, number];
  readonly #channels: 1 | 3;
  readonly #rotation: number;
  readonly #brightness: number | undefined;
  readonly #contrast: number | undefined;
  readonly #mean: number;
  readonly #std: number;

  /**
   * Takes the settings.
   *
   * @param options What is done.
   * @throws {RangeError} If a setting is out of range.
   */
  constructor(options: BatchAugmentOptions) {
    const { size, channels = 1, rotation = 0, mean = 0, std = 1 } = options;
    for (const extent of size) checkInteger("BatchAugment", "size", extent, 1);
    if (channels !== 1 && channels !== 3) {
      throw new RangeError(`BatchAugment: channels is ${channels}, expected 1 or 3`);
    }
    checkRange("BatchAugment", "rotation", rotation, 0, 180);
    checkRange("BatchAugment", "brightness", options.brightness ?? 0, 0, Infinity);
    checkRange("BatchAugment", "contrast", options.contrast ?? 0, 0, Infinity);
    if (!(std > 0)) throw new RangeError(`BatchAugment: std is ${std}, expected a positive number`);
    this.#size = size;
    this.#channels = channels;
    this.#rotation = rotation;
    this.#brightness = options.brightness || undefined;
    this.#contrast = options.contrast || undefined;
    this.#mean = mean;
    this.#std = std;
  }

  /**
   * The host's part, as the transform of a data set of gray images.
   *
   * @returns A transform from an image to an {@linkcode AugmentInput}.
   */
  prepare(): Transform<Image, AugmentInput> {
    return { forward: (image, random) => this.#input(image, random) };
  }

  #input(image: Image, random: RandomStream): AugmentInput {
    if (image.channels !== 1) {
      throw new RangeError(`BatchAugment: image has ${image.channels} channels, expected 1`);
    }
    const angle = this.#rotation === 0 ? 0 : random.uniform(-this.#rotation, this.#rotation);
    const { width, height, data } = image;
    return {
      pixels: { dtype: "uint8", shape: [1, height, width], data },
      rotation: rotationParameters(angle, ...this.#size),
      jitter: { dtype: "float32", shape: [3], data: this.#jitter(random) },
    };
  }

  /**
   * Factors in the order in which `forward` applies them. Brightness comes before or after
   * contrast; the other time its factor is 1, which changes nothing.
   */
  #jitter(random: RandomStream): Float32Array<ArrayBuffer> {
    const [brightness, contrast] = [this.#brightness, this.#contrast];
    const changes = [brightness, contrast].filter((change) => change !== undefined);
    const factors = new Float32Array([1, 1, 1]);
    const draw = (change: number): number => random.uniform(Math.max(0, 1 - change), 1 + change);
    let contrastDone = false;
    for (const i of random.permutation(changes.length)) {
      if (contrast !== undefined && i === changes.length - 1) {
        factors[1] = draw(contrast);
        contrastDone = true;
      } else {
        factors[contrastDone ? 2 : 0] = draw(brightness!);
      }
    }
    return factors;
  }

  /**
   * The device's part.
   *
   * Shapes: pixels `[N, 1, h, w]`, rotation `[N, 6]`, jitter `[N, 3]`, result
   * `[N, channels, height, width]` float32.
   *
   * @param pixels Bytes of the images.
   * @param rotation Rotations.
   * @param jitter Factors.
   * @returns Normalized images.
   * @throws {ShapeError} If the shapes do not fit.
   */
  forward(pixels: Tensor, rotation: Tensor, jitter: Tensor): Tensor {
    let images = resizeBatch(pixels.to("float32"), this.#size);
    if (this.#rotation !== 0) images = rotateBatch(images, rotation);
    const factor = (i: number): Tensor => jitter.narrow(1, i, 1);
    if (this.#brightness !== undefined) images = adjustBrightnessBatch(images, factor(0));
    if (this.#contrast !== undefined) {
      images = adjustContrastBatch(images, factor(1));
      if (this.#brightness !== undefined) images = adjustBrightnessBatch(images, factor(2));
    }
    images = normalizeBatch(images, this.#mean, this.#std);
    const [n, , h, w] = images.shape as [number, number, number, number];
    return this.#channels === 3 ? images.expand([n, 3, h, w]) : images;
  }
}
