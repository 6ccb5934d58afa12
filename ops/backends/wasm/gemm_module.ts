/**
 * The one module behind all matrix products: `gemm` computes tiles of C, `packA` and `packB` pack a
 * whole operand ahead, `sum` adds partial products. How an operand is read is a word in the argument
 * block, not a variant of the code: one module is compiled, and every product warms it up.
 *
 * A task of `gemm` is one tile of C of one batch (and one chunk of k). Per block of k it packs its
 * rows of A if they need it, then goes over the panels: packs 24 columns of B, which stay in the L1
 * cache, and calls the panel function over all rows. Per element of C the order of additions is
 * fixed by the blocks of k alone, so results do not depend on tiles or threads.
 *
 * @module
 */

import { KERNEL, ModuleBuilder } from "./assembler.ts";
import type { FunctionBuilder, FunctionHandle, Local, ModuleOptions } from "./assembler.ts";
import {
  BATCH_TABLE,
  emitExtent,
  GEMM_ARGS,
  gemmArg,
  HOOK,
  MODES,
  PACK,
  STARTS,
} from "./gemm_args.ts";
import type { GemmArg } from "./gemm_args.ts";
import { emitDot } from "./gemm_dot.ts";
import { emitCall, emitPanels, PANEL } from "./gemm_kernels.ts";
import type { Panels } from "./gemm_kernels.ts";
import { emitPackers } from "./gemm_pack.ts";
import type { Packers } from "./gemm_pack.ts";
import type { KernelModule } from "./kernel_plan.ts";

/** The module of matrix products. */
export const GEMM_MODULE: KernelModule = {
  key: "gemm",
  names: ["gemm", "packA", "packB", "sum", "dot"],
  build: buildGemm,
};

function buildGemm(options: ModuleOptions): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder(options);
  m.importMemory();
  m.importTable();
  const packers = emitPackers(m);
  const panels = emitPanels(m);
  emitGemm(m, emitTile(m, emitBlock(m, packers, panels)));
  emitPackA(m, packers);
  emitPackB(m, packers);
  emitSum(m);
  emitDot(m);
  return m.build();
}

function emitGemm(m: ModuleBuilder, tile: FunctionHandle): void {
  m.func({ ...KERNEL, export: "gemm" }, (f) => {
    const [args, start, end, thread] = f.parameters(4);
    const [task, scratch] = f.locals("i32", 2);
    gemmArg(f, args, "scratch").get(thread);
    gemmArg(f, args, "scratchStride").op("i32.mul", "i32.add").tee(scratch);
    f.i32(0).i32(4 * PANEL).fill(); // 24 zeros to start from
    f.range(task, start, end, 1, () => f.get(args, scratch, task).call(tile));
  });
}

/** `tile(args, scratch, task)`: all blocks of k of one tile of C. */
function emitTile(m: ModuleBuilder, block: FunctionHandle): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32"] }, (f) => {
    const [args, scratch, task] = f.parameters(3);
    const [row, rows, column, columns, chunk] = f.locals("i32", 5);
    const [k, kEnd, kc, c, table] = f.locals("i32", 5);
    const arg = (name: GemmArg) => gemmArg(f, args, name);
    const digit = (name: GemmArg, out: Local) => {
      f.get(task);
      arg(name).op("i32.rem_u").set(out).get(task);
      arg(name).op("i32.div_u").set(task);
    };
    digit("rowTiles", row);
    digit("columnTiles", column);
    digit("chunks", chunk);
    f.get(row);
    arg("tileRows").op("i32.mul").set(row);
    f.get(column);
    arg("tileColumns").op("i32.mul").set(column);
    emitExtent(f, () => arg("m"), row, () => arg("tileRows"), rows);
    emitExtent(f, () => arg("n"), column, () => arg("tileColumns"), columns);
    f.get(args).i32(BATCH_TABLE).op("i32.add").get(task).i32(12).op("i32.mul", "i32.add").set(
      table,
    );
    arg("c").get(table).memory("i32.load", 8).op("i32.add").get(chunk);
    arg("chunkC").op("i32.mul", "i32.add").get(row);
    arg("cRow").op("i32.mul", "i32.add").get(column).i32(4).op("i32.mul", "i32.add").set(c);
    f.get(chunk);
    arg("chunkK").op("i32.mul").set(k);
    emitExtent(f, () => arg("k"), k, () => arg("chunkK"), kEnd);
    f.get(kEnd, k).op("i32.add").set(kEnd);
    emitBiasRows(f, args, scratch, row, rows);
    const first = f.local("i32");
    f.i32(1).set(first);
    // At least once, so that C is written where k is 0.
    f.loop((again) => {
      emitExtent(f, () => f.get(kEnd), k, () => arg("kBlock"), kc);
      f.get(args, scratch, table, row, rows, column, columns, k, kc, c, first, task);
      f.get(kEnd, k, kc).op("i32.add", "i32.le_s").call(block);
      f.i32(0).set(first);
      f.get(k, kc).op("i32.add").tee(k).get(kEnd).op("i32.lt_s").brIf(again);
    });
    arg("hook").i32(0).op("i32.ge_s").if(() => {
      arg("hookArgs").get(task, row, row, rows).op("i32.add");
      f.get(column, column, columns).op("i32.add");
      arg("hook").callIndirect(HOOK);
    });
  });
}

