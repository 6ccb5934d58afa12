import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createReferenceBackend } from "../../../ops/backends/reference/mod.ts";
import { fromHalfBits, toHalfBits } from "../../../ops/backends/reference/half.ts";
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
import type {
  ContractKernel,
  MapKernel,
  ReduceKernel,
  ScanKernel,
  ScatterKernel,
  SortKernel,
} from "../../../ops/ir/kernel.ts";
import type { DType } from "../../../ops/ir/dtype.ts";
import { philox } from "../../../ops/ir/scalar.ts";
import { runKernel } from "../../ir/run.ts";

const F32 = { dtype: "float32" } as const;
const I32 = { dtype: "int32" } as const;

function out(value: Expr, index?: Expr): { dtype: DType; value: Expr; index: Expr | undefined } {
  return { dtype: value.dtype, value, index };
}

Deno.test("reference runs a map with a transposed load, a guard and two outputs", () => {
  const i = axis(0, 2), j = axis(1, 3);
  const x = load(0, "float32", strided([j, i], [2, 1]), lt(j, int(2)));
  const kernel: MapKernel = {
    kind: "map",
    shape: [2, 3],
    inputs: [F32],
    outputs: [out(add(x, x)), out(cast(x, "int32"), strided([i, j], [1, 2]))],
  };
  assertEquals(runKernel(kernel, [[1, 2, 3, 4, 5, 6]], [6, 6]), [
    [2, 6, 0, 4, 8, 0],
    [1, 2, 3, 4, 0, 0],
  ]);
});

Deno.test("reference wraps integers to 32 bits", () => {
  const x = load(0, "int32", axis(0, 2)), u = cast(x, "uint32");
  const kernel: MapKernel = {
    kind: "map",
    shape: [2],
    inputs: [I32],
    outputs: [out(mul(x, x)), out(add(x, int(1))), out(mul(u, u)), out(call("shr", [u, u]))],
  };
  assertEquals(runKernel(kernel, [[2147483647, 65537]], [2, 2, 2, 2]), [
    [1, 131073],
    [-2147483648, 65538],
    [1, 131073],
    [0, 65537 >>> 1],
  ]);
});

Deno.test("reference casts, reads bits and draws random bits", () => {
  const x = load(0, "float32", axis(0, 3));
  const word = call("philox", [
    cast(axis(0, 3), "uint32"),
    constant(5, "uint32"),
    constant(1, "uint32"),
    constant(2, "uint32"),
    constant(3, "uint32"),
  ]);
  const kernel: MapKernel = {
    kind: "map",
    shape: [3],
    inputs: [F32],
    outputs: [out(cast(x, "int32")), out(call("bitcast", [x], "uint32")), out(word)],
  };
  assertEquals(runKernel(kernel, [[1.5, -2.5, 3e20]], [3, 3, 3]), [
    [1, -2, 2147483647],
    [0x3fc00000, 0xc0200000, 0x61821ab1],
    [0, 1, 2].map((i) => philox(i, 5, 1, 2, 3)),
  ]);
});

Deno.test("reference runs a reduction after a reduction with a full output", () => {
  const r = axis(0, 2), c = axis(1, 3);
  const x = load(0, "float32", strided([r, c], [3, 1]));
  const e = call("exp", [sub(x, acc(0, "float32"))]);
  const kernel: ReduceKernel = {
    kind: "reduce",
    shape: [2],
    reduce: [3],
    inputs: [F32],
    reductions: [
      { op: "max", body: x, dtype: "float32" },
      { op: "sum", body: e, dtype: "float32" },
      { op: "argmin", body: x, dtype: "int32" },
    ],
    outputs: [
      { ...out(div(e, acc(1, "float32"))), full: true },
      out(acc(0, "float32")),
      out(acc(2, "int32")),
    ],
  };
  const [soft, max, arg] = runKernel(kernel, [[1, 2, 3, 4, 4, 4]], [6, 2, 2]);
  const z = Math.exp(-2) + Math.exp(-1) + 1;
  for (const [i, p] of [Math.exp(-2) / z, Math.exp(-1) / z, 1 / z, 1 / 3, 1 / 3, 1 / 3].entries()) {
    assertAlmostEquals(soft![i]!, p, 1e-7);
  }
  assertEquals(max, [3, 4]);
  assertEquals(arg, [0, 0]);
});

Deno.test("reference lets NaN win in max and argmax", () => {
  const x = load(0, "float32", axis(0, 4));
  const kernel: ReduceKernel = {
    kind: "reduce",
    shape: [],
    reduce: [4],
    inputs: [F32],
    reductions: [
      { op: "max", body: x, dtype: "float32" },
      { op: "argmax", body: x, dtype: "int32" },
      { op: "prod", body: x, dtype: "float32" },
    ],
    outputs: [out(acc(0, "float32")), out(acc(1, "int32")), out(acc(2, "float32"))],
  };
  assertEquals(runKernel(kernel, [[1, NaN, 3, NaN]], [1, 1, 1]), [[NaN], [1], [NaN]]);
});

