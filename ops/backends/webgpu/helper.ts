/** Rows of the table of WGSL functions. */

/** A function and those that it calls. */
export interface HelperRow {
  readonly uses: readonly string[];
  readonly text: string;
}

/** A row of the table. */
export function helper(text: string, ...uses: string[]): HelperRow {
  return { uses, text };
}
