import { formatShape } from "./_check.ts";
import { rotationMatrix } from "./affine.ts";
import { fixedPoint } from "./affine_sample.ts";
import type { HostArray } from "./array.ts";
import { type Interpolation, RESAMPLE_BITS, resampleMatrix } from "./resize.ts";
import { toTensor } from "./tensors.ts";
import { arange, clamp, floor, gather, ShapeError, type Tensor, where } from "../ops/mod.ts";

// A batch of images on a device is float32 `[N, C, H, W]` with whole numbers from 0 to 255, so that
// each step can round as PIL rounds bytes.

function checkBatch(op: string, images: Tensor): [n: number, c: number, h: number, w: number] {
  if (images.ndim !== 4) {
    throw new ShapeError(op, `images has ${images.ndim} dimensions, expected [N, C, H, W]`, {
      images: images.shape,
    });
  }
  return images.shape as [number, number, number, number];
}

/** One number for each image, as `[N, 1, 1, 1]`. */
function perImage(op: string, name: string, values: Tensor, count: number): Tensor {
  if (values.numel !== count) {
    throw new ShapeError(op, `${name} has ${values.numel} values for ${count} images`, {
      [name]: values.shape,
    });
  }
  return values.reshape([count, 1, 1, 1]);
}

/**
 * {@linkcode resize} for a batch on the device: two matrix products of whole numbers in PIL's
 * fixed point, so that the bytes are PIL's.
 *
 * Shapes: images `[N, C, H, W]` float32 from 0 to 255, result `[N, C, height, width]`.
 *
 * @param images Images.
 * @param size `[height, width]`.
 * @param options Filter, bilinear where absent.
 * @returns The resized images.
 * @throws {ShapeError} If `images` has not four dimensions.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { resizeBatch } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(resizeBatch(zeros([2, 1, 4, 4]), [6, 8]).shape, [2, 1, 6, 8]);
 * ```
 */
export function resizeBatch(
  images: Tensor,
  size: readonly [number, number],
  options: { interpolation?: Exclude<Interpolation, "nearest"> | undefined } = {},
): Tensor {
  const [, , fromHeight, fromWidth] = checkBatch("resizeBatch", images);
  const { interpolation = "bilinear" } = options;
  const { device } = images;
  const [height, width] = size;
  let result = images.to("int32");
  if (width !== fromWidth) {
    const across = toTensor(resampleMatrix(fromWidth, width, interpolation), { device });
    result = roundBytes(result.matmul(across.transpose(0, 1)));
  }
  if (height !== fromHeight) {
    const down = toTensor(resampleMatrix(fromHeight, height, interpolation), { device });
    result = roundBytes(down.matmul(result));
  }
  return result.to("float32");
}

/** From fixed point to bytes, as PIL rounds. */
function roundBytes(sums: Tensor): Tensor {
  const one = 1 << RESAMPLE_BITS;
  return clamp(sums.add(one / 2).floorDivide(one), 0, 255);
}

/**
 * The numbers by which {@linkcode rotateBatch} turns one image about its middle.
 *
 * @param angle Degrees, counter-clockwise.
 * @param height Rows of the image.
 * @param width Columns of the image.
 * @returns An int32 array `[6]`; stack one for each image.
 *
 * @example
 * ```ts
 * import { rotationParameters } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(rotationParameters(10, 28, 28).shape, [6]);
 * ```
 */
export function rotationParameters(angle: number, height: number, width: number): HostArray {
  const turned = ((angle % 360) + 360) % 360;
  const { matrix } = rotationMatrix(width, height, turned, [width / 2, height / 2], false);
  return { dtype: "int32", shape: [6], data: Int32Array.from(fixedPoint(matrix)) };
}

/**
 * {@linkcode rotate} for a batch on the device, nearest neighbour, each image by its own angle. The
 * positions are PIL's fixed-point ones, so the bytes are PIL's.
 *
 * Shapes: images `[N, C, H, W]` float32, parameters `[N, 6]` int32, result as `images`.
 *
 * @param images Images.
 * @param parameters Rows of {@linkcode rotationParameters}.
 * @param options Value outside of the image, 0 where absent.
 * @returns The rotated images.
 * @throws {ShapeError} If the shapes do not fit.
 *
 * @example A half turn
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { rotateBatch, rotationParameters, toTensor } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const parameters = toTensor(rotationParameters(180, 1, 3)).reshape([1, 6]);
 * const turned = rotateBatch(tensor([[[[1, 2, 3]]]]), parameters);
 * assertEquals([...await turned.data()], [3, 2, 1]);
 * ```
 */
