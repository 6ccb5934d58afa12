import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { sizeClass } from "../../../ops/backends/webgpu/buffers.ts";
import { readsAtOnce } from "../../../ops/backends/webgpu/staging.ts";
import { Failures } from "../../../ops/backends/webgpu/failures.ts";
import { createWebgpuBackend } from "../../../ops/backends/webgpu/mod.ts";
import { adapterName, isSoftwareAdapter } from "../../../ops/backends/webgpu/device.ts";
import type { Binding } from "../../../ops/backends/backend.ts";
import { acc, add, axis, call, constant, load, ravel } from "../../../ops/ir/expr.ts";
import type { MapKernel, ReduceKernel } from "../../../ops/ir/kernel.ts";
import { gpuTest, randoms } from "./support.ts";

/** Whether there is a way to read without waiting: one that was tested, or a page's canvas. */
const READS_SYNC = readsAtOnce() || "OffscreenCanvas" in globalThis;

/** y ← x + 1 */
function increment(n: number): MapKernel {
  const value = add(load(0, "float32", axis(0, n)), constant(1, "float32"));
  return {
    kind: "map",
    shape: [n],
    inputs: [{ dtype: "float32" }],
    outputs: [{ dtype: "float32", value, index: undefined }],
  };
}

function total(n: number): ReduceKernel {
  const body = load(0, "float32", axis(0, n));
  return {
    kind: "reduce",
    shape: [],
    reduce: [n],
    inputs: [{ dtype: "float32" }],
    reductions: [{ op: "sum", body, dtype: "float32" }],
    outputs: [{ dtype: "float32", value: acc(0, "float32"), index: undefined }],
  };
}

gpuTest("write, copy and read move bytes in order", async (backend) => {
  const a = backend.allocate(400), b = backend.allocate(400);
  const data = Float32Array.from({ length: 100 }, (_, i) => i);
  backend.write(a, 0, data);
  data.fill(-1); // The caller may change it at once.
  backend.copy(a, 40, b, 80, 200);
  const bytes = await backend.read(b, 80, 200);
  assertEquals([...new Float32Array(bytes.buffer)], Array.from({ length: 50 }, (_, i) => i + 10));
  // Inside one buffer, and a write that must not overtake what was encoded before it.
  backend.copy(a, 0, a, 200, 100);
  backend.write(a, 0, new Float32Array(25).fill(7));
  const moved = new Float32Array((await backend.read(a, 0, 400)).buffer);
  assertEquals([moved[0], moved[24], moved[25], moved[50], moved[74]], [7, 7, 25, 0, 24]);
  backend.release(a);
  backend.release(b);
});

gpuTest("read gives bytes at any offset; readSync gives the same at once", async (backend) => {
  const buffer = backend.allocate(64);
  backend.write(buffer, 0, Uint8Array.from({ length: 64 }, (_, i) => i));
  assertEquals([...await backend.read(buffer, 6, 5)], [6, 7, 8, 9, 10]);
  assertEquals((await backend.read(buffer, 6, 0)).byteLength, 0);
  const now = backend.readSync(buffer, 6, 5);
  assertEquals(now && [...now], READS_SYNC ? [6, 7, 8, 9, 10] : undefined);
  assertEquals(backend.slowReadSync, !readsAtOnce());
  backend.release(buffer);
});

