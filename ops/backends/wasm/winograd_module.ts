/**
 * The kernels of Winograd's convolution.
 *
 * | kernel | task | does |
 * |---|---|---|
 * | `filters` | row of filters | U[point][row][column] = G g Gᵀ |
 * | `forward` | block of tiles | transforms of the input straight into packed panels, 36 products with U, transforms to the output with bias and ReLU |
 * | `gradient` | chunk of tiles | dU[chunk][point] = Σ over tiles of (A dY Aᵀ)·(Bᵀ d B), block by block |
 * | `sums` | row of filters | dW = Gᵀ (Σ over chunks, in order) G |
 *
 * Everything between input and output of a block stays in the L2 cache. The gradient of the input is
 * `forward` with filters turned around and rows and columns exchanged.
 *
 * @module
 */

import { KERNEL, ModuleBuilder } from "./assembler.ts";
import type { FunctionBuilder, FunctionHandle, Local, ModuleOptions } from "./assembler.ts";
import { emitExtent } from "./gemm_args.ts";
import { emitCall, emitPanels, PANEL } from "./gemm_kernels.ts";
import type { KernelModule } from "./kernel_plan.ts";
import { emitFilters, emitSums } from "./winograd_filters.ts";
import {
  emitFillTable,
  emitScratch,
  emitTiles,
  emitTurns,
  type Parts,
  place,
  pushTiles,
  SIDES,
  WINOGRAD_ARGS,
  word,
} from "./winograd_args.ts";
import { emitGradient } from "./winograd_gradient.ts";
import { emitTileFunctions, ENTRY, SIDE, sideWord, TILING } from "./winograd_tiles.ts";
import {
  BUFFER_BYTES,
  emitOutputTransform,
  emitTileTransform,
  POINTS,
} from "./winograd_transforms.ts";

/** The module. */
export const WINOGRAD_MODULE: KernelModule = {
  key: "winograd",
  names: ["filters", "forward", "gradient", "sums"],
  build: buildWinograd,
};

function buildWinograd(options: ModuleOptions): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder(options);
  m.importMemory();
  const parts: Parts = {
    tiles: emitTileFunctions(m),
    panels: emitPanels(m),
    input: { 1: emitTileTransform(m, 6, 1), 2: emitTileTransform(m, 6, 2) },
    gradient: { 1: emitTileTransform(m, 4, 1), 2: emitTileTransform(m, 4, 2) },
    output: { 1: emitOutputTransform(m, 1), 2: emitOutputTransform(m, 2) },
  };
  emitFilters(m);
  emitForward(m, parts);
  emitGradient(m, parts);
  emitSums(m);
  return m.build();
}

function emitForward(m: ModuleBuilder, parts: Parts): void {
  const load = emitForwardInput(m, parts);
  const products = emitForwardProducts(m, parts);
  const store = emitForwardOutput(m, parts);
  m.func({ ...KERNEL, export: "forward" }, (f) => {
    const [args, start, end, thread] = f.parameters(4);
    const [task, scratch, first, count, row, rows] = f.locals("i32", 6);
    emitScratch(f, args, thread, scratch);
    f.range(task, start, end, 1, () => {
      f.get(task);
      word(f, args, "block").op("i32.mul").set(first);
      emitExtent(f, () => word(f, args, "tiles"), first, () => word(f, args, "block"), count);
      f.get(args, scratch, first, count).call(load);
      f.i32(0).set(row);
      f.loop((again) => {
        emitExtent(f, () => word(f, args, "cout"), row, () => word(f, args, "coutBlock"), rows);
        f.get(args, scratch, count, row, rows).call(products);
        f.get(args, scratch, count, row, rows).call(store);
        f.get(row, rows).op("i32.add").tee(row);
        word(f, args, "cout").op("i32.lt_s").brIf(again);
      });
    });
  });
}

