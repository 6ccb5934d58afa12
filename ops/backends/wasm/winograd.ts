/**
 * Plans of 3 × 3 convolutions with stride 1 by Winograd's method, f32, NCHW, one group: forward,
 * gradient of the input, gradient of the weights.
 *
 * A quarter of the multiplications of the direct method; errors up to about 1e-5 of the scale of the
 * results. Where it pays: `suitsWinograd` in `tiles.ts`.
 *
 * @module
 */

import { floatWord } from "./kernel_plan.ts";
import type { ArgWord, KernelPlan, PlannedJob, PointerWord } from "./kernel_plan.ts";
import { winogradBlock, winogradChunks, winogradRows } from "./tiles.ts";
import { FILTER_ARGS } from "./winograd_filters.ts";
import { WINOGRAD_ARGS, type WinogradArg } from "./winograd_args.ts";
import { WINOGRAD_MODULE } from "./winograd_module.ts";
import { ENTRY, TILE_ROWS } from "./winograd_tiles.ts";
import { BUFFER_BYTES, POINTS } from "./winograd_transforms.ts";

const PANEL = 24;

/** A 3 × 3 convolution with stride 1. All tensors contiguous. */
export interface WinogradShape {
  /** Images. */
  readonly images: number;
  /** Channels of the input. */
  readonly cin: number;
  /** Channels of the output. */
  readonly cout: number;
  /** Rows of the input. */
  readonly height: number;
  /** Columns of the input. */
  readonly width: number;
  /** Zeros around the input, 0 to 2. */
  readonly pad: number;
  /** Threads of the pool that will run it: scratch space is laid out for exactly so many. */
  readonly threads: number;
  /** Planes from image to image of the input. @default `cin` */
  readonly xPlanes?: number | undefined;
  /** Planes from image to image of the output's gradient. @default `cout` */
  readonly dyPlanes?: number | undefined;
}

/** What follows the sums of the forward pass. */
export interface WinogradEpilogue {
  /** Whether to add the operand `bias`, one number per channel. @default false */
  readonly bias?: boolean;
  /** Whether to apply ReLU. @default false */
  readonly relu?: boolean;
}

/** One side of the problem: planes, and how tiles lie in them. */
interface Side {
  height: number;
  width: number;
  pad: number;
  /** Columns that tiles share. */
  halo: number;
  channels: number;
}

/**
 * Plans the forward pass: `x [images, cin, height, width]`, `w [cout, cin, 3, 3]`, `bias [cout]` to
 * `y [images, cout, height + 2 pad − 2, width + 2 pad − 2]`.
 *
 * @param shape Geometry.
 * @param epilogue Bias and ReLU.
 * @returns Jobs over the operands `x`, `w`, `y`, `bias`, `scratch`.
 */
export function planWinogradForward(
  shape: WinogradShape,
  epilogue: WinogradEpilogue = {},
): KernelPlan {
  const w = { operand: "w", row: 36 * shape.cin, column: 36, turned: false };
  return planPass(shape, { operand: "x" }, { operand: "y" }, w, epilogue);
}

/**
 * Plans the gradient of the input: `dy`, `w` to `dx`, of the forward pass with this shape.
 *
 * @param shape Geometry of the forward pass.
 * @returns Jobs over the operands `dy`, `w`, `dx`, `scratch`.
 */
export function planWinogradInputGradient(shape: WinogradShape): KernelPlan {
  const { cin, cout, pad, height, width } = shape;
  const turned: WinogradShape = {
    ...shape,
    xPlanes: shape.dyPlanes,
    cin: cout,
    cout: cin,
    height: height + 2 * pad - 2,
    width: width + 2 * pad - 2,
    pad: 2 - pad,
  };
  const w = { operand: "w", row: 36, column: 36 * cin, turned: true };
  return planPass(turned, { operand: "dy" }, { operand: "dx" }, w, {});
}

/** Scratch space by parts, each on its own cache lines. */
class Space {
  bytes = 0;
  take(bytes: number): number {
    const at = this.bytes;
    this.bytes += Math.ceil(bytes / 128) * 128;
    return at;
  }
}

/** A stride between points: the cache would hold a multiple of 4096 in one set; 64 more spreads. */
function spread(bytes: number): number {
  return Math.ceil(bytes / 128) * 128 + 64;
}

