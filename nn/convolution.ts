import { conv1d, conv2d, conv3d, pad, type Sizes, type Tensor } from "../ops/mod.ts";
import { perAxis } from "../ops/spatial.ts";
import { checkChoice, rangeError } from "../ops/check.ts";
import { ConvolutionBase, type ConvolutionBaseOptions } from "./convolution_base.ts";

/** How a convolution fills the space around its input. */
export type ConvPaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** Options of {@linkcode Conv1d}, {@linkcode Conv2d} and {@linkcode Conv3d}. */
export interface ConvOptions extends ConvolutionBaseOptions {
  /** Step between windows. @default 1 */
  stride?: Sizes | undefined;
  /** Width of the space around the input; `"same"` keeps the size. @default 0 */
  padding?: Sizes | "same" | "valid" | undefined;
  /** Distance between the elements of a window. @default 1 */
  dilation?: Sizes | undefined;
  /** What fills the space around the input. @default "zeros" */
  paddingMode?: ConvPaddingMode | undefined;
}

/** Padding by mode, then the convolution without any. */
class Surround {
  readonly #amounts: readonly number[] | undefined;
  readonly #mode: Exclude<ConvPaddingMode, "zeros">;

  constructor(name: string, kernel: readonly number[], options: ConvOptions) {
    const { paddingMode = "zeros", padding } = options;
    checkChoice(name, "paddingMode", paddingMode, ["zeros", "reflect", "replicate", "circular"]);
    const rank = kernel.length;
    if (padding === "same") {
      const stride = perAxis(name, "stride", options.stride, rank, 1);
      if (stride.some((s) => s !== 1)) {
        throw rangeError(name, 'padding "same" needs stride 1', { stride });
      }
    }
    this.#mode = paddingMode === "zeros" ? "replicate" : paddingMode;
    if (paddingMode === "zeros") return;
    const dilation = perAxis(name, "dilation", options.dilation, rank, 1);
    const pairs = kernel.map((k, d): [number, number] => {
      if (padding === "valid") return [0, 0];
      if (padding !== "same") {
        const amount = perAxis(name, "padding", padding, rank, 0)[d]!;
        return [amount, amount];
      }
      const total = dilation[d]! * (k - 1);
      return [Math.floor(total / 2), total - Math.floor(total / 2)];
    });
    this.#amounts = pairs.reverse().flat();
  }

  /** The input to convolve, and the padding that is left to the convolution. */
  apply(x: Tensor, padding: ConvOptions["padding"]): [Tensor, ConvOptions["padding"]] {
    if (!this.#amounts) return [x, padding];
    return [pad(x, this.#amounts, { mode: this.#mode }), 0];
  }
}

/** What {@linkcode Conv1d}, {@linkcode Conv2d} and {@linkcode Conv3d} have in common. */
export abstract class ConvBase extends ConvolutionBase {
  readonly #convolve: typeof conv2d;
  readonly #options: ConvOptions;
  readonly #surround: Surround;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param rank Number of spatial axes.
   * @param convolve The operation.
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, dilation, groups, bias, padding mode.
   */
  constructor(
    name: string,
    rank: number,
    convolve: typeof conv2d,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvOptions,
  ) {
    super(name, rank, inChannels, outChannels, kernelSize, options, false);
    this.#convolve = convolve;
    this.#options = options;
    this.#surround = new Surround(name, this.kernelSize, options);
  }

  /** The convolution. @throws {ShapeError} If the channels do not fit. */
  forward(x: Tensor): Tensor {
    const { stride, dilation } = this.#options;
    const { weight, bias, groups } = this;
    const [source, padding] = this.#surround.apply(x, this.#options.padding);
    return this.#convolve(source, weight, { bias, stride, padding, dilation, groups });
  }
}

/**
 * Convolution over 1 spatial axis, like `torch.nn.Conv1d`.
 *
 * Shapes: input `[N, inChannels, L]` or without `N`, weight `[outChannels, inChannels / groups, …kernelSize]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Conv1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const conv = new Conv1d(3, 4, 3, { padding: 1 });
 * assertEquals(conv.forward(zeros([2, 3, 5])).shape, [2, 4, 5]);
 * ```
 */
export class Conv1d extends ConvBase {
  /**
   * Makes the module.
   *
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, dilation, groups, bias, padding mode.
   * @throws {RangeError} If a size is not allowed, or `groups` does not divide the channels.
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvOptions = {},
  ) {
    super("Conv1d", 1, conv1d, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Convolution over 2 spatial axes, like `torch.nn.Conv2d`.
 *
 * Shapes: input `[N, inChannels, H, W]` or without `N`, weight `[outChannels, inChannels / groups, …kernelSize]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Conv2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const conv = new Conv2d(3, 4, 3, { padding: 1 });
 * assertEquals(conv.forward(zeros([2, 3, 5, 5])).shape, [2, 4, 5, 5]);
 * ```
 */
export class Conv2d extends ConvBase {
  /**
   * Makes the module.
   *
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, dilation, groups, bias, padding mode.
   * @throws {RangeError} If a size is not allowed, or `groups` does not divide the channels.
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvOptions = {},
  ) {
    super("Conv2d", 2, conv2d, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Convolution over 3 spatial axes, like `torch.nn.Conv3d`.
 *
 * Shapes: input `[N, inChannels, D, H, W]` or without `N`, weight `[outChannels, inChannels / groups, …kernelSize]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Conv3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const conv = new Conv3d(3, 4, 3, { padding: 1 });
 * assertEquals(conv.forward(zeros([2, 3, 5, 5, 5])).shape, [2, 4, 5, 5, 5]);
 * ```
 */
export class Conv3d extends ConvBase {
  /**
   * Makes the module.
   *
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Stride, padding, dilation, groups, bias, padding mode.
   * @throws {RangeError} If a size is not allowed, or `groups` does not divide the channels.
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvOptions = {},
  ) {
    super("Conv3d", 3, conv3d, inChannels, outChannels, kernelSize, options);
  }
}
