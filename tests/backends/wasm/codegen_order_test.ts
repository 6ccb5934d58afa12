import {
  acc,
  add,
  axis,
  call,
  constant,
  type Expr,
  int,
  load,
  lt,
  mul,
  strided,
} from "../../../ops/ir/expr.ts";
import type { DType } from "../../../ops/ir/dtype.ts";
import type { ScanKernel, ScatterKernel, SortKernel } from "../../../ops/ir/kernel.ts";
import { Random } from "../../ir/helpers.ts";
import { compare, out } from "./codegen_helpers.ts";

const random = new Random(5);

function normal(count: number): number[] {
  return Array.from({ length: count }, () => Math.fround(random.uniform() * 4 - 2));
}

function integers(count: number, low: number, high: number): number[] {
  return Array.from({ length: count }, () => random.int(low, high));
}

Deno.test("scan kernels run along any axis", () => {
  for (const shape of [[5, 17], [3, 4, 21], [1, 100], [40, 3], [64, 16]]) {
    const strides = shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
    const size = shape.reduce((a, b) => a * b, 1);
    const axes = shape.map((s, d) => axis(d, s));
    for (let d = 0; d < shape.length; d++) {
      for (const op of ["sum", "prod", "max", "min"] as const) {
        for (const dtype of ["float32", "int32", "float64"] as const) {
          const x = load(0, dtype, strided(axes, strides));
          const value = dtype === "float32" ? add(acc(0, dtype), x) : acc(0, dtype);
          const kernel: ScanKernel = {
            kind: "scan",
            shape,
            axis: d,
            op,
            body: x,
            inputs: [{ dtype }],
            outputs: [out(value), out(acc(0, dtype), strided(axes, strides))],
          };
          const values = dtype === "int32" ? integers(size, -2, 2) : normal(size);
          compare(kernel, [values], [size, size], { absolute: 1e-4, relative: 1e-5 });
        }
      }
    }
  }
});

function scatter(
  [rows, columns, size]: readonly [number, number, number],
  op: ScatterKernel["op"],
  dtype: DType,
  parallel: readonly number[],
  guard?: Expr,
): ScatterKernel {
  const [i, j] = [axis(0, rows), axis(1, columns)];
  const row = load(1, "int32", i);
  return {
    kind: "scatter",
    size: size * columns,
    init: load(2, dtype, axis(0, size * columns)),
    shape: [rows, columns],
    parallel,
    op,
    target: strided([row, j], [columns, 1]),
    value: load(0, dtype, strided([i, j], [columns, 1])),
    guard,
    inputs: [{ dtype }, { dtype: "int32" }, { dtype }],
    outputs: [{ dtype, value: constant(0, dtype), index: undefined }],
  };
}

Deno.test("scatter kernels combine in order, in vectors and one by one", () => {
  for (const [rows, columns, size] of [[9, 5, 4], [50, 64, 7], [33, 130, 12], [200, 1, 10]]) {
    const values = normal(rows! * columns!), start = normal(size! * columns!);
    const targets = integers(rows!, 0, size! - 1);
    for (const op of ["add", "set", "max", "min", "mul"] as const) {
      for (const parallel of [[1], []]) {
        for (
          const guard of [undefined, lt(axis(0, rows!), int(5)), lt(axis(1, columns!), int(3))]
        ) {
          const kernel = scatter([rows!, columns!, size!], op, "float32", parallel, guard);
          compare(kernel, [values, targets, start], [size! * columns!], { absolute: 1e-4 });
        }
        const words = (list: number[]) => list.map((x) => Math.trunc(4 * x));
        const kernel = scatter([rows!, columns!, size!], op, "int32", parallel);
        compare(kernel, [words(values), targets, words(start)], [size! * columns!]);
        const wide = scatter([rows!, columns!, size!], op, "float64", parallel);
        compare(wide, [values, targets, start], [size! * columns!], { relative: 1e-12 });
      }
    }
  }
});

Deno.test("scatter kernels scatter along rows that stay apart", () => {
  const [n, w, out_] = [6, 40, 30];
  const [i, j] = [axis(0, n), axis(1, w)];
  const kernel: ScatterKernel = {
    kind: "scatter",
    size: n * out_,
    init: constant(0, "float32"),
    shape: [n, w],
    parallel: [0],
    op: "add",
    target: add(mul(i, int(out_)), load(1, "int32", strided([i, j], [w, 1]))),
    value: call("mul", [load(0, "float32", strided([i, j], [w, 1])), constant(0.5, "float32")]),
    guard: undefined,
    inputs: [{ dtype: "float32" }, { dtype: "int32" }],
    outputs: [{ dtype: "float32", value: constant(0, "float32"), index: undefined }],
  };
  compare(kernel, [normal(n * w), integers(n * w, 0, out_ - 1)], [n * out_]);
});

Deno.test("sort kernels are stable, with NaN last when ascending", () => {
  for (const dtype of ["float32", "int32", "uint32", "float64", "bool"] as const) {
    for (const descending of [false, true]) {
      for (const [rows, length] of [[3, 1], [2, 17], [4, 500], [3, 0]] as const) {
        const kernel: SortKernel = {
          kind: "sort",
          rows,
          length,
          descending,
          inputs: [{ dtype }],
          outputs: [{ dtype: "int32", value: constant(0, "int32"), index: undefined }],
        };
        const low = dtype === "bool" || dtype === "uint32" ? 0 : -9;
        const values = integers(rows * length, low, dtype === "bool" ? 1 : 9);
        if (dtype.startsWith("float") && length > 5) {
          [values[1], values[3], values[4], values[6], values[7]] = [NaN, -0, 0, -Infinity, NaN];
          [values[8], values[9]] = [Infinity, 1e-40];
        }
        compare(kernel, [values], [rows * length]);
      }
    }
  }
});
