import { checkInteger } from "./_check.ts";

/** An 8-bit image in memory, the interleaved form that PIL and every codec use. */
export interface Image {
  /** Pixels per row. */
  width: number;
  /** Rows. */
  height: number;
  /** Bytes per pixel: 1 gray, 3 red–green–blue, 4 with alpha. */
  channels: number;
  /** Pixels `[height, width, channels]`, row-major. */
  data: Uint8Array<ArrayBuffer>;
}

/** How {@linkcode pad} fills the border. */
export type PaddingMode = "constant" | "edge" | "reflect" | "symmetric";

/** Options of {@linkcode pad}. */
export interface PadOptions {
  /**
   * Value of the border in mode `constant`, one or one per channel.
   *
   * @default {0}
   */
  fill?: number | readonly number[] | undefined;
  /**
   * How the border is filled.
   *
   * @default {"constant"}
   */
  mode?: PaddingMode | undefined;
}

/**
 * A black image, or one over given pixels.
 *
 * @param width Pixels per row, at least 1.
 * @param height Rows, at least 1.
 * @param channels Bytes per pixel, 1 to 4.
 * @param data Pixels `[height, width, channels]`; zeros where absent.
 * @returns The image; `data` is not copied.
 * @throws {RangeError} If an extent is wrong, or `data` does not fill the image.
 *
 * @example
 * ```ts
 * import { createImage } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(createImage(2, 1, 3).data.length, 6);
 * ```
 */
export function createImage(
  width: number,
  height: number,
  channels: number,
  data?: Uint8Array<ArrayBuffer> | undefined,
): Image {
  checkInteger("createImage", "width", width, 1);
  checkInteger("createImage", "height", height, 1);
  if (![1, 2, 3, 4].includes(channels)) {
    throw new RangeError(`createImage: channels is ${channels}, expected 1 to 4`);
  }
  const image = {
    width,
    height,
    channels,
    data: data ?? new Uint8Array(width * height * channels),
  };
  checkImage("createImage", image);
  return image;
}

/** Throws unless the pixels fill the image. */
export function checkImage(op: string, image: Image): void {
  const { width, height, channels, data } = image;
  if ("shape" in image) {
    throw new TypeError(`${op}: expects an image of bytes, not floats (put ToTensor after it)`);
  }
  if (data.length !== width * height * channels || data.length === 0) {
    throw new RangeError(
      `${op}: data has ${data.length} bytes, the image needs ${width * height * channels}: ` +
        `width ${width}, height ${height}, channels ${channels}`,
    );
  }
}

/** One fill value per channel. */
export function fillValues(
  op: string,
  fill: number | readonly number[] | undefined,
  channels: number,
): number[] {
  if (fill === undefined) return new Array<number>(channels).fill(0);
  if (typeof fill === "number") return new Array<number>(channels).fill(fill);
  if (fill.length !== channels) {
    throw new RangeError(`${op}: fill has ${fill.length} values, the image ${channels} channels`);
  }
  return [...fill];
}

/**
 * Gray version of an image by PIL's weights: `(19595 R + 38470 G + 7471 B + 32768) >> 16`.
 *
 * @param image Image with 1, 3 or 4 channels; alpha is dropped.
 * @param outputChannels 1, or 3 for three equal channels.
 * @returns Image with `outputChannels` channels.
 * @throws {RangeError} If a number of channels is another.
 *
 * @example Pure green
 * ```ts
 * import { createImage, grayscale } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const green = createImage(1, 1, 3, new Uint8Array([0, 255, 0]));
 * assertEquals(grayscale(green).data, new Uint8Array([150]));
 * ```
 */
export function grayscale(image: Image, outputChannels: 1 | 3 = 1): Image {
  checkImage("grayscale", image);
  const { width, height, channels, data } = image;
  if (outputChannels !== 1 && outputChannels !== 3) {
    throw new RangeError(`grayscale: outputChannels is ${outputChannels}, expected 1 or 3`);
  }
  if (channels === 2) throw new RangeError("grayscale: image has 2 channels, expected 1, 3 or 4");
  const pixels = width * height;
  const gray = channels === 1 ? data : new Uint8Array(pixels);
  if (channels !== 1) {
    for (let i = 0, at = 0; i < pixels; i++, at += channels) gray[i] = luma(data, at);
  }
  const result = outputChannels === 1 ? (channels === 1 ? gray.slice() : gray) : triple(gray);
  return { width, height, channels: outputChannels, data: result };
}

/** Luma of the pixel at byte `at`, as PIL rounds it. */
export function luma(data: Uint8Array, at: number): number {
  return (data[at]! * 19595 + data[at + 1]! * 38470 + data[at + 2]! * 7471 + 0x8000) >> 16;
}

function triple(gray: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(gray.length * 3);
  for (let i = 0, at = 0; i < gray.length; i++, at += 3) {
    result[at] = result[at + 1] = result[at + 2] = gray[i]!;
  }
  return result;
}

/**
 * Cuts a rectangle out; what lies outside of the image is black.
 *
 * @param image Image.
 * @param top First row, may be negative.
 * @param left First column, may be negative.
 * @param height Rows of the result.
 * @param width Columns of the result.
 * @returns The rectangle.
 * @throws {RangeError} If an extent is no positive integer.
 *
 * @example
 * ```ts
 * import { createImage, crop } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(3, 1, 1, new Uint8Array([1, 2, 3]));
 * assertEquals(crop(image, 0, 1, 1, 2).data, new Uint8Array([2, 3]));
 * ```
 */
