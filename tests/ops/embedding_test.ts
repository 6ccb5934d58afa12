import { assertAlmostEquals, assertEquals } from "@std/assert";
import { embedding, type Tensor, tensor } from "../../ops/mod.ts";

function table(): Tensor {
  return tensor([[3, 4], [1, 0], [0, 2]], { requiresGrad: true });
}

async function list(x: Tensor): Promise<number[]> {
  return [...await x.data()];
}

const LABELS = tensor([0, 2, 0], { dtype: "int32" });

Deno.test("embedding() drops the gradient of paddingIdx, also from the end", async () => {
  const weight = table();
  embedding(LABELS, weight, { paddingIdx: -1 }).sum().backward();
  assertEquals(await list(weight.grad!), [2, 2, 0, 0, 0, 0]);
});

Deno.test("embedding() divides gradients by frequency", async () => {
  const weight = table();
  const y = embedding(LABELS, weight, { scaleGradByFreq: true });
  assertEquals(await list(y), [3, 4, 0, 2, 3, 4]);
  y.sum().backward();
  assertEquals(await list(weight.grad!), [1, 1, 0, 0, 1, 1]);
});

Deno.test("embedding() shortens the rows that it looks up", async () => {
  const weight = table();
  const y = await list(embedding(tensor([0], { dtype: "int32" }), weight, { maxNorm: 1 }));
  assertAlmostEquals(y[0]!, 0.6, 1e-6);
  assertAlmostEquals(y[1]!, 0.8, 1e-6);
  assertEquals((await list(weight)).slice(2), [1, 0, 0, 2]);
});

Deno.test("embedding() shortens by the greatest element with normType Infinity", async () => {
  const options = { maxNorm: 2, normType: Infinity };
  const y = await list(embedding(tensor([0, 1], { dtype: "int32" }), table().detach(), options));
  [1.5, 2, 1, 0].forEach((x, i) => assertAlmostEquals(y[i]!, x, 1e-6));
});
