/** Convolutions in one to three spatial axes. */
import { checkSameDtype, rangeError, ShapeError } from "./check.ts";
import { CONVOLUTION } from "./convolution_kernels.ts";
import { apply } from "./define.ts";
import { perAxis } from "./spatial.ts";
import type { Tensor } from "./tensor.ts";
import { reshape } from "./view.ts";

/** A number for all spatial axes, or one per axis. */
export type Sizes = number | readonly number[];

/** Options of convolutions. */
export interface ConvolutionOptions {
  /** Added to each output channel: `[Cout]`. */
  bias?: Tensor | undefined | null;
  /** Step between windows. @default 1 */
  stride?: Sizes | undefined;
  /** Zeros on both sides; `"same"` keeps the size (stride 1), `"valid"` is 0. @default 0 */
  padding?: Sizes | "same" | "valid" | undefined;
  /** Distance between the elements of a window. @default 1 */
  dilation?: Sizes | undefined;
  /** Blocks of channels that do not see each other. @default 1 */
  groups?: number | undefined;
}

function checkOperands(op: string, input: Tensor, weight: Tensor, rank: number): void {
  const shapes = { input: input.shape, weight: weight.shape };
  if (weight.ndim !== rank + 2) {
    throw new ShapeError(op, `weight needs ${rank + 2} dimensions`, shapes);
  }
  if (input.ndim !== rank + 2 && input.ndim !== rank + 1) {
    throw new ShapeError(op, `input needs ${rank + 1} or ${rank + 2} dimensions`, shapes);
  }
  checkSameDtype(op, input, weight);
}

/** What both directions read of their arguments; the input gets a batch axis where it has none. */
function prepare(
  op: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  options: Pick<ConvolutionOptions, "stride" | "dilation" | "groups">,
) {
  checkOperands(op, input, weight, rank);
  return {
    x: input.ndim === rank + 1 ? reshape(input, [1, ...input.shape]) : input,
    groups: options.groups ?? 1,
    kernel: weight.shape.slice(2),
    stride: perAxis(op, "stride", options.stride, rank, 1),
    dilation: perAxis(op, "dilation", options.dilation, rank, 1),
    shapes: { input: input.shape, weight: weight.shape },
  };
}

/** Adds the bias; an input without a batch axis gives a result without one. */
function finish(op: string, y: Tensor, input: Tensor, bias: Tensor | undefined | null): Tensor {
  const rank = y.ndim - 2;
  const z = withBias(op, y, bias, rank);
  return input.ndim === rank + 1 ? reshape(z, z.shape.slice(1)) : z;
}

function withBias(op: string, y: Tensor, bias: Tensor | undefined | null, rank: number): Tensor {
  if (!bias) return y;
  if (bias.ndim !== 1 || bias.shape[0] !== y.shape[1]) {
    throw new ShapeError(op, `bias expects ${y.shape[1]} numbers`, { bias: bias.shape });
  }
  return y.add(reshape(bias, [bias.shape[0]!, ...new Array<number>(rank).fill(1)]));
}

function convolve(
  op: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  options: ConvolutionOptions,
): Tensor {
  const { x, groups, kernel, stride, dilation, shapes } = prepare(op, rank, input, weight, options);
  const [batch, inChannels] = x.shape as [number, number];
  const [outChannels, cin] = weight.shape as [number, number];
  if (inChannels !== cin * groups || outChannels % groups) {
    const expected = `weight expects ${cin} × ${groups} groups`;
    throw new ShapeError(op, `input has ${inChannels} channels, ${expected}`, shapes);
  }
  const { source, padding } = paddingOf(op, x, kernel, dilation, stride, options.padding);
  const spatial = source.shape.slice(2);
  const output = spatial.map((s, d) =>
    Math.floor((s + 2 * padding[d]! - dilation[d]! * (kernel[d]! - 1) - 1) / stride[d]!) + 1
  );
  if (output.some((s) => s < 1)) {
    throw new ShapeError(op, "the kernel is larger than the padded input", shapes);
  }
  const channels = { batch, inChannels, outChannels, groups };
  const geometry = { ...channels, input: spatial, kernel, output, stride, padding, dilation };
  const y = apply(CONVOLUTION, [source, weight], { role: "forward", geometry });
  return finish(op, y, input, options.bias);
}

/** `"same"` padding of an even window is one element wider at the end; that element is padded first. */
function paddingOf(
  op: string,
  x: Tensor,
  kernel: readonly number[],
  dilation: readonly number[],
  stride: readonly number[],
  padding: ConvolutionOptions["padding"],
): { source: Tensor; padding: number[] } {
  const rank = kernel.length;
  if (padding === "valid") return { source: x, padding: new Array<number>(rank).fill(0) };
  if (padding !== "same") return { source: x, padding: perAxis(op, "padding", padding, rank, 0) };
  if (stride.some((s) => s !== 1)) throw new RangeError(`${op}: padding "same" needs stride 1`);
  const totals = kernel.map((k, d) => dilation[d]! * (k - 1));
  const extra = totals.map((t) => t % 2);
  const source = extra.some((n) => n) ? x.pad([...extra].reverse().flatMap((n) => [0, n])) : x;
  return { source, padding: totals.map((t) => Math.floor(t / 2)) };
}

