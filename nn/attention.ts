import {
  cat,
  dropout,
  linear,
  ShapeError,
  softmax,
  type Tensor,
  tril,
  where,
  zeros,
} from "../ops/mod.ts";
import { attention, checkMaskDtype } from "../ops/attention.ts";
import { ones } from "../ops/create.ts";
import { checkCount, checkDivides, checkProbability } from "./_check.ts";
import { constantParameter, uniformParameter } from "./_factory.ts";
import { xavierNormal_ } from "./init.ts";
import { Linear } from "./linear.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Options of {@linkcode MultiheadAttention}. */
export interface MultiheadAttentionOptions extends FactoryOptions {
  /** Probability with which attention weights are dropped while training. @default 0 */
  dropout?: number | undefined;
  /** Add learned offsets. @default true */
  bias?: boolean | undefined;
  /** Append a learned key and value. @default false */
  addBiasKv?: boolean | undefined;
  /** Append a key and value of zeros. @default false */
  addZeroAttn?: boolean | undefined;
  /** Size of keys. @default embedDim */
  kdim?: number | undefined;
  /** Size of values. @default embedDim */
  vdim?: number | undefined;
  /** Inputs are `[B, T, E]` in place of `[T, B, E]`. @default false */
  batchFirst?: boolean | undefined;
}

/** Options of `forward` of {@linkcode MultiheadAttention}. */
export interface AttentionForwardOptions {
  /** Keys to leave out, `[B, S]` (or `[S]`): bool (true is left out), or added to the scores. */
  keyPaddingMask?: Tensor | undefined | null;
  /** Give the attention weights as well; without, attention is faster. @default true */
  needWeights?: boolean | undefined;
  /** Pairs to leave out, `[L, S]` or `[B · heads, L, S]`: bool (true is left out), or added to the scores. */
  attnMask?: Tensor | undefined | null;
  /** Give the mean of the heads' weights instead of all. @default true */
  averageAttnWeights?: boolean | undefined;
  /** Position i sees positions up to i; no mask is needed. @default false */
  isCausal?: boolean | undefined;
}

/**
 * Attention with several heads (Vaswani et al. 2017), like `torch.nn.MultiheadAttention`.
 *
 * Shapes: query `[L, B, embedDim]`, key `[S, B, kdim]`, value `[S, B, vdim]` (or without B; or batch
 * first), result `[L, B, embedDim]` and weights `[B, L, S]`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { MultiheadAttention } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const x = rand([2, 5, 8]);
 * const [y, weights] = new MultiheadAttention(8, 2, { batchFirst: true }).forward(x, x, x);
 * assertEquals([y.shape, weights!.shape], [[2, 5, 8], [2, 5, 5]]);
 * ```
 */
export class MultiheadAttention extends Module {
  /** Size of queries and of the result. */
  readonly embedDim: number;
  /** Number of heads. */
  readonly numHeads: number;
  /** Whether the batch is the first axis. */
  readonly batchFirst: boolean;
  /** Weights of query, key and value together, if keys and values have the size of queries. */
  inProjWeight: Parameter | undefined;
  /** Weight of queries. */
  qProjWeight: Parameter | undefined;
  /** Weight of keys. */
  kProjWeight: Parameter | undefined;
  /** Weight of values. */
  vProjWeight: Parameter | undefined;
  /** Offsets of query, key and value together. */
  inProjBias: Parameter | undefined;
  /** Map of the joined heads. */
  outProj: Linear;
  /** Key that is appended. */
  biasK: Parameter | undefined;
  /** Value that is appended. */
  biasV: Parameter | undefined;
  readonly #dropout: number;
  readonly #addZeroAttn: boolean;

