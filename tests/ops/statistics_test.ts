/** Order statistics, moments, closeness; the wanted numbers are those of torch 2.15. */
import { assertEquals, assertThrows } from "@std/assert";
import * as T from "../../ops/mod.ts";
import { type Tensor, tensor } from "../../ops/mod.ts";
import { worst } from "./_random.ts";
import { openTestDevice, testDeviceName } from "../device.ts";

const ignore = !await openTestDevice();
const N = NaN;
const X = [[3, 1, 2, 2], [5, N, 1, 4]];

function deviceTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}: ${testDeviceName()}`, ignore, fn });
}

async function near(x: Tensor, wanted: readonly number[]): Promise<void> {
  const error = worst(await x.data(), wanted);
  assertEquals(error < 1e-5, true, `${[...await x.data()]} is not ${wanted}`);
}

deviceTest("quantile() and nanquantile() in all modes", async () => {
  const q = tensor([0.25, 0.5]);
  assertEquals(await T.quantile(tensor(X), q, { dim: 1 }).tolist(), [[1.75, N], [2, N]]);
  assertEquals(await T.nanquantile(tensor(X), q, { dim: 1 }).tolist(), [[1.75, 2.5], [2, 4]]);
  const x = tensor([1, 2, 4, 8, 16, 32]);
  const modes = { linear: 3, lower: 2, higher: 4, midpoint: 3, nearest: 4 } as const;
  for (const [interpolation, wanted] of Object.entries(modes)) {
    await near(x.quantile(0.3, { interpolation: interpolation as keyof typeof modes }), [wanted]);
  }
  assertEquals(x.quantile(q, { keepdim: true }).shape, [2, 1]);
});

deviceTest("nanmean(), median() and nanmedian()", async () => {
  const x = tensor(X);
  await near(x.nanmean(1), [2, 10 / 3]);
  assertEquals(await T.nanmedian(x).item(), 2);
  assertEquals(await T.median(x).item(), N);
  assertEquals(await tensor([4, 1, 3, 2]).median().item(), 2);
  assertEquals(await T.median(tensor([])).item(), N);
  const { values, indices } = T.nanmedian(x, 1);
  assertEquals(await values.tolist(), [2, 4]);
  assertEquals(await indices.tolist(), [2, 3]);
});

deviceTest("median() of all shares the gradient among equal elements", async () => {
  const x = tensor([2, 1, 2, 3], { requiresGrad: true });
  T.median(x).backward();
  assertEquals(await x.grad!.tolist(), [0.5, 0, 0.5, 0]);
});

deviceTest("kthvalue(), mode() and aminmax()", async () => {
  const kth = tensor(X).kthvalue(2, 1);
  assertEquals(await kth.values.tolist(), [2, 4]);
  assertEquals((await kth.indices.tolist() as number[])[1], 3);
  const rows = tensor([[3, 1, 1, 3, 2], [4, 4, 5, 5, 5]]);
  assertEquals(await rows.mode(1).values.tolist(), [1, 5]);
  assertEquals(await rows.mode(1).indices.tolist(), [2, 4]);
  assertEquals(rows.mode(0, { keepdim: true }).values.shape, [1, 5]);
  const { min, max } = tensor(X).aminmax({ dim: 0 });
  assertEquals(await min.tolist(), [3, N, 1, 2]);
  assertEquals(await max.tolist(), [5, N, 2, 4]);
});

deviceTest("stdMean(), histc(), cov() and corrcoef()", async () => {
  const [deviation, mean] = T.stdMean(tensor([1, 2, 3, 4]));
  await near(deviation, [1.2909944]);
  await near(mean, [2.5]);
  const counts = T.histc(tensor([1, 2, 1, 3, 5, -9, N]), { bins: 4, min: 1, max: 5 });
  assertEquals(await counts.tolist(), [2, 1, 1, 1]);
  assertEquals(await tensor([1, 2, 3]).histc({ bins: 3 }).tolist(), [1, 1, 1]);
  const x = tensor([[0, 1, 2], [2, 1, 0], [1, 1, 4]]);
  assertEquals(await T.cov(x).tolist(), [[1, -1, 1.5], [-1, 1, -1.5], [1.5, -1.5, 3]]);
  await near(T.corrcoef(x), [1, -1, 0.8660254, -1, 1, -0.8660254, 0.8660254, -0.8660254, 1]);
  const weights = { fweights: tensor([1, 2, 1, 3]), aweights: tensor([0.5, 1, 0.25, 1]) };
  await near(T.cov(tensor([1, 2, 4, 7]), weights), [7.743243]);
});

deviceTest("diff() and logcumsumexp()", async () => {
  assertEquals(await T.diff(tensor([1, 4, 9, 16]), { n: 2 }).tolist(), [2, 2]);
  assertEquals(await T.diff(tensor([true, false, false])).tolist(), [true, false]);
  const x = tensor([-Infinity, 0, 1000, 1000], { requiresGrad: true });
  const y = T.logcumsumexp(x, 0);
  assertEquals((await y.detach().tolist() as number[]).slice(0, 3), [-Infinity, 0, 1000]);
  await near(y.slice(0, 3), [1000.6931]);
  y.slice(0, 1).sum().backward();
  await near(x.grad!, [0, 1, 1.5, 0.5]);
});

deviceTest("isclose(), allclose(), isin() and bucketize()", async () => {
  const a = tensor([1, N, Infinity, 1]), b = tensor([1.000001, N, Infinity, 1.1]);
  assertEquals(await T.isclose(a, b).tolist(), [true, false, true, false]);
  assertEquals(await T.isclose(a, b, { equalNan: true }).tolist(), [true, true, true, false]);
  assertEquals(await T.allclose(a, b, { equalNan: true }), false);
  assertEquals(await T.allclose(a, b, { equalNan: true, rtol: 0.2 }), true);
  assertEquals(await T.isin(b, tensor([1, Infinity, N])).tolist(), [false, false, true, false]);
  assertEquals(await T.isin(a, 1, { invert: true }).tolist(), [false, true, true, false]);
  const values = tensor([0, 1, 2.5, N]), boundaries = tensor([1, 2, 3]);
  assertEquals(await T.bucketize(values, boundaries).tolist(), [0, 0, 2, 3]);
  assertEquals(await T.bucketize(values, boundaries, { right: true }).tolist(), [0, 1, 2, 3]);
});

Deno.test("statistics refuse what has none, with the numbers", () => {
  const x = tensor([1, 2]), whole = tensor([1, 2], { dtype: "int32" });
  const cases: [() => unknown, string][] = [
    [() => T.quantile(x, 2), "quantile: q 2 is not between 0 and 1"],
    [() => T.quantile(whole, 0.5), "quantile: dtype int32 has no quantile (convert first)"],
    [() => T.kthvalue(x, 3), "kthvalue: k 3 is out of range for size 2: input [2]"],
    [() => T.mode(tensor([])), "mode: an empty axis has no mode: input [0]"],
    [() => T.histc(x, { bins: 0 }), "histc: bins 0 is not positive"],
    [() => T.isclose(x, x, { atol: -1 }), "isclose: atol -1 is negative"],
    [() => T.diff(x, { n: -1 }), "diff: n -1 is not a whole number of at least 0"],
    [
      () => T.cov(x, { aweights: tensor([1]) }),
      "cov: aweights needs one weight for each of 2 observations: input [2], aweights [1]",
    ],
  ];
  for (const [call, message] of cases) assertThrows(call, Error, message);
});
