import { assertEquals } from "@std/assert";
import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  interpolate,
  pad,
  type Tensor,
  tensor,
} from "../../ops/mod.ts";

async function list(x: Tensor): Promise<number[]> {
  return [...await x.data()];
}

Deno.test("adaptive pooling makes more of a single element", async () => {
  const x = tensor([[[1], [2]]]); // [1, 2, 1]
  assertEquals(await list(adaptiveAvgPool1d(x, 3)), [1, 1, 1, 2, 2, 2]);
  assertEquals(adaptiveAvgPool2d(x.unsqueeze(-1), [2, 1]).shape, [1, 2, 2, 1]);
});

Deno.test("interpolate() by area enlarges", async () => {
  const x = tensor([[[1, 2, 3]]]);
  assertEquals(await list(interpolate(x, { mode: "area", scaleFactor: 2 })), [1, 1, 2, 2, 3, 3]);
});

Deno.test("interpolate() leaves alone what a factor does not enlarge, in linear modes", async () => {
  const x = tensor([[[0, 1, 2]]]);
  assertEquals(await list(interpolate(x, { mode: "linear", scaleFactor: 1.3 })), [0, 1, 2]);
});

Deno.test("pad() wraps what negative amounts leave", async () => {
  const x = tensor([[0, 1, 2, 3, 4]]);
  assertEquals(await list(pad(x, [-1, 4], { mode: "circular" })), [1, 2, 3, 4, 1, 2, 3, 4]);
  assertEquals(await list(pad(x, [4, -1], { mode: "circular" })), [0, 1, 2, 3, 0, 1, 2, 3]);
});

Deno.test("resampling gives arrays of their own, also where nothing changes", async () => {
  const x = tensor([[[1, 2]]]);
  const results = [
    interpolate(x, { size: 2 }),
    interpolate(x, { size: 2, mode: "linear" }),
    adaptiveAvgPool1d(x, 2),
    pad(x, [0, 0]),
    pad(x, [0, 0], { mode: "reflect" }),
  ];
  x.zero_();
  for (const y of results) assertEquals(await list(y), [1, 2]);
});
