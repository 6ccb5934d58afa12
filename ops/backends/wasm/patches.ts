/**
 * Patches of images as an operand of a matrix product: any kernel size, step and dilation.
 *
 * Borders and steps are dealt with once: a first job copies each plane between zeros, its columns
 * sorted by their remainders modulo the step, so that a row of results reads contiguous elements
 * whatever the tap. Packing a panel is then copying short runs, an address from a table per tap.
 *
 * @module
 */
import type { ArgWord, PlannedJob } from "./kernel_plan.ts";
import { PATCH, PATCHES_MODULE, PLANES } from "./patches_module.ts";

/** Where the elements of patches lie. */
export interface PatchShape {
  /** Images, channels of each, and planes from one image of the array to the next. */
  readonly images: number;
  readonly channels: number;
  readonly imagePlanes: number;
  /** Rows and columns of a plane. */
  readonly input: readonly [number, number];
  /** Rows and columns of results: those of one plane. */
  readonly output: readonly [number, number];
  /** Rows and columns from one result to the next. */
  readonly step: readonly [number, number];
  /** For each tap of a column and of a row of the kernel: where it reads for result 0. */
  readonly taps: readonly [readonly number[], readonly number[]];
}

/** The first job, and what the pack functions take. Operands: `planes` (scratch) and the array. */
export interface Patches {
  readonly job: PlannedJob;
  /** Bytes of the operand `planes`. */
  readonly bytes: number;
}

interface Axis {
  /** First element between the zeros, and how many there are. */
  readonly low: number;
  readonly size: number;
}

function axisOf(taps: readonly number[], results: number, step: number): Axis {
  const low = Math.min(...taps);
  return { low, size: (results - 1) * step + Math.max(...taps) - low + 1 };
}

/**
 * Plans the copies and lays out the arguments of `pack` and `packTurned`, which follow those of the
 * job in its block.
 *
 * @param shape Geometry.
 * @param operand Name of the operand that holds the array.
 * @param perBatch Results per batch of the product.
 * @returns The job.
 */
export function planPatches(shape: PatchShape, operand: string, perBatch: number): Patches {
  const { images, channels, input, output, step, taps } = shape;
  const rows = axisOf(taps[0], output[0], step[0]);
  const columns = axisOf(taps[1], output[1], step[1]);
  const phase = Math.ceil(columns.size / step[1]);
  const rowBytes = 4 * phase * step[1];
  const planeBytes = rowBytes * rows.size;
  const table: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    for (const row of taps[0]) {
      for (const column of taps[1]) {
        const at = column - columns.low;
        const inRow = (at % step[1]) * phase + Math.floor(at / step[1]);
        table.push(channel * planeBytes + (row - rows.low) * rowBytes + 4 * inRow);
      }
    }
  }
  const planes = { operand: "planes" };
  const words: Record<typeof PLANES[number] | typeof PATCH[number], ArgWord> = {
    source: { operand },
    target: planes,
    channels,
    imageBytes: 4 * shape.imagePlanes * input[0] * input[1],
    height: input[0],
    width: input[1],
    top: rows.low,
    left: columns.low,
    rows: rows.size,
    columns: columns.size,
    step: step[1],
    phaseBytes: 4 * phase,
    rowBytes,
    planeBytes,
    planes,
    perBatch,
    across: output[1],
    perImage: output[0] * output[1],
    stepBytes: step[0] * rowBytes,
    packedImage: channels * planeBytes,
  };
  const args = [...PLANES, ...PATCH].map((name) => words[name]);
  const tasks = images * channels;
  const grain = Math.max(1, Math.ceil(40_000 / (rows.size * columns.size)));
  // Groups of four taps read past the end of the table, and short runs past the end of the planes.
  return {
    job: {
      module: PATCHES_MODULE,
      name: "planes",
      args: [...args, ...table, 0, 0, 0],
      tasks,
      grain,
    },
    bytes: tasks * planeBytes + 64,
  };
}
