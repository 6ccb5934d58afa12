/** The tiles of the matrix product and which one a shape gets. */
import type { DeviceFacts } from "./step.ts";

/** Parameters of the matrix product template. All sizes are multiples of 4. */
export interface Tile {
  readonly name: string;
  /** Rows and columns of the result that a workgroup computes. */
  readonly rows: number;
  readonly columns: number;
  /** Terms of the sums that are in workgroup memory at a time. */
  readonly depth: number;
  /** Rows and columns of the result that a thread computes. */
  readonly threadRows: number;
  readonly threadColumns: number;
  /**
   * 2: while one half of the workgroup memory is multiplied, the next part of the operands is on its
   * way through registers into the other. 1: load, wait, multiply: half the memory and code.
   */
  readonly stages: 1 | 2;
}

/**
 * From large to small; the last always works. Measured on an H100 (Deno 2.9.6, f32): 256×128 at
 * 4096³ 42.3 TFLOP/s against cuBLAS's 51.7; 64×64 was the best below 2048. 32×32 is for results so
 * small that larger tiles would be mostly padding or leave the device idle; not yet measured there.
 * 32×32×4 has little code: on software adapters, where a kernel compiles longer than it runs (64×64:
 * 1.5 s on llvmpipe and 2.5 s on SwiftShader, this one 0.16 s and 0.14 s).
 */
export const TILES: readonly Tile[] = [
  {
    name: "256x128x16",
    rows: 256,
    columns: 128,
    depth: 16,
    threadRows: 16,
    threadColumns: 8,
    stages: 2,
  },
  {
    name: "64x64x16",
    rows: 64,
    columns: 64,
    depth: 16,
    threadRows: 8,
    threadColumns: 8,
    stages: 2,
  },
  {
    name: "32x32x16",
    rows: 32,
    columns: 32,
    depth: 16,
    threadRows: 4,
    threadColumns: 4,
    stages: 1,
  },
  {
    name: "32x32x4",
    rows: 32,
    columns: 32,
    depth: 4,
    threadRows: 4,
    threadColumns: 4,
    stages: 1,
  },
];

/** Workgroups that keep a large device busy. */
const BUSY = 128;

/** Products of a matrix product that a software adapter has done before it has compiled more code. */
const LITTLE_WORK = 1 << 24;

/** Sizes of a matrix product: `batch` results of `m` × `n` from sums of `k` terms. */
export interface ProductSize {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Threads of a workgroup. */
export function tileThreads(tile: Tile): number {
  return tile.rows / tile.threadRows * (tile.columns / tile.threadColumns);
}

/** Bytes of workgroup memory. */
export function tileBytes(tile: Tile): number {
  return (tile.rows + tile.columns) * tile.depth * 4 * tile.stages;
}

/** Workgroups for a product. */
export function tileCount(tile: Tile, { batch, m, n }: ProductSize): number {
  return batch * Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns);
}

/** Whether a device can run a tile. */
export function tileFits(tile: Tile, facts: DeviceFacts): boolean {
  return tileThreads(tile) <= facts.workgroupSize && tileBytes(tile) <= facts.workgroupBytes;
}

/** Chooses the tile for a product. */
export function chooseTile(size: ProductSize, facts: DeviceFacts): Tile {
  const named = TILES.find((tile) => tile.name === facts.tile);
  if (named) return named;
  const [small, smallest] = TILES.slice(-2) as [Tile, Tile];
  if (facts.software) {
    return size.batch * size.m * size.n * size.k < LITTLE_WORK ? smallest : small;
  }
  for (const tile of TILES) {
    const padded = Math.ceil(size.m / tile.rows) * tile.rows *
      (Math.ceil(size.n / tile.columns) * tile.columns);
    const large = tile.rows > 64;
    if (!tileFits(tile, facts) || padded > 1.5 * size.m * size.n) continue;
    if (!large || tileCount(tile, size) >= BUSY) return tile;
  }
  return small;
}

/**
 * Parts into which long sums are split so that a small result still fills the device; 1 where that
 * does not pay.
 */
export function splitDepth(tile: Tile, size: ProductSize): number {
  const count = tileCount(tile, size);
  if (count >= BUSY / 2 || size.k < 1024) return 1;
  return Math.max(1, Math.min(Math.floor(BUSY / count), Math.floor(size.k / 256)));
}
