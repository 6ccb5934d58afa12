/**
 * Byte encodings of the WebAssembly binary format.
 *
 * @module
 */

/**
 * Appends an unsigned number in LEB128.
 *
 * @param out Bytes so far.
 * @param value An integer from 0 to 2³² − 1.
 */
export function writeUnsigned(out: number[], value: number): void {
  while (value > 127) {
    out.push((value & 127) | 128);
    value = Math.floor(value / 128);
  }
  out.push(value);
}

/**
 * Appends a signed number of 32 bits in LEB128.
 *
 * @param out Bytes so far.
 * @param value An integer; addresses from 2³¹ on wrap to negative ones, which are the same bits.
 */
export function writeSigned(out: number[], value: number): void {
  value |= 0;
  while (value < -64 || value > 63) {
    out.push((value & 127) | 128);
    value >>= 7;
  }
  out.push(value & 127);
}

/**
 * Appends a signed number of 64 bits in LEB128.
 *
 * @param out Bytes so far.
 * @param value The number; wraps at 64 bits.
 */
export function writeSigned64(out: number[], value: bigint): void {
  value = BigInt.asIntN(64, value);
  while (value < -64n || value > 63n) {
    out.push(Number(value & 127n) | 128);
    value >>= 7n;
  }
  out.push(Number(value & 127n));
}

/**
 * Appends an instruction's code: `prefix << 16 | number`, or a plain byte.
 *
 * @param out Bytes so far.
 * @param code The code.
 */
export function writeOpcode(out: number[], code: number): void {
  if (code > 0xffff) {
    out.push(code >>> 16);
    writeUnsigned(out, code & 0xffff);
  } else out.push(code);
}

/**
 * Appends a length in LEB128, then the bytes.
 *
 * @param out Bytes so far.
 * @param bytes What to append.
 */
export function writeSized(out: number[], bytes: ArrayLike<number>): void {
  writeUnsigned(out, bytes.length);
  // No spread: a kernel of 200 kB would overflow the argument stack.
  for (let i = 0; i < bytes.length; i++) out.push(bytes[i]!);
}

/**
 * Appends a name: length, then UTF-8.
 *
 * @param out Bytes so far.
 * @param text The name.
 */
export function writeName(out: number[], text: string): void {
  writeSized(out, new TextEncoder().encode(text));
}

const scratch = new DataView(new ArrayBuffer(8));

/**
 * Appends the bits of a single-precision number.
 *
 * @param out Bytes so far.
 * @param value The number, rounded to single precision.
 */
export function writeF32(out: number[], value: number): void {
  scratch.setFloat32(0, value, true);
  for (let i = 0; i < 4; i++) out.push(scratch.getUint8(i));
}

/**
 * Appends the bits of a double-precision number.
 *
 * @param out Bytes so far.
 * @param value The number.
 */
export function writeF64(out: number[], value: number): void {
  scratch.setFloat64(0, value, true);
  for (let i = 0; i < 8; i++) out.push(scratch.getUint8(i));
}
