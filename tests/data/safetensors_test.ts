import {
  type HostArray,
  parseSafetensors,
  readSafetensors,
  serializeSafetensors,
  writeFile,
  writeSafetensors,
} from "../../data/mod.ts";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { assertMessage, assertRejection } from "./_errors.ts";

/** A file with any header and as many zero bytes of data. */
function file(header: string, length: number): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

function entry(dtype: string, shape: number[], begin: number, end: number): string {
  return JSON.stringify({ dtype, shape, data_offsets: [begin, end] });
}

const ALL: Record<string, HostArray> = {
  f64: { dtype: "float64", shape: [1, 1], data: new Float64Array([Math.PI]) },
  f32: { dtype: "float32", shape: [2], data: new Float32Array([1.5, NaN]) },
  f16: { dtype: "float16", shape: [3], data: new Uint16Array([0x3c00, 0xfc00, 1]) },
  i64: { dtype: "int64", shape: [1], data: new BigInt64Array([-(2n ** 62n)]) },
  i32: { dtype: "int32", shape: [], data: new Int32Array([-5]) },
  u32: { dtype: "uint32", shape: [1], data: new Uint32Array([4000000000]) },
  u8: { dtype: "uint8", shape: [0], data: new Uint8Array(0) },
  bool: { dtype: "bool", shape: [3], data: new Uint8Array([1, 0, 1]) },
};

Deno.test("serializeSafetensors() and parseSafetensors() keep every dtype and the metadata", () => {
  const bytes = serializeSafetensors(ALL, { format: "pt" });
  const { tensors, metadata } = parseSafetensors(bytes, { widen: false });
  assertEquals(Object.fromEntries(tensors), ALL);
  assertEquals(metadata, { format: "pt" });
  assertStrictEquals(tensors.get("f32")!.data.buffer, bytes.buffer);
});

Deno.test("serializeSafetensors() gives the same bytes in any order of names", () => {
  const reversed = Object.entries(ALL).reverse();
  assertEquals(serializeSafetensors(reversed), serializeSafetensors(ALL));
});

Deno.test("parseSafetensors() widens float16 and bfloat16 to float32", () => {
  const bytes = serializeSafetensors({
    half: {
      dtype: "float16",
      shape: [5],
      data: new Uint16Array([0x3c00, 0xc500, 1, 0x7c00, 0x7bff]),
    },
    brain: { dtype: "bfloat16", shape: [2], data: new Uint16Array([0x3f80, 0xc040]) },
  });
  const { tensors } = parseSafetensors(bytes);
  assertEquals(tensors.get("half")!.data, new Float32Array([1, -5, 2 ** -24, Infinity, 65504]));
  assertEquals(tensors.get("brain")!.data, new Float32Array([1, -3]));
});

Deno.test("parseSafetensors() reads data that is not aligned", () => {
  const bytes = file(`{"a":${entry("F32", [1], 0, 4)}}`, 4);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  new DataView(shifted.buffer).setFloat32(shifted.length - 4, 2.5, true);
  assertEquals(
    parseSafetensors(shifted.subarray(1)).tensors.get("a")!.data,
    new Float32Array([2.5]),
  );
});

Deno.test("parseSafetensors() throws for a truncated file", () => {
  assertMessage(
    () => parseSafetensors(new Uint8Array(5), { source: "m" }),
    "parseSafetensors: file has 5 bytes, the header length needs 8: m",
  );
  assertMessage(
    () => parseSafetensors(file("{}", 0).subarray(0, 9)),
    "parseSafetensors: file is truncated: header needs 2 bytes, found 1",
  );
  const header = `{"fc.weight":${entry("F32", [4], 0, 16)}}`;
  assertMessage(
    () => parseSafetensors(file(header, 15)),
    'parseSafetensors: file is truncated: tensor "fc.weight" ends at 16, the data at 15',
  );
});

