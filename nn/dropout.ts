/** Dropout. */
import { dropout, rand, type Tensor, where } from "../ops/mod.ts";
import { checkProbability } from "./_check.ts";
import { Module } from "./module.ts";

/** What the dropouts have in common. */
export abstract class DropoutBase extends Module {
  /** Probability of a drop. */
  readonly p: number;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param p Probability of a drop.
   * @throws {RangeError} If `p` is not between 0 and 1.
   */
  constructor(name: string, p: number) {
    super();
    checkProbability(name, "p", p);
    this.p = p;
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.p}`;
  }
}

/** What {@linkcode Dropout1d}, {@linkcode Dropout2d} and {@linkcode Dropout3d} have in common. */
export abstract class ChannelDropoutBase extends DropoutBase {
  readonly #leading: (ndim: number) => number;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param leading Number of axes before the spatial ones.
   * @param p Probability of a zero.
   */
  constructor(name: string, leading: (ndim: number) => number, p: number) {
    super(name, p);
    this.#leading = leading;
  }

  /** The input with channels of zeros, or itself in evaluation. */
  forward(x: Tensor): Tensor {
    const axes = x.shape.map((_, d) => d).slice(0, this.#leading(x.ndim));
    return dropout(x, { p: this.p, training: this.training, axes });
  }
}

/**
 * Zeros elements at random while training and scales the rest (Srivastava et al. 2014), like `torch.nn.Dropout`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { Dropout } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const x = ones([4]);
 * assertEquals(new Dropout(0.5).eval().forward(x) === x, true);
 * ```
 */
export class Dropout extends DropoutBase {
  /**
   * Makes the module.
   *
   * @param p Probability of a zero.
   * @throws {RangeError} If `p` is not between 0 and 1.
   */
  constructor(p = 0.5) {
    super("Dropout", p);
  }

  /** The input with zeros, or itself in evaluation. */
  forward(x: Tensor): Tensor {
    return dropout(x, { p: this.p, training: this.training });
  }
}

/**
 * Zeros whole channels at random while training (Tompson et al. 2015), like `torch.nn.Dropout1d`.
 *
 * Shapes: input `[N, C, L]` or without `N`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { Dropout1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const x = ones([1, 2, 3]);
 * assertEquals(new Dropout1d(0.5).eval().forward(x) === x, true);
 * ```
 */
export class Dropout1d extends ChannelDropoutBase {
  /**
   * Makes the module.
   *
   * @param p Probability of a zero.
   * @throws {RangeError} If `p` is not between 0 and 1.
   */
  constructor(p = 0.5) {
    super("Dropout1d", (ndim) => Math.max(1, ndim - 1), p);
  }
}

/**
 * Zeros whole channels at random while training (Tompson et al. 2015), like `torch.nn.Dropout2d`.
 *
 * Shapes: input `[N, C, H, W]` or, as in PyTorch, `[N, C, L]`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { Dropout2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const x = ones([1, 2, 3, 3]);
 * assertEquals(new Dropout2d(0.5).eval().forward(x) === x, true);
 * ```
 */
export class Dropout2d extends ChannelDropoutBase {
  /**
   * Makes the module.
   *
   * @param p Probability of a zero.
   * @throws {RangeError} If `p` is not between 0 and 1.
   */
  constructor(p = 0.5) {
    super("Dropout2d", () => 2, p);
  }
}

/**
 * Zeros whole channels at random while training (Tompson et al. 2015), like `torch.nn.Dropout3d`.
 *
 * Shapes: input `[N, C, D, H, W]` or without `N`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { Dropout3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const x = ones([1, 2, 3, 3, 3]);
 * assertEquals(new Dropout3d(0.5).eval().forward(x) === x, true);
 * ```
 */
export class Dropout3d extends ChannelDropoutBase {
  /**
   * Makes the module.
   *
   * @param p Probability of a zero.
   * @throws {RangeError} If `p` is not between 0 and 1.
   */
  constructor(p = 0.5) {
    super("Dropout3d", (ndim) => Math.max(1, ndim - 3), p);
  }
}

/** Limit of SELU far below 0, which dropped elements take. */
const SELU_LIMIT = -1.7580993408473766;

/**
 * Dropout that keeps mean and variance of SELU activations (Klambauer et al. 2017), like `torch.nn.AlphaDropout`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { AlphaDropout } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const x = ones([4]);
 * assertEquals(new AlphaDropout(0.5).eval().forward(x) === x, true);
 * ```
 */
export class AlphaDropout extends DropoutBase {
  /**
   * Makes the module.
   *
   * @param p Probability of a drop.
   * @throws {RangeError} If `p` is not between 0 and 1.
   */
  constructor(p = 0.5) {
    super("AlphaDropout", p);
  }

  /** The input with dropped elements, or itself in evaluation. */
  forward(x: Tensor): Tensor {
    const { p } = this;
    if (!this.training || p === 0) return x;
    const kept = rand(x.shape, { device: x.device }).ge(p);
    const scale = p === 1 ? 0 : 1 / Math.sqrt((1 - p) * (1 + p * SELU_LIMIT ** 2));
    const shift = -scale * SELU_LIMIT * p;
    return where(kept, x, SELU_LIMIT).mul(scale).add(shift);
  }
}
