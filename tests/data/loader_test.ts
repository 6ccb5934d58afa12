import {
  BucketBatchSampler,
  collate,
  DataLoader,
  type DataLoaderOptions,
  type Dataset,
  type HostArray,
  type LoaderState,
  MapDataset,
  RandomStream,
  serveDataset,
  Subset,
  TensorDataset,
} from "../../data/mod.ts";
import { assert, assertEquals, assertInstanceOf, assertNotEquals } from "@std/assert";
import { arange, Tensor, tensor, zeros } from "../../ops/mod.ts";
import { assertMessage, assertRejection } from "./_errors.ts";

type Sample = [number, Float32Array<ArrayBuffer>];

/** The numbers below `length`, each with a random one. */
class Numbers implements Dataset<Sample> {
  readonly length: number;

  constructor(length: number) {
    this.length = length;
  }

  get(index: number, random: RandomStream = new RandomStream(0)): Sample {
    return [index, new Float32Array([random.uniform()])];
  }
}

/** Numbers and random values of up to `limit` batches, as plain lists. */
async function read(
  loader: DataLoader<Sample>,
  limit = Infinity,
): Promise<[number[], number[]][]> {
  const result: [number[], number[]][] = [];
  for await (const [numbers, noise] of loader.hostBatches()) {
    result.push([Array.from(numbers.data, Number), Array.from(noise.data, Number)]);
    if (result.length === limit) break;
  }
  return result;
}

const MODULE = new URL("./fixtures/numbers_worker.ts", import.meta.url);

Deno.test("DataLoader yields tensors in order and keeps the last batch", async () => {
  const loader = new DataLoader(new Numbers(5), { batchSize: 2 });
  const seen: number[][] = [];
  for await (const [numbers, noise] of loader) {
    assertInstanceOf(numbers, Tensor);
    assertEquals(noise.shape, [numbers.shape[0]!, 1]);
    assertEquals(numbers.dtype, "int32");
    seen.push([...await numbers.data()]);
  }
  assertEquals(seen, [[0, 1], [2, 3], [4]]);
  assertEquals(loader.length, 3);
});

Deno.test("DataLoader leaves out the last batch with dropLast", async () => {
  const loader = new DataLoader(new Numbers(5), { batchSize: 2, dropLast: true });
  assertEquals((await read(loader)).length, 2);
  assertEquals(loader.length, 2);
});

Deno.test("DataLoader shuffles anew each epoch, and the same for the same seed", async () => {
  const options: DataLoaderOptions<Sample, never> = { batchSize: 4, shuffle: true, seed: 3 };
  const loader = new DataLoader<Sample>(new Numbers(20), options as never);
  const first = await read(loader);
  const second = await read(loader);
  assertNotEquals(first, second);
  const again = new DataLoader<Sample>(new Numbers(20), options as never);
  assertEquals([await read(again), await read(again)], [first, second]);
  const numbers = first.flatMap(([batch]) => batch).sort((a, b) => a - b);
  assertEquals(numbers, Array.from({ length: 20 }, (_, i) => i));
});

Deno.test("DataLoader resumes in the middle of an epoch bit for bit", async () => {
  const make = () => new DataLoader(new Numbers(20), { batchSize: 3, shuffle: true, seed: 9 });
  const whole = make();
  const [first, second] = [await read(whole), await read(whole)];
  const stopped = make();
  await read(stopped);
  assertEquals(await read(stopped, 2), second.slice(0, 2));
  const state = JSON.parse(JSON.stringify(stopped.state())) as LoaderState;
  assertEquals(state, { seed: 9, epoch: 1, batch: 2, samples: 20 });
  const resumed = make();
  resumed.loadState(state);
  assertEquals(await read(resumed), second.slice(2));
  assertEquals(resumed.epoch, 2);
  resumed.loadState({ ...state, epoch: 0, batch: 0 });
  assertEquals(await read(resumed), first);
});

Deno.test("DataLoader begins a new epoch after a loop that was left early", async () => {
  const loader = new DataLoader(new Numbers(8), { batchSize: 2, shuffle: true });
  const [peek] = await read(loader, 1);
  assertEquals(loader.state().batch, 1);
  const next = await read(loader);
  assertEquals(next.length, 4);
  assertNotEquals(next[0], peek);
  assertEquals(loader.epoch, 2);
});

Deno.test("DataLoader gives the same batches with workers and prefetch", async () => {
  const options = { batchSize: 10, shuffle: true, seed: 4 };
  const data = new Subset(new Numbers(77), Array.from({ length: 77 }, (_, i) => i));
  const plain = await read(new DataLoader(data, options));
  assertEquals(await read(new DataLoader(data, { ...options, prefetch: 3 })), plain);
  for (const count of [1, 2]) {
    const loader = new DataLoader(data, { ...options, workers: { module: MODULE, count } });
    assertEquals(await read(loader), plain);
    loader.close();
  }
});

