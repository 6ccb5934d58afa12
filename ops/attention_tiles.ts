/**
 * Attention by blocks of queries: the scores of one block at a time, forward and backward, so that
 * memory grows with the context and not with its square (after Dao et al. 2022, FlashAttention: the
 * forward pass keeps one number per query, and the backward pass computes the weights again).
 */
import type { Attribute } from "./define.ts";
import { arange } from "./create.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { SequenceArgument, SequenceBlock, SequenceStep } from "./ir/graph.ts";
import type { ContractKernel, KernelOutput, MapKernel, ReduceKernel } from "./ir/kernel.ts";
import { applySequence, type SequenceDefinition } from "./sequence.ts";
import type { Tensor } from "./tensor.ts";

/** Contexts up to this are one block; longer ones go by blocks of half of it. */
const LONGEST_BLOCK = 128;

/** Score of a position that is not seen; far below any real one, and finite, as shaders need it. */
const UNSEEN = -1e30;

interface TileAttributes {
  readonly [name: string]: Attribute;
  readonly causal: boolean;
  readonly scale: number;
}

/** Sizes: q [N, G, T, D], k [N, S, D], v [N, S, V]. */
interface Sizes {
  readonly dtype: DType;
  readonly n: number;
  readonly g: number;
  readonly t: number;
  readonly s: number;
  readonly d: number;
  readonly v: number;
}

function sizesOf(q: Tensor, k: Tensor, v: Tensor): Sizes {
  const [n, g, t, d] = q.shape as [number, number, number, number];
  return { dtype: q.dtype, n, g, t, s: k.shape[1]!, d, v: v.shape[2]! };
}

function at(array: number, offset = 0, stride = 0): SequenceArgument {
  return { array, offset, stride };
}

/** Blocks of queries: whole ones in one loop, then a shorter one. */
function blocksOf(t: number): { rows: number; first: number; count: number }[] {
  if (t <= LONGEST_BLOCK) return [{ rows: t, first: 0, count: 1 }];
  const rows = LONGEST_BLOCK / 2;
  const count = Math.floor(t / rows), rest = t - count * rows;
  const whole = { rows, first: 0, count };
  return rest ? [whole, { rows: rest, first: count * rows, count: 1 }] : [whole];
}

/** Kernels for one size of block. */
class Tile {
  readonly #sizes: Sizes;
  readonly #rows: number;

  constructor(sizes: Sizes, rows: number) {
    this.#sizes = sizes;
    this.#rows = rows;
  }

  /** Axes N, G, rows, S and then one more. */
  #axes(last: number): { n: Expr; g: Expr; i: Expr; j: Expr; c: Expr; ng: Expr } {
    const { n, g, s } = this.#sizes;
    const axes = {
      n: e.axis(0, n),
      g: e.axis(1, g),
      i: e.axis(2, this.#rows),
      j: e.axis(3, s),
      c: e.axis(4, last),
    };
    return { ...axes, ng: e.add(e.mul(axes.n, e.int(g)), axes.g) };
  }