  /**
   * Makes the module.
   *
   * @param embedDim Size of queries and of the result.
   * @param numHeads Number of heads; divides `embedDim`.
   * @param options Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    checkCount("MultiheadAttention", "embedDim", embedDim);
    checkCount("MultiheadAttention", "numHeads", numHeads);
    checkDivides("MultiheadAttention", "numHeads", numHeads, "embedDim", embedDim);
    checkProbability("MultiheadAttention", "dropout", options.dropout ?? 0);
    const { bias = true, kdim = embedDim, vdim = embedDim } = options;
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.batchFirst = options.batchFirst ?? false;
    this.#dropout = options.dropout ?? 0;
    this.#addZeroAttn = options.addZeroAttn ?? false;
    // Xavier's bound, from the sizes of each weight.
    const weight = (rows: number, columns: number) =>
      uniformParameter([rows, columns], Math.sqrt(6 / (rows + columns)), options);
    if (kdim === embedDim && vdim === embedDim) {
      this.inProjWeight = weight(3 * embedDim, embedDim);
    } else {
      this.qProjWeight = weight(embedDim, embedDim);
      this.kProjWeight = weight(embedDim, kdim);
      this.vProjWeight = weight(embedDim, vdim);
    }
    this.inProjBias = bias ? constantParameter([3 * embedDim], 0, options) : undefined;
    const { dtype, device } = options;
    this.outProj = new Linear(embedDim, embedDim, { bias, dtype, device });
    if (bias) constantZero(this.outProj);
    if (options.addBiasKv) {
      this.biasK = constantParameter([1, 1, embedDim], 0, options);
      this.biasV = constantParameter([1, 1, embedDim], 0, options);
      xavierNormal_(this.biasK);
      xavierNormal_(this.biasV);
    }
  }

  /**
   * Attended values, and the attention weights unless `needWeights` is false.
   *
   * @param query What asks.
   * @param key What is compared with it.
   * @param value What is mixed.
   * @param options Masks, weights.
   * @throws {ShapeError} If shapes do not fit.
   */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttentionForwardOptions = {},
  ): [Tensor, Tensor | undefined] {
    const single = query.ndim === 2;
    if ((query.ndim !== 3 && !single) || key.ndim !== query.ndim || value.ndim !== query.ndim) {
      throw new ShapeError("MultiheadAttention", "inputs need 2 or 3 dimensions", {
        query: query.shape,
        key: key.shape,
        value: value.shape,
      });
    }
    const same = { key: key === query, value: value === key };
    const q0 = this.#batched(query, single);
    const k0 = same.key ? q0 : this.#batched(key, single);
    const v0 = same.value ? k0 : this.#batched(value, single);
    if (q0.shape[0] !== k0.shape[0] || k0.shape[0] !== v0.shape[0] || k0.shape[1] !== v0.shape[1]) {
      throw new ShapeError("MultiheadAttention", "batches, or keys and values, differ in number", {
        query: query.shape,
        key: key.shape,
        value: value.shape,
      });
    }
    const [q, k, v] = this.#extend(this.#project(q0, k0, v0));
    const mask = this.#mask(q, k, options, single);
    const p = this.training ? this.#dropout : 0;
    const { needWeights = true } = options;
    // With keys that were appended, which all positions see, it is part of the mask.
    const isCausal = options.isCausal === true && k0.shape[1] === k.shape[2];
    const [heads, weights] = needWeights
      ? attend(q, k, v, mask, isCausal, p)
      : [attention(q, k, v, { attnMask: mask, isCausal, dropoutP: p }), undefined];
    const joined = this.outProj.forward(heads.transpose(1, 2).flatten(2)); // [B, L, E]
    const output = single ? joined.squeeze(0) : this.batchFirst ? joined : joined.transpose(0, 1);
    const mean = options.averageAttnWeights ?? true ? weights?.mean(1) : weights;
    return [output, single ? mean?.squeeze(0) : mean];
  }

  #batched(x: Tensor, single: boolean): Tensor {
    if (single) return x.unsqueeze(0);
    return this.batchFirst ? x : x.transpose(0, 1);
  }

  /** Queries, keys and values `[B, T, E]`; inputs that are the same tensor share a product. */
  #project(q: Tensor, k: Tensor, v: Tensor): [Tensor, Tensor, Tensor] {
    const e = this.embedDim, { inProjWeight: all, inProjBias: bias } = this;
    const offset = (i: number, count = 1) => bias?.narrow(0, i * e, count * e);
    if (!all) {
      return [
        linear(q, this.qProjWeight!, offset(0)),
        linear(k, this.kProjWeight!, offset(1)),
        linear(v, this.vProjWeight!, offset(2)),
      ];
    }
    if (q === k && k === v) return linear(q, all, bias).chunk(3, -1) as [Tensor, Tensor, Tensor];
    const part = (x: Tensor, i: number, count = 1) =>
      linear(x, all.narrow(0, i * e, count * e), offset(i, count));
    if (k === v) return [part(q, 0), ...part(k, 1, 2).chunk(2, -1) as [Tensor, Tensor]];
    return [part(q, 0), part(k, 1), part(v, 2)];
  }

  /** Appends the learned and the zero key, and splits heads: `[B, heads, T, E / heads]`. */
  #extend([q, k, v]: [Tensor, Tensor, Tensor]): [Tensor, Tensor, Tensor] {
    const [batch] = k.shape as [number];
    const row = [batch, 1, this.embedDim];
    const keys = [k], values = [v];
    if (this.biasK && this.biasV) {
      keys.push(this.biasK.expand(row));
      values.push(this.biasV.expand(row));
    }
    if (this.#addZeroAttn) {
      const zero = zeros(row, { dtype: k.dtype, device: k.device });
      keys.push(zero);
      values.push(zero);
    }
    const split = (x: Tensor) =>
      x.reshape([batch, x.shape[1]!, this.numHeads, this.embedDim / this.numHeads]).transpose(1, 2);
    const join = (list: Tensor[]) => list.length > 1 ? cat(list, 1) : list[0]!;
    return [split(q), split(join(keys)), split(join(values))];
  }

  /** Both masks as one that broadcasts to `[B, heads, L, S]`: bool (true takes part) or added. */
  #mask(
    q: Tensor,
    k: Tensor,
    { attnMask, keyPaddingMask, isCausal }: AttentionForwardOptions,
    single: boolean,
  ): Tensor | undefined {
    const [batch, heads, length] = q.shape as [number, number, number];
    const extra = (this.biasK ? 1 : 0) + (this.#addZeroAttn ? 1 : 0);
    const widen = (mask: Tensor) => extra ? mask.pad([0, extra]) : mask;
    const size = k.shape[2]! - extra;
    const pairs = attnMask && widen(
      attnMask.ndim === 2
        ? checked("attnMask", attnMask, [length, size]).reshape([1, 1, length, size])
        : checked("attnMask", attnMask, [batch * heads, length, size])
          .reshape([batch, heads, length, size]),
    );
    const keys = keyPaddingMask && widen(
      checked("keyPaddingMask", keyPaddingMask, single ? [size] : [batch, size])
        .reshape([batch, 1, 1, size]),
    );
    const later = isCausal && extra && widen(causalMask(q, size).logicalNot());
    const given = [pairs, keys, later].filter((mask): mask is Tensor => Boolean(mask));
    if (!given.length) return undefined;
    if (given.every((mask) => mask.dtype === "bool")) {
      return given.reduce((a, b) => a.logicalOr(b)).logicalNot();
    }
    return given.map((mask) => mask.dtype === "bool" ? where(mask, -Infinity, 0) : mask)
      .reduce((a, b) => a.add(b));
  }
}

