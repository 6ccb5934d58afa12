/** Streams of random numbers: a seed and a count of calls, from which Philox makes the bits. */
import { wholeTensor } from "./base.ts";
import type { Backend } from "./backends/backend.ts";
import { rangeError } from "./check.ts";
import { currentTrace } from "./compile/trace.ts";
import type { Operand } from "./define.ts";
import { fromValues } from "./host_values.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
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

/** The stream that `manualSeed` seeds. */
export const defaultGenerator: Generator = new Generator(0);

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
