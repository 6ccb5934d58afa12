/**
 * Attention by blocks of queries: the scores of one block at a time, forward and backward, so that
 * memory grows with the context and not with its square (after Dao et al. 2022, FlashAttention: the
 * forward pass keeps one number per query, and the backward pass computes the weights again, and
 * which of them were dropped).
 */
import {
  type Arrays,
  at,
  type Block,
  deltaStep,
  type Sizes,
  Tile,
  type TileAttributes,
} from "./attention_tile_kernels.ts";
import { attentionGradient, type AttentionParts } from "./attention_whole.ts";
import type { GradientContext } from "./autograd.ts";
import { arange } from "./create.ts";
import { isGradEnabled } from "./grad_mode.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { SequenceBlock, SequenceStep } from "./ir/graph.ts";
import type { MapKernel } from "./ir/kernel.ts";
import type { RandomKey } from "./random_stream.ts";
import { applySequence, type SequenceDefinition } from "./sequence.ts";
import type { Tensor } from "./tensor.ts";

/** Contexts up to this are one block; longer ones go by blocks of half of it. */
const LONGEST_BLOCK = 128;

/** Inputs in order; the mask and the key of dropout are there where they are used. */
function inputNames({ masked, dropoutP }: TiledAttributes): string[] {
  return ["q", "k", "v", "rows", ...masked ? ["mask"] : [], ...dropoutP > 0 ? ["key"] : []];
}

interface TiledAttributes extends TileAttributes {
  readonly masked: boolean;
}

function numbered(names: readonly string[]): Arrays {
  return Object.fromEntries(names.map((name, i) => [name, i]));
}

function sizesOf([q, k, v, , mask]: readonly Tensor[], { masked }: TiledAttributes): Sizes {
  const [n, g, t, d] = q!.shape as [number, number, number, number];
  const s = k!.size(1), width = v!.size(2);
  return { dtype: q!.dtype, n, g, t, s, d, v: width, mask: masked ? mask : undefined };
}

/** Blocks of queries: whole ones in one loop, then a shorter one. */
function blocksOf(t: number): (Block & { count: number })[] {
  if (t <= LONGEST_BLOCK) return [{ rows: t, first: 0, count: 1 }];
  const rows = LONGEST_BLOCK / 2;
  const count = Math.floor(t / rows), rest = t - count * rows;
  const whole = { rows, first: 0, count };
  return rest ? [whole, { rows: rest, first: count * rows, count: 1 }] : [whole];
}

/** Inputs q, k, v, rows [T], then mask and key; arrays o [N, G, T, V], lse [N, G, T]. */
const ATTENTION: SequenceDefinition<TiledAttributes> = {
  name: "attention",
  lower(inputs, attributes) {
    const sizes = sizesOf(inputs, attributes);
    const { dtype, n, g, t, s, v } = sizes;
    const arrays = numbered([...inputNames(attributes), "o", "lse", "scores", "weights"]);
    const tiles = blocksOf(t);
    const blocks = tiles.map((block): SequenceBlock => {
      const tile = new Tile(sizes, attributes, arrays, block);
      const steps = [
        tile.scores(),
        tile.softmax(),
        tile.overKeys("values", "weights", "v", v, "o"),
      ];
      return { count: block.count, steps };
    });
    const scores = { dtype, shape: [n, g, tiles[0]!.rows, s], scratch: true };
    return {
      blocks,
      arrays: [
        { dtype, shape: [n, g, t, v] },
        { dtype, shape: [n, g, t] },
        scores,
        scores,
      ],
    };
  },
  saves: "both",
  gradient: (c) => {
    // A gradient that may itself be differentiated consists of operations on whole matrices.
    if (isGradEnabled()) return attentionGradient(partsOf(c), c.grad(0));
    const inputs = inputNames(c.attributes).map((_, i) => c.input(i));
    return applySequence(
      ATTENTION_BACKWARD,
      [...inputs, c.output(0), c.output(1), c.grad(0)],
      c.attributes,
    );
  },
};

function partsOf(c: GradientContext<TiledAttributes>): AttentionParts {
  const numbers = numbered(inputNames(c.attributes));
  const input = (name: string): Tensor => c.input(numbers[name]!);
  const { masked, dropoutP, call } = c.attributes;
  return {
    ...c.attributes,
    q: input("q"),
    k: input("k"),
    v: input("v"),
    mask: masked ? input("mask") : undefined,
    dropout: dropoutP > 0 ? { key: input("key"), call } : undefined,
  };
}