/** Options of transposed convolutions. */
export interface TransposedConvolutionOptions extends Omit<ConvolutionOptions, "padding"> {
  /** Zero padding of the forward convolution that this reverses. @default 0 */
  padding?: Sizes | undefined;
  /** Added to one side of the output size. @default 0 */
  outputPadding?: Sizes | undefined;
}

function convolveTransposed(
  op: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  options: TransposedConvolutionOptions,
): Tensor {
  const { x, groups, kernel, stride, dilation, shapes } = prepare(op, rank, input, weight, options);
  const padding = perAxis(op, "padding", options.padding, rank, 0);
  const outputPadding = perAxis(op, "outputPadding", options.outputPadding, rank, 0);
  const above = outputPadding.findIndex((p, d) => p >= Math.max(stride[d]!, dilation[d]!));
  if (above >= 0) {
    const limit = Math.max(stride[above]!, dilation[above]!);
    const problem = `outputPadding ${outputPadding[above]} is not below stride or dilation`;
    throw rangeError(op, problem, { limit });
  }
  // The roles are turned around: this input is the gradient of the forward output.
  const [batch, outChannels] = x.shape as [number, number];
  if (outChannels !== weight.shape[0] || outChannels % groups) {
    const expected = `weight expects ${weight.shape[0]} in ${groups} groups`;
    throw new ShapeError(op, `input has ${outChannels} channels, ${expected}`, shapes);
  }
  const output = x.shape.slice(2);
  const spatial = output.map((s, d) =>
    (s - 1) * stride[d]! - 2 * padding[d]! + dilation[d]! * (kernel[d]! - 1) + outputPadding[d]! + 1
  );
  if (spatial.some((s) => s < 1)) {
    throw new ShapeError(op, "the padding leaves nothing of the result", shapes);
  }
  const channels = { batch, inChannels: weight.shape[1]! * groups, outChannels, groups };
  const geometry = { ...channels, input: spatial, kernel, output, stride, padding, dilation };
  const y = apply(CONVOLUTION, [x, weight], { role: "input", geometry });
  return finish(op, y, input, options.bias);
}

/**
 * One-dimensional convolution, like `torch.nn.functional.conv1d`.
 *
 * Shapes: input `[N, Cin, L]`, weight `[Cout, Cin / groups, k]`, result `[N, Cout, L']`.
 */
export function conv1d(input: Tensor, weight: Tensor, options: ConvolutionOptions = {}): Tensor {
  return convolve("conv1d", 1, input, weight, options);
}

/**
 * Two-dimensional convolution (cross-correlation) over a batch of images.
 *
 * Shapes: input `[N, Cin, H, W]`, weight `[Cout, Cin / groups, kH, kW]`, bias `[Cout]`, result
 * `[N, Cout, H', W']` with `H' = floor((H + 2·pad − dilation·(kH − 1) − 1) / stride) + 1`.
 * Follows `torch.nn.functional.conv2d`.
 *
 * @param input Images, float.
 * @param weight Filters, same dtype as `input`.
 * @param options Stride, padding, dilation, groups, bias.
 * @returns Feature maps.
 * @throws {ShapeError} If channels and groups do not agree.
 *
 * @example One 3×3 filter
 * ```ts
 * import { conv2d, ones } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const y = conv2d(ones([1, 1, 4, 4]), ones([1, 1, 3, 3]));
 * assertEquals(y.shape, [1, 1, 2, 2]);
 * ```
 */
export function conv2d(input: Tensor, weight: Tensor, options: ConvolutionOptions = {}): Tensor {
  return convolve("conv2d", 2, input, weight, options);
}

/** Three-dimensional convolution, like `torch.nn.functional.conv3d`. */
export function conv3d(input: Tensor, weight: Tensor, options: ConvolutionOptions = {}): Tensor {
  return convolve("conv3d", 3, input, weight, options);
}

/** Transposed one-dimensional convolution, like `torch.nn.functional.conv_transpose1d`; weight `[Cin, Cout / groups, k]`. */
export function convTranspose1d(
  input: Tensor,
  weight: Tensor,
  options: TransposedConvolutionOptions = {},
): Tensor {
  return convolveTransposed("convTranspose1d", 1, input, weight, options);
}

/** Transposed two-dimensional convolution, like `torch.nn.functional.conv_transpose2d`; weight `[Cin, Cout / groups, kH, kW]`. */
export function convTranspose2d(
  input: Tensor,
  weight: Tensor,
  options: TransposedConvolutionOptions = {},
): Tensor {
  return convolveTransposed("convTranspose2d", 2, input, weight, options);
}

/** Transposed three-dimensional convolution, like `torch.nn.functional.conv_transpose3d`; weight `[Cin, Cout / groups, kD, kH, kW]`. */
export function convTranspose3d(
  input: Tensor,
  weight: Tensor,
  options: TransposedConvolutionOptions = {},
): Tensor {
  return convolveTransposed("convTranspose3d", 3, input, weight, options);
}