export function crop(
  image: Image,
  top: number,
  left: number,
  height: number,
  width: number,
): Image {
  checkImage("crop", image);
  checkInteger("crop", "height", height, 1);
  checkInteger("crop", "width", width, 1);
  const { channels } = image;
  const result = createImage(width, height, channels);
  const from = Math.max(0, left);
  const to = Math.min(image.width, left + width);
  for (let y = Math.max(0, top); y < Math.min(image.height, top + height) && from < to; y++) {
    const row = y * image.width;
    const source = image.data.subarray((row + from) * channels, (row + to) * channels);
    result.data.set(source, ((y - top) * width + from - left) * channels);
  }
  return result;
}

/**
 * Cuts the middle out, as torchvision's `center_crop` does; a smaller image is padded with black.
 *
 * @param image Image.
 * @param size Extent of the square, or `[height, width]`.
 * @returns The middle.
 * @throws {RangeError} If an extent is no positive integer.
 *
 * @example
 * ```ts
 * import { centerCrop, createImage } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(3, 1, 1, new Uint8Array([1, 2, 3]));
 * assertEquals(centerCrop(image, 1).data, new Uint8Array([2]));
 * ```
 */
export function centerCrop(image: Image, size: number | readonly [number, number]): Image {
  const [height, width] = typeof size === "number" ? [size, size] : size;
  const top = cropStart(image.height, height);
  const left = cropStart(image.width, width);
  return crop(image, top, left, height, width);
}

function cropStart(extent: number, size: number): number {
  // A larger image rounds to even as Python does; a smaller one is padded by half, rounded down.
  return size > extent ? -Math.floor((size - extent) / 2) : roundHalfEven((extent - size) / 2);
}

/** Python's `round`: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/**
 * Mirrors left and right.
 *
 * @param image Image.
 * @returns The mirrored image.
 *
 * @example
 * ```ts
 * import { createImage, flipHorizontal } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(3, 1, 1, new Uint8Array([1, 2, 3]));
 * assertEquals(flipHorizontal(image).data, new Uint8Array([3, 2, 1]));
 * ```
 */
export function flipHorizontal(image: Image): Image {
  checkImage("flipHorizontal", image);
  const { width, height } = image;
  return gatherPixels(image, width, height, (x, y) => y * width + width - 1 - x);
}

/**
 * Mirrors top and bottom.
 *
 * @param image Image.
 * @returns The mirrored image.
 *
 * @example
 * ```ts
 * import { createImage, flipVertical } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(1, 3, 1, new Uint8Array([1, 2, 3]));
 * assertEquals(flipVertical(image).data, new Uint8Array([3, 2, 1]));
 * ```
 */
export function flipVertical(image: Image): Image {
  checkImage("flipVertical", image);
  const { width, height } = image;
  return gatherPixels(image, width, height, (x, y) => (height - 1 - y) * width + x);
}

/**
 * Adds a border, as torchvision's `pad` does.
 *
 * @param image Image.
 * @param padding One width, `[left and right, top and bottom]`, or `[left, top, right, bottom]`.
 * @param options How the border is filled.
 * @returns The larger image.
 * @throws {RangeError} If a width is negative, or reaches past what a mirror has.
 *
 * @example
 * ```ts
 * import { createImage, pad } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(2, 1, 1, new Uint8Array([1, 2]));
 * assertEquals(pad(image, [1, 0], { mode: "edge" }).data, new Uint8Array([1, 1, 2, 2]));
 * ```
 */
export function pad(
  image: Image,
  padding: number | readonly number[],
  options: PadOptions = {},
): Image {
  checkImage("pad", image);
  const { mode = "constant" } = options;
  const [left, top, right, bottom] = paddingWidths(padding);
  const { width, height, channels } = image;
  const fill = fillValues("pad", options.fill, channels);
  const places = (before: number, extent: number, after: number): number[] =>
    Array.from(
      { length: before + extent + after },
      (_, i) => borderIndex(i - before, extent, mode),
    );
  const xMap = places(left, width, right), yMap = places(top, height, bottom);
  return gatherPixels(image, xMap.length, yMap.length, (x, y) => {
    const [sx, sy] = [xMap[x]!, yMap[y]!];
    return sx < 0 || sy < 0 ? -1 : sy * width + sx;
  }, fill);
}

function paddingWidths(padding: number | readonly number[]): [number, number, number, number] {
  const list = typeof padding === "number" ? [padding] : padding;
  for (const width of list) checkInteger("pad", "padding", width, 0);
  const [a, b, c, d] = list;
  if (list.length === 1) return [a!, a!, a!, a!];
  if (list.length === 2) return [a!, b!, a!, b!];
  if (list.length === 4) return [a!, b!, c!, d!];
  throw new RangeError(`pad: padding has ${list.length} widths, expected 1, 2 or 4`);
}

function borderIndex(i: number, extent: number, mode: PaddingMode): number {
  if (i >= 0 && i < extent) return i;
  if (mode === "constant") return -1;
  if (mode === "edge") return i < 0 ? 0 : extent - 1;
  const skip = mode === "reflect" ? 1 : 0;
  const mirrored = i < 0 ? -i - 1 + skip : 2 * extent - 1 - i - skip;
  if (mirrored >= 0 && mirrored < extent) return mirrored;
  const reach = i < 0 ? -i : i - extent + 1;
  throw new RangeError(
    `pad: padding ${reach} in mode "${mode}" is too wide for an extent of ${extent}`,
  );
}

function gatherPixels(
  image: Image,
  width: number,
  height: number,
  source: (x: number, y: number) => number,
  fill: readonly number[] = [],
): Image {
  const { channels, data } = image;
  const result = createImage(width, height, channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = source(x, y) * channels;
      for (let c = 0; c < channels; c++) {
        result.data[to++] = from < 0 ? fill[c]! : data[from + c]!;
      }
    }
  }
  return result;
}
