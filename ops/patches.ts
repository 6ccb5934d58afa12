/** Images as columns of patches and back; samples at positions of a grid. */
import { ShapeError } from "./check.ts";
import { perAxis, type Sizes } from "./convolution.ts";
import { apply, type Attribute, defineOp, type OpDefinition } from "./define.ts";
import {
  abs,
  add,
  eq,
  floorDivide,
  fmod,
  ge,
  le,
  logicalAnd,
  mul,
  remainder,
  sub,
  where,
} from "./elementwise.ts";
import { hardtanh } from "./activation.ts";
import { gather } from "./index.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";
import { floor, round } from "./math.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, select, unsqueeze } from "./view.ts";

interface PatchAttributes {
  readonly [name: string]: Attribute;
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

/** `[N, C, H, W]` to `[N, C, kH, kW, oH, oW]`. */
const UNFOLD = defineOp<PatchAttributes>({
  name: "unfoldImages",
  lower([x], a) {
    const { dtype } = x!;
    const rank = a.kernel.length;
    const shape = [...x!.shape.slice(0, 2), ...a.kernel, ...a.output];
    const axes = e.axesOf(shape);
    let guard: Expr | undefined;
    const at = a.kernel.map((_, d) => {
      const reach = e.add(
        e.mul(axes[2 + rank + d]!, e.int(a.stride[d]!)),
        e.mul(axes[2 + d]!, e.int(a.dilation[d]!)),
      );
      const place = e.sub(reach, e.int(a.padding[d]!));
      if (a.padding[d]! > 0) {
        guard = e.and(guard, e.le(e.int(0), place));
        guard = e.and(guard, e.lt(place, e.int(a.input[d]!)));
      }
      return place;
    });
    const value = x!.at([axes[0]!, axes[1]!, ...at], guard);
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [{ dtype }], outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => [apply(FOLD, [c.grad()], c.attributes)],
});

/** `[N, C, kH, kW, oH, oW]` to `[N, C, H, W]`; overlapping patches add up. */
const FOLD: OpDefinition<PatchAttributes> = defineOp<PatchAttributes>({
  name: "foldImages",
  lower([x], a) {
    const { dtype } = x!;
    const shape = [...x!.shape.slice(0, 2), ...a.input];
    const axes = e.axesOf(shape), offsets = e.axesOf(a.kernel, shape.length);
    let guard: Expr | undefined;
    const at = a.input.map((_, d) => {
      const padded = e.add(axes[2 + d]!, e.int(a.padding[d]!));
      const shifted = e.sub(padded, e.mul(offsets[d]!, e.int(a.dilation[d]!)));
      const stride = a.stride[d]!;
      guard = e.and(guard, e.le(e.int(0), shifted));
      guard = e.and(guard, e.lt(shifted, e.int(a.output[d]! * stride)));
      if (stride > 1) guard = e.and(guard, e.eq(e.imod(shifted, stride), e.int(0)));
      return e.idiv(shifted, stride);
    });
    const body = x!.at([axes[0]!, axes[1]!, ...offsets, ...at], guard);
    const reductions = [{ op: "sum" as const, body, dtype }];
    const outputs = [{ dtype, value: e.acc(0, dtype), index: undefined }];
    return {
      kernel: { kind: "reduce", shape, reduce: a.kernel, inputs: [{ dtype }], reductions, outputs },
      shapes: [shape],
    };
  },
  saves: "none",
  gradient: (c) => [apply(UNFOLD, [c.grad()], c.attributes)],
});

/** Options of `unfoldImages` and `foldImages`. */
export interface PatchOptions {
  /** Distance between the elements of a patch. @default 1 */
  dilation?: Sizes | undefined;
  /** Zeros around the image. @default 0 */
  padding?: Sizes | undefined;
  /** Step between patches. @default 1 */
  stride?: Sizes | undefined;
}

function patchGeometry(
  op: string,
  input: readonly number[],
  kernelSize: Sizes,
  options: PatchOptions,
): PatchAttributes {
  const kernel = perAxis(op, "kernelSize", kernelSize, 2, 1);
  const stride = perAxis(op, "stride", options.stride, 2, 1);
  const padding = perAxis(op, "padding", options.padding, 2, 0);
  const dilation = perAxis(op, "dilation", options.dilation, 2, 1);
  const output = input.map((s, d) =>
    Math.floor((s + 2 * padding[d]! - dilation[d]! * (kernel[d]! - 1) - 1) / stride[d]!) + 1
  );
  if (output.some((s) => s < 1)) {
    throw new ShapeError(op, "the patch is larger than the padded image", { image: input, kernel });
  }
  return { input, output, kernel, stride, padding, dilation };
}

/**
 * Patches of images as columns, like `torch.nn.functional.unfold` (im2col).
 *
 * Shapes: input `[N, C, H, W]` or `[C, H, W]`, result `[N, C·kH·kW, L]` or `[C·kH·kW, L]`.
 */
export function unfoldImages(x: Tensor, kernelSize: Sizes, options: PatchOptions = {}): Tensor {
  if (x.ndim !== 3 && x.ndim !== 4) {
    throw new ShapeError("unfoldImages", "input needs 3 or 4 dimensions", { input: x.shape });
  }
  if (x.ndim === 3) return withoutBatch(unfoldImages(unsqueeze(x, 0), kernelSize, options));
  const geometry = patchGeometry("unfoldImages", x.shape.slice(2), kernelSize, options);
  const patches = apply(UNFOLD, [x], geometry);
  const column = x.shape[1]! * sizeOf(geometry.kernel);
  return reshape(patches, [x.shape[0]!, column, sizeOf(geometry.output)]);
}

function withoutBatch(x: Tensor): Tensor {
  return reshape(x, x.shape.slice(1));
}

/**
 * Columns of patches added up to images, like `torch.nn.functional.fold` (col2im).
 *
 * Shapes: input `[N, C·kH·kW, L]` or `[C·kH·kW, L]`, result `[N, C, H, W]` or `[C, H, W]`.
 */
export function foldImages(
  x: Tensor,
  outputSize: Sizes,
  kernelSize: Sizes,
  options: PatchOptions = {},
): Tensor {
  if (x.ndim === 2) {
    return withoutBatch(foldImages(unsqueeze(x, 0), outputSize, kernelSize, options));
  }
  const image = perAxis("foldImages", "outputSize", outputSize, 2, 1);
  const geometry = patchGeometry("foldImages", image, kernelSize, options);
  const taps = sizeOf(geometry.kernel);
  if (x.ndim !== 3 || x.shape[1]! % taps || x.shape[2] !== sizeOf(geometry.output)) {
    throw new ShapeError("foldImages", "columns do not fit the image", {
      input: x.shape,
      outputSize: image,
    });
  }
  const channels = x.shape[1]! / taps;
  const split = reshape(x, [x.shape[0]!, channels, ...geometry.kernel, ...geometry.output]);
  return apply(FOLD, [split], geometry);
}

/** Options of `gridSample`. */
export interface GridSampleOptions {
  /** @default "bilinear" */
  mode?: "bilinear" | "nearest" | "bicubic" | undefined;
  /** What lies outside of the image. @default "zeros" */
  paddingMode?: "zeros" | "border" | "reflection" | undefined;
  /** −1 and 1 are the centres of the corner elements, instead of their outer edges. @default false */
  alignCorners?: boolean | undefined | null;
}

function reflected(x: Tensor, size: number, corners: boolean): Tensor {
  const low = corners ? 0 : -0.5, span = corners ? size - 1 : size;
  if (span === 0) return mul(x, 0);
  const distance = abs(sub(x, low));
  const extra = fmod(distance, span);
  const even = eq(remainder(floorDivide(distance.detach(), span), 2), 0);
  return add(where(even, extra, add(extra.neg(), span)), low);
}

/** Grid coordinate −1 … 1 to a position in elements. */
function unnormalized(x: Tensor, size: number, corners: boolean): Tensor {
  return corners ? mul(add(x, 1), (size - 1) / 2) : sub(mul(add(x, 1), size / 2), 0.5);
}

function confined(
  x: Tensor,
  size: number,
  padding: GridSampleOptions["paddingMode"],
  corners: boolean,
): Tensor {
  if (padding === "border") return hardtanh(x, 0, size - 1);
  if (padding === "reflection") return hardtanh(reflected(x, size, corners), 0, size - 1);
  return x;
}

/** Elements of `[N, C, H·W]` at whole positions `[N, H', W']`; 0 outside. */
function pixelsAt(
  flat: Tensor,
  height: number,
  width: number,
  y: Tensor,
  x: Tensor,
): Tensor {
  const [batch, channels] = flat.shape as [number, number];
  const inside = logicalAnd(
    logicalAnd(ge(x, 0), le(x, width - 1)),
    logicalAnd(ge(y, 0), le(y, height - 1)),
  );
  const index = where(inside, add(mul(y, width), x), 0).to("int32");
  const count = sizeOf(y.shape.slice(1));
  const wide = expand(reshape(index, [batch, 1, count]), [batch, channels, count]);
  const picked = reshape(gather(flat, 2, wide), [batch, channels, ...y.shape.slice(1)]);
  return where(unsqueeze(inside, 1), picked, 0);
}

/**
 * Samples an image at positions of a grid, like `torch.nn.functional.grid_sample` with bilinear or
 * nearest interpolation in two dimensions.
 *
 * Shapes: input `[N, C, H, W]`, grid `[N, H', W', 2]` of (x, y) from −1 to 1, result
 * `[N, C, H', W']`.
 *
 * @throws {ShapeError} If the shapes do not agree.
 */
export function gridSample(input: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const { mode = "bilinear", paddingMode = "zeros", alignCorners } = options;
  if (
    input.ndim !== 4 || grid.ndim !== 4 || grid.shape[3] !== 2 || grid.shape[0] !== input.shape[0]
  ) {
    throw new ShapeError("gridSample", "expects images [N, C, H, W] and a grid [N, H, W, 2]", {
      input: input.shape,
      grid: grid.shape,
    });
  }
  const corners = alignCorners === true;
  const [batch, channels, height, width] = input.shape as [number, number, number, number];
  const flat = reshape(input, [batch, channels, height * width]);
  const place = (at: number, size: number) => unnormalized(select(grid, 3, at), size, corners);
  const confine = (t: Tensor, size: number) => confined(t, size, paddingMode, corners);
  const rawX = place(0, width), rawY = place(1, height);
  if (mode === "bicubic") {
    return bicubicSample(flat, height, width, rawY, rawX, confine);
  }
  const x = confine(rawX, width), y = confine(rawY, height);
  if (mode === "nearest") {
    return pixelsAt(flat, height, width, round(y).detach(), round(x).detach());
  }
  const left = floor(x).detach(), top = floor(y).detach();
  const right = sub(x, left), down = sub(y, top);
  let total: Tensor | undefined;
  for (const [dy, dx] of [[0, 0], [0, 1], [1, 0], [1, 1]] as const) {
    const weightX = dx ? right : right.neg().add(1), weightY = dy ? down : down.neg().add(1);
    const pixels = pixelsAt(flat, height, width, add(top, dy), add(left, dx));
    const term = mul(pixels, unsqueeze(mul(weightX, weightY), 1));
    total = total ? add(total, term) : term;
  }
  return total!;
}

/** Weights of the four neighbours of a fraction under the cubic kernel with coefficient −0.75. */
function cubicWeights(t: Tensor): Tensor[] {
  const a = -0.75;
  const near = (d: Tensor) => add(mul(mul(d, d), sub(mul(d, a + 2), a + 3)), 1);
  const far = (d: Tensor) => sub(mul(add(mul(sub(mul(d, a), 5 * a), d), 8 * a), d), 4 * a);
  const rest = t.neg().add(1);
  return [far(add(t, 1)), near(t), near(rest), far(add(rest, 1))];
}

function bicubicSample(
  flat: Tensor,
  height: number,
  width: number,
  y: Tensor,
  x: Tensor,
  confine: (t: Tensor, size: number) => Tensor,
): Tensor {
  const left = floor(x).detach(), top = floor(y).detach();
  const weightsX = cubicWeights(sub(x, left)), weightsY = cubicWeights(sub(y, top));
  let total: Tensor | undefined;
  for (const [i, wy] of weightsY.entries()) {
    for (const [j, wx] of weightsX.entries()) {
      const row = confine(add(top, i - 1), height), column = confine(add(left, j - 1), width);
      const pixels = pixelsAt(flat, height, width, round(row), round(column));
      const term = mul(pixels, unsqueeze(mul(wy, wx), 1));
      total = total ? add(total, term) : term;
    }
  }
  return total!;
}