/** `(args, scratch, first, count)`: the block's input, transformed, in panels of 24 tiles. */
function emitForwardInput(m: ModuleBuilder, { tiles, input }: Parts): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32", "i32"] }, (f) => {
    const [args, scratch, first, count] = f.parameters(4);
    const [channel, tile, entry, dst, cin, point] = f.locals("i32", 6);
    const l = emitTiles(f, { args, scratch, first, count }, tiles, false);
    const { side, table, segments, segmentCount, planes, rowBytes, zeros } = l;
    word(f, args, "cin").set(cin);
    word(f, args, "vPoint").set(point);
    emitFillTable(f, table, count);
    f.get(planes).i32(0);
    sideWord(f, side, SIDE.planeBytes).fill();
    f.range(channel, 0, cin, 1, () => {
      f.get(side, segments, segmentCount);
      word(f, args, "x").get(channel, planes, zeros).call(tiles.input);
      f.get(table).set(entry);
      emitTurns(f, tile, count, (groups) => {
        place(f, args, scratch, "vAt").get(tile).i32(PANEL).op("i32.div_u").get(cin).op("i32.mul");
        f.get(channel).op("i32.add").i32(4 * PANEL).op("i32.mul", "i32.add");
        f.get(tile).i32(PANEL).op("i32.rem_u").i32(4).op("i32.mul", "i32.add").set(dst);
        pushTiles(f, entry, planes, groups);
        f.get(rowBytes, dst, point).call(input[groups]);
        f.get(entry).i32(4 * ENTRY * groups).op("i32.add").set(entry);
      });
    });
  });
}

/** `(args, scratch, count, row, rows)`: 36 products of some rows of U with the panels. */
function emitForwardProducts(m: ModuleBuilder, { panels }: Parts): FunctionHandle {
  return m.func({ params: Array.from({ length: 5 }, () => "i32" as const) }, (f) => {
    const [args, scratch, count, row, rows] = f.parameters(5);
    const [point, tile, width, k, kc, cin, u, v, c, cRow, init, initRow] = f.locals("i32", 12);
    const floor = f.local("f32");
    f.f32(-Infinity).set(floor);
    word(f, args, "cin").set(cin);
    word(f, args, "block").i32(4).op("i32.mul").set(cRow);
    f.range(point, 0, POINTS, 1, () =>
      f.range(tile, 0, count, PANEL, () => {
        f.get(count).i32(3).op("i32.add").i32(-4).op("i32.and").set(width);
        emitExtent(f, () => f.get(width), tile, () => f.i32(PANEL), width);
        place(f, args, scratch, "mAt").get(point);
        word(f, args, "mPoint").op("i32.mul", "i32.add").get(tile).i32(4);
        f.op("i32.mul", "i32.add").set(c);
        f.i32(0).set(k).get(scratch).set(init).i32(0).set(initRow);
        f.loop((again) => {
          emitExtent(f, () => f.get(cin), k, () => f.i32(256), kc);
          word(f, args, "u").get(point);
          word(f, args, "uPoint").op("i32.mul", "i32.add").get(row);
          word(f, args, "uRow").op("i32.mul", "i32.add").get(k).i32(4).op("i32.mul", "i32.add");
          f.set(u);
          place(f, args, scratch, "vAt").get(point);
          word(f, args, "vPoint").op("i32.mul", "i32.add").get(tile).i32(PANEL).op("i32.div_u");
          f.get(cin).op("i32.mul").get(k).op("i32.add").i32(4 * PANEL).op("i32.mul", "i32.add");
          f.set(v);
          emitCall(f, panels, width, () => {
            f.get(u);
            word(f, args, "uRow").get(v).i32(4 * PANEL).get(kc, c, cRow, init, initRow, rows);
          }, floor);
          f.get(c).set(init).get(cRow).set(initRow);
          f.get(k, kc).op("i32.add").tee(k).get(cin).op("i32.lt_s").brIf(again);
        });
      }));
  });
}

