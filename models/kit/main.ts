/**
 * The outermost lines of a script.
 *
 * @module
 */
import { FormatError } from "@tensaurus/core/data";
import { UsageError } from "./settings.ts";

/** Wrong flags, wrong content of a file, no file. */
const REPAIRABLE = [UsageError, FormatError, Deno.errors.NotFound] as const;

/**
 * Runs a script; an error that its user can repair is shown as one line and ends with status 2.
 *
 * @param main The script.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!REPAIRABLE.some((kind) => error instanceof kind)) throw error;
    console.error((error as Error).message);
    Deno.exitCode = 2;
  }
}
