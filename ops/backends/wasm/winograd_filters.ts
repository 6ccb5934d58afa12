/**
 * Filters of Winograd's convolution: to the transformed domain, and gradients back from it.
 *
 * @module
 */

import { KERNEL } from "./assembler.ts";
import type { FunctionBuilder, Local, ModuleBuilder } from "./assembler.ts";
import {
  BUFFER_BYTES,
  emitColumns,
  emitRows,
  filterGradientMap,
  filterMap,
  POINTS,
} from "./winograd_transforms.ts";

/** Words of the argument block of `filters` and `sums`. */
export const FILTER_ARGS = [
  /** Filters, 3 × 3 each, and bytes from one row (column) of filters to the next. */
  "w",
  "wRow",
  "wColumn",
  /** Transformed filters, bytes from row to row and from point to point. */
  "u",
  "uRow",
  "uPoint",
  /** Filters in a row. */
  "columns",
  /** `filters`: 1 to turn each filter by 180 degrees. `sums`: number of chunks, bytes of one. */
  "turned",
  "chunks",
  "chunkBytes",
  /** A buffer of 36 vectors per thread. */
  "scratch",
] as const;

function word(f: FunctionBuilder, args: Local, name: typeof FILTER_ARGS[number]): FunctionBuilder {
  return f.get(args).memory("i32.load", 4 * FILTER_ARGS.indexOf(name));
}

function emitBuffer(f: FunctionBuilder, args: Local, thread: Local, buffer: Local): void {
  word(f, args, "scratch").get(thread).i32(BUFFER_BYTES).op("i32.mul", "i32.add").set(buffer);
}

/**
 * Defines the kernel `filters`: four filters of a row at a time. Rows of the result are padded to
 * whole vectors.
 *
 * @param m The module; must import the memory.
 */
export function emitFilters(m: ModuleBuilder): void {
  m.func({ ...KERNEL, export: "filters" }, (f) => {
    const [args, start, end, thread] = f.parameters(4);
    const [row, column, columns, buffer, step, dst, point, at] = f.locals("i32", 8);
    const sources = f.locals("i32", 4);
    emitBuffer(f, args, thread, buffer);
    word(f, args, "columns").set(columns);
    word(f, args, "uPoint").set(point);
    f.i32(-4).i32(4);
    word(f, args, "turned").op("select").set(step);
    f.range(row, start, end, 1, () =>
      f.range(column, 0, columns, 4, () => {
        sources.forEach((p, l) => {
          // Lanes beyond the last filter repeat it.
          f.get(column).i32(l).op("i32.add").tee(at).get(columns).i32(1).op("i32.sub");
          f.get(at, columns).op("i32.lt_s", "select");
          word(f, args, "wColumn").op("i32.mul").get(row);
          word(f, args, "wRow").op("i32.mul", "i32.add");
          word(f, args, "w").op("i32.add");
          word(f, args, "turned").i32(32).op("i32.mul", "i32.add").set(p);
        });
        emitRows(f, buffer, 3, filterMap, () => {
          const x = f.locals("v128", 3) as Local[];
          for (const value of x) {
            f.get(sources[0]).memory("v128.load32_zero").set(value);
            for (const l of [1, 2, 3] as const) {
              f.get(sources[l], value).memoryLane("v128.load32_lane", l).set(value);
            }
            for (const p of sources) f.get(p, step).op("i32.add").set(p);
          }
          return x;
        });
        word(f, args, "u").get(row);
        word(f, args, "uRow").op("i32.mul", "i32.add").get(column).i32(4);
        f.op("i32.mul", "i32.add").set(dst);
        emitColumns(f, buffer, 3, 6, filterMap, (_, y) => {
          f.get(dst).set(at);
          for (const value of y) {
            f.get(at, value).memory("v128.store", 0, 2);
            f.get(at, point).i32(6).op("i32.mul", "i32.add").set(at);
          }
          f.get(dst, point).op("i32.add").set(dst);
        });
      }));
  });
}

/**
 * Defines the kernel `sums`: adds the chunks of dU in order and transforms back.
 *
 * @param m The module; must import the memory.
 */
export function emitSums(m: ModuleBuilder): void {
  m.func({ ...KERNEL, export: "sums" }, (f) => {
    const [args, start, end, thread] = f.parameters(4);
    const [row, column, columns, buffer, point, src, at, chunk, out] = f.locals("i32", 9);
    const chunks = f.local("i32");
    const sum = f.local("v128");
    emitBuffer(f, args, thread, buffer);
    word(f, args, "columns").set(columns);
    word(f, args, "chunks").set(chunks);
    f.range(row, start, end, 1, () =>
      f.range(column, 0, columns, 4, () => {
        word(f, args, "u").get(row);
        word(f, args, "uRow").op("i32.mul", "i32.add").get(column).i32(4);
        f.op("i32.mul", "i32.add").set(src).get(buffer).set(out);
        f.range(point, 0, POINTS, 1, () => {
          f.get(src).set(at).f32x4(0).set(sum);
          f.range(chunk, 0, chunks, 1, () => {
            f.get(sum, at).memory("v128.load", 0, 2).op("f32x4.add").set(sum).get(at);
            word(f, args, "chunkBytes").op("i32.add").set(at);
          });
          f.get(out, sum).memory("v128.store").get(out).i32(16).op("i32.add").set(out).get(src);
          word(f, args, "uPoint").op("i32.add").set(src);
        });
        emitBack(f, args, buffer, row, column, columns);
      }));
  });
}

/** From the sums in the buffer to up to four filters. */
function emitBack(
  f: FunctionBuilder,
  args: Local,
  buffer: Local,
  row: Local,
  column: Local,
  columns: Local,
): void {
  const filters = f.locals("i32", 4);
  filters.forEach((p, l) => {
    word(f, args, "w").get(row);
    word(f, args, "wRow").op("i32.mul", "i32.add").get(column).i32(l).op("i32.add");
    word(f, args, "wColumn").op("i32.mul", "i32.add").set(p);
  });
  emitRows(f, buffer, 6, filterGradientMap, (i) => {
    const x = f.locals("v128", 6) as Local[];
    x.forEach((value, j) => f.get(buffer).memory("v128.load", 16 * (6 * i + j)).set(value));
    return x;
  });
  emitColumns(f, buffer, 6, 3, filterGradientMap, (j, y) =>
    filters.forEach((p, l) => {
      f.get(column).i32(l).op("i32.add").get(columns).op("i32.lt_s").if(() =>
        y.forEach((value, i) => f.get(p, value).memoryLane("v128.store32_lane", l, 4 * (3 * i + j)))
      );
    }));
  f.release(...filters);
}
