import { assert, assertEquals } from "@std/assert";
import {
  adaptiveMaxPool2dWithIndices,
  add,
  amax,
  argmax,
  conv1d,
  crossEntropy,
  cumsum,
  exp,
  layerNorm,
  logsumexp,
  matmul,
  maximum,
  maxPool1d,
  minimum,
  relu,
  sign,
  softmax,
  sort,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "../../ops/mod.ts";
import { copyTo, Inputs, worst } from "./_random.ts";

/** Sizes around the tiles and vectors of the backends. */
const SIZES = [1, 3, 4, 5, 63, 64, 65, 500, 513];

/** float32 sums of n terms of size 1, blocked: a few units of the last place per block. */
function tolerance(n: number): number {
  return 1e-6 * (8 + Math.sqrt(n));
}

interface Sized {
  readonly name: string;
  readonly shapes: (n: number) => readonly (readonly number[])[];
  readonly run: (...x: Tensor[]) => Tensor;
}

const CALLS: readonly Sized[] = [
  { name: "add", shapes: (n) => [[3, n], [n]], run: (a, b) => add(a!, b!) },
  { name: "sum of rows", shapes: (n) => [[3, n]], run: (x) => sum(x!, 1) },
  { name: "sum of columns", shapes: (n) => [[n, 3]], run: (x) => sum(x!, 0) },
  { name: "softmax", shapes: (n) => [[2, n]], run: (x) => softmax(x!, 1) },
  { name: "layerNorm", shapes: (n) => [[2, n]], run: (x) => layerNorm(x!, [x!.size(1)]) },
  { name: "cumsum", shapes: (n) => [[2, n]], run: (x) => cumsum(x!, 1) },
  { name: "sort", shapes: (n) => [[2, n]], run: (x) => sort(x!, 1).values },
  { name: "matmul, n rows", shapes: (n) => [[n, 7], [7, 5]], run: (a, b) => matmul(a!, b!) },
  { name: "matmul, n columns", shapes: (n) => [[5, 7], [7, n]], run: (a, b) => matmul(a!, b!) },
  { name: "matmul, n terms", shapes: (n) => [[3, n], [n, 2]], run: (a, b) => matmul(a!, b!) },
  {
    name: "matmul of a transposed",
    shapes: (n) => [[n, 4], [n, 3]],
    run: (a, b) => matmul(a!.transpose(0, 1), b!),
  },
  {
    name: "conv1d",
    shapes: (n) => [[1, 2, n], [3, 2, 3]],
    run: (x, w) => conv1d(x!, w!, { padding: 1 }),
  },
];

for (const { name, shapes, run } of CALLS) {
  Deno.test(`${name} is right around tile edges`, async () => {
    for (const n of SIZES) {
      const inputs = new Inputs();
      const exact = shapes(n).map((shape) => inputs.draw(shape).detach());
      const rough = await Promise.all(exact.map((x) => copyTo(x, "cpu", "float32")));
      const error = worst(await run(...rough).data(), await run(...exact).data());
      assert(error < tolerance(n), `n ${n} differs by ${error}`);
    }
  });
}

Deno.test("empty tensors go through", async () => {
  assertEquals((await zeros([0, 3]).add(1).data()).length, 0);
  assertEquals([...await zeros([0, 3]).sum(0).data()], [0, 0, 0]);
  assertEquals([...await zeros([2, 0]).sum(1).data()], [0, 0]);
  assertEquals([...await zeros([2, 0]).prod(1).data()], [1, 1]);
  assertEquals([...await matmul(zeros([2, 0]), zeros([0, 3])).data()], [0, 0, 0, 0, 0, 0]);
  assertEquals(softmax(zeros([0, 3]), 1).shape, [0, 3]);
  assertEquals(maxPool1d(zeros([0, 2, 4]), 2).shape, [0, 2, 2]);
});

Deno.test("gradients of empty tensors are empty", () => {
  const x = zeros([0, 3], { requiresGrad: true });
  softmax(x, 1).sum().backward();
  assertEquals(x.grad!.shape, [0, 3]);
});

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1];

Deno.test("NaN, infinities and signed zeros go through elementwise functions", async () => {
  const x = tensor(SPECIAL);
  assertEquals([...await relu(x).data()].slice(0, 4), [NaN, Infinity, 0, 0]);
  assertEquals([...await sign(x).data()].slice(0, 3), [0, 1, -1]);
  assertEquals([...await exp(x).data()].slice(0, 3), [NaN, Infinity, 0]);
  assertEquals([...await maximum(x, 0.5).data()], [NaN, Infinity, 0.5, 0.5, 0.5, 1]);
  assertEquals([...await minimum(x, 0.5).data()], [NaN, 0.5, -Infinity, 0, -0, 0.5]);
  assertEquals([...await x.isnan().data()], [1, 0, 0, 0, 0, 0]);
  assertEquals([...await x.isinf().data()], [0, 1, 1, 0, 0, 0]);
  assertEquals([...await x.isfinite().data()], [0, 0, 0, 1, 1, 1]);
  assert(Object.is((await x.neg().data())[3], -0));
});

Deno.test("NaN wins in extrema and sums, and comes last in order", async () => {
  const x = tensor([1, NaN, 3]);
  assertEquals(await amax(x).item(), NaN);
  assertEquals(await argmax(x).item(), 1);
  assertEquals(await sum(x).item(), NaN);
  assertEquals([...await sort(x, 0).values.data()], [1, 3, NaN]);
});

Deno.test("of equal elements in a window the first is taken", async () => {
  const image = [...new Array<number>(9).fill(-3), -1, -2, -2, -2, 2, -1, 1, 1, 1, 2, 0, -2];
  for (const dtype of ["float32", "float64"] as const) {
    const x = tensor(image, { shape: [1, 1, 7, 3], dtype });
    const { indices } = adaptiveMaxPool2dWithIndices(x, 2);
    assertEquals([...await indices.data()], [9, 10, 13, 13]);
  }
});

Deno.test("softmax() of −∞ gives 0 beside numbers, NaN alone", async () => {
  assertEquals([...await softmax(tensor([0, -Infinity, 0]), 0).data()], [0.5, 0, 0.5]);
  assertEquals([...await softmax(tensor([-Infinity, -Infinity]), 0).data()], [NaN, NaN]);
});

Deno.test("softmax() and logsumexp() do not overflow", async () => {
  assertEquals([...await softmax(tensor([1000, 1000]), 0).data()], [0.5, 0.5]);
  assertEquals(await logsumexp(tensor([-Infinity, -Infinity]), 0).item(), -Infinity);
  assertEquals(await logsumexp(tensor([1000, -1000]), 0).item(), 1000);
});

Deno.test("crossEntropy() does not overflow, and is NaN where all labels are ignored", async () => {
  const labels = tensor([0], { dtype: "int32" });
  assertEquals(await crossEntropy(tensor([[1000, -1000]]), labels).item(), 0);
  const ignored = crossEntropy(tensor([[1, 2]]), labels, { ignoreIndex: 0 });
  assertEquals(await ignored.item(), NaN);
});
