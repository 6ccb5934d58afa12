/**
 * Tile sizes and choices between kernels on the CPU, each with the measurement behind it.
 *
 * Measured on two cores of an EPYC (Zen 5, 48 kB L1, 1 MB L2 per core), Deno 2.9.6, by
 * `tests/backends/wasm/bench_gemm.ts`. Nothing here changes results except `kBlock`, `dotBlock` and
 * the chunks, which are fixed by the shape alone.
 *
 * @module
 */

/** Columns in a panel of B. */
const PANEL = 24;

/**
 * k per block: a panel of B, 24 columns × 256 × 4 bytes, is half of the L1 cache.
 * 1024³ on one core: 128: 60, 256: 64, 384: 63 GFLOP/s.
 */
export const K_BLOCK = 256;

/** k per block where B is read in place: eight rows of B, which the hardware prefetches. */
export const K_BLOCK_DIRECT = 8;

/** Up to so many rows, B with contiguous rows is read in place instead of packed. */
export const DIRECT_ROWS = 8;

/** Up to so many rows, B contiguous along k is multiplied by dot products, unpacked. */
export const DOT_ROWS = 128;

/** k per block of dot products: six rows of B, 24 kB. */
export const DOT_BLOCK = 1024;

/** Rows of A per tile: 512 × 256 × 4 bytes are half of the L2 cache. */
export const MAX_ROWS = 512;

/** Operands up to this size are packed ahead, once for all tiles, if tiles share them: in L3. */
export const PACK_AHEAD_BYTES: number = 16 * 1024 * 1024;

/** FLOPs per task at the least, about 20 µs: below, dispatch and packing cost too much. */
export const TASK_FLOPS = 1_200_000;

/** Tasks per thread where there is enough work: the last ones even out. */
const TASKS_PER_THREAD = 4;

/** How C is divided. */
export interface TileGrid {
  /** Rows of C per tile. */
  tileRows: number;
  /** Columns of C per tile, in whole panels. */
  tileColumns: number;
  /** Tiles over the rows. */
  rowTiles: number;
  /** Tiles over the columns. */
  columnTiles: number;
}

/** How even the threads' shares are to be; a grid that comes near it is not improved. */
const EVEN = 0.97;

/** What a tile costs beside its sums, in multiplications of a row with a panel at k = 1. */
const TILE_COST = 800;

/**
 * Divides C among tasks.
 *
 * Columns first: a tile with all rows packs each panel of B once. Few panels: rows. Where the threads'
 * shares come out uneven, grids of smaller tiles are compared by when the last thread would be done:
 * 32 × 1024 × 256 on two threads in 8 tiles of 144 columns (the last has 16) took 80 µs, in 15 of 72
 * columns 73 µs.
 *
 * @param m Rows of C.
 * @param n Columns of C.
 * @param k Length of the sums.
 * @param instances Products of this shape in the job: batches times chunks.
 * @param threads Threads of the pool.
 * @returns The grid for one product.
 */
export function chooseTiles(
  m: number,
  n: number,
  k: number,
  instances: number,
  threads: number,
): TileGrid {
  // A product with few rows is bound by reading B: as much work as eight rows.
  const flops = 2 * Math.max(m, 8) * n * Math.max(1, k) * instances;
  const tasks = threads === 1 ? 1 : Math.max(
    1,
    Math.min(threads * TASKS_PER_THREAD, Math.floor(flops / TASK_FLOPS)),
  );
  const wanted = Math.ceil(tasks / instances);
  const panels = Math.max(1, Math.ceil(n / PANEL));
  const split = panels >= 2 * wanted ? wanted : m >= 16 * wanted ? 1 : Math.min(panels, wanted);
  const tilePanels = Math.ceil(panels / split);
  const columnTiles = Math.ceil(panels / tilePanels);
  const rowTiles = Math.max(Math.ceil(wanted / columnTiles), Math.ceil(m / MAX_ROWS));
  const first = gridOf(m, n, rowTiles, tilePanels);
  return wanted === 1 || instances > 1 ? first : evenGrid(first, m, n, k, threads);
}

/** Tiles of `panels` panels and about one part in `rowTiles` of the rows. */
function gridOf(m: number, n: number, rowTiles: number, panels: number): TileGrid {
  // The panel functions take two rows at a time, or three; in high tiles a rest does not matter.
  const step = rowTiles > 1 && m >= 12 && m / rowTiles < 48 ? 6 : 2;
  const tileRows = Math.max(2, Math.ceil(m / rowTiles / step) * step);
  const tileColumns = panels * PANEL;
  return {
    tileRows,
    tileColumns,
    rowTiles: Math.max(1, Math.ceil(m / tileRows)),
    columnTiles: Math.max(1, Math.ceil(n / tileColumns)),
  };
}

/** The given grid, or one of smaller tiles that is done sooner. */
function evenGrid(first: TileGrid, m: number, n: number, k: number, threads: number): TileGrid {
  let best = first;
  let least = timeOf(first, m, n, k, threads);
  if (m * n / PANEL / threads >= EVEN * least) return first;
  for (let panels = first.tileColumns / PANEL; panels >= 1; panels--) {
    for (let rowTiles = first.rowTiles; rowTiles >= 1; rowTiles--) {
      const grid = gridOf(m, n, rowTiles, panels);
      if (grid.rowTiles * grid.columnTiles > 2 * TASKS_PER_THREAD * threads) continue;
      const time = timeOf(grid, m, n, k, threads);
      if (time < least) [best, least] = [grid, time];
    }
  }
  return best;
}

