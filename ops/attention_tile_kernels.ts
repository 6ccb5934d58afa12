/** The kernels of one block of queries in `attention_tiles.ts`. */
import type { Attribute } from "./define.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { SequenceArgument, SequenceStep } from "./ir/graph.ts";
import { type KernelInput, type ReduceKernel, sizeOf } from "./ir/kernel.ts";
import { isKept } from "./dropout.ts";
import { keyWords } from "./random_stream.ts";

/** What is fixed when attention is planned. */
export interface TileAttributes {
  readonly [name: string]: Attribute;
  readonly causal: boolean;
  readonly scale: number;
  /** Leading axes of the queries, of which N · G is the product: what a mask broadcasts to. */
  readonly outer: readonly number[];
  /** Probability with which a weight is dropped, and the random call that says which. */
  readonly dropoutP: number;
  readonly call: number;
}

/** Sizes of q [N, G, T, D], k [N, S, D] and v [N, S, V], and the mask, if there is one. */
export interface Sizes {
  readonly dtype: DType;
  readonly n: number;
  readonly g: number;
  readonly t: number;
  readonly s: number;
  readonly d: number;
  readonly v: number;
  /** Bool (true takes part) or added; its shape broadcasts to `[...outer, T, S]`. */
  readonly mask: { readonly dtype: DType; readonly shape: readonly number[] } | undefined;
}

/** Arrays of a sequence by name, numbered in the order of its inputs and arrays. */
export type Arrays = Readonly<Record<string, number>>;

/** Queries `first` to `first + rows` in the first round; `rows` further on in each that follows. */
export interface Block {
  readonly rows: number;
  readonly first: number;
}

/** Score of a position that is not seen; far below any real one, and finite, as shaders need it. */
const UNSEEN = -1e30;

/** A whole array, or the part from `offset` on that moves by `stride` from round to round. */
export function at(array: number, offset = 0, stride = 0): SequenceArgument {
  return { array, offset, stride };
}

/** Inputs of a kernel in the making, and what each is bound to. */
class Operands {
  readonly inputs: KernelInput[] = [];
  readonly places: SequenceArgument[] = [];

  load(dtype: DType, place: SequenceArgument, index: Expr): Expr {
    let slot = this.places.findIndex(({ array }) => array === place.array);
    if (slot < 0) slot = this.places.push(place) - 1;
    this.inputs[slot] = { dtype };
    return e.load(slot, dtype, index);
  }
}

/** A weight: group of queries n · G + g, query of the block, key. */
interface Pair {
  readonly ng: Expr;
  readonly i: Expr;
  readonly j: Expr;
}

/** What becomes of the products of a block with all keys. */
type Epilogue = (sum: Expr, pair: Pair, operands: Operands) => readonly Expr[];

/** Kernels for blocks of one size. */
export class Tile {
  readonly #sizes: Sizes;
  readonly #attributes: TileAttributes;
  readonly #arrays: Arrays;
  readonly #block: Block;

  constructor(sizes: Sizes, attributes: TileAttributes, arrays: Arrays, block: Block) {
    this.#sizes = sizes;
    this.#attributes = attributes;
    this.#arrays = arrays;
    this.#block = block;
  }

  /** The block's part of an array with `width` elements per query. */
  #part(name: string, width: number): SequenceArgument {
    const { rows, first } = this.#block;
    return at(this.#arrays[name]!, first * width, rows * width);
  }

  #whole(name: string): SequenceArgument {
    return at(this.#arrays[name]!);
  }

