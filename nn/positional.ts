/** Where in the sequence a token stands. */
import { arange, dropout, embedding, stack, type Tensor, tensor } from "../ops/mod.ts";
import { cat } from "../ops/join.ts";
import { rangeError } from "../ops/check.ts";
import { checkCount, checkProbability } from "./_check.ts";
import { normalParameter } from "./_factory.ts";
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

/** Rows of a table `[maxLen, ·]` from an offset on. */
function rowsAt(
  name: string,
  table: Tensor,
  count: number,
  offset: number | Tensor = 0,
): Tensor {
  const most = table.shape[0]!;
  if (typeof offset === "number") {
    if (offset < 0 || offset + count > most) {
      throw rangeError(name, `positions ${offset} to ${offset + count - 1} are not below ${most}`);
    }
    return table.narrow(0, offset, count);
  }
  const positions = arange(0, count, 1, { device: table.device }).add(offset);
  return embedding(positions, table);
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

/** Options of {@linkcode RotaryEmbedding}. */
export interface RotaryOptions extends FactoryOptions {
  /** Number of positions. @default 2048 */
  maxLen?: number | undefined;
  /** Base of the frequencies. @default 10000 */
  base?: number | undefined;
  /** Pairs are neighbours (2i, 2i + 1) instead of (i, i + D / 2). @default false */
  interleaved?: boolean | undefined;
}

/**
 * Rotation of queries and keys by angles that grow with the position (Su et al. 2021), as in Llama.
 *
 * Shapes: input `[…, T, D]`, the result the same.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { RotaryEmbedding } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const y = new RotaryEmbedding(4).forward(ones([1, 2, 3, 4]));
 * assertEquals((await y.data())[0], 1);
 * ```
 */
export class RotaryEmbedding extends Module {
  /** Cosines `[maxLen, dim / 2]`. */
  cos: Tensor;
  /** Sines `[maxLen, dim / 2]`. */
  sin: Tensor;
  readonly #interleaved: boolean;

  /**
   * Makes the module.
   *
   * @param dim Size of a head; even.
   * @param options Length, base, pairs.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(dim: number, options: RotaryOptions = {}) {
    super();
    const { maxLen = 2048, base = 10000, dtype = "float32", device } = options;
    checkCount("RotaryEmbedding", "dim", dim);
    checkCount("RotaryEmbedding", "maxLen", maxLen);
    if (dim % 2) throw rangeError("RotaryEmbedding", `dim ${dim} is odd`);
    this.#interleaved = options.interleaved ?? false;
    const half = dim / 2;
    const table = (f: (angle: number) => number) => {
      const values = Float64Array.from(
        { length: maxLen * half },
        (_, i) => f(Math.floor(i / half) / base ** (2 * (i % half) / dim)),
      );
      return tensor(values, { shape: [maxLen, half], dtype, device });
    };
    this.cos = this.registerBuffer("cos", table(Math.cos), { persistent: false });
    this.sin = this.registerBuffer("sin", table(Math.sin), { persistent: false });
  }

  /** The rotated input. @throws {RangeError} If it is longer than the table. */
  forward(x: Tensor, options: PositionOptions = {}): Tensor {
    const steps = x.size(-2);
    const cos = rowsAt("RotaryEmbedding", this.cos, steps, options.offset);
    const sin = rowsAt("RotaryEmbedding", this.sin, steps, options.offset);
    const rotate = (a: Tensor, b: Tensor): [Tensor, Tensor] => [
      a.mul(cos).sub(b.mul(sin)),
      b.mul(cos).add(a.mul(sin)),
    ];
    if (!this.#interleaved) {
      const [a, b] = x.chunk(2, -1) as [Tensor, Tensor];
      return cat(rotate(a, b), -1);
    }
    const pairs = x.unflatten(-1, [x.size(-1) / 2, 2]);
    return stack(rotate(pairs.select(-1, 0), pairs.select(-1, 1)), -1).flatten(-2);
  }
}
