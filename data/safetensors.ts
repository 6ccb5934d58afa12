import { formatShape, sizeOf } from "./_check.ts";
import { checkHostArray, HOST_DTYPES, type HostArray, type HostDType } from "./array.ts";
import { FormatError } from "./errors.ts";
import { widenBfloat16, widenFloat16 } from "./half.ts";

/** Tensors by name, and free text, as a safetensors file holds them. */
export interface Safetensors {
  /** Tensors in the order of the file. */
  tensors: Map<string, HostArray>;
  /** Free text by key, often `{ format: "pt" }`. */
  metadata: Record<string, string>;
}

/** How {@linkcode parseSafetensors} reads. */
export interface ParseSafetensorsOptions {
  /**
   * Give float16 and bfloat16 tensors as float32; otherwise as their bits.
   *
   * @default {true}
   */
  widen?: boolean | undefined;
  /** Name of the file for the error messages. */
  source?: string | undefined;
}

const DTYPES: Readonly<Record<string, HostDType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U64: "uint64",
  U32: "uint32",
  U16: "uint16",
  U8: "uint8",
  BOOL: "bool",
};

// The format's own limit, which keeps a corrupt length from asking for memory.
const HEADER_LIMIT = 100_000_000;
const METADATA = "__metadata__";

interface Entry {
  name: string;
  dtype: HostDType;
  shape: number[];
  begin: number;
  end: number;
}

/**
 * Reads the safetensors format from bytes.
 *
 * Everything that the header claims is checked before anything is allocated: its length, names
 * that occur twice, dtypes, shapes, offsets that overlap, leave holes or run past the end. Tensors
 * are views of the bytes wherever the alignment allows.
 *
 * @param bytes The whole file.
 * @param options Whether halves are widened.
 * @returns Tensors and metadata.
 * @throws {FormatError} If the file is truncated or corrupt; the message names the tensor.
 *
 * @example Written and read back
 * ```ts
 * import { parseSafetensors, serializeSafetensors } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const bias = { dtype: "float32" as const, shape: [2], data: new Float32Array([1, 2]) };
 * const bytes = serializeSafetensors({ "fc.bias": bias }, { epoch: "3" });
 * const { tensors, metadata } = parseSafetensors(bytes);
 * assertEquals(tensors.get("fc.bias"), bias);
 * assertEquals(metadata.epoch, "3");
 * ```
 */
export function parseSafetensors(
  bytes: Uint8Array<ArrayBuffer>,
  options: ParseSafetensorsOptions = {},
): Safetensors {
  const { widen = true, source } = options;
  const fail: Fail = (problem) => new FormatError("parseSafetensors", problem, source);
  const headerLength = readHeaderLength(bytes, fail);
  const start = 8 + headerLength;
  const header = readHeader(bytes.subarray(8, start), fail);
  const entries: Entry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of header) {
    if (name === METADATA) metadata = readMetadata(value, fail);
    else entries.push(readEntry(name, value, fail));
  }
  checkOffsets(entries, bytes.length - start, fail);
  const tensors = new Map(entries.map((entry) => [entry.name, view(bytes, start, entry, widen)]));
  return { tensors, metadata };
}

type Fail = (problem: string) => FormatError;

