/** Dropout: its mask is computed again in the backward pass, from the same key, not stored. */
import { rangeError } from "./check.ts";
import { apply, type Attribute, defineOp, type OpDefinition } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { bits, keyWords, nextKey, type RandomKey, wordsOf } from "./random_stream.ts";
import type { Tensor } from "./tensor.ts";

interface DropoutAttributes {
  readonly [name: string]: Attribute;
  readonly p: number;
  readonly call: number;
  /** Axes on which the mask varies; on the others it is the same (dropout of whole channels). */
  readonly axes: readonly number[];
}

/** Whether dropout leaves element `index`. */
export function isKept(index: Expr, key: readonly Expr[], p: number): Expr {
  const keepBelow = Math.min(4294967295, Math.round((1 - p) * 4294967296));
  return e.lt(bits(index, key, 0), e.constant(keepBelow, "uint32"));
}

const DROPOUT: OpDefinition<DropoutAttributes> = defineOp({
  name: "dropout",
  lower([x, key], { p, call, axes }) {
    const { shape, dtype } = x!;
    const coordinates = e.axesOf(shape);
    const index = e.ravel(axes.map((d) => coordinates[d]!), axes.map((d) => shape[d]!));
    const kept = isKept(index, keyWords(wordsOf(key!), call), p);
    const scaled = e.mul(x!.at(coordinates), e.constant(1 / (1 - p), dtype));
    const value = e.select(kept, scaled, e.constant(0, dtype));
    const inputs = [{ dtype }, { dtype: "uint32" as const }];
    return {
      kernel: { kind: "map", shape, inputs, outputs: [{ dtype, value, index: undefined }] },
      shapes: [shape],
    };
  },
  gradient: (c) => [apply(DROPOUT, [c.grad(), c.input(1)], c.attributes), undefined],
});

/** Options of `dropout`. */
export interface DropoutOptions {
  /** Probability of a zero. @default 0.5 */
  p?: number | undefined;
  /** Whether anything is dropped at all. @default true */
  training?: boolean | undefined;
  /** Axes on which elements are dropped independently; all by default. */
  axes?: readonly number[] | undefined;
}

/** Zeros elements at random and scales the rest by `1 / (1 − p)`, like `torch.nn.functional.dropout`. */
export function dropout(x: Tensor, options: DropoutOptions = {}): Tensor {
  const { p = 0.5, training = true } = options;
  if (!(p >= 0 && p <= 1)) throw rangeError("dropout", `p ${p} is not between 0 and 1`);
  if (!training || p === 0) return x;
  if (p === 1) return x.mul(0);
  return dropoutBy(nextKey(x.storage.backend), x, p, options.axes);
}

/** Dropout with a key that is known, for what draws the same numbers again. */
export function dropoutBy(
  { key, call }: RandomKey,
  x: Tensor,
  p: number,
  axes: readonly number[] = x.shape.map((_, d) => d),
): Tensor {
  return apply(DROPOUT, [x, key], { p, call, axes });
}
