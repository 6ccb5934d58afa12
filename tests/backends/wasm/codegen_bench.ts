/** Times of generated kernels: `deno run -A tests/backends/wasm/codegen_bench.ts [filter]`. */
import {
  acc,
  add,
  axesOf,
  axis,
  call,
  cast,
  constant,
  div,
  type Expr,
  idiv,
  int,
  load,
  lt,
  mul,
  ravel,
  select,
  strided,
  sub,
} from "../../../ops/ir/expr.ts";
import { bytesOf } from "../../../ops/ir/dtype.ts";
import type { Kernel, ReduceKernel, ScatterKernel } from "../../../ops/ir/kernel.ts";
import { createWasmBackend } from "../../../ops/backends/wasm/backend.ts";
import { out } from "./codegen_helpers.ts";

const F32 = { dtype: "float32" } as const;
function c(x: number): Expr {
  return constant(x, "float32");
}
const filter = Deno.args[0] ?? "";

async function bench(name: string, kernel: Kernel, sizes: readonly number[]): Promise<void> {
  if (!name.includes(filter)) return;
  const row = [name.padEnd(34)];
  for (const threads of [1, 2]) {
    const backend = createWasmBackend({ threads });
    const arrays = [...kernel.inputs, ...kernel.outputs];
    const bindings = sizes.map((size, i) => {
      const buffer = backend.allocate(size * bytesOf(arrays[i]!.dtype));
      const values = arrays[i]!.dtype === "float32"
        ? Float32Array.from({ length: size }, (_, k) => Math.sin(k) + 1.5)
        : Int32Array.from({ length: size }, (_, k) => (k * 7919) % 65);
      backend.write(buffer, 0, values);
      return { buffer, offset: 0 };
    });
    const begin = performance.now();
    const plan = backend.prepare([{ kernel, bindings }]);
    plan.run();
    const first = performance.now() - begin;
    await new Promise((resolve) => setTimeout(resolve, 60)); // workers start
    let best = Infinity;
    for (const stop = performance.now() + 600; performance.now() < stop;) {
      const start = performance.now();
      plan.run();
      best = Math.min(best, performance.now() - start);
    }
    const bytes = sizes.reduce((sum, size, i) => sum + size * bytesOf(arrays[i]!.dtype), 0);
    row.push(`${best.toFixed(3)} ms`, `${(bytes / best / 1e6).toFixed(1)} GB/s`);
    row.push(`first ${first.toFixed(1)} |`);
  }
  console.log(row.join("  "));
}

function flat(size: number, inputs: number, value: (...xs: Expr[]) => Expr[]): Kernel {
  const i = axis(0, size);
  const xs = Array.from({ length: inputs }, (_, k) => load(k, "float32", i));
  return {
    kind: "map",
    shape: [size],
    inputs: xs.map(() => F32),
    outputs: value(...xs).map((x) => out(x)),
  };
}

const M10 = 10_000_000;
await bench("add 10M", flat(M10, 2, (x, y) => [add(x!, y!)]), [M10, M10, M10]);
await bench("exp 1M", flat(1e6, 1, (x) => [call("exp", [x!])]), [1e6, 1e6]);
await bench(
  "tanh gelu 1M",
  flat(1e6, 1, (x) => {
    const u = mul(c(0.7978845608), add(x!, mul(c(0.044715), mul(x!, mul(x!, x!)))));
    return [mul(mul(c(0.5), x!), add(c(1), call("tanh", [u])))];
  }),
  [1e6, 1e6],
);
await bench("log 1M", flat(1e6, 1, (x) => [call("log", [x!])]), [1e6, 1e6]);
await bench("erf 1M", flat(1e6, 1, (x) => [call("erf", [x!])]), [1e6, 1e6]);
await bench("sin 1M", flat(1e6, 1, (x) => [call("sin", [x!])]), [1e6, 1e6]);

const P = 9_500_000;
await bench(
  "adam 9.5M",
  flat(P, 4, (p, g, m, v) => {
    const m2 = add(mul(m!, c(0.9)), mul(g!, c(0.1)));
    const v2 = add(mul(v!, c(0.999)), mul(mul(g!, g!), c(0.001)));
    const denominator = add(div(call("sqrt", [v2]), c(0.5)), c(1e-8));
    return [sub(p!, mul(c(1e-3), div(m2, denominator))), m2, v2];
  }),
  [P, P, P, P, P, P, P],
);

