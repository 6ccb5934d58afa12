/**
 * What the parts of Winograd's convolution share: the argument block, a thread's scratch space, tables
 * of tiles.
 *
 * @module
 */

import { pushWide } from "./gemm_kernels.ts";
import type { Panels } from "./gemm_kernels.ts";
import type { FunctionBuilder, FunctionHandle, Local } from "./assembler.ts";
import { ENTRY, SIDE, SIDE_WORDS, sideWord } from "./winograd_tiles.ts";
import type { TileFunctions } from "./winograd_tiles.ts";

/** Words of the argument block of `forward` and `gradient`; one or two sides follow. */
export const WINOGRAD_ARGS = [
  "x",
  "u",
  "y",
  "bias",
  "scratch",
  "scratchStride",
  "cin",
  "cout",
  "tiles",
  "block",
  "coutBlock",
  "coutBlocks",
  "chunkTiles",
  "floor",
  "biased",
  "uRow",
  "uPoint",
  "bufferAt",
  "tableAt",
  "segmentsAt",
  "planesAt",
  "vAt",
  "mAt",
  "vPoint",
  "mPoint",
  "tableAt2",
  "segmentsAt2",
  "planesAt2",
  "zerosAt",
  "chunkBytes",
] as const;

/** A word of the argument block. */
export type WinogradArg = typeof WINOGRAD_ARGS[number];

/** Byte offset of the first side. */
export const SIDES: number = 4 * WINOGRAD_ARGS.length;

/** Functions of the module that kernels call. */
export interface Parts {
  tiles: TileFunctions;
  panels: Panels;
  /** By number of groups of four tiles, the transforms of tiles. */
  input: Groups;
  gradient: Groups;
  output: Groups;
}

/** One function for four tiles and one for eight, which V8 makes of wider vectors. */
export interface Groups {
  readonly 1: FunctionHandle;
  readonly 2: FunctionHandle;
}

/** Pushes a word of the argument block. */
export function word(f: FunctionBuilder, args: Local, name: WinogradArg): FunctionBuilder {
  return f.get(args).memory("i32.load", 4 * WINOGRAD_ARGS.indexOf(name));
}

/** Pushes the address of a part of the thread's scratch space. */
export function place(
  f: FunctionBuilder,
  args: Local,
  scratch: Local,
  name: WinogradArg,
): FunctionBuilder {
  return word(f, args, name).get(scratch).op("i32.add");
}

/** This thread's scratch space; its first 128 bytes become zeros to start sums from. */
export function emitScratch(f: FunctionBuilder, args: Local, thread: Local, scratch: Local): void {
  word(f, args, "scratch").get(thread);
  word(f, args, "scratchStride").op("i32.mul", "i32.add").tee(scratch).i32(0).i32(128).fill();
}

/** A row of zeros, for what planes do not have. */
function emitZeros(f: FunctionBuilder, args: Local, scratch: Local, zeros: Local): void {
  place(f, args, scratch, "zerosAt").tee(zeros).i32(0);
  f.get(args).i32(SIDES).op("i32.add").memory("i32.load", 4 * SIDE.rowBytes).fill();
}

/**
 * Goes over tiles in groups of four: two groups at a time where V8 pairs vectors and both have a
 * tile, then one.
 *
 * @param f Where.
 * @param tile Number of the first tile of the turn.
 * @param count Number of tiles.
 * @param body Emits a turn for so many groups.
 */
export function emitTurns(
  f: FunctionBuilder,
  tile: Local,
  count: Local,
  body: (groups: 1 | 2) => void,
): void {
  f.i32(0).set(tile);
  for (const groups of [2, 1] as const) {
    f.block((done) =>
      f.loop((again) => {
        f.get(count, tile).op("i32.sub").i32(4 * (groups - 1)).op("i32.le_s").brIf(done);
        if (groups === 2) pushWide(f).op("i32.eqz").brIf(done);
        body(groups);
        f.get(tile).i32(4 * groups).op("i32.add").set(tile).br(again);
      })
    );
  }
}

/** What a function needs that loads the tiles of a side. */
export interface TileLocals {
  readonly side: Local;
  readonly table: Local;
  readonly segments: Local;
  readonly segmentCount: Local;
  readonly planes: Local;
  readonly rowBytes: Local;
  readonly zeros: Local;
}

/**
 * Builds the table and the segments of tiles `[first, first + count)`.
 *
 * @param f Where.
 * @param block The argument block, the thread's scratch space and the tiles.
 * @param tiles Functions of the module.
 * @param second Whether of the second side, the output's gradient.
 * @returns Where everything is.
 */
export function emitTiles(
  f: FunctionBuilder,
  { args, scratch, first, count }: Record<"args" | "scratch" | "first" | "count", Local>,
  tiles: TileFunctions,
  second: boolean,
): TileLocals {
  const [side, table, segments, segmentCount, planes, rowBytes, zeros] = f.locals("i32", 7);
  f.get(args).i32(SIDES + (second ? 4 * SIDE_WORDS : 0)).op("i32.add").set(side);
  place(f, args, scratch, second ? "tableAt2" : "tableAt").set(table);
  place(f, args, scratch, second ? "segmentsAt2" : "segmentsAt").set(segments);
  place(f, args, scratch, second ? "planesAt2" : "planesAt").set(planes);
  emitZeros(f, args, scratch, zeros);
  sideWord(f, side, SIDE.rowBytes).set(rowBytes);
  f.get(side, first, first, count).op("i32.add").get(table, segments).call(tiles.build);
  f.set(segmentCount);
  return { side, table, segments, segmentCount, planes, rowBytes, zeros };
}

/** Pushes the addresses of tiles in the buffer of planes. */
export function pushTiles(
  f: FunctionBuilder,
  entry: Local,
  planes: Local,
  groups: 1 | 2,
): void {
  for (let l = 0; l < 4 * groups; l++) {
    f.get(entry).memory("i32.load", ENTRY * l).get(planes).op("i32.add");
  }
}

/** Fills up the table to a multiple of four with copies of the last tile that store nothing. */
export function emitFillTable(f: FunctionBuilder, table: Local, count: Local): void {
  const [i, entry] = f.locals("i32", 2);
  f.get(table, count).i32(ENTRY).op("i32.mul", "i32.add").set(entry);
  f.range(i, 0, 3, 1, () => {
    f.get(entry, entry).i32(ENTRY).op("i32.sub").memory("i32.load").memory("i32.store");
    f.get(entry).i64(0).memory("i64.store", 4, 2).get(entry).i32(0).memory("i32.store", 12);
    f.get(entry).i32(ENTRY).op("i32.add").set(entry);
  });
  f.release(i, entry);
}
