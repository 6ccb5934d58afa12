import {
  acc,
  add,
  and,
  axis,
  call,
  cast,
  constant,
  type Expr,
  int,
  le,
  load,
  lt,
  mul,
  ravel,
  sub,
} from "../../../ops/ir/expr.ts";
import type { ContractKernel, KernelOutput } from "../../../ops/ir/kernel.ts";
import type { DType } from "../../../ops/ir/dtype.ts";
import { tileBytes, TILES } from "../../../ops/backends/webgpu/tiles.ts";
import { compareKernel, gpuTest, randoms, type TestArray } from "./support.ts";

/** How an operand or result lies: rows first or columns first. */
type Order = "mk" | "km";

interface ProductOptions {
  readonly batch?: number;
  readonly a?: Order;
  readonly b?: "kn" | "nk";
  readonly out?: "mn" | "nm";
  readonly dtype?: DType;
}

function product(m: number, n: number, k: number, options: ProductOptions = {}): ContractKernel {
  const { batch = 1, a = "mk", b = "kn", out = "mn", dtype = "float32" } = options;
  const [z, i, j, t] = [axis(0, batch), axis(1, m), axis(2, n), axis(3, k)];
  const at = (x: Expr, p: number, y: Expr, q: number) => ravel([z, x, y], [batch, p, q]);
  const accumulate = dtype === "int32" ? "int32" : "float32";
  return {
    kind: "contract",
    batch: [batch],
    m: [m],
    n: [n],
    k: [k],
    inputs: [{ dtype }, { dtype }],
    a: cast(load(0, dtype, a === "mk" ? at(i, m, t, k) : at(t, k, i, m)), accumulate),
    b: cast(load(1, dtype, b === "kn" ? at(t, k, j, n) : at(j, n, t, k)), accumulate),
    dtype: accumulate,
    outputs: [{
      dtype,
      value: cast(acc(0, accumulate), dtype),
      index: out === "mn" ? at(i, m, j, n) : at(j, n, i, m),
    }],
    convolution: undefined,
  };
}

function operands(
  m: number,
  n: number,
  k: number,
  batch = 1,
  dtype: DType = "float32",
): TestArray[] {
  const round = (v: number) => dtype === "int32" ? Math.round(v * 50) : v;
  return [m * k, k * n].map((size, s) => ({
    dtype,
    values: randoms(batch * size, s + 1).map(round),
  }));
}

const SIZES = [[5, 7, 3], [65, 63, 66], [70, 132, 33], [64, 64, 64], [33, 31, 1]] as const;

for (const tile of TILES) {
  // The large tile compiles for seconds on a software adapter and is larger than their workgroup
  // memory, which not every implementation checks: one small and one ragged product.
  const large = tile.rows > 64;
  const sizes = large
    ? [[257, 131, 35] as const]
    : tile.depth === 16
    ? SIZES.slice(0, tile.rows === 64 ? 3 : 5)
    : SIZES;
  gpuTest(`contract multiplies with tiles of ${tile.name}`, async (backend) => {
    for (const [i, [m, n, k]] of sizes.entries()) {
      for (const a of ["mk", "km"] as const) {
        for (const b of ["kn", "nk"] as const) {
          // Large code for one way each in which operands can lie, small code for all.
          if (tile.depth === 16 && (a === "mk") !== (i % 2 === 0) && b === "nk") continue;
          if (large && a !== "mk") continue;
          const kernel = product(m, n, k, { a, b });
          await compareKernel(backend, kernel, operands(m, n, k), [{ size: m * n }], 3e-6);
        }
      }
    }
  }, {
    tile: tile.name,
    workgroupBytes: navigator.userAgent.startsWith("Deno") ? 0 : tileBytes(tile),
  });
}

gpuTest("contract of batches, with results in either order, at offsets", async (backend) => {
  for (const [m, n, k] of [[5, 9, 12], [36, 40, 20], [66, 35, 19]] as const) {
    for (const out of ["mn", "nm"] as const) {
      const kernel = product(m, n, k, { batch: 3, out });
      const arrays = operands(m, n, k, 3);
      await compareKernel(backend, kernel, arrays, [{ size: 3 * m * n }], 3e-6);
      const moved = arrays.map((a, i) => ({ ...a, offset: i + 3 }));
      await compareKernel(backend, kernel, moved, [{ size: 3 * m * n, offset: 5 }], 3e-6);
    }
  }
});

gpuTest("contract of integers", async (backend) => {
  const [m, n, k] = [35, 37, 40];
  const kernel = product(m, n, k, { dtype: "int32" });
  await compareKernel(backend, kernel, operands(m, n, k, 1, "int32"), [{ size: m * n }]);
});

gpuTest("contract of float16 arrays sums in float32", async (backend) => {
  for (const [m, n, k] of [[35, 37, 40], [64, 64, 128]] as const) {
    const kernel = product(m, n, k, { dtype: "float16" });
    await compareKernel(
      backend,
      kernel,
      operands(m, n, k, 1, "float16"),
      [{ size: m * n }],
      2e-2,
    );
  }
}, { half: true });