{
  const n = 1_200_000;
  const bits = call("philox", [
    cast(axis(0, n), "uint32"),
    constant(3, "uint32"),
    constant(1, "uint32"),
    constant(2, "uint32"),
    constant(0, "uint32"),
  ]);
  const keep = lt(
    mul(cast(call("shr", [bits, constant(8, "uint32")]), "float32"), c(2 ** -24)),
    c(0.9),
  );
  await bench("dropout 1.2M", {
    kind: "map",
    shape: [n],
    inputs: [F32],
    outputs: [out(select(keep, mul(load(0, "float32", axis(0, n)), c(1 / 0.9)), c(0)))],
  }, [n, n]);
}

{
  // ReLU and 2 × 2 max pooling of [64, 64, 48, 48], forward and backward.
  const [n, h, w] = [64 * 64, 48, 48];
  const [p, y, x] = axesOf([n, h / 2, w / 2]) as [Expr, Expr, Expr];
  const relu = (v: Expr) => call("max", [v, c(0)]);
  const at = (dy: number, dx: number) =>
    strided([p, add(mul(y, int(2)), int(dy)), add(mul(x, int(2)), int(dx))], [h * w, w, 1]);
  const taps = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)].map((i) => relu(load(0, "float32", i)));
  await bench("relu+maxpool fwd", {
    kind: "map",
    shape: [n, h / 2, w / 2],
    inputs: [F32],
    outputs: [out(taps.reduce((a, b) => call("max", [a, b])))],
  }, [n * h * w, n * h * w / 4]);
  const [py, px] = [axis(2, 2), axis(3, 2)];
  const window = load(
    0,
    "float32",
    strided([axis(0, n * (h / 2)), py, axis(1, w / 2), px], [2 * w, w, 2, 1]),
  );
  const pool: ReduceKernel = {
    kind: "reduce",
    shape: [n * h / 2, w / 2],
    reduce: [2, 2],
    inputs: [F32],
    reductions: [{ op: "max", body: relu(window), dtype: "float32" }],
    outputs: [out(acc(0, "float32"))],
  };
  await bench("relu+maxpool as reduce", pool, [n * h * w, n * h * w / 4]);
  const [q, i, j] = axesOf([n, h, w]) as [Expr, Expr, Expr];
  const small = strided([q, idiv(i, 2), idiv(j, 2)], [h * w / 4, w / 2, 1]);
  const best = load(1, "float32", small), dy = load(2, "float32", small);
  const v = load(0, "float32", strided([q, i, j], [h * w, w, 1]));
  await bench("maxpool bwd (compare)", {
    kind: "map",
    shape: [n, h, w],
    inputs: [F32, F32, F32],
    outputs: [out(select(call("and", [lt(c(0), v), call("eq", [v, best])]), dy, c(0)))],
  }, [n * h * w, n * h * w / 4, n * h * w / 4, n * h * w]);
}

function rows(m: number, n: number) {
  return strided([axis(0, m), axis(1, n)], [n, 1]);
}

{
  const [m, n] = [768, 65];
  const x = load(0, "float32", rows(m, n));
  const e = call("exp", [sub(x, acc(0, "float32"))]);
  await bench("softmax [768,65]", {
    kind: "reduce",
    shape: [m],
    reduce: [n],
    inputs: [F32],
    reductions: [{ op: "max", body: x, dtype: "float32" }, {
      op: "sum",
      body: e,
      dtype: "float32",
    }],
    outputs: [out(div(e, acc(1, "float32")), undefined, true)],
  }, [m * n, m * n]);
}