export function rotateBatch(
  images: Tensor,
  parameters: Tensor,
  options: { fill?: number | undefined } = {},
): Tensor {
  const [n, c, h, w] = checkBatch("rotateBatch", images);
  if (parameters.dtype !== "int32" || formatShape(parameters.shape) !== formatShape([n, 6])) {
    throw new ShapeError("rotateBatch", `parameters must be int32 [${n}, 6]`, {
      images: images.shape,
      parameters: parameters.shape,
    });
  }
  const part = (i: number): Tensor => parameters.narrow(1, i, 1).reshape([n, 1, 1]);
  const { device } = images;
  const y = arange(0, h, 1, { dtype: "int32", device }).reshape([1, h, 1]);
  const x = arange(0, w, 1, { dtype: "int32", device }).reshape([1, 1, w]);
  const column = part(0).mul(x).add(part(1).mul(y)).add(part(2)).floorDivide(65536); // [N, H, W]
  const row = part(3).mul(x).add(part(4).mul(y)).add(part(5)).floorDivide(65536);
  const inside = column.ge(0).logicalAnd(column.lt(w)).logicalAnd(row.ge(0))
    .logicalAnd(row.lt(h));
  const from = clamp(row, 0, h - 1).mul(w).add(clamp(column, 0, w - 1));
  const index = from.reshape([n, 1, h * w]).expand([n, c, h * w]);
  const pixels = gather(images.reshape([n, c, h * w]), 2, index).reshape([n, c, h, w]);
  return where(inside.reshape([n, 1, h, w]), pixels, options.fill ?? 0);
}

/** PIL's blend toward `from`, cut to bytes. */
function blendBatch(images: Tensor, from: Tensor | number, factors: Tensor): Tensor {
  const mixed = images.sub(from).mul(factors).add(from);
  return floor(clamp(mixed, 0, 255));
}

/**
 * {@linkcode adjustBrightness} for a batch on the device, each image by its own factor.
 *
 * Shapes: images `[N, C, H, W]` float32 from 0 to 255, factors `[N]`, result as `images`.
 *
 * @param images Images.
 * @param factors Factor of each image, at least 0.
 * @returns The adjusted images.
 * @throws {ShapeError} If the shapes do not fit.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { adjustBrightnessBatch } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const y = adjustBrightnessBatch(tensor([[[[100, 250]]]]), tensor([1.5]));
 * assertEquals([...await y.data()], [150, 255]);
 * ```
 */
export function adjustBrightnessBatch(images: Tensor, factors: Tensor): Tensor {
  const [n] = checkBatch("adjustBrightnessBatch", images);
  return blendBatch(images, 0, perImage("adjustBrightnessBatch", "factors", factors, n));
}

/**
 * {@linkcode adjustContrast} for a batch on the device, each image by its own factor about its own
 * mean gray. Equal to PIL up to one level where the device fuses a product with a sum.
 *
 * Shapes: images `[N, C, H, W]` float32 from 0 to 255 with C 1 or 3, factors `[N]`, result as
 * `images`.
 *
 * @param images Images.
 * @param factors Factor of each image, at least 0.
 * @returns The adjusted images.
 * @throws {ShapeError} If the shapes do not fit.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { adjustContrastBatch } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const y = adjustContrastBatch(tensor([[[[100, 200]]]]), tensor([0.5]));
 * assertEquals([...await y.data()], [125, 175]);
 * ```
 */
export function adjustContrastBatch(images: Tensor, factors: Tensor): Tensor {
  const [n, c] = checkBatch("adjustContrastBatch", images);
  if (c !== 1 && c !== 3) {
    throw new ShapeError("adjustContrastBatch", `images has ${c} channels, expected 1 or 3`, {
      images: images.shape,
    });
  }
  const gray = c === 1 ? images : grayBatch(images);
  const mean = floor(gray.mean([1, 2, 3], { keepdim: true }).add(0.5));
  return blendBatch(images, mean, perImage("adjustContrastBatch", "factors", factors, n));
}

/** PIL's luma; all products and sums are whole numbers below 2^24, exact in float32. */
function grayBatch(images: Tensor): Tensor {
  const [red, green, blue] = [0, 1, 2].map((channel) => images.narrow(1, channel, 1));
  const sum = red!.mul(19595).add(green!.mul(38470)).add(blue!.mul(7471)).add(32768);
  return floor(sum.div(65536));
}

/**
 * {@linkcode ToTensor} and {@linkcode Normalize} for a batch on the device.
 *
 * Shapes: images `[N, C, H, W]` from 0 to 255, result float32 of the same shape.
 *
 * @param images Images.
 * @param mean Mean of each channel in `[0, 1]`, or one for all.
 * @param std Deviation of each channel, or one for all.
 * @returns `(images / 255 − mean) / std`.
 * @throws {ShapeError} If there is not one mean and one deviation for each channel.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { normalizeBatch } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...await normalizeBatch(tensor([[[[0, 255]]]]), 0.5, 0.5).data()], [-1, 1]);
 * ```
 */
export function normalizeBatch(
  images: Tensor,
  mean: number | readonly number[],
  std: number | readonly number[],
): Tensor {
  const [, c] = checkBatch("normalizeBatch", images);
  const spread = (name: string, values: number | readonly number[]): Tensor | number => {
    if (typeof values === "number") return values;
    if (values.length !== c) {
      throw new ShapeError(
        "normalizeBatch",
        `${name} has ${values.length} values for ${c} channels`,
        {
          images: images.shape,
        },
      );
    }
    const data = Float32Array.from(values);
    return toTensor({ dtype: "float32", shape: [c, 1, 1], data }, { device: images.device });
  };
  return images.div(255).sub(spread("mean", mean)).div(spread("std", std));
}
