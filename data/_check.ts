// Checks that several files of this folder share, so that their wording cannot drift.

import { FormatError } from "./errors.ts";

/** Throws unless `value` is an integer of at least `min`. */
export function checkInteger(op: string, name: string, value: number, min: number): void {
  if (!Number.isInteger(value) || value < min) {
    throw new RangeError(`${op}: ${name} is ${value}, expected an integer of at least ${min}`);
  }
}

/** Throws unless `value` lies in `[min, max]`. */
export function checkRange(
  op: string,
  name: string,
  value: number,
  min: number,
  max: number,
): void {
  if (!(value >= min && value <= max)) {
    throw new RangeError(`${op}: ${name} is ${value}, expected a number from ${min} to ${max}`);
  }
}

/** Throws unless `index` is a valid index below `length`. */
export function checkIndex(op: string, index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length) {
    throw new RangeError(`${op}: index ${index} is out of range for length ${length}`);
  }
}

/** Throws where one text stands for a list: a string is an iterable of strings, its characters. */
export function checkTexts(op: string, texts: Iterable<string>): void {
  if (typeof texts !== "string") return;
  throw new TypeError(`${op}: texts is a text, expected a list of texts (use [text])`);
}

/** Writes a shape as `[2, 3]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** The candidate with the smallest edit distance to `word`, or `undefined` where none is near. */
export function nearestName(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Throws unless `value` is one of `names`; the message offers the nearest. */
export function checkName(
  op: string,
  option: string,
  value: string,
  names: readonly string[],
): void {
  if (names.includes(value)) return;
  const near = nearestName(value, names);
  const hint = near === undefined ? `one of ${names.join(", ")}` : `did you mean "${near}"?`;
  throw new RangeError(`${op}: ${option} "${value}" does not exist (${hint})`);
}

/** The objects of a list in a file; the error names the field. */
export function readObjects(op: string, value: unknown, field: string): Record<string, unknown>[] {
  if (!Array.isArray(value)) throw new FormatError(op, `${field} is no list`);
  const wrong = value.findIndex((entry) => typeof entry !== "object" || entry === null);
  if (wrong !== -1) throw new FormatError(op, `${field}[${wrong}] is no object`);
  return value as Record<string, unknown>[];
}
