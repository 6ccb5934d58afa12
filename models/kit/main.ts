/**
 * The outermost lines of a script.
 *
 * @module
 */
import { FormatError } from "@tensaurus/core/data";
import { UsageError } from "./settings.ts";

/**
 * Runs a script; an error that its user can repair is shown as one line and ends with status 2.
 *
 * @param main The script.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof FormatError)) throw error;
    console.error(error.message);
    Deno.exitCode = 2;
  }
}