/** Spreads the biases of rows over 24 columns, for panels to start from. */
function emitBiasRows(
  f: FunctionBuilder,
  args: Local,
  scratch: Local,
  row: Local,
  rows: Local,
): void {
  const [i, src, dst] = f.locals("i32", 3);
  gemmArg(f, args, "start").i32(STARTS.row).op("i32.eq").if(() => {
    gemmArg(f, args, "bias").get(row).i32(4).op("i32.mul", "i32.add").set(src);
    f.get(scratch);
    gemmArg(f, args, "biasAt").op("i32.add").set(dst);
    f.range(i, 0, rows, 1, () => {
      for (let v = 0; v < PANEL / 4; v++) {
        f.get(dst, src).memory("v128.load32_splat").memory("v128.store", 16 * v);
      }
      f.get(src).i32(4).op("i32.add").set(src).get(dst).i32(4 * PANEL).op("i32.add").set(dst);
    });
  });
  f.release(i, src, dst);
}

const BLOCK_PARAMS = Array.from({ length: 13 }, () => "i32" as const);

/** One block of k of one tile: packs A where needed, then panel after panel. */
function emitBlock(m: ModuleBuilder, packers: Packers, panels: Panels): FunctionHandle {
  return m.func({ params: BLOCK_PARAMS }, (f) => {
    const [args, scratch, table, row, rows, column, columns, k, kc, c, first, batch, last] = f
      .parameters(13);
    const [a, aRow, b, bStep, done, width, init, initRow] = f.locals("i32", 8);
    const floor = f.local("f32");
    const arg = (name: GemmArg) => gemmArg(f, args, name);
    const mode = (name: "aMode" | "bMode", value: keyof typeof MODES) =>
      arg(name).i32(MODES[value]).op("i32.eq");
    f.f32(-Infinity).set(floor);
    f.get(last).if(() => f.get(args).memory("f32.load", 4 * GEMM_ARGS.indexOf("floor")).set(floor));
    // A: in place, or packed into rows of kBlock elements.
    arg("a").get(table).memory("i32.load", 0).op("i32.add").get(row);
    arg("aRow").op("i32.mul", "i32.add").get(k);
    arg("aK").op("i32.mul", "i32.add").set(a);
    arg("aRow").set(aRow);
    arg("aMode").if(() => {
      const [packed, packedRow] = f.locals("i32", 2);
      f.get(scratch);
      arg("rowsAt").op("i32.add").set(packed);
      arg("kBlock").i32(4).op("i32.mul").set(packedRow);
      mode("aMode", "transpose").if(() => {
        f.get(a);
        arg("aK").get(packed, packedRow, kc, rows).call(packers.transpose);
      });
      mode("aMode", "gather").if(() => {
        f.get(a);
        arg("aRow");
        arg("aK").get(packed, packedRow, rows, kc).call(packers.gather);
      });
      mode("aMode", "external").if(() => {
        arg("aPackArgs").get(batch, row, row, rows).op("i32.add").get(k, k, kc).op("i32.add");
        f.get(packed, packedRow);
        arg("aPack").callIndirect(PACK);
      });
      f.get(packed).set(a).get(packedRow).set(aRow);
    });
    f.range(done, 0, columns, PANEL, () => {
      emitExtent(f, () => f.get(columns), done, () => f.i32(PANEL), width);
      emitColumns(
        f,
        { args, scratch, table, batch, column, done, width, k, kc, b, bStep },
        packers,
      );
      emitStart(f, { args, scratch, column, done, c, first, init, initRow });
      emitCall(f, panels, width, () => {
        f.get(a, aRow, b, bStep, kc, c).get(done).i32(4).op("i32.mul", "i32.add");
        arg("cRow").get(init, initRow, rows);
      }, floor);
    });
  });
}

