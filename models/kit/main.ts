/**
 * The outermost lines of a script.
 *
 * @module
 */
import { FormatError } from "@tensaurus/core/data";
import { DivergenceError } from "./run.ts";
import { UsageError } from "./settings.ts";

/** What the system says of files that are not there, or not what was expected, or not allowed. */
const FILE_FAULTS = ["ENOENT", "EISDIR", "ENOTDIR", "EACCES", "EPERM", "EROFS", "ENOSPC"];

/** Wrong flags, wrong content of a file, a file that cannot be had, a run that diverged. */
function isRepairable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: string };
  return error instanceof UsageError || error instanceof FormatError ||
    error instanceof DivergenceError || FILE_FAULTS.includes(code ?? "") ||
    isRepairable(error.cause);
}

/**
 * Runs a script; an error that its user can repair is shown as one line and ends with status 2.
 *
 * @param main The script.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!isRepairable(error)) throw error;
    console.error((error as Error).message);
    Deno.exitCode = error instanceof DivergenceError ? 1 : 2;
  }
}
