import { checkInteger } from "./_check.ts";

/**
 * Perplexity of a language model: `exp(loss)`.
 *
 * @param loss Mean negative log-likelihood per token, in nats.
 * @returns At least 1 for a proper loss.
 * @throws {RangeError} If the loss is not a number.
 *
 * @example A uniform guess among four tokens
 * ```ts
 * import { perplexity } from "@tensaurus/core/data";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * assertAlmostEquals(perplexity(Math.log(4)), 4);
 * ```
 */
export function perplexity(loss: number): number {
  if (Number.isNaN(loss)) throw new RangeError("perplexity: loss is NaN, expected nats per token");
  return Math.exp(loss);
}

/**
 * Bits per character of a language model.
 *
 * @param loss Mean negative log-likelihood per token, in nats.
 * @param charactersPerToken Mean length of a token; 1 for a character model.
 * @returns `loss / ln 2 / charactersPerToken`.
 * @throws {RangeError} If the loss is not a number, or the length is not positive.
 *
 * @example
 * ```ts
 * import { bitsPerCharacter } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bitsPerCharacter(Math.LN2 * 3), 3);
 * ```
 */
export function bitsPerCharacter(loss: number, charactersPerToken = 1): number {
  if (Number.isNaN(loss)) {
    throw new RangeError("bitsPerCharacter: loss is NaN, expected nats per token");
  }
  if (!(charactersPerToken > 0)) {
    throw new RangeError(
      `bitsPerCharacter: charactersPerToken is ${charactersPerToken}, expected a positive number`,
    );
  }
  return loss / Math.LN2 / charactersPerToken;
}

/** Options of {@linkcode bleu}. */
export interface BleuOptions {
  /**
   * Longest n-gram.
   *
   * @default {4}
   */
  maxN?: number | undefined;
  /**
   * Add one to matches and counts of n-grams of two and more (Lin and Och 2004), so that short
   * texts without a match of four do not get 0.
   *
   * @default {false}
   */
  smooth?: boolean | undefined;
}

/** What {@linkcode bleu} finds. */
export interface BleuResult {
  /** The score, from 0 to 1. */
  score: number;
  /** Share of matching n-grams for n = 1 to `maxN`. */
  precisions: number[];
  /** Factor for candidates that are too short, from 0 to 1. */
  brevityPenalty: number;
  /** Tokens of all candidates. */
  candidateLength: number;
  /** Tokens of the references nearest in length. */
  referenceLength: number;
}

/**
 * BLEU of a corpus (Papineni et al. 2002): clipped n-gram precision, geometric mean, brevity
 * penalty, counted over the whole corpus.
 *
 * @param candidates Tokens of each translation.
 * @param references For each translation the tokens of one or more references.
 * @param options Longest n-gram, smoothing.
 * @returns Score and its parts.
 * @throws {RangeError} If the lengths differ or are 0, or a candidate has no reference.
 *
 * @example A perfect translation
 * ```ts
 * import { bleu } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const words = "the cat is on the mat".split(" ");
 * assertEquals(bleu([words], [[words]]).score, 1);
 * ```
 */
export function bleu(
  candidates: readonly (readonly string[])[],
  references: readonly (readonly (readonly string[])[])[],
  options: BleuOptions = {},
): BleuResult {
  const { maxN = 4, smooth = false } = options;
  checkInteger("bleu", "maxN", maxN, 1);
  if (candidates.length !== references.length || candidates.length === 0) {
    throw new RangeError(
      `bleu: candidates has ${candidates.length} texts, references ${references.length}`,
    );
  }
  const empty = references.findIndex((list) => list.length === 0);
  if (empty !== -1) throw new RangeError(`bleu: candidate ${empty} has no reference`);
  const matches = new Array<number>(maxN).fill(0);
  const totals = new Array<number>(maxN).fill(0);
  let [candidateLength, referenceLength] = [0, 0];
  candidates.forEach((candidate, i) => {
    candidateLength += candidate.length;
    referenceLength += nearestLength(candidate.length, references[i]!);
    for (let n = 1; n <= maxN; n++) {
      matches[n - 1]! += clippedMatches(candidate, references[i]!, n);
      totals[n - 1]! += Math.max(0, candidate.length - n + 1);
    }
  });
  const precisions = matches.map((match, i) => {
    const extra = smooth && i > 0 ? 1 : 0;
    return totals[i]! + extra === 0 ? 0 : (match + extra) / (totals[i]! + extra);
  });
  const brevityPenalty = candidateLength === 0
    ? 0
    : Math.min(1, Math.exp(1 - referenceLength / candidateLength));
  const mean = precisions.reduce((sum, p) => sum + Math.log(p), 0) / maxN;
  const score = brevityPenalty * Math.exp(mean);
  return { score, precisions, brevityPenalty, candidateLength, referenceLength };
}

/** Length of the reference nearest to `length`; of two the shorter. */
function nearestLength(length: number, references: readonly (readonly string[])[]): number {
  const lengths = references.map((reference) => reference.length);
  return lengths.reduce((best, other) => {
    const [gap, otherGap] = [Math.abs(best - length), Math.abs(other - length)];
    return otherGap < gap || (otherGap === gap && other < best) ? other : best;
  });
}

function countNgrams(tokens: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    const key = tokens.slice(i, i + n).join("\u0000");
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function clippedMatches(
  candidate: readonly string[],
  references: readonly (readonly string[])[],
  n: number,
): number {
  const counts = references.map((reference) => countNgrams(reference, n));
  let matches = 0;
  for (const [ngram, count] of countNgrams(candidate, n)) {
    matches += Math.min(count, Math.max(...counts.map((map) => map.get(ngram) ?? 0)));
  }
  return matches;
}
