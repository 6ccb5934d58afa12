/**
 * Tables of tiles, and planes mapped down their columns, for Winograd's convolution.
 *
 * Tiles are numbered through all images, and a block is any run of them, so small images fill vectors
 * as well as large ones. Borders and the first of the two linear maps are dealt with once: the part of
 * a plane that a block touches goes, mapped along its columns, into a zeroed buffer: six rows for each
 * row of tiles, from where every tile reads. A block and the images it touches give **segments** (part
 * of one image: image, first row, rows of tiles, address in the buffer); per tile the **table** has:
 * address in the buffer relative to its start, byte offset in the output's plane (image included),
 * rows and columns that exist.
 *
 * @module
 */

import type { FunctionBuilder, FunctionHandle, Local, ModuleBuilder } from "./assembler.ts";
import { pushWide } from "./gemm_kernels.ts";
import { gradientMap, inputMap, type Map1D } from "./winograd_transforms.ts";

/** Words that describe one side (input or output's gradient), 32-bit each. */
export const SIDE = {
  /** Rows and columns of a plane. */
  height: 0,
  width: 1,
  /** Zeros before the first row and column. */
  pad: 2,
  /** Bytes of a row in the buffer. */
  rowBytes: 3,
  /** Bytes of one plane in the buffer. */
  planeBytes: 4,
  /** Planes from image to image. */
  channels: 5,
} as const;

/** Words that describe the tiling. */
export const TILING = {
  /** Tiles in a row and in an image. */
  across: 6,
  perImage: 7,
  /** Rows and columns of an output plane, and channels of the output. */
  outHeight: 8,
  outWidth: 9,
  outChannels: 10,
} as const;

/** Words of a side and its tiling together. */
export const SIDE_WORDS = 11;

/** Rows that a row of tiles takes in the buffer. */
export const TILE_ROWS = 6;

/** Bytes of a table entry or a segment. */
export const ENTRY = 16;

/** The functions of a module that deal with tiles. */
export interface TileFunctions {
  /** `(side, first, last, table, segments): segments`: fills both for tiles `[first, last)`. */
  build: FunctionHandle;
  /**
   * `(side, segments, count, source, channel, buffer, zeros)`: maps one plane's part down its columns
   * into the buffer.
   */
  input: FunctionHandle;
  /** The same for the output's gradient. */
  gradient: FunctionHandle;
}

/**
 * Defines the functions.
 *
 * @param m The module; must import the memory.
 * @returns Handles.
 */
