/** Many tensors in one array: how an optimizer lays out parameters, gradients and its state. */
import { makeTensor, wholeTensor } from "./base.ts";
import type { Backend } from "./backends/backend.ts";
import { allocateStorage } from "./compile/storage.ts";
import { currentTrace, withoutTrace } from "./compile/trace.ts";
import { arange } from "./create.ts";
import { fromValues } from "./host_values.ts";
import { lt } from "./comparison.ts";
import { where } from "./choice.ts";
import { bytesOf } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous, reshape } from "./view.ts";
import { slice } from "./slice.ts";

/**
 * Every tensor starts at a multiple of this many elements: 256 bytes of float32, which is what a GPU
 * asks of the start of a bound range.
 */
export const ARENA_BLOCK = 64;

/** Where tensors lie in an arena of `blocks` rows of `ARENA_BLOCK` elements. */
export interface ArenaLayout {
  /** Elements of each tensor. */
  readonly sizes: readonly number[];
  /** First row of each tensor. */
  readonly rows: readonly number[];
  /** Number of rows. */
  readonly blocks: number;
  /** Whether some rows are not full. */
  readonly padded: boolean;
}

/** Layouts seen so far, so that clipping and the optimizer recognize each other's arrays. */
const layouts = new Map<string, ArenaLayout>();
const LAYOUT_LIMIT = 256;

/** The layout of tensors of these sizes, one after the other. */
export function arenaLayout(sizes: readonly number[]): ArenaLayout {
  const key = sizes.join(",");
  let layout = layouts.get(key);
  if (!layout) {
    const rows: number[] = [];
    let blocks = 0;
    for (const size of sizes) {
      rows.push(blocks);
      blocks += Math.ceil(size / ARENA_BLOCK);
    }
    const padded = sizes.some((size) => size % ARENA_BLOCK !== 0);
    layout = { sizes: [...sizes], rows, blocks, padded };
    if (layouts.size >= LAYOUT_LIMIT) layouts.clear();
    layouts.set(key, layout);
  }
  return layout;
}

/** A constant of the host that plans capture like a parameter: one per layout, device and key. */
const constants = new WeakMap<ArenaLayout, Map<string, Tensor>>();

/** One number per row as `[blocks, 1]`, kept with the layout under a key. */
export function perRow(
  layout: ArenaLayout,
  backend: Backend,
  key: string,
  dtype: "int32" | "float32" | "bool",
  values: () => ArrayLike<number>,
): Tensor {
  let known = constants.get(layout);
  if (!known) constants.set(layout, known = new Map());
  const name = `${backend.name} ${key}`;
  let constant = known.get(name);
  if (!constant?.storage.buffer) {
    constant = withoutTrace(() => fromValues(values(), [layout.blocks, 1], dtype, backend));
    constant.storage.shared = true;
    known.set(name, constant);
  }
  return constant;
}

/** The same number for all rows of a tensor, as an array over rows. */
export function spreadRows(layout: ArenaLayout, valueOf: (i: number) => number): Float64Array {
  const values = new Float64Array(layout.blocks);
  for (const [i, row] of layout.rows.entries()) {
    values.fill(valueOf(i), row, layout.rows[i + 1] ?? layout.blocks);
  }
  return values;
}

function filledOfRows(layout: ArenaLayout): Float64Array {
  const filled = new Float64Array(layout.blocks).fill(ARENA_BLOCK);
  for (const [i, size] of layout.sizes.entries()) {
    const rest = size % ARENA_BLOCK;
    if (rest) filled[layout.rows[i]! + Math.floor(size / ARENA_BLOCK)] = rest;
  }
  return filled;
}

/** An arena with zeros where no tensor lies; packed arrays hold anything there. */
export function withoutPadding(flat: Tensor, layout: ArenaLayout): Tensor {
  if (!layout.padded) return flat;
  const { backend } = flat.storage;
  const filled = perRow(layout, backend, "filled", "int32", () => filledOfRows(layout));
  const column = arange(0, ARENA_BLOCK, 1, { device: backend.name });
  return where(lt(column, filled), flat, 0);
}

function liesAt(x: Tensor, whole: Tensor, offset: number): boolean {
  return x.storage === whole.storage && x.isContiguous() &&
    (x.offset === offset || sizeOf(x.shape) === 0);
}

/** The arena that the tensors already are views of, if they lie in it as the layout says. */
export function arenaOf(
  parts: readonly (Tensor | undefined)[],
  layout: ArenaLayout,
): Tensor | undefined {
  const [first] = parts;
  if (!first || first.storage.size !== layout.blocks * ARENA_BLOCK) return undefined;
  for (const [i, part] of parts.entries()) {
    if (!part || !liesAt(part, first, layout.rows[i]! * ARENA_BLOCK)) return undefined;
  }
  return wholeTensor(first.storage, [layout.blocks, ARENA_BLOCK]);
}

/**
 * Tensors of one dtype and device laid out as one `[blocks, ARENA_BLOCK]` array. Elements between
 * them, and in place of absent ones, are undefined. While a function is traced their producers write
 * into it directly; tensors that already lie so are not copied. Not differentiable.
 *
 * @param parts At least one tensor.
 */
export function packArena(parts: readonly (Tensor | undefined)[], layout: ArenaLayout): Tensor {
  const there = arenaOf(parts, layout);
  if (there) return there;
  const shape = [layout.blocks, ARENA_BLOCK];
  const size = sizeOf(shape);
  const first = parts.find((x) => x !== undefined)!;
  const { backend } = first.storage;
  const { dtype } = first;
  const filled = [...parts.keys()].filter((i) => parts[i] && layout.sizes[i]! > 0);
  const trace = currentTrace();
  if (trace && trace.backend === backend) {
    const values = filled.map((i) => trace.valueOf(wholeOf(parts[i]!).storage));
    const offsets = filled.map((i) => layout.rows[i]! * ARENA_BLOCK);
    const packed = trace.pack(values, offsets, size, "pack");
    return wholeTensor(trace.storageOf(packed), shape);
  }
  const storage = allocateStorage(backend, dtype, size);
  const width = bytesOf(dtype);
  for (const i of filled) {
    const part = contiguous(parts[i]!);
    const target = layout.rows[i]! * ARENA_BLOCK * width;
    const bytes = layout.sizes[i]! * width;
    backend.copy(part.storage.buffer!, part.offset * width, storage.buffer!, target, bytes);
  }
  return wholeTensor(storage, shape);
}

function wholeOf(x: Tensor): Tensor {
  const y = contiguous(x);
  return y.offset === 0 && y.storage.size === sizeOf(y.shape) ? y : contiguous(y, true);
}

/** One tensor of an arena, as a view. */
export function arenaView(
  flat: Tensor,
  layout: ArenaLayout,
  i: number,
  shape: readonly number[],
): Tensor {
  const start = layout.rows[i]! * ARENA_BLOCK;
  const line = reshape(flat, [layout.blocks * ARENA_BLOCK]);
  return reshape(slice(line, 0, start, start + layout.sizes[i]!), shape);
}

/** Makes the handles of `parts` views of an arena that holds their values. */
export function moveIntoArena(parts: readonly Tensor[], layout: ArenaLayout, flat: Tensor): void {
  for (const [i, part] of parts.entries()) {
    part.rebind(flat.storage, arenaView(flat, layout, i, part.shape));
  }
}

/** A handle of its own on the memory of another tensor, without its history. */
export function aliasOf(x: Tensor): Tensor {
  return makeTensor(x.storage, x);
}
