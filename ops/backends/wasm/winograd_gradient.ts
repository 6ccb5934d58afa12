/**
 * The kernel of Winograd's convolution that sums the transformed gradient of the weights.
 *
 * @module
 */

import { KERNEL } from "./assembler.ts";
import type { FunctionHandle, ModuleBuilder } from "./assembler.ts";
import { emitExtent } from "./gemm_args.ts";
import { emitCall, PANEL } from "./gemm_kernels.ts";
import {
  emitFillTable,
  emitScratch,
  emitTiles,
  emitTurns,
  type Parts,
  place,
  pushTiles,
  word,
} from "./winograd_args.ts";
import { ENTRY, SIDE, sideWord } from "./winograd_tiles.ts";
import { POINTS } from "./winograd_transforms.ts";

/** Defines `gradient`. */
export function emitGradient(m: ModuleBuilder, parts: Parts): void {
  const load = emitGradientInput(m, parts);
  const loadOutput = emitGradientOutput(m, parts);
  const products = emitGradientProducts(m, parts);
  m.func({ ...KERNEL, export: "gradient" }, (f) => {
    const [args, start, end, thread] = f.parameters(4);
    const [task, scratch, first, last, count, begun, result, row, rows] = f.locals("i32", 9);
    emitScratch(f, args, thread, scratch);
    f.range(task, start, end, 1, () => {
      f.get(task);
      word(f, args, "coutBlocks").op("i32.rem_u");
      word(f, args, "coutBlock").op("i32.mul").set(row);
      emitExtent(f, () => word(f, args, "cout"), row, () => word(f, args, "coutBlock"), rows);
      f.get(task);
      word(f, args, "coutBlocks").op("i32.div_u").tee(first);
      word(f, args, "chunkBytes").op("i32.mul").get(row);
      word(f, args, "cin").op("i32.mul").i32(4).op("i32.mul", "i32.add");
      word(f, args, "u").op("i32.add").set(result).get(first);
      word(f, args, "chunkTiles").op("i32.mul").set(first);
      emitExtent(f, () => word(f, args, "tiles"), first, () => word(f, args, "chunkTiles"), last);
      f.get(first, last).op("i32.add").set(last).i32(0).set(begun);
      f.loop((again) => {
        emitExtent(f, () => f.get(last), first, () => word(f, args, "block"), count);
        f.get(args, scratch, first, count).call(load);
        f.get(args, scratch, first, count, row, rows).call(loadOutput);
        f.get(args, scratch, count, begun, result, rows).call(products).i32(1).set(begun);
        f.get(first, count).op("i32.add").tee(first).get(last).op("i32.lt_s").brIf(again);
      });
    });
  });
}

/** `(args, scratch, first, count)`: the input, transformed, in panels of 24 channels. */
function emitGradientInput(m: ModuleBuilder, { tiles, input }: Parts): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32", "i32"] }, (f) => {
    const [args, scratch, first, count] = f.parameters(4);
    const [channel, tile, entry, dst, cin, point, plane, lane, at] = f.locals("i32", 9);
    const l = emitTiles(f, { args, scratch, first, count }, tiles, false);
    const { side, table, segments, segmentCount, planes, rowBytes, zeros } = l;
    word(f, args, "cin").set(cin);
    word(f, args, "vPoint").set(point);
    sideWord(f, side, SIDE.planeBytes).set(plane);
    f.get(planes).i32(0).get(plane).i32(4).op("i32.mul").fill();
    f.range(channel, 0, cin, 4, () => {
      // Lanes beyond the last channel compute with what is there; nobody reads their results.
      f.range(lane, 0, 4, 1, () => {
        f.get(channel, lane).op("i32.add").tee(at).get(cin).op("i32.lt_s").if(() => {
          f.get(side, segments, segmentCount);
          word(f, args, "x").get(at).get(planes, lane, plane).op("i32.mul", "i32.add");
          f.get(zeros).call(tiles.input);
        });
      });
      place(f, args, scratch, "vAt").get(channel).i32(PANEL).op("i32.div_u");
      word(f, args, "block").op("i32.mul").i32(4 * PANEL).op("i32.mul", "i32.add");
      f.get(channel).i32(PANEL).op("i32.rem_u").i32(4).op("i32.mul", "i32.add").set(dst);
      f.get(table).set(entry);
      f.range(tile, 0, count, 1, () => {
        f.get(entry).memory("i32.load").get(planes).op("i32.add").tee(at);
        for (let l = 1; l < 4; l++) f.get(at).get(plane).i32(l).op("i32.mul", "i32.add");
        f.get(rowBytes, dst, point).call(input[1]);
        f.get(entry).i32(ENTRY).op("i32.add").set(entry);
        f.get(dst).i32(4 * PANEL).op("i32.add").set(dst);
      });
    });
  });
}

