import { assert, assertEquals, assertThrows } from "@std/assert";
import { KERNEL, ModuleBuilder } from "../../../ops/backends/wasm/assembler.ts";
import { WasmMemory } from "../../../ops/backends/wasm/memory.ts";
import { WorkerPool } from "../../../ops/backends/wasm/workers.ts";

/** `mark`: out[i] = thread + 1; `increment`: out[i] += 1; two kernels that trap. */
function testModule(shared: boolean): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder({ sharedMemory: shared });
  m.importMemory();
  m.func({ ...KERNEL, export: "mark" }, (f) => {
    const [args, start, end, thread] = f.parameters(4);
    const i = f.local("i32");
    f.range(i, start, end, 1, () => {
      f.get(args).memory("i32.load").get(i).i32(4).op("i32.mul", "i32.add");
      f.get(thread).i32(1).op("i32.add").memory("i32.store");
    });
  });
  m.func({ ...KERNEL, export: "increment" }, (f) => {
    const [args, start, end] = f.params;
    const [i, address] = f.locals("i32", 2);
    f.range(i!, start!, end!, 1, () => {
      f.get(args!).memory("i32.load").get(i!).i32(4).op("i32.mul", "i32.add").tee(address!);
      f.get(address!).memory("i32.load").i32(1).op("i32.add").memory("i32.store");
    });
  });
  m.func({ ...KERNEL, export: "trapInWorker" }, (f) => {
    f.get(f.params[3]!).if(() => f.op("unreachable"));
    emitDelay(f);
  });
  m.func({ ...KERNEL, export: "trapInMain" }, (f) => {
    f.get(f.params[3]!).op("i32.eqz").if(() => f.op("unreachable"));
    emitDelay(f);
  });
  return m.build();
}

/** About 20 µs, so that no thread can finish a job alone before the others wake. */
function emitDelay(f: Parameters<Parameters<ModuleBuilder["func"]>[1]>[0]): void {
  const i = f.local("i32");
  f.range(i, 0, 50000, 1, () => {});
}

function setUp(
  threads: number,
): { memory: WasmMemory; pool: WorkerPool; args: number; out: number } {
  const memory = new WasmMemory(threads === 0 ? { shared: false } : {});
  const pool = new WorkerPool(memory, { threads: Math.max(1, threads) });
  const out = memory.alloc(4 * 4096);
  const args = memory.alloc(16);
  memory.view(out, 4096, "i32").fill(0);
  memory.view(args, 1, "u32")[0] = out;
  return { memory, pool, args, out };
}

/** Runs a parallel job until the workers are up. */
async function warmUp(pool: WorkerPool, kernel: number, args: number): Promise<void> {
  for (let turn = 0; pool.ready < pool.threads - 1; turn++) {
    assert(turn < 2000, "workers did not start");
    pool.run(kernel, args, 2);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

for (const threads of [0, 1, 2, 4]) {
  Deno.test(`replay() runs every task of every job once with ${threads} threads`, async () => {
    const { memory, pool, args, out } = setUp(threads);
    const [mark, increment] = pool.load(testModule(memory.shared), ["mark", "increment"]) as [
      number,
      number,
    ];
    await warmUp(pool, mark, args);
    memory.view(out, 4096, "i32").fill(0);
    const jobs = Array.from({ length: 100 }, (_, i) => ({
      kernel: increment,
      args,
      tasks: i % 10 === 0 ? 4096 : 100 + i,
      grain: 1 + i % 7,
    }));
    const list = pool.list([...jobs, { kernel: increment, args, tasks: 0 }]);
    for (let turn = 0; turn < 50; turn++) pool.replay(list);
    pool.release(list);
    const expected = Array.from(
      { length: 4096 },
      (_, i) => 50 * jobs.filter((job) => i < job.tasks).length,
    );
    assertEquals([...memory.view(out, 4096, "i32")], expected);
    pool.dispose();
    pool.run(increment, args, 4096, 8);
    assertEquals(memory.view(out, 1, "i32")[0], expected[0]! + 1);
  });
}

Deno.test("load() after the start reaches workers, with their indices", async () => {
  const { memory, pool, args } = setUp(3);
  const bytes = testModule(true);
  const [first] = pool.load(bytes, ["increment"]) as [number];
  await warmUp(pool, first, args);
  for (let module = 0; module < 20; module++) {
    const kernels = pool.load(bytes, ["mark", "trapInMain", "increment"]);
    assertEquals(kernels, [1 + 3 * module, 2 + 3 * module, 3 + 3 * module]);
    pool.run(kernels[2]!, args, 1000, 10);
  }
  assert(memory.stats().blocks > 20);
  pool.dispose();
});

Deno.test("a trap in any thread is an error on the main one, and the pool goes on", async () => {
  const { memory, pool, args, out } = setUp(3);
  const [increment, trapInWorker, trapInMain] = pool.load(testModule(true), [
    "increment",
    "trapInWorker",
    "trapInMain",
  ]) as [number, number, number];
  await warmUp(pool, increment, args);
  // On a busy machine a worker may not get a processor before the main thread has done it all.
  const untilThrown = (kernel: number) => {
    for (let turn = 0; turn < 1000; turn++) pool.run(kernel, args, 1000);
  };
  for (let turn = 0; turn < 10; turn++) {
    assertThrows(() => untilThrown(trapInWorker), Error, "a kernel trapped in a worker");
    assertThrows(() => untilThrown(trapInMain), Error, "a kernel trapped in thread 0");
  }
  memory.view(out, 4096, "i32").fill(0);
  pool.run(increment, args, 4096, 1);
  assert(memory.view(out, 4096, "i32").every((x) => x === 1));
  pool.dispose();
});

Deno.test("workers do not keep the process alive", async () => {
  const module = new URL("../../../ops/backends/wasm/", import.meta.url);
  const code = `
    import { ModuleBuilder, KERNEL } from "${module}assembler.ts";
    import { WasmMemory } from "${module}memory.ts";
    import { WorkerPool } from "${module}workers.ts";
    const memory = new WasmMemory();
    const pool = new WorkerPool(memory, { threads: 3 });
    const m = new ModuleBuilder();
    m.importMemory();
    m.func({ ...KERNEL, export: "f" }, () => {});
    const [f] = pool.load(m.build(), ["f"]);
    const start = performance.now();
    while (pool.ready < 2 && performance.now() - start < 5000) pool.run(f, 0, 100);
    console.log(pool.ready);
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--ext=ts", code],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill(), 20000);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  assert(success, new TextDecoder().decode(stderr) || "killed after 20 s");
  assertEquals(new TextDecoder().decode(stdout).trim(), "2");
});

Deno.test("a pool works over a memory of all 4 GiB", () => {
  const memory = new WasmMemory();
  const pool = new WorkerPool(memory, { threads: 2 });
  try {
    memory.memory.grow(65536 - memory.memory.buffer.byteLength / 65536);
  } catch {
    pool.dispose();
    return; // A machine that does not grant so much cannot get there either.
  }
  const [mark] = pool.load(testModule(memory.shared), ["mark"]);
  const out = memory.alloc(4 * 64);
  const args = memory.alloc(4);
  memory.view(args, 1, "u32")[0] = out;
  pool.run(mark!, args, 64, 64);
  assertEquals([...memory.view(out, 64, "i32")], new Array(64).fill(1));
  pool.dispose();
});
