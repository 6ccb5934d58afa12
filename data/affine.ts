import { checkName } from "./_check.ts";
import { type AffineMatrix, type Resampling, transformAffine } from "./affine_sample.ts";
import { checkImage, createImage, fillValues, type Image } from "./image.ts";

/** Options of {@linkcode rotate}. */
export interface RotateOptions {
  /**
   * How pixels between pixels are found.
   *
   * @default {"nearest"}
   */
  interpolation?: Resampling | undefined;
  /**
   * Make the result large enough to hold the whole rotated image.
   *
   * @default {false}
   */
  expand?: boolean | undefined;
  /** Center of rotation `[x, y]` from the upper left corner; the middle where absent. */
  center?: readonly [number, number] | undefined;
  /**
   * Value outside of the image, one or one per channel.
   *
   * @default {0}
   */
  fill?: number | readonly number[] | undefined;
}

/** Options of {@linkcode affine}. */
export interface AffineOptions extends Omit<RotateOptions, "expand"> {
  /**
   * Degrees, clockwise.
   *
   * @default {0}
   */
  angle?: number | undefined;
  /**
   * Pixels to the right and down.
   *
   * @default {[0, 0]}
   */
  translate?: readonly [number, number] | undefined;
  /**
   * Enlargement.
   *
   * @default {1}
   */
  scale?: number | undefined;
  /**
   * Degrees of shear along x and y.
   *
   * @default {[0, 0]}
   */
  shear?: readonly [number, number] | undefined;
}

const RESAMPLINGS: readonly Resampling[] = ["nearest", "bilinear", "bicubic"];
const DEGREES = Math.PI / 180;

function round15(value: number): number {
  return Number(value.toFixed(15));
}

/**
 * PIL's matrix of a rotation about a center, counter-clockwise in degrees, and the extent of the
 * result.
 */
export function rotationMatrix(
  width: number,
  height: number,
  angle: number,
  center: readonly [number, number],
  expand: boolean,
): { matrix: AffineMatrix; width: number; height: number } {
  const radians = -angle * DEGREES;
  const [cos, sin] = [round15(Math.cos(radians)), round15(Math.sin(radians))];
  const matrix: AffineMatrix = [cos, sin, 0, round15(-Math.sin(radians)), cos, 0];
  const [cx, cy] = center;
  const c = matrix[0] * -cx + matrix[1] * -cy + cx;
  const f = matrix[3] * -cx + matrix[4] * -cy + cy;
  matrix[2] = c;
  matrix[5] = f;
  if (!expand) return { matrix, width, height };
  const corners = [[0, 0], [width, 0], [width, height], [0, height]] as const;
  const xs = corners.map(([x, y]) => matrix[0] * x + matrix[1] * y + matrix[2]);
  const ys = corners.map(([x, y]) => matrix[3] * x + matrix[4] * y + matrix[5]);
  const newWidth = Math.ceil(Math.max(...xs)) - Math.floor(Math.min(...xs));
  const newHeight = Math.ceil(Math.max(...ys)) - Math.floor(Math.min(...ys));
  const [dx, dy] = [-(newWidth - width) / 2, -(newHeight - height) / 2];
  matrix[2] = matrix[0] * dx + matrix[1] * dy + c;
  matrix[5] = matrix[3] * dx + matrix[4] * dy + f;
  return { matrix, width: newWidth, height: newHeight };
}

/**
 * Rotates an image counter-clockwise, byte for byte as PIL does (and so torchvision).
 *
 * @param image Image.
 * @param angle Degrees.
 * @param options Resampling, extent, center, fill.
 * @returns The rotated image.
 * @throws {RangeError} If the angle is not finite, the resampling does not exist, or the number of
 *   fill values is wrong.
 *
 * @example A quarter turn
 * ```ts
 * import { createImage, rotate } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(2, 2, 1, new Uint8Array([1, 2, 3, 4]));
 * assertEquals(rotate(image, 90).data, new Uint8Array([2, 4, 1, 3]));
 * ```
 */
