/** Rotary frequencies for more positions than a model was trained with. */
import { rangeError } from "../ops/check.ts";
import { checkCount } from "./_check.ts";

const NAME = "RotaryEmbedding";

/** All positions are divided by the factor (Chen et al. 2023, "position interpolation"). */
export interface LinearScaling {
  /** Discriminates the kinds. */
  type: "linear";
  /** How many times longer the context becomes; at least 1. */
  factor: number;
}

/**
 * The base grows with the length, so that the slowest pair turns as far as it did in training ("NTK-aware"
 * scaling). Transformers computes it anew for each length; here the length is `maxLen`, for all texts
 * alike, and up to `originalMaxLen` nothing changes.
 */
export interface DynamicScaling {
  /** Discriminates the kinds. */
  type: "dynamic";
  /** Strength of the growth; at least 1. */
  factor: number;
  /** Positions that the model was trained with. */
  originalMaxLen: number;
}

/**
 * Slow pairs are divided by the factor, fast ones stay, and what is between is interpolated by the
 * number of turns within the original context (Llama 3.1).
 */
export interface Llama3Scaling {
  /** Discriminates the kinds. */
  type: "llama3";
  /** Divisor of the slow frequencies; at least 1. */
  factor: number;
  /** Turns within the original context below which a pair is slow. */
  lowFreqFactor: number;
  /** Turns from which on it is fast. */
  highFreqFactor: number;
  /** Positions that the model was trained with. */
  originalMaxLen: number;
}

/**
 * Slow pairs are divided by the factor, fast ones stay, what is between is interpolated by the index of
 * the pair, and queries and keys grow a little (Peng et al. 2023, "YaRN").
 */
export interface YarnScaling {
  /** Discriminates the kinds. */
  type: "yarn";
  /** Divisor of the slow frequencies; at least 1. */
  factor: number;
  /** Positions that the model was trained with. */
  originalMaxLen: number;
  /** Factor of sines and cosines. @default 0.1 ln factor + 1 */
  attentionFactor?: number | undefined;
  /** With `mscaleAllDim`, strength of the logarithm in the factor of sines and cosines. */
  mscale?: number | undefined;
  /** Strength of the logarithm that the one of `mscale` is divided by. */
  mscaleAllDim?: number | undefined;
  /** Turns within the original context from which on a pair is fast. @default 32 */
  betaFast?: number | undefined;
  /** Turns below which it is slow. @default 1 */
  betaSlow?: number | undefined;
  /** Whether the pairs where the interpolation starts and ends are whole numbers. @default true */
  truncate?: boolean | undefined;
}

/**
 * Every pair has a divisor of its own, found by a search: one for texts within the original context, one
 * for longer ones; queries and keys grow a little (Ding et al. 2024, "LongRoPE"; Phi-3). Transformers
 * chooses anew for each length; here `maxLen` decides, for all texts alike.
 */
export interface LongRopeScaling {
  /** Discriminates the kinds. */
  type: "longrope";
  /** How many times longer the context became; at least 1. */
  factor: number;
  /** Divisors of the frequencies up to `originalMaxLen` positions, one for each pair. */
  shortFactors: readonly number[];
  /** Divisors of the frequencies beyond. */
  longFactors: readonly number[];
  /** Positions that the model was trained with. */
  originalMaxLen: number;
  /** Factor of sines and cosines. @default √(1 + ln factor / ln originalMaxLen) */
  attentionFactor?: number | undefined;
}

/** How the frequencies change for a longer context. */
export type RotaryScaling =
  | LinearScaling
  | DynamicScaling
  | Llama3Scaling
  | YarnScaling
  | LongRopeScaling;

/** What the angles are made from. */
export interface RotarySettings {
  /** Size of a head. */
  dim: number;
  /** Number of positions. */
  maxLen: number;
  /** Base of the frequencies. */
  base: number;
}

/** Angle per position of each pair, and a factor of the sines and cosines. */
export interface RotaryFrequencies {
  /** Radians per position, `dim / 2` of them, falling. */
  frequencies: Float64Array;
  /** Factor of sines and cosines. */
  attentionFactor: number;
}

