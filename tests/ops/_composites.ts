// Samples of functions composed of others: the same checks as for definitions.

import {
  affineGrid,
  channelShuffle,
  corrcoef,
  cov,
  diff,
  dist,
  embeddingBag,
  histc,
  indexFill,
  kthvalue,
  logcumsumexp,
  logit,
  lpPool2d,
  maskedScatter,
  maxUnpool1d,
  median,
  meshgrid,
  mode,
  nanmean,
  nanmedian,
  quantile,
  renorm,
  scatterReduce,
  type ScatterReduction,
  sigmoid,
  take,
  takeAlongDim,
  tensor,
} from "../../ops/mod.ts";
import type { DeviceName } from "../../ops/mod.ts";
import { type Sample, sample } from "./_samples.ts";

function ints(values: readonly number[], shape: readonly number[], device: DeviceName) {
  return tensor(Int32Array.from(values), { shape, device });
}

function scattered(reduce: ScatterReduction, includeSelf: boolean): Sample {
  return sample(`scatterReduce ${reduce}`, "", [[3, 2], [4, 2]], ([x, source], device) => {
    const index = ints([0, 1, 1, 0, 1, 0, 0, 0], [4, 2], device);
    return scatterReduce(x!, 0, index, source!, reduce, { includeSelf }).square();
  });
}

function bags(mode: "sum" | "mean" | "max"): Sample {
  return sample(`embeddingBag ${mode}`, "", [[4, 3]], ([weight], device) => {
    const [rows, offsets] = [ints([0, 1, 2, 3, 3], [5], device), ints([0, 2, 2], [3], device)];
    return embeddingBag(rows, weight!, { offsets, mode, paddingIdx: 1 }).square();
  });
}

/** Samples of composites. */
export const COMPOSITES: readonly Sample[] = [
  sample("quantile", "", [[3, 5]], ([x]) => quantile(x!, 0.3, { dim: 1 }).square()),
  sample("median of all", "", [[3, 3]], ([x]) => median(x!).square()),
  sample("nanmedian", "", [[3, 4]], ([x]) => nanmedian(x!, 1).values.square()),
  sample("nanmean", "", [[3, 4]], ([x]) => nanmean(x!, 1).square()),
  sample("kthvalue", "", [[3, 4]], ([x]) => kthvalue(x!, 2, 0).values.square()),
  sample("mode", "", [[3, 4]], ([x]) => mode(x!, 1).values.square()),
  sample("histc", "", [[3, 4]], ([x]) => histc(x!, { bins: 3 }), false),
  sample("cov", "", [[3, 4]], ([x]) => cov(x!).square()),
  sample("corrcoef", "", [[3, 5]], ([x]) => corrcoef(x!).tril(-1).square()),
  sample("diff", "", [[3, 5]], ([x]) => diff(x!, { n: 2 }).square()),
  sample("logcumsumexp", "", [[2, 5]], ([x]) => logcumsumexp(x!, 1).square()),
  sample("meshgrid", "", [[3], [2]], ([a, b]) => {
    const [y, x] = meshgrid([a!, b!]);
    return y!.mul(x!);
  }),
  scattered("sum", true),
  scattered("mean", false),
  scattered("prod", true),
  scattered("amax", false),
  scattered("amin", true),
  sample(
    "indexFill",
    "",
    [[3, 4], []],
    ([x, value], device) => indexFill(x!, 1, ints([0, -1], [2], device), value!).square(),
  ),
  sample(
    "maskedScatter",
    "",
    [[3, 4], [12]],
    ([x, source]) => maskedScatter(x!, x!.gt(0), source!).square(),
  ),
  sample(
    "take",
    "",
    [[3, 4]],
    ([x], device) => take(x!, ints([0, -1, 5, 5], [2, 2], device)).square(),
  ),
  sample(
    "takeAlongDim",
    "",
    [[3, 4]],
    ([x], device) => takeAlongDim(x!, ints([0, 2], [2, 1], device), 0).square(),
  ),
  bags("sum"),
  bags("mean"),
  bags("max"),
  sample(
    "maxUnpool1d",
    "",
    [[2, 3]],
    ([x], device) => maxUnpool1d(x!, ints([1, 2, 4, 0, 3, 5], [2, 3], device), 2).square(),
  ),
  sample("lpPool2d", "", [[1, 4, 4]], ([x]) => lpPool2d(x!.square().add(0.5), 3, 2)),
  sample("affineGrid", "", [[1, 2, 3]], ([x]) => affineGrid(x!, [1, 1, 2, 3]).square()),
  sample("channelShuffle", "", [[1, 4, 2]], ([x]) => channelShuffle(x!, 2).square()),
  sample("renorm", "", [[3, 4]], ([x]) => renorm(x!, 2, 0, 0.5).square()),
  sample("dist", "", [[3, 4], [4]], ([a, b]) => dist(a!, b!).square()),
  sample("logit", "", [[3, 4]], ([x]) => logit(sigmoid(x!)).square()),
];
