/**
 * Says that the contents of a file or text are not what its format promises: truncated, corrupt,
 * of another kind. The message names the public function, what is wrong with the numbers, and the
 * file where one is known.
 *
 * @example A file that is not IDX
 * ```ts
 * import { FormatError, parseIdx } from "@tensaurus/core/data";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => parseIdx(new Uint8Array([1, 2, 3, 4])), FormatError);
 * ```
 */
export class FormatError extends Error {
  /** Public name of the function that found the fault. */
  readonly op: string;
  /** Path or name of the source, where one is known. */
  readonly source: string | undefined;

  /**
   * Builds the error.
   *
   * @param op Public name of the function that found the fault.
   * @param problem What is wrong, with the numbers.
   * @param source Path or name of the source, appended after a colon.
   */
  constructor(op: string, problem: string, source?: string | undefined) {
    super(source === undefined ? `${op}: ${problem}` : `${op}: ${problem}: ${source}`);
    this.name = "FormatError";
    this.op = op;
    this.source = source;
  }
}
