/** Running extrema; the wanted indices are those of torch 2.15. */
import { assertEquals } from "@std/assert";
import { cummax, cummin, manualSeed, randint, tensor } from "../../ops/mod.ts";
import { openTestDevice, testDeviceName } from "../device.ts";

const ignore = !await openTestDevice();
const DEVICE = testDeviceName();

const N = NaN;
const ROWS = [
  [2, 2, 1, 3, 3, 0, 3],
  [1, N, 5, N, 2, N, 9],
  [-0, 0, -1, -1, -2, -2, 7],
];

Deno.test({
  name: `cummax() and cummin() give the last of equal elements: ${DEVICE}`,
  ignore,
  fn: async () => {
    const x = tensor(ROWS);
    assertEquals(await cummax(x, 1).values.tolist(), [
      [2, 2, 2, 3, 3, 3, 3],
      [1, N, N, N, N, N, N],
      [-0, 0, 0, 0, 0, 0, 7],
    ]);
    assertEquals(await cummax(x, 1).indices.tolist(), [
      [0, 1, 1, 3, 4, 4, 6],
      [0, 1, 1, 3, 3, 5, 5],
      [0, 1, 1, 1, 1, 1, 6],
    ]);
    assertEquals(await cummax(x, -2).indices.tolist(), [
      [0, 0, 0, 0, 0, 0, 0],
      [0, 1, 1, 1, 0, 1, 1],
      [0, 1, 1, 1, 0, 1, 1],
    ]);
    assertEquals(await cummin(x, 1).values.tolist(), [
      [2, 2, 1, 1, 1, 0, 0],
      [1, N, N, N, N, N, N],
      [-0, 0, -1, -1, -2, -2, -2],
    ]);
    assertEquals(await cummin(x, 1).indices.tolist(), [
      [0, 1, 2, 2, 2, 5, 5],
      [0, 1, 1, 3, 3, 5, 5],
      [0, 1, 2, 3, 4, 5, 5],
    ]);
    assertEquals(await cummin(x, 0).indices.tolist(), [
      [0, 0, 0, 0, 0, 0, 0],
      [1, 1, 0, 1, 1, 1, 0],
      [2, 1, 2, 1, 2, 1, 0],
    ]);
  },
});

Deno.test({
  name: `cummax() and cummin() of integers, booleans and one number: ${DEVICE}`,
  ignore,
  fn: async () => {
    const integers = tensor([4, 4, -1, -1, 4], { dtype: "int32" });
    assertEquals(await cummax(integers, 0).indices.tolist(), [0, 1, 1, 1, 4]);
    assertEquals(await cummin(integers, 0).indices.tolist(), [0, 1, 2, 3, 3]);
    const flags = tensor([false, false, true, true, false]);
    const most = cummax(flags, 0);
    assertEquals([most.values.dtype, most.indices.dtype], ["bool", "int32"]);
    assertEquals(await most.indices.tolist(), [0, 1, 2, 3, 3]);
    assertEquals(await cummin(flags, 0).indices.tolist(), [0, 1, 1, 1, 4]);
    const { values, indices } = cummax(tensor(3), 0);
    assertEquals([await values.item(), await indices.item()], [3, 0]);
  },
});

Deno.test({
  name: `cummax() finds the last of equal elements over long rows: ${DEVICE}`,
  ignore,
  fn: async () => {
    manualSeed(3);
    const x = randint(0, 9, [5000]);
    const values = await x.data();
    let last = 0;
    const wanted = Array.from(values, (value, i) => last = value >= values[last]! ? i : last);
    assertEquals(Array.from(await cummax(x, 0).indices.data(), Number), wanted);
  },
});

Deno.test({
  name: `cummax() hands its gradient to the last of equal elements: ${DEVICE}`,
  ignore,
  fn: async () => {
    const w = tensor([1, 3, 3, 2], { requiresGrad: true });
    cummax(w, 0).values.sum().backward();
    assertEquals(await w.grad!.tolist(), [1, 1, 2, 0]);
  },
});
