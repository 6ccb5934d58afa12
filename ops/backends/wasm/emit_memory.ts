/**
 * Loads and stores of four lanes that are apart in memory.
 *
 * @module
 */
import type { FunctionBuilder, Local } from "./assembler.ts";

/** The lanes of a vector. */
export const LANES = [0, 1, 2, 3] as const;

/** Four elements at the addresses in the lanes. */
export function emitGather(f: FunctionBuilder, addresses: Local): void {
  f.get(addresses).lane("i32x4.extract_lane", 0).memory("v128.load32_zero");
  const value = f.local("v128");
  f.set(value);
  for (const lane of [1, 2, 3]) {
    f.get(addresses).lane("i32x4.extract_lane", lane).get(value);
    f.memoryLane("v128.load32_lane", lane).set(value);
  }
  f.get(value);
}

/** Four elements that lie `stride` apart, the first of copy 0 at `address`. */
export function emitStrided(
  f: FunctionBuilder,
  address: Local,
  stride: number,
  copy: number,
): void {
  const start = 16 * stride * copy;
  if (stride === 1) {
    f.get(address).memory("v128.load", start, 2);
  } else if (stride === 2) {
    // The second vector starts at an element that is wanted last in the first: never past the end.
    f.get(address).memory("v128.load", start, 2);
    f.get(address).memory("v128.load", start + 12, 2).shuffle32(0, 2, 5, 7);
  } else if (stride === -1) {
    f.get(address).i32(start - 12).op("i32.add").memory("v128.load", 0, 2);
    f.i32x4(0).shuffle32(3, 2, 1, 0);
  } else {
    f.get(address);
    if (start !== 0) f.i32(start).op("i32.add");
    f.memory("v128.load32_zero");
    const value = f.local("v128");
    f.set(value);
    for (const lane of [1, 2, 3]) {
      f.get(address).i32(start + 4 * stride * lane).op("i32.add").get(value);
      f.memoryLane("v128.load32_lane", lane).set(value);
    }
    f.get(value);
  }
}

/** Writes four lanes `stride` elements apart, the first of copy 0 at `address`. */
export function emitStridedStore(
  f: FunctionBuilder,
  address: Local,
  value: Local,
  stride: number,
  copy: number,
): void {
  const start = 16 * stride * copy;
  if (stride === 1) {
    f.get(address, value).memory("v128.store", start, 2);
    return;
  }
  for (const lane of LANES) {
    f.get(address);
    const offset = start + 4 * stride * lane;
    if (offset !== 0) f.i32(offset).op("i32.add");
    f.get(value).memoryLane("v128.store32_lane", lane);
  }
}
