// The byte alphabet of GPT-2: every byte has a printable character, so that tokens are text.

import { FormatError } from "./errors.ts";

/** Character of each byte: printable Latin-1 is itself, the others follow from U+0100 on. */
function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) ||
      byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** Character of each byte. */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

const CHARACTER_BYTES: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);

const encoder = new TextEncoder();

/** The UTF-8 bytes of a text, as their characters. */
export function toByteCharacters(text: string): string {
  let result = "";
  for (const byte of encoder.encode(text)) result += BYTE_CHARACTERS[byte]!;
  return result;
}

/** The bytes that a token stands for; a token with other characters is taken as plain text. */
export function fromByteCharacters(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = CHARACTER_BYTES.get(token[i]!);
    if (byte === undefined) return encoder.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}

/** The split of GPT-2, which Hugging Face's ByteLevel pre-tokenizer has built in. */
export const GPT2_PATTERN =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** The split of Llama 3. */
export const LLAMA3_PATTERN = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
  "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

// What Oniguruma understands by a letter of a word.
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}²³¹¼-¾";

/** Parts that mean another thing in JavaScript, inside of brackets and outside. */
const IN_BRACKETS: Readonly<Record<string, string>> = {
  "\\s": "\\p{White_Space}", // JavaScript's differs in U+0085 and U+FEFF
  "\\S": "\\P{White_Space}",
  "\\d": "\\p{Nd}",
  "\\D": "\\P{Nd}",
  "\\w": WORD,
};
const OUTSIDE: Readonly<Record<string, string>> = {
  ...IN_BRACKETS,
  "\\w": `[${WORD}]`,
  "\\W": `[^${WORD}]`,
  "\\b": `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`,
  "\\B": `(?:(?<=[${WORD}])(?=[${WORD}])|(?<![${WORD}])(?![${WORD}]))`,
  ".": "[^\\n]",
  "^": "(?:^|(?<=\\n)(?!$))",
  "$": "(?=\\n|$)",
};

/** Brackets in brackets, their intersection, empty ones, and what has no complement in them. */
const UNKNOWN_IN_BRACKETS = ["[", "[^", "[]", "[^]", "&&", "\\W"];

/**
 * A pattern of Oniguruma, which Hugging Face uses, as a JavaScript one. `(?i:…)` over letters is
 * spelled out, since older engines lack it.
 */
export function translatePattern(op: string, pattern: string): RegExp {
  const unsupported = new FormatError(op, `pattern ${JSON.stringify(pattern)} is not supported`);
  const spelled = pattern.replace(
    /\(\?i:([^()\\[\]]*)\)/g,
    (_, body: string) => `(?:${body.replace(/[a-z]/gi, (letter) => bothCases(letter))})`,
  );
  let bracketed = false;
  const source = spelled.replace(/\\[^]|\[\^?\]?|\]|&&|[.^$]/gu, (part) => {
    const opens = part.startsWith("[");
    if ((bracketed && UNKNOWN_IN_BRACKETS.includes(part)) || (opens && part.endsWith("]"))) {
      throw unsupported;
    }
    if (opens || part === "]") bracketed = opens;
    const sign = /^\\[^\p{L}\p{N}^$\\.*+?()[\]{}|/]$/u.test(part) && !(bracketed && part === "\\-");
    return (bracketed ? IN_BRACKETS : OUTSIDE)[part] ?? (sign ? part.slice(1) : part);
  });
  try {
    return new RegExp(source, "gu");
  } catch {
    throw unsupported;
  }
}

/** A letter in both cases, with the further characters that fold to it in Unicode. */
function bothCases(letter: string): string {
  const lower = letter.toLowerCase();
  const folded: Readonly<Record<string, string>> = { s: "\u017f", k: "\u212a" };
  return `[${lower}${lower.toUpperCase()}${folded[lower] ?? ""}]`;
}
