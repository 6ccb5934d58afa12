/**
 * Plans of matrix products: C (+)= A·B, f32, any strides, batched, with bias, ReLU, hooks, and
 * operands that are computed while they are packed.
 *
 * @module
 */

import { BATCH_TABLE, GEMM_ARGS, MODES, STARTS } from "./gemm_args.ts";
import type { GemmArg } from "./gemm_args.ts";
import { GEMM_MODULE } from "./gemm_module.ts";
import { floatWord } from "./kernel_plan.ts";
import type {
  AheadPlan,
  ArgWord,
  FunctionWord,
  KernelPlan,
  PlannedJob,
  PointerWord,
} from "./kernel_plan.ts";
import {
  chooseChunks,
  chooseTiles,
  DIRECT_ROWS,
  DOT_BLOCK,
  DOT_ROWS,
  K_BLOCK,
  K_BLOCK_DIRECT,
  PACK_AHEAD_BYTES,
} from "./tiles.ts";
import type { TileGrid } from "./tiles.ts";

const PANEL = 24;

/** A matrix in memory. Strides and offsets in elements. */
export interface StridedMatrix {
  /** From one row to the next. */
  readonly row: number;
  /** From one column to the next. */
  readonly column: number;
  /** Where each batch starts; omitted: all at 0. */
  readonly batches?: readonly number[];
  /** Name of the operand when binding. @default "a", "b" or "c" */
  readonly operand?: string;
}

/**
 * A matrix that a function computes while it is packed, or a hook; see `PACK` and `HOOK` in
 * `gemm_args.ts`.
 */
export interface ExternalMatrix {
  /** The function. */
  readonly pack: FunctionWord;
  /** Its first argument. */
  readonly args: ArgWord;
}

/** What to multiply. Operands are named `a`, `b`, `c`, `bias` and `scratch` when binding. */
export interface GemmProblem {
  /** Rows of A and C. */
  readonly m: number;
  /** Columns of B and C. */
  readonly n: number;
  /** Columns of A, rows of B. */
  readonly k: number;
  /** Number of products. @default 1 */
  readonly batches?: number;
  /** Left operand, m × k. */
  readonly a: StridedMatrix | ExternalMatrix;
  /** Right operand, k × n. */
  readonly b: StridedMatrix | ExternalMatrix;
  /** Result, m × n; its rows or its columns are contiguous. */
  readonly c: StridedMatrix;
  /** One number per row or per column of C, added. */
  readonly bias?: "row" | "column" | undefined;
  /** Whether to add to C instead of replacing it; excludes `bias`. @default false */
  readonly accumulate?: boolean;
  /** Whether to apply ReLU at the end. @default false */
  readonly relu?: boolean;
  /** Function called when a tile of C is finished; see `HOOK` in `gemm_args.ts`. */
  readonly hook?: ExternalMatrix | undefined;
  /**
   * Whether B is packed by jobs of their own, `KernelPlan.ahead`, for many products with one B.
   * Ignored where B is not packed. @default false
   */
  readonly ahead?: boolean;
  /** Threads of the pool that will run it: scratch space is laid out for exactly so many. */
  readonly threads: number;
}

type Mode = keyof typeof MODES;
type Words = Record<GemmArg, ArgWord>;

/** The name of an operand, which stays with it when A and B change places. */
function pointer(x: StridedMatrix | ExternalMatrix, name: string): ArgWord {
  return isExternal(x) ? 0 : { operand: x.operand ?? name };
}

/**
 * Plans a matrix product.
 *
 * @param problem Shapes, strides and what follows the sums.
 * @returns Jobs and scratch space.
 * @throws {Error} If neither rows nor columns of C are contiguous.
 */
export function planGemm(problem: GemmProblem): KernelPlan {
  const oriented = orient(problem);
  const { m, n, k, batches = 1 } = oriented;
  const flops = 2 * m * n * k * batches;
  if (m === 0 || n === 0 || batches === 0) return { jobs: [], scratchBytes: 0, flops };
  if (suitsDot(oriented)) return planDot(oriented, flops);
  return planPanels(oriented, flops);
}

