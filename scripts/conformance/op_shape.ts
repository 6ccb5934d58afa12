/** Views, joins and indexing. */
import * as T from "../../ops/mod.ts";
import { type Parameters, type Row, row } from "./parameters.ts";

async function startOf({ start }: Parameters): Promise<number> {
  return typeof start === "object" ? await start.item() : start;
}

/** Masks among indices become the positions of their true elements. */
async function wholeIndices(indices: readonly T.Tensor[]): Promise<T.Tensor[]> {
  const whole: T.Tensor[] = [];
  for (const index of indices) {
    if (index.dtype !== "bool") whole.push(index);
    else whole.push(...(await T.nonzero(index)).unbind(1));
  }
  return whole;
}

/** Rows by PyTorch's name. */
export const SHAPE_ROWS: Record<string, Row> = {
  broadcast_to: row("input shape", (p) => T.expand(p.input, p.shape)),
  cat: row("tensors dim", (p) => T.cat(p.tensors, p.dim)),
  stack: row("tensors dim", (p) => T.stack(p.tensors, p.dim)),
  chunk: row("input chunks dim", (p) => T.chunk(p.input, p.chunks, p.dim)),
  diag: row("input offset", (p) => T.diag(p.input, p.offset)),
  diagonal: row(
    "input offset dim1 dim2",
    (p) => T.diagonal(p.input, p.offset, p.dim1, p.dim2),
  ),
  expand: row("input shape", (p) => T.expand(p.input, p.shape)),
  flatten: row("input start_dim end_dim", (p) => T.flatten(p.input, p.startDim, p.endDim)),
  flip: row("input dims", (p) => T.flip(p.input, p.dims)),
  fliplr: row("input", (p) => T.fliplr(p.input)),
  flipud: row("input", (p) => T.flipud(p.input)),
  gather: row("input dim index", (p) => T.gather(p.input, p.dim, p.index)),
  index_add: row(
    "input dim index source",
    (p) => T.indexAdd(p.input, p.dim, p.index, p.source, p),
  ),
  index_put: row(
    "input indices values",
    async (p) => T.indexPut(p.input, await wholeIndices(p.indices), p.values, p),
  ),
  index_select: row("input dim index", (p) => T.indexSelect(p.input, p.dim, p.index)),
  masked_fill: row(
    "input mask value",
    (p) => T.maskedFill(p.input, p.mask, p.value),
  ),
  masked_select: row("input mask", (p) => T.maskedSelect(p.input, p.mask)),
  movedim: row("input dims destination", (p) => T.movedim(p.input, p.dims, p.destination)),
  narrow: row(
    "input dim start length",
    async (p) => T.narrow(p.input, p.dim, await startOf(p), p.length),
  ),
  permute: row("input dims", (p) => T.permute(p.input, p.dims)),
  repeat: row("input sizes", (p) => T.repeat(p.input, p.sizes)),
  tile: row("input sizes", (p) => T.tile(p.input, p.sizes)),
  repeat_interleave: row("input repeats dim", async (p) => {
    if (typeof p.repeats === "number") return T.repeatInterleave(p.input, p.repeats, p.dim);
    return T.repeatInterleaveEach(p.input, [...await p.repeats.data()], p.dim);
  }),
  reshape: row("input shape", (p) => T.reshape(p.input, p.shape)),
  view: row("input shape", (p) => p.input.view(p.shape)),
  roll: row("input sizes dims", (p) => T.roll(p.input, p.sizes, p.dims)),
  rot90: row("input k dims", (p) => T.rot90(p.input, p.k, p.dims as [number, number])),
  scatter: row("input dim index source", (p) =>
    T.scatter(p.input, p.dim, p.index, p.source, {
      reduce: p.reduce as "add" | "multiply" | undefined,
    })),
  scatter_add: row(
    "input dim index source",
    (p) => T.scatterAdd(p.input, p.dim, p.index, p.source),
  ),
  select: row("input dim k", (p) => T.select(p.input, p.dim, p.k)),
  split: row("input sizes dim", (p) => T.split(p.input, p.sizes, p.dim)),
  squeeze: row("input dim", (p) => T.squeeze(p.input, p.dim)),
  unsqueeze: row("input dim", (p) => T.unsqueeze(p.input, p.dim)),
  take_along_dim: row(
    "input index dim",
    (p) =>
      p.dim === undefined
        ? T.gather(p.input.reshape([-1]), 0, p.index.reshape([-1]))
        : T.takeAlongDim(p.input, p.index, p.dim),
  ),
  transpose: row("input dim1 dim2", (p) => T.transpose(p.input, p.dim1, p.dim2)),
  tril: row("input offset", (p) => T.tril(p.input, p.offset)),
  triu: row("input offset", (p) => T.triu(p.input, p.offset)),
  unbind: row("input dim", (p) => T.unbind(p.input, p.dim)),
  unfold: row("input dim size step", (p) => T.unfold(p.input, p.dim, p.size, p.step)),
  "nn.functional.one_hot": row("input", async (p) => {
    const classes = p.numClasses > 0 ? p.numClasses : Math.max(-1, ...await p.input.data()) + 1;
    return T.oneHot(p.input, classes);
  }),
};
