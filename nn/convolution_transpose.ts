import {
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  type Sizes,
  type Tensor,
} from "../ops/mod.ts";
import { perAxis } from "../ops/spatial.ts";
import { rangeError } from "../ops/check.ts";
import { ConvolutionBase, type ConvolutionBaseOptions } from "./convolution_base.ts";

/** Options of {@linkcode ConvTranspose1d} and its like. */
export interface ConvTransposeOptions extends ConvolutionBaseOptions {
  /** Step of the convolution that this reverses. @default 1 */
  stride?: Sizes | undefined;
  /** Padding of the convolution that this reverses. @default 0 */
  padding?: Sizes | undefined;
  /** Added to one side of the result. @default 0 */
  outputPadding?: Sizes | undefined;
  /** Distance between the elements of a window. @default 1 */
  dilation?: Sizes | undefined;
}

/** What {@linkcode ConvTranspose1d} and its like have in common. */
export abstract class ConvTransposeBase extends ConvolutionBase {
  readonly #name: string;
  readonly #convolve: typeof convTranspose2d;
  readonly #options: ConvTransposeOptions;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param rank Number of spatial axes.
   * @param convolve The operation.
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, output padding, dilation, groups, bias.
   */
  constructor(
    name: string,
    rank: number,
    convolve: typeof convTranspose2d,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeOptions,
  ) {
    super(name, rank, inChannels, outChannels, kernelSize, options, true);
    this.#name = name;
    this.#convolve = convolve;
    this.#options = options;
  }

  /**
   * The transposed convolution.
   *
   * @param x Input.
   * @param outputSize Spatial sizes of the result, in place of `outputPadding`.
   * @throws {ShapeError} If the channels do not fit.
   * @throws {RangeError} If the input cannot give `outputSize`.
   */
  forward(x: Tensor, outputSize?: Sizes | undefined): Tensor {
    const { stride, padding, dilation } = this.#options;
    const { weight, bias, groups } = this;
    const outputPadding = outputSize === undefined
      ? this.#options.outputPadding
      : paddingFor(this.#name, x, this.kernelSize, this.#options, outputSize);
    const options = { bias, stride, padding, outputPadding, dilation, groups };
    return this.#convolve(x, weight, options);
  }
}

/**
 * Transposed convolution over 1 spatial axis, like `torch.nn.ConvTranspose1d`.
 *
 * Shapes: input `[N, inChannels, L]` or without `N`, weight `[inChannels, outChannels / groups, …kernelSize]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ConvTranspose1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const conv = new ConvTranspose1d(3, 4, 2, { stride: 2 });
 * assertEquals(conv.forward(zeros([2, 3, 5])).shape, [2, 4, 10]);
 * ```
 */
export class ConvTranspose1d extends ConvTransposeBase {
  /**
   * Makes the module.
   *
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, output padding, dilation, groups, bias.
   * @throws {RangeError} If a size is not allowed, or `groups` does not divide the channels.
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeOptions = {},
  ) {
    super("ConvTranspose1d", 1, convTranspose1d, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Transposed convolution over 2 spatial axes, like `torch.nn.ConvTranspose2d`.
 *
 * Shapes: input `[N, inChannels, H, W]` or without `N`, weight `[inChannels, outChannels / groups, …kernelSize]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ConvTranspose2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const conv = new ConvTranspose2d(3, 4, 2, { stride: 2 });
 * assertEquals(conv.forward(zeros([2, 3, 5, 5])).shape, [2, 4, 10, 10]);
 * ```
 */
export class ConvTranspose2d extends ConvTransposeBase {
  /**
   * Makes the module.
   *
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, output padding, dilation, groups, bias.
   * @throws {RangeError} If a size is not allowed, or `groups` does not divide the channels.
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeOptions = {},
  ) {
    super("ConvTranspose2d", 2, convTranspose2d, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Transposed convolution over 3 spatial axes, like `torch.nn.ConvTranspose3d`.
 *
 * Shapes: input `[N, inChannels, D, H, W]` or without `N`, weight `[inChannels, outChannels / groups, …kernelSize]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ConvTranspose3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const conv = new ConvTranspose3d(3, 4, 2, { stride: 2 });
 * assertEquals(conv.forward(zeros([1, 3, 2, 2, 2])).shape, [1, 4, 4, 4, 4]);
 * ```
 */
export class ConvTranspose3d extends ConvTransposeBase {
  /**
   * Makes the module.
   *
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, output padding, dilation, groups, bias.
   * @throws {RangeError} If a size is not allowed, or `groups` does not divide the channels.
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeOptions = {},
  ) {
    super("ConvTranspose3d", 3, convTranspose3d, inChannels, outChannels, kernelSize, options);
  }
}

/** The output padding that gives a size. */
function paddingFor(
  name: string,
  x: Tensor,
  kernel: readonly number[],
  options: ConvTransposeOptions,
  outputSize: Sizes,
): number[] {
  const rank = kernel.length;
  const wanted = perAxis(name, "outputSize", outputSize, rank);
  const stride = perAxis(name, "stride", options.stride, rank, 1);
  const padding = perAxis(name, "padding", options.padding, rank, 0);
  const dilation = perAxis(name, "dilation", options.dilation, rank, 1);
  return x.shape.slice(-rank).map((size, d) => {
    const least = (size - 1) * stride[d]! - 2 * padding[d]! + dilation[d]! * (kernel[d]! - 1) + 1;
    const extra = wanted[d]! - least;
    if (extra < 0 || extra >= stride[d]!) {
      const most = least + stride[d]! - 1;
      throw rangeError(name, `outputSize ${wanted[d]} is not between ${least} and ${most}`);
    }
    return extra;
  });
}