/** Makes the rows of C contiguous: Cᵀ = Bᵀ·Aᵀ where its columns are. */
function orient(p: GemmProblem): GemmProblem {
  const rows = p.c.column === 1 || p.n === 1;
  const columns = p.c.row === 1 || p.m === 1;
  if (!rows && !columns) throw new Error("internal: C has no contiguous direction");
  // One column is better computed as one row, of which all lanes are of use.
  const swap = columns && (!rows || (p.n === 1 && p.m > 1));
  if (!swap || isExternal(p.a) || isExternal(p.b) || p.hook !== undefined) {
    if (!rows) throw new Error("internal: C of an external product has no contiguous rows");
    return p;
  }
  const flip = (x: StridedMatrix, name: string) => ({
    ...x,
    row: x.column,
    column: x.row,
    operand: x.operand ?? name,
  });
  const bias = p.bias === "row" ? "column" : p.bias === "column" ? "row" : undefined;
  return { ...p, m: p.n, n: p.m, a: flip(p.b, "b"), b: flip(p.a, "a"), c: flip(p.c, "c"), bias };
}

function isExternal(x: StridedMatrix | ExternalMatrix): x is ExternalMatrix {
  return "pack" in x;
}

function suitsDot(p: GemmProblem): boolean {
  return !isExternal(p.a) && !isExternal(p.b) && p.hook === undefined && p.bias !== "row" &&
    p.m <= DOT_ROWS && p.k >= 16 && p.a.column === 1 && p.b.row === 1 && p.b.column !== 1 &&
    (p.m <= 16 || p.k >= 512);
}

function planDot(p: GemmProblem, flops: number): KernelPlan {
  const { m, n, k, batches = 1, threads } = p;
  const tiles = Math.max(1, Math.min(threads === 1 ? 1 : 8 * threads, Math.floor(flops / 600_000)));
  const tileColumns = Math.max(6, Math.ceil(n / Math.ceil(tiles / batches) / 6) * 6);
  const columnTiles = Math.ceil(n / tileColumns);
  const words = commonWords(p, "direct", "direct");
  const args = {
    ...words,
    tileRows: m,
    tileColumns,
    rowTiles: 1,
    columnTiles,
    kBlock: Math.min(DOT_BLOCK, Math.ceil(k / 4) * 4),
    scratch: { operand: "scratch" },
    scratchStride: 128,
  };
  const tasks = columnTiles * batches;
  const job = { module: GEMM_MODULE, name: "dot", args: layOut(args, p), tasks };
  return { jobs: [job], scratchBytes: 128 * threads, flops };
}

