/** Random numbers: counter-based (Philox4x32-10), so that a seed gives the same numbers on every device, eager or compiled. */
import { wholeTensor } from "./base.ts";
import type { Backend } from "./backends/backend.ts";
import { checkSizes, rangeError } from "./check.ts";
import { backendOr } from "./compile/devices.ts";
import { currentTrace } from "./compile/trace.ts";
import { fromValues, type TensorOptions } from "./create.ts";
import { apply, type Attribute, defineOp, type Operand } from "./define.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { argsort, SortMethods } from "./sort.ts";
import type { Tensor } from "./tensor.ts";

/** Seed and number of random calls so far; saving it makes a run resumable. */
export interface RandomState {
  /** Seed as two 32-bit words. */
  readonly seed: readonly [number, number];
  /** Random calls since seeding. */
  readonly calls: number;
}

/** A stream of random numbers. */
export class Generator {
  #seed: readonly [number, number];
  #calls = 0;

  /**
   * Starts a stream.
   *
   * @param seed Whole number from 0 to 2⁵³ − 1.
   */
  constructor(seed = 0) {
    this.#seed = splitSeed(seed);
  }

  /** Starts over from a seed. */
  manualSeed(seed: number): this {
    this.#seed = splitSeed(seed);
    this.#calls = 0;
    return this;
  }

  /** Where the stream stands. */
  getState(): RandomState {
    return { seed: this.#seed, calls: this.#calls };
  }

  /** Continues from a saved state. */
  setState(state: RandomState): void {
    this.#seed = state.seed;
    this.#calls = state.calls;
  }

  /**
   * Key of the next call, `uint32 [3]`: seed words and call number. While tracing, the words are an
   * input of the plan, read anew at each replay, and the call number is counted from there.
   *
   * @internal
   */
  nextKey(backend: Backend): { key: Tensor; call: number } {
    const trace = currentTrace();
    if (!trace || trace.backend !== backend) {
      const key = fromValues([...this.#seed, this.#calls++], [3], "uint32", backend);
      return { key, call: 0 };
    }
    const counter = this.#traceCounter(trace);
    const value = trace.hostInput("random key", "uint32", [3], () => this.#words());
    return { key: wholeTensor(trace.storageOf(value), [3]), call: counter.calls++ };
  }

  #traceCounters = new WeakMap<object, { calls: number }>();

  #traceCounter(trace: object & { afterReplay(f: () => void): void }): { calls: number } {
    let counter = this.#traceCounters.get(trace);
    if (!counter) {
      const made = { calls: 0 };
      counter = made;
      this.#traceCounters.set(trace, made);
      trace.afterReplay(() => this.#calls += made.calls);
    }
    return counter;
  }

  #words(): Uint32Array {
    return Uint32Array.of(...this.#seed, this.#calls);
  }
}

/** Key of a random call: `uint32 [3]`, and a number that is added to its last word. */
export interface RandomKey {
  readonly key: Tensor;
  readonly call: number;
}

function splitSeed(seed: number): readonly [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw rangeError("manualSeed", `seed ${seed} is not a whole number from 0 to 2^53 - 1`);
  }
  return [seed >>> 0, Math.floor(seed / 4294967296)];
}

const defaultGenerator = new Generator(0);

/** Key of the next call of the default generator. */
export function nextKey(backend: Backend): RandomKey {
  return defaultGenerator.nextKey(backend);
}

/** Seeds the random numbers of all devices, like `torch.manual_seed`. */
export function manualSeed(seed: number): void {
  defaultGenerator.manualSeed(seed);
}

/** State of the default generator, for checkpoints. */
export function getRandomState(): RandomState {
  return defaultGenerator.getState();
}

/** Restores the default generator. */
export function setRandomState(state: RandomState): void {
  defaultGenerator.setState(state);
}

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

/** What `philox` takes of a key, whose words `word` loads. */
export function keyWords(word: (i: number) => Expr, call: number): Expr[] {
  return [e.add(word(2), e.constant(call, "uint32")), word(0), word(1)];
}

/** Loads words of a key. */
export function wordsOf(key: Operand): (i: number) => Expr {
  return (i) => key.at([e.int(i)]);
}

/** 32 random bits for element `index`; `word` numbers those of one element. */
export function bits(index: Expr, key: readonly Expr[], word: number): Expr {
  return e.call("philox", [e.cast(index, "uint32"), ...key, e.constant(word, "uint32")]);
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

/** Positions drawn with the given weights, int32, like `torch.multinomial` with replacement; by the Gumbel trick, so that nothing leaves the device. */
export function multinomial(weights: Tensor, count: number, options: RandomOptions = {}): Tensor {
  const logits = weights.log().unsqueeze(-2).expand([
    ...weights.shape.slice(0, -1),
    count,
    weights.shape.at(-1)!,
  ]);
  const u = randLike(logits, options);
  const gumbel = u.add(2 ** -25).log().neg().log().neg();
  return logits.add(gumbel).argmax(-1);
}

/** Methods of tensors from this file. */
export abstract class RandomMethods extends SortMethods {
  /** See the function `bernoulli`. */
  bernoulli(this: Tensor, options?: RandomOptions): Tensor {
    return bernoulli(this, options);
  }
}
