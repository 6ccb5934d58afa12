import { RandomStream } from "../../data/mod.ts";
import { philox } from "../../data/random.ts";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { assertMessage } from "./_errors.ts";

Deno.test("philox() gives the known answers of Random123", () => {
  const cases = [
    [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const;
  for (const [counter, [key0, key1], expected] of cases) {
    const words = new Uint32Array(counter);
    philox(words, key0, key1);
    assertEquals(words, new Uint32Array(expected));
  }
});

Deno.test("RandomStream depends on seed, epoch, index and purpose alone", () => {
  const options = { epoch: 2, index: 9, purpose: 1 };
  const first = new RandomStream(5, options).next();
  assertEquals(new RandomStream(5, options).next(), first);
  assertNotEquals(new RandomStream(5 + 2 ** 32, options).next(), first);
  assertNotEquals(new RandomStream(5, { ...options, epoch: 3 }).next(), first);
  assertNotEquals(new RandomStream(5, { ...options, index: 8 }).next(), first);
  assertNotEquals(new RandomStream(5, { ...options, purpose: 0 }).next(), first);
});

Deno.test("RandomStream draws with the right moments", () => {
  const random = new RandomStream(1);
  const count = 20000;
  let [uniform, normal, square] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    uniform += random.uniform(-1, 3) / count;
    const value = random.normal(2, 3);
    normal += value / count;
    square += (value - 2) ** 2 / count;
  }
  assert(Math.abs(uniform - 1) < 0.05);
  assert(Math.abs(normal - 2) < 0.1);
  assert(Math.abs(square - 9) < 0.4);
});

Deno.test("RandomStream.permutation() holds every index once", () => {
  const order = new RandomStream(3).permutation(1000);
  assertNotEquals(order[0], 0);
  assertEquals([...order].sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i));
});

Deno.test("RandomStream throws for what is no counter", () => {
  assertMessage(
    () => new RandomStream(-1),
    "RandomStream: seed is -1, expected an integer of at least 0",
  );
  assertMessage(
    () => new RandomStream(0, { index: 0.5 }),
    "RandomStream: index is 0.5, expected an integer of at least 0",
  );
  assertMessage(
    () => new RandomStream(0).integer(0),
    "integer: count is 0, expected an integer of at least 1",
  );
});
