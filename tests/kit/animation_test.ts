import { assertEquals, assertThrows } from "@std/assert";
import { decodeApng } from "fast-png";
import { encodeApng } from "../../models/kit/animation.ts";
import { decodePicture, encodePng, type Picture } from "../../models/kit/picture.ts";

function plain(value: number, width = 5, channels = 3): Picture {
  return { width, height: 4, channels, data: new Uint8Array(width * 4 * channels).fill(value) };
}

interface Chunk {
  name: string;
  data: Uint8Array;
  bytes: Uint8Array;
}

function chunksOf(file: Uint8Array): Chunk[] {
  const view = new DataView(file.buffer);
  const chunks: Chunk[] = [];
  for (let at = 8; at < file.length;) {
    const end = at + 12 + view.getUint32(at);
    const name = new TextDecoder().decode(file.subarray(at + 4, at + 8));
    chunks.push({ name, data: file.subarray(at + 8, end - 4), bytes: file.subarray(at, end) });
    at = end;
  }
  return chunks;
}

Deno.test("encodeApng() writes every frame with its delay", () => {
  const frames = [plain(0), plain(100), plain(255)];
  const file = encodeApng(frames, { delay: 50, lastDelay: 700, plays: 2 });
  const chunks = chunksOf(file);
  assertEquals(
    chunks.map(({ name }) => name),
    ["IHDR", "acTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"],
  );
  const number = (chunk: Chunk, at: number): number =>
    new DataView(chunk.data.buffer, chunk.data.byteOffset).getUint32(at);
  assertEquals([number(chunks[1]!, 0), number(chunks[1]!, 4)], [3, 2]);
  const sequence = chunks.filter(({ name }) => name.startsWith("f")).map((c) => number(c, 0));
  assertEquals(sequence, [0, 1, 2, 3, 4, 5]);
  const delays = chunks.filter(({ name }) => name === "fcTL").map((c) => number(c, 20));
  assertEquals(delays.map((d) => [d >> 16, d & 0xffff]), [[50, 1000], [50, 1000], [700, 1000]]);
  // A frame's data are those of the PNG of that frame alone.
  for (const [i, chunk] of chunks.filter(({ name }) => name === "fdAT").entries()) {
    const alone = chunksOf(encodePng(frames[i]!)).find(({ name }) => name === "IDAT")!;
    assertEquals(chunk.data.slice(4), alone.data.slice());
  }
});

Deno.test("encodeApng() has checksums that another decoder accepts", () => {
  const { numberOfFrames, numberOfPlays } = decodeApng(encodeApng([plain(1), plain(2)]), {
    checkCrc: true,
  });
  assertEquals([numberOfFrames, numberOfPlays], [2, 0]);
});

Deno.test("encodeApng() shows the last frame where there is no animation", () => {
  assertEquals(decodePicture(encodeApng([plain(1), plain(9)])), plain(9));
});

Deno.test("encodeApng() throws for frames that do not fit together, none, and absurd delays", () => {
  assertThrows(() => encodeApng([]), RangeError, "encodeApng: there are no frames");
  assertThrows(
    () => encodeApng([plain(0, 6), plain(0)]),
    RangeError,
    "encodeApng: frame 0 is 6×4×3, the last one is 5×4×3",
  );
  assertThrows(
    () => encodeApng([plain(0)], { delay: 70_000 }),
    RangeError,
    "encodeApng: delay 70000 is not within 0 to 65535 ms",
  );
});
