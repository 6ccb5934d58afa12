/** Images at other sizes and as patches. */
import {
  channelShuffle,
  foldImages,
  interpolate,
  type InterpolateOptions,
  pixelShuffle,
  pixelUnshuffle,
  type Sizes,
  type Tensor,
  unfoldImages,
} from "../ops/mod.ts";
import type { PatchOptions } from "../ops/patches.ts";
import { checkCount } from "./_check.ts";
import { Module } from "./module.ts";

/**
 * Changes spatial sizes, like `torch.nn.Upsample`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Upsample } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const up = new Upsample({ scaleFactor: 2 });
 * assertEquals(up.forward(zeros([1, 3, 2, 2])).shape, [1, 3, 4, 4]);
 * ```
 */
export class Upsample extends Module {
  readonly #options: InterpolateOptions;

  /**
   * Makes the module.
   *
   * @param options Size or factor, mode, corners.
   */
  constructor(options: InterpolateOptions) {
    super();
    this.#options = options;
  }

  /** The input at another size. @throws {ShapeError} If the mode does not fit the dimensions. */
  forward(x: Tensor): Tensor {
    return interpolate(x, this.#options);
  }
}

/**
 * `[…, C·r², H, W]` to `[…, C, H·r, W·r]` (Shi et al. 2016), like `torch.nn.PixelShuffle`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { PixelShuffle } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new PixelShuffle(2).forward(zeros([1, 4, 3, 3])).shape, [1, 1, 6, 6]);
 * ```
 */
export class PixelShuffle extends Module {
  readonly #factor: number;

  /**
   * Makes the module.
   *
   * @param factor `r`.
   * @throws {RangeError} If `factor` is not positive.
   */
  constructor(factor: number) {
    super();
    checkCount("PixelShuffle", "factor", factor);
    this.#factor = factor;
  }

  /** The larger image. @throws {ShapeError} If the channels are no multiple of `r²`. */
  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.#factor);
  }
}

/**
 * `[…, C, H·r, W·r]` to `[…, C·r², H, W]`, like `torch.nn.PixelUnshuffle`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { PixelUnshuffle } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new PixelUnshuffle(2).forward(zeros([1, 1, 6, 6])).shape, [1, 4, 3, 3]);
 * ```
 */
export class PixelUnshuffle extends Module {
  readonly #factor: number;

  /**
   * Makes the module.
   *
   * @param factor `r`.
   * @throws {RangeError} If `factor` is not positive.
   */
  constructor(factor: number) {
    super();
    checkCount("PixelUnshuffle", "factor", factor);
    this.#factor = factor;
  }

  /** The smaller image. @throws {ShapeError} If the sizes are no multiples of `r`. */
  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.#factor);
  }
}

/**
 * Patches of images as columns (im2col), like `torch.nn.Unfold`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Unfold } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Unfold(2).forward(zeros([1, 3, 4, 4])).shape, [1, 12, 9]);
 * ```
 */
export class Unfold extends Module {
  readonly #kernelSize: Sizes;
  readonly #options: PatchOptions;

  /**
   * Makes the module.
   *
   * @param kernelSize Size of a patch.
   * @param options Stride, padding, dilation.
   */
  constructor(kernelSize: Sizes, options: PatchOptions = {}) {
    super();
    this.#kernelSize = kernelSize;
    this.#options = options;
  }

  /** `[N, C·kH·kW, L]`. @throws {ShapeError} If a patch is larger than the image. */
  forward(x: Tensor): Tensor {
    return unfoldImages(x, this.#kernelSize, this.#options);
  }
}

/**
 * Columns of patches added up to images (col2im), like `torch.nn.Fold`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Fold } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Fold(4, 2).forward(zeros([1, 12, 9])).shape, [1, 3, 4, 4]);
 * ```
 */
export class Fold extends Module {
  readonly #outputSize: Sizes;
  readonly #kernelSize: Sizes;
  readonly #options: PatchOptions;

  /**
   * Makes the module.
   *
   * @param outputSize Size of the images.
   * @param kernelSize Size of a patch.
   * @param options Stride, padding, dilation.
   */
  constructor(outputSize: Sizes, kernelSize: Sizes, options: PatchOptions = {}) {
    super();
    this.#outputSize = outputSize;
    this.#kernelSize = kernelSize;
    this.#options = options;
  }

  /** `[N, C, H, W]`. @throws {ShapeError} If the columns do not fit the images. */
  forward(x: Tensor): Tensor {
    return foldImages(x, this.#outputSize, this.#kernelSize, this.#options);
  }
}

/**
 * Channels dealt out over groups (Zhang et al. 2018), like `torch.nn.ChannelShuffle`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ChannelShuffle } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ChannelShuffle(2).forward(zeros([1, 4, 3, 3])).shape, [1, 4, 3, 3]);
 * ```
 */
export class ChannelShuffle extends Module {
  readonly #groups: number;

  /**
   * Makes the module.
   *
   * @param groups Number of groups.
   * @throws {RangeError} If `groups` is not positive.
   */
  constructor(groups: number) {
    super();
    checkCount("ChannelShuffle", "groups", groups);
    this.#groups = groups;
  }

  /** The channels in another order. @throws {ShapeError} If they are no multiple of `groups`. */
  forward(x: Tensor): Tensor {
    return channelShuffle(x, this.#groups);
  }
}