export function emitTileFunctions(m: ModuleBuilder): TileFunctions {
  return {
    build: emitBuild(m),
    input: emitPlane(m, 6, inputMap),
    gradient: emitPlane(m, 4, gradientMap),
  };
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
      f.get(row0).op("i32.sub").i32(1).op("i32.add").set(rows);
      f.get(at, image).memory("i32.store", 0).get(at, row0).i32(4).op("i32.mul");
      f.memory("i32.store", 4).get(at, rows).memory("i32.store", 8);
      f.get(at, base).memory("i32.store", 12).get(at).i32(ENTRY).op("i32.add").set(at);
      f.range(tile, tile, end, 1, () => {
        emitEntry(f, side, tile, image, row0, base, table);
        f.get(table).i32(ENTRY).op("i32.add").set(table);
      });
      f.get(base, rows).i32(TILE_ROWS).op("i32.mul");
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
  f.get(table, base).get(y, row0).op("i32.sub").i32(TILE_ROWS).op("i32.mul");
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

/**
 * Vectors along rows of the plane, mapped down the `size` rows that a row of tiles reads. Rows outside
 * of the plane are zeros, and so are the columns that nobody writes.
 */
function emitPlane(m: ModuleBuilder, size: 4 | 6, map: Map1D): FunctionHandle {
  return m.func({ params: Array.from({ length: 7 }, () => "i32" as const) }, (f) => {
    const [side, segments, count, source, channel, buffer, zeros] = f.parameters(7);
    const [i, top, turn, plane, dst, rowBytes, bytes, y] = f.locals("i32", 8);
    const word = (w: number) => sideWord(f, side, w);
    const rows = Array.from({ length: size }, () => f.local("i32"));
    const out = f.local("i32");
    word(SIDE.rowBytes).set(rowBytes);
    word(SIDE.width).i32(4).op("i32.mul").set(bytes);
    f.range(i, 0, count, 1, () => {
      f.get(segments).memory("i32.load", 4);
      word(SIDE.pad).op("i32.sub").set(top);
      f.get(source, segments).memory("i32.load", 0);
      word(SIDE.channels).op("i32.mul").get(channel).op("i32.add");
      word(SIDE.height).op("i32.mul").get(bytes).op("i32.mul", "i32.add").set(plane);
      f.get(buffer, segments).memory("i32.load", 12).op("i32.add");
      word(SIDE.pad).i32(4).op("i32.mul", "i32.add").set(dst);
      f.get(segments).memory("i32.load", 8).set(turn);
      f.loop((again) => {
        rows.forEach((row, r) => {
          f.get(top).i32(r).op("i32.add").tee(y).get(bytes).op("i32.mul").get(plane);
          f.op("i32.add").get(zeros, y);
          word(SIDE.height).op("i32.lt_u", "select").set(row);
        });
        f.get(dst).set(out);
        emitMappedRow(f, { rows, out, rowBytes, bytes }, map);
        f.get(top).i32(4).op("i32.add").set(top);
        f.get(dst, rowBytes).i32(TILE_ROWS).op("i32.mul", "i32.add").set(dst);
        f.get(turn).i32(1).op("i32.sub").tee(turn).brIf(again);
      });
      f.get(segments).i32(ENTRY).op("i32.add").set(segments);
    });
  });
}

/** Where a row of tiles is read and written. */
interface RowLocals {
  /** The rows to map, and the first of the rows that result: addresses, which move on. */
  readonly rows: readonly Local[];
  readonly out: Local;
  /** Bytes from one result to the next. */
  readonly rowBytes: Local;
  /** Bytes of a row that exist. */
  readonly bytes: Local;
}

/** Maps rows, vector by vector. */
function emitMappedRow(f: FunctionBuilder, l: RowLocals, map: Map1D): void {
  const { rows, out, bytes } = l;
  const left = f.local("i32");
  const advance = (push: () => void) => {
    for (const pointer of [...rows, out]) {
      f.get(pointer);
      push();
      f.op("i32.add").set(pointer);
    }
  };
  f.get(bytes).i32(16).op("i32.lt_u").if(() => {
    const mask = f.local("v128");
    f.i32x4(0, 4, 8, 12).get(bytes).op("i32x4.splat", "i32x4.lt_s").set(mask);
    emitMapped(f, l, map, 1, (x) => f.get(x, mask).op("v128.and").set(x));
    f.release(mask);
  }, () => {
    // Two vectors at a time, where V8 makes one of them; one; the last one, which may overlap.
    f.get(bytes).set(left);
    for (const count of [2, 1] as const) {
      f.block((done) =>
        f.loop((next) => {
          f.get(left).i32(16 * count).op("i32.lt_s").brIf(done);
          if (count === 2) pushWide(f).op("i32.eqz").brIf(done);
          emitMapped(f, l, map, count);
          advance(() => f.i32(16 * count));
          f.get(left).i32(16 * count).op("i32.sub").set(left).br(next);
        })
      );
    }
    f.get(left).if(() => {
      advance(() => f.get(left).i32(16).op("i32.sub"));
      emitMapped(f, l, map, 1);
    });
  });
  f.release(left);
}

/** Loads, maps and stores `count` neighbouring vectors. */
function emitMapped(
  f: FunctionBuilder,
  { rows, out, rowBytes }: RowLocals,
  map: Map1D,
  count: 1 | 2,
  change?: (x: Local) => void,
): void {
  const inputs: Local[] = [];
  const values = [0, 16].slice(0, count).map((offset) => {
    const x = rows.map((row) => {
      const value = f.local("v128");
      f.get(row).memory("v128.load", offset, 2).set(value);
      change?.(value);
      return value;
    });
    inputs.push(...x);
    return map(f, x);
  });
  const to = f.local("i32");
  f.get(out).set(to);
  values[0]!.forEach((_, r) => {
    values.forEach((v, i) => f.get(to, v[r]!).memory("v128.store", 16 * i, 2));
    if (r < values[0]!.length - 1) f.get(to, rowBytes).op("i32.add").set(to);
  });
  f.release(to, ...inputs, ...values.flat());
}