type ColumnLocals = Record<
  "args" | "scratch" | "table" | "batch" | "column" | "done" | "width" | "k" | "kc" | "b" | "bStep",
  Local
>;

/** Finds or packs the panel of B and leaves its address and step in `b` and `bStep`. */
function emitColumns(f: FunctionBuilder, l: ColumnLocals, packers: Packers): void {
  const { args, scratch, table, batch, column, done, width, k, kc, b, bStep } = l;
  const arg = (name: GemmArg) => gemmArg(f, args, name);
  const mode = (value: keyof typeof MODES) => arg("bMode").i32(MODES[value]).op("i32.eq");
  const [packed, first] = f.locals("i32", 2);
  f.get(column, done).op("i32.add").set(first);
  arg("b").get(table).memory("i32.load", 4).op("i32.add").set(b);
  f.i32(4 * PANEL).set(bStep);
  mode("panels").if(() => {
    // Blocks of k one after the other, each n rounded up to panels wide.
    arg("n").i32(PANEL - 1).op("i32.add").i32(PANEL).op("i32.div_u").i32(4 * PANEL).op("i32.mul");
    f.get(k).op("i32.mul").get(first, kc).op("i32.mul").i32(4).op("i32.mul", "i32.add");
    f.get(b).op("i32.add").set(b);
  }, () => {
    f.get(b, k);
    arg("bK").op("i32.mul", "i32.add").get(first);
    arg("bColumn").op("i32.mul", "i32.add").set(b);
    mode("direct").if(() => arg("bK").set(bStep), () => {
      f.get(scratch);
      arg("panelAt").op("i32.add").set(packed);
      mode("copy").if(() => {
        f.get(b);
        arg("bK").get(packed, bStep, kc, width).call(packers.copy);
      });
      mode("transpose").if(() => {
        f.get(b);
        arg("bColumn").get(packed, bStep, width, kc).call(packers.transpose);
      });
      mode("gather").if(() => {
        f.get(b);
        arg("bK");
        arg("bColumn").get(packed, bStep, kc, width).call(packers.gather);
      });
      mode("external").if(() => {
        arg("bPackArgs").get(batch, first, first, width).op("i32.add").get(k, k, kc).op("i32.add");
        f.get(packed, bStep);
        arg("bPack").callIndirect(PACK);
      });
      f.get(packed).set(b);
    });
  });
  f.release(packed, first);
}

type StartLocals = Record<
  "args" | "scratch" | "column" | "done" | "c" | "first" | "init" | "initRow",
  Local
>;

/** Where the panel's accumulators start: C, zeros, or biases. */
function emitStart(f: FunctionBuilder, l: StartLocals): void {
  const { args, scratch, column, done, c, first, init, initRow } = l;
  const arg = (name: GemmArg) => gemmArg(f, args, name);
  const start = (value: keyof typeof STARTS) => arg("start").i32(STARTS[value]).op("i32.eq");
  f.get(first).op("i32.eqz");
  start("add").op("i32.or").if(() => {
    f.get(c, done).i32(4).op("i32.mul", "i32.add").set(init);
    arg("cRow").set(initRow);
  }, () => {
    f.i32(0).set(initRow).get(scratch).set(init);
    start("column").if(() => {
      arg("bias").get(column, done).op("i32.add").i32(4).op("i32.mul", "i32.add").set(init);
    });
    start("row").if(() => {
      f.get(scratch);
      arg("biasAt").op("i32.add").set(init).i32(4 * PANEL).set(initRow);
    });
  });
}

/** `packA(args)`: `[src, srcRow, dst, dstRow, rows, columns]`; a task is 16 columns of the source. */
function emitPackA(m: ModuleBuilder, packers: Packers): void {
  m.func({ ...KERNEL, export: "packA" }, (f) => {
    const [args, start, end] = f.parameters(3);
    const [column, columns] = f.locals("i32", 2);
    const arg = (i: number) => f.get(args).memory("i32.load", 4 * i);
    f.get(start).i32(16).op("i32.mul").set(column);
    f.get(end, start).op("i32.sub").i32(16).op("i32.mul").set(columns);
    emitExtent(f, () => arg(5), column, () => f.get(columns), columns);
    arg(0).get(column).i32(4).op("i32.mul", "i32.add");
    arg(1);
    arg(2).get(column);
    arg(3).op("i32.mul", "i32.add");
    arg(3);
    arg(4).get(columns).call(packers.transpose);
  });
}

