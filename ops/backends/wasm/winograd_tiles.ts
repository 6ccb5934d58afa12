/**
 * Tables of tiles and padded copies of planes, for Winograd's convolution.
 *
 * Tiles are numbered through all images, and a block is any run of them, so small images fill vectors
 * as well as large ones. Borders are dealt with once: the part of a plane that a block touches is
 * copied into a zeroed buffer, and every tile reads from there. A block and the images it touches
 * give **segments** (part of one image: image, first row, rows, address in the buffer); per tile the
 * **table** has: address in the buffer relative to its start, byte offset in the output's plane
 * (image included), rows and columns that exist.
 *
 * @module
 */

import type { FunctionBuilder, FunctionHandle, Local, ModuleBuilder } from "./assembler.ts";

/** Words that describe one side (input or output's gradient), 32-bit each. */
export const SIDE = {
  /** Rows and columns of a plane. */
  height: 0,
  width: 1,
  /** Zeros before the first row and column. */
  pad: 2,
  /** Rows that tiles share: 2 for the input, 0 for the output. */
  halo: 3,
  /** Bytes of a row in the buffer. */
  rowBytes: 4,
  /** Bytes of one plane in the buffer. */
  planeBytes: 5,
  /** Planes from image to image. */
  channels: 6,
} as const;

/** Words that describe the tiling. */
export const TILING = {
  /** Tiles in a row and in an image. */
  across: 7,
  perImage: 8,
  /** Rows and columns of an output plane, and channels of the output. */
  outHeight: 9,
  outWidth: 10,
  outChannels: 11,
} as const;

/** Words of a side and its tiling together. */
export const SIDE_WORDS = 12;

/** Bytes of a table entry or a segment. */
export const ENTRY = 16;

/** The functions of a module that deal with tiles. */
export interface TileFunctions {
  /** `(side, first, last, table, segments): segments`: fills both for tiles `[first, last)`. */
  build: FunctionHandle;
  /** `(side, segments, count, source, channel, buffer)`: copies one plane's part into the buffer. */
  copy: FunctionHandle;
}

/**
 * Defines the functions.
 *
 * @param m The module; must import the memory.
 * @returns Handles.
 */
export function emitTileFunctions(m: ModuleBuilder): TileFunctions {
  return { build: emitBuild(m), copy: emitCopyPlane(m, emitCopyRow(m)) };
}

/** Pushes a word of a side. */
export function sideWord(f: FunctionBuilder, side: Local, word: number): FunctionBuilder {
  return f.get(side).memory("i32.load", 4 * word);
}

function emitBuild(m: ModuleBuilder): FunctionHandle {
  const params = ["i32", "i32", "i32", "i32", "i32"] as const;
  return m.func({ params, results: ["i32"] }, (f) => {
    const [side, first, last, table, segments] = f.parameters(5);
    const [tile, end, image, row0, rows, base, at] = f.locals("i32", 7);
    const word = (w: number) => sideWord(f, side, w);
    const rowOf = (index: Local, back: number) => {
      f.get(index).i32(back).op("i32.sub");
      word(TILING.perImage).op("i32.rem_u");
      word(TILING.across).op("i32.div_u");
    };
    f.get(first).set(tile).get(segments).set(at);
    f.loop((again) => {
      f.get(tile);
      word(TILING.perImage).op("i32.div_u").tee(image).i32(1).op("i32.add");
      word(TILING.perImage).op("i32.mul").tee(end).get(last, end, last).op("i32.lt_s", "select");
      f.set(end);
      rowOf(tile, 0);
      f.set(row0);
      rowOf(end, 1);
      f.get(row0).op("i32.sub").i32(1).op("i32.add").i32(4).op("i32.mul");
      word(SIDE.halo).op("i32.add").set(rows);
      f.get(at, image).memory("i32.store", 0).get(at, row0).i32(4).op("i32.mul");
      f.memory("i32.store", 4).get(at, rows).memory("i32.store", 8);
      f.get(at, base).memory("i32.store", 12).get(at).i32(ENTRY).op("i32.add").set(at);
      f.range(tile, tile, end, 1, () => {
        emitEntry(f, side, tile, image, row0, base, table);
        f.get(table).i32(ENTRY).op("i32.add").set(table);
      });
      f.get(base, rows);
      word(SIDE.rowBytes).op("i32.mul", "i32.add").set(base);
      f.get(end).tee(tile).get(last).op("i32.lt_s").brIf(again);
    });
    f.get(at, segments).op("i32.sub").i32(Math.log2(ENTRY)).op("i32.shr_u");
  });
}