/** `target = part`, or `target += part`. */
function accumulateStep(
  dtype: DType,
  size: number,
  part: number,
  target: number,
  add: boolean,
): SequenceStep {
  const index = e.axis(0, size);
  const piece = e.load(0, dtype, index);
  const kernel: MapKernel = {
    kind: "map",
    shape: [size],
    inputs: add ? [{ dtype }, { dtype }] : [{ dtype }],
    outputs: [{
      dtype,
      value: add ? e.add(e.load(1, dtype, index), piece) : piece,
      index: undefined,
    }],
  };
  return {
    kernel,
    label: "sum",
    arguments: add ? [at(part), at(target), at(target)] : [at(part), at(target)],
  };
}

/** Inputs those of `ATTENTION`, then o, lse, dO; arrays dQ, dK, dV. */
const ATTENTION_BACKWARD: SequenceDefinition<TiledAttributes> = {
  name: "attentionBackward",
  lower(inputs, attributes) {
    const sizes = sizesOf(inputs, attributes);
    const { dtype, n, g, t, s, d, v } = sizes;
    const given = [...inputNames(attributes), "o", "lse", "dO"];
    const made = ["dQ", "dK", "dV", "weights", "dScores", "delta", "part"];
    const arrays = numbered([...given, ...made]);
    const tiles = blocksOf(t);
    const single = tiles.length === 1 && tiles[0]!.count === 1;
    const blockSteps = (block: Block, fresh: boolean): SequenceStep[] => {
      const tile = new Tile(sizes, attributes, arrays, block);
      const perKey = (
        label: string,
        factors: readonly [string, string],
        width: number,
        target: string,
      ): SequenceStep[] => {
        if (single) return [tile.overQueries(label, factors, width, target)];
        return [
          tile.overQueries(label, factors, width, "part"),
          accumulateStep(dtype, n * s * width, arrays.part!, arrays[target]!, !fresh),
        ];
      };
      return [
        tile.weights(),
        tile.scoreGradient(),
        tile.overKeys("query gradient", "dScores", "k", d, "dQ"),
        ...perKey("key gradient", ["dScores", "q"], d, "dK"),
        ...perKey("value gradient", ["weights", "dO"], v, "dV"),
      ];
    };
    const blocks: SequenceBlock[] = [{ count: 1, steps: [deltaStep(sizes, arrays)] }];
    for (const [i, { rows, first, count }] of tiles.entries()) {
      // The first block starts the sums over queries, the others add to them.
      if (i === 0) {
        blocks.push({ count: 1, steps: blockSteps({ rows, first }, true) });
        if (count > 1) {
          const rest = blockSteps({ rows, first: first + rows }, false);
          blocks.push({ count: count - 1, steps: rest });
        }
      } else blocks.push({ count, steps: blockSteps({ rows, first }, false) });
    }
    const scores = { dtype, shape: [n, g, tiles[0]!.rows, s], scratch: true };
    return {
      blocks,
      arrays: [
        { dtype, shape: [n, g, t, d] },
        { dtype, shape: [n, s, d] },
        { dtype, shape: [n, s, v] },
        scores,
        scores,
        { dtype, shape: [n, g, t], scratch: true },
        { dtype, shape: [single ? 0 : n * s * Math.max(d, v)], scratch: true },
      ],
    };
  },
};

/** What attention by blocks is of. */
export interface TiledOptions {
  readonly causal: boolean;
  readonly scale: number;
  /** Leading axes of the queries; N · G is their product. */
  readonly outer: readonly number[];
  /** Bool (true takes part) or added; broadcasts to `[...outer, T, S]`. */
  readonly mask: Tensor | undefined;
  /** Probability with which weights are dropped, and what says which, where it is not 0. */
  readonly dropoutP: number;
  readonly dropout: RandomKey | undefined;
}

/**
 * Attention by blocks.
 *
 * Shapes: q `[N, G, T, D]`, k `[N, S, D]`, v `[N, S, V]`; the G query heads of a group share keys and
 * values. Result `[N, G, T, V]`. No gradient flows to the mask.
 */
export function attentionByTiles(q: Tensor, k: Tensor, v: Tensor, options: TiledOptions): Tensor {
  const { causal, scale, outer, mask, dropoutP, dropout } = options;
  const rows = arange(0, q.shape[2]!, 1, { device: q.device });
  const inputs = [q, k, v, rows, ...mask ? [mask] : [], ...dropout ? [dropout.key] : []];
  const call = dropout?.call ?? 0;
  const attributes = { causal, scale, outer, dropoutP, call, masked: Boolean(mask) };
  return applySequence(ATTENTION, inputs, attributes)[0]!;
}