Deno.test("reference runs a contraction with an epilogue", () => {
  const m = axis(0, 2), n = axis(1, 2), k = axis(2, 3);
  const sum = acc(0, "float32");
  const kernel: ContractKernel = {
    kind: "contract",
    batch: [],
    m: [2],
    n: [2],
    k: [3],
    inputs: [F32, F32, F32],
    a: load(0, "float32", strided([m, k], [3, 1])),
    b: load(1, "float32", strided([n, k], [3, 1])),
    dtype: "float32",
    outputs: [out(add(sum, load(2, "float32", n)), strided([m, n], [2, 1]))],
    convolution: undefined,
  };
  const result = runKernel(kernel, [[1, 2, 3, 4, 5, 6], [1, 0, 1, 0, 1, 0], [10, 20]], [4]);
  assertEquals(result, [[14, 22, 20, 25]]);
});

Deno.test("reference scatters in order and skips where the guard is false", () => {
  const p = axis(0, 4);
  const target = load(0, "int32", p);
  const scatter = (op: ScatterKernel["op"]): ScatterKernel => ({
    kind: "scatter",
    size: 3,
    init: constant(1, "float32"),
    shape: [4],
    parallel: [],
    op,
    target,
    value: load(1, "float32", p),
    guard: lt(p, int(3)),
    inputs: [I32, F32],
    outputs: [out(constant(0, "float32"))],
  });
  const inputs = [[2, 0, 2, 1], [5, 6, 7, 8]];
  assertEquals(runKernel(scatter("add"), inputs, [3]), [[7, 1, 13]]);
  assertEquals(runKernel(scatter("set"), inputs, [3]), [[6, 1, 7]]);
  assertEquals(runKernel(scatter("mul"), inputs, [3]), [[6, 1, 35]]);
  assertEquals(runKernel(scatter("min"), inputs, [3]), [[1, 1, 1]]);
  assertThrows(
    () => runKernel(scatter("add"), [[3, 0, 0, 0], [1, 1, 1, 1]], [3]),
    RangeError,
    "internal: scatter to 3 of 3",
  );
});

Deno.test("reference runs scans along an inner axis", () => {
  const i = axis(0, 3), j = axis(1, 2);
  const scan = (op: ScanKernel["op"]): ScanKernel => ({
    kind: "scan",
    shape: [3, 2],
    axis: 0,
    op,
    body: load(0, "float32", strided([i, j], [2, 1])),
    inputs: [F32],
    outputs: [out(acc(0, "float32"))],
  });
  const x = [1, 5, 3, 4, 2, 6];
  assertEquals(runKernel(scan("sum"), [x], [6]), [[1, 5, 4, 9, 6, 15]]);
  assertEquals(runKernel(scan("max"), [x], [6]), [[1, 5, 3, 5, 3, 6]]);
});

Deno.test("reference sorts rows stably with NaN last when ascending", () => {
  const sort = (descending: boolean): SortKernel => ({
    kind: "sort",
    rows: 1,
    length: 5,
    descending,
    inputs: [F32],
    outputs: [out(int(0))],
  });
  const x = [3, NaN, 1, 3, 2];
  assertEquals(runKernel(sort(false), [x], [5]), [[2, 4, 0, 3, 1]]);
  assertEquals(runKernel(sort(true), [x], [5]), [[1, 0, 3, 4, 2]]);
});

Deno.test("reference binds arrays at element offsets", () => {
  const backend = createReferenceBackend();
  const buffer = backend.allocate(16);
  backend.write(buffer, 0, Float32Array.of(1, 2, 3, 4));
  const kernel = backend.compile({
    kind: "map",
    shape: [2],
    inputs: [F32],
    outputs: [out(add(load(0, "float32", axis(0, 2)), constant(0.5, "float32")))],
  });
  backend.run(kernel, [{ buffer, offset: 2 }, { buffer, offset: 0 }]);
  assertEquals(
    [...new Float32Array(backend.readSync(buffer, 0, 16)!.buffer)],
    [3.5, 4.5, 3, 4],
  );
  assertEquals(backend.memory(), { live: 16, peak: 16, pooled: 0 });
  backend.release(buffer);
  assertEquals(backend.memory().live, 0);
});

Deno.test("reference keeps float64 inside and rounds where bytes are read", async () => {
  const backend = createReferenceBackend();
  const buffer = backend.allocate(8), other = backend.allocate(8);
  const tenth = constant(0.1, "float32");
  backend.run(
    backend.compile({ kind: "map", shape: [], inputs: [], outputs: [out(tenth)] }),
    [{ buffer, offset: 0 }],
  );
  backend.copy(buffer, 0, other, 4, 4);
  const bytes = await backend.read(other, 4, 4);
  assertEquals(new Float32Array(bytes.buffer)[0], Math.fround(0.1));
  const wide = cast(load(0, "float32", int(1)), "float64");
  backend.run(
    backend.compile({ kind: "map", shape: [], inputs: [F32], outputs: [out(wide)] }),
    [{ buffer: other, offset: 0 }, { buffer, offset: 0 }],
  );
  assertEquals(new Float64Array(backend.readSync(buffer, 0, 8)!.buffer)[0], 0.1);
});

Deno.test("toHalfBits() and fromHalfBits() are inverse on all halves", () => {
  for (let bits = 0; bits < 65536; bits++) {
    const x = fromHalfBits(bits);
    if (x === x) assertEquals(toHalfBits(x), bits);
  }
  assertEquals(toHalfBits(65519), 0x7bff);
  assertEquals(toHalfBits(65520), 0x7c00);
  assertEquals(toHalfBits(1 + 2 ** -11), 0x3c00);
  assertEquals(toHalfBits(1 + 3 * 2 ** -11), 0x3c02);
  assertEquals(toHalfBits(NaN), 0x7e00);
});
