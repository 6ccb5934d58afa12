/**
 * The inner loops of matrix multiplication, emitted instruction by instruction.
 *
 * A **panel** is a strip of up to 24 columns of C. `panel` computes `rows` rows of it over one block
 * of k: `C = max(floor, init + A·B)`. V8 has 15 vector registers to give, and one value too many
 * alive halves the speed, so the loops below hold the splats of R rows of A and stream the V vectors
 * of B through one register: R·V accumulators + R + 1 = 15 for 2 × 24 columns.
 *
 * - A: rows of contiguous k, `aRow` bytes apart. A matrix stored that way is read in place; others
 *   are packed into such rows.
 * - B: per k, 4·V contiguous columns, `bStep` bytes from one k to the next: 96 in packed panels, the
 *   row stride where B is read in place.
 * - init: where the accumulators start, `initRow` bytes from row to row: C itself (later blocks of
 *   k), a vector of zeros or biases (stride 0).
 *
 * Vectors beyond the last column are read and computed, never written.
 *
 * @module
 */

import type { FunctionBuilder, FunctionHandle, Local, ModuleBuilder } from "./assembler.ts";

/** Columns in a packed panel of B. */
export const PANEL = 24;

/** The word of the memory that says which panels to take; below all blocks. */
export const WIDE_FLAG = 64;

/** Pushes 1 where V8 pairs vectors, else 0. */
export function pushWide(f: FunctionBuilder): FunctionBuilder {
  return f.i32(WIDE_FLAG).memory("i32.load");
}

/** By number of vectors (index 1 to 6), functions that take {@linkcode PanelArgs} in order. */
export interface Panels {
  readonly narrow: readonly FunctionHandle[];
  readonly wide: readonly FunctionHandle[];
}

/** Parameters of a panel function, in order. */
export interface PanelArgs {
  /** First row of A at the first k. */
  a: Local;
  /** Bytes from one row of A to the next. */
  aRow: Local;
  /** First row of B. */
  b: Local;
  /** Bytes from one k to the next. */
  bStep: Local;
  /** Number of k. */
  k: Local;
  /** First element of C. */
  c: Local;
  /** Bytes from one row of C to the next. */
  cRow: Local;
  /** Start values. */
  init: Local;
  /** Bytes from one row of start values to the next. */
  initRow: Local;
  /** Number of rows. */
  rows: Local;
  /** Columns in the last vector, 1 to 4. */
  tail: Local;
  /** Lower bound of the results: 0 for ReLU, else −∞. `f32`. */
  floor: Local;
}

/**
 * Rows per turn for panels of 1 to 6 vectors. GFLOP/s per core on an EPYC (Zen 5), k = 256 in L1:
 * see `tests/backends/wasm/bench_gemm.ts`.
 */
const ROWS = [0, 8, 6, 3, 2, 2, 2] as const;

/** The same where V8 makes one instruction on 256 bits of two neighbours, see `wide.ts`. */
const WIDE_ROWS = [0, 8, 8, 5, 6, 3, 3] as const;

/** Unrolling over k. One, two, eight turns of 2 × 24: 20, 49, 53 GFLOP/s. */
const UNROLL = 8;

const PARAMS = [
  "i32",
  "i32",
  "i32",
  "i32",
  "i32",
  "i32",
  "i32",
  "i32",
  "i32",
  "i32",
  "i32",
  "f32",
] as const;

/**
 * Defines the panel functions of a module.
 *
 * @param m The module; must import the memory.
 * @returns The functions.
 */
export function emitPanels(m: ModuleBuilder): Panels {
  const narrow: FunctionHandle[] = [];
  const wide: FunctionHandle[] = [];
  for (let vectors = 1; vectors <= PANEL / 4; vectors++) {
    const single = emitPanel(m, 1, vectors, undefined);
    narrow[vectors] = emitPanel(m, ROWS[vectors]!, vectors, single);
    if (vectors === 1) wide[vectors] = narrow[vectors]!;
    else {
      const pair = emitPanel(m, 2, vectors, single, true);
      wide[vectors] = emitPanel(m, WIDE_ROWS[vectors]!, vectors, pair, true);
    }
  }
  return { narrow, wide };
}