/** The frequencies of a rotary embedding. @throws {RangeError} If a setting is not allowed. */
export function rotaryFrequencies(
  settings: RotarySettings,
  scaling?: RotaryScaling,
): RotaryFrequencies {
  const { dim, base } = settings;
  const plain = geometric(dim, base);
  if (!scaling) return { frequencies: plain, attentionFactor: 1 };
  if (!(scaling.factor >= 1)) throw rangeError(NAME, `factor ${scaling.factor} is not at least 1`);
  switch (scaling.type) {
    case "linear":
      return { frequencies: plain.map((f) => f / scaling.factor), attentionFactor: 1 };
    case "dynamic":
      return { frequencies: geometric(dim, grownBase(settings, scaling)), attentionFactor: 1 };
    case "llama3":
      return { frequencies: byTurns(plain, scaling), attentionFactor: 1 };
    case "yarn":
      return {
        frequencies: byPair(plain, base, scaling),
        attentionFactor: attentionFactorOf(scaling),
      };
    case "longrope":
      return divided(plain, settings.maxLen, scaling);
  }
}

/** base^(−2i / dim). */
function geometric(dim: number, base: number): Float64Array {
  return Float64Array.from({ length: dim / 2 }, (_, i) => base ** (-2 * i / dim));
}

function grownBase({ dim, maxLen, base }: RotarySettings, scaling: DynamicScaling): number {
  const { factor, originalMaxLen } = scaling;
  checkCount(NAME, "originalMaxLen", originalMaxLen);
  const stretch = Math.max(1, maxLen / originalMaxLen);
  // One pair alone has no exponent: its frequency is 1 with any base.
  return dim > 2 ? base * (factor * stretch - (factor - 1)) ** (dim / (dim - 2)) : base;
}

/** A blend of the frequency (share 1) and the frequency over the factor (share 0). */
function blend(frequency: number, factor: number, share: number): number {
  const kept = Math.min(1, Math.max(0, share));
  return frequency * (kept + (1 - kept) / factor);
}

function byTurns(plain: Float64Array, scaling: Llama3Scaling): Float64Array {
  const { factor, lowFreqFactor: low, highFreqFactor: high, originalMaxLen } = scaling;
  checkCount(NAME, "originalMaxLen", originalMaxLen);
  if (!(high > low)) {
    throw rangeError(NAME, `highFreqFactor ${high} is not above lowFreqFactor ${low}`);
  }
  return plain.map((frequency) => {
    const turns = originalMaxLen * frequency / (2 * Math.PI);
    return blend(frequency, factor, (turns - low) / (high - low));
  });
}

/** Pairs are counted from the fastest one; what turns `n` times in the original context is a fraction. */
function byPair(plain: Float64Array, base: number, scaling: YarnScaling): Float64Array {
  const { factor, originalMaxLen, betaFast = 32, betaSlow = 1, truncate = true } = scaling;
  checkCount(NAME, "originalMaxLen", originalMaxLen);
  if (!(betaFast >= betaSlow && betaSlow > 0)) {
    throw rangeError(NAME, `betaFast ${betaFast} is not at least betaSlow ${betaSlow}, above 0`);
  }
  const dim = 2 * plain.length;
  const pairOf = (turns: number): number =>
    dim * Math.log(originalMaxLen / (turns * 2 * Math.PI)) / (2 * Math.log(base));
  const [fast, slow] = [pairOf(betaFast), pairOf(betaSlow)];
  const first = Math.max(0, truncate ? Math.floor(fast) : fast);
  const last = Math.min(dim - 1, truncate ? Math.ceil(slow) : slow);
  // Where both are one pair the step between them is as steep as in transformers.
  const width = last === first ? 0.001 : last - first;
  return plain.map((frequency, pair) => blend(frequency, factor, 1 - (pair - first) / width));
}

function attentionFactorOf(scaling: YarnScaling): number {
  const { factor, attentionFactor, mscale, mscaleAllDim } = scaling;
  if (attentionFactor !== undefined) return attentionFactor;
  const grown = (strength: number): number => 0.1 * strength * Math.log(factor) + 1;
  return mscale && mscaleAllDim ? grown(mscale) / grown(mscaleAllDim) : grown(1);
}

function divided(plain: Float64Array, maxLen: number, scaling: LongRopeScaling): RotaryFrequencies {
  const { factor, shortFactors, longFactors, originalMaxLen } = scaling;
  checkCount(NAME, "originalMaxLen", originalMaxLen);
  for (const [name, factors] of Object.entries({ shortFactors, longFactors })) {
    if (factors.length === plain.length) continue;
    throw rangeError(NAME, `${name} has ${factors.length} numbers, expected ${plain.length}`);
  }
  const factors = maxLen > originalMaxLen ? longFactors : shortFactors;
  return {
    frequencies: plain.map((frequency, pair) => frequency / factors[pair]!),
    attentionFactor: scaling.attentionFactor ??
      Math.sqrt(1 + (factor > 1 ? Math.log(factor) / Math.log(originalMaxLen) : 0)),
  };
}
