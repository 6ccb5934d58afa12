import { FormatError, parseIdx, readIdx, writeFile } from "../../data/mod.ts";
import { gunzip } from "../../data/gzip.ts";
import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { assertMessage, assertRejection } from "./_errors.ts";

const THREE = new Uint8Array([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]);

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("parseIdx() reads bytes without a copy", () => {
  const { shape, data } = parseIdx(THREE);
  assertEquals(shape, [3]);
  assertEquals(data, new Uint8Array([5, 0, 4]));
  assertStrictEquals(data.buffer, THREE.buffer);
});

Deno.test("parseIdx() reads the wide types big-endian", () => {
  const cases = [
    [0x09, [0xff], new Int8Array([-1])],
    [0x0b, [0xff, 0xfe], new Int16Array([-2])],
    [0x0c, [0, 0, 1, 0], new Int32Array([256])],
    [0x0d, [0x3f, 0x80, 0, 0], new Float32Array([1])],
    [0x0e, [0x40, 0, 0, 0, 0, 0, 0, 0], new Float64Array([2])],
  ] as const;
  for (const [type, bytes, expected] of cases) {
    const file = new Uint8Array([0, 0, type, 1, 0, 0, 0, 1, ...bytes]);
    assertEquals(parseIdx(file).data, expected);
  }
});

Deno.test("parseIdx() throws for a short file", () => {
  assertMessage(
    () => parseIdx(new Uint8Array(3), "a.idx"),
    "parseIdx: file has 3 bytes, a header needs 4: a.idx",
  );
  assertMessage(
    () => parseIdx(new Uint8Array([0, 0, 8, 3, 0, 0])),
    "parseIdx: file has 6 bytes, a header of rank 3 needs 16",
  );
});

Deno.test("parseIdx() throws for a wrong magic number", () => {
  assertMessage(
    () => parseIdx(new Uint8Array([0x89, 0x50, 0x4e, 0x47])),
    "parseIdx: magic number is 0x89504e47, expected 0x0000, a type 08 to 0e, a rank",
  );
});

Deno.test("parseIdx() checks the length before it allocates", () => {
  const huge = new Uint8Array([0, 0, 13, 2, 255, 255, 255, 255, 0, 0, 0, 2, 1]);
  assertMessage(
    () => parseIdx(huge),
    "parseIdx: file is truncated: dimensions [4294967295, 2] need 34359738360 bytes after the " +
      "header, found 1",
  );
  assertMessage(
    () => parseIdx(new Uint8Array([...THREE, 1])),
    "parseIdx: file is too long: dimensions [3] need 3 bytes after the header, found 4",
  );
});

Deno.test("readIdx() expands a gzipped file by its first bytes", async () => {
  const path = `${await Deno.makeTempDir()}/labels`;
  await writeFile(path, await gzip(THREE));
  assertEquals((await readIdx(path)).data, new Uint8Array([5, 0, 4]));
});

Deno.test("readIdx() throws for a truncated gzip file", async () => {
  const path = `${await Deno.makeTempDir()}/labels.gz`;
  const packed = await gzip(THREE);
  await writeFile(path, packed.subarray(0, packed.length - 9));
  await assertRejection(
    () => readIdx(path),
    `readIdx: gzip data is corrupt or truncated: ${path}`,
  );
});

Deno.test("gunzip() stops at its limit", async () => {
  const packed = await gzip(new Uint8Array(1000));
  await assertRejection(
    () => gunzip("readIdx", packed, 100),
    "readIdx: gzip data expands past the limit of 100 bytes",
  );
});

Deno.test("FormatError keeps the function and the source", () => {
  const error = new FormatError("parseIdx", "file has 3 bytes", "a.idx");
  assertInstanceOf(error, Error);
  assertEquals([error.op, error.source, error.name], ["parseIdx", "a.idx", "FormatError"]);
});
