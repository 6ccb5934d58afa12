/**
 * What a setting may hold, and how its text form is read and written.
 *
 * @module
 */
import { toKebabCase } from "@std/text/to-kebab-case";
import { hint } from "./nearest.ts";

/** What a setting may hold. Lists are given as `1,2,4` (numbers) or `a b c` (strings). */
export type Setting = string | number | boolean | readonly string[] | readonly number[];

/** What a config object may be. */
export type Settings = Record<string, Setting>;

/** Allowed values of one setting: a list of words, or a range of numbers. */
export type Limit = readonly string[] | NumberLimit;

/** A range of numbers, both ends included. */
export interface NumberLimit {
  /** Smallest value allowed. */
  min?: number;
  /** Largest value allowed. */
  max?: number;
  /** Whether only whole numbers make sense. */
  integer?: boolean;
}

/** A command line that was not understood; the message is for the person who typed it. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Writes settings as flags, such as `--batch-size 32 --lr 0.001`. */
export function flagsText(settings: Partial<Settings>): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(settings)) {
    const flag = toKebabCase(key);
    if (value === true) parts.push(`--${flag}`);
    else if (value === false) parts.push(`--no-${flag}`);
    else if (value !== undefined) parts.push(`--${flag} ${showValue(value)}`);
  }
  return parts.join(" ");
}

/** Reads the text given for a flag as the type that its default has. */
export function convert(flag: string, raw: unknown, fallback: Setting, limit?: Limit): Setting {
  if (typeof fallback === "boolean") return raw === true;
  if (typeof fallback === "number") return toNumber(flag, String(raw), limit);
  if (typeof fallback === "string") return toWord(flag, String(raw), limit);
  const items = (raw as unknown[]).map(String);
  if (!isNumberList(fallback)) return items.map((item) => toWord(flag, item, limit));
  return items.flatMap((item) => item.split(",")).map((item) => toNumber(flag, item, limit));
}

function toNumber(flag: string, text: string, limit?: Limit): number {
  const value = text.trim() === "" ? NaN : Number(text);
  const range: NumberLimit = limit === undefined || isWords(limit) ? {} : limit;
  const { min = -Infinity, max = Infinity, integer = false } = range;
  if (Number.isNaN(value) || value < min || value > max || (integer && !Number.isInteger(value))) {
    throw new UsageError(`--${flag}: expected ${expectation(0, limit)}, got "${text}"`);
  }
  return value;
}

function toWord(flag: string, text: string, limit?: Limit): string {
  if (limit === undefined || !isWords(limit) || limit.includes(text)) return text;
  const message = `--${flag}: expected ${expectation("", limit)}, got "${text}"`;
  throw new UsageError(message + hint(text, limit));
}

/** What a message says was expected. */
export function expectation(value: Setting, limit?: Limit): string {
  if (limit !== undefined && isWords(limit)) return `one of ${limit.join(", ")}`;
  if (typeof value === "string") return "a text";
  if (Array.isArray(value)) return isNumberList(value) ? "numbers, as in 1,2,4" : "one or more";
  const { min, max, integer } = limit ?? {};
  const noun = integer ? "a whole number" : "a number";
  if (min !== undefined && max !== undefined) return `${noun} from ${min} to ${max}`;
  if (min !== undefined) return `${noun} of at least ${min}`;
  return max === undefined ? noun : `${noun} of at most ${max}`;
}

/** Lists with no default count as strings: `[] as string[]` is the common one. */
export function isNumberList(value: Setting): value is readonly number[] {
  return Array.isArray(value) && typeof value[0] === "number";
}

/** Whether a limit is a list of words. */
export function isWords(limit: Limit): limit is readonly string[] {
  return Array.isArray(limit);
}

/** A setting as it would be typed. */
export function showValue(value: Setting): string {
  const text = Array.isArray(value) ? value.join(isNumberList(value) ? "," : " ") : String(value);
  return text.replaceAll("\n", "\\n");
}
