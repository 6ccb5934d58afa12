import { assertEquals } from "@std/assert";
import { LEAST_PAGES, ModuleBuilder } from "../../../ops/backends/wasm/assembler.ts";
import type { FunctionBuilder, ValueType } from "../../../ops/backends/wasm/assembler.ts";
import { writeSigned, writeSigned64, writeUnsigned } from "../../../ops/backends/wasm/encode.ts";
import { opcodes } from "../../../ops/backends/wasm/opcodes.ts";
import { relaxedSimd } from "../../../ops/backends/wasm/simd.ts";

type Emit = (f: FunctionBuilder) => void;

/** Runs a body without parameters on a fresh page and returns its result and the page. */
function run(result: ValueType | undefined, emit: Emit): { value: unknown; memory: DataView } {
  const m = new ModuleBuilder({ sharedMemory: false });
  m.importMemory();
  m.func(
    { params: [], results: result === undefined ? [] : [result], export: "f" },
    (f) => emit(f),
  );
  const memory = new WebAssembly.Memory({ initial: LEAST_PAGES });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.build()), { env: { memory } });
  const value = (instance.exports.f as () => unknown)();
  return { value, memory: new DataView(memory.buffer) };
}

/** Runs a body that leaves a vector and returns its lanes. */
function lanes(type: "f32" | "f64" | "i32" | "i64", emit: Emit): (number | bigint)[] {
  const { memory } = run(undefined, (f) => {
    f.i32(0);
    emit(f);
    f.memory("v128.store");
  });
  const buffer = memory.buffer.slice(0, 16);
  if (type === "f32") return [...new Float32Array(buffer)];
  if (type === "f64") return [...new Float64Array(buffer)];
  if (type === "i64") return [...new BigInt64Array(buffer)];
  return [...new Int32Array(buffer)];
}

Deno.test("LEB128 encodes the specification's examples and the extremes", () => {
  const unsigned = (x: number) => {
    const out: number[] = [];
    writeUnsigned(out, x);
    return out;
  };
  const signed = (x: number) => {
    const out: number[] = [];
    writeSigned(out, x);
    return out;
  };
  const signed64 = (x: bigint) => {
    const out: number[] = [];
    writeSigned64(out, x);
    return out;
  };
  assertEquals(unsigned(624485), [0xe5, 0x8e, 0x26]);
  assertEquals(unsigned(2 ** 32 - 1), [0xff, 0xff, 0xff, 0xff, 0x0f]);
  assertEquals(signed(-123456), [0xc0, 0xbb, 0x78]);
  assertEquals(signed(63), [63]);
  assertEquals(signed(64), [0xc0, 0]);
  assertEquals(signed(-64), [0x40]);
  assertEquals(signed(2 ** 32 - 1), [0x7f]);
  assertEquals(signed64(-(2n ** 63n)), [128, 128, 128, 128, 128, 128, 128, 128, 128, 0x7f]);
  assertEquals(signed64(2n ** 63n - 1n), [255, 255, 255, 255, 255, 255, 255, 255, 255, 0]);
});

Deno.test("every instruction without immediates has a known code", () => {
  // After `unreachable` the stack is polymorphic, so any instruction validates.
  for (const name of opcodes()) {
    if (!relaxedSimd() && name.includes("relaxed")) continue;
    const m = new ModuleBuilder();
    m.func({ params: [] }, (f) => f.op("unreachable", name, "unreachable"));
    assertEquals(WebAssembly.validate(m.build()), true, name);
  }
});

Deno.test("scalar arithmetic, comparison and conversion", () => {
  assertEquals(run("i32", (f) => f.i32(-7).i32(2).op("i32.div_s")).value, -3);
  assertEquals(run("i32", (f) => f.i32(-7).i32(28).op("i32.shr_u")).value, 15);
  assertEquals(run("i64", (f) => f.i64(-(2n ** 40n)).i64(3).op("i64.mul")).value, -3n * 2n ** 40n);
  assertEquals(run("f32", (f) => f.f32(0.1).f32(0.2).op("f32.add")).value, Math.fround(0.3));
  assertEquals(run("f64", (f) => f.f64(2.5).op("f64.nearest")).value, 2);
  assertEquals(run("i32", (f) => f.f32(NaN).f32(1).op("f32.lt")).value, 0);
  assertEquals(run("i32", (f) => f.f32(3e9).op("i32.trunc_sat_f32_s")).value, 2 ** 31 - 1);
  assertEquals(run("i64", (f) => f.f64(-1e30).op("i64.trunc_sat_f64_s")).value, -(2n ** 63n));
  assertEquals(run("f64", (f) => f.i32(-1).op("f64.convert_i32_u")).value, 2 ** 32 - 1);
  assertEquals(run("i32", (f) => f.i32(1).i32(2).i32(0).op("select")).value, 2);
  assertEquals(run("i32", (f) => f.f32(1).op("i32.reinterpret_f32")).value, 0x3f800000);
});

