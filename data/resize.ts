import { checkInteger, checkName } from "./_check.ts";
import type { HostArray } from "./array.ts";
import { checkImage, createImage, type Image } from "./image.ts";

/** How pixels between pixels are found. */
export type Interpolation = "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos";

/** Options of {@linkcode resize}. */
export interface ResizeOptions {
  /**
   * Filter. All but `nearest` widen with the scale when shrinking, as PIL does.
   *
   * @default {"bilinear"}
   */
  interpolation?: Interpolation | undefined;
}

interface Filter {
  /** Half width in source pixels at scale 1. */
  support: number;
  weight: (x: number) => number;
}

const FILTERS: Readonly<Record<Exclude<Interpolation, "nearest">, Filter>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** The names of the interpolations. */
export const INTERPOLATIONS: readonly Interpolation[] = [
  "nearest",
  "box",
  "bilinear",
  "hamming",
  "bicubic",
  "lanczos",
];

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

function hamming(x: number): number {
  const a = Math.abs(x);
  if (a === 0) return 1;
  if (a >= 1) return 0;
  return Math.sin(a * Math.PI) / (a * Math.PI) * (0.54 + 0.46 * Math.cos(a * Math.PI));
}

function bicubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

// PIL keeps 8-bit coefficients in fixed point: 32 bits less 8 of the pixel less 2 of overshoot.
/** Bits after the point of the weights. */
export const RESAMPLE_BITS = 22;
const HALF = 1 << (RESAMPLE_BITS - 1);

/** For each output position the first input, the number of inputs, and their weights. */
interface Taps {
  /** Weights per output position. */
  width: number;
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array;
}

// Data sets have a few sizes; the last tables are kept so that a pass computes each once.
const KEPT_TABLES = 16;
const keptTaps: Map<string, Taps> = new Map();

function tapsFor(from: number, to: number, name: Exclude<Interpolation, "nearest">): Taps {
  const key = `${from} ${to} ${name}`;
  const kept = keptTaps.get(key);
  if (kept !== undefined) return kept;
  const taps = computeTaps(from, to, FILTERS[name]);
  if (keptTaps.size >= KEPT_TABLES) keptTaps.delete(keptTaps.keys().next().value!);
  keptTaps.set(key, taps);
  return taps;
}

/** PIL's `precompute_coeffs` and `normalize_coeffs_8bpc`. */
function computeTaps(from: number, to: number, filter: Filter): Taps {
  const scale = from / to;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const width = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * width);
  const row = new Float64Array(width);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - support + 0.5));
    const high = Math.min(from, Math.trunc(center + support + 0.5));
    let sum = 0;
    for (let k = 0; k < high - low; k++) {
      row[k] = filter.weight((k + low - center + 0.5) * (1 / filterScale));
      sum += row[k]!;
    }
    for (let k = 0; k < high - low; k++) {
      const weight = sum === 0 ? row[k]! : row[k]! / sum;
      weights[i * width + k] = Math.trunc(
        weight * (1 << RESAMPLE_BITS) + (weight < 0 ? -0.5 : 0.5),
      );
    }
    first[i] = low;
    count[i] = high - low;
  }
  return { width, first, count, weights };
}

/**
 * The weights of one pass as a dense matrix `[to, from]` in fixed point, for devices that multiply
 * matrices faster than they gather.
 */
export function resampleMatrix(
  from: number,
  to: number,
  interpolation: Exclude<Interpolation, "nearest">,
): HostArray {
  checkInteger("resize", "size", to, 1);
  const { width, first, count, weights } = tapsFor(from, to, interpolation);
  const data = new Int32Array(to * from);
  for (let i = 0; i < to; i++) {
    for (let k = 0; k < count[i]!; k++) {
      data[i * from + first[i]! + k] = weights[i * width + k]!;
    }
  }
  return { dtype: "int32", shape: [to, from], data };
}