export function rotate(image: Image, angle: number, options: RotateOptions = {}): Image {
  checkImage("rotate", image);
  if (!Number.isFinite(angle)) throw new RangeError(`rotate: angle is ${angle}, expected degrees`);
  const { interpolation = "nearest", expand = false } = options;
  checkName("rotate", "interpolation", interpolation, RESAMPLINGS);
  const fill = fillValues("rotate", options.fill, image.channels);
  const turned = ((angle % 360) + 360) % 360;
  if (options.center === undefined) {
    const square = expand || image.width === image.height;
    if (turned === 0) return { ...image, data: image.data.slice() };
    if (turned === 180 || (square && turned % 90 === 0)) return quarterTurns(image, turned / 90);
  }
  const center = options.center ?? [image.width / 2, image.height / 2];
  const { matrix, width, height } = rotationMatrix(
    image.width,
    image.height,
    turned,
    center,
    expand,
  );
  return transformAffine(image, width, height, matrix, interpolation, fill);
}

/** Exact rotation by a multiple of 90 degrees, counter-clockwise. */
function quarterTurns(image: Image, turns: number): Image {
  const { width, height, channels, data } = image;
  const odd = turns % 2 === 1;
  const result = createImage(odd ? height : width, odd ? width : height, channels);
  let to = 0;
  for (let y = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++) {
      let from: number;
      if (turns === 1) from = x * width + (width - 1 - y);
      else if (turns === 2) from = (height - 1 - y) * width + (width - 1 - x);
      else from = (height - 1 - x) * width + y;
      for (let c = 0; c < channels; c++) result.data[to++] = data[from * channels + c]!;
    }
  }
  return result;
}

/**
 * Rotates, moves, enlarges and shears about a center, as torchvision's `affine` does on PIL
 * images.
 *
 * @param image Image.
 * @param options What is done.
 * @returns Image of the same extent.
 * @throws {RangeError} If the scale is not positive, or an option does not exist.
 *
 * @example One pixel to the right
 * ```ts
 * import { affine, createImage } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const image = createImage(3, 1, 1, new Uint8Array([1, 2, 3]));
 * assertEquals(affine(image, { translate: [1, 0] }).data, new Uint8Array([0, 1, 2]));
 * ```
 */
export function affine(image: Image, options: AffineOptions = {}): Image {
  checkImage("affine", image);
  const { angle = 0, translate = [0, 0], scale = 1, shear = [0, 0] } = options;
  const { interpolation = "nearest" } = options;
  checkName("affine", "interpolation", interpolation, RESAMPLINGS);
  if (!(scale > 0)) throw new RangeError(`affine: scale is ${scale}, expected a positive number`);
  const fill = fillValues("affine", options.fill, image.channels);
  const center = options.center ?? [image.width * 0.5, image.height * 0.5];
  const matrix = inverseAffineMatrix(center, angle, translate, scale, shear);
  return transformAffine(image, image.width, image.height, matrix, interpolation, fill);
}

/** torchvision's `_get_inverse_affine_matrix`. */
function inverseAffineMatrix(
  [cx, cy]: readonly [number, number],
  angle: number,
  [tx, ty]: readonly [number, number],
  scale: number,
  shear: readonly [number, number],
): AffineMatrix {
  const [rotation, sx, sy] = [angle * DEGREES, shear[0] * DEGREES, shear[1] * DEGREES];
  const a = Math.cos(rotation - sy) / Math.cos(sy);
  const b = -Math.cos(rotation - sy) * Math.tan(sx) / Math.cos(sy) - Math.sin(rotation);
  const c = Math.sin(rotation - sy) / Math.cos(sy);
  const d = -Math.sin(rotation - sy) * Math.tan(sx) / Math.cos(sy) + Math.cos(rotation);
  const m: AffineMatrix = [d / scale, -b / scale, 0, -c / scale, a / scale, 0];
  m[2] = m[0] * (-cx - tx) + m[1] * (-cy - ty) + cx;
  m[5] = m[3] * (-cx - tx) + m[4] * (-cy - ty) + cy;
  return m;
}