Deno.test("DataLoader reports what failed in a worker", async () => {
  const loader = new DataLoader(new Numbers(100), { batchSize: 50, workers: { module: MODULE } });
  await assertRejection(
    () => read(loader),
    "DataLoader: a worker could not prepare a batch: sample 77 is unreadable",
  );
  loader.close();
});

Deno.test("DataLoader reports a worker module that does not load", async () => {
  const module = new URL("data:text/javascript,throw new Error('broken module')");
  const loader = new DataLoader(new Numbers(4), { workers: { module } });
  const error = await read(loader).catch((error: Error) => error) as Error;
  assert(error.message.startsWith("DataLoader: the worker failed: "), error.message);
  loader.close();
});

Deno.test("DataLoader gives the event loop a turn while it runs", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const slow = new MapDataset(new Numbers(40), ([number]) => {
    const end = performance.now() + 1;
    while (performance.now() < end);
    return number;
  });
  for await (const batch of new DataLoader(slow, { batchSize: 2 }).hostBatches()) void batch;
  clearInterval(timer);
  assert(turns >= 4, `${turns} turns`);
});

Deno.test("DataLoader waits for samples that are promises", async () => {
  const slow: Dataset<number> = { length: 4, get: (i) => Promise.resolve(i * i) };
  const batches: number[][] = [];
  for await (const batch of new DataLoader(slow, { batchSize: 4 }).hostBatches()) {
    batches.push(Array.from(batch.data, Number));
  }
  assertEquals(batches, [[0, 1, 4, 9]]);
});

Deno.test("DataLoader takes whole batches from a batch sampler", async () => {
  const lengths = [5, 1, 5, 1];
  const batchSampler = new BucketBatchSampler(lengths, 2);
  const batches = await read(new DataLoader(new Numbers(4), { batchSampler }));
  assertEquals(
    batches.map(([numbers]) => numbers.map((i) => lengths[i])).sort(),
    [[1, 1], [5, 5]],
  );
});

Deno.test("DataLoader uses its own collate function", async () => {
  const loader = new DataLoader(new Numbers(4), {
    batchSize: 2,
    collate: (samples) => samples.map(([n]) => n).join("+"),
  });
  const seen: string[] = [];
  for await (const batch of loader) seen.push(batch);
  assertEquals(seen, ["0+1", "2+3"]);
});

Deno.test("DataLoader throws for options that are wrong or exclude each other", () => {
  const data = new Numbers(4);
  assertMessage(
    () => new DataLoader(data, { batchSize: 0 }),
    "DataLoader: batchSize is 0, expected an integer of at least 1",
  );
  const sampler = { length: 1, order: () => [0] };
  assertMessage(
    () => new DataLoader(data, { sampler, shuffle: true }),
    "DataLoader: sampler and shuffle exclude each other (give one of them)",
  );
  assertMessage(
    () => new DataLoader([1, 2] as unknown as Dataset<number>),
    "DataLoader: dataset has no method get (for a list use { length, get: (i) => list[i] })",
  );
  assertMessage(
    () => new DataLoader(data, { batchSampler: { length: 1, batches: () => [[0]] }, batchSize: 2 }),
    "DataLoader: batchSampler and batchSize exclude each other (give one of them)",
  );
  assertMessage(
    () => new DataLoader(data, { workers: { module: MODULE }, collate: (s) => s }),
    "DataLoader: workers and collate exclude each other (give collate to serveDataset)",
  );
});

Deno.test("loadState() throws for a state of another run", () => {
  const loader = new DataLoader(new Numbers(4), { seed: 1 });
  const state = loader.state();
  assertMessage(
    () => loader.loadState({ ...state, seed: 2 }),
    "loadState: the state has seed 2, the loader 1",
  );
  assertMessage(
    () => loader.loadState({ ...state, samples: 9 }),
    "loadState: the state has 9 samples, the data set 4",
  );
  assertMessage(
    () => loader.loadState({ ...state, batch: -1 }),
    "loadState: batch is -1, expected an integer of at least 0",
  );
});

Deno.test("collate() joins tuples, objects, strings and booleans", () => {
  const batch = collate([
    { text: "a", flag: true, pair: [1, 2.5] as [number, number], big: 1n },
    { text: "b", flag: false, pair: [3, 4] as [number, number], big: 2n },
  ]);
  assertEquals(batch.text, ["a", "b"]);
  assertEquals(batch.flag, { dtype: "bool", shape: [2], data: new Uint8Array([1, 0]) });
  assertEquals(batch.pair[0], { dtype: "int32", shape: [2], data: new Int32Array([1, 3]) });
  assertEquals(batch.pair[1], { dtype: "float32", shape: [2], data: new Float32Array([2.5, 4]) });
  assertEquals(batch.big.dtype, "int64");
});

