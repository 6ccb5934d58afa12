/**
 * What `--expect` does: a run that falls short of it ends with status 1, so that a demonstration is a
 * test.
 *
 * @module
 */

/** Fails where a figure is below what is expected; 0 expects nothing. */
export function expectAtLeast(what: string, value: number, expect: number): void {
  if (expect > 0 && !(value >= expect)) fail(`${what} ${value.toFixed(4)} is below`, expect);
}

/** Fails where a figure is above what is expected; 0 expects nothing. */
export function expectAtMost(what: string, value: number, expect: number): void {
  if (expect > 0 && !(value <= expect)) fail(`${what} ${value.toFixed(4)} is above`, expect);
}

function fail(text: string, expect: number): void {
  console.error(`${text} --expect ${expect}`);
  Deno.exitCode = 1;
}