function readHeaderLength(bytes: Uint8Array<ArrayBuffer>, fail: Fail): number {
  if (bytes.length < 8) throw fail(`file has ${bytes.length} bytes, the header length needs 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > HEADER_LIMIT) {
    throw fail(`header length is ${length}, the format allows ${HEADER_LIMIT}`);
  }
  if (8 + Number(length) > bytes.length) {
    throw fail(`file is truncated: header needs ${length} bytes, found ${bytes.length - 8}`);
  }
  return Number(length);
}

function readHeader(bytes: Uint8Array, fail: Fail): [string, unknown][] {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    throw fail("header is no JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw fail("header is no JSON object");
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) throw fail(`tensor "${twice}" occurs twice`);
  return Object.entries(header);
}

/** First key of the outermost object that occurs twice; `JSON.parse` keeps the last silently. */
function duplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  const tokens = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;
  for (const [token, colon] of text.matchAll(tokens)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

function readMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (value === null) return {};
  const entries = typeof value === "object" && !Array.isArray(value)
    ? Object.entries(value)
    : undefined;
  if (entries === undefined || entries.some(([, text]) => typeof text !== "string")) {
    throw fail("metadata is no object of strings");
  }
  return Object.fromEntries(entries);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readEntry(name: string, value: unknown, fail: Fail): Entry {
  const { dtype: code, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const dtype = typeof code === "string" && Object.hasOwn(DTYPES, code) ? DTYPES[code] : undefined;
  if (dtype === undefined) {
    throw fail(`tensor "${name}" has dtype ${JSON.stringify(code)}, which is not supported`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw fail(`tensor "${name}" has shape ${JSON.stringify(shape)}, expected whole numbers`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw fail(`tensor "${name}" has data_offsets ${JSON.stringify(offsets)}, expected two`);
  }
  const [begin, end] = offsets as [number, number];
  const needed = sizeOf(shape) * HOST_DTYPES[dtype].bytes;
  if (end - begin !== needed) {
    const extent = `${code} ${formatShape(shape)}`;
    throw fail(`tensor "${name}" has ${end - begin} bytes, ${extent} needs ${needed}`);
  }
  return { name, dtype, shape, begin, end };
}

/** The tensors must cover the data without holes, as the format demands. */
function checkOffsets(entries: readonly Entry[], length: number, fail: Fail): void {
  const sorted = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of sorted) {
    if (begin < covered) {
      throw fail(
        `tensor "${name}" begins at ${begin}, inside of the tensor that ends at ${covered}`,
      );
    }
    if (begin > covered) {
      throw fail(`no tensor covers bytes ${covered} to ${begin}, before "${name}"`);
    }
    if (end > length) {
      throw fail(`file is truncated: tensor "${name}" ends at ${end}, the data at ${length}`);
    }
    covered = end;
  }
  if (covered !== length) throw fail(`data has ${length} bytes, the tensors end at ${covered}`);
}

function view(
  bytes: Uint8Array<ArrayBuffer>,
  start: number,
  entry: Entry,
  widen: boolean,
): HostArray {
  const { dtype, shape, begin, end } = entry;
  const info = HOST_DTYPES[dtype];
  const offset = bytes.byteOffset + start + begin;
  const count = (end - begin) / info.bytes;
  const data = offset % info.bytes === 0
    ? info.wrap(bytes.buffer, offset, count)
    : info.wrap(bytes.buffer.slice(offset, offset + end - begin), 0, count);
  if (widen && data instanceof Uint16Array) {
    if (dtype === "float16") return { dtype: "float32", shape, data: widenFloat16(data) };
    if (dtype === "bfloat16") return { dtype: "float32", shape, data: widenBfloat16(data) };
  }
  return { dtype, shape, data };
}

/** Tensors by name, as {@linkcode serializeSafetensors} takes them. */
export type NamedArrays = Iterable<readonly [string, HostArray]> | Record<string, HostArray>;

/**
 * Writes the safetensors format to bytes. Wide elements come first, then by name, so that every
 * tensor is aligned; the same tensors give the same bytes.
 *
 * @param tensors Tensors by name.
 * @param metadata Free text by key.
 * @returns The file.
 * @throws {RangeError} If a name is reserved or occurs twice, or elements do not fill a shape.
 * @throws {TypeError} If elements are not of the type that is claimed.
 *
 * @example
 * ```ts
 * import { serializeSafetensors } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const step = { dtype: "int32" as const, shape: [], data: new Int32Array([7]) };
 * const bytes = serializeSafetensors({ step });
 * assertEquals(bytes.length % 4, 0);
 * ```
 */
export function serializeSafetensors(
  tensors: NamedArrays,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const list: (readonly [string, HostArray])[] = Symbol.iterator in tensors
    ? [...tensors as Iterable<readonly [string, HostArray]>]
    : Object.entries(tensors);
  checkTensors(list);
  const codes = new Map(Object.entries(DTYPES).map(([code, dtype]) => [dtype, code]));
  const width = ([, tensor]: readonly [string, HostArray]) => HOST_DTYPES[tensor.dtype].bytes;
  list.sort((a, b) => width(b) - width(a) || (a[0] < b[0] ? -1 : 1));
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) {
    fields.push(`"${METADATA}":${JSON.stringify(metadata)}`);
  }
  let end = 0;
  for (const [name, { dtype, shape, data }] of list) {
    const begin = end;
    end += data.byteLength;
    const entry = { dtype: codes.get(dtype), shape, data_offsets: [begin, end] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  }
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerLength = Math.ceil(header.length / 8) * 8;
  const result = new Uint8Array(8 + headerLength + end);
  new DataView(result.buffer).setBigUint64(0, BigInt(headerLength), true);
  result.fill(0x20, 8 + header.length, 8 + headerLength);
  result.set(header, 8);
  let at = 8 + headerLength;
  for (const [, { data }] of list) {
    result.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return result;
}

function checkTensors(list: readonly (readonly [string, HostArray])[]): void {
  const seen = new Set<string>();
  for (const [name, tensor] of list) {
    if (name === METADATA) throw new RangeError(`serializeSafetensors: "${METADATA}" is reserved`);
    if (seen.has(name)) throw new RangeError(`serializeSafetensors: "${name}" occurs twice`);
    seen.add(name);
    checkHostArray("serializeSafetensors", `tensor "${name}"`, tensor);
  }
}