function planPanels(p: GemmProblem, flops: number): KernelPlan {
  const { m, n, k, batches = 1, threads } = p;
  const chunks = p.hook === undefined ? chooseChunks(m, n, k, batches) : 1;
  const grid = chooseTiles(m, n, k, batches * chunks, threads);
  let aMode = modeOfA(p);
  let bMode = modeOfB(p);
  const packsAhead = p.ahead === true && suitsAhead(p);
  const kBlock = bMode === "direct" && !packsAhead ? K_BLOCK_DIRECT : evenBlock(k);
  const jobs: PlannedJob[] = [];
  const words = commonWords(p, aMode, bMode);
  let scratchBytes = 0;
  const take = (bytes: number): PointerWord => {
    const pointer = { operand: "scratch", bytes: scratchBytes };
    scratchBytes += Math.ceil(bytes / 128) * 128;
    return pointer;
  };
  if (shouldPackA(p, aMode, grid)) {
    const row = 4 * Math.ceil(k / 16) * 16;
    const dst = take(m * row);
    jobs.push(packJobA(p, dst, row));
    Object.assign(words, { a: dst, aRow: row, aK: 4, aMode: MODES.direct });
    aMode = "direct";
  }
  let ahead: AheadPlan | undefined;
  if (packsAhead) {
    const dst = { operand: "ahead" };
    ahead = {
      jobs: [packJobB(p, dst, kBlock, bMode === "direct" ? "copy" : bMode)],
      source: (p.b as StridedMatrix).operand ?? "b",
      bytes: 4 * PANEL * Math.ceil(n / PANEL) * k,
    };
    Object.assign(words, { b: dst, bMode: MODES.panels });
    bMode = "panels";
  } else if (shouldPackB(p, bMode, grid)) {
    const dst = take(4 * PANEL * Math.ceil(n / PANEL) * k);
    jobs.push(packJobB(p, dst, kBlock, bMode));
    Object.assign(words, { b: dst, bMode: MODES.panels });
    bMode = "panels";
  }
  const chunkK = Math.ceil(Math.ceil(k / chunks) / kBlock) * kBlock;
  const used = Math.max(1, Math.ceil(k / Math.max(1, chunkK)));
  if (used > 1) {
    const partial = take(4 * m * n * used);
    Object.assign(words, { c: partial, cRow: 4 * n, chunkC: 4 * m * n });
    Object.assign(words, { start: STARTS.zero, floor: floatWord(-Infinity) });
  }
  Object.assign(words, { ...grid, kBlock, chunks: used, chunkK: Math.max(1, chunkK) });
  const space = threadSpace(p, grid, kBlock, aMode);
  Object.assign(words, { ...space.offsets, scratchStride: space.bytes });
  words.scratch = take(space.bytes * threads);
  const tasks = grid.rowTiles * grid.columnTiles * batches * used;
  jobs.push({ module: GEMM_MODULE, name: "gemm", args: layOut(words, p), tasks });
  if (used > 1) jobs.push(sumJob(p, words, used));
  return { jobs, scratchBytes, flops, ...(ahead && { ahead }) };
}

/** With few rows, packing B costs about what the product does. */
function suitsAhead(p: GemmProblem): boolean {
  return p.m >= 4 && !isExternal(p.b) && sameBatches(p.b) && p.b.row > 0 && p.b.column > 0;
}

/** Blocks of k of equal size, multiples of eight (the unrolling). */
function evenBlock(k: number): number {
  const blocks = Math.max(1, Math.ceil(k / (K_BLOCK * 1.25)));
  return Math.max(8, Math.ceil(k / blocks / 8) * 8);
}

function modeOfA({ a, m, k }: GemmProblem): Mode {
  if (isExternal(a)) return "external";
  if (a.column === 1 || k === 1) return "direct";
  return a.row === 1 || m === 1 ? "transpose" : "gather";
}

function modeOfB({ b, m, n, k }: GemmProblem): Mode {
  if (isExternal(b)) return "external";
  if (b.column === 1 || n === 1) return m <= DIRECT_ROWS ? "direct" : "copy";
  return b.row === 1 || k === 1 ? "transpose" : "gather";
}

function sameBatches(x: StridedMatrix | ExternalMatrix): boolean {
  return !isExternal(x) && (x.batches === undefined || x.batches.every((o) => o === 0));
}

function shouldPackA(p: GemmProblem, mode: Mode, grid: TileGrid): boolean {
  return mode === "transpose" && sameBatches(p.a) && grid.columnTiles * (p.batches ?? 1) > 1 &&
    4 * p.m * p.k <= PACK_AHEAD_BYTES;
}

function shouldPackB(p: GemmProblem, mode: Mode, grid: TileGrid): boolean {
  return mode !== "direct" && mode !== "external" && sameBatches(p.b) &&
    grid.rowTiles * (p.batches ?? 1) > 1 && 4 * p.n * p.k <= PACK_AHEAD_BYTES;
}

function packJobA({ m, k, a }: GemmProblem, dst: PointerWord, row: number): PlannedJob {
  const strides = a as StridedMatrix;
  const args = [pointer(a, "a"), 4 * strides.column, dst, row, k, m];
  const tasks = Math.ceil(m / 16);
  return { module: GEMM_MODULE, name: "packA", args, tasks, grain: grainOf(m * k, tasks) };
}