  /** Element of an array over all queries `[N, G, T, width]`, seen from the block. */
  #query(ng: Expr, i: Expr, c: Expr, width: number): Expr {
    return e.ravel([ng, i, c], [0, this.#sizes.t, width]);
  }

  #score({ ng, i, j }: Pair): Expr {
    return e.ravel([ng, i, j], [0, this.#block.rows, this.#sizes.s]);
  }

  #perQuery({ ng, i }: Pair): Expr {
    return e.add(e.mul(ng, e.int(this.#sizes.t)), i);
  }

  /** Number of a query in the context. */
  #row(i: Expr, operands: Operands): Expr {
    return operands.load("int32", this.#part("rows", 1), i);
  }

  /** `Σ_c x[i, c] · y[j, c]` for each query of the block and each key, and what becomes of it. */
  #products(
    label: string,
    [x, y, width]: readonly [string, string, number],
    targets: readonly string[],
    epilogue: Epilogue,
  ): SequenceStep {
    const { dtype, n, g, s } = this.#sizes;
    const { rows } = this.#block;
    const batch = e.axis(0, n), i = e.axis(2, rows), j = e.axis(3, s), c = e.axis(4, width);
    const ng = e.add(e.mul(batch, e.int(g)), e.axis(1, g));
    const operands = new Operands();
    const a = operands.load(dtype, this.#part(x, width), this.#query(ng, i, c, width));
    const b = operands.load(dtype, this.#whole(y), e.ravel([batch, j, c], [0, s, width]));
    const pair = { ng, i, j }, index = this.#score(pair);
    const outputs = epilogue(e.acc(0, dtype), pair, operands)
      .map((value) => ({ dtype, value, index }));
    const { inputs, places } = operands;
    const sizes = { batch: [n, g], m: [rows], n: [s], k: [width] };
    return {
      label,
      kernel: { kind: "contract", ...sizes, inputs, a, b, dtype, outputs, convolution: undefined },
      arguments: [...places, ...targets.map((name) => this.#whole(name))],
    };
  }

  /** Score that stands for a position that is not seen: what a mask that is added has for it. */
  #unseen(): Expr {
    const { dtype, mask } = this.#sizes;
    return e.constant(mask && mask.dtype !== "bool" ? -Infinity : UNSEEN, dtype);
  }

  /** Score from a product: scaled, masked, and pushed down where the key comes later. */
  #masked(sum: Expr, pair: Pair, operands: Operands): Expr {
    const { dtype, mask } = this.#sizes;
    const { scale, causal } = this.#attributes;
    let score = e.mul(sum, e.constant(scale, dtype));
    if (mask) {
      const restriction = this.#mask(pair, operands);
      score = mask.dtype === "bool"
        ? e.select(restriction, score, this.#unseen())
        : e.add(score, e.cast(restriction, dtype));
    }
    if (!causal) return score;
    return e.select(e.le(pair.j, this.#row(pair.i, operands)), score, this.#unseen());
  }

  /** Element of the mask, which is read as it is, whatever it broadcasts to. */
  #mask({ ng, i, j }: Pair, operands: Operands): Expr {
    const { dtype, shape } = this.#sizes.mask!;
    const { outer } = this.#attributes;
    const [rows, columns] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
    const leading = shape.slice(0, -2);
    const groups = e.unravel(ng, outer).slice(outer.length - leading.length);
    const group = e.ravel(leading.map((size, d) => size === 1 ? e.int(0) : groups[d]!), leading);
    const inner = [rows === 1 ? e.int(0) : i, columns === 1 ? e.int(0) : j];
    const place = rows === 1 ? this.#whole("mask") : this.#part("mask", columns);
    return operands.load(dtype, place, e.ravel([group, ...inner], [0, rows, columns]));
  }

  /** Whether dropout leaves a weight; each kernel draws the same numbers again. */
  #kept({ ng, i, j }: Pair, operands: Operands): Expr {
    const { t, s } = this.#sizes;
    const { dropoutP, call } = this.#attributes;
    const word = (at: number) => operands.load("uint32", this.#whole("key"), e.int(at));
    const index = e.ravel([ng, this.#row(i, operands), j], [0, t, s]);
    return isKept(index, keyWords(word, call), dropoutP);
  }

  /** A weight, or a gradient of one, after dropout. */
  #dropped(value: Expr, kept: Expr): Expr {
    const { dtype } = this.#sizes;
    const scaled = e.mul(value, e.constant(1 / (1 - this.#attributes.dropoutP), dtype));
    return e.select(kept, scaled, e.constant(0, dtype));
  }

  /** `q kᵀ · scale`, masked. */
  scores(): SequenceStep {
    return this.#products("scores", ["q", "k", this.#sizes.d], ["scores"], (...point) => [
      this.#masked(...point),
    ]);
  }

  /** Softmax of each row of scores after dropout, and the logarithm of its denominator. */
  softmax(): SequenceStep {
    const { dtype, n, g, s, mask } = this.#sizes;
    const { rows } = this.#block;
    const pair = { ng: e.axis(0, n * g), i: e.axis(1, rows), j: e.axis(2, s) };
    const index = this.#score(pair), operands = new Operands();
    const score = operands.load(dtype, this.#whole("scores"), index);
    const best = e.acc(0, dtype), total = e.acc(1, dtype), zero = e.constant(0, dtype);
    // Queries that see nothing: their weights are 0, and so is exp(score − lse) in the backward pass.
    const blind = mask && e.eq(best, this.#unseen());
    const top = blind ? e.select(blind, zero, best) : best;
    const power = e.call("exp", [e.sub(score, top)]);
    const quotient = e.div(power, total);
    const weight = blind ? e.select(blind, zero, quotient) : quotient;
    const logarithm = e.add(top, e.call("log", [total]));
    const { dropoutP } = this.#attributes;
    const value = dropoutP === 0 ? weight : this.#dropped(weight, this.#kept(pair, operands));
    const lse = blind ? e.select(blind, zero, logarithm) : logarithm;
    const kernel: ReduceKernel = {
      kind: "reduce",
      shape: [n * g, rows],
      reduce: [s],
      inputs: operands.inputs,
      reductions: [{ op: "max", body: score, dtype }, { op: "sum", body: power, dtype }],
      outputs: [
        { dtype, value, index, full: true },
        { dtype, value: lse, index: this.#perQuery(pair) },
      ],
    };
    const targets = [this.#whole("weights"), this.#part("lse", 1)];
    return { label: "softmax", kernel, arguments: [...operands.places, ...targets] };
  }

  /** The weights once more, before dropout, from the scores and the logarithms kept. */
  weights(): SequenceStep {
    const { dtype, d } = this.#sizes;
    return this.#products("weights", ["q", "k", d], ["weights"], (sum, pair, operands) => {
      const lse = operands.load(dtype, this.#part("lse", 1), this.#perQuery(pair));
      return [e.call("exp", [e.sub(this.#masked(sum, pair, operands), lse)])];
    });
  }

  /** Gradient of the products q kᵀ; with dropout, leaves the weights after it behind. */
  scoreGradient(): SequenceStep {
    const { dtype, v } = this.#sizes;
    const { scale, dropoutP } = this.#attributes;
    const targets = dropoutP === 0 ? ["dScores"] : ["dScores", "weights"];
    return this.#products("score gradient", ["dO", "v", v], targets, (sum, pair, operands) => {
      const weight = operands.load(dtype, this.#whole("weights"), this.#score(pair));
      const delta = operands.load(dtype, this.#part("delta", 1), this.#perQuery(pair));
      const from = (gradient: Expr) =>
        e.mul(e.mul(weight, e.sub(gradient, delta)), e.constant(scale, dtype));
      if (dropoutP === 0) return [from(sum)];
      const kept = this.#kept(pair, operands);
      return [from(this.#dropped(sum, kept)), this.#dropped(weight, kept)];
    });
  }

  /** `Σ_j matrix[i, j] · other[j, c]`: per query. */
  overKeys(label: string, matrix: string, other: string, width: number, to: string): SequenceStep {
    const { dtype, n, g, s } = this.#sizes;
    const { rows } = this.#block;
    const batch = e.axis(0, n), i = e.axis(2, rows), c = e.axis(3, width), j = e.axis(4, s);
    const ng = e.add(e.mul(batch, e.int(g)), e.axis(1, g));
    const a = e.load(0, dtype, this.#score({ ng, i, j }));
    const b = e.load(1, dtype, e.ravel([batch, j, c], [0, s, width]));
    const index = this.#query(ng, i, c, width);
    return {
      label,
      kernel: {
        kind: "contract",
        batch: [n, g],
        m: [rows],
        n: [width],
        k: [s],
        inputs: [{ dtype }, { dtype }],
        a,
        b,
        dtype,
        outputs: [{ dtype, value: e.acc(0, dtype), index }],
        convolution: undefined,
      },
      arguments: [this.#whole(matrix), this.#whole(other), this.#part(to, width)],
    };
  }

  /** `Σ_{g, i} matrix[i, j] · other[i, c]`: per key, over the queries of the block and the group. */
  overQueries(
    label: string,
    [matrix, other]: readonly [string, string],
    width: number,
    to: string,
  ): SequenceStep {
    const { dtype, n, g, s } = this.#sizes;
    const { rows } = this.#block;
    const batch = e.axis(0, n), j = e.axis(1, s), c = e.axis(2, width), i = e.axis(4, rows);
    const ng = e.add(e.mul(batch, e.int(g)), e.axis(3, g));
    const a = e.load(0, dtype, this.#score({ ng, i, j }));
    const b = e.load(1, dtype, this.#query(ng, i, c, width));
    const index = e.ravel([batch, j, c], [0, s, width]);
    return {
      label,
      kernel: {
        kind: "contract",
        batch: [n],
        m: [s],
        n: [width],
        k: [g, rows],
        inputs: [{ dtype }, { dtype }],
        a,
        b,
        dtype,
        outputs: [{ dtype, value: e.acc(0, dtype), index }],
        convolution: undefined,
      },
      arguments: [this.#whole(matrix), this.#part(other, width), this.#whole(to)],
    };
  }
}

/** `Σ dO · O` per query, of all blocks: what the softmax's gradient subtracts. */
export function deltaStep({ dtype, n, g, t, v }: Sizes, arrays: Arrays): SequenceStep {
  const size = sizeOf([n, g, t]);
  const index = e.ravel([e.axis(0, size), e.axis(1, v)], [0, v]);
  const body = e.mul(e.load(0, dtype, index), e.load(1, dtype, index));
  const kernel: ReduceKernel = {
    kind: "reduce",
    shape: [size],
    reduce: [v],
    inputs: [{ dtype }, { dtype }],
    reductions: [{ op: "sum", body, dtype }],
    outputs: [{ dtype, value: e.acc(0, dtype), index: undefined }],
  };
  return { kernel, label: "delta", arguments: [at(arrays.o!), at(arrays.dO!), at(arrays.delta!)] };
}