Deno.test("loads and stores of all widths keep offset and alignment", () => {
  const { value, memory } = run("i32", (f) => {
    f.i32(8).f32(1.5).memory("f32.store", 4);
    f.i32(16).f64(-2.25).memory("f64.store");
    f.i32(24).i64(-2n).memory("i64.store", 1, 0);
    f.i32(40).i32(300).memory("i32.store8");
    f.i32(41).i32(-2).memory("i32.store16", 0, 0);
    f.i32(41).memory("i32.load16_s", 0, 0);
  });
  assertEquals(value, -2);
  assertEquals(memory.getFloat32(12, true), 1.5);
  assertEquals(memory.getFloat64(16, true), -2.25);
  assertEquals(memory.getBigInt64(25, true), -2n);
  assertEquals(memory.getUint8(40), 44);
});

Deno.test("vector loads, lanes, splats and shuffles", () => {
  const store: Emit = (f) => f.i32(64).f32x4(1, 2, 3, 4).memory("v128.store");
  const vector: Emit = (f) => f.i32(64).memory("v128.load");
  const after = (emit: Emit) => lanes("f32", (f) => (store(f), emit(f)));
  assertEquals(after(vector), [1, 2, 3, 4]);
  assertEquals(after((f) => f.i32(64).memory("v128.load32_splat", 8)), [3, 3, 3, 3]);
  assertEquals(after((f) => f.i32(64).memory("v128.load64_zero", 8)), [3, 4, 0, 0]);
  assertEquals(after((f) => f.i32(64).memory("v128.load64_splat")), [1, 2, 1, 2]);
  assertEquals(
    after((f) => f.i32(64).f32x4(9).memoryLane("v128.load32_lane", 2, 4)),
    [9, 9, 2, 9],
  );
  assertEquals(after((f) => (vector(f), f.f32(7).lane("f32x4.replace_lane", 1))), [1, 7, 3, 4]);
  assertEquals(after((f) => (vector(f), f.f32x4(5, 6, 7, 8).shuffle32(0, 4, 1, 5))), [1, 5, 2, 6]);
  assertEquals(run("f32", (f) => f.f32x4(1, 2, 3, 4).lane("f32x4.extract_lane", 3)).value, 4);
  const { memory } = run(
    undefined,
    (f) => f.i32(4).f32x4(1, 2, 3, 4).memoryLane("v128.store32_lane", 1),
  );
  assertEquals(memory.getFloat32(4, true), 2);
});

Deno.test("vector arithmetic, comparison and conversion", () => {
  const f32 = (emit: Emit) => lanes("f32", emit);
  assertEquals(f32((f) => f.f32x4(1, 4, 9, 16).op("f32x4.sqrt")), [1, 2, 3, 4]);
  assertEquals(f32((f) => f.f32x4(-1.5, 2.5, 0.5, -0.5).op("f32x4.nearest")), [-2, 2, 0, -0]);
  assertEquals(f32((f) => f.f32x4(1, 2, 3, 4).f32x4(2).op("f32x4.pmax")), [2, 2, 3, 4]);
  assertEquals(
    f32((f) =>
      f.f32x4(1, 2, 3, 4).f32x4(0).f32x4(1, 2, 3, 4).f32x4(2.5).op("f32x4.lt", "v128.bitselect")
    ),
    [1, 2, 0, 0],
  );
  assertEquals(
    lanes("i32", (f) => f.f32x4(1.9, -1.9, 4e9, NaN).op("i32x4.trunc_sat_f32x4_s")),
    [1, -1, 2 ** 31 - 1, 0],
  );
  assertEquals(
    lanes("i64", (f) => f.i32x4(-1, 2, 3, 4).i32x4(-1).op("i64x2.extmul_low_i32x4_u")),
    [BigInt.asIntN(64, 0xffffffffn * 0xffffffffn), 2n * 0xffffffffn],
  );
  assertEquals(lanes("i32", (f) => f.i32x4(-8).i32(1).op("i32x4.shr_s")), [-4, -4, -4, -4]);
  assertEquals(
    lanes("f64", (f) => f.f32x4(1, 2, 3, 4).op("f64x2.promote_low_f32x4")),
    [1, 2],
  );
  assertEquals(run("i32", (f) => f.i32x4(1, 0, 1, 1).op("i32x4.all_true")).value, 0);
  assertEquals(run("i32", (f) => f.i32x4(0, 0, 0, 1).op("v128.any_true")).value, 1);
});

