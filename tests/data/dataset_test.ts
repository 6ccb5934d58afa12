import {
  BucketBatchSampler,
  ConcatDataset,
  type Dataset,
  FixedBatchSampler,
  type HostArray,
  MapDataset,
  RandomSampler,
  randomSplit,
  SequentialSampler,
  Subset,
  TensorDataset,
  toHost,
  toTensor,
  TrackBatchSampler,
  WeightedRandomSampler,
} from "../../data/mod.ts";
import { assert, assertEquals } from "@std/assert";
import { assertMessage } from "./_errors.ts";

function counting(length: number): Dataset<number> {
  return { length, get: (i) => i };
}

function floats(...shape: number[]): HostArray {
  const count = shape.reduce((a, b) => a * b, 1);
  return { dtype: "float32", shape, data: new Float32Array(count) };
}

Deno.test("toTensor() says how a tensor gives its values", () => {
  assertMessage(
    () => toTensor(toTensor(floats(2)) as unknown as HostArray),
    "toTensor: array holds no array (for a tensor's values await toHost(x))",
  );
});

Deno.test("randomSplit() covers every sample once, by sizes or fractions", () => {
  for (const sizes of [[7, 3], [0.7, 0.3], [0.65, 0.35]]) {
    const parts = randomSplit(counting(10), sizes, { seed: 5 });
    assertEquals(parts.map((part) => part.length), [7, 3]);
    const all = parts.flatMap((part) => Array.from({ length: part.length }, (_, i) => part.get(i)));
    assertEquals(all.map(Number).sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});

Deno.test("data sets throw for sizes and indices that do not fit", () => {
  assertMessage(
    () => randomSplit(counting(10), [5, 4]),
    "randomSplit: sizes sum to 9, the data set has 10 samples",
  );
  assertMessage(() => new Subset(counting(3), [3]), "Subset: index 3 is out of range for length 3");
  assertMessage(
    () => new Subset(counting(3), [1]).get(1),
    "get: index 1 is out of range for length 1",
  );
  assertMessage(() => new ConcatDataset([]), "ConcatDataset: there are no data sets");
  assertMessage(
    () => new TensorDataset(floats(2, 3), floats(3)),
    "TensorDataset: arrays must share their first extent: [2, 3], [3]",
  );
  assertMessage(
    () => new TensorDataset({ ...floats(2), shape: [3] }),
    "TensorDataset: array 0 has 2 elements, shape [3] needs 3",
  );
});

Deno.test("ConcatDataset and MapDataset reach every sample", async () => {
  const both = new ConcatDataset([counting(2), counting(3)]);
  assertEquals([0, 1, 2, 3, 4].map((i) => both.get(i)), [0, 1, 0, 1, 2]);
  assertMessage(() => both.get(5), "get: index 5 is out of range for length 5");
  const later: Dataset<number> = { length: 2, get: (i) => Promise.resolve(i) };
  assertEquals(await new MapDataset(later, (n) => n + 10).get(1), 11);
});

Deno.test("RandomSampler draws with replacement from all samples", () => {
  const sampler = new RandomSampler(3, { replacement: true, numSamples: 200 });
  const order = sampler.order(0);
  assertEquals(order.length, 200);
  assertEquals(new Set(order), new Set([0, 1, 2]));
  assertMessage(
    () => new RandomSampler(3, { numSamples: 4 }),
    "RandomSampler: numSamples is 4, the data set has 3 samples (use { replacement: true })",
  );
});

Deno.test("WeightedRandomSampler draws by weight, with and without replacement", () => {
  const order = new WeightedRandomSampler([1, 0, 3], 4000).order(0);
  const share = order.filter((i) => i === 2).length / 4000;
  assert(Math.abs(share - 0.75) < 0.03, `${share}`);
  const once = new WeightedRandomSampler([1, 0, 3], 2, { replacement: false });
  assertEquals([...once.order(1)].sort(), [0, 2]);
  assertMessage(
    () => new WeightedRandomSampler([1, -1], 1),
    "WeightedRandomSampler: weight 1 is -1, expected at least 0",
  );
  assertMessage(
    () => new WeightedRandomSampler([1, 0], 2, { replacement: false }),
    "WeightedRandomSampler: 1 weights are positive, 2 are needed",
  );
});

Deno.test("BucketBatchSampler keeps similar lengths together and every sample once", () => {
  const lengths = Array.from({ length: 103 }, (_, i) => i * 37 % 101);
  const sampler = new BucketBatchSampler(lengths, 8, { seed: 2 });
  const batches = sampler.batches(4);
  assertEquals(batches.length, 13);
  assertEquals(batches.flatMap((b) => [...b]).sort((a, b) => a - b), [...lengths.keys()]);
  for (const batch of batches) {
    const own = Array.from(batch, (i) => lengths[i]!);
    assert(Math.max(...own) - Math.min(...own) <= 8);
  }
  assertEquals(sampler.batches(4), batches);
});

Deno.test("TrackBatchSampler continues every row from batch to batch", () => {
  const batches = new TrackBatchSampler(7, 3).batches();
  assertEquals(batches.map((b) => [...b]), [[0, 2, 4], [1, 3, 5]]);
  assertMessage(
    () => new TrackBatchSampler(2, 3),
    "TrackBatchSampler: 2 blocks do not fill 3 tracks (use a smaller batch or shorter blocks)",
  );
});

Deno.test("FixedBatchSampler throws for a size below 1", () => {
  assertMessage(
    () => new FixedBatchSampler(new SequentialSampler(3), 0),
    "FixedBatchSampler: batchSize is 0, expected an integer of at least 1",
  );
});

Deno.test("toTensor() and toHost() keep values, and narrow wide integers", async () => {
  const big = toTensor({ dtype: "int64", shape: [2], data: new BigInt64Array([-5n, 7n]) });
  assertEquals(await toHost(big), { dtype: "int32", shape: [2], data: new Int32Array([-5, 7]) });
  const bool = toTensor({ dtype: "bool", shape: [2], data: new Uint8Array([1, 0]) });
  assertEquals((await toHost(bool)).dtype, "bool");
  assertMessage(
    () => toTensor({ dtype: "int64", shape: [1], data: new BigInt64Array([2n ** 40n]) }),
    "toTensor: element 0 is 1099511627776, which does not fit int32",
  );
});
