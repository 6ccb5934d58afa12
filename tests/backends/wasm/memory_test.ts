import { assert, assertEquals, assertThrows } from "@std/assert";
import { WasmMemory } from "../../../ops/backends/wasm/memory.ts";

/** A small fixed generator: the same numbers in every run. */
function generator(seed: number): () => number {
  return () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

Deno.test("alloc() returns aligned, disjoint blocks under random use", () => {
  const memory = new WasmMemory({ maxBytes: 64 << 20 });
  const random = generator(1);
  const live: { address: number; bytes: number; mark: number }[] = [];
  for (let turn = 0; turn < 20000; turn++) {
    if (random() < 0.55 && live.length < 200) {
      const bytes = Math.floor(2 ** (random() * 17));
      const address = memory.alloc(bytes);
      assertEquals(address % 128, 0);
      const mark = turn & 255;
      memory.view(address, bytes, "u8").fill(mark);
      live.push({ address, bytes, mark });
    } else if (live.length > 0) {
      const [block] = live.splice(Math.floor(random() * live.length), 1);
      const view = memory.view(block!.address, block!.bytes, "u8");
      assert(view.every((byte) => byte === block!.mark), "a block was overwritten");
      memory.free(block!.address);
    }
  }
  for (const block of live) memory.free(block.address);
  const stats = memory.stats();
  assertEquals([stats.live, stats.blocks], [0, 0]);
  // Everything merged again: one block takes the whole capacity.
  memory.free(memory.alloc(stats.pooled));
  assertEquals(memory.stats().capacity, stats.capacity);
});

Deno.test("alloc() reuses the block freed last", () => {
  const memory = new WasmMemory();
  const first = memory.alloc(1000);
  memory.alloc(1000);
  memory.free(first);
  assertEquals(memory.alloc(1000), first);
});

Deno.test("stats() counts live, peak and pooled bytes", () => {
  const memory = new WasmMemory();
  const a = memory.alloc(100);
  const b = memory.alloc(1 << 20);
  memory.free(b);
  const { live, peak, blocks, capacity, pooled } = memory.stats();
  assertEquals([live, peak, blocks], [128, 128 + (1 << 20), 1]);
  assertEquals(pooled, capacity - 256 - live);
  memory.resetPeak();
  assertEquals(memory.stats().peak, 128);
  assertEquals(memory.sizeOf(a), 128);
});

Deno.test("alloc() grows and throws with the numbers when the limit is reached", () => {
  const memory = new WasmMemory({ maxBytes: 4 << 20 });
  const a = memory.alloc(3 << 20);
  assertThrows(
    () => memory.alloc(2 << 20),
    RangeError,
    "alloc: needs 2097152 bytes, 1048320 of 4194304 available (free tensors, or use smaller batches)",
  );
  memory.free(a);
  memory.alloc(4_193_900);
});

Deno.test("view() follows a grown memory", () => {
  for (const shared of [true, false]) {
    const memory = new WasmMemory({ shared });
    const a = memory.alloc(16);
    memory.view(a, 4, "f32").set([1, 2, 3, 4]);
    const b = memory.alloc(64 << 20);
    memory.view(b, 1 << 24, "i32")[(1 << 24) - 1] = 7;
    assertEquals([...memory.view(a, 4, "f32")], [1, 2, 3, 4]);
  }
});

Deno.test("free() throws for an address that is not in use", () => {
  const memory = new WasmMemory();
  const a = memory.alloc(1);
  memory.free(a);
  assertThrows(() => memory.free(a), RangeError, `free: no block in use at ${a}`);
});