function planPass(
  shape: WinogradShape,
  x: PointerWord,
  y: PointerWord,
  w: { operand: string; row: number; column: number; turned: boolean },
  epilogue: WinogradEpilogue,
): KernelPlan {
  const { images, cin, cout, threads } = shape;
  const tiling = tilingOf(shape);
  const tiles = images * tiling.perImage;
  const coutBlock = Math.min(cout, winogradRows(cin, cout));
  const block = winogradBlock(cin, coutBlock, tiles, threads);
  const side = inputSide(shape);
  const planeBytes = bufferRows(tiling, block, tiles) * rowBytes(tiling, side);
  const uRow = 4 * Math.ceil(cin / 4) * 4;
  const uPoint = spread(cout * uRow);
  const own = new Space();
  const vPoint = spread(4 * PANEL * cin * Math.ceil(block / PANEL));
  const mPoint = spread(4 * coutBlock * block);
  own.take(128);
  const places = {
    bufferAt: own.take(BUFFER_BYTES + 256),
    zerosAt: own.take(rowBytes(tiling, side)),
    tableAt: own.take(ENTRY * (block + 4)),
    segmentsAt: own.take(ENTRY * block),
    planesAt: own.take(planeBytes + 64),
    vAt: own.take(POINTS * vPoint),
    mAt: own.take(POINTS * mPoint),
  };
  const all = new Space();
  const u = { operand: "scratch", bytes: all.take(POINTS * uPoint) };
  const buffers = { operand: "scratch", bytes: all.take(BUFFER_BYTES * threads) };
  const scratch = { operand: "scratch", bytes: all.take(own.bytes * threads) };
  const args = layOut({
    ...places,
    ...{ x, u, y, scratch, scratchStride: own.bytes, cin, cout, tiles, block, coutBlock },
    ...{ uRow, uPoint, vPoint, mPoint, biased: epilogue.bias === true ? 1 : 0 },
    bias: epilogue.bias === true ? { operand: "bias" } : 0,
    floor: floatWord(epilogue.relu === true ? 0 : -Infinity),
  }, [sideWords(tiling, side, shape, planeBytes)]);
  const filters: PlannedJob = {
    module: WINOGRAD_MODULE,
    name: "filters",
    args: filterWords({
      ...{ w: { operand: w.operand }, wRow: w.row, wColumn: w.column, turned: w.turned ? 1 : 0 },
      ...{ u, uRow, uPoint, columns: cin, chunks: 0, chunkBytes: 0, scratch: buffers },
    }),
    tasks: cout,
    grain: Math.max(1, Math.ceil(1500 / cin)),
  };
  const tasks = Math.ceil(tiles / block);
  const forward = { module: WINOGRAD_MODULE, name: "forward", args, tasks };
  return { jobs: [filters, forward], scratchBytes: all.bytes, flops: flopsOf(shape) };
}

/**
 * Plans the gradient of the weights: `x`, `dy` to `dw [cout, cin, 3, 3]`.
 *
 * Tiles are divided into chunks by the shape alone, each chunk sums into its own transformed
 * gradient, and these are added in order: any number of threads gives the same bits.
 *
 * @param shape Geometry of the forward pass.
 * @returns Jobs over the operands `x`, `dy`, `dw`, `scratch`.
 */
