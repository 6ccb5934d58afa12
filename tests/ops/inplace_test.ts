import { assertEquals, assertThrows } from "@std/assert";
import {
  compile,
  grad,
  narrow,
  noGrad,
  ones,
  select,
  slice,
  type Tensor,
  tensor,
  zeros,
} from "../../mod.ts";

async function list(x: Tensor | undefined): Promise<number[]> {
  return [...await x!.data()];
}

function leaf(values: number[]): Tensor {
  return tensor(values, { requiresGrad: true });
}

Deno.test("a write into a view reaches the gradient of the tensor it is a view of", async () => {
  const a = leaf([1, 1, 1]);
  const x = a.mul(2);
  narrow(x, 0, 0, 1).mul_(3);
  x.sum().backward();
  assertEquals(await list(a.grad), [6, 2, 2]);
});

Deno.test("a write into a tensor reaches the gradient of its views", async () => {
  const a = leaf([1, 1, 1]);
  const x = a.mul(2);
  const view = narrow(x, 0, 0, 1);
  x.mul_(3);
  view.sum().backward();
  assertEquals(await list(a.grad), [6, 0, 0]);
});

Deno.test("a write into a view reaches other views", async () => {
  const a = leaf([1, 2, 3, 4]);
  const x = a.mul(1);
  const grid = x.reshape([2, 2]), column = select(grid, 1, 1);
  select(grid.transpose(0, 1), 0, 1).mul_(a.slice(0, 0, 2)); // [2·1, 4·2]
  column.mul(tensor([1, 10])).sum().backward();
  assertEquals(await list(column.detach()), [2, 8]);
  assertEquals(await list(a.grad), [2, 41, 0, 20]);
});

Deno.test("values written into parts of zeros get their gradients", async () => {
  const w = leaf([1, 2]);
  const rows = zeros([3, 2]);
  for (let i = 0; i < 3; i++) select(rows, 0, i).copy_(w.mul(i + 1));
  assertEquals(rows.requiresGrad, true);
  rows.square().sum().backward();
  assertEquals(await list(w.grad), [28, 56]);
});

Deno.test("an overwritten part has no gradient", async () => {
  const a = leaf([1, 1, 1]);
  const x = a.mul(2);
  slice(x, 0, 0, null, 2).zero_();
  x.sum().backward();
  assertEquals(await list(a.grad), [0, 2, 0]);
  const y = a.mul(2);
  y.fill_(5);
  assertEquals(y.requiresGrad, true);
  assertEquals(await list(grad(y.sum(), [a])[0]), [0, 0, 0]);
});

Deno.test("writes into views have second gradients", async () => {
  const a = leaf([1, 2, 3]);
  const x = a.square();
  narrow(x, 0, 1, 1).mul_(narrow(a, 0, 1, 1)); // [a₀², a₁³, a₂²]
  const [first] = grad(x.sum(), [a], { createGraph: true }) as [Tensor];
  assertEquals(await list(first), [2, 12, 6]);
  assertEquals(await list(grad(first.sum(), [a])[0]), [2, 12, 2]);
});

Deno.test("writes into views have the same gradients in a compiled function", async () => {
  const f = compile((a: Tensor) => {
    const x = a.mul(2), rows = zeros([2, 3]);
    narrow(x, 0, 0, 1).mul_(3);
    for (let i = 0; i < 2; i++) select(rows, 0, i).copy_(x.mul(i + 1));
    return grad(rows.sum(), [a])[0]!;
  });
  assertEquals(await list(f(leaf([1, 1, 1]))), [18, 6, 6]);
});

Deno.test("a view of a leaf that requires a gradient cannot be written", async () => {
  const w = leaf([1, 2, 3]);
  const view = narrow(w, 0, 0, 1);
  assertThrows(
    () => view.zero_(),
    Error,
    "fill_: a leaf that requires a gradient cannot be written in place (wrap the update in noGrad)",
  );
  noGrad(() => view.zero_());
  assertEquals(await list(w), [0, 2, 3]);
});

Deno.test("what detach() gives is written without a trace in the graph", async () => {
  const a = leaf([1, 2]);
  const x = a.mul(2);
  x.detach().zero_();
  x.sum().backward();
  assertEquals([await list(x), await list(a.grad)], [[0, 0], [2, 2]]);
});

Deno.test("in-place operations keep the dtype of the target", async () => {
  const x = ones([2]).mul_(tensor([2, 3], { dtype: "float64" }));
  assertEquals([x.dtype, await list(x)], ["float32", [2, 3]]);
  assertThrows(
    () => ones([1], { dtype: "int32" }).add_(0.5),
    Error,
    "add_: the result has dtype float32, the target int32",
  );
});

