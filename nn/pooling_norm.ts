/** Pooling by norms of windows. */
import {
  lpPool1d,
  lpPool2d,
  lpPool3d,
  type LpPoolOptions,
  type Sizes,
  type Tensor,
} from "../ops/mod.ts";
import { Module } from "./module.ts";

/** What {@linkcode LPPool1d}, {@linkcode LPPool2d} and {@linkcode LPPool3d} have in common. */
export abstract class LPPoolBase extends Module {
  readonly #pool: typeof lpPool2d;
  readonly #normType: number;
  readonly #kernelSize: Sizes;
  readonly #options: LpPoolOptions;

  /**
   * Makes the module.
   *
   * @param pool The operation.
   * @param normType Which norm.
   * @param kernelSize Size of the window.
   * @param options Stride, rounding.
   */
  constructor(
    pool: typeof lpPool2d,
    normType: number,
    kernelSize: Sizes,
    options: LpPoolOptions,
  ) {
    super();
    this.#pool = pool;
    this.#normType = normType;
    this.#kernelSize = kernelSize;
    this.#options = options;
  }

  /** The norms. @throws {ShapeError} If the window is larger than the input. */
  forward(x: Tensor): Tensor {
    return this.#pool(x, this.#normType, this.#kernelSize, this.#options);
  }
}

/**
 * p-norm of windows over 1 spatial axis, like `torch.nn.LPPool1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LPPool1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LPPool1d(2, 2).forward(zeros([1, 1, 2])).shape, [1, 1, 1]);
 * ```
 */
export class LPPool1d extends LPPoolBase {
  /**
   * Makes the module.
   *
   * @param normType Which norm.
   * @param kernelSize Size of the window.
   * @param options Stride (default the window), rounding.
   */
  constructor(normType: number, kernelSize: Sizes, options: LpPoolOptions = {}) {
    super(lpPool1d, normType, kernelSize, options);
  }
}

/**
 * p-norm of windows over 2 spatial axes, like `torch.nn.LPPool2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LPPool2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LPPool2d(2, 2).forward(zeros([1, 1, 2, 2])).shape, [1, 1, 1, 1]);
 * ```
 */
export class LPPool2d extends LPPoolBase {
  /**
   * Makes the module.
   *
   * @param normType Which norm.
   * @param kernelSize Size of the window.
   * @param options Stride (default the window), rounding.
   */
  constructor(normType: number, kernelSize: Sizes, options: LpPoolOptions = {}) {
    super(lpPool2d, normType, kernelSize, options);
  }
}

/**
 * p-norm of windows over 3 spatial axes, like `torch.nn.LPPool3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LPPool3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LPPool3d(2, 2).forward(zeros([1, 1, 2, 2, 2])).shape, [1, 1, 1, 1, 1]);
 * ```
 */
export class LPPool3d extends LPPoolBase {
  /**
   * Makes the module.
   *
   * @param normType Which norm.
   * @param kernelSize Size of the window.
   * @param options Stride (default the window), rounding.
   */
  constructor(normType: number, kernelSize: Sizes, options: LpPoolOptions = {}) {
    super(lpPool3d, normType, kernelSize, options);
  }
}
