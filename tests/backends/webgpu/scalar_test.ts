import { assertEquals } from "@std/assert";
import { axis, call, cast, constant, type Expr, load } from "../../../ops/ir/expr.ts";
import type { MapKernel } from "../../../ops/ir/kernel.ts";
import type { DType } from "../../../ops/ir/dtype.ts";
import { philox, type ScalarName, scalarRow, SCALARS } from "../../../ops/ir/scalar.ts";
import { gpuTest, randoms, runKernel } from "./support.ts";

/** Where a function is tested and how exact it must be, in units of float32's last place. */
interface Range {
  readonly low: number;
  readonly high: number;
  readonly ulps: number;
  /** Error allowed besides, where the result passes through zero. */
  readonly absolute?: number;
}

const UNARY: Partial<Record<ScalarName, readonly Range[]>> = {
  sqrt: [{ low: 0, high: 1e6, ulps: 3 }],
  exp: [{ low: -87, high: 88.5, ulps: 3 }, { low: -1e-3, high: 1e-3, ulps: 1 }],
  log: [{ low: 1e-30, high: 1e-20, ulps: 2 }, { low: 0.5, high: 2, ulps: 3 }, {
    low: 1e3,
    high: 1e30,
    ulps: 2,
  }],
  expm1: [{ low: -10, high: 10, ulps: 4 }, { low: -1e-4, high: 1e-4, ulps: 2 }],
  log1p: [{ low: -0.99, high: 100, ulps: 4 }, { low: -1e-4, high: 1e-4, ulps: 2 }],
  sin: [
    { low: -10, high: 10, ulps: 4, absolute: 1e-7 },
    { low: -8000, high: 8000, ulps: 4, absolute: 1e-7 },
    { low: 1e4, high: 1e9, ulps: 4, absolute: 1e-7 },
    { low: 1e20, high: 1e30, ulps: 4, absolute: 1e-7 },
  ],
  cos: [
    { low: -10, high: 10, ulps: 4, absolute: 1e-7 },
    { low: -8000, high: 8000, ulps: 4, absolute: 1e-7 },
    { low: -1e9, high: -1e4, ulps: 4, absolute: 1e-7 },
    { low: 1e20, high: 1e30, ulps: 4, absolute: 1e-7 },
  ],
  tan: [{ low: -1.5, high: 1.5, ulps: 6 }, { low: 1e4, high: 1e6, ulps: 6, absolute: 1e-7 }],
  asin: [{ low: -1, high: 1, ulps: 4 }],
  acos: [{ low: -1, high: 1, ulps: 4, absolute: 2e-7 }],
  atan: [{ low: -10, high: 10, ulps: 4 }, { low: 1e3, high: 1e20, ulps: 3 }],
  tanh: [{ low: -10, high: 10, ulps: 4 }, { low: -0.01, high: 0.01, ulps: 2 }],
  erf: [{ low: -4, high: 4, ulps: 4 }, { low: -0.01, high: 0.01, ulps: 3 }],
  erfc: [{ low: -4, high: 0.5, ulps: 5 }, { low: 0.5, high: 9, ulps: 8 }],
  floor: [{ low: -100, high: 100, ulps: 0 }],
  ceil: [{ low: -100, high: 100, ulps: 0 }],
  trunc: [{ low: -100, high: 100, ulps: 0 }],
  round: [{ low: -100, high: 100, ulps: 0 }],
  neg: [{ low: -100, high: 100, ulps: 0 }],
  abs: [{ low: -100, high: 100, ulps: 0 }],
};

/** `value` of `arity` arrays of length `n`. */
function mapOf(n: number, types: readonly DType[], value: (args: Expr[]) => Expr): MapKernel {
  const result = value(types.map((dtype, i) => load(i, dtype, axis(0, n))));
  return {
    kind: "map",
    shape: [n],
    inputs: types.map((dtype) => ({ dtype })),
    outputs: [{ dtype: result.dtype, value: result, index: undefined }],
  };
}

function ulpOf(x: number): number {
  const size = Math.max(Math.abs(x), 1.1754943508222875e-38);
  return 2 ** (Math.floor(Math.log2(size)) - 23);
}

