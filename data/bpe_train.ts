import { bpeConfig } from "./_bpe_config.ts";
import { checkInteger, checkTexts } from "./_check.ts";
import { Heap } from "./_heap.ts";
import { BpeTokenizer } from "./bpe_tokenizer.ts";
import { BYTE_CHARACTERS } from "./byte_level.ts";
import { buildPreTokenizer, splitConfig, type SplitName } from "./pre_tokenizer.ts";

/** Options of {@linkcode trainBpe}. */
export interface TrainBpeOptions {
  /** Tokens in all, at least 256 for the bytes and one for each special token. */
  vocabSize: number;
  /**
   * How often a pair must occur to be joined.
   *
   * @default {0}
   */
  minFrequency?: number | undefined;
  /** Tokens that get the first ids, such as `<|endoftext|>`; none where absent. */
  specialTokens?: readonly string[] | undefined;
  /**
   * How text is cut into words first.
   *
   * @default {"gpt2"}
   */
  split?: SplitName | undefined;
}

/**
 * Trains a byte-level BPE tokenizer, with the same merges as Hugging Face's trainer: the most
 * frequent pair first, of equal ones that with the smallest ids.
 *
 * @param texts Texts to learn from.
 * @param options Number of tokens, special tokens, split.
 * @returns The tokenizer; fewer tokens than asked for where the text has no more pairs.
 * @throws {RangeError} If there is no room for the bytes, or a special token is empty or occurs
 *   twice.
 *
 * @example
 * ```ts
 * import { trainBpe } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = trainBpe(["hug pug hugs"], { vocabSize: 258 });
 * assertEquals([tokenizer.idOf("ug"), tokenizer.idOf("hug")], [256, 257]);
 * ```
 */
export function trainBpe(texts: Iterable<string>, options: TrainBpeOptions): BpeTokenizer {
  checkTexts("trainBpe", texts);
  const { vocabSize, minFrequency = 0, specialTokens = [], split = "gpt2" } = options;
  checkOptions(vocabSize, minFrequency, specialTokens);
  const alphabet = [...BYTE_CHARACTERS].sort();
  const vocab = new Map<string, number>();
  for (const token of [...specialTokens, ...alphabet]) {
    if (!vocab.has(token)) vocab.set(token, vocab.size);
  }
  const preTokenizer = splitConfig(split);
  const words = countWords(texts, preTokenizer);
  const merges = new BpeTrainer(words, vocab).run(vocabSize, minFrequency);
  return new BpeTokenizer(configOf(vocab, merges, specialTokens, preTokenizer));
}

function checkOptions(
  vocabSize: number,
  minFrequency: number,
  specialTokens: readonly string[],
): void {
  checkInteger("trainBpe", "minFrequency", minFrequency, 0);
  const least = 256 + specialTokens.length;
  if (!Number.isInteger(vocabSize) || vocabSize < least) {
    throw new RangeError(
      `trainBpe: vocabSize is ${vocabSize}, 256 bytes and ${specialTokens.length} special tokens ` +
        `need ${least}`,
    );
  }
  for (const [i, token] of specialTokens.entries()) {
    if (token !== "" && specialTokens.indexOf(token) === i) continue;
    const problem = token === "" ? "is empty" : `"${token}" occurs twice`;
    throw new RangeError(`trainBpe: special token ${i} ${problem}`);
  }
}

function countWords(texts: Iterable<string>, config: unknown): Map<string, number> {
  const cut = buildPreTokenizer("trainBpe", config, "split");
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of cut([text])) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

// A pair of ids as one number that sorts like the pair.
const PAIR_STRIDE = 2 ** 26;

interface Candidate {
  pair: number;
  count: number;
  words: Set<number>;
}

/**
 * Counts pairs and joins them. The queue holds counts that may be stale: one that is popped and no
 * longer true goes back with its true count. This is Hugging Face's algorithm step by step, so
 * that also its ties are broken alike.
 */
