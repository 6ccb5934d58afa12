/** Instance norms: each channel of each sample by itself. */
import { instanceNorm, type Tensor } from "../ops/mod.ts";
import { type BatchNormLayerOptions, StatisticsNorm } from "./normalization.ts";

/** What {@linkcode InstanceNorm1d}, {@linkcode InstanceNorm2d} and {@linkcode InstanceNorm3d} have in common. */
export abstract class InstanceNormBase extends StatisticsNorm {
  readonly #rank: number;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param rank Number of spatial axes.
   * @param numFeatures Number of channels.
   * @param options Settings.
   */
  constructor(name: string, rank: number, numFeatures: number, options: BatchNormLayerOptions) {
    super(name, numFeatures, options);
    this.#rank = rank;
  }

  /**
   * Normalized channels of each sample; a sample without a batch axis is accepted.
   *
   * @throws {ShapeError} If the dimensions or channels do not fit.
   */
  forward(x: Tensor): Tensor {
    this.checkRank(x, [this.#rank + 1, this.#rank + 2]);
    const single = x.ndim === this.#rank + 1;
    const { weight, bias, eps, runningMean, runningVar, training } = this;
    const useInputStats = training || !runningMean;
    const momentum = this.momentum ?? 0;
    const statistics = { useInputStats, runningMean, runningVar, momentum };
    const batch = single ? x.unsqueeze(0) : x;
    const y = instanceNorm(batch, { weight, bias, eps, ...statistics });
    return single ? y.squeeze(0) : y;
  }
}

/**
 * Normalizes each channel of each sample over space (Ulyanov et al. 2016), like `torch.nn.InstanceNorm1d`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { InstanceNorm1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new InstanceNorm1d(3).forward(rand([2, 3, 4])).shape, [2, 3, 4]);
 * ```
 */
export class InstanceNorm1d extends InstanceNormBase {
  /**
   * Makes the module.
   *
   * @param numFeatures Number of channels.
   * @param options Settings.
   * @throws {RangeError} If `numFeatures` is not positive.
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super("InstanceNorm1d", 1, numFeatures, options);
  }
}

/**
 * Normalizes each channel of each sample over space (Ulyanov et al. 2016), like `torch.nn.InstanceNorm2d`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { InstanceNorm2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new InstanceNorm2d(3).forward(rand([2, 3, 4, 4])).shape, [2, 3, 4, 4]);
 * ```
 */
export class InstanceNorm2d extends InstanceNormBase {
  /**
   * Makes the module.
   *
   * @param numFeatures Number of channels.
   * @param options Settings.
   * @throws {RangeError} If `numFeatures` is not positive.
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super("InstanceNorm2d", 2, numFeatures, options);
  }
}

/**
 * Normalizes each channel of each sample over space (Ulyanov et al. 2016), like `torch.nn.InstanceNorm3d`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { InstanceNorm3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new InstanceNorm3d(3).forward(rand([2, 3, 4, 4, 4])).shape, [2, 3, 4, 4, 4]);
 * ```
 */
export class InstanceNorm3d extends InstanceNormBase {
  /**
   * Makes the module.
   *
   * @param numFeatures Number of channels.
   * @param options Settings.
   * @throws {RangeError} If `numFeatures` is not positive.
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super("InstanceNorm3d", 3, numFeatures, options);
  }
}
