/** Pooling undone. */
import {
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
