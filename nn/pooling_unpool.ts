/** Pooling undone, and pooling by norms. */
import {
  lpPool1d,
  lpPool2d,
  type LPPoolOptions,
  maxUnpool1d,
  maxUnpool2d,
  type MaxUnpoolOptions,
  type Sizes,
  type Tensor,
} from "../ops/mod.ts";
import { Module } from "./module.ts";

/** What {@linkcode MaxUnpool1d} and {@linkcode MaxUnpool2d} have in common. */
export abstract class MaxUnpoolBase extends Module {
  readonly #unpool: typeof maxUnpool2d;
  readonly #kernelSize: Sizes;
  readonly #options: Omit<MaxUnpoolOptions, "outputSize">;

  /**
   * Makes the module.
   *
   * @param unpool The operation.
   * @param kernelSize Size of the window.
   * @param options Stride, padding.
   */
  constructor(
    unpool: typeof maxUnpool2d,
    kernelSize: Sizes,
    options: Omit<MaxUnpoolOptions, "outputSize">,
  ) {
    super();
    this.#unpool = unpool;
    this.#kernelSize = kernelSize;
    this.#options = options;
  }

  /** The values at their places. @throws {ShapeError} If `indices` has another shape. */
  forward(
    x: Tensor,
    indices: Tensor,
    options: Pick<MaxUnpoolOptions, "outputSize"> = {},
  ): Tensor {
    const { outputSize } = options;
    return this.#unpool(x, indices, this.#kernelSize, { ...this.#options, outputSize });
  }
}

/**
 * Values put back where pooling over 1 spatial axis found them, like `torch.nn.MaxUnpool1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MaxPool1d, MaxUnpool1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const { values, indices } = new MaxPool1d(2).forwardWithIndices(zeros([1, 3, 4]));
 * assertEquals(new MaxUnpool1d(2).forward(values, indices).shape, [1, 3, 4]);
 * ```
 */
export class MaxUnpool1d extends MaxUnpoolBase {
  /**
   * Makes the module.
   *
   * @param kernelSize Size of the window.
   * @param options Stride, padding.
   */
  constructor(kernelSize: Sizes, options: Omit<MaxUnpoolOptions, "outputSize"> = {}) {
    super(maxUnpool1d, kernelSize, options);
  }
}

/**
 * Values put back where pooling over 2 spatial axes found them, like `torch.nn.MaxUnpool2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MaxPool2d, MaxUnpool2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const { values, indices } = new MaxPool2d(2).forwardWithIndices(zeros([1, 3, 4, 4]));
 * assertEquals(new MaxUnpool2d(2).forward(values, indices).shape, [1, 3, 4, 4]);
 * ```
 */
export class MaxUnpool2d extends MaxUnpoolBase {
  /**
   * Makes the module.
   *
   * @param kernelSize Size of the window.
   * @param options Stride, padding.
   */
  constructor(kernelSize: Sizes, options: Omit<MaxUnpoolOptions, "outputSize"> = {}) {
    super(maxUnpool2d, kernelSize, options);
  }
}

/** What {@linkcode LPPool1d} and {@linkcode LPPool2d} have in common. */
export abstract class LPPoolBase extends Module {
  readonly #pool: typeof lpPool2d;
  readonly #p: number;
  readonly #kernelSize: Sizes;
  readonly #options: LPPoolOptions;

  /**
   * Makes the module.
   *
   * @param pool The operation.
   * @param p Which norm.
   * @param kernelSize Size of the window.
   * @param options Stride, rounding.
   */
  constructor(pool: typeof lpPool2d, p: number, kernelSize: Sizes, options: LPPoolOptions) {
    super();
    this.#pool = pool;
    this.#p = p;
    this.#kernelSize = kernelSize;
    this.#options = options;
  }

  /** The norms. @throws {ShapeError} If a window is larger than the input. */
  forward(x: Tensor): Tensor {
    return this.#pool(x, this.#p, this.#kernelSize, this.#options);
  }
}

/**
 * p-norm of windows over 1 spatial axis, like `torch.nn.LPPool1d`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { LPPool1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await new LPPool1d(2, 4).forward(ones([1, 1, 4])).item(), 2);
 * ```
 */
export class LPPool1d extends LPPoolBase {
  /**
   * Makes the module.
   *
   * @param normType Which norm.
   * @param kernelSize Size of the window.
   * @param options Stride, rounding.
   */
  constructor(normType: number, kernelSize: Sizes, options: LPPoolOptions = {}) {
    super(lpPool1d, normType, kernelSize, options);
  }
}

/**
 * p-norm of windows over 2 spatial axes, like `torch.nn.LPPool2d`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { LPPool2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await new LPPool2d(2, 2).forward(ones([1, 1, 2, 2])).item(), 2);
 * ```
 */
export class LPPool2d extends LPPoolBase {
  /**
   * Makes the module.
   *
   * @param normType Which norm.
   * @param kernelSize Size of the window.
   * @param options Stride, rounding.
   */
  constructor(normType: number, kernelSize: Sizes, options: LPPoolOptions = {}) {
    super(lpPool2d, normType, kernelSize, options);
  }
}
