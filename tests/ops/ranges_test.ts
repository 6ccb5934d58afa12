/** Arithmetic at the ends of the ranges of its numbers, the same on all devices. */
import { assert, assertEquals } from "@std/assert";
import {
  digamma,
  div,
  erfc,
  expm1,
  floorDivide,
  fmod,
  lgamma,
  neg,
  randint,
  remainder,
  sin,
  tan,
  tanh,
  type Tensor,
  tensor,
} from "../../ops/mod.ts";
import { openTestDevice, testDeviceName } from "../device.ts";

const ignore = !await openTestDevice();

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

async function list(x: Tensor): Promise<number[]> {
  return [...await x.data()];
}

async function assertNear(got: Tensor, want: readonly number[], relative = 1e-6): Promise<void> {
  const values = await list(got);
  assertEquals(values.length, want.length);
  for (const [i, y] of values.entries()) {
    const w = want[i]!, near = Math.abs(y - w) <= relative * Math.abs(w);
    assert(Object.is(y, w) || near, `${i}: ${y}, expected ${w}`);
  }
}

test("sin() and tan() know angles of any size", async () => {
  const x = [1e6, -3e7, 1e10, 35367147274240, 1e20, -3e30, 3.4e38, 1e38].map(Math.fround);
  await assertNear(sin(tensor(x)), x.map(Math.sin));
  await assertNear(tan(tensor(x)), x.map(Math.tan));
});

test("fmod() and remainder() are exact, however large the quotient", async () => {
  const a = [1e30, -1e30, 3.4e38, 1e10, -7.95e30].map(Math.fround);
  const b = [3, 7, 1e-30, 0.1, -2.7e-8].map(Math.fround);
  const rest = a.map((x, i) => x % b[i]!);
  assertEquals(await list(fmod(tensor(a), tensor(b))), rest);
  const same = rest.map((r, i) => r !== 0 && r < 0 !== b[i]! < 0 ? Math.fround(r + b[i]!) : r);
  assertEquals(await list(remainder(tensor(a), tensor(b))), same);
});

test("floorDivide() by 0 is the quotient, also of infinities", async () => {
  const a = [Infinity, -Infinity, 1, -1, 0], b = [0, 0, 0, 0, 0];
  assertEquals(
    await list(floorDivide(tensor(a), tensor(b))),
    [Infinity, -Infinity, Infinity, -Infinity, NaN],
  );
});

test("−0 stays −0", async () => {
  for (const f of [sin, tan, tanh, expm1]) {
    assert(Object.is(await f(tensor([-0])).item(), -0), f.name);
  }
});

test("lgamma() is 0 at 1 and 2, and reaches to the ends of the range", async () => {
  await assertNear(lgamma(tensor([1, 2, 1.0009765625, 1.9990234375, 0.5, 3, 8.5, 100, 4.04e36])), [
    0,
    0,
    -0.0005629031799917472,
    -0.0004125677359712032,
    0.5723649429247004,
    0.693147180559945,
    9.549267257300999,
    359.1342053695754,
    3.3648879838028485e38,
  ]);
  assertEquals(
    await list(lgamma(tensor([0, -3, -4.07e36, Infinity, -Infinity]))),
    [Infinity, Infinity, Infinity, Infinity, Infinity],
  );
  assertEquals(await list(digamma(tensor([0, -0, -1]))), [-Infinity, Infinity, NaN]);
});

test("erfc(), lgamma() and digamma() are exact to float64 where there is float64", async () => {
  if (testDeviceName() !== "cpu") return;
  const of = (...x: number[]) => tensor(x, { dtype: "float64" });
  await assertNear(
    erfc(of(0.5, 1, 2.4, 2.485893726348877)),
    [0.4795001221869535, 0.15729920705028513, 6.885138966450786e-4, 4.387868995141957e-4],
    2e-15,
  );
  await assertNear(
    lgamma(of(1, 1.001, 2.5, 7.25, 1e4)),
    [0, -5.763935982833063e-4, 0.2846828704729192, 7.0521854507385395, 82099.71749644238],
    1e-14,
  );
  await assertNear(digamma(of(0.5, 1, 6)), [
    -1.9635100260214235,
    -0.5772156649015329,
    1.7061176684318003,
  ], 1e-14);
});

test("integers divided by 0 are 0, on all devices", async () => {
  for (const dtype of ["int32", "uint32"] as const) {
    const a = tensor([7, 5, 0], { dtype }), b = tensor([0, 2, 0], { dtype });
    assertEquals(await list(floorDivide(a, b)), [0, 2, 0]);
    assertEquals(await list(remainder(a, b)), [0, 1, 0]);
    assertEquals(await list(fmod(a, b)), [0, 1, 0]);
  }
  const a = tensor([-7, -7, -2147483648, 5], { dtype: "int32" });
  const b = tensor([2, 0, -1, 0], { dtype: "int32" });
  assertEquals(await list(div(a, b, { roundingMode: "trunc" })), [-3, 0, -2147483648, 0]);
  assertEquals(await list(fmod(a, b)), [-1, 0, 0, 0]);
});

test("integers keep their bits between int32 and uint32, and uint32 wraps", async () => {
  const signed = tensor([-1, -2147483648, 7], { dtype: "int32" });
  assertEquals(await list(signed.to("uint32")), [4294967295, 2147483648, 7]);
  const unsigned = tensor([4294967295, 2147483648, 7], { dtype: "uint32" });
  assertEquals(await list(unsigned.to("int32")), [-1, -2147483648, 7]);
  assertEquals(await list(neg(unsigned)), [1, 2147483648, 4294967289]);
  const wide = await list(randint(-2147483648, 2147483647, [64]));
  assert(wide.some((x) => x < 0 && x !== -1) && wide.some((x) => x > 0));
});
