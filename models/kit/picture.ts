/**
 * Pictures as plain bytes: reading PNG and JPEG, writing PNG, grids with captions.
 *
 * @module
 */
import { FormatError } from "@tensaurus/core/data";
import { convertIndexedToRgb, decode as decodePngData, type DecodedPng, encode } from "fast-png";
import jpeg from "jpeg-js";
import { ADVANCE, drawText, HEIGHT, textWidth } from "./font.ts";

/** A picture, 8 bits per value, rows from the top, channels interleaved. */
export interface Picture {
  /** Pixels per row. */
  width: number;
  /** Rows. */
  height: number;
  /** 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. */
  channels: number;
  /** `height × width × channels` values. */
  data: Uint8Array<ArrayBuffer>;
}

/** A colour, red, green and blue from 0 to 255. */
export type Colour = readonly [number, number, number];

/** A picture in a grid. */
export interface Tile {
  /** What to show. */
  picture: Picture;
  /** A line below it. */
  caption?: string | undefined;
  /** Whether a red frame marks it, as a mistake. */
  marked?: boolean | undefined;
}

/** Options of {@linkcode grid}. */
export interface GridOptions {
  /** Pictures per row; by default as many as make the grid about square. */
  columns?: number;
  /** Side of one pixel of a picture in the grid. @default {2} */
  scale?: number;
  /** Pixels between two pictures. @default {6} */
  gap?: number;
}

/** No picture that this kit is for has more; a broken header must not take all memory. */
const MAX_PIXELS = 1 << 26;

const BACKGROUND: Colour = [255, 255, 255];
const INK: Colour = [32, 32, 32];
const RED: Colour = [214, 39, 40];
const FRAME = 2;

/**
 * Reads a PNG or a JPEG.
 *
 * @param bytes The file's content.
 * @param name The file's name, for messages.
 * @returns The picture; palettes become RGB, 16 bits become 8.
 * @throws {RangeError} If the bytes are neither, are cut short, or claim an absurd size.
 */
export function decodePicture(bytes: Uint8Array, name = "picture"): Picture {
  const isPng = bytes[0] === 0x89 && bytes[1] === 0x50;
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  if (!isPng && !isJpeg) {
    throw new FormatError("decodePicture", `${name} is neither a PNG nor a JPEG`);
  }
  try {
    return isPng ? decodePng(bytes) : decodeJpeg(bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const format = isPng ? "PNG" : "JPEG";
    throw new FormatError("decodePicture", `${name} is not a valid ${format}: ${why}`);
  }
}

/**
 * Writes a PNG.
 *
 * @param picture What to write.
 * @returns The file's content.
 *
 * @example There and back
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const dot = { width: 2, height: 1, channels: 1, data: new Uint8Array([0, 255]) };
 * assertEquals(decodePicture(encodePng(dot)), dot);
 * ```
 */
export function encodePng(picture: Picture): Uint8Array {
  const { width, height, channels, data } = picture;
  return encode({ width, height, channels, data, depth: 8 });
}

/**
 * Lays a picture on a white ground.
 *
 * @param picture With alpha, or without, which is given back as it is.
 * @returns The picture with 1 or 3 channels.
 */
export function withoutAlpha(picture: Picture): Picture {
  const { width, height, channels, data } = picture;
  if (channels % 2 === 1) return picture;
  const colours = channels - 1;
  const result = new Uint8Array(width * height * colours);
  for (let i = 0; i < width * height; i++) {
    const alpha = data[i * channels + colours]! / 255;
    for (let c = 0; c < colours; c++) {
      result[i * colours + c] = Math.round(255 + alpha * (data[i * channels + c]! - 255));
    }
  }
  return { width, height, channels: colours, data: result };
}

/**
 * Makes a picture of numbers in `[C, H, W]` order, as a tensor of one image holds them.
 *
 * @param values `channels × height × width` numbers.
 * @param shape Channels, height, width.
 * @param range Numbers that become black and white. @default {[0, 1]}
 * @returns The picture; what is out of range is clipped.
 */
export function fromPlanes(
  values: ArrayLike<number>,
  shape: readonly [number, number, number],
  range: readonly [number, number] = [0, 1],
): Picture {
  const [channels, height, width] = shape;
  const [low, high] = range;
  const size = height * width;
  if (values.length !== channels * size) {
    throw new RangeError(
      `fromPlanes: ${values.length} values for shape [${channels}, ${height}, ${width}]`,
    );
  }
  const data = new Uint8Array(channels * size);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < size; i++) {
      const unit = (values[c * size + i]! - low) / (high - low);
      data[i * channels + c] = Math.round(255 * Math.max(0, Math.min(1, unit)));
    }
  }
  return { width, height, channels, data };
}

/**
 * Puts pictures side by side, each with its caption; marked ones get a red frame.
 *
 * @param tiles Pictures, row by row.
 * @param options Columns, scale, gap.
 * @returns One RGB picture.
 */
