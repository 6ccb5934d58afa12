/** Slices written in place at positions that are tensors: right, and nothing but them is touched. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { compile, ones, type Tensor, tensor, zeros } from "@tensaurus/core";
import { openTestDevice } from "../device.ts";

const ignore = !await openTestDevice();

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

async function list(x: Tensor): Promise<number[]> {
  return [...await x.data()];
}

function positions(...values: number[]): Tensor {
  return tensor(values, { dtype: "int32" });
}

test("indexCopy_() replaces slices; negative positions count from the end", async () => {
  const x = zeros([2, 4, 1]);
  const source = tensor([1, 2, 3, 4]).reshape([2, 2, 1]);
  assertEquals(x.indexCopy_(1, positions(2, -4), source), x);
  assertEquals(await list(x), [2, 0, 1, 0, 4, 0, 3, 0]);
  assertEquals(await list(x.indexCopy(0, positions(0), ones([1, 4, 1]))), [1, 1, 1, 1, 4, 0, 3, 0]);
  x.slice(1, 1, 3).indexCopy_(1, positions(0), tensor([8, 9]).reshape([2, 1, 1]));
  assertEquals(await list(x), [2, 8, 1, 0, 4, 9, 3, 0]);
});

test("indexCopy_() leaves out positions out of range", async () => {
  const x = zeros([3]);
  x.indexCopy_(0, positions(3, 1, -4), tensor([7, 8, 9]));
  assertEquals(await list(x), [0, 8, 0]);
});

test("indexCopy() refuses shapes that do not agree", () => {
  assertThrows(
    () => zeros([2, 4]).indexCopy(1, positions(0, 1), zeros([2, 3])),
    TypeError,
    "indexCopy: index and source do not fit the input: input [2, 4], index [2], source [2, 3]",
  );
});

/** Writes rows that it is given behind those that are there. */
function appender(size: readonly [number, number, number]): {
  rows: Tensor;
  append: (x: Tensor) => Tensor;
} {
  const [heads, length, width] = size;
  const rows = zeros([heads, length, width]), filled = zeros([1], { dtype: "int32" });
  function append(x: Tensor): Tensor {
    rows.indexCopy_(1, filled.add(positions(0, 1)), x.mul(2));
    filled.add_(2);
    return rows.sum([0, 2]);
  }
  return { rows, append };
}

test("indexCopy_() in a compiled function writes only the slices, at a position on the device", async () => {
  const eager = appender([3, 8, 5]), other = appender([3, 8, 5]);
  const compiled = compile(other.append);
  for (const value of [1, 2, 3]) {
    const x = ones([3, 2, 5]).mul(value);
    assertEquals(await list(compiled(x)), await list(eager.append(x)));
  }
  assertEquals(await list(other.rows), await list(eager.rows));
  const plan = compiled.describe(ones([3, 2, 5]));
  const scatter = plan.split("\n").find((line) => line.startsWith("scatter"))!;
  assert(scatter.includes("out 1 120 B"), scatter); // 3 · 2 · 5 floats, not 3 · 8 · 5
});

test("indexCopy_() in a compiled function keeps the old values for who reads them", async () => {
  const x = tensor([1, 2, 3]);
  const step = compile((at: Tensor) => {
    const before = x.mul(10);
    const old = x.detach().clone();
    x.indexCopy_(0, at, tensor([9]));
    return [before, old.sub(x)] as const;
  });
  const [before, difference] = step(positions(1));
  assertEquals(await list(before), [10, 20, 30]);
  assertEquals(await list(difference), [0, -7, 0]);
  assertEquals(await list(x), [1, 9, 3]);
});

test("indexCopy_() twice in one compiled function", async () => {
  const x = zeros([4]);
  const step = compile((at: Tensor) => {
    x.indexCopy_(0, at, tensor([5]));
    x.indexCopy_(0, at.add(1), tensor([6]));
  });
  step(positions(0));
  step(positions(2));
  assertEquals(await list(x), [5, 6, 5, 6]);
});
