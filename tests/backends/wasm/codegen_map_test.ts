import { assertEquals } from "@std/assert";
import {
  add,
  axesOf,
  axis,
  call,
  cast,
  constant,
  type Expr,
  idiv,
  imod,
  int,
  load,
  lt,
  mul,
  ravel,
  select,
  strided,
  sub,
} from "../../../ops/ir/expr.ts";
import type { MapKernel } from "../../../ops/ir/kernel.ts";
import { Random } from "../../ir/helpers.ts";
import { compare, out, runOn, wasm } from "./codegen_helpers.ts";

const F32 = { dtype: "float32" } as const;
const I32 = { dtype: "int32" } as const;
const random = new Random(7);

function normal(count: number): number[] {
  return Array.from({ length: count }, () => Math.fround(random.uniform() * 4 - 2));
}

Deno.test("map kernels add arrays of any size at any offset", () => {
  for (const size of [0, 1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 500, 513, 20001]) {
    const i = axis(0, size);
    const kernel: MapKernel = {
      kind: "map",
      shape: [size],
      inputs: [F32, F32],
      outputs: [out(add(load(0, "float32", i), load(1, "float32", i)))],
    };
    for (const offset of [0, 1, 3]) {
      compare(kernel, [normal(size), normal(size)], [size], { offset });
    }
  }
});

Deno.test("map kernels work in place", () => {
  const i = axis(0, 100);
  const [x, y] = [load(0, "float32", i), load(1, "float32", i)];
  const kernel: MapKernel = {
    kind: "map",
    shape: [100],
    inputs: [F32, F32],
    outputs: [out(add(x, y)), out(sub(x, y))],
  };
  const a = wasm.allocate(400), b = wasm.allocate(400);
  wasm.write(a, 0, Float32Array.from({ length: 100 }, (_, k) => k));
  wasm.write(b, 0, Float32Array.from({ length: 100 }, () => 1));
  const bind = (buffer: typeof a) => ({ buffer, offset: 0 });
  wasm.run(wasm.compile(kernel), [a, b, a, b].map(bind));
  const read = (buffer: typeof a) => [...new Float32Array(wasm.readSync(buffer, 0, 400)!.buffer)];
  assertEquals(read(a), Array.from({ length: 100 }, (_, k) => k + 1));
  assertEquals(read(b), Array.from({ length: 100 }, (_, k) => k - 1));
});

Deno.test("map kernels broadcast, transpose, flip, skip and upsample", () => {
  for (const [m, n] of [[3, 5], [8, 16], [33, 17], [2, 70]] as const) {
    const i = axis(0, m), j = axis(1, n);
    const loads: Record<string, Expr> = {
      row: load(0, "float32", j),
      column: load(0, "float32", i),
      transposed: load(0, "float32", strided([j, i], [m, 1])),
      flipped: load(0, "float32", sub(int(m * n - 1), strided([i, j], [n, 1]))),
      even: load(0, "float32", mul(strided([i, j], [n, 1]), int(2))),
      third: load(0, "float32", mul(strided([i, j], [n, 1]), int(3))),
      doubled: load(0, "float32", add(mul(i, int(n)), idiv(j, 2))),
      wrapped: load(0, "float32", imod(add(j, int(3)), 7)),
    };
    for (const x of Object.values(loads)) {
      const kernel: MapKernel = {
        kind: "map",
        shape: [m, n],
        inputs: [F32],
        outputs: [out(x), out(x, strided([j, i], [m, 1]))],
      };
      compare(kernel, [normal(3 * m * n)], [m * n, m * n], { offset: 1 });
    }
  }
});

Deno.test("map kernels repeat elements along both axes", () => {
  for (const [h, w] of [[2, 1], [3, 4], [5, 7], [4, 14]] as const) {
    const [c, i, , j] = axesOf([3, h, 2, w, 2]) as [Expr, Expr, Expr, Expr, Expr];
    const x = load(0, "float32", strided([c, i, j], [h * w, w, 1]));
    const kernel: MapKernel = {
      kind: "map",
      shape: [3, h, 2, w, 2],
      inputs: [F32],
      outputs: [out(x), out(mul(x, x))],
    };
    compare(kernel, [normal(3 * h * w)], [12 * h * w, 12 * h * w], { offset: 1 });
  }
});

