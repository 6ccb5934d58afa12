// One sample or more for every operation that is not elementwise: what to call, on which shapes.

import {
  adaptiveAvgPool1d,
  adaptiveMaxPool1d,
  amax,
  argmin,
  avgPool2d,
  batchNorm,
  cat,
  clone,
  conv1d,
  conv2d,
  convTranspose2d,
  convTranspose3d,
  crossEntropy,
  cummax,
  cumprod,
  cumsum,
  diag,
  diagonal,
  embedding,
  flip,
  foldImages,
  gather,
  groupNorm,
  indexAdd,
  indexBy,
  indexCopy,
  indexPut,
  indexSelect,
  interpolate,
  layerNorm,
  logSoftmax,
  matmul,
  maxAlong,
  maxPool2d,
  nllLoss,
  oneHot,
  pad,
  prod,
  rmsNorm,
  roll,
  scatter,
  scatterAdd,
  softmax,
  sort,
  sum,
  type Tensor,
  tensor,
  tril,
  unfoldImages,
  where,
} from "../../ops/mod.ts";
import { convert } from "../../ops/convert.ts";
import { contract } from "../../ops/contract_kernel.ts";
import { embed } from "../../ops/embed.ts";
import type { DeviceName } from "../../ops/mod.ts";

/** A call on tensors of given shapes. */
export interface Sample {
  readonly name: string;
  /** Definitions that it runs, forward or backward. */
  readonly covers: readonly string[];
  readonly shapes: readonly (readonly number[])[];
  /** The call; positions and labels are made on the device of the inputs. */
  readonly run: (x: readonly Tensor[], device: DeviceName) => Tensor;
  /** Whether it has a gradient. @default true */
  readonly differentiable?: boolean;
}

function ints(values: readonly number[], shape: readonly number[], device: DeviceName): Tensor {
  return tensor(Int32Array.from(values), { shape, device });
}

/** A sample; `covers` names definitions, separated by spaces. */
export function sample(
  name: string,
  covers: string,
  shapes: Sample["shapes"],
  run: Sample["run"],
  differentiable = true,
): Sample {
  return { name, covers: covers.split(" "), shapes, run, differentiable };
}

const VIEWS: readonly Sample[] = [
  sample("convert", "convert", [[3, 2]], ([x]) => convert(x!, x!.dtype).mul(x!)),
  sample("contiguous", "contiguous", [[3, 4]], ([x]) => clone(x!.transpose(0, 1)).mul(2)),
  sample("slice", "embed", [[7, 2]], ([x]) => x!.slice(0, 5, 0, -2).mul(x!.slice(0, 0, 3))),
  sample("embed", "embed", [[2, 3]], ([x]) => embed(x!, [5, 4], [1, 0], [2, 1], 7)),
  sample("diagonal", "diagonalEmbed", [[3, 4]], ([x]) => diagonal(x!, 1)),
  sample("diag", "diagonalEmbed", [[3]], ([x]) => diag(x!, -1)),
  sample("tril", "triangle", [[4, 3]], ([x]) => tril(x!, -1)),
  sample("roll", "roll", [[4, 3]], ([x]) => roll(x!, [1, -2], [0, 1])),
  sample("flip", "embed", [[3, 2]], ([x]) => flip(x!, [0, 1]).mul(x!)),
  sample("cat", "cat", [[2, 3], [1, 3], [4, 3]], (xs) => cat(xs, 0).square()),
  sample("cat many", "cat", new Array(9).fill([2, 1]), (xs) => cat(xs, 1).square()),
  sample("where", "where", [[2, 3], [3]], ([a, b]) => where(a!.gt(0), a!, b!)),
];

