/** Sampling, the cache, the loop that writes tokens, and beam search. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { F, manualSeed, oneHot, randn, setDevice, type Tensor, tensor } from "@tensaurus/core";
import { CharTokenizer } from "@tensaurus/core/data";
import { type BeamDecoder, BeamSearch } from "../../models/kit/beam.ts";
import {
  type Decoder,
  sampleTokens,
  TokenGenerator,
  writeText,
} from "../../models/kit/generate.ts";
import { KeyValueCache } from "../../models/kit/key_value_cache.ts";

await setDevice("cpu");

/** Says the number after the last one, modulo ten; counts how often it was asked. */
function counter(context = Infinity): Decoder & { resets: number } {
  return {
    context,
    resets: 0,
    next: (tokens) => {
      const last = tokens.select(1, -1); // [B]
      return oneHot(last.add(1).remainder(10), 10, { dtype: "float32" }).mul(50);
    },
    reset() {
      this.resets++;
    },
  };
}

async function drawn(
  logits: Tensor,
  options: Parameters<typeof sampleTokens>[1],
): Promise<Set<number>> {
  return new Set(await sampleTokens(logits.expand([400, logits.shape[1]!]), options).data());
}

Deno.test("sampleTokens() takes the likeliest token at temperature 0", async () => {
  const logits = tensor([[0, 3, 1], [5, -1, 2]]);
  assertEquals([...await sampleTokens(logits, { temperature: 0 }).data()], [1, 0]);
});

Deno.test("sampleTokens() draws tokens as often as their probabilities say", async () => {
  manualSeed(1);
  const logits = tensor([[Math.log(0.7), Math.log(0.2), Math.log(0.1)]]).expand([20_000, 3]);
  const tokens = await sampleTokens(logits).data();
  for (const [token, p] of [0.7, 0.2, 0.1].entries()) {
    const share = tokens.filter((t) => t === token).length / tokens.length;
    assert(Math.abs(share - p) < 0.015, `token ${token}: ${share}`);
  }
});

Deno.test("sampleTokens() keeps to topK and topP", async () => {
  manualSeed(2);
  const logits = tensor([[0.4, 0.3, 0.2, 0.1].map(Math.log)]);
  assertEquals(await drawn(logits, { topK: 2 }), new Set([0, 1]));
  assertEquals(await drawn(logits, { topP: 0.65 }), new Set([0, 1]));
  assertEquals(await drawn(logits, { topP: 0.75 }), new Set([0, 1, 2]));
  assertEquals(await drawn(logits, { topP: 0.01 }), new Set([0]));
  assertEquals((await drawn(logits, { topK: 100, topP: 1 })).size, 4);
});

Deno.test("sampleTokens() refuses options out of range", () => {
  const logits = tensor([[0, 1]]);
  const cases = [
    [{ temperature: -1 }, "temperature is -1, expected at least 0"],
    [{ topK: 1.5 }, "topK is 1.5, expected a whole number of at least 0"],
    [{ topP: 0 }, "topP is 0, expected above 0 and at most 1"],
  ] as const;
  for (const [options, problem] of cases) {
    assertThrows(() => sampleTokens(logits, options), RangeError, `sampleTokens: ${problem}`);
  }
});

