import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  enableGrad,
  grad,
  gradcheck,
  isGradEnabled,
  noGrad,
  ones,
  type Tensor,
  tensor,
} from "../../ops/mod.ts";

function leaf(...values: number[]): Tensor {
  return tensor(values, { requiresGrad: true });
}

async function list(x: Tensor | undefined): Promise<number[]> {
  return x ? [...await x.data()] : [];
}

Deno.test("backward() adds to grad of leaves", async () => {
  const x = leaf(1, 2);
  x.square().sum().backward();
  x.mul(3).sum().backward();
  assertEquals(await list(x.grad), [5, 7]);
});

Deno.test("backward() reaches a tensor by all paths", async () => {
  const x = leaf(3);
  const y = x.mul(x);
  y.mul(y).add(x).backward();
  assertEquals(await list(x.grad), [4 * 27 + 1]);
});

Deno.test("backward() takes the gradient of a tensor that is no number", async () => {
  const x = leaf(1, 2);
  x.mul(2).backward({ gradient: tensor([10, 20]) });
  assertEquals(await list(x.grad), [20, 40]);
});

Deno.test("backward() throws without gradient for a tensor that is no number", () => {
  assertThrows(
    () => leaf(1, 2).mul(2).backward(),
    Error,
    "backward: only a single number has an implicit gradient: shape [2] (pass { gradient }, or take sum() or mean() first)",
  );
});

Deno.test("backward() throws where nothing requires a gradient", () => {
  assertThrows(
    () => ones([1]).backward(),
    Error,
    "backward: the tensor does not require a gradient and no input of it does",
  );
});

Deno.test("backward() throws on a graph that was freed, and names the operation", () => {
  const y = leaf(1).square().sum();
  y.backward();
  assertThrows(
    () => y.backward(),
    Error,
    'backward: the graph of "sum" was already freed by an earlier backward (pass { retainGraph: true } to the first call)',
  );
});

Deno.test("backward() runs twice with retainGraph", async () => {
  const x = leaf(3);
  const y = x.square().sum();
  y.backward({ retainGraph: true });
  y.backward();
  assertEquals(await list(x.grad), [12]);
});

Deno.test("backward() throws where a tensor it needs was written in place", () => {
  const x = leaf(1, 2);
  const y = x.mul(1);
  const z = y.square().sum();
  noGrad(() => y.add_(1));
  assertThrows(
    () => z.backward(),
    Error,
    'backward: input 0 of "square", shape [2], was written in place after it was used (clone() before writing, or use the function that returns a new tensor)',
  );
});

Deno.test("backward() does not mind in-place writes to what no gradient reads", async () => {
  const x = leaf(1, 2);
  const y = x.add(1);
  const z = y.mul(3).sum();
  noGrad(() => y.add_(1));
  z.backward();
  assertEquals(await list(x.grad), [3, 3]);
});

Deno.test("in-place operations on leaves that require a gradient throw", () => {
  assertThrows(
    () => leaf(1).add_(1),
    Error,
    "add_: a leaf that requires a gradient cannot be written in place (wrap the update in noGrad)",
  );
});

Deno.test("in-place operations on computed tensors continue their history", async () => {
  const x = leaf(2);
  const y = x.mul(3);
  y.mul_(x);
  y.sum().backward();
  assertEquals(await list(x.grad), [12]);
});

Deno.test("noGrad() records nothing and gives the mode back, after errors too", () => {
  const x = leaf(1);
  assertEquals(noGrad(() => x.mul(2)).requiresGrad, false);
  assertEquals(isGradEnabled(), true);
  assertThrows(
    () =>
      noGrad(() => {
        throw new Error("inside");
      }),
    Error,
    "inside",
  );
  assertEquals(isGradEnabled(), true);
});

Deno.test("noGrad() refuses functions that await, and does not leak into other code", async () => {
  assertThrows(
    () => noGrad(async () => await leaf(1).mul(2).data()),
    Error,
    "noGrad: the function returned a promise, and the mode would leak across its awaits (await outside, and put only synchronous code inside)",
  );
  assertEquals(isGradEnabled(), true);
  await Promise.resolve();
  assertEquals(isGradEnabled(), true);
});

Deno.test("enableGrad() records inside of noGrad", () => {
  const x = leaf(1);
  assertEquals(noGrad(() => enableGrad(() => x.mul(2)).requiresGrad), true);
});

Deno.test("detach() cuts the graph and shares memory", async () => {
  const x = leaf(2);
  const y = x.mul(1);
  y.detach().mul(5).add(y).sum().backward();
  assertEquals(await list(x.grad), [1]);
  assertStrictEquals(y.detach().storage, y.storage);
});

Deno.test("grad() leaves grad of the leaves alone", async () => {
  const x = leaf(3);
  const [dx] = grad(x.square().sum(), [x]);
  assertEquals(await list(dx), [6]);
  assertEquals(x.grad, undefined);
});

Deno.test("grad() gives gradients of computed tensors", async () => {
  const x = leaf(3);
  const y = x.square();
  const [dy] = grad(y.mul(4).sum(), [y]);
  assertEquals(await list(dy), [4]);
});

Deno.test("grad() throws for inputs that were not used, unless allowed", () => {
  const x = leaf(1), y = leaf(2);
  assertThrows(
    () => grad(x.mul(2).sum(), [x, y]),
    Error,
    "grad: the output does not depend on input 1 (use { allowUnused: true } to get undefined for it)",
  );
  assertEquals(grad(x.mul(2).sum(), [x, y], { allowUnused: true })[1], undefined);
});

Deno.test("grad() with createGraph can be differentiated again and again", async () => {
  const x = leaf(2);
  const [d1] = grad(x.pow(4).sum(), [x], { createGraph: true });
  const [d2] = grad(d1!.sum(), [x], { createGraph: true });
  const [d3] = grad(d2!.sum(), [x]);
  assertEquals([await list(d1), await list(d2), await list(d3)], [[32], [48], [48]]);
});

Deno.test("setRequiresGrad() throws for integers and for computed tensors", () => {
  assertThrows(
    () => ones([1], { dtype: "int32" }).setRequiresGrad(),
    TypeError,
    "requiresGrad: only floating tensors have gradients: dtype int32",
  );
  assertThrows(
    () => leaf(1).mul(2).setRequiresGrad(false),
    Error,
    "requiresGrad: a computed tensor cannot stop requiring a gradient (use detach())",
  );
});

Deno.test("gradcheck() refuses float32 and names a wrong gradient", async () => {
  await assertRejects(
    () => gradcheck((x) => x.square(), [leaf(1)]),
    Error,
    'gradcheck: differences of dtype float32 are too coarse (use dtype float64 on the device "cpu" or "reference")',
  );
  const x = tensor([1, 2], { dtype: "float64", device: "reference", requiresGrad: true });
  const error = await assertRejects(() => gradcheck((x) => x.mul(x.detach()), [x]), Error);
  assertEquals(error.message.startsWith("gradcheck: gradient of input 0 at element 0 is "), true);
});
