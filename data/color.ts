import { checkImage, grayscale, type Image, luma } from "./image.ts";

function checkFactor(op: string, factor: number): void {
  if (!(factor >= 0 && Number.isFinite(factor))) {
    throw new RangeError(`${op}: factor is ${factor}, expected a number of at least 0`);
  }
}

function checkColors(op: string, image: Image): void {
  checkImage(op, image);
  if (image.channels !== 1 && image.channels !== 3) {
    throw new RangeError(`${op}: image has ${image.channels} channels, expected 1 or 3`);
  }
}

/**
 * PIL's `Image.blend` of two bytes with its float32 arithmetic: interpolation is cut to a byte,
 * extrapolation is clamped first.
 */
export function blendByte(from: number, to: number, factor: number): number {
  const value = Math.fround(from + Math.fround(factor * (to - from)));
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
}

/** All 256 results of a blend with a constant. */
function blendTable(from: number, factor: number): Uint8Array {
  const rounded = Math.fround(factor);
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = blendByte(from, byte, rounded);
  return table;
}

function mapBytes(image: Image, table: Uint8Array): Image {
  const { data } = image;
  const result = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) result[i] = table[data[i]!]!;
  return { ...image, data: result };
}

/**
 * Scales all bytes by a factor, as PIL's `ImageEnhance.Brightness` does: 0 is black, 1 the image.
 *
 * @param image Image with 1 or 3 channels.
 * @param factor At least 0.
 * @returns The adjusted image.
 * @throws {RangeError} If the factor is negative, or the number of channels another.
 *
 * @example
 * ```ts
 * import { adjustBrightness, createImage } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(2, 1, 1, new Uint8Array([100, 250]));
 * assertEquals(adjustBrightness(image, 1.5).data, new Uint8Array([150, 255]));
 * ```
 */
export function adjustBrightness(image: Image, factor: number): Image {
  checkColors("adjustBrightness", image);
  checkFactor("adjustBrightness", factor);
  return mapBytes(image, blendTable(0, factor));
}

/**
 * Stretches all bytes away from the mean gray of the image, as PIL's `ImageEnhance.Contrast`
 * does: 0 is flat gray, 1 the image.
 *
 * @param image Image with 1 or 3 channels.
 * @param factor At least 0.
 * @returns The adjusted image.
 * @throws {RangeError} If the factor is negative, or the number of channels another.
 *
 * @example
 * ```ts
 * import { adjustContrast, createImage } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(2, 1, 1, new Uint8Array([100, 200]));
 * assertEquals(adjustContrast(image, 0.5).data, new Uint8Array([125, 175]));
 * ```
 */
export function adjustContrast(image: Image, factor: number): Image {
  checkColors("adjustContrast", image);
  checkFactor("adjustContrast", factor);
  return mapBytes(image, blendTable(meanGray(image), factor));
}

/** Mean of the gray version, rounded to an integer. */
function meanGray(image: Image): number {
  const { data, channels } = image;
  let sum = 0;
  if (channels === 1) { for (let i = 0; i < data.length; i++) sum += data[i]!; }
  else for (let at = 0; at < data.length; at += 3) sum += luma(data, at);
  return Math.trunc(sum / (data.length / channels) + 0.5);
}

/**
 * Moves colors away from gray, as PIL's `ImageEnhance.Color` does: 0 is gray, 1 the image.
 *
 * @param image Image with 1 or 3 channels; one channel stays as it is.
 * @param factor At least 0.
 * @returns The adjusted image.
 * @throws {RangeError} If the factor is negative, or the number of channels another.
 *
 * @example
 * ```ts
 * import { adjustSaturation, createImage } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const green = createImage(1, 1, 3, new Uint8Array([0, 255, 0]));
 * assertEquals(adjustSaturation(green, 0).data, new Uint8Array([150, 150, 150]));
 * ```
 */
export function adjustSaturation(image: Image, factor: number): Image {
  checkColors("adjustSaturation", image);
  checkFactor("adjustSaturation", factor);
  const { data, channels } = image;
  if (channels === 1) return { ...image, data: data.slice() };
  const gray = grayscale(image).data;
  const rounded = Math.fround(factor);
  const result = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    result[i] = blendByte(gray[Math.trunc(i / 3)]!, data[i]!, rounded);
  }
  return { ...image, data: result };
}

/**
 * Turns the hue by a fraction of the circle, through PIL's 8-bit HSV as torchvision does.
 *
 * @param image Image with 1 or 3 channels; one channel stays as it is.
 * @param factor From −0.5 to 0.5.
 * @returns The adjusted image.
 * @throws {RangeError} If the factor is outside, or the number of channels another.
 *
 * @example A third of the circle takes red to green
 * ```ts
 * import { adjustHue, createImage } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const red = createImage(1, 1, 3, new Uint8Array([255, 0, 0]));
 * assertEquals(adjustHue(red, 1 / 3).data, new Uint8Array([0, 255, 0]));
 * ```
 */
export function adjustHue(image: Image, factor: number): Image {
  checkColors("adjustHue", image);
  if (!(factor >= -0.5 && factor <= 0.5)) {
    throw new RangeError(`adjustHue: factor is ${factor}, expected a number from -0.5 to 0.5`);
  }
  const { data, channels } = image;
  if (channels === 1) return { ...image, data: data.slice() };
  const result = new Uint8Array(data.length);
  const shift = Math.trunc(factor * 255) & 255;
  for (let at = 0; at < data.length; at += 3) {
    const [r, g, b] = [data[at]!, data[at + 1]!, data[at + 2]!];
    const most = Math.max(r, g, b);
    const least = Math.min(r, g, b);
    const hue = (hueByte(r, g, b, most, least) + shift) & 255;
    const saturation = most === least
      ? 0
      : Math.trunc(Math.fround(Math.fround(most - least) / most) * 255);
    writeRgb(result, at, hue, saturation, most);
  }
  return { ...image, data: result };
}

/** Hue of PIL's `rgb2hsv_row`: differences in float32, the sector sum in float64. */
function hueByte(r: number, g: number, b: number, most: number, least: number): number {
  if (most === least) return 0;
  const range = most - least;
  const rc = Math.fround((most - r) / range);
  const gc = Math.fround((most - g) / range);
  const bc = Math.fround((most - b) / range);
  let hue: number;
  if (r === most) hue = Math.fround(bc - gc);
  else if (g === most) hue = Math.fround(2 + rc - bc);
  else hue = Math.fround(4 + gc - rc);
  const turned = Math.fround((hue / 6 + 1) % 1);
  return Math.min(255, Math.max(0, Math.trunc(turned * 255)));
}

/** PIL's `hsv2rgb_row` for one pixel. */
function writeRgb(result: Uint8Array, at: number, h: number, s: number, v: number): void {
  if (s === 0) {
    result[at] = result[at + 1] = result[at + 2] = v;
    return;
  }
  const sector = Math.floor(h * 6 / 255);
  const f = Math.fround(h * 6 / 255 - sector);
  const fs = Math.fround(s / 255);
  const p = Math.round(v * (1 - fs));
  const q = Math.round(v * (1 - fs * f));
  const t = Math.round(v * (1 - fs * (1 - f)));
  const sectors = [[v, t, p], [q, v, p], [p, v, t], [p, q, v], [t, p, v], [v, p, q]] as const;
  const [red, green, blue] = sectors[sector % 6]!;
  result[at] = Math.min(255, Math.max(0, red));
  result[at + 1] = Math.min(255, Math.max(0, green));
  result[at + 2] = Math.min(255, Math.max(0, blue));
}
