import { assertEquals } from "@std/assert";
import {
  acc,
  add,
  axis,
  call,
  cast,
  constant,
  div,
  type Expr,
  int,
  load,
  lt,
  mul,
  strided,
  sub,
} from "../../../ops/ir/expr.ts";
import type { DType } from "../../../ops/ir/dtype.ts";
import type { ContractKernel, ReduceKernel, ReduceOp } from "../../../ops/ir/kernel.ts";
import { Random } from "../../ir/helpers.ts";
import { compare, out, runOn, wasm } from "./codegen_helpers.ts";

const random = new Random(11);

function normal(count: number): number[] {
  return Array.from({ length: count }, () => Math.fround(random.uniform() * 4 - 2));
}

function simple(
  op: ReduceOp,
  m: number,
  n: number,
  strides: readonly number[],
  dtype: DType,
): ReduceKernel {
  const x = load(0, dtype, strided([axis(0, m), axis(1, n)], strides));
  const type = op.startsWith("arg") ? "int32" : dtype;
  return {
    kind: "reduce",
    shape: [m],
    reduce: [n],
    inputs: [{ dtype }],
    reductions: [{ op, body: x, dtype: type }],
    outputs: [out(acc(0, type))],
  };
}

const OPS: readonly ReduceOp[] = ["sum", "prod", "max", "min", "argmax", "argmin"];

Deno.test("reduce kernels combine rows and columns of any size", () => {
  for (const n of [1, 3, 4, 5, 63, 64, 65, 500, 513]) {
    for (const m of [1, 3, 5, 17, 64]) {
      for (const op of OPS) {
        const tolerance = { absolute: 1e-5, relative: 1e-5 };
        compare(simple(op, m, n, [n, 1], "float32"), [normal(m * n)], [m], tolerance);
        compare(simple(op, m, n, [1, m], "float32"), [normal(m * n)], [m], tolerance);
      }
    }
  }
});

Deno.test("reduce kernels work on integers, bools and float64", () => {
  for (const [m, n] of [[5, 37], [16, 9]] as const) {
    for (const strides of [[n, 1], [1, m]]) {
      for (const op of OPS) {
        const ints = Array.from({ length: m * n }, () => random.int(-3, 3));
        compare(simple(op, m, n, strides, "int32"), [ints], [m]);
        compare(simple(op, m, n, strides, "uint32"), [ints.map((x) => x + 3)], [m]);
        compare(simple(op, m, n, strides, "float64"), [normal(m * n)], [m], { relative: 1e-13 });
        if (op === "sum" || op === "prod") continue;
        compare(simple(op, m, n, strides, "bool"), [ints.map((x) => x > 1 ? 1 : 0)], [m]);
      }
    }
  }
});

Deno.test("argmax and argmin take the first of equals, and NaN before all", () => {
  for (const n of [5, 16, 33, 100]) {
    for (const strides of [[n, 1], [1, 4]]) {
      for (const op of ["argmax", "argmin", "max", "min"] as const) {
        const values = Array.from({ length: 4 * n }, () => random.int(0, 2));
        compare(simple(op, 4, n, strides, "float32"), [values], [4]);
        values[n - 1] = values[n - 2] = values[2 * n + 1] = NaN;
        compare(simple(op, 4, n, strides, "float32"), [values], [4]);
        compare(simple(op, 4, n, strides, "float32"), [values.map(() => -Infinity)], [4]);
        compare(simple(op, 4, n, strides, "float32"), [values.map(() => Infinity)], [4]);
      }
    }
  }
});

/** Softmax over the last or first axis. */
function softmax(m: number, n: number, strides: readonly number[]): ReduceKernel {
  const x = load(0, "float32", strided([axis(0, m), axis(1, n)], strides));
  const e = call("exp", [sub(x, acc(0, "float32"))]);
  return {
    kind: "reduce",
    shape: [m],
    reduce: [n],
    inputs: [{ dtype: "float32" }],
    reductions: [{ op: "max", body: x, dtype: "float32" }, {
      op: "sum",
      body: e,
      dtype: "float32",
    }],
    outputs: [
      out(div(e, acc(1, "float32")), strided([axis(0, m), axis(1, n)], strides), true),
      out(add(call("log", [acc(1, "float32")]), acc(0, "float32"))),
    ],
  };
}

Deno.test("reduce kernels run stages: softmax with its logarithm of sums", () => {
  for (const [m, n] of [[7, 65], [3, 3], [16, 10], [1, 1000], [70, 4], [5, 1], [1, 1]] as const) {
    compare(softmax(m, n, [n, 1]), [normal(m * n)], [m * n, m], { absolute: 1e-6, relative: 1e-5 });
    compare(softmax(m, n, [1, m]), [normal(m * n)], [m * n, m], { absolute: 1e-6, relative: 1e-5 });
  }
});

