import { checkInteger, checkRange } from "./_check.ts";
import { affine, type AffineOptions, rotate, type RotateOptions } from "./affine.ts";
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from "./color.ts";
import { crop, type Image, pad, type PadOptions } from "./image.ts";
import type { RandomStream } from "./random.ts";
import type { Transform } from "./transforms.ts";

function symmetricRange(
  op: string,
  name: string,
  value: number | readonly [number, number],
): [number, number] {
  if (typeof value !== "number") {
    const [low, high] = value;
    if (low <= high) return [low, high];
    throw new RangeError(`${op}: ${name} runs from ${low} to ${high}, expected rising bounds`);
  }
  checkRange(op, name, value, 0, Infinity);
  return [-value, value];
}

/**
 * Rotates by an angle drawn uniformly.
 *
 * @example
 * ```ts
 * import { createImage, RandomRotation, RandomStream } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const rotation = new RandomRotation(10);
 * const image = rotation.forward(createImage(28, 28, 1), new RandomStream(1));
 * assertEquals(image.width, 28);
 * ```
 */
export class RandomRotation implements Transform<Image, Image> {
  /** Three equal channels stay equal where the fill is one number. */
  readonly channelwise: boolean;
  /** Smallest and largest angle. */
  readonly degrees: readonly [number, number];
  /** Resampling, extent, center, fill. */
  readonly options: RotateOptions;

  /**
   * Takes the bounds.
   *
   * @param degrees Largest angle either way, or `[smallest, largest]`.
   * @param options Resampling (nearest where absent), extent, center, fill.
   * @throws {RangeError} If the bounds are negative or fall.
   */
  constructor(degrees: number | readonly [number, number], options: RotateOptions = {}) {
    this.degrees = symmetricRange("RandomRotation", "degrees", degrees);
    this.options = { ...options };
    this.channelwise = typeof (options.fill ?? 0) === "number";
  }

  /**
   * Rotates one image.
   *
   * @param image Image.
   * @param random Random numbers of this image; one is drawn.
   * @returns The rotated image.
   */
  forward(image: Image, random: RandomStream): Image {
    return rotate(image, random.uniform(...this.degrees), this.options);
  }
}

/** Options of {@linkcode RandomAffine}. */
export interface RandomAffineOptions
  extends Pick<AffineOptions, "interpolation" | "fill" | "center"> {
  /** Largest shift as fractions of width and height; none where absent. */
  translate?: readonly [number, number] | undefined;
  /** Smallest and largest enlargement; 1 where absent. */
  scale?: readonly [number, number] | undefined;
  /** Largest shear along x in degrees, or its bounds; none where absent. */
  shear?: number | readonly [number, number] | undefined;
}

/**
 * Rotates, moves, enlarges and shears by amounts drawn uniformly.
 *
 * @example
 * ```ts
 * import { createImage, RandomAffine, RandomStream } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const transform = new RandomAffine(10, { translate: [0.1, 0.1], scale: [0.9, 1.1] });
 * assertEquals(transform.forward(createImage(28, 28, 1), new RandomStream(1)).width, 28);
 * ```
 */
export class RandomAffine implements Transform<Image, Image> {
  /** Three equal channels stay equal where the fill is one number. */
  readonly channelwise: boolean;
  readonly #degrees: readonly [number, number];
  readonly #shear: readonly [number, number];
  readonly #options: RandomAffineOptions;

  /**
   * Takes the bounds.
   *
   * @param degrees Largest angle either way, or `[smallest, largest]`.
   * @param options Shift, enlargement, shear, resampling, fill.
   * @throws {RangeError} If bounds fall, or a shift is no fraction.
   */
  constructor(degrees: number | readonly [number, number], options: RandomAffineOptions = {}) {
    this.#degrees = symmetricRange("RandomAffine", "degrees", degrees);
    this.#shear = symmetricRange("RandomAffine", "shear", options.shear ?? 0);
    for (const part of options.translate ?? []) {
      checkRange("RandomAffine", "translate", part, 0, 1);
    }
    for (const part of options.scale ?? []) {
      checkRange("RandomAffine", "scale", part, Number.MIN_VALUE, Infinity);
    }
    this.#options = { ...options };
    this.channelwise = typeof (options.fill ?? 0) === "number";
  }

