import { assert, assertEquals } from "@std/assert";
import { createWasmBackend } from "../../../ops/backends/wasm/backend.ts";
import type { Backend, Binding } from "../../../ops/backends/backend.ts";
import { acc, add, axis, call, load, mul, strided } from "../../../ops/ir/expr.ts";
import type { ContractKernel, MapKernel, ReduceKernel } from "../../../ops/ir/kernel.ts";
import { out } from "./codegen_helpers.ts";

const F32 = { dtype: "float32" } as const;
const SUM = acc(0, "float32");

function addKernel(size: number): MapKernel {
  const i = axis(0, size);
  const sum = add(load(0, "float32", i), load(1, "float32", i));
  return { kind: "map", shape: [size], inputs: [F32, F32], outputs: [out(sum)] };
}

function sumKernel(size: number): ReduceKernel {
  const x = load(0, "float32", axis(0, size));
  return {
    kind: "reduce",
    shape: [],
    reduce: [size],
    inputs: [F32],
    reductions: [{ op: "sum", body: mul(x, x), dtype: "float32" }],
    outputs: [out(call("sqrt", [SUM]))],
  };
}

function productKernel(n: number): ContractKernel {
  const [i, j, k] = [axis(0, n), axis(1, n), axis(2, n)];
  return {
    kind: "contract",
    batch: [],
    m: [n],
    n: [n],
    k: [n],
    inputs: [F32, F32],
    a: load(0, "float32", strided([i, k], [n, 1])),
    b: load(1, "float32", strided([k, j], [n, 1])),
    dtype: "float32",
    outputs: [out(call("tanh", [SUM]), strided([i, j], [n, 1]))],
    convolution: undefined,
  };
}

/** Arrays of sines, one per size. */
function arrays(backend: Backend, sizes: readonly number[]): Binding[] {
  return sizes.map((size, a) => {
    const buffer = backend.allocate(4 * size);
    backend.write(buffer, 0, Float32Array.from({ length: size }, (_, i) => Math.sin(i + a)));
    return { buffer, offset: 0 };
  });
}

function numbers(backend: Backend, binding: Binding, count: number): number[] {
  return [...new Float32Array(backend.readSync(binding.buffer, 0, 4 * count)!.buffer)];
}

Deno.test("createWasmBackend() describes itself", () => {
  const backend = createWasmBackend({ threads: 2 });
  assertEquals(backend.name, "cpu");
  assert(/^cpu, 2 threads, wasm simd/.test(backend.description), backend.description);
  assert(backend.supports("float64") && !backend.supports("float16"));
});

Deno.test("prepare() replays a chain of kernels and gives everything back", () => {
  const backend = createWasmBackend({ threads: 2 });
  const n = 96;
  const before = backend.memory().live;
  const [x, y, z, s] = arrays(backend, [n * n, n * n, n * n, 1]) as [
    Binding,
    Binding,
    Binding,
    Binding,
  ];
  const dispatches = [
    { kernel: addKernel(n * n), bindings: [x, y, z] },
    { kernel: productKernel(n), bindings: [z, y, x] },
    { kernel: sumKernel(n * n), bindings: [x, s] },
  ];
  // Modules stay for the life of the process: compiled before the count.
  backend.prepare(dispatches).dispose();
  const bound = backend.memory().live;
  const plan = backend.prepare(dispatches);
  plan.run();
  const once = numbers(backend, s, 1);
  const labels: string[] = [];
  backend.onTiming = ({ label, milliseconds }) => {
    labels.push(label);
    assert(milliseconds >= 0);
  };
  plan.run();
  backend.onTiming = undefined;
  assertEquals(labels, ["map", "contract", "reduce"]);
  assert(once[0]! > 0);
  plan.dispose();
  assertEquals(backend.memory().live, bound);
  for (const { buffer } of [x, y, z, s]) backend.release(buffer);
  assert(backend.memory().live >= before);
});

Deno.test("run() gives what prepare() gives, whatever the number of threads", () => {
  const n = 160, long = 300_000;
  const results = [1, 2, 4].map((threads) => {
    const backend = createWasmBackend({ threads });
    const [x, y, z, s, v] = arrays(backend, [n * n, n * n, n * n, 1, long]) as Binding[] as [
      Binding,
      Binding,
      Binding,
      Binding,
      Binding,
    ];
    const product = { kernel: productKernel(n), bindings: [x, y, z] };
    const sum = { kernel: sumKernel(long), bindings: [v, s] };
    for (const { kernel, bindings } of [product, sum]) {
      backend.run(backend.compile(kernel), bindings);
    }
    const eager = [...numbers(backend, z, n * n), ...numbers(backend, s, 1)];
    const plan = backend.prepare([product, sum]);
    for (let i = 0; i < 5; i++) plan.run();
    assertEquals([...numbers(backend, z, n * n), ...numbers(backend, s, 1)], eager);
    return eager;
  });
  assertEquals(results[1], results[0]);
  assertEquals(results[2], results[0]);
});

Deno.test("an operand of many products is packed once, and again where it is written between", () => {
  const n = 96;
  for (const written of [false, true]) {
    const backend = createWasmBackend({ threads: 2 });
    const all = () => arrays(backend, [n * n, n * n, n * n, n * n]);
    const chain = ([x, y, z, w]: readonly Binding[]) => [
      { kernel: productKernel(n), bindings: [x!, y!, z!] },
      { kernel: addKernel(n * n), bindings: written ? [x!, y!, y!] : [x!, z!, z!] },
      { kernel: productKernel(n), bindings: [z!, y!, w!] },
    ];
    const eager = all();
    for (const { kernel, bindings } of chain(eager)) {
      backend.run(backend.compile(kernel), bindings);
    }
    const planned = all();
    const before = backend.memory().live;
    const plan = backend.prepare(chain(planned));
    plan.run();
    assertEquals(numbers(backend, planned[3]!, n * n), numbers(backend, eager[3]!, n * n));
    plan.dispose();
    assertEquals(backend.memory().live, before);
  }
});

Deno.test("compile() finds the same code for the same structure", () => {
  const backend = createWasmBackend({ threads: 1 });
  const first = backend.compile(addKernel(100));
  assert(backend.compile(addKernel(100)) === first);
  assert(backend.compile(addKernel(101)) !== first);
});

Deno.test("copy() and read() move bytes", async () => {
  const backend = createWasmBackend({ threads: 1 });
  const [x, y] = arrays(backend, [8, 8]) as [Binding, Binding];
  backend.copy(x.buffer, 4, y.buffer, 8, 12);
  const bytes = await backend.read(y.buffer, 0, 32);
  const values = new Float32Array(bytes.buffer);
  assertEquals([...values.subarray(2, 5)], [1, 2, 3].map((i) => Math.fround(Math.sin(i))));
  await backend.synchronize();
  assertEquals(backend.trim(), 0);
});
