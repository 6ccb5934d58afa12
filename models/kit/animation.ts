/**
 * Animated PNG: the frames as the PNG library writes them, put into one file.
 *
 * Every viewer that knows PNG shows at least the last frame, browsers show the animation.
 * Format: PNG specification, third edition, section 11.3.7.
 *
 * @module
 */
import { encodePng, type Picture } from "./picture.ts";

/** Options of {@linkcode encodeApng}. */
export interface ApngOptions {
  /** Milliseconds that each frame is shown. @default {80} */
  delay?: number;
  /** Milliseconds that the last frame is shown. @default {2000} */
  lastDelay?: number;
  /** Times that it plays; 0 for ever. @default {0} */
  plays?: number;
}

interface Chunk {
  readonly name: string;
  readonly data: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Longest delay in milliseconds that 16 bits hold. */
const LONGEST_DELAY = 65_535;

/**
 * Writes an animated PNG. The last frame is also what a viewer without animation shows.
 *
 * @param frames Pictures of one size and number of channels, at least one.
 * @param options Delays, repetitions.
 * @returns The file's content.
 * @throws {RangeError} If there is no frame, two differ in size, or a delay is out of range.
 *
 * @example Two frames
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodePicture } from "./picture.ts";
 *
 * const dot = (value: number) => ({ width: 1, height: 1, channels: 1, data: Uint8Array.of(value) });
 * const file = encodeApng([dot(0), dot(255)]);
 * assertEquals(decodePicture(file), dot(255));
 * ```
 */
export function encodeApng(
  frames: readonly Picture[],
  options: ApngOptions = {},
): Uint8Array<ArrayBuffer> {
  const { delay = 80, lastDelay = 2000, plays = 0 } = options;
  const last = frames.at(-1);
  if (last === undefined) throw new RangeError("encodeApng: there are no frames");
  for (const [i, frame] of frames.entries()) checkFrame(frame, last, i);
  for (const [name, value] of Object.entries({ delay, lastDelay })) {
    if (!(value >= 0 && value <= LONGEST_DELAY)) {
      throw new RangeError(`encodeApng: ${name} ${value} is not within 0 to ${LONGEST_DELAY} ms`);
    }
  }
  const still = chunksOf(encodePng(last));
  const chunks: Chunk[] = [
    ...still.filter(({ name }) => name === "IHDR"),
    { name: "acTL", data: bigEndian([frames.length, plays]) },
    // A default image without a frame control before it is no part of the animation.
    ...still.filter(({ name }) => name === "IDAT"),
  ];
  let sequence = 0;
  for (const [i, frame] of frames.entries()) {
    const shown = Math.round(i === frames.length - 1 ? lastDelay : delay);
    chunks.push({ name: "fcTL", data: frameControl(sequence++, frame, shown) });
    for (const { name, data } of chunksOf(encodePng(frame))) {
      if (name !== "IDAT") continue;
      chunks.push({ name: "fdAT", data: joined([bigEndian([sequence++]), data]) });
    }
  }
  chunks.push({ name: "IEND", data: new Uint8Array() });
  return joined([Uint8Array.from(SIGNATURE), ...chunks.map(encodeChunk)]);
}

function checkFrame(frame: Picture, last: Picture, index: number): void {
  const size = ({ width, height, channels }: Picture): string => `${width}×${height}×${channels}`;
  if (size(frame) !== size(last)) {
    throw new RangeError(
      `encodeApng: frame ${index} is ${size(frame)}, the last one is ${size(last)}`,
    );
  }
}

/** Whole frame, delay in milliseconds, no disposal, no blending. */
function frameControl(sequence: number, { width, height }: Picture, delay: number): Uint8Array {
  const data = new Uint8Array(26);
  const view = new DataView(data.buffer);
  view.setUint32(0, sequence);
  view.setUint32(4, width);
  view.setUint32(8, height);
  view.setUint16(20, delay);
  view.setUint16(22, 1000);
  return data;
}

function chunksOf(png: Uint8Array): Chunk[] {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...png.subarray(at + 4, at + 8));
    chunks.push({ name, data: png.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

function encodeChunk({ name, data }: Chunk): Uint8Array {
  const body = joined([new TextEncoder().encode(name), data]);
  return joined([bigEndian([data.length]), body, bigEndian([crc32(body)])]);
}

function bigEndian(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (const [i, value] of values.entries()) view.setUint32(4 * i, value);
  return new Uint8Array(view.buffer);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Checksum of a chunk, bit by bit: pictures here are small. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
