/** Images at other sizes and places: interpolation, padding modes, shuffles, patches. */
import { checkChoice, rangeError, ShapeError, shapeText } from "./check.ts";
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from "./pool.ts";
import { applyTaps, cachedTable, type Tap, type TapTable } from "./taps.ts";
import { owned } from "./own.ts";
import type { Tensor } from "./tensor.ts";
import { padConstant } from "./slice.ts";
import { expand, permute, reshape, transpose } from "./view.ts";

/** How positions between elements are filled. */
export type InterpolationMode =
  | "nearest"
  | "nearest-exact"
  | "linear"
  | "bilinear"
  | "trilinear"
  | "bicubic"
  | "area";

/** Options of `interpolate`. */
export interface InterpolateOptions {
  /** Spatial sizes of the result; either this or `scaleFactor`. */
  size?: number | readonly number[] | undefined | null;
  /** Factor of the spatial sizes. */
  scaleFactor?: number | readonly number[] | undefined | null;
  /** How values between pixels are found. @default "nearest" */
  mode?: InterpolationMode | undefined;
  /** Corner elements keep their places (linear and cubic modes). @default false */
  alignCorners?: boolean | undefined | null;
  /** Compute the factor again from the sizes, instead of using the one given. @default false */
  recomputeScaleFactor?: boolean | undefined | null;
}

type AxisMode = "nearest" | "nearest-exact" | "linear" | "cubic";

const AXIS_MODES: Record<Exclude<InterpolationMode, "area">, { axis: AxisMode; rank?: number }> = {
  nearest: { axis: "nearest" },
  "nearest-exact": { axis: "nearest-exact" },
  linear: { axis: "linear", rank: 1 },
  bilinear: { axis: "linear", rank: 2 },
  trilinear: { axis: "linear", rank: 3 },
  bicubic: { axis: "cubic", rank: 2 },
};

/**
 * Changes spatial sizes, like `torch.nn.functional.interpolate`.
 *
 * @param x `[N, C, …]` with one to three spatial axes.
 * @param options Size or factor, mode, corners.
 * @throws {RangeError} If neither or both of `size` and `scaleFactor` are given, or a size is below 1.
 * @throws {ShapeError} If the mode does not fit the number of spatial axes.
 *
 * @example
 * ```ts
 * import { interpolate, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const y = interpolate(tensor([[[1, 2]]]), { scaleFactor: 2 });
 * assertEquals([...await y.data()], [1, 1, 2, 2]);
 * ```
 */
export function interpolate(x: Tensor, options: InterpolateOptions = {}): Tensor {
  const { mode = "nearest", alignCorners = false, recomputeScaleFactor = false } = options;
  checkChoice("interpolate", "mode", mode, [...Object.keys(AXIS_MODES), "area"]);
  const rank = x.ndim - 2;
  const { sizes, factors } = targetSizes(x, options);
  if (mode === "area") return areaAverage(x, sizes);
  const { axis, rank: wanted } = AXIS_MODES[mode];
  if (rank < 1 || rank > 3 || (wanted !== undefined && wanted !== rank)) {
    throw new ShapeError("interpolate", `mode "${mode}" does not fit ${rank} spatial dimensions`, {
      input: x.shape,
    });
  }
  const factorOf = (d: number) => recomputeScaleFactor ? undefined : factors?.[d];
  if (axis === "nearest" || axis === "nearest-exact") {
    const repeats = sizes.map((output, d) =>
      wholeFactor(axis, x.shape[d + 2]!, output, factorOf(d))
    );
    if (repeats.every((r) => r !== undefined)) return owned(repeated(x, repeats), x);
  }
  let y = x;
  for (let d = 0; d < rank; d++) {
    const input = x.shape[d + 2]!, output = sizes[d]!;
    const factor = factorOf(d);
    const corners = alignCorners === true;
    // PyTorch looks at the factor of a size that stays only where it does not interpolate linearly.
    if (input === output && (axis === "linear" || factor === undefined || factor === 1)) continue;
    const key = `${axis}:${input}:${output}:${factor}:${corners}`;
    y = applyTaps(
      y,
      d + 2,
      cachedTable(key, () => resampleTable(axis, input, output, factor, corners)),
    );
  }
  return owned(y, x);
}

