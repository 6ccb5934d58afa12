import { assertEquals } from "@std/assert";
import { axis, call, cast, constant, type Expr, int, load, ravel } from "../../../ops/ir/expr.ts";
import type { MapKernel } from "../../../ops/ir/kernel.ts";
import type { DType } from "../../../ops/ir/dtype.ts";
import { compareKernel, EDGES, gpuTest, randoms, runKernel } from "./support.ts";

/** `value` over `shape`, row-major. */
function mapOf(shape: number[], types: DType[], value: Expr): MapKernel {
  const inputs = types.map((dtype) => ({ dtype }));
  return { kind: "map", shape, inputs, outputs: [{ dtype: value.dtype, value, index: undefined }] };
}

function sumKernel(n: number): MapKernel {
  const i = axis(0, n);
  const value = call("add", [load(0, "float32", i), load(1, "float32", i)]);
  return mapOf([n], ["float32", "float32"], value);
}

gpuTest("map adds arrays of all edge sizes", async (backend) => {
  for (const n of [...EDGES, 4096, 4097, 5001, 70000]) {
    const inputs = [1, 2].map((s) => ({ dtype: "float32" as const, values: randoms(n, s) }));
    await compareKernel(backend, sumKernel(n), inputs, [{ size: n }]);
  }
});

gpuTest("map reads and writes at offsets, aligned and not", async (backend) => {
  for (const n of [65, 5001]) {
    for (const [a, b, c] of [[64, 0, 0], [1, 2, 3], [4, 8, 12], [64, 128, 192], [0, 0, 5]]) {
      await compareKernel(backend, sumKernel(n), [
        { dtype: "float32", values: randoms(n, 1), offset: a! },
        { dtype: "float32", values: randoms(n, 2), offset: b! },
      ], [{ size: n, offset: c! }]);
    }
  }
});

gpuTest("map writes in place of an input", async (backend) => {
  for (const n of [65, 5001, 8192]) {
    for (const offset of [0, 3, 4, 64]) {
      await compareKernel(backend, sumKernel(n), [
        { dtype: "float32", values: randoms(n, 1), offset },
        { dtype: "float32", values: randoms(n, 2) },
      ], [{ size: n, inPlaceOf: 0, offset }]);
    }
  }
});

gpuTest("map writes another type in place of an input", async (backend) => {
  for (const n of [65, 5001]) {
    const kernel = mapOf([n], ["float32"], cast(load(0, "float32", axis(0, n)), "int32"));
    const values = randoms(n).map((v) => v * 100);
    await compareKernel(backend, kernel, [{ dtype: "float32", values }], [
      { size: n, inPlaceOf: 0 },
    ]);
  }
});

gpuTest("map writes several outputs, also into one buffer", async (backend) => {
  for (const n of [5, 4100]) {
    const i = axis(0, n), x = load(0, "float32", i);
    const kernel: MapKernel = {
      kind: "map",
      shape: [n],
      inputs: [{ dtype: "float32" }],
      outputs: [
        { dtype: "float32", value: call("neg", [x]), index: undefined },
        { dtype: "bool", value: call("lt", [x, constant(0, "float32")]), index: undefined },
        {
          dtype: "float32",
          value: call("mul", [x, x]),
          index: call("sub", [int(n - 1), i]),
        },
      ],
    };
    const inputs = [{ dtype: "float32" as const, values: randoms(n) }];
    await compareKernel(backend, kernel, inputs, [{ size: n }, { size: n }, { size: n }]);
    await compareKernel(backend, kernel, inputs, [
      { size: 2 * n },
      { size: n },
      { size: n, besides: 0, offset: n },
    ]);
  }
});

gpuTest("map follows broadcasts, transposes and flips", async (backend) => {
  for (const [r, c] of [[3, 5], [64, 65], [72, 64], [1, 513], [500, 9]] as const) {
    const i = axis(0, r), j = axis(1, c);
    const value = call("sub", [
      call("mul", [load(0, "float32", ravel([j, i], [c, r])), load(1, "float32", j)]),
      call("add", [
        load(2, "float32", i),
        load(3, "float32", ravel([i, call("sub", [int(c - 1), j])], [r, c])),
      ]),
    ]);
    const inputs = [r * c, c, r, r * c].map((n, s) => ({
      dtype: "float32" as const,
      values: randoms(n, s + 1),
    }));
    const kernel = mapOf([r, c], inputs.map((x) => x.dtype), value);
    await compareKernel(backend, kernel, inputs, [{ size: r * c }]);
  }
});

