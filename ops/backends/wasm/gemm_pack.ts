/**
 * Packing of strided operands into what the panel functions read.
 *
 * Packed A: rows of contiguous k. Packed B: per panel of 24 columns, per k, 24 contiguous columns.
 * Both are "rows of `dstRow` bytes", so three functions serve both: `copy` where the source is
 * contiguous along the packed rows, `transpose` where it is contiguous across them, `gather` for
 * any strides.
 *
 * @module
 */

import type { FunctionBuilder, FunctionHandle, Local, Locals, ModuleBuilder } from "./assembler.ts";

/** The packing functions of a module. */
export interface Packers {
  /** `(src, srcRow, dst, dstRow, rows, columns)`: rows of up to 24 columns, 4 columns at a time. */
  copy: FunctionHandle;
  /** `(src, srcRow, dst, dstRow, rows, columns)`: `dst[c][r] = src[r][c]`, rows of the source. */
  transpose: FunctionHandle;
  /** `(src, srcRow, srcColumn, dst, dstRow, rows, columns)`: `dst[r][c] = src[r][c]`. */
  gather: FunctionHandle;
}

/**
 * Defines the packing functions.
 *
 * @param m The module; must import the memory.
 * @returns Handles.
 */
export function emitPackers(m: ModuleBuilder): Packers {
  return { copy: emitCopy(m), transpose: emitTranspose(m), gather: emitGather(m) };
}

function emitCopy(m: ModuleBuilder): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32", "i32", "i32", "i32"] }, (f) => {
    const [src, srcRow, dst, dstRow, rows, columns] = f.parameters(6);
    const i = f.local("i32");
    const advance = () => {
      f.get(src, srcRow).op("i32.add").set(src);
      f.get(dst, dstRow).op("i32.add").set(dst);
    };
    const vector = (offset: number) =>
      f.get(dst, src).memory("v128.load", offset, 2).memory("v128.store", offset, 2);
    f.get(columns).i32(24).op("i32.eq").if(() =>
      f.range(i, 0, rows, 1, () => {
        for (let v = 0; v < 6; v++) vector(16 * v);
        advance();
      }), () =>
      f.range(i, 0, rows, 1, () => {
        // Reads up to three elements beyond the row: never used, and memory goes on behind a block.
        for (let v = 0; v < 6; v++) {
          f.get(columns).i32(4 * v).op("i32.gt_s").if(() => vector(16 * v));
        }
        advance();
      }));
  });
}

/** 16 or 4 columns of the source at a time: a whole cache line of each of 4 rows. */
function emitTranspose(m: ModuleBuilder): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32", "i32", "i32", "i32"] }, (f) => {
    const [src, srcRow, dst, dstRow, rows, columns] = f.parameters(6);
    const strip = (width: number) =>
      f.loop((again) => {
        f.get(columns).i32(width).op("i32.ge_s").if(() => {
          emitStrip(f, src, srcRow, dst, dstRow, rows, width);
          f.get(src).i32(4 * width).op("i32.add").set(src);
          f.get(dst, dstRow).i32(width).op("i32.mul", "i32.add").set(dst);
          f.get(columns).i32(width).op("i32.sub").set(columns).br(again);
        });
      });
    strip(16);
    strip(4);
    strip(1);
  });
}

/** `width` columns of all rows: 4 × 4 blocks, then single rows. */
function emitStrip(
  f: FunctionBuilder,
  src: Local,
  srcRow: Local,
  dst: Local,
  dstRow: Local,
  rows: Local,
  width: number,
): void {
  const [s, d, left] = f.locals("i32", 3);
  f.get(src).set(s).get(dst).set(d).get(rows).set(left);
  const turn = (height: number, body: () => void) =>
    f.loop((again) => {
      f.get(left).i32(height).op("i32.ge_s").if(() => {
        body();
        f.get(s, srcRow).i32(height).op("i32.mul", "i32.add").set(s);
        f.get(d).i32(4 * height).op("i32.add").set(d);
        f.get(left).i32(height).op("i32.sub").set(left).br(again);
      });
    });
  if (width >= 4) turn(4, () => emitBlocks(f, s, srcRow, d, dstRow, width / 4));
  turn(1, () => {
    const out = f.local("i32");
    f.get(d).set(out);
    for (let c = 0; c < width; c++) {
      f.get(out, s).memory("f32.load", 4 * c).memory("f32.store");
      if (c < width - 1) f.get(out, dstRow).op("i32.add").set(out);
    }
    f.release(out);
  });
  f.release(s, d, left);
}

/** `blocks` transpositions of 4 × 4, side by side in the source. */
function emitBlocks(
  f: FunctionBuilder,
  s: Local,
  srcRow: Local,
  d: Local,
  dstRow: Local,
  blocks: number,
): void {
  const sources = f.locals("i32", 4);
  const out = f.local("i32");
  const x = f.locals("v128", 4);
  const y = f.locals("v128", 4);
  sources.forEach((row, r) =>
    r === 0 ? f.get(s).set(row) : f.get(sources[r - 1]!, srcRow).op("i32.add").set(row)
  );
  f.get(d).set(out);
  for (let block = 0; block < blocks; block++) {
    sources.forEach((row, r) => f.get(row).memory("v128.load", 16 * block, 2).set(x[r]!));
    emitTranspose4(f, x, y);
    y.forEach((column, c) => {
      f.get(out, column).memory("v128.store", 0, 2);
      if (block < blocks - 1 || c < 3) f.get(out, dstRow).op("i32.add").set(out);
    });
  }
  f.release(out, ...sources, ...x, ...y);
}

/**
 * Transposes four vectors of four lanes.
 *
 * @param f Where to emit.
 * @param x Rows; overwritten.
 * @param y Columns.
 */
export function emitTranspose4(f: FunctionBuilder, x: Locals<4>, y: Locals<4>): void {
  const [a, b, c, d] = x;
  f.get(a, b).shuffle32(0, 4, 1, 5).set(y[0]);
  f.get(a, b).shuffle32(2, 6, 3, 7).set(y[2]);
  f.get(c, d).shuffle32(0, 4, 1, 5).set(a);
  f.get(c, d).shuffle32(2, 6, 3, 7).set(b);
  f.get(y[0], a).shuffle32(2, 3, 6, 7).set(y[1]);
  f.get(y[0], a).shuffle32(0, 1, 4, 5).set(y[0]);
  f.get(y[2], b).shuffle32(2, 3, 6, 7).set(y[3]);
  f.get(y[2], b).shuffle32(0, 1, 4, 5).set(y[2]);
}

function emitGather(m: ModuleBuilder): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32", "i32", "i32", "i32", "i32"] }, (f) => {
    const [src, srcRow, srcColumn, dst, dstRow, rows, columns] = f.parameters(7);
    const [i, j, s, d] = f.locals("i32", 4);
    f.range(i, 0, rows, 1, () => {
      f.get(src).set(s).get(dst).set(d);
      f.range(j, 0, columns, 1, () => {
        f.get(d, s).memory("f32.load").memory("f32.store");
        f.get(s, srcColumn).op("i32.add").set(s);
        f.get(d).i32(4).op("i32.add").set(d);
      });
      f.get(src, srcRow).op("i32.add").set(src);
      f.get(dst, dstRow).op("i32.add").set(dst);
    });
  });
}