function targetSizes(
  x: Tensor,
  { size, scaleFactor }: InterpolateOptions,
): { sizes: number[]; factors: number[] | undefined } {
  const missing = (v: unknown) => v === undefined || v === null;
  if (missing(size) === missing(scaleFactor)) {
    throw rangeError("interpolate", "give either size or scaleFactor");
  }
  const spatial = x.shape.slice(2);
  const fill = (v: number | readonly number[]) => {
    const list = typeof v === "number" ? spatial.map(() => v) : [...v];
    if (list.length !== spatial.length) {
      throw new ShapeError(
        "interpolate",
        `${list.length} numbers for ${spatial.length} spatial dimensions`,
        { input: x.shape },
      );
    }
    return list;
  };
  const factors = missing(scaleFactor) ? undefined : fill(scaleFactor!);
  const sizes = factors ? spatial.map((s, d) => Math.floor(s * factors[d]!)) : fill(size!);
  if (sizes.some((s) => !(s >= 1))) {
    throw rangeError("interpolate", `sizes ${shapeText(sizes)} are not all at least 1`, {
      input: x.shape,
    });
  }
  return { sizes, factors };
}

function areaAverage(x: Tensor, sizes: readonly number[]): Tensor {
  const pools = [adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d];
  return pools[sizes.length - 1]!(x, sizes);
}

/** Weights of Keys' cubic kernel (1981) with PyTorch's coefficient. */
function cubicWeights(t: number): [number, number, number, number] {
  const a = -0.75;
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

function nearestPlace(
  exact: boolean,
  o: number,
  input: number,
  output: number,
  factor: number | undefined,
): number {
  // PyTorch computes these in float32, which decides ties.
  const scale = Math.fround(factor === undefined ? input / output : 1 / factor);
  const place = exact ? Math.fround((o + 0.5) * scale) : Math.fround(o * scale);
  return Math.min(Math.floor(place), input - 1);
}

/** How often each element is repeated, where that is all that happens. */
function wholeFactor(
  mode: "nearest" | "nearest-exact",
  input: number,
  output: number,
  factor: number | undefined,
): number | undefined {
  const times = output / input;
  if (!Number.isInteger(times) || times < 1) return undefined;
  for (let o = 0; o < output; o++) {
    const place = nearestPlace(mode === "nearest-exact", o, input, output, factor);
    if (place !== Math.floor(o / times)) return undefined;
  }
  return times;
}

/** Each element along the spatial axes so many times: a view, copied. */
function repeated(x: Tensor, times: readonly number[]): Tensor {
  const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
  const apart = reshape(x, [batch, channels, ...spatial.flatMap((s) => [s, 1])]);
  const wide = expand(apart, [batch, channels, ...spatial.flatMap((s, d) => [s, times[d]!])]);
  return reshape(wide, [batch, channels, ...spatial.map((s, d) => s * times[d]!)]);
}

function resampleTable(
  mode: AxisMode,
  input: number,
  output: number,
  factor: number | undefined,
  corners: boolean,
): TapTable {
  const clip = (i: number) => Math.min(Math.max(i, 0), input - 1);
  const scale = corners
    ? (output > 1 ? (input - 1) / (output - 1) : 0)
    : factor === undefined
    ? input / output
    : 1 / factor;
  const row = (o: number): Tap[] => {
    if (mode === "nearest" || mode === "nearest-exact") {
      return [{ at: nearestPlace(mode === "nearest-exact", o, input, output, factor), weight: 1 }];
    }
    const exact = corners ? o * scale : (o + 0.5) * scale - 0.5;
    if (mode === "cubic") {
      const low = Math.floor(exact);
      return cubicWeights(exact - low).map((weight, i) => ({ at: clip(low - 1 + i), weight }));
    }
    const place = Math.max(exact, 0);
    const low = Math.min(Math.floor(place), input - 1), rest = Math.min(place - low, 1);
    return [{ at: low, weight: 1 - rest }, { at: clip(low + 1), weight: rest }];
  };
  return { input, rows: Array.from({ length: output }, (_, o) => row(o)) };
}

/** How the space around an array is filled. */
export type PaddingMode = "constant" | "reflect" | "replicate" | "circular";

/** Options of `pad`. */
export interface PadOptions {
  /** What stands outside. @default "constant" */
  mode?: PaddingMode | undefined;
  /** Fill of the constant mode. @default 0 */
  value?: number | undefined | null;
}

/**
 * Padding, like `torch.nn.functional.pad`: pairs (before, after) for the last axis, then the one
 * before it, and so on.
 *
 * @throws {ShapeError} If the amounts do not fit the dimensions.
 * @throws {RangeError} If a reflection or wrap is longer than the axis.
 */
export function pad(x: Tensor, padding: readonly number[], options: PadOptions = {}): Tensor {
  const { mode = "constant", value } = options;
  checkChoice("pad", "mode", mode, ["constant", "reflect", "replicate", "circular"]);
  if (mode === "constant") return padConstant(x, padding, value ?? 0);
  if (padding.length % 2 || padding.length / 2 > x.ndim) {
    throw new ShapeError("pad", `${padding.length} amounts do not fit ${x.ndim} dimensions`, {
      input: x.shape,
      padding,
    });
  }
  let y = x;
  for (let pair = 0; pair < padding.length / 2; pair++) {
    const d = x.ndim - 1 - pair, size = x.shape[d]!;
    const before = padding[2 * pair]!, after = padding[2 * pair + 1]!;
    if (before === 0 && after === 0) continue;
    const limit = mode === "reflect" ? size - 1 : mode === "circular" ? size : Infinity;
    if (size === 0 || before > limit || after > limit || size + before + after < 0) {
      throw rangeError("pad", `amounts ${before} and ${after} do not fit size ${size}`, {
        input: x.shape,
        padding,
      });
    }
    const key = `${mode}:${size}:${before}:${after}`;
    y = applyTaps(y, d, cachedTable(key, () => paddingTable(mode, size, before, after)));
  }
  return owned(y, x);
}

function paddingTable(
  mode: Exclude<PaddingMode, "constant">,
  size: number,
  before: number,
  after: number,
): TapTable {
  // What wraps is what negative amounts leave.
  const low = Math.max(0, -before), left = size - low - Math.max(0, -after);
  const place = (i: number): number => {
    if (mode === "replicate") return Math.min(Math.max(i, 0), size - 1);
    if (mode === "circular") return low + (((i - low) % left) + left) % left;
    const turned = i < 0 ? -i : i;
    return turned >= size ? 2 * (size - 1) - turned : turned;
  };
  const length = size + before + after;
  const rows = Array.from({ length }, (_, o) => [{ at: place(o - before), weight: 1 }]);
  return { input: size, rows };
}

/** `[…, C·r², H, W]` to `[…, C, H·r, W·r]`, like `torch.nn.functional.pixel_shuffle`. */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  const channels = x.ndim < 3 ? 0 : x.size(-3);
  if (x.ndim < 3 || !Number.isInteger(factor) || factor < 1 || channels % factor ** 2) {
    throw new ShapeError("pixelShuffle", `channels are no multiple of ${factor}²`, {
      input: x.shape,
    });
  }
  const lead = x.shape.slice(0, -3), n = lead.length;
  const [height, width] = [x.size(-2), x.size(-1)];
  const c = channels / factor ** 2;
  const split = reshape(x, [...lead, c, factor, factor, height, width]);
  const order = [...lead.map((_, d) => d), n, n + 3, n + 1, n + 4, n + 2];
  return reshape(permute(split, order), [...lead, c, height * factor, width * factor]);
}

