/** Where PyTorch's answers are not those of the first formula that comes to mind. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  acosh,
  argmax,
  atan2,
  cat,
  chunk,
  conv3d,
  convTranspose3d,
  copysign,
  cosh,
  cumsum,
  div,
  erfinv,
  exp2,
  flip,
  floorDivide,
  fmax,
  fmin,
  grad,
  heaviside,
  hypot,
  inner,
  logaddexp,
  manualSeed,
  maximum,
  median,
  nanToNum,
  pow,
  prod,
  randn,
  repeat,
  roll,
  rot90,
  searchsorted,
  sigmoid,
  sinh,
  std,
  sum,
  type Tensor,
  tensor,
  tril,
  xlogy,
  zeros,
} from "../../ops/mod.ts";

async function list(x: Tensor | undefined): Promise<number[]> {
  return [...await x!.data()];
}

async function slopes(f: (...x: Tensor[]) => Tensor, ...values: number[][]): Promise<number[][]> {
  const inputs = values.map((x) => tensor(x, { requiresGrad: true }));
  const grads = grad(f(...inputs).sum(), inputs);
  return await Promise.all(grads.map((g) => list(g)));
}

function assertClose(got: readonly number[], want: readonly number[], relative = 2e-6): void {
  assertEquals(got.length, want.length);
  for (const [i, y] of got.entries()) {
    if (Number.isFinite(want[i]!)) assertAlmostEquals(y / want[i]!, 1, relative);
    else assertEquals(y, want[i]);
  }
}

Deno.test("sigmoid() is a number wherever its input is", async () => {
  const xs = Array.from({ length: 2000 }, (_, i) => (i - 1000) / 10);
  assert((await list(sigmoid(tensor(xs)))).every((y) => y >= 0 && y <= 1));
});

Deno.test("sinh(), cosh(), acosh() and hypot() reach to the end of the range", async () => {
  assertClose(await list(sinh(tensor([89, -89, 90]))), [2.2448064e38, -2.2448064e38, Infinity]);
  assertClose(await list(cosh(tensor([89, -89, 90]))), [2.2448064e38, 2.2448064e38, Infinity]);
  assertClose(await list(acosh(tensor([1e30, -1e30, 0.5, 2]))), [69.7706989, NaN, NaN, 1.3169579]);
  const x = tensor([3e30, 3e-30, Infinity, 0]), y = tensor([4e30, 4e-30, NaN, 0]);
  const long = await list(hypot(x, y));
  assertClose(long.slice(0, 3), [5e30, 5e-30, Infinity]);
  assertEquals(long[3], 0);
});

Deno.test("erfinv() is exact near 1 and has a slope at 0", async () => {
  assertClose(await list(erfinv(tensor([0.9999, -0.9999, 1, 2]))), [
    2.7510357,
    -2.7510357,
    Infinity,
    NaN,
  ], 2e-5);
  assertClose((await slopes(erfinv, [0, 0.5]))[0]!, [0.8862269, 1.1125848]);
});

Deno.test("floorDivide() is the quotient less the remainder, as in Python", async () => {
  const a = tensor([1, -1, 7, -7, -1, 5, 0]), b = tensor([0.1, 0.1, 2, 2, Infinity, 0, 0]);
  assertEquals(await list(floorDivide(a, b)), [9, -10, 3, -4, -1, Infinity, NaN]);
  const floor = (x: Tensor) => div(x, 2, { roundingMode: "floor" });
  assertEquals(await slopes(floor, [3, 4]), [[0, 0]]);
});

Deno.test("gradients stay in range where squares would leave it", async () => {
  assertClose((await slopes((x) => div(tensor([1e-30]), x), [1e-20]))[0]!, [-1e10]);
});

Deno.test("gradients are PyTorch's where the formula divides by zero", async () => {
  assertEquals(await slopes(atan2, [0], [0]), [[0], [0]]);
  assertEquals(await slopes((x) => std(x, 0), [2, 2, 2]), [[0, 0, 0]]);
  assertEquals(await slopes(pow, [0], [2]), [[0], [0]]);
  const [x, y] = await slopes(xlogy, [0, 0, 3], [Math.E, 0, 2]);
  assertClose([x![0]!, x![2]!, y![2]!], [1, Math.log(2), 1.5]);
  assertEquals([x![1], y![0]], [0, 0]);
});

Deno.test("NaN passes the gradient of maximum() to both, of fmax() and fmin() to the other", async () => {
  const a = [NaN, 1, 1, 2], b = [1, NaN, 1, 1];
  assertEquals(await slopes(maximum, a, b), [[1, 1, 0.5, 1], [1, 1, 0.5, 0]]);
  assertEquals(await slopes(fmax, a, b), [[0, 1, 0.5, 1], [1, 0, 0.5, 0]]);
  assertEquals(await slopes(fmin, a, b), [[0, 1, 0.5, 0], [1, 0, 0.5, 1]]);
});

Deno.test("logaddexp() has second gradients where both are equal", async () => {
  const a = tensor([1], { requiresGrad: true }), b = tensor([1], { requiresGrad: true });
  const [first] = grad(logaddexp(a, b), [a], { createGraph: true }) as [Tensor];
  assertEquals(await list(grad(first, [a])[0]), [0.25]);
  assertEquals(await list(logaddexp(tensor([-Infinity]), tensor([-Infinity]))), [-Infinity]);
});

Deno.test("results have PyTorch's dtypes", () => {
  const whole = tensor([1, 2], { dtype: "int32" }), wide = tensor([1, 2], { dtype: "float64" });
  assertEquals(exp2(whole).dtype, "float32");
  assertEquals(copysign(whole, tensor([1, -1])).dtype, "float32");
  assertEquals(copysign(tensor([1, 2]), wide).dtype, "float64");
  assertEquals(heaviside(whole, whole).dtype, "int32");
  assertEquals(cumsum(tensor(true), 0).dtype, "int32");
  const x = tensor([1, 2], { requiresGrad: true });
  assertEquals(grad(prod(x, 0, { dtype: "float64" }), [x])[0]!.dtype, "float32");
});

Deno.test("nanToNum() takes the largest number of the dtype", async () => {
  const x = tensor([Infinity, -Infinity, NaN], { dtype: "float64", device: "cpu" });
  assertEquals(await list(nanToNum(x)), [Number.MAX_VALUE, -Number.MAX_VALUE, 0]);
});

Deno.test("median() is the first NaN where there is one", async () => {
  const { values, indices } = median(tensor([[3, NaN, 1, NaN], [4, 2, 1, 3]]), 1);
  assertEquals([await list(values), await list(indices)], [[NaN, 2], [1, 1]]);
});

Deno.test("results are no views where PyTorch's are none", async () => {
  const x = tensor([1, 2]), number = tensor(1);
  const results = [
    rot90(x.unsqueeze(0), 2),
    pow(x, 1),
    repeat(x, [1]),
    roll(x, 0),
    sum(number),
    number.amax(),
  ];
  x.zero_();
  number.zero_();
  for (const y of results) assert((await list(y)).every((v) => v > 0));
});

Deno.test("flip() is a view, where PyTorch copies", async () => {
  const x = tensor([1, 2, 3]), y = flip(x, 0);
  x.mul_(10);
  assertEquals(await list(y), [30, 20, 10]);
});

Deno.test("empty axes, repeated axes and numbers are taken or refused as in PyTorch", async () => {
  assertEquals(argmax(zeros([0, 3]), 1).shape, [0]);
  assertEquals(chunk(zeros([0, 3]), 2).map((x) => x.shape), [[0, 3], [0, 3]]);
  assertEquals(await list(roll(tensor([1, 2, 3, 4]), [1, 2], [0, 0])), [2, 3, 4, 1]);
  assertThrows(() => tril(zeros([3])), TypeError, "tril: expects at least 2 dimensions: input [3]");
  assertThrows(
    () => cat([tensor(1), tensor(2)]),
    TypeError,
    "cat: numbers have no axis to join (use stack)",
  );
  assertThrows(
    () => inner(zeros([1, 3]), zeros([3, 1])),
    TypeError,
    "inner: last sizes differ: input [1, 3], other [3, 1]",
  );
  assertThrows(
    () => searchsorted(zeros([3, 5]), zeros([2])),
    TypeError,
    "searchsorted: rows of sorted and values do not correspond: sorted [3, 5], values [2]",
  );
});

Deno.test("convTranspose3d() is the transpose of conv3d()", async () => {
  manualSeed(0);
  const options = { stride: [1, 2, 2], padding: [1, 0, 1], groups: 2 };
  const x = randn([2, 4, 3, 5, 4]), w = randn([6, 2, 2, 3, 2]);
  const forward = conv3d(x, w, options), y = randn(forward.shape);
  const back = convTranspose3d(y, w, { ...options, outputPadding: [0, 0, 0] });
  const wide = back.pad([0, x.size(-1) - back.size(-1), 0, x.size(-2) - back.size(-2)]);
  const [left, right] = [await forward.mul(y).sum().item(), await wide.mul(x).sum().item()];
  assertAlmostEquals(left, right, 1e-3);
});
