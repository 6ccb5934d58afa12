/**
 * The nearest of some known names, for messages about a name that is not known.
 *
 * @module
 */
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/**
 * The known name that a mistyped one most likely meant.
 *
 * @param name What was typed.
 * @param known Names that exist.
 * @returns The nearest name, or `undefined` where none is near enough to be meant.
 *
 * @example A letter too many
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(nearest("--batch-sizee", ["--batch-size", "--lr"]), "--batch-size");
 * assertEquals(nearest("--colour", ["--batch-size", "--lr"]), undefined);
 * ```
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3));
  for (const candidate of known) {
    const distance = levenshteinDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance || (best === undefined && distance === bestDistance)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean …?)` for the end of a message, or nothing. */
export function hint(name: string, known: readonly string[]): string {
  const best = nearest(name, known);
  return best === undefined ? "" : ` (did you mean ${best}?)`;
}