{
  const [m, n] = [768, 128];
  const x = load(0, "float32", rows(m, n));
  const gamma = load(1, "float32", axis(1, n)), beta = load(2, "float32", axis(1, n));
  const mean = mul(acc(0, "float32"), c(1 / n)), d = sub(x, mean);
  const scale = div(c(1), call("sqrt", [add(mul(acc(1, "float32"), c(1 / n)), c(1e-5))]));
  await bench("layer norm fwd [768,128]", {
    kind: "reduce",
    shape: [m],
    reduce: [n],
    inputs: [F32, F32, F32],
    reductions: [{ op: "sum", body: x, dtype: "float32" }, {
      op: "sum",
      body: mul(d, d),
      dtype: "float32",
    }],
    outputs: [out(add(mul(mul(d, scale), gamma), beta), undefined, true), out(mean), out(scale)],
  }, [m * n, n, n, m * n, m, m]);
  const dy = load(2, "float32", rows(m, n));
  const mu = load(3, "float32", axis(0, m)), rs = load(4, "float32", axis(0, m));
  const hat = mul(sub(x, mu), rs), g = mul(dy, gamma);
  await bench("layer norm bwd dx [768,128]", {
    kind: "reduce",
    shape: [m],
    reduce: [n],
    inputs: [F32, F32, F32, F32, F32],
    reductions: [{ op: "sum", body: g, dtype: "float32" }, {
      op: "sum",
      body: mul(g, hat),
      dtype: "float32",
    }],
    outputs: [
      out(
        mul(
          rs,
          sub(sub(g, mul(acc(0, "float32"), c(1 / n))), mul(hat, mul(acc(1, "float32"), c(1 / n)))),
        ),
        undefined,
        true,
      ),
    ],
  }, [m * n, n, m * n, m, m, m * n]);
  const cols = strided([axis(1, m), axis(0, n)], [n, 1]);
  const cx = load(0, "float32", cols), cdy = load(2, "float32", cols);
  const ch = mul(sub(cx, load(3, "float32", axis(1, m))), load(4, "float32", axis(1, m)));
  await bench("layer norm bwd dgamma [768,128]", {
    kind: "reduce",
    shape: [n],
    reduce: [m],
    inputs: [F32, F32, F32, F32, F32],
    reductions: [{ op: "sum", body: mul(cdy, ch), dtype: "float32" }, {
      op: "sum",
      body: cdy,
      dtype: "float32",
    }],
    outputs: [out(acc(0, "float32")), out(acc(1, "float32"))],
  }, [m * n, n, m * n, m, m, n, n]);
}

await bench("sum 10M", {
  kind: "reduce",
  shape: [],
  reduce: [M10],
  inputs: [F32],
  reductions: [{ op: "sum", body: load(0, "float32", axis(0, M10)), dtype: "float32" }],
  outputs: [out(acc(0, "float32"))],
}, [M10, 1]);

{
  const x = load(
    0,
    "float32",
    strided([axis(1, 64), axis(0, 64), axis(2, 2304)], [64 * 2304, 2304, 1]),
  );
  await bench("channel sums [64,64,48,48]", {
    kind: "reduce",
    shape: [64],
    reduce: [64, 2304],
    inputs: [F32],
    reductions: [{ op: "sum", body: x, dtype: "float32" }, {
      op: "sum",
      body: mul(x, x),
      dtype: "float32",
    }],
    outputs: [out(acc(0, "float32")), out(acc(1, "float32"))],
  }, [64 * 64 * 2304, 64, 64]);
}

{
  const [i, j] = [axis(0, 2048), axis(1, 2048)];
  await bench("transpose 2048²", {
    kind: "map",
    shape: [2048, 2048],
    inputs: [F32],
    outputs: [out(load(0, "float32", strided([j, i], [2048, 1])))],
  }, [2048 * 2048, 2048 * 2048]);
}

{
  const scatter: ScatterKernel = {
    kind: "scatter",
    size: 65 * 128,
    init: c(0),
    shape: [768, 128],
    parallel: [1],
    op: "add",
    target: strided([load(1, "int32", axis(0, 768)), axis(1, 128)], [128, 1]),
    value: load(0, "float32", rows(768, 128)),
    guard: undefined,
    inputs: [F32, { dtype: "int32" }],
    outputs: [{ dtype: "float32", value: c(0), index: undefined }],
  };
  await bench("embedding bwd [768,128]", scatter, [768 * 128, 768, 65 * 128]);
}

{
  const [b, t, d] = [48, 64, 32];
  const [bb, i, j, k] = axesOf([b, t, t, d]) as [Expr, Expr, Expr, Expr];
  await bench("attention q·k 48×(64×32×64)", {
    kind: "contract",
    batch: [b],
    m: [t],
    n: [t],
    k: [d],
    inputs: [F32, F32],
    a: load(0, "float32", strided([bb, i, k], [t * d, d, 1])),
    b: load(1, "float32", strided([bb, j, k], [t * d, d, 1])),
    dtype: "float32",
    convolution: undefined,
    outputs: [out(mul(acc(0, "float32"), c(0.17)), ravel([bb, i, j], [b, t, t]))],
  }, [b * t * d, b * t * d, b * t * t]);
}
await bench("tiny add 64", flat(64, 2, (x, y) => [add(x!, y!)]), [64, 64, 64]);
Deno.exit(0);
