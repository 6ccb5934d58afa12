import { checkTexts, nearestName } from "./_check.ts";
import type { EncodeOptions, Tokenizer } from "./tokenizer.ts";

const PAD = "<pad>";

/**
 * One token for each word, in lower case, for small vocabularies such as those of prompts. Id 0 is
 * `<pad>`; runs of letters are words, digits and signs stand alone.
 *
 * @example
 * ```ts
 * import { WordTokenizer } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = WordTokenizer.fromTexts(["a handwritten three", "cyfra trzy"]);
 * assertEquals(tokenizer.decode(tokenizer.encode("A  three")), "a three");
 * ```
 */
export class WordTokenizer implements Tokenizer {
  /** The words, by id. */
  readonly words: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  /**
   * Takes the words.
   *
   * @param words Words by id; the first is `<pad>`, each comes once.
   * @throws {RangeError} If the first is another, or one comes twice.
   */
  constructor(words: readonly string[]) {
    if (words[0] !== PAD) {
      throw new RangeError(
        `WordTokenizer: word 0 is ${JSON.stringify(words[0])}, expected "${PAD}"`,
      );
    }
    this.words = [...words];
    this.#ids = new Map(words.map((word, id) => [word, id]));
    const twice = words.find((word, id) => this.#ids.get(word) !== id);
    if (twice !== undefined) throw new RangeError(`WordTokenizer: "${twice}" occurs twice`);
  }

  /**
   * The tokenizer of all words of some texts, in alphabetical order.
   *
   * @param texts The texts.
   * @returns A tokenizer that knows every word of them.
   */
  static fromTexts(texts: Iterable<string>): WordTokenizer {
    checkTexts("WordTokenizer", texts);
    const words = new Set<string>();
    for (const text of texts) for (const word of wordsOf(text)) words.add(word);
    return new WordTokenizer([PAD, ...[...words].sort()]);
  }

  /** Number of words. */
  get vocabSize(): number {
    return this.words.length;
  }

  /**
   * Ids of a text.
   *
   * @param text A text of known words.
   * @param _options Not used: no word is added.
   * @returns One id for each word; none for an empty text.
   * @throws {RangeError} If the vocabulary lacks words; the message names them and offers the
   *   nearest.
   */
  encode(text: string, _options?: EncodeOptions | undefined): Uint32Array<ArrayBuffer> {
    const words = wordsOf(text);
    const missing = [...new Set(words.filter((word) => !this.#ids.has(word)))];
    if (missing.length > 0) {
      const named = missing.map((word) => {
        const near = nearestName(word, this.words.slice(1));
        return near === undefined ? `"${word}"` : `"${word}" (did you mean "${near}"?)`;
      });
      throw new RangeError(`encode: the vocabulary lacks ${named.join(", ")}`);
    }
    return Uint32Array.from(words, (word) => this.#ids.get(word)!);
  }

  /**
   * Text of ids: the words with spaces between them, without `<pad>`.
   *
   * @param ids Ids.
   * @returns The text.
   * @throws {RangeError} If an id does not exist.
   */
  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => this.#word("decode", id)).filter((word) => word !== PAD)
      .join(" ");
  }

  /**
   * UTF-8 of one word with a space after it; `<pad>` has none.
   *
   * @param id Id.
   * @returns The bytes.
   * @throws {RangeError} If the id does not exist.
   */
  bytesOf(id: number): Uint8Array {
    const word = this.#word("bytesOf", id);
    return new TextEncoder().encode(word === PAD ? "" : `${word} `);
  }

  /**
   * Id of a word.
   *
   * @param token The word.
   * @returns Its id, or `undefined`.
   */
  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  #word(op: string, id: number): string {
    const word = this.words[id];
    if (word !== undefined) return word;
    throw new RangeError(`${op}: id ${id} is out of range for ${this.vocabSize} tokens`);
  }

  /**
   * The tokenizer in Hugging Face's format.
   *
   * @returns A plain object for `JSON.stringify`.
   */
  toJSON(): Record<string, unknown> {
    const split = (Regex: string) => ({
      type: "Split",
      pattern: { Regex },
      behavior: "Removed",
      invert: true,
    });
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: [{ id: 0, content: PAD, ...flags, special: true }],
      normalizer: {
        type: "Sequence",
        normalizers: [{ type: "NFC" }, { type: "Lowercase" }],
      },
      pre_tokenizer: split(WORD_PATTERN),
      post_processor: null,
      decoder: null,
      model: { type: "WordLevel", vocab: Object.fromEntries(this.#ids), unk_token: PAD },
    };
  }
}

const WORD_PATTERN = "\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}]";

function wordsOf(text: string): string[] {
  return text.normalize("NFC").toLowerCase().match(/\p{L}+|\p{N}|[^\s\p{L}\p{N}]/gu) ?? [];
}