gpuTest("contract with thin results", async (backend) => {
  for (const [m, n, k] of [[1, 1, 5000], [1, 300, 70], [300, 2, 70], [4, 65, 513]] as const) {
    for (const b of ["kn", "nk"] as const) {
      const kernel = product(m, n, k, { b });
      await compareKernel(backend, kernel, operands(m, n, k), [{ size: m * n }], 1e-5);
    }
  }
});

gpuTest("contract with long sums splits them", async (backend) => {
  for (const [m, n, k] of [[10, 33, 3000], [40, 9, 2048], [16, 16, 5001]] as const) {
    const kernel = product(m, n, k, { a: "km" });
    await compareKernel(backend, kernel, operands(m, n, k), [{ size: m * n }], 4e-5);
  }
});

gpuTest("contract over nothing is zero, of nothing writes nothing", async (backend) => {
  await compareKernel(backend, product(5, 6, 0), operands(5, 6, 0), [{ size: 30 }]);
  await compareKernel(backend, product(0, 6, 7), operands(0, 6, 7), [{ size: 0 }]);
});

gpuTest("contract does not let what lies outside the sums in", async (backend) => {
  // NaN before and after the operands must not reach the padding of tiles.
  const [m, n, k] = [6, 7, 5];
  const arrays = operands(m, n, k).map(({ dtype, values }) => ({
    dtype,
    values: [...values, ...new Array<number>(64).fill(NaN)],
  }));
  await compareKernel(backend, product(m, n, k), arrays, [{ size: m * n }], 3e-6);
});

gpuTest("contract applies bias, activation and residual, and writes twice", async (backend) => {
  for (const [m, n, k] of [[33, 36, 20], [9, 35, 7]] as const) {
    const plain = product(m, n, k);
    const [i, j] = [axis(1, m), axis(2, n)];
    const biased = add(acc(0, "float32"), load(2, "float32", j));
    const index = ravel([i, j], [m, n]);
    const outputs: KernelOutput[] = [
      { dtype: "float32", value: add(call("tanh", [biased]), load(3, "float32", index)), index },
      { dtype: "bool", value: lt(constant(0, "float32"), biased), index },
    ];
    const inputs = [...plain.inputs, { dtype: "float32" as const }, { dtype: "float32" as const }];
    await compareKernel(
      backend,
      { ...plain, inputs, outputs },
      [
        ...operands(m, n, k),
        { dtype: "float32", values: randoms(n, 5) },
        { dtype: "float32", values: randoms(m * n, 6) },
      ],
      [{ size: m * n }, { size: m * n }],
      3e-6,
    );
  }
});

interface Convolution {
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly side: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** Two-dimensional convolution: rows are filters, columns are batch and places. */
function convolution(c: Convolution): ContractKernel {
  const out = Math.floor((c.side + 2 * c.padding - c.kernel) / c.stride) + 1;
  const filter = axis(0, c.filters), image = axis(1, c.batch);
  const y = axis(2, out), x = axis(3, out);
  const channel = axis(4, c.channels), p = axis(5, c.kernel), q = axis(6, c.kernel);
  const row = sub(add(mul(y, int(c.stride)), p), int(c.padding));
  const column = sub(add(mul(x, int(c.stride)), q), int(c.padding));
  const inside = (v: Expr) => and(le(int(0), v), lt(v, int(c.side)));
  const place = ravel([image, channel, row, column], [c.batch, c.channels, c.side, c.side]);
  return {
    kind: "contract",
    batch: [],
    m: [c.filters],
    n: [c.batch, out, out],
    k: [c.channels, c.kernel, c.kernel],
    inputs: [{ dtype: "float32" }, { dtype: "float32" }],
    a: load(
      1,
      "float32",
      ravel([filter, channel, p, q], [c.filters, c.channels, c.kernel, c.kernel]),
    ),
    b: load(
      0,
      "float32",
      place,
      c.padding > 0 ? and(inside(row), inside(column)) : undefined,
    ),
    dtype: "float32",
    outputs: [{
      dtype: "float32",
      value: acc(0, "float32"),
      index: ravel([image, filter, y, x], [c.batch, c.filters, out, out]),
    }],
    convolution: undefined,
  };
}

for (const tile of ["64x64x16", undefined]) {
  gpuTest(`contract is a convolution with other loads (${tile ?? "any tile"})`, async (backend) => {
    const shapes: Convolution[] = [
      { batch: 2, channels: 3, filters: 8, side: 9, kernel: 3, stride: 1, padding: 1 },
      { batch: 3, channels: 5, filters: 7, side: 8, kernel: 3, stride: 2, padding: 1 },
      { batch: 2, channels: 16, filters: 12, side: 6, kernel: 1, stride: 1, padding: 0 },
      { batch: 1, channels: 4, filters: 6, side: 11, kernel: 5, stride: 2, padding: 2 },
    ];
    for (const c of tile === undefined ? shapes : shapes.slice(1, 2)) {
      const out = Math.floor((c.side + 2 * c.padding - c.kernel) / c.stride) + 1;
      await compareKernel(
        backend,
        convolution(c),
        [
          { dtype: "float32", values: randoms(c.batch * c.channels * c.side ** 2, 1) },
          { dtype: "float32", values: randoms(c.filters * c.channels * c.kernel ** 2, 2) },
        ],
        [{ size: c.batch * c.filters * out * out }],
        3e-6,
      );
    }
  }, { tile });
}