function assertExact(
  what: string,
  actual: readonly number[],
  expected: readonly number[],
  range: { readonly ulps: number; readonly absolute?: number },
  inputs: readonly (readonly number[])[],
): void {
  let worst = 0, text = "";
  for (const [i, e] of expected.entries()) {
    const a = actual[i]!, rounded = Math.fround(e);
    if (Object.is(a, rounded) || a === rounded || (a !== a && e !== e)) continue;
    const error = Math.max(0, Math.abs(a - e) - (range.absolute ?? 0)) / ulpOf(e);
    // Adapters may flush what is below the smallest normal number.
    if (Math.abs(e) < 1.2e-38 && Math.abs(a) < 1.2e-38) continue;
    if (!(error <= worst)) {
      worst = error;
      text = `${what}(${inputs.map((x) => x[i])}) is ${a}, expected ${e}: ${error} ulps`;
    }
  }
  if (!(worst <= range.ulps + 0.51)) throw new Error(text);
}

/** Numbers over a range, evenly, and evenly by exponent where it spans several. */
function samples({ low, high }: Range): number[] {
  const even = randoms(600).map((v) => low + (high - low) * (v + 1) / 2);
  if (low > 0 && high / low > 100) {
    const ratio = Math.log(high / low);
    even.push(...randoms(600, 2).map((v) => low * Math.exp(ratio * (v + 1) / 2)));
  }
  return even.map(Math.fround).filter((v) => v >= low && v <= high);
}

