/** Images sampled at positions of a grid. */
import { hardtanh } from "./activation.ts";
import { checkChoice, rangeError, ShapeError } from "./check.ts";
import { abs, add, floorDivide, fmod, mul, neg, remainder, sub } from "./arithmetic.ts";
import { eq, ge, le, logicalAnd } from "./comparison.ts";
import { where } from "./choice.ts";
import { gather } from "./index.ts";
import { sizeOf } from "./ir/kernel.ts";
import { floor, round } from "./rounding.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, transpose, unsqueeze } from "./view.ts";
import { linspace, ones } from "./create.ts";
import { stack } from "./join.ts";
import { meshgrid } from "./grids.ts";
import { matmul } from "./contract.ts";
import { select } from "./slice.ts";

/** Options of `gridSample`. */
export interface GridSampleOptions {
  /** `"bicubic"` in two dimensions only. @default "bilinear" */
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
  return add(where(even, extra, add(neg(extra), span)), low);
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

/** Elements of `input` at whole positions `[N, …]`, one tensor per spatial axis; 0 outside. */
function pixelsAt(input: Tensor, places: readonly Tensor[]): Tensor {
  const [batch, channels, ...sizes] = input.shape as [number, number, ...number[]];
  let inside: Tensor | undefined, flat: Tensor | undefined;
  for (const [d, place] of places.entries()) {
    const fits = logicalAnd(ge(place, 0), le(place, sizes[d]! - 1));
    inside = inside ? logicalAnd(inside, fits) : fits;
    flat = flat ? add(mul(flat, sizes[d]!), place) : place;
  }
  const shape = flat!.shape.slice(1);
  const index = reshape(where(inside!, flat!, 0).to("int32"), [batch, 1, sizeOf(shape)]);
  const pixels = reshape(input, [batch, channels, sizeOf(sizes)]);
  const picked = gather(pixels, 2, expand(index, [batch, channels, sizeOf(shape)]));
  return where(unsqueeze(inside!, 1), reshape(picked, [batch, channels, ...shape]), 0);
}

/** The two neighbours of a position with their weights. */
function linearNeighbours(x: Tensor): { place: Tensor; weight: Tensor }[] {
  const low = floor(x).detach();
  const rest = sub(x, low);
  return [{ place: low, weight: add(neg(rest), 1) }, { place: add(low, 1), weight: rest }];
}

/** The four neighbours of a position with the weights of the cubic kernel with coefficient −0.75. */
function cubicNeighbours(
  x: Tensor,
  confine: (t: Tensor) => Tensor,
): { place: Tensor; weight: Tensor }[] {
  const a = -0.75;
  const near = (d: Tensor) => add(mul(mul(d, d), sub(mul(d, a + 2), a + 3)), 1);
  const far = (d: Tensor) => sub(mul(add(mul(sub(mul(d, a), 5 * a), d), 8 * a), d), 4 * a);
  const low = floor(x).detach(), t = sub(x, low), rest = add(neg(t), 1);
  const weights = [far(add(t, 1)), near(t), near(rest), far(add(rest, 1))];
  return weights.map((weight, i) => ({ place: round(confine(add(low, i - 1))), weight }));
}

/** Sum over all combinations of neighbours, one per axis, of weight times element. */
function weightedSum(
  input: Tensor,
  neighbours: readonly (readonly { place: Tensor; weight: Tensor }[])[],
): Tensor {
  let total: Tensor | undefined;
  function visit(d: number, places: readonly Tensor[], weight: Tensor | undefined): void {
    if (d === neighbours.length) {
      const term = mul(pixelsAt(input, places), unsqueeze(weight!, 1));
      total = total ? add(total, term) : term;
      return;
    }
    for (const next of neighbours[d]!) {
      visit(d + 1, [...places, next.place], weight ? mul(weight, next.weight) : next.weight);
    }
  }
  visit(0, [], undefined);
  return total!;
}

/**
 * Samples images (or volumes) at positions of a grid, like `torch.nn.functional.grid_sample`.
 *
 * Shapes: input `[N, C, H, W]` with grid `[N, H', W', 2]` of (x, y) from −1 to 1 gives
 * `[N, C, H', W']`; `[N, C, D, H, W]` with `[N, D', H', W', 3]` of (x, y, z) gives
 * `[N, C, D', H', W']`.
 *
 * @throws {ShapeError} If the shapes do not agree.
 * @throws {RangeError} If the mode is cubic in three dimensions.
 */
export function gridSample(input: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const { mode = "bilinear", paddingMode = "zeros", alignCorners } = options;
  checkChoice("gridSample", "mode", mode, ["bilinear", "nearest", "bicubic"]);
  checkChoice("gridSample", "paddingMode", paddingMode, ["zeros", "border", "reflection"]);
  const rank = input.ndim - 2;
  const fits = (rank === 2 || rank === 3) && grid.ndim === rank + 2 &&
    grid.shape.at(-1) === rank && grid.shape[0] === input.shape[0];
  if (!fits) {
    throw new ShapeError("gridSample", "the grid needs one position per sample and spatial axis", {
      input: input.shape,
      grid: grid.shape,
    });
  }
  if (mode === "bicubic" && rank !== 2) {
    throw rangeError("gridSample", `mode "bicubic" needs 2 spatial dimensions, not ${rank}`);
  }
  const corners = alignCorners === true;
  const sizes = input.shape.slice(2);
  const confine = (t: Tensor, d: number) => confined(t, sizes[d]!, paddingMode, corners);
  // The grid names the last axis first.
  const raw = sizes.map((s, d) => unnormalized(select(grid, -1, rank - 1 - d), s, corners));
  if (mode === "bicubic") {
    return weightedSum(input, raw.map((x, d) => cubicNeighbours(x, (t) => confine(t, d))));
  }
  const places = raw.map(confine);
  if (mode === "nearest") return pixelsAt(input, places.map((x) => round(x).detach()));
  return weightedSum(input, places.map(linearNeighbours));
}

/** Options of `affineGrid`. */
export interface AffineGridOptions {
  /** Whether −1 and 1 are the centres of the outer pixels instead of their outer edges. @default false */
  alignCorners?: boolean | undefined;
}

/**
 * Positions for `gridSample` from affine maps, like `torch.nn.functional.affine_grid`.
 *
 * Shapes: theta `[N, 2, 3]` with size `[N, C, H, W]` gives `[N, H, W, 2]`; theta `[N, 3, 4]` with size
 * `[N, C, D, H, W]` gives `[N, D, H, W, 3]`.
 *
 * @param theta Maps from positions in the result to positions in the input.
 * @param size Sizes of the result.
 * @param options What −1 and 1 mean.
 * @throws {ShapeError} If `theta` and `size` do not fit.
 */
export function affineGrid(
  theta: Tensor,
  size: readonly number[],
  options: AffineGridOptions = {},
): Tensor {
  const rank = size.length - 2;
  const fits = (rank === 2 || rank === 3) && theta.ndim === 3 && theta.shape[0] === size[0] &&
    theta.shape[1] === rank && theta.shape[2] === rank + 1;
  if (!fits) {
    throw new ShapeError("affineGrid", "theta and size do not fit", { theta: theta.shape, size });
  }
  const { dtype, device } = theta;
  const sizes = size.slice(2);
  const axes = sizes.map((s) => {
    const end = s <= 1 ? 0 : options.alignCorners ? 1 : (s - 1) / s;
    return linspace(-end, end, s, { dtype, device });
  });
  // The grid names the last axis first.
  const points = stack([...meshgrid(axes).reverse(), ones(sizes, { dtype, device })], -1);
  const flat = reshape(points, [1, sizeOf(sizes), rank + 1]);
  const moved = matmul(expand(flat, [size[0]!, ...flat.shape.slice(1)]), transpose(theta, 1, 2));
  return reshape(moved, [size[0]!, ...sizes, rank]);
}
