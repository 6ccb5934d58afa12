/** Splits text into numbered tokens, and joins them again. */
export interface Tokenizer {
  /** Number of tokens; ids run from 0 to one less. */
  readonly vocabSize: number;
  /**
   * Ids of a text.
   *
   * @param text Any text.
   * @param options Whether tokens that open or close every text are added.
   * @returns The ids.
   */
  encode(text: string, options?: EncodeOptions | undefined): Uint32Array<ArrayBuffer>;
  /**
   * Text of ids.
   *
   * @param ids Ids.
   * @param options Whether special tokens are left out.
   * @returns The text; bytes that are no UTF-8 become `�`.
   */
  decode(ids: ArrayLike<number>, options?: DecodeOptions | undefined): string;
  /**
   * Bytes of one token, for streaming.
   *
   * @param id Id.
   * @returns UTF-8, possibly part of a character.
   */
  bytesOf(id: number): Uint8Array;
  /**
   * Id of a token, special ones included.
   *
   * @param token Text of the token.
   * @returns Its id, or `undefined`.
   */
  idOf(token: string): number | undefined;
  /**
   * The tokenizer in Hugging Face's `tokenizer.json` format.
   *
   * @returns A plain object for `JSON.stringify`.
   */
  toJSON(): Record<string, unknown>;
}

/** Options of `encode`. */
export interface EncodeOptions {
  /**
   * Add the tokens that the tokenizer puts around every text.
   *
   * @default {true}
   */
  addSpecialTokens?: boolean | undefined;
}

/** Options of `decode`. */
export interface DecodeOptions {
  /**
   * Leave special tokens out.
   *
   * @default {true}
   */
  skipSpecialTokens?: boolean | undefined;
}

/**
 * Turns ids into text as they come, and holds back what does not yet make a whole character.
 *
 * @example A character of two bytes in two tokens
 * ```ts
 * import { TextStream, trainBpe } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = trainBpe(["abc"], { vocabSize: 256 });
 * const stream = new TextStream(tokenizer);
 * const [first, second] = tokenizer.encode("é");
 * assertEquals([stream.push(first!), stream.push(second!)], ["", "é"]);
 * ```
 */
export class TextStream {
  readonly #tokenizer: Tokenizer;
  readonly #decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /**
   * Begins an empty stream.
   *
   * @param tokenizer Where the ids come from.
   */
  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /**
   * Adds ids.
   *
   * @param ids One id or several.
   * @returns The characters that are complete now.
   * @throws {RangeError} If an id does not exist.
   */
  push(...ids: readonly number[]): string {
    let text = "";
    for (const id of ids) {
      text += this.#decoder.decode(this.#tokenizer.bytesOf(id), { stream: true });
    }
    return text;
  }

  /**
   * Ends the stream.
   *
   * @returns `�` for the beginning of a character that never ended, else nothing.
   */
  end(): string {
    return this.#decoder.decode();
  }
}
