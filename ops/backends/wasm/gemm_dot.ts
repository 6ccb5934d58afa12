/**
 * Products of two operands that are both contiguous along k: C[i, j] = Σ A[i, k] · B[j, k].
 *
 * Nothing is packed: vectors run along k, a turn computes 2 rows × 6 columns (12 accumulators, 2
 * vectors of A held, B streamed), and the lanes are added at the end. It serves products with few
 * rows (a linear layer over a small batch), where packing the weights would cost as much as using
 * them; `tiles.ts` says up to how many.
 *
 * @module
 */

import { KERNEL } from "./assembler.ts";
import type { FunctionBuilder, FunctionHandle, Local, Locals, ModuleBuilder } from "./assembler.ts";
import { BATCH_TABLE, emitExtent, GEMM_ARGS, gemmArg, STARTS } from "./gemm_args.ts";
import type { GemmArg } from "./gemm_args.ts";
import { emitTranspose4 } from "./gemm_pack.ts";

/** Rows and columns of a turn. */
const ROWS = 2;
const COLUMNS = 6;

/**
 * Defines `dot(args, start, end, thread)` over the argument block of `gemm`; a task is a tile of
 * columns, all rows, of one batch.
 *
 * @param m The module; must import the memory.
 */
export function emitDot(m: ModuleBuilder): void {
  const block = emitBlock(m, emitTurn(m));
  m.func({ ...KERNEL, export: "dot" }, (f) => {
    const [args, start, end, thread] = f.parameters(4);
    const [task, column, columns, table, k, kAll, kc, a, b, c, init] = f.locals("i32", 11);
    const [scratch, initRow] = f.locals("i32", 2);
    const arg = (name: GemmArg) => gemmArg(f, args, name);
    arg("scratch").get(thread);
    arg("scratchStride").op("i32.mul", "i32.add").tee(scratch).i32(0).i32(4 * COLUMNS).fill();
    arg("k").set(kAll);
    f.range(task, start, end, 1, () => {
      f.get(task);
      arg("columnTiles").op("i32.rem_u");
      arg("tileColumns").op("i32.mul").set(column);
      emitExtent(f, () => arg("n"), column, () => arg("tileColumns"), columns);
      f.get(args).i32(BATCH_TABLE).op("i32.add").get(task);
      arg("columnTiles").op("i32.div_u").i32(12).op("i32.mul", "i32.add").set(table);
      arg("c").get(table).memory("i32.load", 8).op("i32.add");
      f.get(column).i32(4).op("i32.mul", "i32.add").set(c);
      f.i32(0).set(k);
      f.loop((again) => {
        emitExtent(f, () => f.get(kAll), k, () => arg("kBlock"), kc);
        arg("a").get(table).memory("i32.load", 0).op("i32.add").get(k).i32(4);
        f.op("i32.mul", "i32.add").set(a);
        arg("b").get(table).memory("i32.load", 4).op("i32.add").get(k).i32(4);
        f.op("i32.mul", "i32.add").get(column);
        arg("bColumn").op("i32.mul", "i32.add").set(b);
        emitStart(f, args, scratch, column, c, k, init, initRow);
        f.get(args, a, b, c, kc, columns, init, initRow);
        f.get(k, kc).op("i32.add").get(kAll).op("i32.eq").call(block);
        f.get(k, kc).op("i32.add").tee(k).get(kAll).op("i32.lt_s").brIf(again);
      });
    });
  });
}

/** Where sums start: C after the first block of k or to add to it, else biases or zeros. */
function emitStart(
  f: FunctionBuilder,
  args: Local,
  scratch: Local,
  column: Local,
  c: Local,
  k: Local,
  init: Local,
  initRow: Local,
): void {
  const is = (start: number) => gemmArg(f, args, "start").i32(start).op("i32.eq");
  f.get(k);
  is(STARTS.add).op("i32.or").if(() => {
    f.get(c).set(init);
    gemmArg(f, args, "cRow").set(initRow);
  }, () => {
    f.i32(0).set(initRow).get(scratch).set(init);
    is(STARTS.column).if(() => {
      gemmArg(f, args, "bias").get(column).i32(4).op("i32.mul", "i32.add").set(init);
      f.i32(0).set(initRow);
    });
  });
}

