import { readObjects } from "./_check.ts";
import { FormatError } from "./errors.ts";
import { escape } from "./pre_tokenizer.ts";

/** A token that is found in the text before anything else, as `tokenizer.json` lists it. */
export interface AddedToken {
  /** Id. */
  id: number;
  /** Text of the token. */
  content: string;
  /** True where `decode` leaves it out. */
  special: boolean;
  /** Only as a word of its own. */
  singleWord: boolean;
  /** Swallows white space before it. */
  lstrip: boolean;
  /** Swallows white space after it. */
  rstrip: boolean;
  /** Found, in normalized form, in what the normalizer leaves; else in the text as it is. */
  normalized: boolean;
}

/** Reads the list of added tokens. */
export function readAddedTokens(op: string, list: unknown): AddedToken[] {
  if (list === undefined || list === null) return [];
  return readObjects(op, list, "added_tokens").map((entry, i) => {
    const { id, content } = entry;
    if (typeof content !== "string" || content === "" || !Number.isInteger(id)) {
      throw new FormatError(op, `added_tokens[${i}] has no id or no content`);
    }
    return {
      id: id as number,
      content,
      special: entry.special === true,
      singleWord: entry.single_word === true,
      lstrip: entry.lstrip === true,
      rstrip: entry.rstrip === true,
      normalized: entry.normalized === true,
    };
  });
}

/** The text between added tokens, and the ids of these, in order. */
export type TextPart = string | number;

/** Finds added tokens in texts: the leftmost, of those the longest. */
export class AddedTokenFinder {
  readonly #regex: RegExp | undefined;
  readonly #byContent: ReadonlyMap<string, AddedToken>;

  constructor(tokens: readonly AddedToken[]) {
    this.#byContent = new Map(tokens.map((token) => [token.content, token]));
    const longestFirst = [...this.#byContent.keys()].sort((a, b) => b.length - a.length);
    this.#regex = tokens.length === 0
      ? undefined
      : new RegExp(longestFirst.map(escape).join("|"), "gu");
  }

  /** Cuts a text at its added tokens. */
  split(text: string): TextPart[] {
    if (this.#regex === undefined) return text === "" ? [] : [text];
    const parts: TextPart[] = [];
    let end = 0;
    for (const match of text.matchAll(this.#regex)) {
      const token = this.#byContent.get(match[0])!;
      let [from, to] = [match.index, match.index + match[0].length];
      if (token.singleWord && !isWord(text, from, to)) continue;
      if (token.lstrip) from = from - /\p{White_Space}*$/u.exec(text.slice(end, from))![0].length;
      if (token.rstrip) to += /^\p{White_Space}*/u.exec(text.slice(to))![0].length;
      if (from > end) parts.push(text.slice(end, from));
      parts.push(token.id);
      end = to;
    }
    if (end < text.length) parts.push(text.slice(end));
    return parts;
  }
}

function isWord(text: string, from: number, to: number): boolean {
  return !/[\p{L}\p{N}_]$/u.test(text.slice(0, from)) && !/^[\p{L}\p{N}_]/u.test(text.slice(to));
}
