import { assertEquals, assertRejects } from "@std/assert";
import {
  bincount,
  maskedSelect,
  nonzero,
  repeatInterleaveEach,
  type Tensor,
  tensor,
  unique,
} from "../../ops/mod.ts";

async function list(x: Tensor): Promise<number[]> {
  return [...await x.data()];
}

function ints(...values: number[]): Tensor {
  return tensor(values, { dtype: "int32" });
}

Deno.test("nonzero() gives one row of coordinates per element", async () => {
  const places = await nonzero(tensor([[0, 2], [3, 0]]));
  assertEquals(places.shape, [2, 2]);
  assertEquals(await list(places), [0, 1, 1, 0]);
  assertEquals((await nonzero(tensor(5))).shape, [1, 0]);
  assertEquals((await nonzero(tensor([0, 0]))).shape, [0, 1]);
});

Deno.test("maskedSelect() picks in row-major order and has a gradient", async () => {
  const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
  const y = await maskedSelect(x, tensor([true, false]));
  assertEquals(await list(y), [1, 3]);
  y.square().sum().backward();
  assertEquals(await list(x.grad!), [2, 0, 6, 0]);
});

Deno.test("unique() sorts, counts and tells where values are", async () => {
  const { values, inverse, counts } = await unique(tensor([[3, 1], [3, 2]]));
  assertEquals(await list(values), [1, 2, 3]);
  assertEquals(await list(counts), [1, 1, 2]);
  assertEquals(inverse.shape, [2, 2]);
  assertEquals(await list(inverse), [2, 0, 2, 1]);
});

Deno.test("unique() of slices", async () => {
  const { values, counts } = await unique(tensor([[2, 1], [1, 1], [2, 1]]), { dim: 0 });
  assertEquals(values.shape, [2, 2]);
  assertEquals(await list(values), [1, 1, 2, 1]);
  assertEquals(await list(counts), [1, 2]);
});

Deno.test("bincount() counts, with weights and a smallest length", async () => {
  assertEquals(await list(await bincount(ints(1, 3, 1))), [0, 2, 0, 1]);
  const weights = tensor([0.5, 2, 0.25]);
  assertEquals(await list(await bincount(ints(1, 0, 1), { weights, minlength: 3 })), [2, 0.75, 0]);
  assertEquals((await bincount(ints())).shape, [0]);
});

Deno.test("bincount() throws for negative numbers and wrong shapes", async () => {
  await assertRejects(() => bincount(ints(-1)), RangeError, "bincount: -1 is negative");
  await assertRejects(
    () => bincount(tensor([[1]], { dtype: "int32" })),
    TypeError,
    "bincount: expects one dimension, and weights of the same shape: input [1, 1]",
  );
});

Deno.test("repeatInterleaveEach() repeats slices their own number of times", async () => {
  const x = tensor([[1, 2], [3, 4]]);
  assertEquals(await list(repeatInterleaveEach(x, [0, 2], 0)), [3, 4, 3, 4]);
  assertEquals(await list(repeatInterleaveEach(x, [1, 0, 0, 2])), [1, 4, 4]);
});
