import { type AddedToken, AddedTokenFinder, readAddedTokens } from "./added_tokens.ts";
import { BpeModel } from "./bpe_model.ts";
import { FormatError } from "./errors.ts";
import { buildPreTokenizer, type PreTokenizer } from "./pre_tokenizer.ts";
import {
  buildDecoder,
  buildNormalizer,
  buildTemplate,
  type Decoder,
  type Template,
} from "./token_text.ts";
import type { DecodeOptions, EncodeOptions, Tokenizer } from "./tokenizer.ts";

const OP = "parseTokenizer";

/**
 * Byte-pair encoding as Hugging Face's `tokenizer.json` describes it: byte-level as in GPT-2 and
 * Llama 3, or over characters with byte fallback as in Llama 2. Made by {@linkcode trainBpe} or
 * {@linkcode parseTokenizer}.
 *
 * @example
 * ```ts
 * import { trainBpe } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = trainBpe(["low lower lowest"], { vocabSize: 258 });
 * assertEquals(tokenizer.decode(tokenizer.encode("slow")), "slow");
 * assertEquals(tokenizer.encode("low").length, 1);
 * ```
 */
export class BpeTokenizer implements Tokenizer {
  /** Number of tokens; ids run from 0 to one less. */
  readonly vocabSize: number;
  readonly #config: Record<string, unknown>;
  readonly #model: BpeModel;
  readonly #ids: Map<string, number>;
  readonly #tokens: Map<number, string>;
  readonly #special: ReadonlySet<number>;
  readonly #finder: AddedTokenFinder;
  readonly #normalize: (text: string) => string;
  readonly #normalizedFinder: AddedTokenFinder;
  readonly #preTokenize: PreTokenizer;
  readonly #decoder: Decoder;
  readonly #template: Template;