/** `(args, scratch, first, count, row, rows)`: some channels of the output's gradient, in rows of tiles. */
function emitGradientOutput(m: ModuleBuilder, { tiles, gradient }: Parts): FunctionHandle {
  return m.func({ params: Array.from({ length: 6 }, () => "i32" as const) }, (f) => {
    const [args, scratch, first, count, row, rows] = f.parameters(6);
    const [channel, tile, entry, dst, point] = f.locals("i32", 5);
    const l = emitTiles(f, { args, scratch, first, count }, tiles, true);
    const { side, table, segments, segmentCount, planes, rowBytes, zeros } = l;
    word(f, args, "mPoint").set(point);
    emitFillTable(f, table, count);
    f.get(planes).i32(0);
    sideWord(f, side, SIDE.planeBytes).fill();
    f.range(channel, 0, rows, 1, () => {
      f.get(side, segments, segmentCount);
      word(f, args, "y").get(row, channel).op("i32.add").get(planes, zeros).call(tiles.gradient);
      f.get(table).set(entry);
      place(f, args, scratch, "mAt").get(channel);
      word(f, args, "block").op("i32.mul").i32(4).op("i32.mul", "i32.add").set(dst);
      emitTurns(f, tile, count, (groups) => {
        pushTiles(f, entry, planes, groups);
        f.get(rowBytes, dst, point).call(gradient[groups]);
        f.get(entry).i32(4 * ENTRY * groups).op("i32.add").set(entry);
        f.get(dst).i32(16 * groups).op("i32.add").set(dst);
      });
    });
  });
}

/** `(args, scratch, count, begun, result, rows)`: adds the block to dU. */
function emitGradientProducts(m: ModuleBuilder, { panels }: Parts): FunctionHandle {
  return m.func({ params: Array.from({ length: 6 }, () => "i32" as const) }, (f) => {
    const [args, scratch, count, begun, result, rows] = f.parameters(6);
    const [point, channel, width, a, aRow, b, c, cRow, init, initRow, cin] = f.locals("i32", 11);
    const floor = f.local("f32");
    f.f32(-Infinity).set(floor);
    word(f, args, "cin").tee(cin).i32(4).op("i32.mul").set(cRow);
    word(f, args, "block").i32(4).op("i32.mul").set(aRow);
    f.range(point, 0, POINTS, 1, () =>
      f.range(channel, 0, cin, PANEL, () => {
        emitExtent(f, () => f.get(cin), channel, () => f.i32(PANEL), width);
        place(f, args, scratch, "mAt").get(point);
        word(f, args, "mPoint").op("i32.mul", "i32.add").set(a);
        place(f, args, scratch, "vAt").get(point);
        word(f, args, "vPoint").op("i32.mul", "i32.add").get(channel).i32(PANEL).op("i32.div_u");
        word(f, args, "block").op("i32.mul").i32(4 * PANEL).op("i32.mul", "i32.add").set(b);
        f.get(result, point);
        word(f, args, "cout").op("i32.mul").get(cRow).op("i32.mul", "i32.add");
        f.get(channel).i32(4).op("i32.mul", "i32.add").set(c);
        f.get(c, scratch, begun).op("select").set(init);
        f.get(cRow).i32(0).get(begun).op("select").set(initRow);
        emitCall(f, panels, width, () => {
          f.get(a, aRow, b).i32(4 * PANEL).get(count, c, cRow, init, initRow, rows);
        }, floor);
      }));
  });
}