function constantZero(layer: Linear): void {
  const { bias, outFeatures } = layer;
  const { dtype, device } = bias!;
  layer.bias = constantParameter([outFeatures], 0, { dtype, device });
}

function checked(name: string, mask: Tensor, shape: readonly number[]): Tensor {
  checkMaskDtype("MultiheadAttention", name, mask);
  if (mask.shape.join() !== shape.join()) {
    throw new ShapeError("MultiheadAttention", `${name} does not fit`, {
      [name]: mask.shape,
      expected: shape,
    });
  }
  return mask;
}

function causalMask(q: Tensor, keys: number): Tensor {
  return tril(ones([q.size(-2), keys], { dtype: "bool", device: q.device }));
}

function withCausality(mask: Tensor | undefined, q: Tensor, k: Tensor): Tensor {
  const seen = causalMask(q, k.size(-2));
  if (!mask) return seen;
  return mask.dtype === "bool" ? mask.logicalAnd(seen) : where(seen, mask, -Infinity);
}

function attend(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  given: Tensor | undefined,
  isCausal: boolean,
  p: number,
): [Tensor, Tensor] {
  const mask = isCausal ? withCausality(given, q, k) : given;
  const scores = q.mul(1 / Math.sqrt(q.size(-1))).matmul(k.transpose(-2, -1));
  const masked = !mask
    ? scores
    : mask.dtype === "bool"
    ? where(mask, scores, -Infinity)
    : scores.add(mask);
  const weights = dropout(softmax(masked, -1), { p });
  return [weights.matmul(v), weights];
}