gpuTest("readSync gives every byte as it is, also of many rows of a canvas", async (backend) => {
  const bytes = Uint8Array.from({ length: 300_004 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
  const buffer = backend.allocate(bytes.length);
  backend.write(buffer, 0, bytes);
  assertEquals(await backend.read(buffer, 0, bytes.length), bytes);
  if (READS_SYNC) assertEquals(backend.readSync(buffer, 0, bytes.length), bytes);
  backend.release(buffer);
});

gpuTest("readSync sees every step of a loop, also beyond its staging memory", (backend) => {
  const n = 300_000;
  const buffer = backend.allocate(4 * n);
  backend.write(buffer, 0, new Float32Array(n));
  const kernel = backend.compile(increment(n));
  const binding: Binding = { buffer, offset: 0 };
  for (let step = 1; step <= 20 && READS_SYNC; step++) {
    backend.run(kernel, [binding, binding]);
    const values = new Float32Array(backend.readSync(buffer, 0, 4 * n)!.buffer);
    assertEquals([values[0], values[n >> 1], values[n - 1]], [step, step, step]);
  }
  backend.release(buffer);
});

gpuTest("kernels of eager steps run in order across submissions", async (backend) => {
  const buffer = backend.allocate(16);
  backend.write(buffer, 0, new Float32Array(4));
  const kernel = backend.compile(increment(4)), binding = { buffer, offset: 0 };
  for (let i = 0; i < 1000; i++) backend.run(kernel, [binding, binding]);
  const bytes = await backend.read(buffer, 0, 16);
  assertEquals([...new Float32Array(bytes.buffer)], [1000, 1000, 1000, 1000]);
  backend.release(buffer);
});

gpuTest("float16 arrays of odd length are written, copied and read", async (backend) => {
  const buffer = backend.allocate(14), other = backend.allocate(14);
  backend.write(buffer, 0, Uint16Array.from([1, 2, 3, 4, 5, 6, 7]));
  backend.write(buffer, 2, Uint16Array.from([20, 30, 40]));
  const words = async (from: typeof buffer) => [
    ...new Uint16Array((await backend.read(from, 0, 14)).buffer),
  ];
  assertEquals(await words(buffer), [1, 20, 30, 40, 5, 6, 7]);
  backend.copy(buffer, 0, other, 0, 14);
  backend.copy(buffer, 2, other, 8, 6);
  assertEquals(await words(other), [1, 20, 30, 40, 20, 30, 40]);
  backend.release(buffer);
  backend.release(other);
}, { half: true });

gpuTest("plans run again and again without allocation", async (backend) => {
  const n = 100_000;
  const [x, y, s] = [4 * n, 4 * n, 4].map((bytes) => backend.allocate(bytes));
  const input = randoms(n);
  backend.write(x!, 0, Float32Array.from(input));
  const at = (buffer: Binding["buffer"], offset = 0): Binding => ({ buffer, offset });
  const plan = backend.prepare([
    { kernel: increment(n), bindings: [at(x!), at(y!)] },
    { kernel: increment(n), bindings: [at(y!), at(y!)] },
    { kernel: increment(n - 1), bindings: [at(y!, 1), at(x!, 1)] },
    { kernel: total(n), bindings: [at(y!), at(s!)] },
  ]);
  const { live } = backend.memory();
  let expected = 0;
  for (let step = 0; step < 5; step++) {
    plan.run();
    expected = input.reduce((sum, v, i) => sum + v + 2 + (i === 0 ? 0 : 3 * step), 0);
    const bytes = await backend.read(s!, 0, 4);
    const actual = new Float32Array(bytes.buffer)[0]!;
    assert(Math.abs(actual - expected) < 1e-5 * expected, `step ${step}: ${actual}, ${expected}`);
    assertEquals(backend.memory().live, live);
  }
  plan.dispose();
  plan.dispose();
  assertThrows(() => plan.run(), Error, "after its disposal");
  for (const buffer of [x!, y!, s!]) backend.release(buffer);
});

gpuTest("the same kernel gives the same bits in every run", async (backend) => {
  const n = 200_001;
  const [x, s] = [4 * n, 8].map((bytes) => backend.allocate(bytes));
  backend.write(x!, 0, Float32Array.from(randoms(n)));
  const kernel = backend.compile(total(n)), seen = new Set<number>();
  for (let i = 0; i < 5; i++) {
    backend.run(kernel, [{ buffer: x!, offset: 0 }, { buffer: s!, offset: i % 2 }]);
    const bytes = await backend.read(s!, 4 * (i % 2), 4);
    seen.add(new Uint32Array(bytes.buffer)[0]!);
  }
  assertEquals(seen.size, 1);
  for (const buffer of [x!, s!]) backend.release(buffer);
});

gpuTest("compile returns what it compiled before for equal kernels", (backend) => {
  assertEquals(backend.compile(increment(5)), backend.compile(increment(5)));
  assert(backend.compile(increment(5)) !== backend.compile(increment(6)));
});

gpuTest("memory is pooled, trimmed and counted", (backend) => {
  assertEquals(backend.memory(), { live: 0, peak: 0, pooled: 0 });
  const a = backend.allocate(1000), b = backend.allocate(0);
  assertEquals([a.bytes, b.bytes], [1000, 0]);
  const { live } = backend.memory();
  assertEquals(live, 1024 + 256);
  backend.release(a);
  assertEquals(backend.memory(), { live: 256, peak: live, pooled: 1024 });
  const c = backend.allocate(1001);
  assertEquals(backend.memory().pooled, 0);
  backend.release(c);
  backend.release(b);
  assertEquals(backend.trim(), 1280);
  assertEquals(backend.memory(), { live: 0, peak: live, pooled: 0 });
});

Deno.test("webgpu: size classes waste at most an eighth", () => {
  assertEquals([0, 1, 256, 257, 1024, 1025].map(sizeClass), [256, 256, 256, 512, 1024, 1280]);
  for (let bytes = 4096; bytes < 1e9; bytes = Math.ceil(bytes * 1.07)) {
    const size = sizeClass(bytes);
    assert(size >= bytes && size <= bytes * 1.13 && size % 256 === 0, `${bytes}: ${size}`);
  }
});

gpuTest("work on memory that is trimmed while it waits still runs", async (backend) => {
  const a = backend.allocate(16), b = backend.allocate(16);
  backend.write(a, 0, Float32Array.from([1, 2, 3, 4]));
  backend.run(backend.compile(increment(4)), [{ buffer: a, offset: 0 }, { buffer: b, offset: 0 }]);
  backend.release(a);
  backend.trim();
  const bytes = await backend.read(b, 0, 16);
  assertEquals([...new Float32Array(bytes.buffer)], [2, 3, 4, 5]);
  backend.release(b);
});

gpuTest("allocate throws for more than the adapter allows", (backend) => {
  const error = assertThrows(() => backend.allocate(2 ** 45), RangeError);
  assert(
    /^webgpu: allocation of 35184372088832 bytes failed: 0 live, 0 pooled: the adapter allows \d+ per array/
      .test(error.message),
    error.message,
  );
});

gpuTest("a released buffer and a foreign one are refused", (backend) => {
  const buffer = backend.allocate(4);
  backend.release(buffer);
  assertThrows(() => backend.release(buffer), Error, "used after its release");
  assertThrows(() => backend.release({ bytes: 4 }), TypeError, "buffer of another device");
});

gpuTest("float64 is refused with the way out", (backend) => {
  const value = load(0, "float64", axis(0, 3));
  const kernel: MapKernel = {
    kind: "map",
    shape: [3],
    inputs: [{ dtype: "float64" }],
    outputs: [{ dtype: "float64", value, index: undefined }],
  };
  assertThrows(() => backend.compile(kernel), TypeError, "use device cpu");
  assertEquals(backend.supports("float64"), false);
});

gpuTest("more arrays than the adapter binds are an internal error", (backend) => {
  const inputs = Array.from({ length: 200 }, () => ({ dtype: "float32" as const }));
  const value = inputs.map((_, i) => load(i, "float32", axis(0, 3))).reduce((a, b) =>
    call("add", [a, b])
  );
  const kernel: MapKernel = {
    kind: "map",
    shape: [3],
    inputs,
    outputs: [{ dtype: "float32", value, index: undefined }],
  };
  const buffers = [...inputs, 0].map(() => backend.allocate(12));
  const bindings = buffers.map((buffer) => ({ buffer, offset: 0 }));
  assertThrows(
    () => backend.run(backend.compile(kernel), bindings),
    Error,
    "binds 201 arrays, the adapter allows",
  );
  for (const buffer of buffers) backend.release(buffer);
});

gpuTest("onTiming hears of every kernel", async (backend) => {
  const heard: string[] = [];
  backend.onTiming = ({ label, milliseconds }) => {
    assert(milliseconds >= 0 && milliseconds < 60_000, `${milliseconds}`);
    heard.push(label);
  };
  const n = 5000;
  const x = backend.allocate(4 * n), s = backend.allocate(4);
  backend.write(x, 0, new Float32Array(n));
  const binding = { buffer: x, offset: 0 };
  for (let i = 0; i < 200; i++) backend.run(backend.compile(increment(n)), [binding, binding]);
  backend.run(backend.compile(total(n)), [binding, { buffer: s, offset: 0 }]);
  await backend.synchronize();
  assertEquals(heard.length, 201);
  assertEquals(heard[0], "map 5000");
  backend.onTiming = undefined;
  backend.run(backend.compile(increment(n)), [binding, binding]);
  await backend.synchronize();
  assertEquals(heard.length, 201);
  backend.release(x);
  backend.release(s);
});

gpuTest("work after dispose is rejected with the reason", async (backend) => {
  const other = await createWebgpuBackend({ adapter: "any" });
  const buffer = other!.allocate(16);
  other!.dispose();
  await assertRejects(() => other!.read(buffer, 0, 16), Error, "the device was disposed");
  await assertRejects(() => other!.synchronize(), Error, "the device was disposed");
  assertEquals(backend.memory().live, 0);
});

gpuTest("software adapters must be asked for", async (backend) => {
  assert(backend.description.length > 0);
  const hardware = await createWebgpuBackend();
  assertEquals(hardware === undefined, backend.software);
  hardware?.dispose();
});

Deno.test("webgpu: adapters are told apart by their names", () => {
  const adapter = (description: string, isFallbackAdapter = false) => {
    const info = { vendor: "4318", architecture: "", device: "9018", description };
    return { info: { ...info, isFallbackAdapter } } as unknown as GPUAdapter;
  };
  const software = [
    "llvmpipe (LLVM 15.0.6, 256 bits)",
    "SwiftShader Device (Subzero)",
    "Microsoft Basic Render Driver",
  ];
  for (const name of software) assert(isSoftwareAdapter(adapter(name)), name);
  assert(isSoftwareAdapter(adapter("anything", true)));
  assert(!isSoftwareAdapter(adapter("NVIDIA H100 80GB HBM3")));
  assert(!isSoftwareAdapter(adapter("Apple M3")));
  assertEquals(adapterName(adapter("NVIDIA H100").info), "NVIDIA H100");
});

gpuTest("a failure in a kernel is told at the next wait, once", async (backend) => {
  // A dispatch of more workgroups than WebGPU allows is what the device itself refuses.
  const n = 65_535 * 65_536 * 300;
  const kernel: MapKernel = {
    kind: "map",
    shape: [n],
    inputs: [],
    outputs: [{
      dtype: "float32",
      value: constant(0, "float32"),
      index: call("imod", [ravel([axis(0, n)], [n]), { kind: "const", dtype: "int32", value: 2 }]),
    }],
  };
  const buffer = backend.allocate(16);
  backend.run(backend.compile(kernel), [{ buffer, offset: 0 }]);
  await assertRejects(() => backend.synchronize(), Error, "webgpu: ");
  await backend.synchronize();
  backend.release(buffer);
});

Deno.test({
  name: "webgpu: a lost device says so at every wait",
  ignore: (await navigator.gpu?.requestAdapter() ?? null) === null,
  async fn() {
    const backend = await createWebgpuBackend({ adapter: "any" });
    const a = backend!.allocate(16);
    backend!.write(a, 0, new Float32Array(4));
    await backend!.synchronize();
    backend!.dispose();
    await assertRejects(() => backend!.synchronize(), Error, "webgpu: the device was disposed");
    await assertRejects(() => backend!.read(a, 0, 16), Error, "webgpu: the device was disposed");
  },
});

Deno.test("webgpu: Failures reports the loss of the device before everything else, and for good", () => {
  const failures = new Failures();
  failures.record(new Error("a consequence"));
  failures.lose(new Error("webgpu: the device was lost: unplugged"));
  for (let i = 0; i < 2; i++) {
    assertThrows(() => failures.check(), Error, "webgpu: the device was lost: unplugged");
  }
});