/** One entry of the table. */
function emitEntry(
  f: FunctionBuilder,
  side: Local,
  tile: Local,
  image: Local,
  row0: Local,
  base: Local,
  table: Local,
): void {
  const [y, x, left] = f.locals("i32", 3);
  const word = (w: number) => sideWord(f, side, w);
  f.get(tile);
  word(TILING.perImage).op("i32.rem_u").tee(y).get(y);
  word(TILING.across).op("i32.rem_u").i32(4).op("i32.mul").set(x);
  word(TILING.across).op("i32.div_u").set(y);
  f.get(table, base).get(y, row0).op("i32.sub").i32(4).op("i32.mul");
  word(SIDE.rowBytes).op("i32.mul", "i32.add").get(x).i32(4).op("i32.mul", "i32.add");
  f.memory("i32.store", 0);
  f.get(y).i32(4).op("i32.mul").set(y);
  f.get(table, image);
  word(TILING.outChannels).op("i32.mul");
  word(TILING.outHeight).op("i32.mul").get(y).op("i32.add");
  word(TILING.outWidth).op("i32.mul").get(x).op("i32.add").i32(4).op("i32.mul");
  f.memory("i32.store", 4);
  for (const [size, at, offset] of [[TILING.outHeight, y, 8], [TILING.outWidth, x, 12]] as const) {
    f.get(table);
    word(size).get(at).op("i32.sub").tee(left).i32(4).get(left).i32(4);
    f.op("i32.lt_s", "select").memory("i32.store", offset);
  }
  f.release(y, x, left);
}

/** `(src, dst, count)`: four elements at a time, the last four overlapping. */
function emitCopyRow(m: ModuleBuilder): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32"] }, (f) => {
    const [src, dst, count] = f.parameters(3);
    const i = f.local("i32");
    const vector = () => f.get(dst, src).memory("v128.load", 0, 2).memory("v128.store", 0, 2);
    const move = (step: () => FunctionBuilder) => {
      for (const p of [src, dst]) {
        f.get(p);
        step().op("i32.add").set(p);
      }
    };
    f.get(count).i32(4).op("i32.lt_s").if(() =>
      f.range(i, 0, count, 1, () => {
        f.get(dst, src).memory("f32.load").memory("f32.store");
        move(() => f.i32(4));
      }), () => {
      f.range(i, 4, count, 4, () => {
        vector();
        move(() => f.i32(16));
      });
      // At element i − 4, where i is the first multiple of four from count on.
      move(() => f.get(count, i).op("i32.sub").i32(4).op("i32.mul"));
      vector();
    });
  });
}

function emitCopyPlane(m: ModuleBuilder, copyRow: FunctionHandle): FunctionHandle {
  return m.func({ params: Array.from({ length: 6 }, () => "i32" as const) }, (f) => {
    const [side, segments, count, source, channel, buffer] = f.parameters(6);
    const [i, top, y, end, src, dst, rowBytes, width, height] = f.locals("i32", 9);
    const word = (w: number) => sideWord(f, side, w);
    word(SIDE.rowBytes).set(rowBytes);
    word(SIDE.width).set(width);
    word(SIDE.height).set(height);
    f.range(i, 0, count, 1, () => {
      f.get(segments).memory("i32.load", 4);
      word(SIDE.pad).op("i32.sub").tee(top).i32(0).get(top).i32(0).op("i32.gt_s", "select").set(y);
      f.get(top, segments).memory("i32.load", 8).op("i32.add").tee(end).get(height, end, height);
      f.op("i32.lt_s", "select").set(end);
      f.get(source, segments).memory("i32.load", 0);
      word(SIDE.channels).op("i32.mul").get(channel).op("i32.add").get(height).op("i32.mul");
      f.get(y).op("i32.add").get(width).op("i32.mul").i32(4).op("i32.mul", "i32.add").set(src);
      f.get(buffer, segments).memory("i32.load", 12).op("i32.add").get(y, top).op("i32.sub");
      f.get(rowBytes).op("i32.mul", "i32.add");
      word(SIDE.pad).i32(4).op("i32.mul", "i32.add").set(dst);
      f.range(y, y, end, 1, () => {
        f.get(src, dst, width).call(copyRow);
        f.get(src, width).i32(4).op("i32.mul", "i32.add").set(src);
        f.get(dst, rowBytes).op("i32.add").set(dst);
      });
      f.get(segments).i32(ENTRY).op("i32.add").set(segments);
    });
  });
}
