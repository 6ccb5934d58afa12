import {
  acc,
  axis,
  call,
  cast,
  constant,
  type Expr,
  int,
  load,
  ravel,
} from "../../../ops/ir/expr.ts";
import type { ReduceKernel, Reduction } from "../../../ops/ir/kernel.ts";
import type { DType } from "../../../ops/ir/dtype.ts";
import { compareKernel, EDGES, gpuTest, HALF, randoms } from "./support.ts";

const OPS = ["sum", "prod", "max", "min", "argmax", "argmin"] as const;

/** Reductions of `body`, one output each. */
function reduceOf(
  shape: number[],
  reduce: number[],
  types: DType[],
  body: Expr,
  ops: readonly Reduction["op"][],
): ReduceKernel {
  const reductions = ops.map((op): Reduction => {
    return { op, body, dtype: op.startsWith("arg") ? "int32" : body.dtype };
  });
  return {
    kind: "reduce",
    shape,
    reduce,
    inputs: types.map((dtype) => ({ dtype })),
    reductions,
    outputs: reductions.map((r, slot) => ({
      dtype: r.dtype,
      value: acc(slot, r.dtype),
      index: undefined,
    })),
  };
}

function rows(p: number, l: number, dtype: DType = "float32"): Expr {
  return load(0, dtype, ravel([axis(0, p), axis(1, l)], [p, l]));
}

function columns(p: number, l: number): Expr {
  return load(0, "float32", ravel([axis(1, l), axis(0, p)], [l, p]));
}

gpuTest("reduce combines rows of all edge sizes", async (backend) => {
  for (const l of [...EDGES, 5000]) {
    for (const p of l % 2 ? [1, 65] : [3]) {
      const values = randoms(p * l).map((v) => 1 + v / 50);
      const kernel = reduceOf([p], [l], ["float32"], rows(p, l), OPS);
      const sizes = OPS.map(() => ({ size: p }));
      await compareKernel(backend, kernel, [{ dtype: "float32", values }], sizes, 2e-5);
    }
  }
});

gpuTest("reduce combines columns of all edge sizes", async (backend) => {
  for (const l of [...EDGES, 5000]) {
    for (const p of l % 2 ? [2, 65] : [5]) {
      const values = randoms(p * l).map((v) => 1 + v / 50);
      const kernel = reduceOf([p], [l], ["float32"], columns(p, l), OPS);
      const sizes = OPS.map(() => ({ size: p }));
      await compareKernel(backend, kernel, [{ dtype: "float32", values }], sizes, 2e-5);
    }
  }
});

gpuTest("reduce of many short rows", async (backend) => {
  for (const l of [1, 3, 8, 33]) {
    const p = 20_000;
    const kernel = reduceOf([p], [l], ["float32"], rows(p, l), ["sum", "argmax"]);
    const values = randoms(p * l);
    await compareKernel(backend, kernel, [{ dtype: "float32", values }], [{ size: p }, {
      size: p,
    }]);
  }
});

gpuTest("reduce over axes with others between", async (backend) => {
  const [n, c, h] = [3, 5, 70];
  const index = ravel([axis(1, n), axis(0, c), axis(2, h)], [n, c, h]);
  const kernel = reduceOf([c], [n, h], ["float32"], load(0, "float32", index), OPS);
  const values = randoms(n * c * h).map((v) => 1 + v / 20);
  const sizes = OPS.map(() => ({ size: c }));
  await compareKernel(backend, kernel, [{ dtype: "float32", values }], sizes, 1e-5);
});

gpuTest("reduce lets NaN win and takes the first of equals", async (backend) => {
  for (const l of [5, 300, 3000]) {
    const values = randoms(3 * l).map((v) => Math.round(v * 3));
    values[l + (l >> 1)] = NaN;
    values[l + l - 1] = NaN;
    for (let i = 0; i < l; i++) values[2 * l + i] = i % 2 ? -Infinity : -Infinity;
    const kernel = reduceOf([3], [l], ["float32"], rows(3, l), ["max", "min", "argmax", "argmin"]);
    const sizes = kernel.outputs.map(() => ({ size: 3 }));
    await compareKernel(backend, kernel, [{ dtype: "float32", values }], sizes);
  }
});