/** `block(args, a, b, c, kc, columns, init, initRow, last)`: one block of k of a tile. */
function emitBlock(m: ModuleBuilder, turn: FunctionHandle): FunctionHandle {
  return m.func({ params: Array.from({ length: 9 }, () => "i32" as const) }, (f) => {
    const [args, a, b, c, kc, columns, init, initRow, last] = f.parameters(9);
    const [row, rows, j, step] = f.locals("i32", 4);
    const floor = f.local("f32");
    const arg = (name: GemmArg) => gemmArg(f, args, name);
    f.f32(-Infinity).set(floor);
    f.get(last).if(() => f.get(args).memory("f32.load", 4 * GEMM_ARGS.indexOf("floor")).set(floor));
    arg("m").set(rows);
    // Zeros are one short row: they do not move with the column.
    f.i32(4).i32(0).get(initRow);
    arg("start").i32(STARTS.column).op("i32.eq", "i32.or", "select").set(step);
    f.range(j, 0, columns, COLUMNS, () =>
      f.range(row, 0, rows, ROWS, () => {
        f.get(a, row);
        arg("aRow").op("i32.mul", "i32.add");
        arg("aRow").get(b, j);
        arg("bColumn").op("i32.mul", "i32.add");
        arg("bColumn").get(c, row);
        arg("cRow").op("i32.mul", "i32.add").get(j).i32(4).op("i32.mul", "i32.add");
        arg("cRow").get(init).get(row, initRow).op("i32.mul", "i32.add");
        f.get(j, step).op("i32.mul", "i32.add").get(initRow, kc);
        f.get(rows, row).op("i32.sub").get(columns, j).op("i32.sub").get(floor).call(turn);
      }));
  });
}

const TURN_PARAMS = [...Array.from({ length: 11 }, () => "i32" as const), "f32" as const];

/** `turn(a, aRow, b, bRow, c, cRow, init, initRow, k, rows, columns, floor)`: 2 × 6 at most. */
function emitTurn(m: ModuleBuilder): FunctionHandle {
  return m.func({ params: TURN_PARAMS }, (f) => {
    const [a, aRow, b, bRow, c, cRow, init, initRow, k, rows, columns, floor] = f.parameters(12);
    const a1 = f.local("i32");
    const bs = f.locals("i32", COLUMNS);
    const acc = [f.locals("v128", COLUMNS), f.locals("v128", COLUMNS)] as const;
    for (const x of [...acc[0], ...acc[1]]) f.f32x4(0).set(x);
    // Rows and columns that do not exist repeat the last one and are not stored.
    f.get(a).i32(0).get(aRow, rows).i32(1).op("i32.eq", "select", "i32.add").set(a1);
    bs.forEach((pointer, j) => {
      if (j === 0) f.get(b);
      else {
        f.get(bs[j - 1]!, bRow).i32(0).get(columns).i32(j).op("i32.gt_s", "select", "i32.add");
      }
      f.set(pointer);
    });
    emitProducts(f, [a, a1], bs, k, acc);
    emitResults(f, { c, cRow, init, initRow, rows, columns, floor }, acc);
  });
}

type Accumulators = readonly [Locals<6>, Locals<6>];