Deno.test("KeyValueCache keeps what pieces of any length bring", async () => {
  const cache = new KeyValueCache({ layers: 2, batch: 2, heads: 3, length: 8, size: 4 });
  const key = randn([2, 3, 6, 4]), value = randn([2, 3, 6, 4]);
  for (const [start, end] of [[0, 1], [1, 5], [5, 6]] as const) {
    assertEquals([...await cache.positions(end - start).data()][0], start);
    for (const layer of [0, 1]) {
      cache.append(layer, key.slice(2, start, end), value.slice(2, start, end).mul(layer + 1));
    }
    cache.advance(end - start);
  }
  assertEquals(await cache.keys[1]!.slice(2, 0, 6).data(), await key.data());
  assertEquals(await cache.values[1]!.slice(2, 0, 6).data(), await value.mul(2).data());
  assertEquals((await cache.keys[0]!.slice(2, 6).data()).every((x) => x === 0), true);
  const mask = await cache.mask(2).to("int32").data();
  assertEquals([...mask], [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
});

Deno.test("KeyValueCache reorders its rows", async () => {
  const cache = new KeyValueCache({ layers: 1, batch: 3, heads: 1, length: 2, size: 1 });
  const rows = tensor([1, 2, 3]).reshape([3, 1, 1, 1]);
  cache.append(0, rows, rows);
  cache.reorder(tensor([2, 0, 0], { dtype: "int32" }));
  assertEquals([...await cache.keys[0]!.select(2, 0).data()], [3, 1, 1]);
});

Deno.test("TokenGenerator reads prompts of any length and writes in blocks", async () => {
  const generator = new TokenGenerator(counter(), { temperature: 0 });
  for (const size of [1, 2, 33, 70]) {
    const prompt = Array.from({ length: size }, (_, i) => i % 10);
    const wanted = Array.from({ length: 75 }, (_, i) => (size + i) % 10);
    assertEquals(await generator.generate(prompt, { length: 75 }), wanted);
  }
  generator.dispose();
});

Deno.test("TokenGenerator ends a row at the stop token", async () => {
  const generator = new TokenGenerator(counter(), { temperature: 0, batch: 2 });
  const rows: number[][] = [[], []];
  for await (const blocks of generator.stream([[1], [6]], { length: 100, stop: [9] })) {
    blocks.forEach((tokens, i) => rows[i]!.push(...tokens));
  }
  assertEquals(rows, [[2, 3, 4, 5, 6, 7, 8], [7, 8]]);
});

Deno.test("TokenGenerator draws only tokens that the tokenizer knows", async () => {
  const generator = new TokenGenerator(counter(), { vocabSize: 4 });
  assert((await generator.generate([2], { length: 60 })).every((token) => token < 4));
});

Deno.test("TokenGenerator goes on with the newest half where the context is full", async () => {
  const decoder = counter(8);
  const generator = new TokenGenerator(decoder, { temperature: 0 });
  const wanted = Array.from({ length: 30 }, (_, i) => (3 + i) % 10);
  assertEquals(await generator.generate([0, 1, 2], { length: 30 }), wanted);
  assert(decoder.resets > 4);
});

Deno.test("TokenGenerator refuses prompts that it cannot go on from", async () => {
  const generator = new TokenGenerator(counter(8), { temperature: 0 });
  const cases: [number[][], number, string][] = [
    [[[]], 1, "prompt is empty (give at least one token)"],
    [[Array<number>(9).fill(1)], 1, "prompt has 9 tokens, the model's context is 8"],
    [[[1]], 0, "length is 0, expected a whole number of at least 1"],
    [[[1], [2]], 1, "2 prompts for 1 rows"],
  ];
  for (const [prompts, length, problem] of cases) {
    await assertRejects(
      () => generator.stream(prompts, { length }).next(),
      RangeError,
      `generate: ${problem}`,
    );
  }
  const two = new TokenGenerator(counter(8), { batch: 2 });
  await assertRejects(
    () => two.stream([[1], [2, 3]], { length: 1 }).next(),
    RangeError,
    "generate: prompts have 1 and 2 tokens",
  );
});

Deno.test("writeText() shows prompt and text as they come", async () => {
  const tokenizer = new CharTokenizer([..."abcdefghij"]);
  const generator = new TokenGenerator(counter(), { temperature: 0 });
  const shown: string[] = [];
  const show = (text: string): void => void shown.push(text);
  const { text } = await writeText(generator, tokenizer, "ab", { length: 40, show });
  assertEquals(text, "ab" + "cdefghijab".repeat(4));
  assertEquals(shown.join(""), text);
  assertEquals(shown.slice(0, 2), ["ab", "cdefghijabcdefghijabcdefghijabcd"]);
});

/** Probabilities of the next token by the last one: greedy takes 1, then has only poor choices. */
const CHAIN = [
  [0, 0.6, 0.4, 0], // start
  [0, 0.35, 0.33, 0.32], // after 1
  [0, 0.05, 0.05, 0.9], // after 2
  [0.25, 0.25, 0.25, 0.25], // after the end, never used
];

function chain(): BeamDecoder {
  const table = tensor(CHAIN.map((row) => row.map((p) => Math.log(Math.max(p, 1e-9)))));
  return {
    context: Infinity,
    next: (tokens) => F.embedding(tokens.reshape([-1]), table),
    reset: () => {},
    reorder: () => {},
  };
}

Deno.test("BeamSearch finds the likeliest sequence, greedy decoding does not", async () => {
  const options = { start: 0, stop: 3, length: 6, lengthPenalty: 0 };
  const wide = new BeamSearch(chain(), { ...options, batch: 2, beams: 3 });
  assertEquals(await wide.search(), [[2], [2]]); // 0.4 · 0.9
  const narrow = new BeamSearch(chain(), { ...options, batch: 1, beams: 1 });
  assertEquals(await narrow.search(), [[1, 1, 1, 1, 1, 1]]);
  const generator = new TokenGenerator(chain(), { temperature: 0 });
  assertEquals(await generator.generate([0], { length: 6, stop: [3] }), [1, 1, 1, 1, 1, 1]);
});
