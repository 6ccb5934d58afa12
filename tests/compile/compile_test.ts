/** What surprises users of other capturing compilers is either right here, or an error. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  compile,
  hostScalar,
  manualSeed,
  noGrad,
  ones,
  rand,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "@tensaurus/core";
import { openTestDevice } from "../device.ts";

const ignore = !await openTestDevice();

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

async function list(x: Tensor): Promise<number[]> {
  return [...await x.data()];
}

test("compile() gives what the function gives", async () => {
  const f = (x: Tensor) => x.mul(2).add(1).sum();
  const x = tensor([1, 2, 3]);
  assertEquals(await compile(f)(x).item(), await f(x).item());
});

test("compile() differentiates products over an empty batch", async () => {
  const w = ones([3, 4], { requiresGrad: true });
  const step = compile((x: Tensor) => {
    w.grad = undefined;
    const y = x.matmul(w).add(1);
    y.sum().backward();
    return { y, gradient: w.grad! };
  });
  const { y, gradient } = step(zeros([2, 0, 3]));
  assertEquals(y.shape, [2, 0, 4]);
  assertEquals(await gradient.abs().sum().item(), 0);
});

test("compile() throws when a traced value is read", () => {
  const f = compile((x: Tensor) => {
    x.dataSync();
    return x;
  });
  assertThrows(
    () => f(ones([2])),
    Error,
    "dataSync: a compiled function cannot read values while it is traced (return the tensor and read it afterwards)",
  );
});

test("compile() throws when the function is async", () => {
  const f = compile((x: Tensor) => Promise.resolve(x), { name: "step" });
  assertThrows(
    () => f(ones([2])),
    Error,
    "step: the function returned a promise (compile a synchronous function and await its results outside)",
  );
});

test("compile() throws when an output is no tensor", () => {
  const f = compile((x: Tensor) => ({ y: x, size: 3 }), { name: "step" });
  assertThrows(
    () => f(ones([2])),
    Error,
    "step: the function returned the number 3, which would stay the same on every call (return tensors, or arrays and plain objects of them)",
  );
});

test("compile() traces anew for another number among the arguments", async () => {
  const f = compile((x: Tensor, scale: number) => scale > 1 ? x.mul(scale) : x.neg());
  const x = tensor([1, 2]);
  assertEquals(await list(f(x, 3)), [3, 6]);
  assertEquals(await list(f(x, 1)), [-1, -2]);
  assertEquals(await list(f(x, 3)), [3, 6]);
  assertEquals(f.planCount, 2);
});

test("compile() keeps results of earlier calls", async () => {
  const f = compile((x: Tensor) => x.add(1));
  const first = f(tensor([1]));
  const second = f(tensor([2]));
  assertEquals([await first.item(), await second.item()], [2, 3]);
});

test("compile() takes the same tensor twice, and captured as well", async () => {
  const x = tensor([1, 2]);
  const f = compile((a: Tensor, b: Tensor) => a.mul(10).add(b).add(x));
  assertEquals(await list(f(x, x)), [12, 24]);
  assertEquals(await list(f(tensor([5, 5]), x)), [52, 54]);
});

test("compile() inlines a compiled function", async () => {
  const inner = compile((x: Tensor) => x.mul(2));
  const outer = compile((x: Tensor) => inner(x).add(1));
  assertEquals(await list(outer(tensor([1, 2]))), [3, 5]);
  assertEquals(inner.planCount, 0);
});

test("compile() makes a plan per shape and warns past eight", async () => {
  const warnings: string[] = [];
  const warn = console.warn;
  console.warn = (text: string) => warnings.push(text);
  try {
    const f = compile((x: Tensor) => x.sum(), { name: "total" });
    for (let n = 1; n <= 9; n++) assertEquals(await f(ones([n])).item(), n);
    assertEquals(f.planCount, 9);
  } finally {
    console.warn = warn;
  }
  assertEquals(warnings, [
    "total: traced for the 9th time; pad inputs to a few fixed shapes (last: [9])",
  ]);
});

test("compile() throws when an argument is written in place", () => {
  const f = compile((x: Tensor) => x.add_(1), { name: "step" });
  assertThrows(
    () => f(ones([2])),
    Error,
    "step: argument 0, shape [2], was written in place (return the new value, or let the function capture the tensor)",
  );
});

test("compile() updates captured tensors in place", async () => {
  const total = zeros([2]);
  const f = compile((x: Tensor) => {
    total.add_(x);
    return total.mul(2);
  });
  assertEquals(await list(f(tensor([1, 2]))), [2, 4]);
  assertEquals(await list(f(tensor([1, 2]))), [4, 8]);
  assertEquals(await list(total), [2, 4]);
});

test("compile() sees captured tensors that changed between calls", async () => {
  const weight = tensor([1, 1]);
  const f = compile((x: Tensor) => x.mul(weight));
  assertEquals(await list(f(tensor([3, 4]))), [3, 4]);
  weight.copy_(tensor([2, 10]));
  assertEquals(await list(f(tensor([3, 4]))), [6, 40]);
  weight.mul_(2);
  assertEquals(await list(f(tensor([3, 4]))), [12, 80]);
});

test("compile() writes parts of captured tensors", async () => {
  const sums = zeros([3]);
  const f = compile((x: Tensor) => {
    sums.slice(0, 1, 2).add_(x.sum().reshape([1]));
    return x;
  });
  f(ones([4]));
  f(ones([4]));
  assertEquals(await list(sums), [0, 8, 0]);
});

test("compile() leaves gradients in grad and accumulates as eager code does", async () => {
  const w = tensor([1, 2], { requiresGrad: true });
  const f = compile((x: Tensor) => {
    const loss = w.mul(x).sum();
    loss.backward();
    return loss;
  });
  f(tensor([1, 1]));
  assertEquals(await list(w.grad!), [1, 1]);
  f(tensor([2, 3]));
  assertEquals(await list(w.grad!), [3, 4]);
  w.grad = undefined;
  f(tensor([5, 5]));
  assertEquals(await list(w.grad!), [5, 5]);
});

test("compile() trains like eager code", async () => {
  const run = async (wrap: boolean): Promise<number[]> => {
    manualSeed(4);
    const w = randn([3, 2]).setRequiresGrad(true);
    const step = (x: Tensor, y: Tensor) => {
      w.grad = undefined;
      const loss = x.matmul(w).sub(y).square().mean();
      loss.backward();
      noGrad(() => w.sub_(w.grad!.mul(0.1)));
      return loss;
    };
    const f = wrap ? compile(step) : step;
    const x = randn([5, 3]), y = randn([5, 2]);
    const losses: number[] = [];
    for (let i = 0; i < 4; i++) losses.push(await f(x, y).item());
    return losses;
  };
  const [eager, compiled] = [await run(false), await run(true)];
  for (const [i, loss] of compiled.entries()) {
    assertEquals(Math.abs(loss - eager[i]!) <= 1e-5 * Math.abs(loss), true);
  }
});

test("compile() draws the random numbers that eager code draws", async () => {
  const draw = () => rand([3]).add(rand([3]).mul(10));
  manualSeed(7);
  const eager = [await list(draw()), await list(draw())];
  manualSeed(7);
  const f = compile(draw);
  assertEquals([await list(f()), await list(f())], eager);
});

test("hostScalar() is read at each replay", async () => {
  let rate = 2;
  const f = compile((x: Tensor) => x.mul(hostScalar(() => rate)));
  assertEquals(await list(f(tensor([1]))), [2]);
  rate = 5;
  assertEquals(await list(f(tensor([1]))), [5]);
  assertEquals(f.planCount, 1);
});

test("compile() says so when a traced tensor is used outside", () => {
  let leaked: Tensor | undefined;
  const f = compile((x: Tensor) => {
    leaked = x.mul(2);
    return x.add(1);
  });
  f(ones([2]));
  assertThrows(
    () => leaked!.add(1),
    Error,
    "add: a tensor of a compiled function was used outside of it (return it from the function)",
  );
});

test("compile() gives gradients of arguments", async () => {
  const x = tensor([1, 2, 3], { requiresGrad: true });
  const f = compile((a: Tensor) => {
    const loss = a.square().sum();
    loss.backward();
    return loss;
  });
  f(x);
  assertEquals(await list(x.grad!), [2, 4, 6]);
});

test("compile() takes tensors without elements", async () => {
  const f = compile((a: Tensor, b: Tensor) => {
    const y = a.sub(b);
    y.mul(y).sum().backward();
    return y;
  });
  const a = zeros([2, 0], { requiresGrad: true }), b = ones([1, 1], { requiresGrad: true });
  assertEquals(f(a, b).shape, [2, 0]);
  assertEquals([a.grad!.shape, await list(b.grad!)], [[2, 0], [0]]);
});

test("compile() hands on nothing, lists and records", async () => {
  const f = compile((x: Tensor) => ({ a: [x.add(1), undefined], b: { c: x.mul(2) } }));
  const { a, b } = f(tensor([3]));
  assertEquals([await a[0]!.item(), a[1], await b.c.item()], [4, undefined, 6]);
});

test("compile() refuses class instances among the arguments", () => {
  const f = compile((_x: Date) => ones([1]), { name: "step" });
  assertThrows(
    () => f(new Date(0)),
    Error,
    "step: an argument is a Date (pass tensors, numbers, strings, and arrays or plain objects of them; let the function capture the rest)",
  );
});