/**
 * Calls the panel function for `width` columns.
 *
 * @param f Where.
 * @param panels What {@linkcode emitPanels} returned.
 * @param width Columns, 1 to 24.
 * @param push Pushes all arguments but the last two.
 * @param floor The last argument.
 */
export function emitCall(
  f: FunctionBuilder,
  panels: Panels,
  width: Local,
  push: () => void,
  floor: Local,
): void {
  const attempt = (functions: readonly FunctionHandle[], vectors: number): void => {
    f.get(width).i32(4 * (vectors - 1)).op("i32.gt_s").if(() => {
      push();
      f.get(width).i32(4 * (vectors - 1)).op("i32.sub").get(floor).call(functions[vectors]!);
    }, vectors === 1 ? undefined : () => attempt(functions, vectors - 1));
  };
  // Wide panels write whole vectors.
  pushWide(f).get(width).i32(3).op("i32.and", "i32.eqz", "i32.and").if(
    () => attempt(panels.wide, PANEL / 4),
    () => attempt(panels.narrow, PANEL / 4),
  );
}

/** One panel function; the rows that are left over go to `rest`. */
function emitPanel(
  m: ModuleBuilder,
  rows: number,
  vectors: number,
  rest: FunctionHandle | undefined,
  wide = false,
): FunctionHandle {
  return m.func({ params: PARAMS }, (f) => {
    const p = panelArgs(f);
    const aRows = f.locals("i32", rows);
    const b = f.local("i32");
    const acc = Array.from({ length: rows }, () => f.locals("v128", vectors));
    f.block((end) => {
      f.loop((again) => {
        f.get(p.rows).i32(rows).op("i32.lt_s").brIf(end);
        emitInit(f, p, acc);
        f.get(p.b).set(b);
        aRows.forEach((a, r) =>
          r === 0 ? f.get(p.a).set(a) : f.get(aRows[r - 1]!, p.aRow).op("i32.add").set(a)
        );
        emitInnerLoops(f, p, aRows, b, acc);
        (wide ? emitStoreWhole : emitStore)(f, p, acc);
        for (
          const [pointer, step] of [[p.a, p.aRow], [p.c, p.cRow], [p.init, p.initRow]] as const
        ) {
          f.get(pointer, step).i32(rows).op("i32.mul", "i32.add").set(pointer);
        }
        f.get(p.rows).i32(rows).op("i32.sub").set(p.rows).br(again);
      });
    });
    if (rest !== undefined) {
      f.get(p.rows).if(() => f.get(...f.params).call(rest));
    }
  });
}

function panelArgs(f: FunctionBuilder): PanelArgs {
  const [a, aRow, b, bStep, k, c, cRow, init, initRow, rows, tail, floor] = f.parameters(12);
  return { a, aRow, b, bStep, k, c, cRow, init, initRow, rows, tail, floor } as PanelArgs;
}

function emitInit(f: FunctionBuilder, p: PanelArgs, acc: Local[][]): void {
  const init = f.local("i32");
  f.get(p.init).set(init);
  acc.forEach((row, r) => {
    if (r > 0) f.get(init, p.initRow).op("i32.add").set(init);
    row.forEach((x, v) => f.get(init).memory("v128.load", 16 * v, 2).set(x));
  });
  f.release(init);
}