Deno.test("collate() throws where samples differ and says where", () => {
  const array = (...shape: number[]): HostArray => ({
    dtype: "float32",
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  assertMessage(
    () => collate([[0, array(2)], [1, array(3)]]),
    "collate: sample[1] of sample 1 is float32 [3], sample 0 is float32 [2] " +
      "(pad to equal shapes, or pass collate)",
  );
  assertMessage(
    () => collate<number[]>([[1], [1, 2]]),
    "collate: sample 1 has 2 parts, sample 0 has 1 parts",
  );
  assertMessage(
    () => collate<unknown>([1, "a"]),
    "collate: sample of sample 1 is a string, sample 0 has a number",
  );
  assertMessage(() => collate([]), "collate: there are no samples");
  assertMessage(
    () => collate<unknown>([1n, 1]),
    "collate: sample of sample 1 is a number, sample 0 has a bigint",
  );
  assertMessage(
    () => collate<unknown>([true, null]),
    "collate: sample of sample 1 is null, sample 0 has a boolean",
  );
  assertMessage(
    () => collate<unknown>([array(1), 2]),
    "collate: sample of sample 1 is a number, sample 0 has an array",
  );
  assertMessage(
    () => collate([new DataView(new ArrayBuffer(1))]),
    "collate: sample is no array of numbers",
  );
  assertMessage(
    () => collate([{ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }]),
    "collate: sample is an image of bytes (end its transform with ToTensor)",
  );
  assertMessage(() => collate([null]), "collate: sample is null, which has no batch");
});

Deno.test("TensorDataset rows come back stacked as they were", async () => {
  const x: HostArray = {
    dtype: "float32",
    shape: [3, 2],
    data: new Float32Array([1, 2, 3, 4, 5, 6]),
  };
  const y: HostArray = { dtype: "bool", shape: [3], data: new Uint8Array([1, 0, 1]) };
  for await (
    const batch of new DataLoader(new TensorDataset(x, y), { batchSize: 3 }).hostBatches()
  ) {
    assertEquals(batch, [x, y]);
  }
});

Deno.test("DataLoader stacks samples that are tensors, views and labels among them", async () => {
  const x = arange(12).reshape([4, 3]).T; // [3, 4], its rows are not contiguous
  const pairs = new TensorDataset(x, tensor([0.5, 1.5, 2.5]));
  const labelled = { length: 3, get: (i: number) => [...pairs.get(i), 10 * i] as const };
  const batches: number[][][] = [];
  for await (const batch of new DataLoader(labelled, { batchSize: 2 })) {
    assertEquals(batch[0].shape, [batch[1].shape[0]!, 4]);
    batches.push(await Promise.all(batch.map(async (part) => [...await part.data()])));
  }
  assertEquals(batches, [
    [[0, 3, 6, 9, 1, 4, 7, 10], [0.5, 1.5], [0, 10]],
    [[2, 5, 8, 11], [2.5], [20]],
  ]);
});

Deno.test("collate() throws where tensors differ, or are mixed with others", () => {
  assertMessage(
    () => collate([zeros([2]), zeros([3])]),
    "collate: sample of sample 1 is float32 [3], sample 0 is float32 [2] " +
      "(pad to equal shapes, or pass collate)",
  );
  assertMessage(
    () => collate([zeros([2]), zeros([2], { dtype: "int32" })]),
    "collate: sample of sample 1 is int32 [2], sample 0 is float32 [2] " +
      "(pad to equal shapes, or pass collate)",
  );
  assertMessage(
    () => collate<unknown>([zeros([2]), 3]),
    "collate: sample of sample 1 is a number, sample 0 has a tensor",
  );
});

Deno.test("DataLoader says that tensors cannot leave a worker", async () => {
  const module = new URL("./fixtures/tensors_worker.ts", import.meta.url);
  const loader = new DataLoader(new Numbers(2), { batchSize: 2, workers: { module } });
  await assertRejection(
    () => read(loader),
    "DataLoader: a worker could not prepare a batch: serveDataset: a sample has a tensor, which " +
      "cannot leave its thread (give arrays on the host)",
  );
});

Deno.test("serveDataset() throws outside of a worker thread", async () => {
  await assertRejection(
    () => serveDataset(new Numbers(1)),
    "serveDataset: this is no worker thread (see DataLoader workers)",
  );
});