Deno.test("parseSafetensors() throws for a corrupt header", () => {
  const huge = new Uint8Array(16).fill(255);
  const cases: [Uint8Array<ArrayBuffer>, string][] = [
    [huge, "header length is 18446744073709551615, the format allows 100000000"],
    [file("{]", 0), "header is no JSON"],
    [file("[]", 0), "header is no JSON object"],
    [file("\ufeff{}", 0), "header is no JSON"],
    [file('{"__metadata__":{"a":1}}', 0), "metadata is no object of strings"],
    [file('{"__metadata__":["a"]}', 0), "metadata is no object of strings"],
    [
      file(`{"a":${entry("F8", [1], 0, 1)}}`, 1),
      'tensor "a" has dtype "F8", which is not supported',
    ],
    [file('{"a":null}', 0), 'tensor "a" has dtype undefined, which is not supported'],
    [
      file(`{"a":${entry("U8", [-1], 0, 1)}}`, 1),
      'tensor "a" has shape [-1], expected whole numbers',
    ],
    [
      file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}', 1),
      'tensor "a" has data_offsets [0], expected two',
    ],
    [
      file(`{"a":${entry("F32", [100000, 100000], 0, 8)}}`, 8),
      'tensor "a" has 8 bytes, F32 [100000, 100000] needs 40000000000',
    ],
    [file(`{"a":${entry("U8", [1], 0, 1)},"a":{}}`, 1), 'tensor "a" occurs twice'],
  ];
  for (const [bytes, problem] of cases) {
    assertMessage(() => parseSafetensors(bytes), `parseSafetensors: ${problem}`);
  }
});

Deno.test("parseSafetensors() takes metadata that is null for none", () => {
  assertEquals(parseSafetensors(file('{"__metadata__":null}', 0)).metadata, {});
});

Deno.test("parseSafetensors() throws for offsets that overlap or leave holes", () => {
  const two = (begin: number) =>
    `{"a":${entry("U8", [4], 0, 4)},"b":${entry("U8", [2], begin, begin + 2)}}`;
  assertMessage(
    () => parseSafetensors(file(two(3), 6)),
    'parseSafetensors: tensor "b" begins at 3, inside of the tensor that ends at 4',
  );
  assertMessage(
    () => parseSafetensors(file(two(5), 7)),
    'parseSafetensors: no tensor covers bytes 4 to 5, before "b"',
  );
  assertMessage(
    () => parseSafetensors(file(two(4), 9)),
    "parseSafetensors: data has 9 bytes, the tensors end at 6",
  );
});

Deno.test("serializeSafetensors() throws for tensors that do not fit", () => {
  const data = new Float32Array(3);
  assertMessage(
    () => serializeSafetensors({ w: { dtype: "float32", shape: [2, 2], data } }),
    'serializeSafetensors: tensor "w" has 3 elements, shape [2, 2] needs 4',
  );
  assertMessage(
    () => serializeSafetensors({ w: { dtype: "int32", shape: [3], data } }),
    'serializeSafetensors: tensor "w" holds a Float32Array, dtype int32 needs a Int32Array',
  );
  assertMessage(
    () => serializeSafetensors({ w: { dtype: "f32" as "float32", shape: [3], data } }),
    'serializeSafetensors: tensor "w" has an unknown dtype "f32"',
  );
  const good: HostArray = { dtype: "float32", shape: [3], data };
  assertMessage(
    () => serializeSafetensors({ __metadata__: good }),
    'serializeSafetensors: "__metadata__" is reserved',
  );
  assertMessage(
    () => serializeSafetensors([["w", good], ["w", good]]),
    'serializeSafetensors: "w" occurs twice',
  );
});

Deno.test("readSafetensors() joins the shards of an index", async () => {
  const folder = await Deno.makeTempDir();
  await writeSafetensors(`${folder}/one.safetensors`, { a: ALL.i32! }, { format: "pt" });
  await writeSafetensors(`${folder}/two.safetensors`, { b: ALL.f32!, c: ALL.u32! });
  const path = `${folder}/model.safetensors.index.json`;
  const map = { a: "one.safetensors", b: "two.safetensors", c: "two.safetensors" };
  await writeFile(path, JSON.stringify({ weight_map: map }));
  const { tensors, metadata } = await readSafetensors(path);
  assertEquals([...tensors.keys()], ["a", "b", "c"]);
  assertEquals(metadata.format, "pt");
  await writeFile(path, JSON.stringify({ weight_map: { ...map, d: "one.safetensors" } }));
  await assertRejection(
    () => readSafetensors(path),
    `readSafetensors: shard one.safetensors lacks tensor "d": ${path}`,
  );
});

Deno.test("readSafetensors() throws for an index that is none", async () => {
  const path = `${await Deno.makeTempDir()}/index.json`;
  for (
    const [text, problem] of [
      ["{", "index is no JSON"],
      ["{}", "index lacks weight_map"],
      [
        '{"weight_map":{"a":"../b"}}',
        'index places tensor "a" in "../b", expected a file name',
      ],
    ] as const
  ) {
    await writeFile(path, text);
    await assertRejection(() => readSafetensors(path), `readSafetensors: ${problem}: ${path}`);
  }
});