function emitInnerLoops(
  f: FunctionBuilder,
  p: PanelArgs,
  aRows: Local[],
  b: Local,
  acc: Local[][],
): void {
  const count = f.local("i32");
  const splats = f.locals("v128", acc.length);
  const vector = f.local("v128");
  const step = (offset: number) => {
    emitStep(f, aRows, b, acc, splats, vector, offset);
    f.get(b, p.bStep).op("i32.add").set(b);
  };
  const advance = (bytes: number) => {
    for (const a of aRows) f.get(a).i32(bytes).op("i32.add").set(a);
  };
  const repeat = (body: () => void) => {
    f.get(count).if(() =>
      f.loop((again) => {
        body();
        f.get(count).i32(1).op("i32.sub").tee(count).brIf(again);
      })
    );
  };
  f.get(p.k).i32(Math.log2(UNROLL)).op("i32.shr_u").set(count);
  repeat(() => {
    for (let u = 0; u < UNROLL; u++) step(4 * u);
    advance(4 * UNROLL);
  });
  f.get(p.k).i32(UNROLL - 1).op("i32.and").set(count);
  repeat(() => {
    step(0);
    advance(4);
  });
  f.release(count, vector, ...splats);
}

/** One k. With few rows hold their splats and stream B; with few vectors hold B, stream splats. */
function emitStep(
  f: FunctionBuilder,
  aRows: Local[],
  b: Local,
  acc: Local[][],
  splats: Local[],
  vector: Local,
  offset: number,
): void {
  const vectors = acc[0]!.length;
  if (acc.length <= 3) {
    aRows.forEach((a, r) => f.get(a).memory("v128.load32_splat", offset).set(splats[r]!));
    for (let v = 0; v < vectors; v++) {
      f.get(b).memory("v128.load", 16 * v, 2).set(vector);
      acc.forEach((row, r) => f.get(splats[r]!, vector, row[v]!).madd("f32x4").set(row[v]!));
    }
    return;
  }
  const held = splats.slice(0, vectors);
  held.forEach((x, v) => f.get(b).memory("v128.load", 16 * v, 2).set(x));
  acc.forEach((row, r) => {
    f.get(aRows[r]!).memory("v128.load32_splat", offset).set(vector);
    row.forEach((x, v) => f.get(vector, held[v]!, x).madd("f32x4").set(x));
  });
}

function emitStore(f: FunctionBuilder, p: PanelArgs, acc: Local[][]): void {
  const [c, floor] = [f.local("i32"), f.local("v128")];
  f.get(p.floor).op("f32x4.splat").set(floor);
  f.get(p.c).set(c);
  acc.forEach((row, r) => {
    if (r > 0) f.get(c, p.cRow).op("i32.add").set(c);
    row.forEach((x, v) => {
      // pmax keeps NaN, as ReLU must, and is one instruction.
      f.get(x, floor).op("f32x4.pmax").set(x);
      if (v < row.length - 1) f.get(c, x).memory("v128.store", 16 * v, 2);
    });
    emitStoreTail(f, p.tail, c, row[row.length - 1]!, 16 * (row.length - 1));
  });
  f.release(c, floor);
}

/** All of a full tile: the stores stand together, or V8 would not pair the vectors. */
function emitStoreWhole(f: FunctionBuilder, p: PanelArgs, acc: Local[][]): void {
  const floor = f.local("v128");
  f.get(p.floor).op("f32x4.splat").set(floor);
  for (const x of acc.flat()) f.get(x, floor).op("f32x4.pmax").set(x);
  const c = f.local("i32");
  f.get(p.c).set(c);
  acc.forEach((row, r) => {
    if (r > 0) f.get(c, p.cRow).op("i32.add").set(c);
    row.forEach((x, v) => f.get(c, x).memory("v128.store", 16 * v, 2));
  });
  f.release(c, floor);
}

function emitStoreTail(
  f: FunctionBuilder,
  tail: Local,
  address: Local,
  x: Local,
  offset: number,
): void {
  f.get(tail).i32(4).op("i32.eq").if(
    () => f.get(address, x).memory("v128.store", offset, 2),
    () => {
      f.get(address, x).memoryLane("v128.store32_lane", 0, offset);
      for (const lane of [1, 2]) {
        f.get(tail).i32(lane).op("i32.gt_s").if(() =>
          f.get(address, x).memoryLane("v128.store32_lane", lane, offset + 4 * lane)
        );
      }
    },
  );
}