function packJobB(p: GemmProblem, dst: PointerWord, kBlock: number, mode: Mode): PlannedJob {
  const { n, k } = p;
  const b = p.b as StridedMatrix;
  const args = [pointer(b, "b"), 4 * b.row, 4 * b.column, dst, k, n, kBlock, MODES[mode]];
  const tasks = Math.ceil(n / PANEL);
  return { module: GEMM_MODULE, name: "packB", args, tasks, grain: grainOf(n * k, tasks) };
}

/** Units of about 20 µs of packing, which takes about 0.4 ns per element. */
function grainOf(elements: number, tasks: number): number {
  return Math.max(1, Math.ceil(tasks / Math.max(1, Math.floor(elements / 40_000))));
}

function sumJob(p: GemmProblem, words: Words, chunks: number): PlannedJob {
  const args = [words.c, 4 * p.m * p.n, chunks, pointer(p.c, "c"), 4 * p.c.row, p.n];
  const { bias, start, floor } = commonWords(p, "direct", "direct");
  return { module: GEMM_MODULE, name: "sum", args: [...args, bias, start, floor], tasks: p.m };
}

/** The layout of one thread's scratch space. */
function threadSpace(p: GemmProblem, grid: TileGrid, kBlock: number, aMode: Mode): {
  bytes: number;
  offsets: Pick<Words, "panelAt" | "biasAt" | "rowsAt">;
} {
  const panelAt = 128;
  const biasAt = panelAt + 4 * PANEL * kBlock;
  const rowsAt = biasAt + (p.bias === "row" ? 4 * PANEL * grid.tileRows : 0);
  const rows = aMode === "direct" ? 0 : 4 * grid.tileRows * kBlock;
  const bytes = Math.ceil((rowsAt + rows) / 128) * 128;
  return { bytes, offsets: { panelAt, biasAt, rowsAt } };
}

function commonWords(p: GemmProblem, aMode: Mode, bMode: Mode): Words {
  const [a, b] = [isExternal(p.a) ? undefined : p.a, isExternal(p.b) ? undefined : p.b];
  const zeros = Object.fromEntries(GEMM_ARGS.map((name) => [name, 0])) as Words;
  return {
    ...zeros,
    a: pointer(p.a, "a"),
    b: pointer(p.b, "b"),
    c: pointer(p.c, "c"),
    bias: p.bias === undefined ? 0 : { operand: "bias" },
    m: p.m,
    n: p.n,
    k: p.k,
    aRow: 4 * (a?.row ?? 0),
    aK: 4 * (a?.column ?? 0),
    bK: 4 * (b?.row ?? 0),
    bColumn: 4 * (b?.column ?? 0),
    cRow: 4 * p.c.row,
    chunks: 1,
    start: p.accumulate === true ? STARTS.add : STARTS[p.bias ?? "zero"],
    floor: floatWord(p.relu === true ? 0 : -Infinity),
    aMode: MODES[aMode],
    bMode: MODES[bMode],
    aPack: isExternal(p.a) ? p.a.pack : 0,
    aPackArgs: isExternal(p.a) ? p.a.args : 0,
    bPack: isExternal(p.b) ? p.b.pack : 0,
    bPackArgs: isExternal(p.b) ? p.b.args : 0,
    hook: p.hook?.pack ?? -1,
    hookArgs: p.hook?.args ?? 0,
  };
}

/** The words in order, then the table of batches. */
function layOut(words: Words, p: GemmProblem): ArgWord[] {
  const block: ArgWord[] = GEMM_ARGS.map((name) => words[name]);
  if (4 * block.length !== BATCH_TABLE) throw new Error("internal: argument block");
  const offset = (x: StridedMatrix | ExternalMatrix, i: number) =>
    isExternal(x) ? 0 : 4 * (x.batches?.[i] ?? 0);
  for (let i = 0; i < (p.batches ?? 1); i++) {
    block.push(offset(p.a, i), offset(p.b, i), offset(p.c, i));
  }
  return block;
}
