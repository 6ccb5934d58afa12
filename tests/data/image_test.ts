import {
  adjustBrightness,
  adjustHue,
  affine,
  centerCrop,
  createImage,
  crop,
  grayscale,
  type Image,
  pad,
  resize,
  rotate,
} from "../../data/mod.ts";
import { assertEquals } from "@std/assert";
import { assertMessage } from "./_errors.ts";

function gray(width: number, height: number, ...bytes: number[]): Image {
  return createImage(width, height, 1, new Uint8Array(bytes));
}

Deno.test("createImage() throws for extents and pixels that do not fit", () => {
  assertMessage(
    () => createImage(0, 1, 1),
    "createImage: width is 0, expected an integer of at least 1",
  );
  assertMessage(() => createImage(1, 1, 5), "createImage: channels is 5, expected 1 to 4");
  assertMessage(
    () => createImage(2, 2, 1, new Uint8Array(3)),
    "createImage: data has 3 bytes, the image needs 4: width 2, height 2, channels 1",
  );
});

Deno.test("grayscale() throws for channels it does not know", () => {
  assertMessage(
    () => grayscale(createImage(1, 1, 2)),
    "grayscale: image has 2 channels, expected 1, 3 or 4",
  );
  assertMessage(
    () => grayscale(createImage(1, 1, 3), 2 as 1),
    "grayscale: outputChannels is 2, expected 1 or 3",
  );
});

Deno.test("crop() fills with black what lies outside", () => {
  const image = gray(2, 2, 1, 2, 3, 4);
  assertEquals(crop(image, -1, 1, 2, 2).data, new Uint8Array([0, 0, 2, 0]));
  assertEquals(crop(image, 5, 5, 1, 1).data, new Uint8Array([0]));
  assertMessage(
    () => crop(image, 0, 0, 0, 1),
    "crop: height is 0, expected an integer of at least 1",
  );
});

Deno.test("centerCrop() rounds halves to even and pads smaller images", () => {
  assertEquals(centerCrop(gray(5, 1, 1, 2, 3, 4, 5), [1, 4]).data, new Uint8Array([1, 2, 3, 4]));
  assertEquals(centerCrop(gray(4, 1, 1, 2, 3, 4), [1, 1]).data, new Uint8Array([3]));
  assertEquals(centerCrop(gray(1, 1, 9), [1, 4]).data, new Uint8Array([0, 9, 0, 0]));
});

Deno.test("pad() has torchvision's four modes", () => {
  const image = gray(3, 1, 1, 2, 3);
  const rows = [
    ["constant", [7, 7, 1, 2, 3, 7, 7]],
    ["edge", [1, 1, 1, 2, 3, 3, 3]],
    ["reflect", [3, 2, 1, 2, 3, 2, 1]],
    ["symmetric", [2, 1, 1, 2, 3, 3, 2]],
  ] as const;
  for (const [mode, expected] of rows) {
    assertEquals(pad(image, [2, 0], { mode, fill: 7 }).data, new Uint8Array(expected), mode);
  }
});

Deno.test("pad() throws for widths and fills that do not fit", () => {
  const image = gray(2, 1, 1, 2);
  assertMessage(
    () => pad(image, [2, 0], { mode: "reflect" }),
    'pad: padding 2 in mode "reflect" is too wide for an extent of 2',
  );
  assertMessage(() => pad(image, [1, 2, 3]), "pad: padding has 3 widths, expected 1, 2 or 4");
  assertMessage(() => pad(image, -1), "pad: padding is -1, expected an integer of at least 0");
  assertMessage(
    () => pad(image, 1, { fill: [1, 2, 3] }),
    "pad: fill has 3 values, the image 1 channels",
  );
});

Deno.test("resize() keeps the aspect ratio for one number", () => {
  const { width, height } = resize(createImage(30, 20, 1), 10);
  assertEquals([width, height], [15, 10]);
});

Deno.test("resize() throws for a filter that does not exist", () => {
  assertMessage(
    () => resize(gray(1, 1, 1), 2, { interpolation: "bilinar" as "bilinear" }),
    'resize: interpolation "bilinar" does not exist (did you mean "bilinear"?)',
  );
  assertMessage(
    () => resize(gray(1, 1, 1), [2, 0]),
    "resize: width is 0, expected an integer of at least 1",
  );
});

Deno.test("rotate() by quarter turns is exact and four make the image", () => {
  const image = gray(3, 2, 1, 2, 3, 4, 5, 6);
  const turned = rotate(image, 90, { expand: true });
  assertEquals([turned.width, turned.height], [2, 3]);
  assertEquals(turned.data, new Uint8Array([3, 6, 2, 5, 1, 4]));
  let back = image;
  for (let i = 0; i < 4; i++) back = rotate(back, 270, { expand: true });
  assertEquals(back, image);
});

Deno.test("rotate() fills what comes from outside", () => {
  const image = createImage(9, 9, 3);
  assertEquals(
    rotate(image, 45, { fill: [9, 8, 7] }).data.subarray(0, 3),
    new Uint8Array([9, 8, 7]),
  );
});

Deno.test("rotate() and affine() throw for what is no angle or scale", () => {
  const image = gray(1, 1, 1);
  assertMessage(() => rotate(image, NaN), "rotate: angle is NaN, expected degrees");
  assertMessage(
    () => affine(image, { scale: 0 }),
    "affine: scale is 0, expected a positive number",
  );
});

Deno.test("adjust functions throw for factors out of range", () => {
  const image = gray(1, 1, 1);
  assertMessage(
    () => adjustBrightness(image, -1),
    "adjustBrightness: factor is -1, expected a number of at least 0",
  );
  assertMessage(
    () => adjustHue(image, 0.6),
    "adjustHue: factor is 0.6, expected a number from -0.5 to 0.5",
  );
  assertMessage(
    () => adjustHue(createImage(1, 1, 4), 0.1),
    "adjustHue: image has 4 channels, expected 1 or 3",
  );
});
