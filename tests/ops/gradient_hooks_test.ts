/** Gradients seen, changed and kept on their way, as PyTorch does. */
import { assertEquals, assertThrows } from "@std/assert";
import { compile, grad, noGrad, registerHook, type Tensor, tensor } from "@tensaurus/core";
import { openTestDevice } from "../device.ts";

const ignore = !await openTestDevice();

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

function leaf(...values: number[]): Tensor {
  return tensor(values, { requiresGrad: true });
}

async function list(x: Tensor | undefined): Promise<number[]> {
  return [...await x!.data()];
}

test("registerHook() sees the whole gradient of a computed tensor, and may replace it", async () => {
  const x = leaf(1, 2), y = x.mul(3);
  const seen: Tensor[] = [];
  y.registerHook((gradient) => void seen.push(gradient));
  const remove = y.registerHook((gradient) => gradient.mul(10));
  y.square().add(y).sum().backward({ retainGraph: true }); // 2 y + 1 = 7, 13
  assertEquals(await Promise.all(seen.map(list)), [[7, 13]]);
  assertEquals(await list(x.grad), [210, 390]);
  remove();
  x.grad = undefined;
  y.sum().backward();
  assertEquals(await list(x.grad), [3, 3]);
  assertEquals(seen.length, 2);
});

test("registerHook() on a leaf sees the sum of all paths, once", async () => {
  const x = leaf(1, 2);
  const seen: Tensor[] = [];
  x.registerHook((gradient) => {
    seen.push(gradient);
    return gradient.neg();
  });
  x.mul(2).add(x.mul(3)).sum().backward();
  assertEquals(await Promise.all(seen.map(list)), [[5, 5]]);
  assertEquals(await list(x.grad), [-5, -5]);
  const [direct] = grad(x.mul(4).sum(), [x]);
  assertEquals(await list(direct), [-4, -4]);
});

test("retainGrad() keeps the gradient of a computed tensor, adding up", async () => {
  const x = leaf(1, 2), y = x.mul(3);
  y.retainGrad();
  y.registerHook((gradient) => gradient.mul(2)); // also of a hook that comes later
  y.square().sum().backward({ retainGraph: true });
  assertEquals(await list(y.grad), [12, 24]);
  y.sum().backward();
  assertEquals(await list(y.grad), [14, 26]);
  noGrad(() => y.grad!.zero_());
  assertEquals(await list(x.grad), [42, 78]);
});

test("gradients of gradients go through hooks", async () => {
  const x = leaf(2), y = x.mul(1);
  y.registerHook((gradient) => gradient.mul(x));
  const [first] = grad(y.square().sum(), [x], { createGraph: true }); // 2 x · x
  const [second] = grad(first!.sum(), [x]);
  assertEquals(await list(second), [12]); // 2 y, and 2 x through the hook again
});

test("hooks of a traced step stay in its plan", async () => {
  const x = leaf(1, 2);
  const step = compile((factor: Tensor) => {
    x.grad = undefined;
    const y = x.mul(factor);
    y.registerHook((gradient) => gradient.clamp(-1, 1));
    y.square().sum().backward();
    return x.grad!;
  });
  assertEquals(await list(step(tensor(5))), [5, 5]);
  assertEquals(await list(step(tensor(0.25))), [0.125, 0.25]);
});

test("registerHook() refuses tensors without a gradient, and gradients of another shape", () => {
  assertThrows(
    () => registerHook(tensor([1]), () => {}),
    Error,
    "registerHook: the tensor does not require a gradient",
  );
  const x = leaf(1, 2);
  x.registerHook((gradient) => gradient.sum());
  assertThrows(
    () => x.sum().backward(),
    Error,
    "registerHook: a hook returned float32 [] for a gradient of float32 [2]",
  );
});