Deno.test("copy_() takes values that overlap with the target as they were", async () => {
  const x = tensor([1, 2, 3, 4]);
  narrow(x, 0, 1, 3).copy_(narrow(x, 0, 0, 3));
  assertEquals(await list(x), [1, 1, 2, 3]);
});

Deno.test("gradients of leaves are arrays of their own", async () => {
  const a = leaf([1, 2]), b = leaf([3, 4]), seed = tensor([1, 1]);
  a.add(b).backward({ gradient: seed });
  a.grad!.mul_(2);
  assertEquals([await list(a.grad), await list(b.grad), await list(seed)], [[2, 2], [1, 1], [
    1,
    1,
  ]]);
  const c = leaf([1, 2]);
  c.sum().backward();
  assertEquals(await list(c.grad!.mul_(3)), [3, 3]);
});

/** Calls in place beside the functions that they stand for. */
const OVERWRITING: readonly (readonly [
  name: string,
  inPlace: (x: Tensor, w: Tensor) => Tensor,
  pure: (x: Tensor, w: Tensor) => Tensor,
])[] = [
  ["clamp_", (x, w) => x.clamp_(w, 2.5), (x, w) => x.clamp(w, 2.5)],
  ["relu_", (x) => x.relu_(), (x) => x.relu()],
  ["neg_", (x) => x.neg_(), (x) => x.neg()],
  ["abs_", (x) => x.abs_(), (x) => x.abs()],
  ["exp_", (x) => x.exp_(), (x) => x.exp()],
  ["sqrt_", (x) => x.sqrt_(), (x) => x.sqrt()],
  ["sigmoid_", (x) => x.sigmoid_(), (x) => x.sigmoid()],
  ["tanh_", (x) => x.tanh_(), (x) => x.tanh()],
  ["pow_", (x, w) => x.pow_(w), (x, w) => x.pow(w)],
  ["maskedFill_", (x) => x.maskedFill_(x.gt(1.5), 9), (x) => x.maskedFill(x.gt(1.5), 9)],
  ["indexFill_", (x) => x.indexFill_(0, FIRST, 9), (x) => x.indexFill(0, FIRST, 9)],
  ["scatter_", (x, w) => x.scatter_(0, FIRST, w), (x, w) => x.scatter(0, FIRST, w)],
  ["scatterAdd_", (x, w) => x.scatterAdd_(0, FIRST, w), (x, w) => x.scatterAdd(0, FIRST, w)],
  ["indexAdd_", (x, w) => x.indexAdd_(0, FIRST, w), (x, w) => x.indexAdd(0, FIRST, w)],
];

const FIRST = tensor([0, 2, 1], { dtype: "int32" });

for (const [name, inPlace, pure] of OVERWRITING) {
  Deno.test(`${name}() writes the value and has the gradient of the function`, async () => {
    const run = (call: (x: Tensor, w: Tensor) => Tensor) => {
      const a = leaf([1, 2, 3]), w = leaf([0.5, 2, 1.5]);
      const y = call(a.mul(1), w);
      const grads = grad(y.mul(y).sum(), [a, w], { allowUnused: true });
      return [y, ...grads.map((g) => g ?? zeros([3]))];
    };
    const got = run((x, w) => {
      assertEquals(inPlace(x, w), x);
      return x;
    });
    for (const [i, wanted] of run(pure).entries()) {
      assertEquals(await list(got[i]), await list(wanted));
    }
  });
}

Deno.test("methods in place write into views, and into what a compiled function captured", async () => {
  const x = tensor([[-1, 2], [-3, 4]]);
  select(x, 1, 0).relu_();
  assertEquals(await list(x), [0, 2, 0, 4]);
  const state = tensor([1, 4, 9]);
  const step = compile(() => state.sqrt_().sum());
  assertEquals(await step().item(), 6);
  assertEquals(await list(state), [1, 2, 3]);
});

Deno.test("uniform_() and normal_() fill with random numbers", async () => {
  const x = await list(zeros([1000]).uniform_(2, 4));
  assertEquals(x.every((v) => v >= 2 && v < 4) && new Set(x).size > 900, true);
  const mean = await zeros([1000]).normal_(5, 2).mean().item();
  assertEquals(Math.abs(mean - 5) < 0.4, true);
  assertThrows(
    () => leaf([1]).normal_(),
    Error,
    "normal_: a leaf that requires a gradient cannot be written in place (wrap the update in noGrad)",
  );
});