function clip(sum: number): number {
  const value = sum >> RESAMPLE_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** One pass along rows. */
function resampleRows(image: Image, width: number, taps: Taps): Image {
  const { channels, data, height } = image;
  const result = createImage(width, height, channels);
  const stride = image.width * channels;
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const base = y * stride + taps.first[x]! * channels;
      const weight = x * taps.width;
      const count = taps.count[x]!;
      for (let c = 0; c < channels; c++) {
        let sum = HALF;
        for (let k = 0, at = base + c; k < count; k++, at += channels) {
          sum += data[at]! * taps.weights[weight + k]!;
        }
        result.data[to++] = clip(sum);
      }
    }
  }
  return result;
}

/** One pass along columns; whole rows at a time, so that channels need no care. */
function resampleColumns(image: Image, height: number, taps: Taps): Image {
  const { channels, data, width } = image;
  const result = createImage(width, height, channels);
  const stride = width * channels;
  for (let y = 0; y < height; y++) {
    const base = taps.first[y]! * stride;
    const weight = y * taps.width;
    const count = taps.count[y]!;
    for (let x = 0; x < stride; x++) {
      let sum = HALF;
      for (let k = 0, at = base + x; k < count; k++, at += stride) {
        sum += data[at]! * taps.weights[weight + k]!;
      }
      result.data[y * stride + x] = clip(sum);
    }
  }
  return result;
}

function resizeNearest(image: Image, width: number, height: number): Image {
  const { channels, data } = image;
  const result = createImage(width, height, channels);
  const columns = nearestIndices(image.width, width);
  const rows = nearestIndices(image.height, height);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = rows[y]! * image.width;
    for (let x = 0; x < width; x++) {
      const from = (row + columns[x]!) * channels;
      for (let c = 0; c < channels; c++) result.data[to++] = data[from + c]!;
    }
  }
  return result;
}

/** Source index of each output; the position is summed up, not multiplied, as PIL does. */
function nearestIndices(from: number, to: number): Int32Array {
  const scale = from / to;
  const indices = new Int32Array(to);
  let position = scale * 0.5;
  for (let i = 0; i < to; i++, position += scale) {
    indices[i] = Math.min(from - 1, Math.trunc(position));
  }
  return indices;
}

/**
 * Extent of the result: a pair is taken as it is, one number is the shorter edge and the aspect
 * ratio is kept, as in torchvision.
 */
export function resizedExtent(
  op: string,
  image: { width: number; height: number },
  size: number | readonly [number, number],
): [height: number, width: number] {
  if (typeof size !== "number") {
    checkInteger(op, "height", size[0], 1);
    checkInteger(op, "width", size[1], 1);
    return [size[0], size[1]];
  }
  checkInteger(op, "size", size, 1);
  const { width, height } = image;
  return width <= height
    ? [Math.trunc(size * height / width), size]
    : [size, Math.trunc(size * width / height)];
}

/**
 * Resizes an image, byte for byte as PIL does (and so torchvision on PIL images).
 *
 * @param image Image.
 * @param size `[height, width]`, or the length of the shorter edge.
 * @param options Filter.
 * @returns The resized image.
 * @throws {RangeError} If an extent is no positive integer, or the filter does not exist.
 *
 * @example Twice as wide
 * ```ts
 * import { createImage, resize } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(2, 1, 1, new Uint8Array([0, 100]));
 * assertEquals(resize(image, [1, 4]).data, new Uint8Array([0, 25, 75, 100]));
 * ```
 */
export function resize(
  image: Image,
  size: number | readonly [number, number],
  options: ResizeOptions = {},
): Image {
  checkImage("resize", image);
  const { interpolation = "bilinear" } = options;
  checkName("resize", "interpolation", interpolation, INTERPOLATIONS);
  const [height, width] = resizedExtent("resize", image, size);
  if (height === image.height && width === image.width) {
    return { ...image, data: image.data.slice() };
  }
  if (interpolation === "nearest") return resizeNearest(image, width, height);
  let result = image;
  if (width !== image.width) {
    result = resampleRows(result, width, tapsFor(image.width, width, interpolation));
  }
  if (height !== image.height) {
    result = resampleColumns(result, height, tapsFor(image.height, height, interpolation));
  }
  return result;
}