Deno.test("map kernels pad", () => {
  for (const [h, w] of [[3, 3], [6, 10], [17, 33]] as const) {
    const [i, j] = [axis(0, h + 3), axis(1, w + 4)];
    const inside = (x: Expr, low: number, size: number) =>
      call("and", [call("le", [int(low), x]), lt(x, int(low + size))]);
    const guard = call("and", [inside(i, 1, h), inside(j, 3, w)]);
    for (const step of [1, 2, -1]) {
      const column = step < 0 ? sub(int(w + 2), j) : mul(sub(j, int(3)), int(step));
      const index = add(mul(sub(i, int(1)), int(2 * w)), column);
      const kernel: MapKernel = {
        kind: "map",
        shape: [h + 3, w + 4],
        inputs: [F32],
        outputs: [out(load(0, "float32", index, guard))],
      };
      compare(kernel, [normal(2 * h * w)], [(h + 3) * (w + 4)]);
    }
  }
});

Deno.test("map kernels undo reshapes written as chains of divisions", () => {
  const flat = axis(0, 4 * 6 * 32);
  const [b, h, d] = [idiv(flat, 6 * 32), imod(idiv(flat, 32), 6), imod(flat, 32)];
  const x = load(0, "float32", strided([b, h, d], [192, 1, 6]));
  const y = load(1, "float32", ravel([b, h, d], [4, 6, 32]));
  const kernel: MapKernel = {
    kind: "map",
    shape: [768],
    inputs: [F32, F32],
    outputs: [out(add(x, y))],
  };
  compare(kernel, [normal(768), normal(768)], [768]);
});

Deno.test("map kernels gather with loaded indices, uniform and per lane", () => {
  const [i, j] = [axis(0, 9), axis(1, 13)];
  const row = load(0, "int32", i), column = load(1, "int32", j);
  const kernel: MapKernel = {
    kind: "map",
    shape: [9, 13],
    inputs: [I32, I32, F32],
    outputs: [
      out(load(2, "float32", strided([row, j], [13, 1]))),
      out(load(2, "float32", strided([i, column], [13, 1]))),
      out(load(2, "float32", strided([i, column], [13, 1]), lt(column, int(4)))),
    ],
  };
  const rows = Array.from({ length: 9 }, () => random.int(0, 8));
  const columns = Array.from({ length: 13 }, () => random.int(0, 12));
  compare(kernel, [rows, columns, normal(117)], [117, 117, 117]);
});

Deno.test("map kernels select, compare and store bools", () => {
  const i = axis(0, 37);
  const x = load(0, "float32", i), k = load(1, "int32", i), b = load(2, "bool", i);
  const positive = lt(constant(0, "float32"), x);
  const both = call("and", [positive, b]);
  const kernel: MapKernel = {
    kind: "map",
    shape: [37],
    inputs: [F32, I32, { dtype: "bool" }],
    outputs: [
      out(positive),
      out(both),
      out(select(both, x, constant(-1, "float32"))),
      out(select(positive, k, int(7))),
      out(cast(both, "float32")),
      out(cast(call("not", [b]), "int32")),
      out(cast(x, "bool")),
      out(call("eq", [k, int(2)])),
      out(select(lt(i, int(20)), x, cast(k, "float32"))),
    ],
  };
  const ks = Array.from({ length: 37 }, () => random.int(-3, 3));
  const bs = Array.from({ length: 37 }, () => random.int(0, 1));
  const xs = normal(37);
  [xs[3], xs[4], xs[5]] = [NaN, 0, -0];
  compare(kernel, [xs, ks, bs], new Array(9).fill(37));
});

