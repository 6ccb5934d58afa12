import { formatShape, sizeOf } from "./_check.ts";
import { FormatError } from "./errors.ts";
import { readFile } from "./files.ts";
import { gunzip, isGzip } from "./gzip.ts";

/** Elements of an IDX file; the format has these six types. */
export type IdxData =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** Contents of an IDX file. */
export interface IdxArray {
  /** Extents, outermost first. */
  shape: number[];
  /** Elements, row-major. */
  data: IdxData;
}

// Type codes of the third byte of the magic number.
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  0x08: 1, // unsigned byte
  0x09: 1, // signed byte
  0x0b: 2, // short
  0x0c: 4, // int
  0x0d: 4, // float
  0x0e: 8, // double
};

// An expanded IDX file may not pass this; MNIST's largest has 47 MB, EMNIST's 641 MB.
const EXPANDED_LIMIT = 2 ** 31 - 1;

/**
 * Reads the IDX format of MNIST and its relatives from bytes.
 *
 * Magic number, dimension sizes and length are checked before anything is allocated; bytes are
 * viewed, not copied, where the type needs no change of byte order.
 *
 * @param bytes The whole file, not compressed.
 * @param source Name of the file for the error messages.
 * @returns Shape and elements.
 * @throws {FormatError} If the magic number, the dimensions or the length are wrong.
 *
 * @example Three unsigned bytes
 * ```ts
 * import { parseIdx } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const labels = parseIdx(new Uint8Array([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]));
 * assertEquals(labels.shape, [3]);
 * assertEquals(labels.data, new Uint8Array([5, 0, 4]));
 * ```
 */
export function parseIdx(
  bytes: Uint8Array<ArrayBuffer>,
  source?: string | undefined,
): IdxArray {
  if (bytes.length < 4) {
    throw new FormatError("parseIdx", `file has ${bytes.length} bytes, a header needs 4`, source);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [zero, type, rank] = [view.getUint16(0), view.getUint8(2), view.getUint8(3)];
  const elementBytes = ELEMENT_BYTES[type];
  if (zero !== 0 || elementBytes === undefined || rank === 0) {
    const magic = view.getUint32(0).toString(16).padStart(8, "0");
    const problem = `magic number is 0x${magic}, expected 0x0000, a type 08 to 0e, a rank`;
    throw new FormatError("parseIdx", problem, source);
  }
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    const problem = `file has ${bytes.length} bytes, a header of rank ${rank} needs ${start}`;
    throw new FormatError("parseIdx", problem, source);
  }
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const expected = sizeOf(shape) * elementBytes;
  const found = bytes.length - start;
  if (found !== expected) {
    const state = found < expected ? "truncated" : "too long";
    const problem = `file is ${state}: dimensions ${formatShape(shape)} need ${expected} bytes ` +
      `after the header, found ${found}`;
    throw new FormatError("parseIdx", problem, source);
  }
  return { shape, data: readElements(bytes, view, type, start, sizeOf(shape)) };
}

function readElements(
  bytes: Uint8Array<ArrayBuffer>,
  view: DataView,
  type: number,
  start: number,
  count: number,
): IdxData {
  switch (type) {
    case 0x08:
      return bytes.subarray(start);
    case 0x09:
      return new Int8Array(bytes.buffer, bytes.byteOffset + start, count);
    case 0x0b:
      return Int16Array.from({ length: count }, (_, i) => view.getInt16(start + 2 * i));
    case 0x0c:
      return Int32Array.from({ length: count }, (_, i) => view.getInt32(start + 4 * i));
    case 0x0d:
      return Float32Array.from({ length: count }, (_, i) => view.getFloat32(start + 4 * i));
    default:
      return Float64Array.from({ length: count }, (_, i) => view.getFloat64(start + 8 * i));
  }
}

/**
 * Reads an IDX file, gzipped or not (the first bytes tell).
 *
 * @param path Path or URL of the file.
 * @returns Shape and elements.
 * @throws {FormatError} If the file is truncated or corrupt.
 * @throws {Error} If there is no such file.
 *
 * @example A file that is given as a URL
 * ```ts
 * import { readIdx } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const { shape } = await readIdx("data:;base64,AAAIAQAAAAEH");
 * assertEquals(shape, [1]);
 * ```
 */
export async function readIdx(path: string | URL): Promise<IdxArray> {
  return parseIdx(await readExpanded(path), String(path));
}

/** Reads a file and expands it where it is gzipped. */
export async function readExpanded(path: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path);
  return isGzip(bytes) ? await gunzip("readIdx", bytes, EXPANDED_LIMIT, String(path)) : bytes;
}