  /**
   * Reads a configuration.
   *
   * @param config The content of a `tokenizer.json`.
   * @throws {FormatError} If a field is missing, contradicts another, or is not supported; the
   *   message names it.
   */
  constructor(config: Record<string, unknown>) {
    const model = readModel(config.model);
    const added = readAddedTokens(OP, config.added_tokens);
    this.#config = config;
    this.#model = new BpeModel(model);
    this.#ids = new Map(model.vocab);
    for (const { content, id } of added) this.#ids.set(content, id);
    this.#tokens = new Map(Array.from(this.#ids, ([token, id]) => [id, token]));
    this.vocabSize = 1 + [...this.#tokens.keys()].reduce((most, id) => Math.max(most, id), -1);
    this.#special = specialIds(added);
    this.#normalize = buildNormalizer(OP, config.normalizer);
    this.#finder = new AddedTokenFinder(added.filter((token) => !token.normalized));
    this.#normalizedFinder = new AddedTokenFinder(
      added.filter((token) => token.normalized)
        .map((token) => ({ ...token, content: this.#normalize(token.content) }))
        .filter((token) => token.content !== ""),
    );
    this.#preTokenize = buildPreTokenizer(OP, config.pre_tokenizer, "pre_tokenizer");
    this.#decoder = buildDecoder(OP, config.decoder);
    this.#template = buildTemplate(OP, config.post_processor, (token) => this.idOf(token));
  }

  /**
   * Ids of a text.
   *
   * @param text Any text; added tokens in it are found first.
   * @param options Whether the tokens of the template are added.
   * @returns The ids.
   */
  encode(text: string, options: EncodeOptions = {}): Uint32Array<ArrayBuffer> {
    const { before, after } = this.#template;
    const ids: number[] = [];
    const parts = this.#finder.split(text).flatMap((part) =>
      typeof part === "number" ? [part] : this.#normalizedFinder.split(this.#normalize(part))
    );
    for (const part of parts) {
      if (typeof part === "number") {
        ids.push(part);
        continue;
      }
      for (const word of this.#preTokenize([part])) {
        for (const id of this.#model.encode(word)) ids.push(id);
      }
    }
    if (options.addSpecialTokens === false) return Uint32Array.from(ids);
    return Uint32Array.from([...before, ...ids, ...after]);
  }

  /**
   * Text of ids.
   *
   * @param ids Ids.
   * @param options Whether special tokens are left out.
   * @returns The text; bytes that are no UTF-8 become `�`.
   * @throws {RangeError} If an id does not exist.
   */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const { skipSpecialTokens = true } = options;
    const { bytes, separator, finish } = this.#decoder;
    const text = new TextDecoder("utf-8", { ignoreBOM: true });
    let result = "";
    let first = true;
    for (const id of Array.from(ids)) {
      const token = this.#token("decode", id);
      if (skipSpecialTokens && this.#special.has(id)) continue;
      if (!first) result += separator;
      result += text.decode(bytes(token), { stream: true });
      first = false;
    }
    return finish(result + text.decode());
  }

  /**
   * Bytes of one token; special tokens have none.
   *
   * @param id Id.
   * @returns UTF-8, possibly part of a character.
   * @throws {RangeError} If the id does not exist.
   */
  bytesOf(id: number): Uint8Array {
    const token = this.#token("bytesOf", id);
    return this.#special.has(id) ? new Uint8Array(0) : this.#decoder.bytes(token);
  }

  /**
   * Id of a token, as the vocabulary spells it (`Ġthe` for " the" where tokens are byte-level).
   *
   * @param token Text of the token.
   * @returns Its id, or `undefined`.
   */
  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /**
   * The tokenizer in Hugging Face's format.
   *
   * @returns A plain object for `JSON.stringify`.
   */
  toJSON(): Record<string, unknown> {
    return this.#config;
  }

  #token(op: string, id: number): string {
    const token = this.#tokens.get(id);
    if (token !== undefined) return token;
    throw new RangeError(`${op}: id ${id} is out of range for ${this.vocabSize} tokens`);
  }
}

function specialIds(added: readonly AddedToken[]): Set<number> {
  return new Set(added.filter((token) => token.special).map((token) => token.id));
}

/** Fields of the model that this reader takes at one value only. */
const FIXED_FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  dropout: [null, undefined, 0],
  continuing_subword_prefix: [null, undefined, ""],
  end_of_word_suffix: [null, undefined, ""],
};

function readModel(config: unknown): ConstructorParameters<typeof BpeModel>[0] {
  if (typeof config !== "object" || config === null) throw new FormatError(OP, "model is missing");
  const options = config as Record<string, unknown>;
  if (options.type !== "BPE" && options.type !== undefined) {
    const type = JSON.stringify(options.type);
    throw new FormatError(OP, `model.type is ${type}, which is not supported`);
  }
  for (const [field, allowed] of Object.entries(FIXED_FIELDS)) {
    if (allowed.includes(options[field])) continue;
    const value = JSON.stringify(options[field]);
    throw new FormatError(OP, `model.${field} is ${value}, which is not supported`);
  }
  const vocab = readVocab(options.vocab);
  return {
    vocab,
    merges: readMerges(options.merges, vocab),
    ignoreMerges: options.ignore_merges === true,
    unknown: readUnknown(options.unk_token, vocab),
    fuseUnknown: options.fuse_unk === true,
    byteFallback: options.byte_fallback === true,
  };
}

function readVocab(config: unknown): Map<string, number> {
  if (typeof config !== "object" || config === null) {
    throw new FormatError(OP, "model.vocab is no object");
  }
  const vocab = new Map<string, number>(Object.entries(config));
  for (const [token, id] of vocab) {
    if (Number.isInteger(id) && id >= 0) continue;
    throw new FormatError(OP, `model.vocab gives ${JSON.stringify(token)} the id ${id}`);
  }
  return vocab;
}

function readMerges(list: unknown, vocab: ReadonlyMap<string, number>): [string, string][] {
  if (!Array.isArray(list)) throw new FormatError(OP, "model.merges is no list");
  return list.map((entry: unknown, rank) => {
    const pair: unknown = typeof entry === "string" ? entry.split(" ") : entry;
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new FormatError(OP, `model.merges[${rank}] is ${JSON.stringify(entry)}, no pair`);
    }
    const [left, right] = pair as [string, string];
    const missing = [left, right, left + right].find((token) => !vocab.has(token));
    if (missing !== undefined) {
      const token = JSON.stringify(missing);
      throw new FormatError(OP, `model.merges[${rank}] needs ${token}, which model.vocab lacks`);
    }
    return [left, right];
  });
}

function readUnknown(token: unknown, vocab: ReadonlyMap<string, number>): number | undefined {
  if (token === null || token === undefined) return undefined;
  const id = vocab.get(String(token));
  if (id !== undefined) return id;
  throw new FormatError(OP, `model.unk_token is "${token}", which model.vocab lacks`);
}