class BpeTrainer {
  readonly #vocab: Map<string, number>;
  readonly #tokens: string[];
  readonly #words: number[][] = [];
  readonly #counts: number[] = [];
  readonly #pairs: Map<number, number> = new Map();
  readonly #queue: Heap<Candidate>;
  #touched: Map<number, Set<number>> = new Map();

  constructor(words: ReadonlyMap<string, number>, vocab: Map<string, number>) {
    this.#vocab = vocab;
    this.#tokens = [...vocab.keys()];
    this.#queue = new Heap<Candidate>((a, b) =>
      a.count > b.count || (a.count === b.count && a.pair < b.pair)
    );
    for (const [word, count] of words) {
      const index = this.#words.length;
      const ids = Array.from(word, (character) => vocab.get(character)!);
      this.#words.push(ids);
      this.#counts.push(count);
      for (let i = 0; i + 1 < ids.length; i++) this.#change(ids[i]!, ids[i + 1]!, 1, index);
    }
    this.#enqueue();
  }

  run(vocabSize: number, minFrequency: number): [string, string][] {
    const merges: [string, string][] = [];
    while (this.#vocab.size < vocabSize) {
      const top = this.#queue.pop();
      if (top === undefined) break;
      const count = this.#pairs.get(top.pair) ?? 0;
      if (top.count !== count) {
        this.#queue.push({ ...top, count });
        continue;
      }
      if (count < 1 || count < minFrequency) break;
      const left = Math.floor(top.pair / PAIR_STRIDE);
      const right = top.pair % PAIR_STRIDE;
      merges.push([this.#tokens[left]!, this.#tokens[right]!]);
      const joined = this.#join(left, right);
      for (const word of top.words) this.#mergeWord(word, left, right, joined);
      this.#enqueue();
    }
    return merges;
  }

  #join(left: number, right: number): number {
    const token = this.#tokens[left]! + this.#tokens[right]!;
    const known = this.#vocab.get(token);
    if (known !== undefined) return known;
    this.#vocab.set(token, this.#tokens.length);
    return this.#tokens.push(token) - 1;
  }

  #change(left: number, right: number, by: 1 | -1, word: number): void {
    const pair = left * PAIR_STRIDE + right;
    this.#pairs.set(pair, (this.#pairs.get(pair) ?? 0) + by * this.#counts[word]!);
    if (by < 0) return;
    const words = this.#touched.get(pair);
    if (words === undefined) this.#touched.set(pair, new Set([word]));
    else words.add(word);
  }

  #enqueue(): void {
    for (const [pair, words] of this.#touched) {
      const count = this.#pairs.get(pair)!;
      if (count > 0) this.#queue.push({ pair, count, words });
    }
    this.#touched = new Map();
  }

  #mergeWord(word: number, left: number, right: number, joined: number): void {
    const ids = this.#words[word]!;
    for (let i = 0; i + 1 < ids.length; i++) {
      if (ids[i] !== left || ids[i + 1] !== right) continue;
      if (i > 0) {
        this.#change(ids[i - 1]!, left, -1, word);
        this.#change(ids[i - 1]!, joined, 1, word);
      }
      ids.splice(i, 2, joined);
      if (i + 1 < ids.length) {
        this.#change(right, ids[i + 1]!, -1, word);
        this.#change(joined, ids[i + 1]!, 1, word);
      }
    }
  }
}

function configOf(
  vocab: ReadonlyMap<string, number>,
  merges: readonly (readonly [string, string])[],
  specialTokens: readonly string[],
  preTokenizer: Record<string, unknown>,
): Record<string, unknown> {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return bpeConfig({
    addedTokens: specialTokens.map((content) => ({
      id: vocab.get(content)!,
      content,
      ...flags,
      special: true,
    })),
    preTokenizer,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    vocab,
    merges,
  });
}