gpuTest("map reads nothing where a guard is false", async (backend) => {
  // A row padded by 2 on both sides; indices are negative in the left padding.
  for (const n of [5, 4097]) {
    const i = axis(0, n + 4), index = call("sub", [i, int(2)]);
    const guard = call("and", [
      call("le", [int(0), index]),
      call("lt", [index, int(n)]),
    ]);
    const kernel = mapOf([n + 4], ["float32"], load(0, "float32", index, guard));
    const values = randoms(n).map((v, at) => at % 7 === 0 ? NaN : v);
    await compareKernel(backend, kernel, [{ dtype: "float32", values }], [{ size: n + 4 }]);
  }
});

gpuTest("map gathers by an index array", async (backend) => {
  const n = 200, rows = 7, width = 12;
  const row = load(1, "int32", axis(0, n)), j = axis(1, width);
  const index = call("add", [call("mul", [row, int(width)]), j]);
  const kernel = mapOf([n, width], ["float32", "int32"], load(0, "float32", index));
  await compareKernel(backend, kernel, [
    { dtype: "float32", values: randoms(rows * width) },
    { dtype: "int32", values: Array.from({ length: n }, (_, i) => (i * 5) % rows) },
  ], [{ size: n * width }]);
});

gpuTest("map of no elements writes nothing", async (backend) => {
  await compareKernel(backend, sumKernel(0), [
    { dtype: "float32", values: [] },
    { dtype: "float32", values: [] },
  ], [{ size: 0 }]);
});

gpuTest("map folds dispatches past 65,535 workgroups", async (backend) => {
  const n = 65_536 * 1024 + 5;
  const kernel = mapOf([n], [], call("imod", [axis(0, n), int(251)]));
  const buffer = backend.allocate(64);
  // Every point writes to one of eight places: the last of each residue must have been reached.
  const folded: MapKernel = {
    ...kernel,
    outputs: [{
      dtype: "int32",
      value: int(1),
      index: call("select", [
        call("lt", [axis(0, n), int(n - 3)]),
        int(0),
        call("sub", [axis(0, n), int(n - 4)]),
      ]),
    }],
  };
  backend.write(buffer, 0, new Int32Array(16));
  backend.run(backend.compile(folded), [{ buffer, offset: 0 }]);
  const bytes = await backend.read(buffer, 0, 24);
  assertEquals([...new Int32Array(bytes.buffer)], [1, 1, 1, 1, 0, 0]);
  backend.release(buffer);
});

gpuTest("map keeps NaN, infinity and the sign of zero by bits", async (backend) => {
  const bits = [0x7fc00000, 0xffc00000, 0x7f800000, 0xff800000, 0x80000000, 0x00000001, 0x7f7fffff];
  const i = axis(0, bits.length);
  const kernel = mapOf([bits.length], ["float32"], load(0, "float32", i));
  const buffers = [backend.allocate(64), backend.allocate(64)];
  backend.write(buffers[0]!, 0, Uint32Array.from(bits));
  backend.run(backend.compile(kernel), buffers.map((buffer) => ({ buffer, offset: 0 })));
  const result = await backend.read(buffers[1]!, 0, 4 * bits.length);
  assertEquals([...new Uint32Array(result.buffer)], bits);
  for (const buffer of buffers) backend.release(buffer);
});

gpuTest("map writes constants infinity, NaN and extremes", async (backend) => {
  const values = [Infinity, -Infinity, NaN, -0, 3.4028234663852886e38, 1e-3, -2147483648];
  for (const value of values) {
    const [result] = await runKernel(backend, mapOf([3], [], constant(value, "float32")), [], [
      { size: 3 },
    ]);
    assertEquals(result!.slice(0, 3), [0, 0, 0].map(() => Math.fround(value)));
  }
  const integers = mapOf([3], [], constant(-2147483648, "int32"));
  const [result] = await runKernel(backend, integers, [], [{ size: 3 }]);
  assertEquals(result!.slice(0, 3), [-2147483648, -2147483648, -2147483648]);
});

gpuTest("map computes with float16 arrays", async (backend) => {
  for (const n of [3, 65, 4099, 8192]) {
    for (const offset of [0, 1, 4]) {
      const i = axis(0, n);
      const value = call("add", [load(0, "float16", i), load(1, "float16", i)]);
      await compareKernel(
        backend,
        mapOf([n], ["float16", "float16"], value),
        [{ dtype: "float16", values: randoms(n, 1), offset }, {
          dtype: "float16",
          values: randoms(n, 2),
        }],
        [{ size: n, offset }],
        1e-3,
      );
    }
  }
}, { half: true });
