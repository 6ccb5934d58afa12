import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { encode } from "fast-png";
import jpeg from "jpeg-js";
import { FormatError } from "@tensaurus/core/data";
import { drawText, textWidth } from "../../models/kit/font.ts";
import { decodePicture, encodePng, fromPlanes, grid } from "../../models/kit/picture.ts";

/** A PNG made by hand, for colour types that the library does not write. */
async function rawPng(header: number[], chunks: Record<string, number[]>): Promise<Uint8Array> {
  const parts = [new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])];
  for (const [name, content] of Object.entries({ IHDR: header, ...chunks, IEND: [] })) {
    const data = name === "IDAT" ? await deflate(content) : new Uint8Array(content);
    const body = new Uint8Array([...new TextEncoder().encode(name), ...data]);
    const frame = new Uint8Array(body.length + 8);
    new DataView(frame.buffer).setUint32(0, data.length);
    frame.set(body, 4);
    new DataView(frame.buffer).setUint32(body.length + 4, crc32(body));
    parts.push(frame);
  }
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

async function deflate(bytes: number[]): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(bytes)]).stream();
  return await new Response(stream.pipeThrough(new CompressionStream("deflate"))).bytes();
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

Deno.test("encodePng() and decodePicture() agree for every number of channels", () => {
  for (const channels of [1, 2, 3, 4]) {
    const data = Uint8Array.from({ length: 6 * channels }, (_, i) => (37 * i) % 256);
    const picture = { width: 3, height: 2, channels, data };
    assertEquals(decodePicture(encodePng(picture)), picture);
  }
});

Deno.test("decodePicture() reads 16-bit, packed and palette PNGs as bytes", async () => {
  const deep = encode({
    width: 2,
    height: 1,
    channels: 1,
    depth: 16,
    data: new Uint16Array([0xff80, 0x0140]),
  });
  assertEquals(decodePicture(deep).data, new Uint8Array([0xff, 0x01]));

  // 10 pixels of 1 bit: two bytes a row, each row after its filter byte.
  const bits = await rawPng([0, 0, 0, 10, 0, 0, 0, 2, 1, 0, 0, 0, 0], {
    IDAT: [0, 0b10101010, 0b11000000, 0, 0, 0b01000000],
  });
  const rows = [255, 0, 255, 0, 255, 0, 255, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255];
  assertEquals(decodePicture(bits), {
    width: 10,
    height: 2,
    channels: 1,
    data: new Uint8Array(rows),
  });

  const palette = await rawPng([0, 0, 0, 2, 0, 0, 0, 1, 8, 3, 0, 0, 0], {
    PLTE: [255, 0, 0, 0, 0, 255],
    IDAT: [0, 1, 0],
  });
  assertEquals(decodePicture(palette).data, new Uint8Array([0, 0, 255, 255, 0, 0]));
});

Deno.test("decodePicture() reads a JPEG", () => {
  const data = new Uint8Array(8 * 8 * 4).fill(200);
  const picture = decodePicture(jpeg.encode({ width: 8, height: 8, data }, 95).data);
  assertEquals([picture.width, picture.height, picture.channels], [8, 8, 3]);
  assertEquals(picture.data.every((value) => Math.abs(value - 200) < 4), true);
});

Deno.test("decodePicture() throws for what it cannot read, with the file's name", async () => {
  const text = assertThrows(() => decodePicture(new Uint8Array([1, 2]), "a.txt"), FormatError);
  assertEquals(text.message, "decodePicture: a.txt is neither a PNG nor a JPEG");

  const whole = encodePng({ width: 9, height: 9, channels: 3, data: new Uint8Array(243) });
  const cut = assertThrows(() => decodePicture(whole.subarray(0, 50), "cut.png"), FormatError);
  assertStringIncludes(cut.message, "decodePicture: cut.png is not a valid PNG: ");

  const huge = await rawPng([0, 1, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0, 0], { IDAT: [0] });
  const error = assertThrows(() => decodePicture(huge, "huge.png"), FormatError);
  assertEquals(
    error.message,
    "decodePicture: huge.png is not a valid PNG: the header claims 65536 × 65536 pixels",
  );
});

Deno.test("fromPlanes() turns channel planes into interleaved bytes and clips", () => {
  const picture = fromPlanes([0, 1, 0.5, 2, -1, 0.2], [3, 1, 2]);
  assertEquals(picture, {
    width: 2,
    height: 1,
    channels: 3,
    data: new Uint8Array([0, 128, 0, 255, 255, 51]),
  });
  assertEquals(fromPlanes([-1, 1], [1, 1, 2], [-1, 1]).data, new Uint8Array([0, 255]));
  const error = assertThrows(() => fromPlanes([1, 2], [1, 2, 2]), RangeError);
  assertEquals(error.message, "fromPlanes: 2 values for shape [1, 2, 2]");
});

Deno.test("grid() places pictures with captions and frames mistakes in red", () => {
  const picture = { width: 4, height: 4, channels: 1, data: new Uint8Array(16).fill(100) };
  const tiles = [{ picture, caption: "7" }, { picture, caption: "1 (7)", marked: true }];
  const canvas = grid(tiles, { columns: 2, scale: 2, gap: 2 });
  assertEquals([canvas.width, canvas.height], [2 + 2 * (29 + 2), 2 + 8 + 4 + 11 + 2]);
  const at = (x: number, y: number): number[] => [
    ...canvas.data.subarray(3 * (y * canvas.width + x), 3 * (y * canvas.width + x) + 3),
  ];
  assertEquals(at(2 + 10, 4), [100, 100, 100]);
  assertEquals(at(2 + 10, 3), [255, 255, 255]);
  assertEquals(at(33 + 10, 3), [214, 39, 40]);
  assertEquals(at(33 + 10, 4), [100, 100, 100]);
});

Deno.test("grid() shows transparency on white", () => {
  const picture = { width: 1, height: 1, channels: 2, data: new Uint8Array([0, 0]) };
  const canvas = grid([{ picture }]);
  assertEquals(canvas.data.every((value) => value === 255), true);
});

Deno.test("drawText() draws letters and replaces what the font lacks", () => {
  const rows = Array.from({ length: 7 }, () => Array<string>(11).fill("."));
  drawText("Tł", (x, y) => rows[y]![x] = "#");
  assertEquals(rows.map((row) => row.join("")), [
    "#####..##..",
    "..#.....#..",
    "..#.....#..",
    "..#.....#..",
    "..#.....#..",
    "..#.....#..",
    "..#....###.",
  ]);
  assertEquals(textWidth("trzy"), 23);
  assertEquals(textWidth(""), 0);
});
