import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3dWithIndices,
  type AdaptiveSizes,
  type Tensor,
  type ValuesAndIndices,
} from "../ops/mod.ts";
import { Module } from "./module.ts";

/**
 * What {@linkcode AdaptiveAvgPool1d}, {@linkcode AdaptiveAvgPool2d} and {@linkcode AdaptiveAvgPool3d} have in
 * common.
 */
export abstract class AdaptiveAvgPoolBase extends Module {
  readonly #pool: typeof adaptiveAvgPool2d;
  readonly #outputSize: AdaptiveSizes;

  /**
   * Makes the module.
   *
   * @param pool The operation.
   * @param outputSize Spatial sizes of the result; null keeps that of the input.
   */
  constructor(pool: typeof adaptiveAvgPool2d, outputSize: AdaptiveSizes) {
    super();
    this.#pool = pool;
    this.#outputSize = outputSize;
  }

  /** The means. */
  forward(x: Tensor): Tensor {
    return this.#pool(x, this.#outputSize);
  }
}

/**
 * What {@linkcode AdaptiveMaxPool1d}, {@linkcode AdaptiveMaxPool2d} and {@linkcode AdaptiveMaxPool3d} have in
 * common.
 */
export abstract class AdaptiveMaxPoolBase extends Module {
  readonly #pool: typeof adaptiveMaxPool2dWithIndices;
  readonly #outputSize: AdaptiveSizes;

  /**
   * Makes the module.
   *
   * @param pool The operation.
   * @param outputSize Spatial sizes of the result; null keeps that of the input.
   */
  constructor(pool: typeof adaptiveMaxPool2dWithIndices, outputSize: AdaptiveSizes) {
    super();
    this.#pool = pool;
    this.#outputSize = outputSize;
  }

  /** The largest elements. */
  forward(x: Tensor): Tensor {
    return this.forwardWithIndices(x).values;
  }

  /** The largest elements and their positions, flat over the spatial axes (`return_indices`). */
  forwardWithIndices(x: Tensor): ValuesAndIndices {
    return this.#pool(x, this.#outputSize);
  }
}

/**
 * Mean of windows chosen for the size of the result, over 1 spatial axis; like
 * `torch.nn.AdaptiveAvgPool1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AdaptiveAvgPool1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AdaptiveAvgPool1d(2).forward(zeros([1, 3, 5])).shape, [1, 3, 2]);
 * ```
 */
export class AdaptiveAvgPool1d extends AdaptiveAvgPoolBase {
  /**
   * Makes the module.
   *
   * @param outputSize Spatial sizes of the result; null keeps that of the input.
   */
  constructor(outputSize: AdaptiveSizes) {
    super(adaptiveAvgPool1d, outputSize);
  }
}

/**
 * Mean of windows chosen for the size of the result, over 2 spatial axes; like
 * `torch.nn.AdaptiveAvgPool2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AdaptiveAvgPool2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AdaptiveAvgPool2d(2).forward(zeros([1, 3, 5, 5])).shape, [1, 3, 2, 2]);
 * ```
 */
export class AdaptiveAvgPool2d extends AdaptiveAvgPoolBase {
  /**
   * Makes the module.
   *
   * @param outputSize Spatial sizes of the result; null keeps that of the input.
   */
  constructor(outputSize: AdaptiveSizes) {
    super(adaptiveAvgPool2d, outputSize);
  }
}

/**
 * Mean of windows chosen for the size of the result, over 3 spatial axes; like
 * `torch.nn.AdaptiveAvgPool3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AdaptiveAvgPool3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AdaptiveAvgPool3d(2).forward(zeros([1, 3, 5, 5, 5])).shape, [1, 3, 2, 2, 2]);
 * ```
 */
export class AdaptiveAvgPool3d extends AdaptiveAvgPoolBase {
  /**
   * Makes the module.
   *
   * @param outputSize Spatial sizes of the result; null keeps that of the input.
   */
  constructor(outputSize: AdaptiveSizes) {
    super(adaptiveAvgPool3d, outputSize);
  }
}

/**
 * Largest element of windows chosen for the size of the result, over 1 spatial axis; like
 * `torch.nn.AdaptiveMaxPool1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AdaptiveMaxPool1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AdaptiveMaxPool1d(2).forward(zeros([1, 3, 5])).shape, [1, 3, 2]);
 * ```
 */
export class AdaptiveMaxPool1d extends AdaptiveMaxPoolBase {
  /**
   * Makes the module.
   *
   * @param outputSize Spatial sizes of the result; null keeps that of the input.
   */
  constructor(outputSize: AdaptiveSizes) {
    super(adaptiveMaxPool1dWithIndices, outputSize);
  }
}

/**
 * Largest element of windows chosen for the size of the result, over 2 spatial axes; like
 * `torch.nn.AdaptiveMaxPool2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AdaptiveMaxPool2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AdaptiveMaxPool2d(2).forward(zeros([1, 3, 5, 5])).shape, [1, 3, 2, 2]);
 * ```
 */
export class AdaptiveMaxPool2d extends AdaptiveMaxPoolBase {
  /**
   * Makes the module.
   *
   * @param outputSize Spatial sizes of the result; null keeps that of the input.
   */
  constructor(outputSize: AdaptiveSizes) {
    super(adaptiveMaxPool2dWithIndices, outputSize);
  }
}

/**
 * Largest element of windows chosen for the size of the result, over 3 spatial axes; like
 * `torch.nn.AdaptiveMaxPool3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { AdaptiveMaxPool3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AdaptiveMaxPool3d(2).forward(zeros([1, 3, 5, 5, 5])).shape, [1, 3, 2, 2, 2]);
 * ```
 */
export class AdaptiveMaxPool3d extends AdaptiveMaxPoolBase {
  /**
   * Makes the module.
   *
   * @param outputSize Spatial sizes of the result; null keeps that of the input.
   */
  constructor(outputSize: AdaptiveSizes) {
    super(adaptiveMaxPool3dWithIndices, outputSize);
  }
}
