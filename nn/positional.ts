/** Where in the sequence a token stands. */
import { dropout, type Tensor, tensor } from "../ops/mod.ts";
import { checkCount, checkProbability } from "./_check.ts";
import { normalParameter } from "./_factory.ts";
import { rowsAt } from "./_positions.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Options of {@linkcode SinusoidalPositionalEncoding} and {@linkcode LearnedPositionalEncoding}. */
export interface PositionalEncodingOptions extends FactoryOptions {
  /** Probability of a zero after adding, while training. @default 0 */
  dropout?: number | undefined;
  /** Input is `[B, T, D]` in place of `[T, B, D]`. @default true */
  batchFirst?: boolean | undefined;
}

/** Options of `forward` of positional encodings. */
export interface PositionOptions {
  /** Position of the first element: a number, or an int32 scalar on the device. @default 0 */
  offset?: number | Tensor | undefined;
}

/** What positional encodings that are added have in common. */
export abstract class AddedEncoding extends Module {
  readonly #name: string;
  readonly #dropout: number;
  readonly #batchFirst: boolean;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param options Settings.
   */
  constructor(name: string, options: PositionalEncodingOptions) {
    super();
    checkProbability(name, "dropout", options.dropout ?? 0);
    this.#name = name;
    this.#dropout = options.dropout ?? 0;
    this.#batchFirst = options.batchFirst ?? true;
  }

  /** The table `[maxLen, D]`. */
  protected abstract table(): Tensor;

  /** The input plus the rows of its positions. @throws {RangeError} If it is longer than the table. */
  forward(x: Tensor, options: PositionOptions = {}): Tensor {
    const steps = this.#batchFirst ? x.size(-2) : x.shape[0]!;
    const rows = rowsAt(this.#name, this.table(), steps, options.offset);
    const y = x.add(this.#batchFirst ? rows : rows.unsqueeze(1));
    return dropout(y, { p: this.#dropout, training: this.training });
  }
}

/**
 * Sines and cosines of geometric frequencies (Vaswani et al. 2017), added to the input. The table
 * is computed in float64 and is not part of `stateDict()`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { SinusoidalPositionalEncoding } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const y = new SinusoidalPositionalEncoding(4).forward(zeros([1, 2, 4]));
 * assertEquals((await y.data())[1], 1);
 * ```
 */
export class SinusoidalPositionalEncoding extends AddedEncoding {
  /** The table `[maxLen, dModel]`. */
  pe: Tensor;

  /**
   * Makes the module.
   *
   * @param dModel Size of each position.
   * @param options Length (default 5000), dropout, layout.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    dModel: number,
    options: PositionalEncodingOptions & { maxLen?: number | undefined } = {},
  ) {
    super("SinusoidalPositionalEncoding", options);
    const { maxLen = 5000, dtype = "float32", device } = options;
    checkCount("SinusoidalPositionalEncoding", "dModel", dModel);
    checkCount("SinusoidalPositionalEncoding", "maxLen", maxLen);
    const values = Float64Array.from({ length: maxLen * dModel }, (_, i) => {
      const position = Math.floor(i / dModel), column = i % dModel;
      const angle = position / 10000 ** ((column - column % 2) / dModel);
      return column % 2 ? Math.cos(angle) : Math.sin(angle);
    });
    const table = tensor(values, { shape: [maxLen, dModel], dtype, device });
    this.pe = this.registerBuffer("pe", table, { persistent: false });
  }

  /** The table `[maxLen, D]`. */
  protected override table(): Tensor {
    return this.pe;
  }
}

/**
 * A learned vector for each position, added to the input.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LearnedPositionalEncoding } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const layer = new LearnedPositionalEncoding(16, 4);
 * assertEquals(layer.forward(zeros([1, 2, 4])).shape, [1, 2, 4]);
 * ```
 */
export class LearnedPositionalEncoding extends AddedEncoding {
  /** The vectors `[maxLen, dModel]`. */
  weight: Parameter;

  /**
   * Makes the module.
   *
   * @param maxLen Number of positions.
   * @param dModel Size of each position.
   * @param options Dropout, layout.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(maxLen: number, dModel: number, options: PositionalEncodingOptions = {}) {
    super("LearnedPositionalEncoding", options);
    checkCount("LearnedPositionalEncoding", "maxLen", maxLen);
    checkCount("LearnedPositionalEncoding", "dModel", dModel);
    this.weight = normalParameter([maxLen, dModel], options);
  }

  /** The table `[maxLen, D]`. */
  protected override table(): Tensor {
    return this.weight;
  }
}