  /** Element of an array over all queries `[N, G, T, width]`, seen from a block. */
  #query(ng: Expr, i: Expr, c: Expr, width: number): Expr {
    return e.ravel([ng, i, c], [0, this.#sizes.t, width]);
  }

  #score(ng: Expr, i: Expr, j: Expr): Expr {
    return e.ravel([ng, i, j], [0, this.#rows, this.#sizes.s]);
  }

  /**
   * `Σ_c x[i, c] · y[j, c]` for each query of the block and each key; `epilogue` sees the sum and may
   * load from input 2 on.
   */
  scores(
    width: number,
    extra: readonly DType[],
    epilogue: (sum: Expr, place: { query: Expr; score: Expr; row: Expr; key: Expr }) => Expr,
  ): ContractKernel {
    const { dtype, n, g, s, t } = this.#sizes;
    const { ng, i, j, c, n: batch } = this.#axes(width);
    const score = this.#score(ng, i, j);
    const query = e.add(e.mul(ng, e.int(t)), i);
    const output: KernelOutput = {
      dtype,
      value: epilogue(e.acc(0, dtype), { query, score, row: i, key: j }),
      index: score,
    };
    return {
      kind: "contract",
      batch: [n, g],
      m: [this.#rows],
      n: [s],
      k: [width],
      inputs: [{ dtype }, { dtype }, ...extra.map((type) => ({ dtype: type }))],
      a: e.load(0, dtype, this.#query(ng, i, c, width)),
      b: e.load(1, dtype, e.ravel([batch, j, c], [0, s, width])),
      dtype,
      outputs: [output],
      convolution: undefined,
    };
  }

  /** `Σ_j weights[i, j] · y[j, c]`: per query. */
  overKeys(width: number): ContractKernel {
    const { dtype, n, g, s } = this.#sizes;
    const axes = {
      n: e.axis(0, n),
      g: e.axis(1, g),
      i: e.axis(2, this.#rows),
      c: e.axis(3, width),
      j: e.axis(4, s),
    };
    const ng = e.add(e.mul(axes.n, e.int(g)), axes.g);
    return {
      kind: "contract",
      batch: [n, g],
      m: [this.#rows],
      n: [width],
      k: [s],
      inputs: [{ dtype }, { dtype }],
      a: e.load(0, dtype, this.#score(ng, axes.i, axes.j)),
      b: e.load(1, dtype, e.ravel([axes.n, axes.j, axes.c], [0, s, width])),
      dtype,
      outputs: [{
        dtype,
        value: e.acc(0, dtype),
        index: this.#query(ng, axes.i, axes.c, width),
      }],
      convolution: undefined,
    };
  }

  /** `Σ_{g, i} weights[i, j] · x[i, c]`: per key, summed over the queries of the block and the group. */
  overQueries(width: number): ContractKernel {
    const { dtype, n, g, s } = this.#sizes;
    const axes = {
      n: e.axis(0, n),
      j: e.axis(1, s),
      c: e.axis(2, width),
      g: e.axis(3, g),
      i: e.axis(4, this.#rows),
    };
    const ng = e.add(e.mul(axes.n, e.int(g)), axes.g);
    return {
      kind: "contract",
      batch: [n],
      m: [s],
      n: [width],
      k: [g, this.#rows],
      inputs: [{ dtype }, { dtype }],
      a: e.load(0, dtype, this.#score(ng, axes.i, axes.j)),
      b: e.load(1, dtype, this.#query(ng, axes.i, axes.c, width)),
      dtype,
      outputs: [{
        dtype,
        value: e.acc(0, dtype),
        index: e.ravel([axes.n, axes.j, axes.c], [0, s, width]),
      }],
      convolution: undefined,
    };
  }

  /** Softmax of each row of scores, and the logarithm of its denominator. */
  softmax(): ReduceKernel {
    const { dtype, n, g, s, t } = this.#sizes;
    const ng = e.axis(0, n * g), i = e.axis(1, this.#rows), j = e.axis(2, s);
    const index = this.#score(ng, i, j);
    const score = e.load(0, dtype, index);
    const top = e.acc(0, dtype), total = e.acc(1, dtype);
    const weight = e.call("exp", [e.sub(score, top)]);
    return {
      kind: "reduce",
      shape: [n * g, this.#rows],
      reduce: [s],
      inputs: [{ dtype }],
      reductions: [{ op: "max", body: score, dtype }, { op: "sum", body: weight, dtype }],
      outputs: [
        { dtype, value: e.div(weight, total), index, full: true },
        {
          dtype,
          value: e.add(top, e.call("log", [total])),
          index: e.add(e.mul(ng, e.int(t)), i),
        },
      ],
    };
  }
}

/** Score of a query and a key: scaled, and pushed down where the key comes later. */
function maskedScore(
  sum: Expr,
  row: Expr,
  key: Expr,
  { causal, scale }: TileAttributes,
  slot: number,
): Expr {
  const { dtype } = sum;
  const scaled = e.mul(sum, e.constant(scale, dtype));
  if (!causal) return scaled;
  const seen = e.le(key, e.load(slot, "int32", row));
  return e.select(seen, scaled, e.constant(UNSEEN, dtype));
}

/** Inputs q, k, v, rows [T]; arrays o [N, G, T, V], lse [N, G, T]. */
const ATTENTION: SequenceDefinition<TileAttributes> = {
  name: "attention",
  lower([qInput, kInput, vInput], attributes) {
    const sizes = sizesOf(qInput!, kInput!, vInput!);
    const { dtype, n, g, t, s, d, v: width } = sizes;
    const [q, k, v, rowsOf, o, lse, scores, weights] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
    const tiles = blocksOf(t);
    const blocks = tiles.map(({ rows, first, count }): SequenceBlock => {
      const tile = new Tile(sizes, rows);
      const place = (array: number, size: number) => at(array, first * size, rows * size);
      const extra: DType[] = attributes.causal ? ["int32"] : [];
      const causalArguments = attributes.causal ? [place(rowsOf, 1)] : [];
      const steps: SequenceStep[] = [
        {
          label: "scores",
          kernel: tile.scores(
            d,
            extra,
            (sum, { row, key }) => maskedScore(sum, row, key, attributes, 2),
          ),
          arguments: [place(q, d), at(k), ...causalArguments, at(scores)],
        },
        {
          label: "softmax",
          kernel: tile.softmax(),
          arguments: [at(scores), at(weights), place(lse, 1)],
        },
        {
          label: "values",
          kernel: tile.overKeys(width),
          arguments: [at(weights), at(v), place(o, width)],
        },
      ];
      return { count, steps };
    });
    const block = [n, g, tiles[0]!.rows, s];
    return {
      blocks,
      arrays: [
        { dtype, shape: [n, g, t, width] },
        { dtype, shape: [n, g, t] },
        { dtype, shape: block, scratch: true },
        { dtype, shape: block, scratch: true },
      ],
    };
  },
  saves: "both",
  gradient: (c) => {
    const inputs = [0, 1, 2, 3].map((i) => c.input(i));
    const [dq, dk, dv] = applySequence(
      ATTENTION_BACKWARD,
      [...inputs, c.output(0), c.output(1), c.grad(0)],
      c.attributes,
    );
    return [dq, dk, dv, undefined];
  },
};

/** `Σ dO · O` per query: what the softmax's gradient subtracts. */
function deltaStep(
  { dtype, n, g, t, v }: Sizes,
  output: number,
  grad: number,
  delta: number,
): SequenceStep {
  const index = e.ravel([e.axis(0, n * g * t), e.axis(1, v)], [0, v]);
  const kernel: ReduceKernel = {
    kind: "reduce",
    shape: [n * g * t],
    reduce: [v],
    inputs: [{ dtype }, { dtype }],
    reductions: [{
      op: "sum",
      body: e.mul(e.load(0, dtype, index), e.load(1, dtype, index)),
      dtype,
    }],
    outputs: [{ dtype, value: e.acc(0, dtype), index: undefined }],
  };
  return { kernel, label: "delta", arguments: [at(output), at(grad), at(delta)] };
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

/** Inputs q, k, v, rows, o, lse, do; arrays dq, dk, dv. */
const ATTENTION_BACKWARD: SequenceDefinition<TileAttributes> = {
  name: "attentionBackward",
  lower([qInput, kInput, vInput], attributes) {
    const sizes = sizesOf(qInput!, kInput!, vInput!);
    const { dtype, n, g, t, s, d, v: width } = sizes;
    const [q, k, v, rowsOf, o, lse, dO, dq, dk, dv, weights, dScores, delta, part] = Array.from({
      length: 14,
    }, (_, i) => i) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const tiles = blocksOf(t);
    const single = tiles.length === 1 && tiles[0]!.count === 1;
    const blockSteps = (rows: number, first: number, fresh: boolean): SequenceStep[] => {
      const tile = new Tile(sizes, rows);
      const place = (array: number, size: number) => at(array, first * size, rows * size);
      const perKey = (
        label: string,
        matrix: number,
        other: number,
        c: number,
        target: number,
      ): SequenceStep[] => [
        {
          label,
          kernel: tile.overQueries(c),
          arguments: [at(matrix), place(other, c), at(single ? target : part)],
        },
        ...(single ? [] : [accumulateStep(dtype, n * s * c, part, target, !fresh)]),
      ];
      const extra: DType[] = attributes.causal ? [dtype, "int32"] : [dtype];
      return [
        {
          label: "weights",
          kernel: tile.scores(d, extra, (sum, { query, row, key }) =>
            e.call("exp", [
              e.sub(maskedScore(sum, row, key, attributes, 3), e.load(2, dtype, query)),
            ])),
          arguments: [
            place(q, d),
            at(k),
            place(lse, 1),
            ...(attributes.causal ? [place(rowsOf, 1)] : []),
            at(weights),
          ],
        },
        {
          label: "score gradient",
          kernel: tile.scores(width, [dtype, dtype], (sum, { query, score }) =>
            e.mul(
              e.mul(e.load(2, dtype, score), e.sub(sum, e.load(3, dtype, query))),
              e.constant(attributes.scale, dtype),
            )),
          arguments: [place(dO, width), at(v), at(weights), place(delta, 1), at(dScores)],
        },
        {
          label: "query gradient",
          kernel: tile.overKeys(d),
          arguments: [at(dScores), at(k), place(dq, d)],
        },
        ...perKey("key gradient", dScores, q, d, dk),
        ...perKey("value gradient", weights, dO, width, dv),
      ];
    };
    const blocks: SequenceBlock[] = [{ count: 1, steps: [deltaStep(sizes, o, dO, delta)] }];
    for (const [i, { rows, first, count }] of tiles.entries()) {
      // The first block starts the sums over queries, the others add to them.
      if (i === 0) {
        blocks.push({ count: 1, steps: blockSteps(rows, first, true) });
        if (count > 1) {
          blocks.push({ count: count - 1, steps: blockSteps(rows, first + rows, false) });
        }
      } else blocks.push({ count, steps: blockSteps(rows, first, false) });
    }
    const block = [n, g, tiles[0]!.rows, s];
    return {
      blocks,
      arrays: [
        { dtype, shape: [n, g, t, d] },
        { dtype, shape: [n, s, d] },
        { dtype, shape: [n, s, width] },
        { dtype, shape: block, scratch: true },
        { dtype, shape: block, scratch: true },
        { dtype, shape: [n, g, t], scratch: true },
        { dtype, shape: [single ? 0 : n * s * Math.max(d, width)], scratch: true },
      ],
    };
  },
};

/**
 * Attention without a mask of its own, by blocks.
 *
 * Shapes: q `[N, G, T, D]`, k `[N, S, D]`, v `[N, S, V]`; the G query heads of a group share keys and
 * values. Result `[N, G, T, V]`.
 */
export function attentionByTiles(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { causal: boolean; scale: number },
): Tensor {
  const rows = arange(0, q.shape[2]!, 1, { device: q.device });
  return applySequence(ATTENTION, [q, k, v, rows], options)[0]!;
}
