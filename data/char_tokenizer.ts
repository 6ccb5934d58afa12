import { bpeConfig } from "./_bpe_config.ts";
import type { Tokenizer } from "./tokenizer.ts";

const MOST_NAMED = 10;

/**
 * One token for each character (code point) of a text, in the order of the code points.
 *
 * @example
 * ```ts
 * import { CharTokenizer } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = CharTokenizer.fromText("banana");
 * assertEquals([...tokenizer.encode("nab")], [2, 0, 1]);
 * assertEquals(tokenizer.decode([1, 0]), "ba");
 * ```
 */
export class CharTokenizer implements Tokenizer {
  /** The characters, by id. */
  readonly characters: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  /**
   * Takes the characters.
   *
   * @param characters Characters by id, one code point each, each once.
   * @throws {RangeError} If there are none, one comes twice, or is no single code point.
   */
  constructor(characters: readonly string[]) {
    if (characters.length === 0) throw new RangeError("CharTokenizer: there are no characters");
    this.characters = [...characters];
    this.#ids = new Map(characters.map((character, id) => [character, id]));
    for (const [id, character] of characters.entries()) {
      if ([...character].length !== 1) {
        const text = JSON.stringify(character);
        throw new RangeError(`CharTokenizer: character ${id} is ${text}, expected one code point`);
      }
      if (this.#ids.get(character) !== id) {
        throw new RangeError(`CharTokenizer: ${JSON.stringify(character)} occurs twice`);
      }
    }
  }

  /**
   * The tokenizer of the characters of a text.
   *
   * @param text The text.
   * @returns A tokenizer that knows every character of it.
   * @throws {RangeError} If the text is empty.
   */
  static fromText(text: string): CharTokenizer {
    if (text === "") throw new RangeError("CharTokenizer: text is empty");
    const points = new Set<number>();
    for (const character of text) points.add(character.codePointAt(0)!);
    const sorted = [...points].sort((a, b) => a - b);
    return new CharTokenizer(sorted.map((point) => String.fromCodePoint(point)));
  }

  /** Number of characters. */
  get vocabSize(): number {
    return this.characters.length;
  }

  /**
   * Ids of a text.
   *
   * @param text A text of known characters.
   * @returns One id for each code point.
   * @throws {RangeError} If the vocabulary lacks characters; the message names them.
   */
  encode(text: string): Uint32Array<ArrayBuffer> {
    const ids = new Uint32Array(text.length);
    const missing = new Set<string>();
    let count = 0;
    for (const character of text) {
      const id = this.#ids.get(character);
      if (id === undefined) missing.add(character);
      else ids[count++] = id;
    }
    if (missing.size > 0) {
      const named = [...missing].slice(0, MOST_NAMED).map((c) => JSON.stringify(c)).join(", ");
      const more = missing.size > MOST_NAMED ? ` and ${missing.size - MOST_NAMED} more` : "";
      throw new RangeError(`encode: the vocabulary lacks ${named}${more}`);
    }
    return ids.slice(0, count);
  }

  /**
   * Text of ids.
   *
   * @param ids Ids.
   * @returns The text.
   * @throws {RangeError} If an id does not exist.
   */
  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => this.#character("decode", id)).join("");
  }

  /**
   * UTF-8 of one character.
   *
   * @param id Id.
   * @returns The bytes.
   * @throws {RangeError} If the id does not exist.
   */
  bytesOf(id: number): Uint8Array {
    return new TextEncoder().encode(this.#character("bytesOf", id));
  }

  /**
   * Id of a character.
   *
   * @param token The character.
   * @returns Its id, or `undefined`.
   */
  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  #character(op: string, id: number): string {
    const character = this.characters[id];
    if (character !== undefined) return character;
    throw new RangeError(`${op}: id ${id} is out of range for ${this.vocabSize} tokens`);
  }

  /**
   * The tokenizer in Hugging Face's format: a BPE without merges.
   *
   * @returns A plain object for `JSON.stringify`.
   */
  toJSON(): Record<string, unknown> {
    return bpeConfig({
      addedTokens: [],
      preTokenizer: null,
      decoder: { type: "Fuse" },
      vocab: this.#ids,
      merges: [],
    });
  }
}