Deno.test("reduce kernels sum over several axes, with mean and variance in two stages", () => {
  const [n, c, h, w] = [3, 5, 7, 9];
  const axes = [axis(0, c), axis(1, n), axis(2, h), axis(3, w)];
  const x = load(0, "float32", strided(axes, [h * w, c * h * w, w, 1]));
  const mean = div(acc(0, "float32"), constant(n * h * w, "float32"));
  const d = sub(x, mean);
  const kernel: ReduceKernel = {
    kind: "reduce",
    shape: [c],
    reduce: [n, h, w],
    inputs: [{ dtype: "float32" }],
    reductions: [
      { op: "sum", body: x, dtype: "float32" },
      { op: "sum", body: mul(d, d), dtype: "float32" },
    ],
    outputs: [out(mean), out(acc(1, "float32"))],
  };
  compare(kernel, [normal(n * c * h * w)], [c, c], { absolute: 1e-5, relative: 1e-5 });
});

Deno.test("reduce kernels of one result over many elements are accurate and independent of threads", () => {
  for (const size of [100_000, 262_144, 1_000_003]) {
    const kernel: ReduceKernel = {
      kind: "reduce",
      shape: [],
      reduce: [size],
      inputs: [{ dtype: "float32" }],
      reductions: [{ op: "sum", body: load(0, "float32", axis(0, size)), dtype: "float32" }],
      outputs: [out(acc(0, "float32"))],
    };
    const values = Array.from({ length: size }, () => Math.fround(random.uniform()));
    compare(kernel, [values], [1], { relative: 5e-7 });
  }
});

Deno.test("reduce kernels split long reductions with stages and full outputs", () => {
  const long = { absolute: 1e-6, relative: 1e-5 };
  for (const [m, n] of [[1, 100_003], [3, 70_000]] as const) {
    compare(softmax(m, n, [n, 1]), [normal(m * n)], [m * n, m], long);
    compare(softmax(m, n, [1, m]), [normal(m * n)], [m * n, m], long);
  }
  for (const op of OPS) {
    const kernel = simple(op, 20, 10_000, [1, 20], "float32");
    const values = normal(200_000).map((x) => op === "prod" ? 1 + x / 1e4 : x);
    compare(kernel, [values], [20], { absolute: 2e-2, relative: 1e-4 });
  }
});

Deno.test("reduce kernels over nothing give the neutral element", () => {
  const kernel = simple("sum", 3, 0, [0, 1], "float32");
  assertEquals(runOn(wasm, kernel, [[]], [3]), [[0, 0, 0]]);
  assertEquals(runOn(wasm, simple("max", 0, 3, [3, 1], "float32"), [[]], [0]), [[]]);
});

function contract(
  [b, m, n, k]: readonly number[],
  a: Expr,
  bb: Expr,
  dtype: "float32" | "float64" | "int32",
): ContractKernel {
  const index = strided([axis(0, b!), axis(1, m!), axis(2, n!)], [m! * n!, n!, 1]);
  return {
    kind: "contract",
    batch: [b!],
    m: [m!],
    n: [n!],
    k: [k!],
    inputs: [{ dtype }, { dtype }],
    a,
    b: bb,
    dtype,
    outputs: [out(acc(0, dtype), index)],
    convolution: undefined,
  };
}

Deno.test("contract kernels multiply matrices in every layout and dtype", () => {
  for (const dtype of ["float32", "int32", "float64"] as const) {
    for (const [b, m, n, k] of [[1, 1, 1, 1], [2, 3, 5, 4], [3, 17, 33, 20], [1, 64, 65, 63]]) {
      const sizes = [b!, m!, n!, k!];
      const A = [axis(0, b!), axis(1, m!), axis(3, k!)],
        B = [axis(0, b!), axis(3, k!), axis(2, n!)];
      for (const at of [false, true]) {
        for (const bt of [false, true]) {
          const a = load(0, dtype, strided(A, at ? [m! * k!, 1, m!] : [m! * k!, k!, 1]));
          const bb = load(1, dtype, strided(B, bt ? [k! * n!, 1, k!] : [k! * n!, n!, 1]));
          const values = (count: number) =>
            dtype === "int32"
              ? Array.from({ length: count }, () => random.int(-4, 4))
              : normal(count);
          compare(contract(sizes, a, bb, dtype), [values(b! * m! * k!), values(b! * k! * n!)], [
            b! * m! * n!,
          ], { absolute: 1e-5, relative: 1e-5 });
        }
      }
    }
  }
});

Deno.test("reduce kernels count with a condition", () => {
  const [m, n] = [6, 50];
  const x = load(0, "float32", strided([axis(0, m), axis(1, n)], [n, 1]));
  const kernel: ReduceKernel = {
    kind: "reduce",
    shape: [m],
    reduce: [n],
    inputs: [{ dtype: "float32" }],
    reductions: [{ op: "sum", body: cast(lt(x, constant(0, "float32")), "int32"), dtype: "int32" }],
    outputs: [
      out(acc(0, "int32")),
      out(cast(acc(0, "int32"), "float32")),
      out(lt(acc(0, "int32"), int(25))),
    ],
  };
  compare(kernel, [normal(m * n)], [m, m, m]);
});
