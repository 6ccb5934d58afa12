/** Random numbers: counter-based (Philox4x32-10), so that a seed gives the same numbers on every device, eager or compiled. */
import { checkSizes, rangeError } from "./check.ts";
import { backendOr } from "./compile/devices.ts";
import type { TensorOptions } from "./create.ts";
import { apply, type Attribute, defineOp } from "./define.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { bits, defaultGenerator, type Generator, keyWords, wordsOf } from "./random_stream.ts";
import { argsort } from "./sort.ts";
import { PlaceMethods } from "./places.ts";
import type { Tensor } from "./tensor.ts";

export {
  Generator,
  getRandomState,
  manualSeed,
  type RandomState,
  setRandomState,
} from "./random_stream.ts";

type Distribution = "uniform" | "normal" | "integer";

interface RandomAttributes {
  readonly [name: string]: Attribute;
  readonly shape: readonly number[];
  readonly distribution: Distribution;
  readonly dtype: DType;
  readonly low: number;
  readonly high: number;
  readonly call: number;
}

/** Uniform in [0, 1) from the 24 upper bits: every value is exact in float32. */
function uniform(word: Expr, dtype: DType): Expr {
  const top = e.call("shr", [word, e.constant(8, "uint32")]);
  return e.mul(e.cast(top, dtype), e.constant(2 ** -24, dtype));
}

/** Box–Muller (1958); 1 − u keeps the logarithm finite. */
function normal(index: Expr, key: readonly Expr[], dtype: DType): Expr {
  const u = e.sub(e.constant(1, dtype), uniform(bits(index, key, 0), dtype));
  const angle = e.mul(uniform(bits(index, key, 1), dtype), e.constant(2 * Math.PI, dtype));
  const radius = e.call("sqrt", [e.mul(e.constant(-2, dtype), e.call("log", [u]))]);
  return e.mul(radius, e.call("cos", [angle]));
}

const RANDOM = defineOp<RandomAttributes>({
  name: "random",
  lower([key], { shape, distribution, dtype, low, high, call }) {
    const words = keyWords(wordsOf(key!), call);
    const index = e.ravel(e.axesOf(shape), shape);
    const scale = (x: Expr) =>
      e.add(e.mul(x, e.constant(high - low, dtype)), e.constant(low, dtype));
    let value: Expr;
    if (distribution === "integer") {
      // The remainder's bias is below 2^-32 times the range; ranges here are small.
      const range = e.constant(high - low, "uint32");
      const rest = e.call("trem", [bits(index, words, 0), range]);
      value = e.cast(e.add(e.cast(rest, "int32"), e.int(low)), dtype);
    } else if (distribution === "uniform") {
      value = low === 0 && high === 1
        ? uniform(bits(index, words, 0), dtype)
        : scale(uniform(bits(index, words, 0), dtype));
    } else {
      value = normal(index, words, dtype);
    }
    const outputs = [{ dtype, value, index: undefined }];
    return {
      kernel: { kind: "map", shape, inputs: [{ dtype: "uint32" }], outputs },
      shapes: [shape],
    };
  },
});

/** Options of random tensors. */
export interface RandomOptions extends TensorOptions {
  /** Stream to draw from. @default the one seeded by `manualSeed` */
  generator?: Generator | undefined;
}

function draw(
  op: string,
  shape: readonly number[],
  distribution: Distribution,
  [low, high]: readonly [number, number],
  options: RandomOptions,
  dtype: DType,
): Tensor {
  checkSizes(op, shape);
  const backend = backendOr(options.device);
  const { key, call } = (options.generator ?? defaultGenerator).nextKey(backend);
  const x = apply(RANDOM, [key], { shape, distribution, dtype, low, high, call });
  return options.requiresGrad ? x.setRequiresGrad(true) : x;
}

/** Uniform numbers in [0, 1), like `torch.rand`. */
export function rand(shape: readonly number[], options: RandomOptions = {}): Tensor {
  return draw("rand", shape, "uniform", [0, 1], options, options.dtype ?? "float32");
}

/** Uniform numbers in [low, high). */
export function uniformRandom(
  shape: readonly number[],
  low: number,
  high: number,
  options: RandomOptions = {},
): Tensor {
  return draw("uniformRandom", shape, "uniform", [low, high], options, options.dtype ?? "float32");
}

/** Standard normal numbers, like `torch.randn`. */
export function randn(shape: readonly number[], options: RandomOptions = {}): Tensor {
  return draw("randn", shape, "normal", [0, 1], options, options.dtype ?? "float32");
}

/** Whole numbers from `low` up to but without `high`, int32, like `torch.randint`. */
export function randint(
  low: number,
  high: number,
  shape: readonly number[],
  options: RandomOptions = {},
): Tensor {
  if (!Number.isInteger(low) || !Number.isInteger(high) || high <= low) {
    throw rangeError("randint", `low ${low} and high ${high} are not a range of whole numbers`);
  }
  return draw("randint", shape, "integer", [low, high], options, options.dtype ?? "int32");
}

/** The numbers 0 to `count` − 1 in random order, int32, like `torch.randperm`. */
export function randperm(count: number, options: RandomOptions = {}): Tensor {
  return argsort(rand([count], { ...options, requiresGrad: false }), 0);
}

/** Uniform numbers of the same shape, dtype and device. */
export function randLike(x: Tensor, options: RandomOptions = {}): Tensor {
  return rand(x.shape, { dtype: x.dtype, device: x.device, ...options });
}

/** Standard normal numbers of the same shape, dtype and device. */
export function randnLike(x: Tensor, options: RandomOptions = {}): Tensor {
  return randn(x.shape, { dtype: x.dtype, device: x.device, ...options });
}

/** 1 with the probability that each element gives, else 0, like `torch.bernoulli`. */
export function bernoulli(p: Tensor, options: RandomOptions = {}): Tensor {
  return randLike(p, options).lt(p).to(p.dtype);
}

/** Methods of tensors from this file. */
export abstract class RandomMethods extends PlaceMethods {
  /** See the function `bernoulli`. */
  bernoulli(this: Tensor, options?: RandomOptions): Tensor {
    return bernoulli(this, options);
  }
}