const REDUCTIONS: readonly Sample[] = [
  sample("sum", "sum", [[2, 3, 4]], ([x]) => sum(x!, [0, 2]).square()),
  sample("prod", "prod", [[3, 4]], ([x]) => prod(x!, 1)),
  sample("amax", "extremum", [[3, 4]], ([x]) => amax(x!, 0).square()),
  sample("max", "extremumAt positions", [[3, 4]], ([x]) => maxAlong(x!, 1).values.square()),
  sample("argmin", "argExtremum", [[3, 4]], ([x]) => argmin(x!, 1), false),
  sample(
    "softmax",
    "softmax softmaxGradient",
    [[3, 4]],
    ([x]) => softmax(x!, 0).mul(softmax(x!, 1)),
  ),
  sample("logSoftmax", "softmax softmaxGradient", [[3, 4]], ([x]) => logSoftmax(x!, 1)),
  sample("cumsum", "scan", [[3, 4]], ([x]) => cumsum(x!, 1).square()),
  sample("cumprod", "scan", [[3, 4]], ([x]) => cumprod(x!, 0)),
  sample("cummax", "scan gather scatter", [[3, 4]], ([x]) => cummax(x!, 1).values.square()),
  sample("sort", "sort gather scatter", [[3, 4]], ([x]) => sort(x!, 0).values.square()),
];

const PRODUCTS: readonly Sample[] = [
  sample("matmul", "matmul", [[2, 3, 4], [2, 4, 2]], ([a, b]) => matmul(a!, b!)),
  sample("contract", "matmul", [[2, 3], [3, 4]], ([a, b]) => contract(a!, b!, "ab", "bc", "ca")),
  sample(
    "conv1d",
    "convolution",
    [[2, 4, 6], [2, 2, 3]],
    ([x, w]) => conv1d(x!, w!, { stride: 2, padding: 1, groups: 2 }),
  ),
  sample(
    "conv2d",
    "convolution",
    [[1, 2, 5, 4], [3, 2, 3, 2]],
    ([x, w]) => conv2d(x!, w!, { padding: [1, 0], dilation: [1, 2] }),
  ),
  sample(
    "convTranspose2d",
    "convolution",
    [[1, 2, 3, 3], [2, 3, 2, 2]],
    ([x, w]) => convTranspose2d(x!, w!, { stride: 2, padding: 1 }),
  ),
  sample(
    "convTranspose3d",
    "convolution",
    [[1, 2, 2, 2, 3], [2, 1, 2, 1, 2]],
    ([x, w]) => convTranspose3d(x!, w!, { stride: [2, 1, 2], padding: [0, 0, 1] }),
  ),
];

const INDICES: readonly Sample[] = [
  sample(
    "gather",
    "gather scatter",
    [[3, 4]],
    ([x], device) => gather(x!, 1, ints([0, 2, 2, 1, 3, 3], [3, 2], device)).square(),
  ),
  sample(
    "scatter",
    "scatter gather",
    [[3, 4], [3, 2]],
    ([x, y], device) => scatter(x!, 1, ints([0, 2, 3, 1, 0, 3], [3, 2], device), y!).square(),
  ),
  sample(
    "scatterAdd",
    "scatter gather",
    [[2, 4], [2, 3]],
    ([x, y], device) => scatterAdd(x!, 1, ints([0, 2, 2, 1, 1, 1], [2, 3], device), y!).square(),
  ),
  sample(
    "indexSelect",
    "indexSelect indexAdd",
    [[4, 3]],
    ([x], device) => indexSelect(x!, 0, ints([3, 0, 3], [3], device)).square(),
  ),
  sample(
    "indexAdd",
    "indexAdd indexSelect",
    [[4, 2], [3, 2]],
    ([x, y], device) => indexAdd(x!, 0, ints([3, 0, 3], [3], device), y!).square(),
  ),
  sample(
    "indexCopy",
    "scatter gather",
    [[2, 4, 2], [2, 3, 2]],
    ([x, y], device) => indexCopy(x!, 1, ints([3, 0, -2], [3], device), y!).square(),
  ),
  sample(
    "embedding",
    "indexSelect indexAdd",
    [[5, 3]],
    ([w], device) => embedding(ints([4, 1, 1, 0], [2, 2], device), w!).square(),
  ),
  sample(
    "indexBy",
    "indexBy indexPut",
    [[4, 3, 2]],
    ([x], device) =>
      indexBy(x!, [ints([3, 0, 3], [3], device), ints([2, 1, 2], [3], device)]).square(),
  ),
  sample(
    "indexPut",
    "indexPut indexBy",
    [[4, 3], [2]],
    ([x, y], device) =>
      indexPut(x!, [ints([3, 0], [2], device), ints([2, 1], [2], device)], y!).square(),
  ),
  sample(
    "indexPut adding",
    "indexPut indexBy",
    [[4], [3]],
    ([x, y], device) =>
      indexPut(x!, [ints([3, 0, 3], [3], device)], y!, { accumulate: true }).square(),
  ),
  sample("oneHot", "oneHot", [], (_, device) => oneHot(ints([2, 0], [2], device), 3), false),
];

