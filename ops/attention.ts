/** Attention as a function. */
import { attentionByTiles } from "./attention_tiles.ts";
import { attentionWeights } from "./attention_whole.ts";
import { DtypeError, rangeError, ShapeError } from "./check.ts";
import { matmul } from "./contract.ts";
import { resultType } from "./define.ts";
import { isGradEnabled } from "./grad_mode.ts";
import { isFloat } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import { repeatInterleave } from "./join.ts";
import { dropout } from "./dropout.ts";
import { nextKey } from "./random_stream.ts";
import { narrow } from "./slice.ts";
import type { Tensor } from "./tensor.ts";

const OP = "scaledDotProductAttention";

/** Options of `scaledDotProductAttention`. */
export interface AttentionOptions {
  /** Bool (true takes part) or added to the scores; broadcasts to `[…, L, S]`. */
  attnMask?: Tensor | undefined | null;
  /** Probability with which weights are dropped. @default 0 */
  dropoutP?: number | undefined;
  /** Position i sees positions up to i. @default false */
  isCausal?: boolean | undefined;
  /** Factor of the scores. @default 1 / √E */
  scale?: number | undefined | null;
  /** Keys and values have fewer heads than queries, each shared by a group. @default false */
  enableGqa?: boolean | undefined;
}

/**
 * `softmax(q kᵀ · scale + mask) v` (Vaswani et al. 2017), like
 * `torch.nn.functional.scaled_dot_product_attention`. Positions that see nothing give zeros.
 *
 * Shapes: query `[…, L, E]`, key `[…, S, E]`, value `[…, S, V]`, result `[…, L, V]`.
 *
 * @param query Queries.
 * @param key Keys.
 * @param value Values.
 * @param options Mask, causality, scale, dropout, grouped heads.
 * @throws {ShapeError} If the sizes do not agree.
 * @throws {RangeError} If both a mask and `isCausal` are given.
 *
 * @example One position that sees itself
 * ```ts
 * import { ones, scaledDotProductAttention } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const x = ones([1, 1, 2]);
 * assertEquals([...await scaledDotProductAttention(x, x, x).data()], [1, 1]);
 * ```
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  checkAttention(query, key, value, options);
  if (options.attnMask && options.isCausal) {
    throw rangeError(OP, "attnMask and isCausal exclude each other");
  }
  return attention(query, key, value, options);
}

/** Attention that has been checked; a mask and causality restrict it together. */
export function attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions,
): Tensor {
  const { attnMask, dropoutP = 0, isCausal = false, enableGqa = false } = options;
  const tiled = byTiles(query, key, value, options);
  if (tiled) return tiled;
  const heads = enableGqa ? query.size(-3) / key.size(-3) : 1;
  const keys = heads === 1 ? key : repeatInterleave(key, heads, -3);
  const values = heads === 1 ? value : repeatInterleave(value, heads, -3);
  const scale = options.scale ?? 1 / Math.sqrt(query.size(-1));
  const mask = attnMask ?? undefined;
  const weights = attentionWeights(query, keys, { causal: isCausal, scale, mask });
  return matmul(dropoutP > 0 ? dropout(weights, { p: dropoutP }) : weights, values);
}

/**
 * Attention by blocks, where the leading axes agree and there is something to do. A mask that wants a
 * gradient is of the size of the scores, or summed from them, so that blocks would save nothing.
 */
function byTiles(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { attnMask, dropoutP = 0, isCausal = false, enableGqa = false, scale }: AttentionOptions,
): Tensor | undefined {
  const outer = query.shape.slice(0, -2), keyOuter = key.shape.slice(0, -2);
  const groups = enableGqa ? query.size(-3) / key.size(-3) : 1;
  const shared = enableGqa ? [...outer.slice(0, -1), outer.at(-1)! / groups] : outer;
  const fits = shared.length === keyOuter.length && shared.every((s, d) => s === keyOuter[d]) &&
    keyOuter.every((s, d) => s === value.shape[d]) && value.ndim === key.ndim &&
    sizeOf(query.shape) > 0 && key.size(-2) > 0 && dropoutP >= 0 && dropoutP < 1;
  if (!fits || (attnMask && !isReadByTiles(attnMask, query, key))) return undefined;
  const count = sizeOf(keyOuter);
  const [t, d] = query.shape.slice(-2) as [number, number];
  const result = attentionByTiles(
    query.reshape([count, groups, t, d]),
    key.reshape([count, ...key.shape.slice(-2)]),
    value.reshape([count, ...value.shape.slice(-2)]),
    {
      causal: isCausal,
      scale: scale ?? 1 / Math.sqrt(d),
      outer,
      mask: attnMask ? unexpanded(attnMask) : undefined,
      dropoutP,
      dropout: dropoutP > 0 ? nextKey(query.storage.backend) : undefined,
    },
  );
  return result.reshape([...outer, t, value.size(-1)]);
}

function isReadByTiles(mask: Tensor, query: Tensor, key: Tensor): boolean {
  const scores = [...query.shape.slice(0, -1), key.size(-2)];
  const skip = scores.length - mask.ndim;
  return mask.storage.backend === query.storage.backend &&
    !(mask.requiresGrad && isGradEnabled()) && skip >= 0 &&
    mask.shape.every((size, d) => size === 1 || size === scores[skip + d]) &&
    (mask.dtype === "bool" || resultType([query, mask]) === query.dtype);
}

/** The mask without the axes along which it only repeats. */
function unexpanded(mask: Tensor): Tensor {
  let x = mask;
  for (const [d, stride] of mask.strides.entries()) {
    if (stride === 0 && mask.shape[d]! > 1) x = narrow(x, d, 0, 1);
  }
  return x;
}

/** Refuses masks that are neither bool nor floating: whole numbers would be added to the scores. */
export function checkMaskDtype(op: string, name: string, mask: Tensor): void {
  if (mask.dtype === "bool" || isFloat(mask.dtype)) return;
  throw new DtypeError(op, `${name} has dtype ${mask.dtype}, expects bool or a float`);
}

function checkAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { attnMask, enableGqa }: AttentionOptions,
): void {
  if (attnMask) checkMaskDtype(OP, "attnMask", attnMask);
  const shapes = { query: query.shape, key: key.shape, value: value.shape };
  if (query.ndim < 2 || key.ndim < 2 || value.ndim < 2) {
    throw new ShapeError(OP, "all need at least 2 dimensions", shapes);
  }
  if (query.size(-1) !== key.size(-1)) {
    throw new ShapeError(OP, `query has ${query.size(-1)} features, key ${key.size(-1)}`, shapes);
  }
  if (key.size(-2) !== value.size(-2)) {
    throw new ShapeError(OP, `${key.size(-2)} keys, ${value.size(-2)} values`, shapes);
  }
  if (enableGqa && (query.ndim < 3 || key.ndim < 3 || query.size(-3) % key.size(-3))) {
    throw new ShapeError(OP, "heads of keys do not divide heads of queries", shapes);
  }
}
