import {
  DataLoader,
  loadSonnets,
  loadText,
  padSequences,
  splitTokens,
  TokenBlocks,
  TrackBatchSampler,
  writeFile,
} from "../../data/mod.ts";
import { importPackage } from "../../data/packages.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { assertMessage, assertRejection } from "./_errors.ts";

Deno.test("loadSonnets() gives all 154 sonnets", async () => {
  const text = await loadSonnets();
  const sonnets = text.trimEnd().split("\n\n");
  assertEquals(sonnets.length, 154);
  assertEquals(sonnets[153]!.split("\n").at(-1), "Love's fire heats water, water cools not love.");
});

Deno.test("loadText() joins files and drops a byte order mark", async () => {
  const folder = await Deno.makeTempDir();
  await writeFile(`${folder}/a.txt`, "\ufeffzażółć ");
  await writeFile(`${folder}/b.txt`, "gęślą");
  assertEquals(await loadText(`${folder}/a.txt`, `${folder}/b.txt`), "zażółć gęślą");
});

Deno.test("loadText() throws for text that is empty or no UTF-8", async () => {
  const path = `${await Deno.makeTempDir()}/a.txt`;
  await writeFile(path, "");
  await assertRejection(() => loadText(path), `loadText: text is empty: ${path}`);
  await writeFile(path, new Uint8Array([0x61, 0xc5, 0xbc, 0x62, 0xc5, 0x28, 0x63]));
  await assertRejection(() => loadText(path), `loadText: file is no UTF-8 from byte 5: ${path}`);
});

Deno.test("importPackage() throws for a package that does not exist", async () => {
  const error = await assertRejects(() =>
    importPackage("loadSonnets", "tensaurus-no-such-package", "9.9.9")
  );
  assertStringIncludes(
    (error as Error).message,
    "loadSonnets: cannot find tensaurus-no-such-package 9.9.9 (",
  );
});

Deno.test("TokenBlocks gives every offset with stride 1", () => {
  const blocks = new TokenBlocks([0, 1, 2, 3, 4], 3, { stride: 1 });
  assertEquals(blocks.length, 2);
  assertEquals(blocks.get(1).map(({ data }) => Array.from(data, Number)), [[1, 2, 3], [2, 3, 4]]);
});

Deno.test("TokenBlocks in tracks continue each other", async () => {
  const blocks = new TokenBlocks(Array.from({ length: 13 }, (_, i) => i), 2);
  const loader = new DataLoader(blocks, { batchSampler: new TrackBatchSampler(blocks.length, 2) });
  const rows: number[][] = [];
  for await (const [input] of loader.hostBatches()) rows.push(Array.from(input.data, Number));
  assertEquals(rows, [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]);
});

Deno.test("TokenBlocks throws for a text that is too short", () => {
  assertMessage(
    () => new TokenBlocks([1, 2, 3], 3),
    "TokenBlocks: text has 3 tokens, a block of 3 needs 4 (use a longer text or a shorter block)",
  );
  assertMessage(
    () => new TokenBlocks([1, 2], 0),
    "TokenBlocks: block is 0, expected an integer of at least 1",
  );
});

Deno.test("splitTokens() throws for what is no fraction", () => {
  assertMessage(
    () => splitTokens(new Uint32Array(3), 2),
    "splitTokens: fraction is 2, expected a number from 0 to 1",
  );
});

Deno.test("padSequences() throws for rows that do not fit", () => {
  assertEquals([...padSequences([[1]], { length: 3, value: 9 }).ids.data], [1, 9, 9]);
  assertMessage(() => padSequences([]), "padSequences: there are no rows");
  assertMessage(
    () => padSequences([[1], [1, 2]], { length: 1 }),
    "padSequences: row 1 has 2 ids, length is 1",
  );
});
