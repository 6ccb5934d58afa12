/** Convolutions in any number of spatial axes, as one contraction with three roles. */
import { DtypeError, ShapeError, shapeText } from "./check.ts";
import { apply, type Attribute, defineOp, type OpDefinition, type Operand } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { ContractKernel, ConvolutionGeometry } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { reshape } from "./view.ts";

/** Sizes that all three roles share. */
interface Geometry {
  readonly [name: string]: Attribute;
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
  readonly input: readonly number[];
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

type Role = ConvolutionGeometry["role"];

/** Axes with running numbers, handed out list by list. */
class AxisCounter {
  #next = 0;
  take(...sizes: number[]): Expr[] {
    return sizes.map((size) => e.axis(this.#next++, size));
  }
}

/** Where output position and kernel offset meet the input, and whether that is inside. */
function inputPosition(
  g: Geometry,
  output: readonly Expr[],
  offset: readonly Expr[],
): { at: Expr[]; guard: Expr | undefined } {
  let guard: Expr | undefined;
  const at = output.map((o, d) => {
    const reach = e.add(e.mul(o, e.int(g.stride[d]!)), e.mul(offset[d]!, e.int(g.dilation[d]!)));
    const position = e.sub(reach, e.int(g.padding[d]!));
    const last = (g.output[d]! - 1) * g.stride[d]! + (g.kernel[d]! - 1) * g.dilation[d]! -
      g.padding[d]!;
    if (g.padding[d]! > 0) guard = e.and(guard, e.le(e.int(0), position));
    if (last >= g.input[d]!) guard = e.and(guard, e.lt(position, e.int(g.input[d]!)));
    return position;
  });
  return { at, guard };
}

/** Which output position an input position and kernel offset belong to, if any. */
function outputPosition(
  g: Geometry,
  input: readonly Expr[],
  offset: readonly Expr[],
): { at: Expr[]; guard: Expr | undefined } {
  let guard: Expr | undefined;
  const at = input.map((i, d) => {
    const shifted = e.sub(e.add(i, e.int(g.padding[d]!)), e.mul(offset[d]!, e.int(g.dilation[d]!)));
    const stride = g.stride[d]!;
    guard = e.and(guard, e.le(e.int(0), shifted));
    if (stride > 1) guard = e.and(guard, e.eq(e.imod(shifted, stride), e.int(0)));
    const position = e.idiv(shifted, stride);
    guard = e.and(guard, e.lt(shifted, e.int(g.output[d]! * stride)));
    return position;
  });
  return { at, guard };
}

function slotsOf(
  role: Role,
  operands: readonly Operand[],
): Pick<ConvolutionGeometry, "x" | "w" | "dy" | "xOffset" | "wOffset" | "dyOffset"> {
  const names = { forward: ["x", "w"], input: ["dy", "w"], weight: ["x", "dy"] }[role];
  const found = Object.fromEntries(operands.map((operand, i) => [names[i]!, operand]));
  const slot = (name: string) => found[name]?.contiguous ? found[name].slot : undefined;
  const offset = (name: string) => found[name]?.base ?? 0;
  return {
    x: slot("x"),
    w: slot("w"),
    dy: slot("dy"),
    xOffset: offset("x"),
    wOffset: offset("w"),
    dyOffset: offset("dy"),
  };
}

interface RoleParts {
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: readonly number[];
  readonly k: readonly number[];
  readonly a: Expr;
  readonly b: Expr;
  readonly coordinates: readonly Expr[];
  readonly shape: readonly number[];
}

/** y[n, co, o] = Σ_{ci, k} w[co, ci, k] · x[n, ci, o·stride + k·dilation − padding] */
function forwardParts([x, w]: readonly Operand[], g: Geometry): RoleParts {
  const cin = g.inChannels / g.groups, cout = g.outChannels / g.groups;
  const axes = new AxisCounter();
  const [group] = axes.take(g.groups), [co] = axes.take(cout);
  const [n, ...o] = axes.take(g.batch, ...g.output);
  const [ci, ...k] = axes.take(cin, ...g.kernel);
  const { at, guard } = inputPosition(g, o, k);
  const channel = e.add(e.mul(group!, e.int(cin)), ci!);
  const filter = e.add(e.mul(group!, e.int(cout)), co!);
  return {
    batch: [g.groups],
    m: [cout],
    n: [g.batch, ...g.output],
    k: [cin, ...g.kernel],
    a: w!.at([filter, ci!, ...k]),
    b: x!.at([n!, channel, ...at], guard),
    coordinates: [n!, filter, ...o],
    shape: [g.batch, g.outChannels, ...g.output],
  };
}

/** dx[n, ci, i] = Σ_{co, k} w[co, ci, k] · dy[n, co, (i + padding − k·dilation) / stride] */
function inputParts([dy, w]: readonly Operand[], g: Geometry): RoleParts {
  const cin = g.inChannels / g.groups, cout = g.outChannels / g.groups;
  const axes = new AxisCounter();
  const [group] = axes.take(g.groups), [ci] = axes.take(cin);
  const [n, ...i] = axes.take(g.batch, ...g.input);
  const [co, ...k] = axes.take(cout, ...g.kernel);
  const { at, guard } = outputPosition(g, i, k);
  const channel = e.add(e.mul(group!, e.int(cin)), ci!);
  const filter = e.add(e.mul(group!, e.int(cout)), co!);
  return {
    batch: [g.groups],
    m: [cin],
    n: [g.batch, ...g.input],
    k: [cout, ...g.kernel],
    a: w!.at([filter, ci!, ...k]),
    b: dy!.at([n!, filter, ...at], guard),
    coordinates: [n!, channel, ...i],
    shape: [g.batch, g.inChannels, ...g.input],
  };
}

/** dw[co, ci, k] = Σ_{n, o} dy[n, co, o] · x[n, ci, o·stride + k·dilation − padding] */
function weightParts([x, dy]: readonly Operand[], g: Geometry): RoleParts {
  const cin = g.inChannels / g.groups, cout = g.outChannels / g.groups;
  const axes = new AxisCounter();
  const [group] = axes.take(g.groups), [co] = axes.take(cout);
  const [ci, ...k] = axes.take(cin, ...g.kernel);
  const [n, ...o] = axes.take(g.batch, ...g.output);
  const { at, guard } = inputPosition(g, o, k);
  const channel = e.add(e.mul(group!, e.int(cin)), ci!);
  const filter = e.add(e.mul(group!, e.int(cout)), co!);
  return {
    batch: [g.groups],
    m: [cout],
    n: [cin, ...g.kernel],
    k: [g.batch, ...g.output],
    a: dy!.at([n!, filter, ...o]),
    b: x!.at([n!, channel, ...at], guard),
    coordinates: [filter, ci!, ...k],
    shape: [g.outChannels, cin, ...g.kernel],
  };
}

const PARTS = { forward: forwardParts, input: inputParts, weight: weightParts };

interface ConvolutionAttributes {
  readonly [name: string]: Attribute;
  readonly role: Role;
  readonly geometry: Geometry;
}

const CONVOLUTION: OpDefinition<ConvolutionAttributes> = defineOp<ConvolutionAttributes>({
  name: "convolution",
  lower(operands, { role, geometry }) {
    const { coordinates, shape, ...parts } = PARTS[role](operands, geometry);
    const { dtype } = operands[0]!;
    const kernel: ContractKernel = {
      kind: "contract",
      ...parts,
      inputs: [{ dtype }, { dtype }],
      dtype,
      outputs: [{ dtype, value: e.acc(0, dtype), index: e.ravel(coordinates, shape) }],
      convolution: { role, ...geometry, ...slotsOf(role, operands) },
    };
    return { kernel, shapes: [shape] };
  },
  gradient: (c) => {
    const { role, geometry } = c.attributes;
    const run = (next: Role, p: Tensor, q: Tensor) =>
      apply(CONVOLUTION, [p, q], { role: next, geometry });
    const needs = (i: number, make: () => Tensor) => c.needs(i) ? make() : undefined;
    // Each role is linear in both operands; its gradients are the other two roles.
    if (role === "forward") {
      return [
        needs(0, () => run("input", c.grad(), c.input(1))),
        needs(1, () => run("weight", c.input(0), c.grad())),
      ];
    }
    if (role === "input") {
      return [
        needs(0, () => run("forward", c.grad(), c.input(1))),
        needs(1, () => run("weight", c.grad(), c.input(0))),
      ];
    }
    return [
      needs(0, () => run("input", c.input(1), c.grad())),
      needs(1, () => run("forward", c.input(0), c.grad())),
    ];
  },
});

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

/** One number per spatial axis. */
export function perAxis(
  op: string,
  name: string,
  value: Sizes | undefined,
  rank: number,
  missing: number,
): number[] {
  if (value === undefined) return new Array<number>(rank).fill(missing);
  const list = typeof value === "number" ? [value] : value;
  if (list.length !== 1 && list.length !== rank) {
    throw new ShapeError(op, `${name} has ${list.length} numbers for ${rank} spatial dimensions`, {
      [name]: list,
    });
  }
  for (const v of list) {
    if (
      !Number.isInteger(v) || v < 0 || (v === 0 && name !== "padding" && name !== "outputPadding")
    ) {
      throw new RangeError(`${op}: ${name} ${shapeText(list)} is not allowed`);
    }
  }
  return list.length === rank ? [...list] : new Array<number>(rank).fill(list[0]!);
}

function checkOperands(op: string, input: Tensor, weight: Tensor, rank: number): void {
  if (weight.ndim !== rank + 2) {
    throw new ShapeError(op, `weight needs ${rank + 2} dimensions`, {
      input: input.shape,
      weight: weight.shape,
    });
  }
  if (input.ndim !== rank + 2 && input.ndim !== rank + 1) {
    throw new ShapeError(op, `input needs ${rank + 1} or ${rank + 2} dimensions`, {
      input: input.shape,
      weight: weight.shape,
    });
  }
  if (input.dtype !== weight.dtype) {
    throw new DtypeError(
      op,
      `dtypes ${input.dtype} and ${weight.dtype} differ`,
      {},
      "convert one with to()",
    );
  }
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
  checkOperands(op, input, weight, rank);
  const x = input.ndim === rank + 1 ? reshape(input, [1, ...input.shape]) : input;
  const { groups = 1, bias } = options;
  const stride = perAxis(op, "stride", options.stride, rank, 1);
  const dilation = perAxis(op, "dilation", options.dilation, rank, 1);
  const [batch, inChannels] = x.shape as [number, number];
  const [outChannels, cin] = weight.shape as [number, number];
  if (inChannels !== cin * groups || outChannels % groups) {
    throw new ShapeError(
      op,
      `input has ${inChannels} channels, weight expects ${cin} × ${groups} groups`,
      {
        input: input.shape,
        weight: weight.shape,
      },
    );
  }
  const kernel = weight.shape.slice(2);
  const { source, padding } = paddingOf(op, x, kernel, dilation, stride, options.padding);
  const spatial = source.shape.slice(2);
  const output = spatial.map((s, d) =>
    Math.floor((s + 2 * padding[d]! - dilation[d]! * (kernel[d]! - 1) - 1) / stride[d]!) + 1
  );
  if (output.some((s) => s < 1)) {
    throw new ShapeError(op, "the kernel is larger than the padded input", {
      input: input.shape,
      weight: weight.shape,
    });
  }
  const geometry = {
    batch,
    inChannels,
    outChannels,
    groups,
    input: spatial,
    kernel,
    output,
    stride,
    padding,
    dilation,
  };
  const y = apply(CONVOLUTION, [source, weight], { role: "forward", geometry });
  const z = withBias(op, y, bias, rank);
  return input.ndim === rank + 1 ? reshape(z, z.shape.slice(1)) : z;
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
  checkOperands(op, input, weight, rank);
  const x = input.ndim === rank + 1 ? reshape(input, [1, ...input.shape]) : input;
  const { groups = 1, bias } = options;
  const stride = perAxis(op, "stride", options.stride, rank, 1);
  const dilation = perAxis(op, "dilation", options.dilation, rank, 1);
  const padding = perAxis(op, "padding", options.padding, rank, 0);
  const outputPadding = perAxis(op, "outputPadding", options.outputPadding, rank, 0);
  // The roles are turned around: this input is the gradient of the forward output.
  const [batch, outChannels] = x.shape as [number, number];
  if (outChannels !== weight.shape[0] || outChannels % groups) {
    throw new ShapeError(
      op,
      `input has ${outChannels} channels, weight expects ${weight.shape[0]} in ${groups} groups`,
      {
        input: input.shape,
        weight: weight.shape,
      },
    );
  }
  const kernel = weight.shape.slice(2);
  const output = x.shape.slice(2);
  const spatial = output.map((s, d) =>
    (s - 1) * stride[d]! - 2 * padding[d]! + dilation[d]! * (kernel[d]! - 1) + outputPadding[d]! + 1
  );
  const inChannels = weight.shape[1]! * groups;
  const geometry = {
    batch,
    inChannels,
    outChannels,
    groups,
    input: spatial,
    kernel,
    output,
    stride,
    padding,
    dilation,
  };
  const y = apply(CONVOLUTION, [x, weight], { role: "input", geometry });
  const z = withBias(op, y, bias, rank);
  return input.ndim === rank + 1 ? reshape(z, z.shape.slice(1)) : z;
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
