// Samples of functions composed of others: the same checks as for definitions.

import {
  corrcoef,
  cov,
  diff,
  histc,
  indexFill,
  kthvalue,
  logcumsumexp,
  maskedScatter,
  median,
  meshgrid,
  mode,
  nanmean,
  nanmedian,
  quantile,
  scatterReduce,
  type ScatterReduction,
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
];
