/** Elements combined and picked at positions, and grids; the wanted numbers are those of torch 2.15. */
import { assertEquals, assertThrows } from "@std/assert";
import * as T from "../../ops/mod.ts";
import { type Tensor, tensor } from "../../ops/mod.ts";
import { worst } from "./_random.ts";
import { openTestDevice, testDeviceName } from "../device.ts";

const ignore = !await openTestDevice();

function deviceTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}: ${testDeviceName()}`, ignore, fn });
}

function ints(values: T.TensorData): Tensor {
  return tensor(values, { dtype: "int32" });
}

/** Results with and without what the input holds. */
const REDUCED = {
  sum: [[51, 2, 33, 4, 35, -54], [50, 2, 30, 4, 30, -60]],
  prod: [[400, 2, 90, 4, -5000, -360], [400, 2, 30, 4, -1000, -60]],
  mean: [[17, 2, 16.5, 4, 35 / 3, -27], [25, 2, 30, 4, 15, -60]],
  amax: [[40, 2, 30, 4, 50, 6], [40, 2, 30, 4, 50, -60]],
  amin: [[1, 2, 3, 4, -20, -60], [10, 2, 30, 4, -20, -60]],
} as const;

deviceTest("scatterReduce() in all ways", async () => {
  const x = tensor([[1, 2, 3], [4, 5, 6]]), index = ints([[0, 1, 0], [0, 1, 1]]);
  const source = tensor([[10, -20, 30], [40, 50, -60]]);
  for (const [reduce, wanted] of Object.entries(REDUCED)) {
    for (const [i, includeSelf] of [true, false].entries()) {
      const y = T.scatterReduce(x, 0, index, source, reduce as "sum", { includeSelf });
      assertEquals(worst(await y.data(), wanted[i]!) < 1e-5, true, `${reduce} ${includeSelf}`);
    }
  }
  const whole = T.scatterReduce(ints([1, 2]), 0, ints([0, 0]), ints([-4, -3]), "mean");
  assertEquals(await whole.tolist(), [-2, 2]);
});

deviceTest("maskedScatter(), take(), takeAlongDim() and indexFill()", async () => {
  const x = tensor([[1, 2, 3], [4, 5, 6]]);
  const mask = tensor([[true, false, true], [false, true, false]]);
  assertEquals(
    await x.maskedScatter(mask, tensor([7, 8, 9, 10])).tolist(),
    [[7, 2, 8], [4, 9, 6]],
  );
  assertEquals(await x.take(ints([[0, -1], [2, 3]])).tolist(), [[1, 6], [3, 4]]);
  assertEquals(await x.takeAlongDim(ints([[1], [0]]), 1).tolist(), [[2], [4]]);
  assertEquals(await x.takeAlongDim(ints([5, 0])).tolist(), [6, 1]);
  assertEquals(await x.indexFill(1, ints([0, -1]), 9).tolist(), [[9, 2, 9], [9, 5, 9]]);
});

deviceTest("grids, triangles and blocks", async () => {
  const [a, b] = [tensor([1, 2]), tensor([3, 4, 5])];
  const [x, y] = T.meshgrid([a, b], { indexing: "xy" });
  assertEquals(await x!.tolist(), [[1, 2], [1, 2], [1, 2]]);
  assertEquals(await y!.tolist(), [[3, 3], [4, 4], [5, 5]]);
  assertEquals(
    await T.cartesianProd([a, b]).tolist(),
    [[1, 3], [1, 4], [1, 5], [2, 3], [2, 4], [2, 5]],
  );
  assertEquals(
    await T.blockDiag([a, tensor(7), b.reshape([3, 1])]).tolist(),
    [[1, 2, 0, 0], [0, 0, 7, 0], [0, 0, 0, 3], [0, 0, 0, 4], [0, 0, 0, 5]],
  );
  assertEquals(
    await T.trilIndices(3, 2, { offset: -1 }).tolist(),
    [[1, 2, 2], [0, 0, 1]],
  );
  assertEquals(await T.triuIndices(2, 3, { offset: 1 }).tolist(), [[0, 0, 1], [1, 2, 2]]);
  const [p, q] = T.broadcastTensors([a.reshape([2, 1]), b]);
  assertEquals([p!.shape, q!.shape], [[2, 3], [2, 3]]);
});

deviceTest("embeddingBag() sums, averages and takes the largest of each bag", async () => {
  const weight = tensor([[1, 2], [3, -4], [5, 6], [-7, 8]]);
  const rows = ints([0, 1, 2, 3, 3]), offsets = ints([0, 2, 2]);
  const cases = {
    sum: [[4, -2, 0, 0, -9, 22], [4, -2, 0, 0, 5, 6]],
    mean: [[2, -1, 0, 0, -3, 22 / 3], [2, -1, 0, 0, 5, 6]],
    max: [[3, 2, 0, 0, 5, 8], [3, 2, 0, 0, 5, 6]],
  };
  for (const [mode, wanted] of Object.entries(cases)) {
    for (const [i, paddingIdx] of [undefined, 3].entries()) {
      const y = T.embeddingBag(rows, weight, { offsets, mode: mode as "sum", paddingIdx });
      assertEquals(worst(await y.data(), wanted[i]!) < 1e-5, true, `${mode} ${paddingIdx}`);
    }
  }
  const perSampleWeights = tensor([1, 2, 3, 4, 5]);
  const y = T.embeddingBag(rows, weight, { offsets, mode: "sum", perSampleWeights });
  assertEquals(await y.tolist(), [[7, -6], [0, 0], [-48, 90]]);
});

deviceTest("maxUnpool1d(), lpPool1d(), affineGrid() and channelShuffle()", async () => {
  const x = tensor([[[1, 2, 3, 4, 5], [6, 5, 9, 7, 8]]]);
  const { values, indices } = T.maxPool1dWithIndices(x, 2);
  assertEquals(
    await T.maxUnpool1d(values, indices, 2, { outputSize: [5] }).tolist(),
    [[[0, 2, 0, 4, 0], [6, 0, 9, 0, 0]]],
  );
  assertEquals(T.maxUnpool1d(values, indices, 2).shape, [1, 2, 4]);
  const norms = T.lpPool1d(x, 2, 2, { ceilMode: true });
  const wanted = [2.236068, 5, 7.071068, 7.8102498, 11.4017544, 11.3137083];
  assertEquals(worst(await norms.data(), wanted) < 1e-5, true);
  const theta = tensor([[[1, 0, 0.5], [0, 2, 0]]]);
  assertEquals(
    await T.affineGrid(theta, [1, 1, 2, 2]).tolist(),
    [[[[0, -1], [1, -1]], [[0, 1], [1, 1]]]],
  );
  const channels = tensor([0, 1, 2, 3, 4, 5]).reshape([1, 6, 1]);
  assertEquals([...await T.channelShuffle(channels, 3).data()], [0, 2, 4, 1, 3, 5]);
});

deviceTest("shifts, signs, powers, joins and norms", async () => {
  const a = ints([-7, 7, 1, 2147483647]), b = ints([1, 2, 31, 33]);
  assertEquals(await T.bitwiseLeftShift(a, b).tolist(), [-14, 28, -2147483648, 0]);
  assertEquals(await T.bitwiseRightShift(a, b).tolist(), [-4, 1, 0, 0]);
  assertEquals(await a.bitwiseNot().tolist(), [6, -8, -2, -2147483648]);
  assertEquals(await tensor([1, -0, -Infinity]).signbit().tolist(), [false, true, true]);
  assertEquals(await T.logspace(0, 2, 3).tolist(), [1, 10, 100]);
  assertEquals(await T.dstack([tensor([1, 2]), tensor([3, 4])]).tolist(), [[[1, 3], [2, 4]]]);
  assertEquals(await T.dist(tensor([1, 2]), tensor([4, 6])).item(), 5);
  const rows = T.renorm(tensor([[3, 4], [0.3, 0.4]]), 2, 0, 1);
  assertEquals(worst(await rows.data(), [0.6, 0.8, 0.3, 0.4]) < 1e-6, true);
  const odds = await T.logit(tensor([0.5, 0.9, 0, 1.2])).data();
  assertEquals(worst(odds.slice(0, 2), [0, 2.1972246]) < 1e-5, true);
  assertEquals([...odds].slice(2), [-Infinity, NaN]);
});

Deno.test("places refuse positions and shapes that do not fit", () => {
  const x = tensor([[1, 2], [3, 4]]);
  const cases: [() => unknown, string][] = [
    [
      () => T.scatterReduce(x, 0, ints([[0, 1, 1]]), x, "sum"),
      "scatterReduce: index does not fit the input and the source: input [2, 2], index [1, 3], source [2, 2]",
    ],
    [() => T.take(x, x), "take: index has dtype float32, expects int32"],
    [
      () => T.indexFill(x, 0, ints([[0]]), 1),
      "indexFill: expects a vector of positions and one value: index [1, 1]",
    ],
    [
      () => T.takeAlongDim(x, ints([0]), 0),
      "takeAlongDim: index needs as many dimensions as the input: input [2, 2], index [1]",
    ],
    [
      () => T.embeddingBag(ints([0]), x),
      "embeddingBag: 1 dimension needs a vector of offsets, 2 need none: input [1]",
    ],
    [
      () => T.embeddingBag(ints([[0]]), x, { perSampleWeights: tensor([[1]]) }),
      'embeddingBag: perSampleWeights needs mode "sum", not "mean"',
    ],
    [
      () => T.maxUnpool1d(x, ints([[0, 1], [0, 1]]), 2, { outputSize: [9] }),
      "maxUnpool1d: outputSize [9] is not within 3 to 5",
    ],
    [
      () => T.channelShuffle(tensor([[[1], [2]]]), 3),
      "channelShuffle: channels are no multiple of groups 3: input [1, 2, 1]",
    ],
    [
      () => T.affineGrid(x, [1, 1, 2, 2]),
      "affineGrid: theta and size do not fit: theta [2, 2], size [1, 1, 2, 2]",
    ],
    [() => T.renorm(x, 0, 0, 1), "renorm: p 0 is not positive"],
    [() => T.meshgrid([x]), "meshgrid: expects vectors: input [2, 2]"],
  ];
  for (const [call, message] of cases) assertThrows(call, Error, message);
});
