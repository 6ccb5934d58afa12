import { assert } from "@std/assert";
import { add, axis, call, constant, load } from "../../../ops/ir/expr.ts";
import type { MapKernel } from "../../../ops/ir/kernel.ts";
import { type ScalarName, scalarRow } from "../../../ops/ir/scalar.ts";
import { out, runOn, wasm } from "./codegen_helpers.ts";

/** Distance in units in the last place of the float32 nearest to `want`. */
function ulps(got: number, want: number): number {
  const rounded = Math.fround(want);
  if (Object.is(got, rounded) || (got !== got && want !== want) || got === rounded) return 0;
  if (!Number.isFinite(rounded) || !Number.isFinite(got)) return Infinity;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(rounded) || 2 ** -149)));
  return Math.abs(got - want) / 2 ** (exponent - 23);
}

const SPECIAL = [0, -0, 1, -1, Infinity, -Infinity, NaN, 1e-45, -1e-40, 1e-38, 3.4e38, -3.4e38];

function samples(low: number, high: number, count: number): number[] {
  const step = (high - low) / (count - 1);
  const line = Array.from({ length: count }, (_, i) => low + i * step);
  const sizes = Array.from({ length: 700 }, (_, i) => 2 ** (i / 4 - 50)).flatMap((x) => [x, -x]);
  return [...SPECIAL, ...line, ...sizes].map(Math.fround);
}

function worst(op: ScalarName, inputs: number[][]): { ulp: number; at: string } {
  const size = inputs[0]!.length;
  const args = inputs.map((_, k) => load(k, "float32", axis(0, size)));
  const kernel: MapKernel = {
    kind: "map",
    shape: [size],
    inputs: inputs.map(() => ({ dtype: "float32" as const })),
    outputs: [out(call(op, args))],
  };
  const [got] = runOn(wasm, kernel, inputs, [size]) as [number[]];
  let ulp = 0, at = "";
  for (let i = 0; i < size; i++) {
    const xs = inputs.map((list) => list[i]!);
    const want = scalarRow(op).evaluate(...xs);
    const error = ulps(got[i]!, want);
    if (error > ulp) [ulp, at] = [error, `${op}(${xs.join(", ")}) = ${got[i]}, not ${want}`];
  }
  return { ulp, at };
}

const UNARY: Partial<Record<ScalarName, readonly [low: number, high: number, ulp: number]>> = {
  exp: [-110, 95, 2],
  log: [0, 1000, 2],
  tanh: [-12, 12, 2.1],
  expm1: [-20, 90, 1],
  log1p: [-1, 100, 1],
  sin: [-1000, 1000, 1],
  cos: [-1000, 1000, 1],
  tan: [-100, 100, 1],
  asin: [-1, 1, 1],
  acos: [-1, 1, 1],
  atan: [-50, 50, 1],
  erf: [-5, 5, 5],
  erfc: [-5, 11, 4],
  sqrt: [0, 100, 1],
  floor: [-5, 5, 0],
  ceil: [-5, 5, 0],
  trunc: [-5, 5, 0],
  round: [-5, 5, 0],
  abs: [-5, 5, 0],
  neg: [-5, 5, 0],
};

for (const [op, range] of Object.entries(UNARY)) {
  const [low, high, bound] = range!;
  Deno.test(`${op} in float32 is within ${bound} units in the last place`, () => {
    const { ulp, at } = worst(op as ScalarName, [samples(low, high, 40001)]);
    assert(ulp <= bound, `${ulp} ulp: ${at}`);
  });
}

const BINARY: Partial<Record<ScalarName, number>> = { pow: 1, atan2: 1, fmod: 1, min: 0, max: 0 };

for (const [op, bound] of Object.entries(BINARY)) {
  Deno.test(`${op} in float32 is within ${bound} units in the last place`, () => {
    const base = [
      ...SPECIAL,
      ...[0.5, 2, 3, -2, -3, 2.5, -2.5, 7, 10, -0.5, 0.1, 100, 1.0001, -7.25, 1e30, -3e-30],
    ].map(Math.fround);
    const pairs = base.flatMap((a) => base.map((b) => [a, b] as const));
    const { ulp, at } = worst(op as ScalarName, [pairs.map((p) => p[0]), pairs.map((p) => p[1])]);
    assert(ulp <= bound!, `${ulp} ulp: ${at}`);
  });
}

Deno.test("1 / (1 + e^x) in float32 is within 3 units in the last place, and 0 and 1 at the ends", () => {
  const xs = [...samples(-90, 90, 20001), NaN, Infinity, -Infinity, 1000, -1000, 0, -0];
  const one = constant(1, "float32");
  const x = load(0, "float32", axis(0, xs.length));
  const kernel: MapKernel = {
    kind: "map",
    shape: [xs.length],
    inputs: [{ dtype: "float32" }],
    outputs: [out(call("div", [one, add(one, call("exp", [x]))]))],
  };
  const [got] = runOn(wasm, kernel, [xs], [xs.length]) as [number[]];
  for (const [i, y] of got.entries()) {
    const want = 1 / (1 + Math.exp(xs[i]!));
    if (Math.abs(want) > 2e-38 || want !== want) assert(ulps(y, want) <= 3, `${xs[i]}: ${y}`);
    else assert(y >= 0 && Math.abs(y - want) < 4.2e-39, `${xs[i]}: ${y}`);
  }
});
