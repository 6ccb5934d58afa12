/**
 * The argument block of the matrix product kernels, and the functions that a caller may plug in.
 *
 * @module
 */

import type { FunctionBuilder, Local, Signature } from "./assembler.ts";

/** Words of the argument block of `gemm` and `dot`, in order. Strides are in bytes. */
export const GEMM_ARGS = [
  "a",
  "b",
  "c",
  "bias",
  "scratch",
  "scratchStride",
  "m",
  "n",
  "k",
  "aRow",
  "aK",
  "bK",
  "bColumn",
  "cRow",
  "tileRows",
  "tileColumns",
  "rowTiles",
  "columnTiles",
  "kBlock",
  "chunks",
  "chunkK",
  "chunkC",
  "start",
  "floor",
  "aMode",
  "bMode",
  "aPack",
  "aPackArgs",
  "bPack",
  "bPackArgs",
  "hook",
  "hookArgs",
  "panelAt",
  "biasAt",
  "rowsAt",
] as const;

/** A word of the argument block. */
export type GemmArg = typeof GEMM_ARGS[number];

/** Byte offset of the batch table behind the block: three byte offsets (A, B, C) per batch. */
export const BATCH_TABLE: number = 4 * GEMM_ARGS.length;

/** How the tiles read an operand. `panels` is for B alone: packed ahead. */
export const MODES = {
  direct: 0,
  transpose: 1,
  gather: 2,
  external: 3,
  copy: 4,
  panels: 5,
} as const;

/** Where accumulators start. */
export const STARTS = { zero: 0, column: 1, row: 2, add: 3 } as const;

/**
 * What an external pack function takes: `(args, batch, first, last, kFirst, kLast, dst, dstRow)`,
 * rows of A or columns of B `[first, last)`, k `[kFirst, kLast)`, `dstRow` in bytes. It writes
 *
 * - A at `dst + (row − first)·dstRow + (k − kFirst)·4`,
 * - B, of which it is asked for 24 columns at most, at `dst + (k − kFirst)·dstRow + (column − first)·4`
 *   (`dstRow` is 96, `dst` aligned to 128; columns up to 24 may be written with anything).
 */
export const PACK: Signature = { params: Array.from({ length: 8 }, () => "i32" as const) };

/** A hook: `(args, batch, rowFirst, rowLast, columnFirst, columnLast)` of a finished tile of C. */
export const HOOK: Signature = { params: ["i32", "i32", "i32", "i32", "i32", "i32"] };

/** Pushes a word of the argument block. */
export function gemmArg(f: FunctionBuilder, args: Local, name: GemmArg): FunctionBuilder {
  return f.get(args).memory("i32.load", 4 * GEMM_ARGS.indexOf(name));
}

/** `min(whole − first, tile)` into `out`. */
export function emitExtent(
  f: FunctionBuilder,
  whole: () => void,
  first: Local,
  tile: () => void,
  out: Local,
): void {
  const left = f.local("i32");
  whole();
  f.get(first).op("i32.sub").set(left);
  tile();
  f.set(out).get(left, out, left, out).op("i32.lt_s", "select").set(out).release(left);
}
