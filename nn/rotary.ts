/** Positions as rotations. */
import { stack, type Tensor, tensor } from "../ops/mod.ts";
import { cat } from "../ops/join.ts";
import { rangeError } from "../ops/check.ts";
import { checkCount } from "./_check.ts";
import { rowsAt } from "./_positions.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { PositionOptions } from "./positional.ts";
import { rotaryFrequencies, type RotaryScaling } from "./rotary_scaling.ts";

/** Options of {@linkcode RotaryEmbedding}. */
export interface RotaryOptions extends FactoryOptions {
  /** Number of positions. @default 2048 */
  maxLen?: number | undefined;
  /** Base of the frequencies. @default 10000 */
  base?: number | undefined;
  /** Pairs are neighbours (2i, 2i + 1) instead of (i, i + D / 2). @default false */
  interleaved?: boolean | undefined;
  /** Frequencies for more positions than a model was trained with. */
  scaling?: RotaryScaling | undefined;
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
   * @param options Length, base, pairs, scaling.
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
    const { frequencies, attentionFactor } = rotaryFrequencies(
      { dim, maxLen, base },
      options.scaling,
    );
    const table = (f: (angle: number) => number) => {
      const values = Float64Array.from(
        { length: maxLen * half },
        (_, i) => attentionFactor * f(Math.floor(i / half) * frequencies[i % half]!),
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
