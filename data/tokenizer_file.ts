import { BpeTokenizer } from "./bpe_tokenizer.ts";
import { CharTokenizer } from "./char_tokenizer.ts";
import { FormatError } from "./errors.ts";
import { readFile, writeFile } from "./files.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { WordTokenizer } from "./word_tokenizer.ts";

/**
 * Reads the content of a `tokenizer.json` of Hugging Face's format. As in their Transformers, the
 * file's `truncation` and `padding` have no effect on single texts.
 *
 * @param text The JSON text.
 * @param source Name of the file for the error messages.
 * @returns A {@linkcode WordTokenizer} or {@linkcode CharTokenizer} where one was written, else a
 *   {@linkcode BpeTokenizer}.
 * @throws {FormatError} If the text is no such file, or asks for what is not supported; the
 *   message names the field.
 *
 * @example
 * ```ts
 * import { CharTokenizer, parseTokenizer } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const text = JSON.stringify(CharTokenizer.fromText("ab"));
 * assertEquals(parseTokenizer(text).idOf("b"), 1);
 * ```
 */
export function parseTokenizer(text: string, source?: string | undefined): Tokenizer {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    throw new FormatError("parseTokenizer", "text is no JSON", source);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new FormatError("parseTokenizer", "text is no JSON object", source);
  }
  try {
    const options = config as Record<string, unknown>;
    return wordTokenizerOf(options) ?? charTokenizerOf(options) ?? new BpeTokenizer(options);
  } catch (error) {
    if (!(error instanceof FormatError) || source === undefined) throw error;
    throw new FormatError(error.op, error.message.slice(error.op.length + 2), source);
  }
}

/** The word tokenizer that a configuration of this library's form describes. */
function wordTokenizerOf(config: Record<string, unknown>): WordTokenizer | undefined {
  const model = config.model as { type?: unknown; vocab?: Record<string, number> } | undefined;
  if (model?.type !== "WordLevel" || typeof model.vocab !== "object") return undefined;
  const written = WordTokenizer.fromTexts([]).toJSON().pre_tokenizer;
  if (JSON.stringify(written) !== JSON.stringify(config.pre_tokenizer)) return undefined;
  const words: string[] = [];
  for (const [word, id] of Object.entries(model.vocab)) words[id] = word;
  return new WordTokenizer(words);
}

/** The character tokenizer that a configuration without merges and splits describes. */
function charTokenizerOf(config: Record<string, unknown>): CharTokenizer | undefined {
  const model = config.model as { vocab?: Record<string, number>; merges?: unknown[] } | undefined;
  const fuse = (config.decoder as { type?: unknown } | null)?.type === "Fuse";
  if (!fuse || config.pre_tokenizer !== null || config.normalizer !== null) return undefined;
  if (model?.merges?.length !== 0 || typeof model.vocab !== "object") return undefined;
  const characters: string[] = [];
  for (const [character, id] of Object.entries(model.vocab)) characters[id] = character;
  const whole = characters.length === Object.keys(model.vocab).length;
  return whole && characters.every((c) => [...c].length === 1)
    ? new CharTokenizer(characters)
    : undefined;
}

/**
 * Reads a `tokenizer.json`.
 *
 * @param path Path or URL of the file.
 * @returns The tokenizer.
 * @throws {FormatError} If the file asks for what is not supported; the message names the field.
 * @throws {Error} If there is no such file.
 *
 * @example
 * ```ts
 * import { loadTokenizer, saveTokenizer, trainBpe } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/tokenizer.json`;
 * await saveTokenizer(path, trainBpe(["aa aa"], { vocabSize: 257 }));
 * assertEquals((await loadTokenizer(path)).vocabSize, 257);
 * ```
 */
export async function loadTokenizer(path: string | URL): Promise<Tokenizer> {
  const bytes = await readFile(path);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FormatError("loadTokenizer", "file is no UTF-8", String(path));
  }
  return parseTokenizer(text, String(path));
}

/**
 * Writes a `tokenizer.json` that Hugging Face's libraries read.
 *
 * @param path Where to write.
 * @param tokenizer The tokenizer.
 * @throws {Error} If the file cannot be written.
 *
 * @example
 * ```ts
 * import { CharTokenizer, loadTokenizer, saveTokenizer } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/tokenizer.json`;
 * await saveTokenizer(path, CharTokenizer.fromText("abc"));
 * assertEquals((await loadTokenizer(path)).decode([2, 0]), "ca");
 * ```
 */
export async function saveTokenizer(path: string, tokenizer: Tokenizer): Promise<void> {
  await writeFile(path, JSON.stringify(tokenizer, undefined, 2));
}