  /**
   * Transforms one image.
   *
   * @param image Image.
   * @param random Random numbers of this image; five are drawn.
   * @returns Image of the same extent.
   */
  forward(image: Image, random: RandomStream): Image {
    const { translate = [0, 0], scale = [1, 1], interpolation, fill, center } = this.#options;
    const angle = random.uniform(...this.#degrees);
    const [reachX, reachY] = [translate[0] * image.width, translate[1] * image.height];
    const dx = Math.round(random.uniform(-reachX, reachX));
    const dy = Math.round(random.uniform(-reachY, reachY));
    const factor = random.uniform(...scale);
    const shear = [random.uniform(...this.#shear), 0] as const;
    const amounts = { angle, translate: [dx, dy] as const, scale: factor, shear };
    return affine(image, { ...amounts, interpolation, fill, center });
  }
}

/** Options of {@linkcode ColorJitter}: a largest change, or the bounds of the factor. */
export interface ColorJitterOptions {
  /** Change of brightness; none where absent. */
  brightness?: number | readonly [number, number] | undefined;
  /** Change of contrast; none where absent. */
  contrast?: number | readonly [number, number] | undefined;
  /** Change of saturation; none where absent. */
  saturation?: number | readonly [number, number] | undefined;
  /** Turn of the hue, at most 0.5; none where absent. */
  hue?: number | readonly [number, number] | undefined;
}

type Adjustment = (image: Image, factor: number) => Image;

/**
 * Changes brightness, contrast, saturation and hue by random amounts in random order.
 *
 * @example
 * ```ts
 * import { ColorJitter, createImage, RandomStream } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const jitter = new ColorJitter({ brightness: 0.2, contrast: 0.2 });
 * assertEquals(jitter.forward(createImage(28, 28, 1), new RandomStream(1)).width, 28);
 * ```
 */
export class ColorJitter implements Transform<Image, Image> {
  /** Three equal channels stay equal. */
  readonly channelwise = true;
  readonly #adjustments: readonly { adjust: Adjustment; range: readonly [number, number] }[];

  /**
   * Takes the bounds.
   *
   * @param options What is changed and how far.
   * @throws {RangeError} If a bound is outside of what the adjustment allows.
   */
  constructor(options: ColorJitterOptions = {}) {
    const rows = [
      { name: "brightness", adjust: adjustBrightness, around: 1, min: 0, max: Infinity },
      { name: "contrast", adjust: adjustContrast, around: 1, min: 0, max: Infinity },
      { name: "saturation", adjust: adjustSaturation, around: 1, min: 0, max: Infinity },
      { name: "hue", adjust: adjustHue, around: 0, min: -0.5, max: 0.5 },
    ] as const;
    this.#adjustments = rows.flatMap(({ name, adjust, around, min, max }) => {
      const value = options[name];
      if (value === undefined || value === 0) return [];
      let [low, high] = symmetricRange("ColorJitter", name, value);
      if (typeof value === "number") {
        [low, high] = [Math.max(around === 1 ? 0 : -Infinity, around + low), around + high];
      }
      checkRange("ColorJitter", name, low, min, max);
      checkRange("ColorJitter", name, high, min, max);
      return [{ adjust, range: [low, high] as const }];
    });
  }

  /**
   * Changes one image.
   *
   * @param image Image with 1 or 3 channels.
   * @param random Random numbers of this image.
   * @returns The changed image.
   */
  forward(image: Image, random: RandomStream): Image {
    const order = random.permutation(this.#adjustments.length);
    let result = image;
    for (const { adjust, range } of Array.from(order, (i) => this.#adjustments[i]!)) {
      result = adjust(result, random.uniform(...range));
    }
    return result;
  }
}

/** Options of {@linkcode RandomCrop}. */
export interface RandomCropOptions extends PadOptions {
  /** Border that is added first; none where absent. */
  padding?: number | readonly number[] | undefined;
}

/**
 * Cuts a rectangle out at a random place.
 *
 * @example
 * ```ts
 * import { createImage, RandomCrop, RandomStream } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const crop = new RandomCrop(28, { padding: 2 });
 * assertEquals(crop.forward(createImage(28, 28, 1), new RandomStream(3)).width, 28);
 * ```
 */
export class RandomCrop implements Transform<Image, Image> {
  /** Three equal channels stay equal where the fill is one number. */
  readonly channelwise: boolean;
  readonly #height: number;
  readonly #width: number;
  readonly #options: RandomCropOptions;

  /**
   * Takes the extent.
   *
   * @param size Extent of the square, or `[height, width]`.
   * @param options Border.
   * @throws {RangeError} If an extent is no positive integer.
   */
  constructor(size: number | readonly [number, number], options: RandomCropOptions = {}) {
    [this.#height, this.#width] = typeof size === "number" ? [size, size] : size;
    checkInteger("RandomCrop", "height", this.#height, 1);
    checkInteger("RandomCrop", "width", this.#width, 1);
    this.#options = { ...options };
    this.channelwise = typeof (options.fill ?? 0) === "number";
  }

  /**
   * Crops one image.
   *
   * @param image Image.
   * @param random Random numbers of this image; two are drawn.
   * @returns The rectangle.
   * @throws {RangeError} If the padded image is smaller than the rectangle.
   */
  forward(image: Image, random: RandomStream): Image {
    const { padding, fill, mode } = this.#options;
    const padded = padding === undefined ? image : pad(image, padding, { fill, mode });
    const [height, width] = [this.#height, this.#width];
    if (padded.height < height || padded.width < width) {
      throw new RangeError(
        `RandomCrop: image is ${padded.height} × ${padded.width}, smaller than the crop of ` +
          `${height} × ${width} (use padding)`,
      );
    }
    const top = random.integer(padded.height - height + 1);
    const left = random.integer(padded.width - width + 1);
    return crop(padded, top, left, height, width);
  }
}