export function grid(tiles: readonly Tile[], options: GridOptions = {}): Picture {
  const { scale = 2, gap = 6 } = options;
  const columns = options.columns ?? Math.max(1, Math.ceil(Math.sqrt(tiles.length)));
  const rows = Math.ceil(tiles.length / columns);
  const captioned = tiles.some(({ caption }) => caption !== undefined);
  const pictureWidth = scale * Math.max(0, ...tiles.map(({ picture }) => picture.width));
  const pictureHeight = scale * Math.max(0, ...tiles.map(({ picture }) => picture.height));
  const cellWidth = Math.max(
    pictureWidth + 2 * FRAME,
    ...tiles.map(({ caption }) => Math.min(textWidth(caption ?? ""), 40 * ADVANCE)),
  );
  const cellHeight = pictureHeight + 2 * FRAME + (captioned ? HEIGHT + 4 : 0);
  const canvas = blank(gap + columns * (cellWidth + gap), gap + rows * (cellHeight + gap));
  tiles.forEach(({ picture, caption = "", marked = false }, index) => {
    const left = gap + (index % columns) * (cellWidth + gap);
    const top = gap + Math.floor(index / columns) * (cellHeight + gap);
    const inset = Math.floor((cellWidth - scale * picture.width) / 2);
    const x = left + inset;
    const y = top + FRAME;
    if (marked) {
      const side = [scale * picture.width, scale * picture.height] as const;
      fill(canvas, x - FRAME, top, side[0] + 2 * FRAME, side[1] + 2 * FRAME, RED);
    }
    paste(canvas, picture, x, y, scale);
    const start = left + Math.max(0, Math.floor((cellWidth - textWidth(caption)) / 2));
    const baseline = top + pictureHeight + 2 * FRAME + 3;
    drawText(caption, (dx, dy) => {
      if (start + dx < left + cellWidth) {
        fill(canvas, start + dx, baseline + dy, 1, 1, marked ? RED : INK);
      }
    });
  });
  return canvas;
}

function decodePng(bytes: Uint8Array): Picture {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkSize(header.getUint32(16), header.getUint32(20));
  const png = decodePngData(bytes, { checkCrc: true });
  const { width, height } = png;
  if (png.palette !== undefined) {
    const data = Uint8Array.from(convertIndexedToRgb(png));
    return { width, height, channels: data.length / (width * height), data };
  }
  return { width, height, channels: png.channels, data: toBytes(png) };
}

function decodeJpeg(bytes: Uint8Array): Picture {
  const options = { maxResolutionInMP: MAX_PIXELS / 1e6, maxMemoryUsageInMB: 1024 };
  const { width, height, data } = jpeg.decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    ...options,
  });
  return { width, height, channels: 3, data: Uint8Array.from(data) };
}

function checkSize(width: number, height: number): void {
  if (width === 0 || height === 0 || width * height > MAX_PIXELS) {
    throw new RangeError(`the header claims ${width} × ${height} pixels`);
  }
}

/** Values of any depth as bytes; depths below 8 are packed, rows start at whole bytes. */
function toBytes(png: DecodedPng): Uint8Array<ArrayBuffer> {
  const { width, height, channels, depth, data } = png;
  if (depth === 8) return Uint8Array.from(data);
  const row = width * channels;
  const bytes = new Uint8Array(height * row);
  if (depth === 16) return bytes.map((_, i) => data[i]! >> 8);
  const rowBytes = Math.ceil(row * depth / 8);
  const top = (1 << depth) - 1;
  return bytes.map((_, i) => {
    const bit = (i % row) * depth;
    const packed = data[Math.floor(i / row) * rowBytes + (bit >> 3)]!;
    return 255 * (packed >> (8 - depth - (bit & 7)) & top) / top;
  });
}

function blank(width: number, height: number): Picture {
  const canvas = { width, height, channels: 3, data: new Uint8Array(width * height * 3) };
  fill(canvas, 0, 0, width, height, BACKGROUND);
  return canvas;
}

function fill(
  canvas: Picture,
  x: number,
  y: number,
  width: number,
  height: number,
  colour: Colour,
): void {
  for (let row = y; row < y + height; row++) {
    for (let column = x; column < x + width; column++) {
      canvas.data.set(colour, 3 * (row * canvas.width + column));
    }
  }
}

function paste(canvas: Picture, source: Picture, x: number, y: number, scale: number): void {
  const picture = withoutAlpha(source);
  for (let row = 0; row < picture.height; row++) {
    for (let column = 0; column < picture.width; column++) {
      const colour = colourAt(picture, column, row);
      fill(canvas, x + scale * column, y + scale * row, scale, scale, colour);
    }
  }
}

function colourAt({ width, channels, data }: Picture, column: number, row: number): Colour {
  const at = channels * (row * width + column);
  return channels === 1
    ? [data[at]!, data[at]!, data[at]!]
    : [data[at]!, data[at + 1]!, data[at + 2]!];
}
