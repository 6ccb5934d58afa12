// Reading an image at positions that a matrix gives, with the arithmetic of PIL.

import { createImage, type Image } from "./image.ts";

/** How {@linkcode rotate} and {@linkcode affine} read between pixels. */
export type Resampling = "nearest" | "bilinear" | "bicubic";

/** Maps output to input: `x' = a x + b y + c`, `y' = d x + e y + f`. */
export type AffineMatrix = [
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
];

/** Whether all positions fit 16.16 fixed point. */
function fitsFixedPoint(m: AffineMatrix, width: number, height: number): boolean {
  for (const [x, y] of [[0, 0], [width, height], [0, height], [width, 0]] as const) {
    if (Math.abs(x * m[0] + y * m[1] + m[2]) >= 32768) return false;
    if (Math.abs(x * m[3] + y * m[4] + m[5]) >= 32768) return false;
  }
  return true;
}

/** The affine transform of PIL's `Image.transform`; `matrix` maps output to input positions. */
export function transformAffine(
  image: Image,
  width: number,
  height: number,
  matrix: AffineMatrix,
  interpolation: Resampling,
  fill: readonly number[],
): Image {
  const result = createImage(width, height, image.channels);
  if (fill.some((value) => value !== 0)) {
    for (let i = 0; i < result.data.length; i++) result.data[i] = fill[i % image.channels]!;
  }
  if (interpolation === "bilinear") sampleBilinear(image, result, matrix);
  else if (interpolation === "bicubic") sampleBicubic(image, result, matrix);
  else if (matrix[1] === 0 && matrix[3] === 0) sampleScaled(image, result, matrix);
  else if (fitsFixedPoint(matrix, width, height)) sampleFixed(image, result, matrix);
  else sampleNearest(image, result, matrix);
  return result;
}

/**
 * PIL's 16.16 fixed-point form of a matrix: steps along x and y, and the start at the middle of the
 * first pixel.
 */
export function fixedPoint(m: AffineMatrix): AffineMatrix {
  const fix = (value: number): number => Math.floor(value * 65536 + 0.5);
  return [
    fix(m[0]),
    fix(m[1]),
    fix(m[2] + m[0] * 0.5 + m[1] * 0.5),
    fix(m[3]),
    fix(m[4]),
    fix(m[5] + m[3] * 0.5 + m[4] * 0.5),
  ];
}

/** Nearest with 16.16 fixed-point positions: the path that PIL takes for ordinary images. */
function sampleFixed(image: Image, result: Image, m: AffineMatrix): void {
  const { channels, data, width, height } = image;
  const [stepX, downX, startX, stepY, downY, startY] = fixedPoint(m);
  let [rowX, rowY] = [startX, startY];
  let to = 0;
  for (let y = 0; y < result.height; y++, rowX += downX, rowY += downY) {
    let [xx, yy] = [rowX, rowY];
    for (let x = 0; x < result.width; x++, xx += stepX, yy += stepY, to += channels) {
      const [sx, sy] = [xx >> 16, yy >> 16];
      if (sx < 0 || sx >= width || sy < 0 || sy >= height) continue;
      const from = (sy * width + sx) * channels;
      for (let c = 0; c < channels; c++) result.data[to + c] = data[from + c]!;
    }
  }
}

/** Nearest without rotation: positions are summed up along each axis. */
function sampleScaled(image: Image, result: Image, m: AffineMatrix): void {
  const { channels, data, width, height } = image;
  let yy = m[5] + m[4] * 0.5;
  let to = 0;
  for (let y = 0; y < result.height; y++, yy += m[4]) {
    let xx = m[2] + m[0] * 0.5;
    for (let x = 0; x < result.width; x++, xx += m[0], to += channels) {
      if (xx < 0 || xx >= width || yy < 0 || yy >= height) continue;
      const from = (Math.trunc(yy) * width + Math.trunc(xx)) * channels;
      for (let c = 0; c < channels; c++) result.data[to + c] = data[from + c]!;
    }
  }
}

function sampleNearest(image: Image, result: Image, m: AffineMatrix): void {
  const { channels, data, width, height } = image;
  let to = 0;
  for (let y = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++, to += channels) {
      const xx = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2];
      const yy = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5];
      if (xx < 0 || xx >= width || yy < 0 || yy >= height) continue;
      const from = (Math.trunc(yy) * width + Math.trunc(xx)) * channels;
      for (let c = 0; c < channels; c++) result.data[to + c] = data[from + c]!;
    }
  }
}

/** Bilinear as PIL: edges repeat, and the result is cut to a byte, not rounded. */
function sampleBilinear(image: Image, result: Image, m: AffineMatrix): void {
  const { channels, data, width, height } = image;
  let to = 0;
  for (let y = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++, to += channels) {
      const xin = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2];
      const yin = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5];
      if (xin < 0 || xin >= width || yin < 0 || yin >= height) continue;
      const [left, top] = [Math.floor(xin - 0.5), Math.floor(yin - 0.5)];
      const [dx, dy] = [xin - 0.5 - left, yin - 0.5 - top];
      const x0 = Math.max(0, left) * channels;
      const x1 = Math.min(width - 1, left + 1) * channels;
      const upper = Math.max(0, top) * width * channels;
      const lower = Math.min(height - 1, top + 1) * width * channels;
      for (let c = 0; c < channels; c++) {
        const [a, b] = [data[upper + x0 + c]!, data[upper + x1 + c]!];
        const [d, e] = [data[lower + x0 + c]!, data[lower + x1 + c]!];
        const v1 = a + (b - a) * dx;
        const v2 = d + (e - d) * dx;
        result.data[to + c] = Math.trunc(v1 + (v2 - v1) * dy);
      }
    }
  }
}

function cubic(v1: number, v2: number, v3: number, v4: number, d: number): number {
  const p2 = -v1 + v3;
  const p3 = 2 * (v1 - v2) + v3 - v4;
  const p4 = -v1 + v2 - v3 + v4;
  return v2 + d * (p2 + d * (p3 + d * p4));
}

function clampIndex(i: number, extent: number): number {
  return i < 0 ? 0 : i >= extent ? extent - 1 : i;
}

function sampleBicubic(image: Image, result: Image, m: AffineMatrix): void {
  const { channels, data, width, height } = image;
  const rows = new Float64Array(4);
  let to = 0;
  for (let y = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++, to += channels) {
      const xin = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2];
      const yin = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5];
      if (xin < 0 || xin >= width || yin < 0 || yin >= height) continue;
      const [left, top] = [Math.floor(xin - 0.5), Math.floor(yin - 0.5)];
      const [dx, dy] = [xin - 0.5 - left, yin - 0.5 - top];
      const at = [-1, 0, 1, 2].map((k) => clampIndex(left + k, width) * channels);
      for (let c = 0; c < channels; c++) {
        for (let k = 0; k < 4; k++) {
          const row = clampIndex(top + k - 1, height) * width * channels + c;
          const [v1, v2] = [data[row + at[0]!]!, data[row + at[1]!]!];
          rows[k] = cubic(v1, v2, data[row + at[2]!]!, data[row + at[3]!]!, dx);
        }
        const value = cubic(rows[0]!, rows[1]!, rows[2]!, rows[3]!, dy);
        result.data[to + c] = value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
      }
    }
  }
}