/** When the last thread is done, if each takes the next tile: in rows times panels. */
function timeOf(grid: TileGrid, m: number, n: number, k: number, threads: number): number {
  const busy = new Array<number>(threads).fill(0);
  for (let column = 0; column < grid.columnTiles; column++) {
    for (let row = 0; row < grid.rowTiles; row++) {
      const rows = Math.min(grid.tileRows, m - row * grid.tileRows);
      const columns = Math.min(grid.tileColumns, n - column * grid.tileColumns);
      const next = busy.indexOf(Math.min(...busy));
      busy[next]! += rows * columns / PANEL + TILE_COST / Math.max(1, k);
    }
  }
  return Math.max(...busy);
}

/**
 * Into how many fixed chunks k is divided, so that a small C with long sums keeps threads busy.
 * Depends on the shape alone: results do not depend on the number of threads.
 *
 * @param m Rows of C.
 * @param n Columns of C.
 * @param k Length of the sums.
 * @param batches Products in the job.
 * @returns Number of chunks; 1 means that k is not divided.
 */
export function chooseChunks(m: number, n: number, k: number, batches: number): number {
  return batches === 1 && m * n <= 32768 && k >= 2048 ? Math.min(16, k >>> 10) : 1;
}

/** Transformed input and products of a block, at most so many bytes: about the L2 cache. */
const WINOGRAD_BYTES = 1_200_000;

/**
 * Rows of filters whose products are kept at a time.
 *
 * @param cin Channels of the input.
 * @param cout Channels of the output.
 * @returns Rows.
 */
export function winogradRows(cin: number, cout: number): number {
  return cout <= 64 ? cout : Math.max(32, Math.min(64, cin));
}

/**
 * Tiles in a block.
 *
 * @param cin Channels of the input.
 * @param rows Rows of filters at a time.
 * @param tiles Tiles in all.
 * @param threads Threads, or 1 where the block must not depend on them.
 * @returns A multiple of 24, a panel.
 */
export function winogradBlock(cin: number, rows: number, tiles: number, threads: number): number {
  const fitting = Math.floor(WINOGRAD_BYTES / (144 * (cin + rows)) / PANEL);
  const sharing = Math.ceil(tiles / (3 * threads) / PANEL);
  return PANEL * Math.max(1, Math.min(8, fitting, sharing));
}

/** How the gradient of the weights is divided. */
export interface WinogradChunks {
  /** Tiles in a chunk, which has a transformed gradient of its own. */
  chunkTiles: number;
  /** Channels of the output per task. */
  coutBlock: number;
  /** Tiles in a block, at most. */
  block: number;
}

/**
 * Divides the gradient of the weights, by the shape alone: results do not depend on threads.
 *
 * A chunk costs writing and reading its gradient, 36 × cin × cout, so it should have about 200
 * tiles (15 % at that); where that gives few chunks, the output's channels are divided too, which
 * repeats the transforms of the input (12 % with 64 channels, 25 % with 32).
 *
 * @param cin Channels of the input.
 * @param cout Channels of the output.
 * @param tiles Tiles in all.
 * @returns The division.
 */
export function winogradChunks(cin: number, cout: number, tiles: number): WinogradChunks {
  const chunks = Math.max(1, Math.min(16, Math.floor(tiles / 192)));
  const blocks = Math.max(
    Math.ceil(cout / 64),
    Math.min(Math.ceil(cout / 32), Math.ceil(16 / chunks)),
  );
  const coutBlock = Math.ceil(cout / blocks);
  const chunkTiles = Math.ceil(tiles / chunks / 4) * 4;
  const most = Math.max(24, Math.min(128, Math.floor(WINOGRAD_BYTES / (144 * (cin + coutBlock)))));
  const block = Math.ceil(chunkTiles / Math.ceil(chunkTiles / most) / 8) * 8;
  return { chunkTiles, coutBlock, block };
}

/** A convolution, for the question whether Winograd's method suits it. */
export interface ConvolutionShape {
  /** The pass: forward, gradient of the input, gradient of the weights. */
  readonly role: "forward" | "input" | "weight";
  /** Rows and columns of the kernel. */
  readonly kernel: readonly [number, number];
  /** Steps between results. */
  readonly stride: readonly [number, number];
  /** Zeros around the input. */
  readonly pad: readonly [number, number];
  /** Steps between taps. */
  readonly dilation: readonly [number, number];
  /** Groups of channels. */
  readonly groups: number;
  /** Channels of the input. */
  readonly cin: number;
  /** Channels of the output. */
  readonly cout: number;
  /** Rows and columns of the output. */
  readonly output: readonly [number, number];
}

/**
 * Whether Winograd's method is the fastest for a convolution and its gradients.
 *
 * Milliseconds for 64 images of 48 × 48, forward: 3 → 32 channels 3.5, as the product of 32 × 27
 * with packed patches about 3; 32 → 64 channels 18, as a product at 130 GFLOP/s 42.
 *
 * @param c The convolution.
 * @returns The answer.
 */
export function suitsWinograd(c: ConvolutionShape): boolean {
  const is = (pair: readonly [number, number], value: number) =>
    pair[0] === value && pair[1] === value;
  if (!is(c.kernel, 3) || !is(c.stride, 1) || !is(c.dilation, 1) || c.groups !== 1) return false;
  if (c.pad[0] !== c.pad[1] || c.pad[0] > 2) return false;
  const [height, width] = c.output;
  // Results in tiles of 4 × 4: where most of them lie outside, nothing is gained.
  const used = height * width / (16 * Math.ceil(height / 4) * Math.ceil(width / 4));
  // The transforms of the array that is summed over must pay.
  return (c.role === "input" ? c.cout : c.cin) >= 4 && used >= 0.4;
}