Deno.test("map kernels draw the same random bits as the reference", () => {
  const [i, j] = [axis(0, 5), axis(1, 21)];
  for (const word of [0, 1, 2, 3]) {
    const bits = call("philox", [
      cast(ravel([i, j], [5, 21]), "uint32"),
      load(0, "uint32", int(0)),
      constant(12345, "uint32"),
      constant(0xdeadbeef, "uint32"),
      constant(word, "uint32"),
    ]);
    const uniform = mul(
      cast(call("shr", [bits, constant(8, "uint32")]), "float32"),
      constant(2 ** -24, "float32"),
    );
    const kernel: MapKernel = {
      kind: "map",
      shape: [5, 21],
      inputs: [{ dtype: "uint32" }],
      outputs: [out(bits), out(uniform), out(lt(uniform, constant(0.3, "float32")))],
    };
    compare(kernel, [[77]], [105, 105, 105], { relative: 0, absolute: 0 });
  }
});

Deno.test("map kernels compute in float64 and integers", () => {
  const i = axis(0, 33);
  const x = load(0, "float64", i), k = load(1, "int32", i), n = load(2, "int32", i);
  const u = call("bitcast", [k], "uint32");
  const kernel: MapKernel = {
    kind: "map",
    shape: [33],
    inputs: [{ dtype: "float64" }, I32, I32],
    outputs: [
      out(call("exp", [x])),
      out(call("pow", [call("abs", [x]), constant(1.5, "float64")])),
      out(cast(x, "float32")),
      out(cast(cast(x, "float32"), "float64")),
      out(cast(x, "int32")),
      out(lt(x, constant(0, "float64"))),
      out(select(lt(x, constant(0, "float64")), k, n)),
    ],
  };
  const xs = Array.from({ length: 33 }, () => random.uniform() * 8 - 4);
  const ks = Array.from({ length: 33 }, () => random.int(-9, 9));
  const ns = Array.from({ length: 33 }, () => random.int(1, 5));
  compare(kernel, [xs, ks, ns], new Array(7).fill(33), { relative: 1e-15, absolute: 1e-15 });
  const words: MapKernel = {
    kind: "map",
    shape: [33],
    inputs: [{ dtype: "float64" }, I32, I32],
    outputs: [
      ...(["tdiv", "trem", "pow", "min", "max", "and", "or", "xor", "lt", "le", "ne"] as const)
        .map((op) => out(call(op, [k, n]))),
      ...(["tdiv", "trem", "min", "max", "lt", "le"] as const).map((op) =>
        out(call(op, [u, cast(n, "uint32")]))
      ),
      out(call("abs", [k])),
      out(call("neg", [k])),
      out(call("shl", [n, int(3)])),
      out(call("shr", [k, int(1)])),
      out(call("shr", [u, n.dtype === "int32" ? cast(n, "uint32") : n])),
      out(mul(k, n)),
      out(cast(k, "uint32")),
      out(cast(call("neg", [u]), "int32")),
      out(call("bitcast", [cast(k, "float32")], "uint32")),
    ],
  };
  compare(words, [xs, ks, ns], new Array(words.outputs.length).fill(33), {
    relative: 0,
    absolute: 0,
  });
});

Deno.test("map kernels write scattered outputs and scalars", () => {
  const kernel: MapKernel = {
    kind: "map",
    shape: [],
    inputs: [F32],
    outputs: [out(mul(load(0, "float32", int(2)), constant(2, "float32")))],
  };
  assertEquals(runOn(wasm, kernel, [[1, 2, 3]], [1]), [[6]]);
  const [i, j] = [axis(0, 6), axis(1, 10)];
  const spread: MapKernel = {
    kind: "map",
    shape: [6, 10],
    inputs: [F32],
    outputs: [
      out(
        load(0, "float32", strided([i, j], [10, 1])),
        add(mul(add(mul(i, int(10)), j), int(3)), int(1)),
      ),
    ],
  };
  compare(spread, [normal(60)], [181]);
});