/** `(args, scratch, count, row, rows)`: products of some rows to the output. */
function emitForwardOutput(m: ModuleBuilder, { output }: Parts): FunctionHandle {
  const partial = emitPartialTile(m);
  return m.func({ params: Array.from({ length: 5 }, () => "i32" as const) }, (f) => {
    const [args, scratch, count, row, rows] = f.parameters(5);
    const [side, channel, tile, entry, src, plane, buffer, rowBytes, point, tiles] = f.locals(
      "i32",
      10,
    );
    const [bias, floor] = f.locals("f32", 2);
    f.get(args).i32(SIDES).op("i32.add").set(side);
    f.get(args).memory("f32.load", 4 * WINOGRAD_ARGS.indexOf("floor")).set(floor);
    place(f, args, scratch, "bufferAt").set(buffer);
    // Behind the buffer of the transform: four tiles of which only a part exists.
    f.get(buffer).i32(BUFFER_BYTES).op("i32.add").set(tiles);
    sideWord(f, side, TILING.outWidth).i32(4).op("i32.mul").set(rowBytes);
    word(f, args, "mPoint").set(point);
    f.range(channel, 0, rows, 1, () => {
      f.get(row, channel).op("i32.add");
      sideWord(f, side, TILING.outHeight).op("i32.mul").get(rowBytes).op("i32.mul");
      word(f, args, "y").op("i32.add").set(plane);
      word(f, args, "biased").if(() => {
        word(f, args, "bias").get(row, channel).op("i32.add").i32(4).op("i32.mul", "i32.add");
        f.memory("f32.load").set(bias);
      });
      place(f, args, scratch, "mAt").get(channel);
      word(f, args, "block").op("i32.mul").i32(4).op("i32.mul", "i32.add").set(src);
      place(f, args, scratch, "tableAt").set(entry);
      const locals = { entry, plane, tiles, rowBytes, src, point, buffer, bias, floor };
      const advance = () => {
        f.get(entry).i32(4 * ENTRY).op("i32.add").set(entry);
        f.get(src).i32(16).op("i32.add").set(src);
      };
      emitTurns(f, tile, count, (groups) => {
        emitAllWhole(f, entry, groups);
        f.if(() => {
          emitWholeCall(f, locals, output[groups], groups);
          for (let g = 0; g < groups; g++) advance();
        }, () => {
          for (let g = 0; g < groups; g++) {
            if (groups === 1) emitPartialCall(f, locals, output[1], partial);
            else {
              emitAllWhole(f, entry, 1);
              f.if(
                () => emitWholeCall(f, locals, output[1], 1),
                () => emitPartialCall(f, locals, output[1], partial),
              );
            }
            advance();
          }
        });
      });
    });
  });
}

/** Pushes whether all tiles of some groups lie inside the output. */
function emitAllWhole(f: FunctionBuilder, entry: Local, groups: 1 | 2): void {
  for (let l = 0; l < 4 * groups; l++) {
    f.get(entry).memory("i32.load", ENTRY * l + 8).get(entry).memory("i32.load", ENTRY * l + 12);
    f.op("i32.add");
    if (l > 0) f.op("i32.add");
  }
  f.i32(32 * groups).op("i32.eq");
}

type OutputLocals = Record<
  "entry" | "plane" | "tiles" | "rowBytes" | "src" | "point" | "buffer" | "bias" | "floor",
  Local
>;

/** Transforms groups of four tiles to the output. */
function emitWholeCall(
  f: FunctionBuilder,
  { entry, plane, rowBytes, src, point, buffer, bias, floor }: OutputLocals,
  output: FunctionHandle,
  groups: 1 | 2,
): void {
  f.get(src, point, buffer, bias, floor, rowBytes);
  for (let l = 0; l < 4 * groups; l++) {
    f.get(entry).memory("i32.load", ENTRY * l + 4).get(plane).op("i32.add");
  }
  f.call(output);
}

/** Transforms four tiles to a buffer, from where the parts that exist are copied. */
function emitPartialCall(
  f: FunctionBuilder,
  { entry, plane, tiles, rowBytes, src, point, buffer, bias, floor }: OutputLocals,
  output: FunctionHandle,
  partial: FunctionHandle,
): void {
  f.get(src, point, buffer, bias, floor).i32(16);
  for (let l = 0; l < 4; l++) f.get(tiles).i32(64 * l).op("i32.add");
  f.call(output);
  for (let l = 0; l < 4; l++) {
    f.get(tiles).i32(64 * l).op("i32.add").get(entry).i32(ENTRY * l).op("i32.add");
    f.get(plane, rowBytes).call(partial);
  }
}

/** `(tile, entry, plane, rowBytes)`: copies the part of a 4 × 4 tile that exists. */
function emitPartialTile(m: ModuleBuilder): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32", "i32"] }, (f) => {
    const [tile, entry, plane, rowBytes] = f.parameters(4);
    const [i, j, columns, rows, out, at, from] = f.locals("i32", 7);
    f.get(entry).memory("i32.load", 8).set(rows).get(entry).memory("i32.load", 12).set(columns);
    f.get(entry).memory("i32.load", 4).get(plane).op("i32.add").set(out);
    f.range(i, 0, rows, 1, () => {
      f.get(out).set(at).get(tile).set(from);
      f.range(j, 0, columns, 1, () => {
        f.get(at, from).memory("f32.load").memory("f32.store");
        f.get(at).i32(4).op("i32.add").set(at).get(from).i32(4).op("i32.add").set(from);
      });
      f.get(tile).i32(16).op("i32.add").set(tile).get(out, rowBytes).op("i32.add").set(out);
    });
  });
}