gpuTest("reduce of integers and bools", async (backend) => {
  const l = 300;
  const values = randoms(2 * l).map((v) => Math.trunc(v * 1e9));
  for (const dtype of ["int32", "uint32"] as const) {
    const own = values.map((v) => dtype === "uint32" ? v >>> 0 : v);
    const kernel = reduceOf([2], [l], [dtype], rows(2, l, dtype), OPS);
    await compareKernel(backend, kernel, [{ dtype, values: own }], OPS.map(() => ({ size: 2 })));
  }
  const bools = values.map((_, i) => i === 7 ? 1 : 0);
  const kernel = reduceOf([2], [l], ["bool"], rows(2, l, "bool"), ["max", "min"]);
  await compareKernel(backend, kernel, [{ dtype: "bool", values: bools }], [
    { size: 2 },
    { size: 2 },
  ]);
});

/** Softmax in one kernel: max, then the sum of exponentials, then every point. */
function softmax(p: number, l: number, dtype: DType = "float32"): ReduceKernel {
  const x = cast(rows(p, l, dtype), "float32");
  const shifted = call("exp", [call("sub", [x, acc(0, "float32")])]);
  const value = cast(call("div", [shifted, acc(1, "float32")]), dtype);
  const log = call("add", [acc(0, "float32"), call("log", [acc(1, "float32")])]);
  return {
    kind: "reduce",
    shape: [p],
    reduce: [l],
    inputs: [{ dtype }],
    reductions: [
      { op: "max", body: x, dtype: "float32" },
      { op: "sum", body: shifted, dtype: "float32" },
    ],
    outputs: [
      { dtype, value, index: undefined, full: true },
      { dtype: "float32", value: log, index: undefined },
    ],
  };
}

gpuTest("reduce in stages with full outputs", async (backend) => {
  for (const l of [...EDGES, 3000]) {
    for (const p of [1, 4, 70]) {
      const values = randoms(p * l).map((v) => 10 * v);
      await compareKernel(backend, softmax(p, l), [{ dtype: "float32", values, offset: 3 }], [
        { size: p * l, offset: 1 },
        { size: p },
      ]);
    }
  }
});

gpuTest("reduce of float16", async (backend) => {
  if (!HALF) return;
  const [p, l] = [5, 130];
  const values = randoms(p * l);
  await compareKernel(backend, softmax(p, l, "float16"), [{ dtype: "float16", values }], [
    { size: p * l },
    { size: p },
  ], 2e-3);
}, { half: true });

gpuTest("reduce over nothing gives neutral elements", async (backend) => {
  const kernel = reduceOf([3], [0], ["float32"], rows(3, 0), ["sum", "prod", "max", "min"]);
  const sizes = kernel.outputs.map(() => ({ size: 3 }));
  await compareKernel(backend, kernel, [{ dtype: "float32", values: [] }], sizes);
});

gpuTest("reduce of one point over very long rows", async (backend) => {
  for (const [p, l] of [[1, 300_001], [3, 70_000], [2, 100_003]] as const) {
    const values = randoms(p * l);
    values[l >> 1] = NaN;
    const kernel = reduceOf([p], [l], ["float32"], rows(p, l), ["sum", "max", "argmax", "argmin"]);
    const sizes = kernel.outputs.map(() => ({ size: p }));
    await compareKernel(backend, kernel, [{ dtype: "float32", values }], sizes, 1e-5);
    const finite = values.map((v, i) => i === 5 ? 2 : v === v ? v : 0);
    await compareKernel(backend, softmax(p, l), [{ dtype: "float32", values: finite }], [
      { size: p * l },
      { size: p },
    ], 1e-5);
  }
});

gpuTest("reduce writes where its index says", async (backend) => {
  const [p, l] = [6, 40];
  const kernel = reduceOf([p], [l], ["float32"], rows(p, l), ["sum"]);
  const index = call("sub", [int(p - 1), axis(0, p)]);
  const scaled = call("mul", [acc(0, "float32"), constant(0.5, "float32")]);
  const outputs = [{ dtype: "float32" as const, value: scaled, index }];
  await compareKernel(backend, { ...kernel, outputs }, [
    { dtype: "float32", values: randoms(p * l) },
  ], [{ size: p, offset: 2 }]);
});