/**
 * `packB(args)`: `[src, srcK, srcColumn, dst, k, n, kBlock, mode]`; a task is a panel over all k.
 * Writes what mode `panels` reads.
 */
function emitPackB(m: ModuleBuilder, packers: Packers): void {
  m.func({ ...KERNEL, export: "packB" }, (f) => {
    const [args, start, end] = f.parameters(3);
    const [task, k, kc, column, width, src, dst] = f.locals("i32", 7);
    const arg = (i: number) => f.get(args).memory("i32.load", 4 * i);
    f.range(task, start, end, 1, () => {
      f.get(task).i32(PANEL).op("i32.mul").set(column);
      emitExtent(f, () => arg(5), column, () => f.i32(PANEL), width);
      f.i32(0).set(k);
      f.loop((again) => {
        emitExtent(f, () => arg(4), k, () => arg(6), kc);
        arg(0).get(k);
        arg(1).op("i32.mul", "i32.add").get(column);
        arg(2).op("i32.mul", "i32.add").set(src);
        arg(3);
        arg(5).i32(PANEL - 1).op("i32.add").i32(PANEL).op("i32.div_u").i32(4 * PANEL).op("i32.mul");
        f.get(k).op("i32.mul", "i32.add").get(column, kc).op("i32.mul").i32(4).op(
          "i32.mul",
          "i32.add",
        );
        f.set(dst);
        const mode = (value: keyof typeof MODES) => arg(7).i32(MODES[value]).op("i32.eq");
        mode("copy").if(() => {
          f.get(src);
          arg(1).get(dst).i32(4 * PANEL).get(kc, width).call(packers.copy);
        });
        mode("transpose").if(() => {
          f.get(src);
          arg(2).get(dst).i32(4 * PANEL).get(width, kc).call(packers.transpose);
        });
        mode("gather").if(() => {
          f.get(src);
          arg(1);
          arg(2).get(dst).i32(4 * PANEL).get(kc, width).call(packers.gather);
        });
        f.get(k, kc).op("i32.add").tee(k);
        arg(4).op("i32.lt_s").brIf(again);
      });
    });
  });
}

/**
 * `sum(args)`: `[src, chunkBytes, chunks, dst, dstRow, columns, bias, start, floor]`; a task is a row
 * of C. Adds the partial products in order. Rows of the source have no gaps.
 */
function emitSum(m: ModuleBuilder): void {
  m.func({ ...KERNEL, export: "sum" }, (f) => {
    const [args, start, end] = f.parameters(3);
    const [row, column, chunk, src, dst] = f.locals("i32", 5);
    const sum = f.local("f32");
    const arg = (i: number) => f.get(args).memory("i32.load", 4 * i);
    const starts = (value: keyof typeof STARTS) => arg(7).i32(STARTS[value]).op("i32.eq");
    f.range(row, start, end, 1, () => {
      arg(3).get(row);
      arg(4).op("i32.mul", "i32.add").set(dst);
      f.i32(0).set(column);
      f.loop((again) => {
        f.f32(0).set(sum);
        starts("column").if(() => {
          arg(6).get(column).i32(4).op("i32.mul", "i32.add").memory("f32.load").set(sum);
        });
        starts("row").if(() => {
          arg(6).get(row).i32(4).op("i32.mul", "i32.add").memory("f32.load").set(sum);
        });
        starts("add").if(() => f.get(dst).memory("f32.load").set(sum));
        arg(0).get(row);
        arg(5).op("i32.mul").get(column).op("i32.add").i32(4).op("i32.mul", "i32.add").set(src);
        f.i32(0).set(chunk);
        f.loop((next) => {
          f.get(sum, src).memory("f32.load").op("f32.add").set(sum);
          f.get(src);
          arg(1).op("i32.add").set(src);
          f.get(chunk).i32(1).op("i32.add").tee(chunk);
          arg(2).op("i32.lt_s").brIf(next);
        });
        f.get(dst).get(args).memory("f32.load", 32).get(sum, sum);
        f.get(args).memory("f32.load", 32).op("f32.lt", "select").memory("f32.store");
        f.get(dst).i32(4).op("i32.add").set(dst);
        f.get(column).i32(1).op("i32.add").tee(column);
        arg(5).op("i32.lt_s").brIf(again);
      });
    });
  });
}
