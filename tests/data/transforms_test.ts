import {
  ColorJitter,
  Compose,
  createImage,
  type FloatImage,
  Grayscale,
  type Image,
  Normalize,
  Pad,
  RandomAffine,
  RandomCrop,
  RandomHorizontalFlip,
  RandomRotation,
  RandomStream,
  Resize,
  ToTensor,
  type Transform,
} from "../../data/mod.ts";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { assertMessage } from "./_errors.ts";

function noise(width: number, height: number, channels: number, seed = 1): Image {
  const random = new RandomStream(seed);
  const image = createImage(width, height, channels);
  for (let i = 0; i < image.data.length; i++) image.data[i] = random.integer(256);
  return image;
}

function stepByStep(compose: Compose<Image, unknown>, image: Image, random: RandomStream): unknown {
  let value: unknown = image;
  for (const step of compose.transforms) value = step.forward(value as never, random);
  return value;
}

Deno.test("Compose gives the same bits fused as step by step", () => {
  const steps: Record<string, Transform<never, unknown>[]> = {
    course: [
      new Grayscale(3),
      new Resize([48, 48]),
      new RandomRotation(10),
      new ColorJitter({ brightness: 0.2, contrast: 0.2, saturation: 0.3, hue: 0.1 }),
      new ToTensor(),
      new Normalize(0.1307, 0.3081),
    ],
    "three means": [
      new Grayscale(3),
      new RandomHorizontalFlip(),
      new ToTensor(),
      new Normalize([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]),
    ],
    "fill by channel": [
      new Grayscale(3),
      new RandomRotation(30, { fill: [1, 2, 3] }),
      new ToTensor(),
    ],
    bytes: [new Grayscale(3), new RandomAffine(5, { shear: 3 }), new RandomCrop(8, { padding: 1 })],
  };
  for (const [name, transforms] of Object.entries(steps)) {
    const compose = new Compose<Image, unknown>(transforms);
    for (const channels of [1, 3]) {
      const image = noise(14, 12, channels);
      const fused = compose.forward(image, new RandomStream(7));
      assertEquals(fused, stepByStep(compose, image, new RandomStream(7)), `${name} ${channels}`);
    }
  }
});

Deno.test("transforms in the wrong order say which comes first", () => {
  const image = createImage(2, 2, 1);
  const stream = () => new RandomStream(0);
  const run = (...steps: Transform<never, unknown>[]) =>
    new Compose(steps).forward(image, stream());
  assertMessage(
    () => run(new ToTensor(), new Resize(1)),
    "resize: expects an image of bytes, not floats (put ToTensor after it)",
  );
  assertMessage(
    () => run(new Normalize(0.5, 0.5), new ToTensor()),
    "Normalize: expects floats, not an image of bytes (put ToTensor before it)",
  );
});

Deno.test("Compose leaves its input as it was", () => {
  const image = noise(5, 5, 1);
  const before = image.data.slice();
  new Compose([new RandomRotation(90), new ColorJitter({ brightness: 1 }), new ToTensor()])
    .forward(image, new RandomStream(1));
  assertEquals(image.data, before);
});

Deno.test("random transforms follow their stream", () => {
  const transform = new Compose<Image, FloatImage>([
    new RandomRotation(90),
    new ColorJitter({ brightness: 0.5, contrast: 0.5 }),
    new ToTensor(),
  ]);
  const image = noise(8, 8, 1);
  const first = transform.forward(image, new RandomStream(1, { index: 3 }));
  assertEquals(transform.forward(image, new RandomStream(1, { index: 3 })), first);
  assertNotEquals(transform.forward(image, new RandomStream(1, { index: 4 })), first);
});

Deno.test("RandomCrop reaches every place", () => {
  const image = createImage(3, 1, 1, new Uint8Array([1, 2, 3]));
  const crop = new RandomCrop([1, 1]);
  const seen = new Set<number>();
  for (let i = 0; i < 60; i++) seen.add(crop.forward(image, new RandomStream(i)).data[0]!);
  assertEquals(seen.size, 3);
});

Deno.test("ToTensor moves channels first", () => {
  const image = createImage(2, 1, 3, new Uint8Array([255, 0, 51, 0, 255, 102]));
  const { shape, data } = new ToTensor().forward(image);
  assertEquals(shape, [3, 1, 2]);
  assertEquals(data, new Float32Array([1, 0, 0, 1, 0.2, 0.4]));
});

Deno.test("Pad adds a border on all sides", () => {
  const image = createImage(1, 1, 1, new Uint8Array([5]));
  assertEquals(new Pad([1, 0]).forward(image).data, new Uint8Array([0, 5, 0]));
});

Deno.test("transforms throw for wrong settings when they are made", () => {
  assertMessage(() => new Resize(0), "Resize: size is 0, expected an integer of at least 1");
  assertMessage(
    () => new RandomRotation(-1),
    "RandomRotation: degrees is -1, expected a number from 0 to Infinity",
  );
  assertMessage(
    () => new RandomRotation([5, 1]),
    "RandomRotation: degrees runs from 5 to 1, expected rising bounds",
  );
  assertMessage(
    () => new ColorJitter({ hue: 0.7 }),
    "ColorJitter: hue is -0.7, expected a number from -0.5 to 0.5",
  );
  assertMessage(
    () => new RandomHorizontalFlip(2),
    "RandomHorizontalFlip: p is 2, expected a number from 0 to 1",
  );
  assertMessage(() => new Grayscale(2 as 1), "Grayscale: outputChannels is 2, expected 1 or 3");
  assertMessage(() => new Normalize([0], [0]), "Normalize: std 0 is 0, it divides");
  assertMessage(
    () => new Normalize([0, 1], [1]),
    "Normalize: mean has 2 values, std has 1",
  );
});

Deno.test("transforms throw for images that do not fit", () => {
  const image = createImage(4, 4, 1);
  assertMessage(
    () => new RandomCrop(5).forward(image, new RandomStream(0)),
    "RandomCrop: image is 4 × 4, smaller than the crop of 5 × 5 (use padding)",
  );
  const message = "Normalize: image has 1 channels, mean and std have 3";
  const normalize = new Normalize([0, 0, 0], [1, 1, 1]);
  assertMessage(() => normalize.forward(new ToTensor().forward(image)), message);
  assertMessage(() => new Compose([new ToTensor(), normalize]).forward(image), message);
});

Deno.test("ColorJitter without settings changes nothing", () => {
  const image = noise(3, 3, 3);
  assert(new ColorJitter().forward(image, new RandomStream(0)) === image);
});
