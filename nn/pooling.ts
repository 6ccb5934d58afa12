import {
  avgPool1d,
  avgPool2d,
  avgPool3d,
  type AvgPoolOptions,
  maxPool1dWithIndices,
  maxPool2dWithIndices,
  maxPool3dWithIndices,
  type Sizes,
  type Tensor,
  type ValuesAndIndices,
} from "../ops/mod.ts";
import { Module } from "./module.ts";

/** Options of the largest element of windows. */
export interface MaxPoolOptions {
  /** Step between windows. @default the window */
  stride?: Sizes | undefined | null;
  /** Positions added on both sides. @default 0 */
  padding?: Sizes | undefined;
  /** Distance between the elements of a window. @default 1 */
  dilation?: Sizes | undefined;
  /** Keep a last window that hangs over the end. @default false */
  ceilMode?: boolean | undefined;
}

/** What {@linkcode MaxPool1d}, {@linkcode MaxPool2d} and {@linkcode MaxPool3d} have in common. */
export abstract class MaxPoolBase extends Module {
  readonly #pool: typeof maxPool2dWithIndices;
  readonly #kernelSize: Sizes;
  readonly #options: MaxPoolOptions;

  /**
   * Makes the module.
   *
   * @param pool The operation.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, dilation, rounding.
   */
  constructor(pool: typeof maxPool2dWithIndices, kernelSize: Sizes, options: MaxPoolOptions) {
    super();
    this.#pool = pool;
    this.#kernelSize = kernelSize;
    this.#options = options;
  }

  /** The largest elements. @throws {ShapeError} If a window is larger than the input. */
  forward(x: Tensor): Tensor {
    return this.forwardWithIndices(x).values;
  }

  /** The largest elements and their positions, flat over the spatial axes (`return_indices`). */
  forwardWithIndices(x: Tensor): ValuesAndIndices {
    return this.#pool(x, this.#kernelSize, this.#options);
  }
}

/** What {@linkcode AvgPool1d}, {@linkcode AvgPool2d} and {@linkcode AvgPool3d} have in common. */
export abstract class AvgPoolBase extends Module {
  readonly #pool: typeof avgPool2d;
  readonly #kernelSize: Sizes;
  readonly #options: AvgPoolOptions;

  /**
   * Makes the module.
   *
   * @param pool The operation.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, rounding, divisor.
   */
  constructor(pool: typeof avgPool2d, kernelSize: Sizes, options: AvgPoolOptions) {
    super();
    this.#pool = pool;
    this.#kernelSize = kernelSize;
    this.#options = options;
  }

  /** The means. @throws {ShapeError} If a window is larger than the input. */
  forward(x: Tensor): Tensor {
    return this.#pool(x, this.#kernelSize, this.#options);
  }
}

/**
 * Largest element of windows over 1 spatial axis, like `torch.nn.MaxPool1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MaxPool1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new MaxPool1d(2).forward(zeros([1, 3, 4])).shape, [1, 3, 2]);
 * ```
 */
export class MaxPool1d extends MaxPoolBase {
  /**
   * Makes the module.
   *
   * @param kernelSize Size of the window.
   * @param options Stride, padding, dilation, rounding.
   */
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(maxPool1dWithIndices, kernelSize, options);
  }
}

/**
 * Largest element of windows over 2 spatial axes, like `torch.nn.MaxPool2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MaxPool2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new MaxPool2d(2).forward(zeros([1, 3, 4, 4])).shape, [1, 3, 2, 2]);
 * ```
 */
export class MaxPool2d extends MaxPoolBase {
  /**
   * Makes the module.
   *
   * @param kernelSize Size of the window.
   * @param options Stride, padding, dilation, rounding.
   */
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(maxPool2dWithIndices, kernelSize, options);
  }
}

/**
 * Largest element of windows over 3 spatial axes, like `torch.nn.MaxPool3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MaxPool3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new MaxPool3d(2).forward(zeros([1, 3, 4, 4, 4])).shape, [1, 3, 2, 2, 2]);
 * ```
 */
export class MaxPool3d extends MaxPoolBase {
  /**
   * Makes the module.
   *
   * @param kernelSize Size of the window.
   * @param options Stride, padding, dilation, rounding.
   */
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(maxPool3dWithIndices, kernelSize, options);
  }
}

/**
 * Mean of windows over 1 spatial axis, like `torch.nn.AvgPool1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AvgPool1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AvgPool1d(2).forward(zeros([1, 3, 4])).shape, [1, 3, 2]);
 * ```
 */
export class AvgPool1d extends AvgPoolBase {
  /**
   * Makes the module.
   *
   * @param kernelSize Size of the window.
   * @param options Stride, padding, rounding, divisor.
   */
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super(avgPool1d, kernelSize, options);
  }
}

/**
 * Mean of windows over 2 spatial axes, like `torch.nn.AvgPool2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AvgPool2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AvgPool2d(2).forward(zeros([1, 3, 4, 4])).shape, [1, 3, 2, 2]);
 * ```
 */
export class AvgPool2d extends AvgPoolBase {
  /**
   * Makes the module.
   *
   * @param kernelSize Size of the window.
   * @param options Stride, padding, rounding, divisor.
   */
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super(avgPool2d, kernelSize, options);
  }
}

/**
 * Mean of windows over 3 spatial axes, like `torch.nn.AvgPool3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AvgPool3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AvgPool3d(2).forward(zeros([1, 3, 4, 4, 4])).shape, [1, 3, 2, 2, 2]);
 * ```
 */
export class AvgPool3d extends AvgPoolBase {
  /**
   * Makes the module.
   *
   * @param kernelSize Size of the window.
   * @param options Stride, padding, rounding, divisor.
   */
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super(avgPool3d, kernelSize, options);
  }
}
