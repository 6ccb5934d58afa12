/** Images as columns of patches and back. */
import { ShapeError } from "./check.ts";
import { perAxis } from "./spatial.ts";
import type { Sizes } from "./convolution.ts";
import { apply, type Attribute, defineOp, type OpDefinition } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { reshape, unsqueeze } from "./view.ts";

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
  const kernel = perAxis(op, "kernelSize", kernelSize, 2);
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
  const image = perAxis("foldImages", "outputSize", outputSize, 2);
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