Deno.test("madd and nmadd agree with multiply and add, relaxed or not", () => {
  for (const relaxed of relaxedSimd() ? [true, false] : [false]) {
    const m = new ModuleBuilder({ sharedMemory: false, relaxed });
    m.importMemory();
    m.func({ params: [], export: "f" }, (f) => {
      f.i32(0).f32x4(2).f32x4(1, 2, 3, 4).f32x4(10).madd("f32x4").memory("v128.store");
      f.i32(16).f32x4(2).f32x4(1, 2, 3, 4).f32x4(10).nmadd("f32x4").memory("v128.store");
    });
    const memory = new WebAssembly.Memory({ initial: LEAST_PAGES });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.build()), {
      env: { memory },
    });
    (exports.f as () => void)();
    assertEquals([...new Float32Array(memory.buffer, 0, 8)], [12, 14, 16, 18, 8, 6, 4, 2]);
  }
});

Deno.test("range loops, blocks, branches and calls nest", () => {
  const m = new ModuleBuilder();
  const square = m.func({ params: ["i32"], results: ["i32"] }, (f) => {
    f.get(f.params[0]!, f.params[0]!).op("i32.mul");
  });
  m.func({ params: ["i32"], results: ["i32"], export: "f" }, (f) => {
    const [i, sum] = [f.local("i32"), f.local("i32")];
    f.block((end) => {
      f.range(i, 0, f.params[0]!, 1, () => {
        f.get(i).i32(5).op("i32.gt_s").brIf(end);
        f.get(i).i32(1).op("i32.and").if(() => {
          f.get(sum, i).call(square).op("i32.add").set(sum);
        }, () => {
          f.get(sum).i32(100).op("i32.add").set(sum);
        });
      });
    });
    f.get(sum);
  });
  const f = new WebAssembly.Instance(new WebAssembly.Module(m.build())).exports.f as (
    n: number,
  ) => number;
  assertEquals([f(0), f(1), f(4), f(100)], [0, 100, 210, 335]);
});

Deno.test("imported functions, tables and data segments", () => {
  const m = new ModuleBuilder({ sharedMemory: false });
  m.importMemory();
  m.importTable();
  const host = m.importFunction("host", "twice", { params: ["i32"], results: ["i32"] });
  m.data(32, Uint8Array.of(5, 0, 0, 0));
  m.func({ params: ["i32"], results: ["i32"], export: "f" }, (f) => {
    f.i32(32).memory("i32.load").call(host).get(f.params[0]!);
    f.callIndirect({ params: ["i32"], results: ["i32"] });
  });
  const memory = new WebAssembly.Memory({ initial: LEAST_PAGES });
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 4 });
  const other = new ModuleBuilder();
  other.func({ params: ["i32"], results: ["i32"], export: "g" }, (f) => {
    f.get(f.params[0]!).i32(1).op("i32.add");
  });
  const g = new WebAssembly.Instance(new WebAssembly.Module(other.build())).exports.g;
  table.set(3, g as CallableFunction);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.build()), {
    env: { memory, table },
    host: { twice: (x: number) => 2 * x },
  });
  assertEquals((exports.f as (i: number) => number)(3), 11);
});

Deno.test("atomics add, load, store, exchange and notify on shared memory", () => {
  const m = new ModuleBuilder({ sharedMemory: true });
  m.importMemory();
  m.func({ params: [], results: ["i32"], export: "f" }, (f) => {
    f.i32(8).i32(40).memory("i32.atomic.store");
    f.i32(8).i32(2).memory("i32.atomic.rmw.add").op("drop");
    f.i32(8).i32(0).i64(0).memory("memory.atomic.wait32"); // not equal: 1, at once
    f.i32(8).i32(1).memory("memory.atomic.notify").op("i32.add"); // nobody waits: 0
    f.i32(8).memory("i32.atomic.load").op("i32.add");
  });
  const memory = new WebAssembly.Memory({ initial: LEAST_PAGES, maximum: 65536, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.build()), {
    env: { memory },
  });
  assertEquals((exports.f as () => number)(), 43);
});
