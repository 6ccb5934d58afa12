import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { compile, nn, noGrad, ones, optim, rand, type Tensor, tensor, zeros } from "../../mod.ts";

function withGrad(values: number[]): Tensor {
  const p = zeros([values.length], { requiresGrad: true });
  p.grad = tensor(values);
  return p;
}

Deno.test("clipGradNorm() scales gradients of all parameters together", async () => {
  const a = withGrad([3]), b = withGrad([0, 4]), none = zeros([2], { requiresGrad: true });
  const norm = optim.clipGradNorm([a, none, b], 1);
  assertAlmostEquals(await norm!.item(), 5, 1e-5);
  assertAlmostEquals(await a.grad!.item(), 0.6, 1e-5);
  assertEquals([none.grad, b.grad!.shape], [undefined, [2]]);
});

Deno.test("clipGradNorm() leaves small gradients as they are", async () => {
  const a = withGrad([0.5, 0.25]);
  optim.clipGradNorm([a], 10);
  assertEquals([...await a.grad!.data()], [0.5, 0.25]);
});

Deno.test("clipGradNorm() knows other norms", async () => {
  const grads = () => [withGrad([3, -4])];
  assertEquals(await optim.clipGradNorm(grads(), 9, { normType: 1 })!.item(), 7);
  assertEquals(await optim.clipGradNorm(grads(), 9, { normType: Infinity })!.item(), 4);
  assertAlmostEquals(await optim.totalGradNorm(grads(), { normType: 3 })!.item(), 4.4979, 1e-3);
  assertEquals(optim.clipGradNorm([zeros([1], { requiresGrad: true })], 1), undefined);
});

Deno.test("clipping in a compiled step leaves clipped gradients", async () => {
  const layer = new nn.Linear(3, 2);
  const optimizer = new optim.SGD(layer.parameters(), { lr: 0 });
  const step = compile((x: Tensor) => {
    optimizer.zeroGrad();
    layer.forward(x).square().sum().backward();
    const norm = optim.clipGradNorm(layer.parameters(), 0.5);
    optimizer.step();
    return norm;
  });
  for (let i = 0; i < 2; i++) step(rand([4, 3]).add(1));
  const total = await optim.totalGradNorm(layer.parameters())!.item();
  assertAlmostEquals(total, 0.5, 1e-4);
});

Deno.test("clipGradValue() limits elements", async () => {
  const a = withGrad([3, -0.25, -7]);
  optim.clipGradValue([a], 1);
  assertEquals([...await a.grad!.data()], [1, -0.25, -1]);
  assertThrows(
    () => optim.clipGradValue([a], -1),
    RangeError,
    "clipGradValue: clipValue -1 is not at least 0",
  );
  assertThrows(
    () => optim.clipGradNorm([a], -1),
    RangeError,
    "clipGradNorm: maxNorm -1 is not at least 0",
  );
});

Deno.test("EMA averages, swaps and continues", async () => {
  const layer = new nn.Linear(2, 1);
  noGrad(() => layer.parameters().forEach((p) => p.fill_(0)));
  const ema = new optim.EMA(layer, { decay: 0.5, warmup: false });
  noGrad(() => layer.parameters().forEach((p) => p.fill_(4)));
  ema.update();
  ema.update();
  const inside = await ema.swap(() => layer.weight.data());
  assertEquals([...inside], [3, 3]);
  assertEquals([...await layer.weight.data()], [4, 4]);
  const second = new optim.EMA(layer, { decay: 0.5, warmup: false });
  second.loadStateDict(ema.stateDict(), ema.updates);
  assertEquals([...await second.stateDict().weight!.data()], [3, 3]);
  assertThrows(() => second.loadStateDict({}, 0), Error, 'EMA.loadStateDict: missing "weight"');
});

Deno.test("EMA warms up, also within a compiled step", async () => {
  const layer = new nn.Linear(1, 1, { bias: false });
  const optimizer = new optim.SGD(layer.parameters(), { lr: 1 });
  noGrad(() => layer.weight.fill_(0));
  const ema = new optim.EMA(layer);
  const step = compile((x: Tensor) => {
    optimizer.zeroGrad();
    layer.forward(x).sum().backward();
    optimizer.step();
    ema.update();
  });
  step(ones([1, 1])); // weight −1, decay 1 / 10
  step(ones([1, 1])); // weight −2, decay 2 / 11
  assertEquals(ema.updates, 2);
  const expected = -0.9 * 2 / 11 - 2 * 9 / 11;
  assertAlmostEquals(await ema.stateDict().weight!.item(), expected, 1e-5);
  assert(await layer.weight.item() === -2);
});

Deno.test("clipGradNorm() refuses what is no norm", () => {
  for (const normType of [0, -Infinity, NaN]) {
    const message = `clipGradNorm: normType ${normType} is not above 0`;
    assertThrows(() => optim.clipGradNorm([], 1, { normType }), RangeError, message);
  }
});
