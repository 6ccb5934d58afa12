// The steps that cut a text into the words within which BPE merges: Hugging Face's pre-tokenizers
// ByteLevel, Split, Digits and Sequence.

import { readObjects } from "./_check.ts";
import { GPT2_PATTERN, LLAMA3_PATTERN, toByteCharacters, translatePattern } from "./byte_level.ts";
import { FormatError } from "./errors.ts";

/** Cuts pieces of text into smaller ones. */
export type PreTokenizer = (pieces: string[]) => string[];

/** The splits that have a name. */
export type SplitName = "gpt2" | "llama3";

/** Configuration of a named split, as `tokenizer.json` holds it. */
export function splitConfig(name: SplitName): Record<string, unknown> {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  if (name === "gpt2") return { ...byteLevel, use_regex: true };
  const split = {
    type: "Split",
    pattern: { Regex: LLAMA3_PATTERN },
    behavior: "Isolated",
    invert: false,
  };
  return { type: "Sequence", pretokenizers: [split, { ...byteLevel, use_regex: false }] };
}

/** Builds the steps that a configuration describes. */
export function buildPreTokenizer(op: string, config: unknown, field: string): PreTokenizer {
  if (config === null || config === undefined) return (pieces) => pieces;
  const options = config as Record<string, unknown>;
  switch (options.type) {
    case "Sequence":
      return buildSequence(op, options.pretokenizers, `${field}.pretokenizers`);
    case "ByteLevel":
      return buildByteLevel(op, options);
    case "Split":
      return buildSplit(op, options, field);
    case "Digits":
      return isolate(options.individual_digits === true ? /\p{N}/gu : /\p{N}+/gu);
    default: {
      const type = JSON.stringify(options.type);
      throw new FormatError(op, `${field}.type is ${type}, which is not supported`);
    }
  }
}

function buildSequence(op: string, list: unknown, field: string): PreTokenizer {
  const steps = readObjects(op, list, field).map((config, i) =>
    buildPreTokenizer(op, config, `${field}[${i}]`)
  );
  return (pieces) => steps.reduce((parts, step) => step(parts), pieces);
}

function buildByteLevel(op: string, options: Record<string, unknown>): PreTokenizer {
  const split = options.use_regex === false
    ? undefined
    : isolate(translatePattern(op, GPT2_PATTERN));
  const prefix = options.add_prefix_space === true;
  return (pieces) => {
    const spaced = prefix ? pieces.map((p) => p.startsWith(" ") ? p : ` ${p}`) : pieces;
    return (split?.(spaced) ?? spaced).map(toByteCharacters);
  };
}

function buildSplit(op: string, options: Record<string, unknown>, field: string): PreTokenizer {
  const pattern = options.pattern as { Regex?: unknown; String?: unknown } | undefined;
  let regex: RegExp;
  if (typeof pattern?.Regex === "string") regex = translatePattern(op, pattern.Regex);
  else if (typeof pattern?.String === "string") regex = new RegExp(escape(pattern.String), "gu");
  else throw new FormatError(op, `${field}.pattern has neither Regex nor String`);
  const inverted = options.invert === true;
  if (options.behavior === "Isolated") return isolate(regex);
  if (options.behavior === "Removed") return inverted ? keepMatches(regex) : isolate(regex, true);
  const behavior = JSON.stringify(options.behavior);
  throw new FormatError(op, `${field}.behavior is ${behavior}, which is not supported`);
}

/** A regular expression that matches a text literally. */
export function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** Cuts before and after each match; the matches themselves stay, or go. */
function isolate(regex: RegExp, remove = false): PreTokenizer {
  return (pieces) => {
    const result: string[] = [];
    for (const piece of pieces) {
      let end = 0;
      for (const match of piece.matchAll(regex)) {
        if (match.index > end) result.push(piece.slice(end, match.index));
        end = match.index + match[0].length;
        if (!remove && match[0] !== "") result.push(match[0]);
      }
      if (end < piece.length) result.push(piece.slice(end));
    }
    return result;
  };
}

function keepMatches(regex: RegExp): PreTokenizer {
  return (pieces) => pieces.flatMap((piece) => piece.match(regex) ?? []);
}
