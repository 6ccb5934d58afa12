/** Normalization within each sample: layers, groups, root mean squares. */
import { groupNorm, layerNorm, localResponseNorm, rmsNorm, type Tensor } from "../ops/mod.ts";
import type { LocalResponseNormOptions } from "../ops/normalize.ts";
import { checkCount, checkDivides } from "./_check.ts";
import { constantParameter } from "./_factory.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Options of {@linkcode LayerNorm}. */
export interface LayerNormOptions extends FactoryOptions {
  /** Added to the variance. @default 1e-5 */
  eps?: number | undefined;
  /** Learn a factor (and an offset) per element. @default true */
  elementwiseAffine?: boolean | undefined;
  /** Learn an offset beside the factor. @default true */
  bias?: boolean | undefined;
}

/** Options of {@linkcode RMSNorm}. */
export interface RMSNormOptions extends FactoryOptions {
  /** Added to the mean square. @default the precision of the dtype */
  eps?: number | null | undefined;
  /** Learn a factor per element. @default true */
  elementwiseAffine?: boolean | undefined;
}

/** Options of {@linkcode GroupNorm}. */
export interface GroupNormOptions extends FactoryOptions {
  /** Added to the variance. @default 1e-5 */
  eps?: number | undefined;
  /** Learn a factor and an offset per channel. @default true */
  affine?: boolean | undefined;
}

function shapeOf(name: string, shape: number | readonly number[]): readonly number[] {
  const sizes = typeof shape === "number" ? [shape] : shape;
  for (const size of sizes) checkCount(name, "normalizedShape", size);
  return sizes;
}

/**
 * Normalizes over the last axes (Ba et al. 2016), like `torch.nn.LayerNorm`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { LayerNorm } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LayerNorm(4).forward(rand([2, 3, 4])).shape, [2, 3, 4]);
 * ```
 */
export class LayerNorm extends Module {
  /** Sizes of the axes to normalize over. */
  readonly normalizedShape: readonly number[];
  /** Factor of each element. */
  weight: Parameter | undefined;
  /** Offset of each element. */
  bias: Parameter | undefined;
  readonly #eps: number;

  /**
   * Makes the module.
   *
   * @param normalizedShape Sizes of the axes to normalize over.
   * @param options Settings.
   * @throws {RangeError} If a size is not positive.
   */
  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super();
    const shape = shapeOf("LayerNorm", normalizedShape);
    const affine = options.elementwiseAffine ?? true;
    this.normalizedShape = shape;
    this.#eps = options.eps ?? 1e-5;
    this.weight = affine ? constantParameter(shape, 1, options) : undefined;
    this.bias = affine && (options.bias ?? true) ? constantParameter(shape, 0, options) : undefined;
  }

  /** Normalized elements. @throws {ShapeError} If the input does not end in `normalizedShape`. */
  forward(x: Tensor): Tensor {
    const { weight, bias } = this;
    return layerNorm(x, this.normalizedShape, { weight, bias, eps: this.#eps });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `[${this.normalizedShape.join(", ")}]`;
  }
}

/**
 * Divides by the root mean square over the last axes (Zhang and Sennrich 2019), like `torch.nn.RMSNorm`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { RMSNorm } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new RMSNorm(4).forward(rand([2, 3, 4])).shape, [2, 3, 4]);
 * ```
 */
export class RMSNorm extends Module {
  /** Sizes of the axes to normalize over. */
  readonly normalizedShape: readonly number[];
  /** Factor of each element. */
  weight: Parameter | undefined;
  readonly #eps: number | undefined;

  /**
   * Makes the module.
   *
   * @param normalizedShape Sizes of the axes to normalize over.
   * @param options Settings.
   * @throws {RangeError} If a size is not positive.
   */
  constructor(normalizedShape: number | readonly number[], options: RMSNormOptions = {}) {
    super();
    const shape = shapeOf("RMSNorm", normalizedShape);
    this.normalizedShape = shape;
    this.#eps = options.eps ?? undefined;
    const affine = options.elementwiseAffine ?? true;
    this.weight = affine ? constantParameter(shape, 1, options) : undefined;
  }

  /** Scaled elements. @throws {ShapeError} If the input does not end in `normalizedShape`. */
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.normalizedShape, { weight: this.weight, eps: this.#eps });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `[${this.normalizedShape.join(", ")}]`;
  }
}

/**
 * Normalizes groups of channels with their space (Wu and He 2018), like `torch.nn.GroupNorm`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { GroupNorm } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new GroupNorm(2, 4).forward(rand([2, 4, 3])).shape, [2, 4, 3]);
 * ```
 */
export class GroupNorm extends Module {
  /** Number of groups. */
  readonly numGroups: number;
  /** Number of channels. */
  readonly numChannels: number;
  /** Factor of each channel. */
  weight: Parameter | undefined;
  /** Offset of each channel. */
  bias: Parameter | undefined;
  readonly #eps: number;

  /**
   * Makes the module.
   *
   * @param numGroups Number of groups.
   * @param numChannels Number of channels.
   * @param options Settings.
   * @throws {RangeError} If the groups do not divide the channels.
   */
  constructor(numGroups: number, numChannels: number, options: GroupNormOptions = {}) {
    super();
    checkCount("GroupNorm", "numGroups", numGroups);
    checkCount("GroupNorm", "numChannels", numChannels);
    checkDivides("GroupNorm", "numGroups", numGroups, "numChannels", numChannels);
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.#eps = options.eps ?? 1e-5;
    const affine = options.affine ?? true;
    this.weight = affine ? constantParameter([numChannels], 1, options) : undefined;
    this.bias = affine ? constantParameter([numChannels], 0, options) : undefined;
  }

  /** Normalized groups. @throws {ShapeError} If the channels do not fit. */
  forward(x: Tensor): Tensor {
    const { weight, bias } = this;
    return groupNorm(x, this.numGroups, { weight, bias, eps: this.#eps });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}`;
  }
}

/**
 * Divides by a power of the mean square of neighbouring channels (Krizhevsky et al. 2012), like `torch.nn.LocalResponseNorm`.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { LocalResponseNorm } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LocalResponseNorm(2).forward(rand([2, 4, 3])).shape, [2, 4, 3]);
 * ```
 */
export class LocalResponseNorm extends Module {
  readonly #size: number;
  readonly #options: LocalResponseNormOptions;

  /**
   * Makes the module.
   *
   * @param size Number of neighbouring channels.
   * @param options Settings.
   * @throws {RangeError} If `size` is not positive.
   */
  constructor(size: number, options: LocalResponseNormOptions = {}) {
    super();
    checkCount("LocalResponseNorm", "size", size);
    this.#size = size;
    this.#options = options;
  }

  /** Scaled channels. @throws {ShapeError} If the input has fewer than 3 dimensions. */
  forward(x: Tensor): Tensor {
    return localResponseNorm(x, this.#size, this.#options);
  }
}
