/** Attention in operations on whole `L × S` matrices: where they are wanted, or differentiated twice. */
import { add, mul, sub } from "./arithmetic.ts";
import { tril } from "./arrange.ts";
import { where } from "./choice.ts";
import { matmul } from "./contract.ts";
import { ones } from "./create.ts";
import { dropoutBy } from "./dropout.ts";
import type { RandomKey } from "./random_stream.ts";
import { sum } from "./reduce.ts";
import { safeSoftmax } from "./softmax.ts";
import type { Tensor } from "./tensor.ts";
import { transpose } from "./view.ts";

/** What the weights of `attentionWeights` follow from. */
export interface WeightOptions {
  readonly causal: boolean;
  readonly scale: number;
  /** Bool (true takes part) or added; broadcasts to `[…, L, S]`. */
  readonly mask: Tensor | undefined;
}

/** `softmax(q kᵀ · scale + mask)`, rows that see nothing being 0: q `[…, L, E]`, k `[…, S, E]`. */
export function attentionWeights(
  q: Tensor,
  k: Tensor,
  { causal, scale, mask }: WeightOptions,
): Tensor {
  let scores = matmul(mul(q, scale), transpose(k, -2, -1));
  if (mask) scores = mask.dtype === "bool" ? where(mask, scores, -Infinity) : add(scores, mask);
  if (causal) scores = where(causalMask(q, k), scores, -Infinity);
  return safeSoftmax(scores, -1);
}

function causalMask(q: Tensor, k: Tensor): Tensor {
  return tril(ones([q.size(-2), k.size(-2)], { dtype: "bool", device: q.device }));
}

/** An attention that was computed by blocks: q `[N, G, T, D]`, k `[N, S, D]`, v `[N, S, V]`. */
export interface AttentionParts extends WeightOptions {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** Leading axes of the queries; N · G is their product. */
  readonly outer: readonly number[];
  readonly dropoutP: number;
  readonly dropout: RandomKey | undefined;
}

/** Gradients of q, k and v from that of the result, in operations that have gradients themselves. */
export function attentionGradient(parts: AttentionParts, grad: Tensor): Tensor[] {
  const { outer, scale, dropoutP, dropout } = parts;
  const [n, g, t, d] = parts.q.shape as [number, number, number, number];
  const [s, width] = [parts.k.size(1), parts.v.size(2)];
  const spread = (x: Tensor): Tensor =>
    x.unsqueeze(1).expand([n, g, s, x.size(-1)]).reshape([...outer, s, x.size(-1)]);
  const gather = (x: Tensor): Tensor => sum(x.reshape([n, g, s, x.size(-1)]), 1);
  const drop = (x: Tensor): Tensor => dropout ? dropoutBy(dropout, x, dropoutP) : x;
  const q = parts.q.reshape([...outer, t, d]), dO = grad.reshape([...outer, t, width]);
  const k = spread(parts.k), v = spread(parts.v);
  const weights = attentionWeights(q, k, parts);
  const dWeights = drop(matmul(dO, transpose(v, -2, -1)));
  const inner = sum(mul(dWeights, weights), -1, { keepdim: true });
  const dScores = mul(mul(weights, sub(dWeights, inner)), scale);
  return [
    matmul(dScores, k).reshape([n, g, t, d]),
    gather(matmul(transpose(dScores, -2, -1), q)),
    gather(matmul(transpose(drop(weights), -2, -1), dO)),
  ];
}