const NETWORK: readonly Sample[] = [
  sample("layerNorm", "normalize normalizeGradient", [[3, 4]], ([x]) => layerNorm(x!, [4])),
  sample("rmsNorm", "normalize normalizeGradient", [[3, 4]], ([x]) => rmsNorm(x!, [4])),
  sample(
    "groupNorm",
    "normalize normalizeGradient",
    [[2, 4, 3], [4], [4]],
    ([x, weight, bias]) => groupNorm(x!, 2, { weight, bias }),
  ),
  sample(
    "batchNorm",
    "normalize normalizeGradient",
    [[3, 2, 2], [2], [2]],
    ([x, weight, bias]) => batchNorm(x!, null, null, { training: true, weight, bias }),
  ),
  sample(
    "crossEntropy",
    "crossEntropy crossEntropyGradient",
    [[3, 4, 2]],
    ([x], device) => crossEntropy(x!, ints([0, 3, -100, 1, 2, 2], [3, 2], device)),
  ),
  sample(
    "crossEntropy smoothed and weighted",
    "crossEntropy crossEntropyGradient nll nllGradient",
    [[3, 4]],
    ([x], device) =>
      crossEntropy(x!, ints([0, 3, 1], [3], device), {
        labelSmoothing: 0.2,
        weight: tensor([1, 0.5, 2, 0.25], { dtype: x!.dtype, device }),
      }),
  ),
  sample(
    "nllLoss",
    "nll nllGradient",
    [[3, 4]],
    ([x], device) =>
      nllLoss(x!.square(), ints([0, 3, 1], [3], device), { reduction: "none" }).square(),
  ),
  sample("maxPool2d", "maxPool unpool pick", [[1, 2, 4, 4]], ([x]) => maxPool2d(x!, 2).square()),
  sample(
    "maxPool2d overlapping",
    "maxPool unpool pick",
    [[1, 1, 5, 5]],
    ([x]) => maxPool2d(x!, 3, { stride: 2, padding: 1, dilation: 1 }).square(),
  ),
  sample(
    "maxPool2d dilated",
    "maxPool unpool pick",
    [[1, 1, 6, 5]],
    ([x]) => maxPool2d(x!, 2, { stride: 1, padding: 1, dilation: 2 }).square(),
  ),
  sample(
    "adaptiveMaxPool1d",
    "maxPool unpool pick",
    [[1, 2, 7]],
    ([x]) => adaptiveMaxPool1d(x!, 3).square(),
  ),
  sample(
    "avgPool2d",
    "avgPool avgUnpool",
    [[1, 2, 5, 4]],
    ([x]) =>
      avgPool2d(x!, 3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }).square(),
  ),
  sample(
    "adaptiveAvgPool1d",
    "avgPool avgUnpool",
    [[1, 2, 7]],
    ([x]) => adaptiveAvgPool1d(x!, 3).square(),
  ),
  sample(
    "interpolate",
    "taps",
    [[1, 2, 3, 4]],
    ([x]) => interpolate(x!, { size: [5, 3], mode: "bilinear" }).square(),
  ),
  sample("pad", "taps", [[1, 2, 5]], ([x]) => pad(x!, [3, 2], { mode: "reflect" }).square()),
  sample(
    "unfoldImages",
    "unfoldImages foldImages",
    [[1, 2, 4, 5]],
    ([x]) => unfoldImages(x!, [2, 3], { stride: [2, 1], padding: 1 }).square(),
  ),
  sample(
    "foldImages",
    "foldImages unfoldImages",
    [[1, 8, 6]],
    ([x]) => foldImages(x!, [3, 4], 2, { stride: 1 }).square(),
  ),
];

/** All samples. */
export const SAMPLES: readonly Sample[] = [
  ...VIEWS,
  ...REDUCTIONS,
  ...PRODUCTS,
  ...INDICES,
  ...NETWORK,
];

/** Definitions without inputs to differentiate: constants, ranges, random numbers, masks. */
export const SOURCES: readonly string[] = ["full", "arange", "eye", "random", "dropout"];
