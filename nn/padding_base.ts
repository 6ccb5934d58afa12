import { pad, type PaddingMode, type Tensor } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";
import { Module } from "./module.ts";

/** What the padding modules have in common. */
export abstract class PadBase extends Module {
  readonly #padding: readonly number[];
  readonly #mode: PaddingMode;
  readonly #value: number;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param rank Number of spatial axes.
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @param mode What fills the space.
   * @param value Fill of the constant mode.
   */
  constructor(
    name: string,
    rank: number,
    padding: number | readonly number[],
    mode: PaddingMode,
    value = 0,
  ) {
    super();
    const widths = typeof padding === "number"
      ? new Array<number>(2 * rank).fill(padding)
      : padding;
    if (widths.length !== 2 * rank) {
      throw rangeError(name, `padding needs ${2 * rank} widths, not ${widths.length}`);
    }
    this.#padding = widths;
    this.#mode = mode;
    this.#value = value;
  }

  /** The input with its surroundings. @throws {ShapeError} If it has too few dimensions. */
  forward(x: Tensor): Tensor {
    return pad(x, this.#padding, { mode: this.#mode, value: this.#value });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `[${this.#padding.join(", ")}]`;
  }
}
