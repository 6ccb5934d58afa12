import {
  acc,
  add,
  axis,
  constant,
  type Expr,
  int,
  load,
  lt,
  mul,
  ravel,
} from "../../../ops/ir/expr.ts";
import type { ScanKernel, ScatterKernel, SortKernel } from "../../../ops/ir/kernel.ts";
import type { DType } from "../../../ops/ir/dtype.ts";
import { compareKernel, EDGES, gpuTest, randoms } from "./support.ts";

/** Rows of a table that take the rows of `values` named by an index array, as embeddings do. */
function scatterOf(
  rows: number,
  points: number,
  width: number,
  op: ScatterKernel["op"],
  dtype: DType = "float32",
): ScatterKernel {
  const row = load(0, "int32", axis(0, points)), column = axis(1, width);
  return {
    kind: "scatter",
    size: rows * width,
    init: load(2, dtype, axis(0, rows * width)),
    shape: [points, width],
    parallel: [1],
    op,
    target: add(mul(row, int(width)), column),
    value: load(1, dtype, ravel([axis(0, points), column], [points, width])),
    guard: lt(row, int(rows - 1)),
    inputs: [{ dtype: "int32" }, { dtype }, { dtype }],
    outputs: [{ dtype, value: constant(0, dtype), index: undefined }],
  };
}

gpuTest("scatter combines in order", async (backend) => {
  for (const op of ["add", "set", "max", "min", "mul"] as const) {
    for (const [rows, points, width] of [[5, 40, 3], [65, 500, 8], [3, 7, 70]] as const) {
      const indices = randoms(points, 3).map((v) => Math.floor((v + 1) / 2 * rows));
      await compareKernel(
        backend,
        scatterOf(rows, points, width, op),
        [
          { dtype: "int32", values: indices, offset: 2 },
          { dtype: "float32", values: randoms(points * width, 1) },
          { dtype: "float32", values: randoms(rows * width, 2) },
        ],
        [{ size: rows * width, offset: 3 }],
        1e-5,
      );
    }
  }
});

gpuTest("scatter of integers and into its own initial values", async (backend) => {
  const [rows, points, width] = [9, 64, 5];
  const indices = randoms(points, 3).map((v) => Math.floor((v + 1) / 2 * rows));
  const kernel = scatterOf(rows, points, width, "add", "int32");
  // With and without laying the initial values down: they are there.
  for (const each of [kernel, { ...kernel, init: undefined }]) {
    await compareKernel(backend, each, [
      { dtype: "int32", values: indices },
      { dtype: "int32", values: randoms(points * width).map((v) => Math.round(v * 1000)) },
      { dtype: "int32", values: new Array<number>(rows * width).fill(4) },
    ], [{ size: rows * width, inPlaceOf: 2 }]);
  }
});

gpuTest("scatter without parallel axes, and of no points", async (backend) => {
  for (const points of [0, 1, 3000, 70_000]) {
    const at = axis(0, points);
    const kernel: ScatterKernel = {
      kind: "scatter",
      size: 10,
      init: constant(0, "int32"),
      shape: [points],
      parallel: [],
      op: "add",
      target: load(0, "int32", at),
      value: constant(1, "int32"),
      guard: undefined,
      inputs: [{ dtype: "int32" }],
      outputs: [{ dtype: "int32", value: constant(0, "int32"), index: undefined }],
    };
    const values = randoms(points).map((v) => Math.floor((v + 1) * 5));
    await compareKernel(backend, kernel, [{ dtype: "int32", values }], [{ size: 10 }]);
  }
});

function scanOf(
  shape: number[],
  along: number,
  op: ScanKernel["op"],
  dtype: DType = "float32",
): ScanKernel {
  const body: Expr = load(0, dtype, ravel(shape.map((size, d) => axis(d, size)), shape));
  return {
    kind: "scan",
    shape,
    axis: along,
    op,
    body,
    inputs: [{ dtype }],
    outputs: [{ dtype, value: acc(0, dtype), index: undefined }],
  };
}

gpuTest("scan along every axis, for all edge sizes", async (backend) => {
  for (const op of ["sum", "prod", "max", "min"] as const) {
    for (const n of EDGES) {
      const shapes = [[[n], 0], [[3, n], 1], [[n, 5], 0], [[2, n, 3], 1]] as const;
      // All shapes for sums, for the others one of them in turn.
      for (const [i, [shape, along]] of shapes.entries()) {
        if (op !== "sum" && (n + op.length) % 4 !== i) continue;
        const size = shape.reduce((a, b) => a * b, 1);
        const values = randoms(size).map((v) => op === "prod" ? 1 + v / 100 : v);
        if (op !== "sum" && op !== "prod" && n > 4) values[size >> 1] = NaN;
        await compareKernel(
          backend,
          scanOf([...shape], along, op),
          [
            { dtype: "float32", values, offset: 1 },
          ],
          [{ size }],
          2e-5,
        );
      }
    }
  }
});

gpuTest("scan of integers, long and equal values", async (backend) => {
  const values = randoms(5000).map((v) => Math.round(v * 3));
  for (const op of ["sum", "max"] as const) {
    await compareKernel(backend, scanOf([5000], 0, op, "int32"), [{ dtype: "int32", values }], [
      { size: 5000 },
    ]);
  }
});

function sortOf(rows: number, length: number, descending: boolean, dtype: DType): SortKernel {
  return {
    kind: "sort",
    rows,
    length,
    descending,
    inputs: [{ dtype }],
    outputs: [{ dtype: "int32", value: constant(0, "int32"), index: undefined }],
  };
}

gpuTest("sort is stable, with NaN above all numbers", async (backend) => {
  for (const descending of [false, true]) {
    for (const length of [...EDGES, 2, 2048]) {
      // Few distinct values, both zeros, infinities and NaN.
      const values = randoms(3 * length).map((v, i) =>
        [NaN, -0, 0, Infinity, -Infinity, 1][i % 13] ?? Math.round(v * 5)
      );
      await compareKernel(backend, sortOf(3, length, descending, "float32"), [
        { dtype: "float32", values, offset: 1 },
      ], [{ size: 3 * length, offset: 2 }]);
    }
  }
});

gpuTest("sort of long rows merges blocks", async (backend) => {
  for (const [rows, length] of [[1, 2049], [3, 5000], [2, 16_385]] as const) {
    for (const descending of [false, true]) {
      const values = randoms(rows * length).map((v) => Math.round(v * 1000));
      await compareKernel(backend, sortOf(rows, length, descending, "float32"), [
        { dtype: "float32", values },
      ], [{ size: rows * length }]);
    }
  }
});

gpuTest("sort of integers, bools and halves", async (backend) => {
  const values = randoms(130).map((v) => Math.round(v * 2147483000));
  const types: DType[] = ["int32", "uint32", "bool"];
  if (backend.supports("float16")) types.push("float16");
  for (const dtype of types) {
    for (const descending of [false, true]) {
      const own = values.map((v) =>
        dtype === "uint32" ? v >>> 0 : dtype === "bool" ? v & 1 : dtype === "float16" ? v / 1e6 : v
      );
      await compareKernel(backend, sortOf(2, 65, descending, dtype), [{ dtype, values: own }], [
        { size: 130 },
      ]);
    }
  }
});
