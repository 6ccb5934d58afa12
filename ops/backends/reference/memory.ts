/**
 * Memory of the oracle: float64 numbers with the dtype that each was written as.
 *
 * A cell stands for two bytes of the real layout (the size of a half, the smallest element), so that
 * byte offsets mean the same as on every other device. Numbers are not rounded to their dtype;
 * bits are made only where host bytes are read or a cell is read as another dtype.
 */
import type { Buffer } from "../backend.ts";
import { bytesOf, type DType } from "../../ir/dtype.ts";
import { fromHalfBits, toHalfBits } from "./half.ts";

const CELL_BYTES = 2;

/** A tag is a position in this list plus one; 0 is a cell never written. */
const TAGS: readonly DType[] = ["float32", "float16", "float64", "int32", "uint32", "bool"];

/** Tag of a dtype. */
export function tagOf(dtype: DType): number {
  return TAGS.indexOf(dtype) + 1;
}

/** Cells that one element takes. */
export function cellsOf(dtype: DType): number {
  return bytesOf(dtype) / CELL_BYTES;
}

/** Memory of the reference backend. */
export class ReferenceBuffer implements Buffer {
  readonly bytes: number;
  /** One number per element, at its first cell. */
  readonly values: Float64Array<ArrayBuffer>;
  /** What each first cell was written as. */
  readonly tags: Uint8Array<ArrayBuffer>;
  #released = false;

  /** @param bytes Size in the real layout. */
  constructor(bytes: number) {
    this.bytes = bytes;
    const cells = Math.ceil(bytes / CELL_BYTES);
    this.values = new Float64Array(cells);
    this.tags = new Uint8Array(cells);
  }

  /** Marks the buffer as given back. @throws {Error} Where it was before. */
  release(): void {
    if (this.#released) throw new Error("internal: a buffer was released twice");
    this.#released = true;
  }

  /** Element of `dtype` at a cell; what was written as another dtype gives its bits. */
  get(cell: number, dtype: DType): number {
    const tag = this.tags[cell];
    if (tag === tagOf(dtype)) return this.values[cell]!;
    if (tag === undefined) {
      throw new RangeError(`internal: read at byte ${cell * CELL_BYTES} of ${this.bytes}`);
    }
    return valueAt(new DataView(this.toBytes(cell * CELL_BYTES, bytesOf(dtype)).buffer), 0, dtype);
  }

  /** Stores an element. */
  set(cell: number, dtype: DType, value: number): void {
    const end = cell + cellsOf(dtype);
    if (!(cell >= 0 && end <= this.values.length)) {
      throw new RangeError(`internal: write at byte ${cell * CELL_BYTES} of ${this.bytes}`);
    }
    this.values[cell] = value;
    this.tags[cell] = tagOf(dtype);
    // The element's other cells are no elements of their own any more.
    for (let c = cell + 1; c < end; c++) this.tags[c] = 0;
  }

  /** Takes over host bytes; typed arrays say their dtype, other views are 32-bit words. */
  setBytes(byteOffset: number, data: ArrayBufferView): void {
    const dtype = dtypeOfView(data);
    const size = bytesOf(dtype), step = cellsOf(dtype);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    let cell = byteOffset / CELL_BYTES;
    for (let byte = 0; byte + size <= data.byteLength; byte += size, cell += step) {
      this.set(cell, dtype, valueAt(view, byte, dtype));
    }
  }

  /** The bytes that another device would hold. */
  toBytes(byteOffset: number, bytes: number): Uint8Array<ArrayBuffer> {
    const start = byteOffset / CELL_BYTES, end = (byteOffset + bytes) / CELL_BYTES;
    // The last element may reach past the end that was asked for.
    const whole = new Uint8Array(bytes + 8);
    const view = new DataView(whole.buffer);
    for (let cell = start; cell < end && cell < this.tags.length; cell++) {
      const tag = this.tags[cell]!;
      if (tag > 0) putValue(view, (cell - start) * CELL_BYTES, TAGS[tag - 1]!, this.values[cell]!);
    }
    return whole.slice(0, bytes);
  }

  /** Copies elements with their dtypes. */
  copyFrom(source: ReferenceBuffer, sourceByte: number, targetByte: number, bytes: number): void {
    const from = sourceByte / CELL_BYTES, to = targetByte / CELL_BYTES, cells = bytes / CELL_BYTES;
    if (from + cells > source.values.length || to + cells > this.values.length) {
      throw new RangeError(`internal: copy of ${bytes} bytes out of bounds`);
    }
    this.values.set(source.values.slice(from, from + cells), to);
    this.tags.set(source.tags.slice(from, from + cells), to);
  }
}

function dtypeOfView(data: ArrayBufferView): DType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Uint16Array) return "float16";
  return "uint32";
}

function valueAt(view: DataView, byte: number, dtype: DType): number {
  switch (dtype) {
    case "float32":
      return view.getFloat32(byte, true);
    case "float64":
      return view.getFloat64(byte, true);
    case "float16":
      return fromHalfBits(view.getUint16(byte, true));
    case "int32":
      return view.getInt32(byte, true);
    case "uint32":
    case "bool":
      return view.getUint32(byte, true);
  }
}

function putValue(view: DataView, byte: number, dtype: DType, value: number): void {
  switch (dtype) {
    case "float32":
      return view.setFloat32(byte, value, true);
    case "float64":
      return view.setFloat64(byte, value, true);
    case "float16":
      return view.setUint16(byte, toHalfBits(value), true);
    case "int32":
      return view.setInt32(byte, value, true);
    case "uint32":
    case "bool":
      return view.setUint32(byte, value, true);
  }
}