/** `[…, C, H·r, W·r]` to `[…, C·r², H, W]`, like `torch.nn.functional.pixel_unshuffle`. */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  const fits = x.ndim >= 3 && Number.isInteger(factor) && factor > 0 &&
    x.size(-2) % factor === 0 && x.size(-1) % factor === 0;
  if (!fits) {
    throw new ShapeError("pixelUnshuffle", `sizes are no multiples of ${factor}`, {
      input: x.shape,
    });
  }
  const lead = x.shape.slice(0, -3), n = lead.length;
  const [c, height, width] = [x.size(-3), x.size(-2) / factor, x.size(-1) / factor];
  const split = reshape(x, [...lead, c, height, factor, width, factor]);
  const order = [...lead.map((_, d) => d), n, n + 2, n + 4, n + 1, n + 3];
  return reshape(permute(split, order), [...lead, c * factor ** 2, height, width]);
}

/**
 * Channels dealt out over groups, like `torch.nn.functional.channel_shuffle` (Zhang et al. 2018):
 * channel `g · (C / groups) + i` goes to `i · groups + g`.
 *
 * Shapes: `[N, C, …]`.
 *
 * @throws {ShapeError} If there are fewer than 3 dimensions, or C is no multiple of `groups`.
 */
export function channelShuffle(x: Tensor, groups: number): Tensor {
  const [batch, channels, ...rest] = x.shape as [number, number, ...number[]];
  if (x.ndim < 3 || !(groups >= 1) || channels % groups) {
    throw new ShapeError("channelShuffle", `channels are no multiple of groups ${groups}`, {
      input: x.shape,
    });
  }
  const split = reshape(x, [batch, groups, channels / groups, ...rest]);
  return owned(reshape(transpose(split, 1, 2), x.shape), x);
}