function emitProducts(
  f: FunctionBuilder,
  as: readonly Local[],
  bs: readonly Local[],
  k: Local,
  acc: Accumulators,
): void {
  const [left, vector, mask] = [f.local("i32"), f.local("v128"), f.local("v128")];
  const held = f.locals("v128", ROWS);
  const step = (load: (pointer: Local) => FunctionBuilder) => {
    as.forEach((pointer, r) => load(pointer).set(held[r]!));
    bs.forEach((pointer, j) => {
      load(pointer).set(vector);
      acc.forEach((row, r) => f.get(held[r]!, vector, row[j]!).madd("f32x4").set(row[j]!));
    });
  };
  const repeat = (unroll: number) =>
    f.loop((again) => {
      f.get(left).i32(4 * unroll).op("i32.ge_s").if(() => {
        for (let u = 0; u < unroll; u++) {
          step((pointer) => f.get(pointer).memory("v128.load", 16 * u, 2));
        }
        for (const pointer of [...as, ...bs]) {
          f.get(pointer).i32(16 * unroll).op("i32.add").set(pointer);
        }
        f.get(left).i32(4 * unroll).op("i32.sub").set(left).br(again);
      });
    });
  f.get(k).set(left);
  repeat(4);
  repeat(1);
  f.get(left).if(() => {
    f.i32x4(0, 1, 2, 3).get(left).op("i32x4.splat", "i32x4.lt_s").set(mask);
    step((pointer) => f.get(pointer).memory("v128.load", 0, 2).get(mask).op("v128.and"));
  });
  f.release(left, vector, mask, ...held);
}

type ResultLocals = Record<"c" | "cRow" | "init" | "initRow" | "rows" | "columns" | "floor", Local>;

/** Adds lanes, start values, the lower bound, and stores what exists. */
function emitResults(f: FunctionBuilder, l: ResultLocals, acc: Accumulators): void {
  const { c, cRow, init, initRow, rows, columns, floor } = l;
  const bound = f.local("v128");
  f.get(floor).op("f32x4.splat").set(bound);
  const pairs = emitLaneSums(f, [acc[0][4], acc[0][5], acc[1][4], acc[1][5]]);
  for (const r of [0, 1] as const) {
    const row = () => {
      const four = emitLaneSums(f, [acc[r][0], acc[r][1], acc[r][2], acc[r][3]]);
      f.get(four, init).memory("v128.load", 0, 2).op("f32x4.add").get(bound).op("f32x4.pmax");
      f.set(four);
      const two = f.local("v128");
      f.get(pairs);
      if (r === 1) f.get(pairs).shuffle32(2, 3, 2, 3);
      f.get(init).memory("v128.load64_zero", 16, 2).op("f32x4.add").get(bound).op("f32x4.pmax");
      f.set(two);
      emitRowStore(f, c, columns, four, two);
    };
    if (r === 0) row();
    else {
      f.get(rows).i32(1).op("i32.gt_s").if(() => {
        f.get(c, cRow).op("i32.add").set(c).get(init, initRow).op("i32.add").set(init);
        row();
      });
    }
  }
}

function emitRowStore(f: FunctionBuilder, c: Local, columns: Local, four: Local, two: Local): void {
  f.get(columns).i32(COLUMNS).op("i32.ge_s").if(() => {
    f.get(c, four).memory("v128.store", 0, 2);
    f.get(c, two).memoryLane("v128.store64_lane", 0, 16);
  }, () => {
    for (let j = 0; j < COLUMNS - 1; j++) {
      f.get(columns).i32(j).op("i32.gt_s").if(() =>
        f.get(c, j < 4 ? four : two).memoryLane("v128.store32_lane", j & 3, 4 * j)
      );
    }
  });
}

/** Lane sums of four vectors, in one vector. Overwrites them. */
function emitLaneSums(f: FunctionBuilder, x: Locals<4>): Local {
  const y = f.locals("v128", 4);
  emitTranspose4(f, x, y);
  f.get(y[0], y[1]).op("f32x4.add").get(y[2], y[3]).op("f32x4.add").op("f32x4.add").set(y[0]);
  f.release(y[1], y[2], y[3]);
  return y[0];
}
