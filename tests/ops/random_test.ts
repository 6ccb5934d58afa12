import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  bernoulli,
  dropout,
  full,
  Generator,
  getRandomState,
  manualSeed,
  multinomial,
  ones,
  rand,
  randint,
  randn,
  randperm,
  setRandomState,
  tensor,
} from "../../ops/mod.ts";
import type { DeviceName } from "../../ops/mod.ts";

const COUNT = 4096;

function bits(values: ArrayLike<number>): Uint32Array {
  return new Uint32Array(Float32Array.from(values).buffer);
}

Deno.test("rand() gives the same bits for the same seed", async () => {
  manualSeed(7);
  const first = bits(await rand([513]).data());
  const second = bits(await rand([513]).data());
  manualSeed(7);
  assertEquals(bits(await rand([513]).data()), first);
  assertNotEquals(second, first);
});

Deno.test("rand() gives the same numbers on all devices", async () => {
  const draw = async (
    device: DeviceName,
  ) => [...await rand([1000], { device, generator: new Generator(3) }).data()];
  assertEquals(await draw("cpu"), await draw("reference"));
});

Deno.test("randint() gives the same numbers on all devices", async () => {
  const draw = async (
    device: DeviceName,
  ) => [...await randint(-5, 100, [1000], { device, generator: new Generator(3) }).data()];
  assertEquals(await draw("cpu"), await draw("reference"));
});

Deno.test("random states continue where they were saved", async () => {
  manualSeed(1);
  rand([4]);
  const state = getRandomState();
  const next = [...await randn([8]).data()];
  setRandomState(state);
  assertEquals([...await randn([8]).data()], next);
});

Deno.test("randn() has mean 0 and deviation 1", async () => {
  const values = [...await randn([COUNT], { generator: new Generator(5) }).data()];
  const mean = values.reduce((a, b) => a + b, 0) / COUNT;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / COUNT;
  // Five standard errors.
  assert(Math.abs(mean) < 5 / Math.sqrt(COUNT));
  assert(Math.abs(variance - 1) < 5 * Math.sqrt(2 / COUNT));
});

Deno.test("rand() stays in [0, 1) and is even", async () => {
  const values = [...await rand([COUNT], { generator: new Generator(5) }).data()];
  assert(values.every((v) => v >= 0 && v < 1));
  const mean = values.reduce((a, b) => a + b, 0) / COUNT;
  assert(Math.abs(mean - 0.5) < 5 / Math.sqrt(12 * COUNT));
});

Deno.test("randperm() gives each number once", async () => {
  const values = [...await randperm(100, { generator: new Generator(2) }).data()];
  assertEquals(values.toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("dropout() keeps its share, scales it, and repeats its mask in the gradient", async () => {
  manualSeed(9);
  const x = ones([COUNT], { requiresGrad: true });
  const y = dropout(x, { p: 0.25 });
  y.sum().backward();
  const values = [...await y.data()];
  assertEquals([...await x.grad!.data()], values);
  assert(values.every((v) => v === 0 || Math.abs(v - 4 / 3) < 1e-6));
  const kept = values.filter((v) => v !== 0).length / COUNT;
  assert(Math.abs(kept - 0.75) < 5 * Math.sqrt(0.25 * 0.75 / COUNT));
});

Deno.test("dropout() of whole channels drops all of a channel", async () => {
  manualSeed(4);
  const y = dropout(ones([8, 8, 5]), { p: 0.5, axes: [0, 1] });
  const sums = [...await y.sum(2).data()];
  assert(sums.every((s) => s === 0 || Math.abs(s - 10) < 1e-5));
});

Deno.test("bernoulli() gives 1 with the probability named", async () => {
  const p = full([COUNT], 0.3);
  const mean = await bernoulli(p, { generator: new Generator(1) }).mean().item();
  assert(Math.abs(mean - 0.3) < 5 * Math.sqrt(0.21 / COUNT));
});

Deno.test("multinomial() draws by weight", async () => {
  const weights = tensor([1, 0, 3]);
  const generator = new Generator(1);
  const options = { generator, replacement: true };
  const draws = [...await multinomial(weights, COUNT, options).data()];
  const share = draws.filter((d) => d === 2).length / COUNT;
  assert(draws.every((d) => d !== 1));
  assert(Math.abs(share - 0.75) < 5 * Math.sqrt(0.1875 / COUNT));
});

Deno.test("multinomial() without replacement draws each position once, heavy ones first", async () => {
  const weights = tensor([1, 0, 3]).expand([COUNT, 3]);
  const draws = [...await multinomial(weights, 2, { generator: new Generator(1) }).data()];
  let heavy = 0;
  for (let i = 0; i < draws.length; i += 2) {
    assertEquals([draws[i]!, draws[i + 1]!].sort(), [0, 2]);
    if (draws[i] === 2) heavy++;
  }
  assert(Math.abs(heavy / COUNT - 0.75) < 5 * Math.sqrt(0.1875 / COUNT));
  const all = [...await multinomial(tensor([1, 0, 3]), 3).data()];
  assertEquals(all[2], 1);
});

Deno.test("random functions throw for bad arguments", () => {
  assertThrows(
    () => multinomial(tensor([1, 2]), 3),
    RangeError,
    "multinomial: count 3 is more than 2 weights: weights [2] (pass { replacement: true })",
  );
  assertThrows(
    () => manualSeed(-1),
    RangeError,
    "manualSeed: seed -1 is not a whole number from 0 to 2^53 - 1",
  );
  assertThrows(
    () => randint(3, 3, [1]),
    RangeError,
    "randint: low 3 and high 3 are not a range of whole numbers",
  );
  assertThrows(
    () => dropout(ones([1]), { p: 1.5 }),
    RangeError,
    "dropout: p 1.5 is not between 0 and 1",
  );
});