export function planWinogradWeightGradient(shape: WinogradShape): KernelPlan {
  const { images, cin, cout, threads } = shape;
  const tiling = tilingOf(shape);
  const tiles = images * tiling.perImage;
  const { chunkTiles, coutBlock, block } = winogradChunks(cin, cout, tiles);
  const chunks = Math.ceil(tiles / chunkTiles);
  const coutBlocks = Math.ceil(cout / coutBlock);
  const sides = [inputSide(shape), gradientSide(tiling, shape)] as const;
  const planes = sides.map((side) =>
    bufferRows(tiling, block, tiles, chunkTiles) * rowBytes(tiling, side)
  ) as [number, number];
  const own = new Space();
  const vPoint = spread(4 * PANEL * block * Math.ceil(cin / PANEL));
  const mPoint = spread(4 * coutBlock * block);
  own.take(128);
  const places = {
    zerosAt: own.take(Math.max(...sides.map((side) => rowBytes(tiling, side)))),
    tableAt: own.take(ENTRY * (block + 4)),
    segmentsAt: own.take(ENTRY * block),
    planesAt: own.take(4 * planes[0] + 64),
    tableAt2: own.take(ENTRY * (block + 4)),
    segmentsAt2: own.take(ENTRY * block),
    planesAt2: own.take(planes[1] + 64),
    vAt: own.take(POINTS * vPoint),
    mAt: own.take(POINTS * mPoint),
  };
  const all = new Space();
  const uRow = 4 * cin;
  const uPoint = cout * uRow;
  const chunkBytes = POINTS * uPoint;
  const u = { operand: "scratch", bytes: all.take(chunkBytes * chunks) };
  const buffers = { operand: "scratch", bytes: all.take(BUFFER_BYTES * threads) };
  const scratch = { operand: "scratch", bytes: all.take(own.bytes * threads) };
  const args = layOut({
    ...places,
    ...{ x: { operand: "x" }, y: { operand: "dy" }, u, scratch, scratchStride: own.bytes },
    ...{ cin, cout, tiles, block, chunkTiles, coutBlock, coutBlocks },
    ...{ vPoint, mPoint, chunkBytes },
  }, [
    sideWords(tiling, sides[0], shape, planes[0]),
    sideWords(tiling, sides[1], shape, planes[1]),
  ]);
  const gradient = { module: WINOGRAD_MODULE, name: "gradient", args, tasks: chunks * coutBlocks };
  const sums: PlannedJob = {
    module: WINOGRAD_MODULE,
    name: "sums",
    args: filterWords({
      ...{ w: { operand: "dw" }, wRow: 36 * cin, wColumn: 36, turned: 0 },
      ...{ u, uRow, uPoint, columns: cin, chunks, chunkBytes, scratch: buffers },
    }),
    tasks: cout,
    grain: Math.max(1, Math.ceil(1000 / cin)),
  };
  return { jobs: [gradient, sums], scratchBytes: all.bytes, flops: flopsOf(shape) };
}

interface Tiling {
  across: number;
  perImage: number;
  outHeight: number;
  outWidth: number;
}

function tilingOf({ height, width, pad }: WinogradShape): Tiling {
  const [outHeight, outWidth] = [height + 2 * pad - 2, width + 2 * pad - 2];
  const across = Math.ceil(outWidth / 4);
  return { across, perImage: across * Math.ceil(outHeight / 4), outHeight, outWidth };
}

function inputSide({ height, width, pad, cin, xPlanes }: WinogradShape): Side {
  return { height, width, pad, halo: 2, channels: xPlanes ?? cin };
}

function gradientSide(tiling: Tiling, { cout, dyPlanes }: WinogradShape): Side {
  const { outHeight, outWidth } = tiling;
  return { height: outHeight, width: outWidth, pad: 0, halo: 0, channels: dyPlanes ?? cout };
}

/** Bytes of a row in the buffer of planes: whole tiles, the overlap, room to read whole vectors. */
function rowBytes(tiling: Tiling, side: Side): number {
  return 4 * (4 * tiling.across + 2 * side.halo);
}

/** The most rows that a block of tiles takes in the buffer; blocks start anew in every chunk. */
function bufferRows(
  { across, perImage }: Tiling,
  block: number,
  tiles: number,
  chunkTiles = tiles,
): number {
  let most = 0;
  const row = (tile: number) => Math.floor((tile % perImage) / across);
  for (let first = 0; first < tiles;) {
    const chunkEnd = (Math.floor(first / chunkTiles) + 1) * chunkTiles;
    const last = Math.min(tiles, first + block, chunkEnd);
    let rows = 0;
    for (let tile = first; tile < last;) {
      const end = Math.min(last, (Math.floor(tile / perImage) + 1) * perImage);
      rows += TILE_ROWS * (row(end - 1) - row(tile) + 1);
      tile = end;
    }
    most = Math.max(most, rows);
    first = last;
  }
  return most;
}

function sideWords(tiling: Tiling, side: Side, shape: WinogradShape, planeBytes: number): number[] {
  const { height, width, pad, channels } = side;
  const { across, perImage, outHeight, outWidth } = tiling;
  return [
    ...[height, width, pad, rowBytes(tiling, side), planeBytes, channels],
    ...[across, perImage, outHeight, outWidth, shape.cout],
  ];
}

function flopsOf(shape: WinogradShape): number {
  const { outHeight, outWidth } = tilingOf(shape);
  return 18 * shape.images * shape.cin * shape.cout * outHeight * outWidth;
}

function layOut(words: Partial<Record<WinogradArg, ArgWord>>, sides: number[][]): ArgWord[] {
  return [...WINOGRAD_ARGS.map((name) => words[name] ?? 0), ...sides.flat()];
}

function filterWords(words: Record<typeof FILTER_ARGS[number], ArgWord>): ArgWord[] {
  return FILTER_ARGS.map((name) => words[name]);
}