gpuTest("scalar functions of one argument are exact to their table", async (backend) => {
  const problems: string[] = [];
  for (const [name, ranges] of Object.entries(UNARY) as [ScalarName, readonly Range[]][]) {
    for (const range of ranges) {
      const xs = samples(range);
      const kernel = mapOf(xs.length, ["float32"], ([x]) => call(name, [x!]));
      const inputs = [{ dtype: "float32" as const, values: xs }];
      const [actual] = await runKernel(backend, kernel, inputs, [{ size: xs.length }]);
      const evaluate: (x: number) => number = scalarRow(name).evaluate;
      try {
        assertExact(name, actual!, xs.map((x) => evaluate(x)), range, [xs]);
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
  }
  assertEquals(problems, []);
});

const SPECIAL = [0, -0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 7.5, 1e30, -1e30, Infinity, -Infinity, NaN];

gpuTest("scalar functions of one argument handle NaN, infinity and zeros", async (backend) => {
  const problems: string[] = [];
  for (const name of [...Object.keys(UNARY), "isnan"] as ScalarName[]) {
    const kernel = mapOf(SPECIAL.length, ["float32"], ([x]) => call(name, [x!]));
    const inputs = [{ dtype: "float32" as const, values: SPECIAL }];
    const [actual] = await runKernel(backend, kernel, inputs, [{ size: SPECIAL.length }]);
    const evaluate: (x: number) => number = scalarRow(name).evaluate;
    try {
      const expected = SPECIAL.map((x) => evaluate(Math.fround(x)));
      assertExact(name, actual!, expected, { ulps: 6, absolute: 2e-7 }, [SPECIAL]);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  assertEquals(problems, []);
});

/** All pairs of `values`. */
function pairs(values: readonly number[]): [number[], number[]] {
  return [values.flatMap((x) => values.map(() => x)), values.flatMap(() => [...values])];
}

gpuTest("scalar functions of two floats handle all pairs of special values", async (backend) => {
  const problems: string[] = [];
  const [xs, ys] = pairs(SPECIAL);
  const names = [
    "add",
    "sub",
    "mul",
    "div",
    "fmod",
    "pow",
    "atan2",
    "min",
    "max",
    "lt",
    "le",
    "eq",
    "ne",
  ] as const;
  for (const name of names) {
    const kernel = mapOf(xs.length, ["float32", "float32"], ([x, y]) => call(name, [x!, y!]));
    const inputs = [xs, ys].map((values) => ({ dtype: "float32" as const, values }));
    const [actual] = await runKernel(backend, kernel, inputs, [{ size: xs.length }]);
    const evaluate: (x: number, y: number) => number = scalarRow(name).evaluate;
    const expected = xs.map((x, i) => {
      const [a, b] = [Math.fround(x), Math.fround(ys[i]!)];
      // C and PyTorch: (±1) ** ±∞ is 1, in JavaScript NaN.
      if (name === "pow" && Math.abs(a) === 1 && Math.abs(b) === Infinity) return 1;
      return evaluate(a, b);
    });
    try {
      assertExact(name, actual!, expected, { ulps: 4 }, [xs, ys]);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  assertEquals(problems, []);
});

gpuTest("pow, fmod and atan2 are exact over wide ranges", async (backend) => {
  const problems: string[] = [];
  const n = 4000, r = [1, 2, 3, 4].map((seed) => randoms(n, seed));
  const wide = (v: number) => Math.fround(Math.sign(v) * Math.exp(20 * Math.abs(v) - 10));
  const cases: [ScalarName, number[], number[], number][] = [
    ["pow", r[0]!.map((v) => Math.fround(Math.exp(5 * v))), r[1]!.map((v) => 10 * v), 2],
    ["pow", r[0]!.map((v) => 3 * v), r[1]!.map((v) => Math.round(6 * v)), 2],
    ["pow", r[0]!.map((v) => Math.fround(1 + v / 1000)), r[1]!.map((v) => 3e4 * v), 2],
    ["fmod", r[0]!.map(wide), r[1]!.map(wide), 0],
    ["fmod", r[0]!.map((v) => Math.fround(v * 1e30)), r[1]!.map(wide), 0],
    ["atan2", r[0]!, r[1]!, 5],
    ["atan2", r[2]!.map(wide), r[3]!.map(wide), 5],
  ];
  for (const [name, xs, ys, ulps] of cases) {
    const kernel = mapOf(n, ["float32", "float32"], ([x, y]) => call(name, [x!, y!]));
    const inputs = [xs, ys.map(Math.fround)].map((values) => ({
      dtype: "float32" as const,
      values: values.map(Math.fround),
    }));
    const [actual] = await runKernel(backend, kernel, inputs, [{ size: n }]);
    const evaluate: (x: number, y: number) => number = scalarRow(name).evaluate;
    const expected = inputs[0]!.values.map((x, i) => evaluate(x, inputs[1]!.values[i]!));
    try {
      assertExact(name, actual!, expected, { ulps }, [xs, ys]);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  assertEquals(problems, []);
});

const INTEGERS = [0, 1, -1, 2, -2, 3, -3, 7, -7, 100, -100, 65537, 2147483647, -2147483648];

gpuTest("scalar functions of integers wrap, divide and shift", async (backend) => {
  const problems: string[] = [];
  const names: ScalarName[] = [
    ...["add", "sub", "tdiv", "trem", "min", "max", "and", "or", "xor", "lt", "le"] as const,
    ...["eq", "ne"] as const,
  ];
  for (const dtype of ["int32", "uint32"] as const) {
    const own = dtype === "uint32" ? INTEGERS.map((v) => v >>> 0) : INTEGERS;
    const [xs, ys] = pairs(own);
    for (const name of names) {
      const kernel = mapOf(xs.length, [dtype, dtype], ([x, y]) => call(name, [x!, y!]));
      const inputs = [xs, ys].map((values) => ({ dtype, values }));
      const [actual] = await runKernel(backend, kernel, inputs, [{ size: xs.length }]);
      const evaluate: (x: number, y: number) => number = scalarRow(name).evaluate;
      const wrap = (v: number) => dtype === "uint32" ? v >>> 0 : v | 0;
      for (const [i, x] of xs.entries()) {
        const y = ys[i]!;
        const e = wrap(evaluate(x, y));
        if (actual![i] !== e) {
          problems.push(`${dtype} ${name}(${x}, ${y}) is ${actual![i]}, not ${e}`);
        }
      }
    }
  }
  assertEquals(problems, []);
});

gpuTest("shifts, products and index arithmetic of integers", async (backend) => {
  const n = INTEGERS.length;
  const cases: [DType, (x: Expr) => Expr, (x: number) => number][] = [
    ["int32", (x) => call("shr", [x, constant(3, "int32")]), (x) => x >> 3],
    ["uint32", (x) => call("shr", [x, constant(3, "uint32")]), (x) => x >>> 3],
    ["int32", (x) => call("shl", [x, constant(3, "int32")]), (x) => x << 3],
    ["int32", (x) => call("mul", [x, constant(48271, "int32")]), (x) => Math.imul(x, 48271)],
    ["int32", (x) => call("neg", [x]), (x) => -x | 0],
    ["uint32", (x) => call("neg", [x]), (x) => -x >>> 0],
    ["uint32", (x) => cast(x, "int32"), (x) => x | 0],
    ["int32", (x) => cast(x, "uint32"), (x) => x >>> 0],
    ["int32", (x) => call("abs", [x]), (x) => Math.abs(x) | 0],
    ["int32", (x) => call("floor", [x]), (x) => x],
    ["uint32", (x) => call("idiv", [x, constant(7, "uint32")]), (x) => Math.floor(x / 7)],
    ["uint32", (x) => call("imod", [x, constant(7, "uint32")]), (x) => x % 7],
  ];
  for (const [dtype, value, evaluate] of cases) {
    const values = dtype === "uint32" ? INTEGERS.map((v) => v >>> 0) : INTEGERS;
    const kernel = mapOf(n, [dtype], ([x]) => value(x!));
    const [actual] = await runKernel(backend, kernel, [{ dtype, values }], [{ size: n }]);
    assertEquals(actual!.slice(0, n), values.map(evaluate));
  }
});

gpuTest("casts truncate, saturate and compare; bitcasts keep bits", async (backend) => {
  const floats = [
    0,
    -0,
    0.9,
    -0.9,
    1.5,
    -1.5,
    2147483520,
    3e9,
    -3e9,
    5e9,
    Infinity,
    -Infinity,
    NaN,
  ];
  const n = floats.length;
  const to = async (target: DType, op: "cast" | "bitcast") => {
    const kernel = mapOf(n, ["float32"], ([x]) => call(op, [x!], target));
    const inputs = [{ dtype: "float32" as const, values: floats }];
    return (await runKernel(backend, kernel, inputs, [{ size: n }]))[0]!.slice(0, n);
  };
  assertEquals(
    await to("int32", "cast"),
    [
      0,
      0,
      0,
      0,
      1,
      -1,
      2147483520,
      2147483647,
      -2147483648,
      2147483647,
      2147483647,
      -2147483648,
      0,
    ],
  );
  assertEquals(
    await to("uint32", "cast"),
    [0, 0, 0, 0, 1, 0, 2147483520, 3e9, 0, 4294967295, 4294967295, 0, 0],
  );
  assertEquals(await to("bool", "cast"), [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  const bits = new Int32Array(Float32Array.from(floats).buffer);
  assertEquals(await to("int32", "bitcast"), [...bits]);
});

gpuTest("bools combine logically and count as 0 and 1", async (backend) => {
  const [xs, ys] = pairs([0, 1]);
  for (const name of ["and", "or", "xor", "eq", "ne", "lt", "le", "min", "max"] as const) {
    const kernel = mapOf(4, ["bool", "bool"], ([x, y]) => call(name, [x!, y!]));
    const inputs = [xs, ys].map((values) => ({ dtype: "bool" as const, values }));
    const [actual] = await runKernel(backend, kernel, inputs, [{ size: 4 }]);
    const evaluate: (x: number, y: number) => number = scalarRow(name).evaluate;
    assertEquals(actual!.slice(0, 4), xs.map((x, i) => evaluate(x, ys[i]!)), name);
  }
  const kernel = mapOf(
    4,
    ["bool"],
    ([x]) => call("add", [cast(x!, "float32"), cast(call("not", [x!]), "float32")]),
  );
  const [actual] = await runKernel(backend, kernel, [{ dtype: "bool", values: xs }], [{ size: 4 }]);
  assertEquals(actual!.slice(0, 4), [1, 1, 1, 1]);
});

gpuTest("philox gives the same bits as the table", async (backend) => {
  const n = 300, calls = [0, 1, 4294967295], keys = [0, 123456789, 0x80000000];
  for (const [i, count] of calls.entries()) {
    for (const word of [0, 1, 2, 3]) {
      const key = keys[i]!;
      const kernel = mapOf(n, [], () =>
        call("philox", [
          axis(0, n),
          constant(count, "uint32"),
          constant(key, "uint32"),
          constant(7, "uint32"),
          constant(word, "uint32"),
        ]));
      const [actual] = await runKernel(backend, kernel, [], [{ size: n }]);
      const expected = Array.from({ length: n }, (_, x) => philox(x, count, key, 7, word));
      assertEquals(actual!.slice(0, n), expected);
    }
  }
});

Deno.test("webgpu: every scalar function is spelled", async () => {
  const { SPELLINGS } = await import("../../../ops/backends/webgpu/wgsl.ts");
  assertEquals(Object.keys(SPELLINGS).sort(), Object.keys(SCALARS).sort());
});
