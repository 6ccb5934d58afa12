import {
  adjustContrast,
  adjustContrastBatch,
  BatchAugment,
  collate,
  ColorJitter,
  Compose,
  createImage,
  DataLoader,
  Grayscale,
  type Image,
  LabeledImages,
  Normalize,
  normalizeBatch,
  RandomRotation,
  RandomStream,
  Resize,
  resize,
  resizeBatch,
  rotate,
  rotateBatch,
  rotationParameters,
  toHost,
  ToTensor,
  toTensor,
} from "../../data/mod.ts";
import { assert, assertEquals } from "@std/assert";
import { compile, type Tensor, tensor, zeros } from "../../ops/mod.ts";
import { assertMessage } from "./_errors.ts";

function noise(width: number, height: number, channels: number, seed: number): Image {
  const random = new RandomStream(seed);
  const image = createImage(width, height, channels);
  for (let i = 0; i < image.data.length; i++) image.data[i] = random.integer(256);
  return image;
}

/** Images of equal extent as a batch `[N, C, H, W]` from 0 to 255. */
function toBatch(images: readonly Image[]): Tensor {
  const { width, height, channels } = images[0]!;
  const size = width * height;
  const data = new Float32Array(images.length * channels * size);
  images.forEach((image, n) => {
    for (let i = 0; i < size * channels; i++) {
      data[n * size * channels + (i % channels) * size + Math.trunc(i / channels)] = image.data[i]!;
    }
  });
  return tensor(data, { shape: [images.length, channels, height, width] });
}

async function largestDifference(a: Tensor, b: Tensor): Promise<number> {
  assertEquals(a.shape, b.shape);
  const [x, y] = [await a.data(), await b.data()];
  return Math.max(...Array.from(x, (value, i) => Math.abs(value - y[i]!)));
}

Deno.test("rotateBatch() gives PIL's bytes for each angle", async () => {
  const angles = [0, 10, -9.7, 45, 123.4, -180];
  const images = angles.map((_, i) => noise(11, 9, 3, i));
  const rows = angles.map((angle) => Array.from(rotationParameters(angle, 9, 11).data, Number));
  const parameters = tensor(Int32Array.from(rows.flat()), { shape: [angles.length, 6] });
  const expected = images.map((image, i) => rotate(image, angles[i]!));
  const result = rotateBatch(toBatch(images), parameters);
  assertEquals(await largestDifference(result, toBatch(expected)), 0);
});

Deno.test("resizeBatch() gives PIL's bytes", async () => {
  const images = [0, 1, 2].map((seed) => noise(28, 20, 1, seed));
  for (const size of [[48, 48], [9, 11], [20, 30]] as const) {
    for (const interpolation of ["bilinear", "bicubic"] as const) {
      const expected = toBatch(images.map((image) => resize(image, size, { interpolation })));
      const result = resizeBatch(toBatch(images), size, { interpolation });
      assertEquals(await largestDifference(result, expected), 0, `${size} ${interpolation}`);
    }
  }
});

Deno.test("adjustContrastBatch() is within one level of adjustContrast()", async () => {
  for (const channels of [1, 3]) {
    const factors = [0, 0.8, 1, 1.2, 2.5];
    const images = factors.map((_, i) => noise(7, 6, channels, i));
    const expected = images.map((image, i) => adjustContrast(image, factors[i]!));
    const result = adjustContrastBatch(toBatch(images), tensor(factors));
    assert(await largestDifference(result, toBatch(expected)) <= 1);
  }
});

Deno.test("BatchAugment gives what the host transforms give for the same seed", async () => {
  const count = 12;
  const source = noise(28, 28 * count, 1, 5).data;
  const digits = new LabeledImages({
    images: source,
    labels: new Uint8Array(count),
    height: 28,
    width: 28,
    classes: ["any"],
  });
  const host = digits.withTransform(
    new Compose([
      new Grayscale(3),
      new Resize([48, 48]),
      new RandomRotation(10),
      new ColorJitter({ brightness: 0.2, contrast: 0.2 }),
      new ToTensor(),
      new Normalize(0.1307, 0.3081),
    ]),
  );
  const augment = new BatchAugment({
    size: [48, 48],
    channels: 3,
    rotation: 10,
    brightness: 0.2,
    contrast: 0.2,
    mean: 0.1307,
    std: 0.3081,
  });
  const options = { batchSize: count, shuffle: true, seed: 8 };
  const expected = (await new DataLoader(host, options)[Symbol.asyncIterator]().next()).value![0];
  const device = new DataLoader(digits.withTransform(augment.prepare()), options);
  for await (const [{ pixels, rotation, jitter }] of device) {
    const result = augment.forward(pixels, rotation, jitter);
    const [a, b] = [await result.data(), await expected.data()];
    // A device may fuse a product with a sum; where that crosses a whole number, a byte differs.
    const levels = Array.from(a, (value, i) => Math.abs(value - b[i]!) * 78.5655);
    const different = levels.filter((level) => level > 0.01).length;
    assert(Math.max(...levels) < 2.01, `${Math.max(...levels)} levels`);
    assert(different < 20, `${different} of ${a.length} differ`);
  }
});

Deno.test("BatchAugment without jitter or rotation draws nothing", () => {
  const image = noise(4, 4, 1, 1);
  const input = new BatchAugment({ size: [4, 4] }).prepare().forward(image, new RandomStream(1));
  assertEquals([...input.jitter.data], [1, 1, 1]);
  assertEquals(input.rotation, rotationParameters(0, 4, 4));
});

Deno.test("batch transforms throw for shapes that do not fit", () => {
  const images = zeros([2, 3, 4, 4]);
  assertMessage(
    () => resizeBatch(zeros([4, 4]), [2, 2]),
    "resizeBatch: images has 2 dimensions, expected [N, C, H, W]: images [4, 4]",
  );
  assertMessage(
    () => rotateBatch(images, zeros([2, 6])),
    "rotateBatch: parameters must be int32 [2, 6]: images [2, 3, 4, 4], parameters [2, 6]",
  );
  assertMessage(
    () => adjustContrastBatch(images, zeros([3])),
    "adjustContrastBatch: factors has 3 values for 2 images: factors [3]",
  );
  assertMessage(
    () => adjustContrastBatch(zeros([1, 2, 1, 1]), zeros([1])),
    "adjustContrastBatch: images has 2 channels, expected 1 or 3: images [1, 2, 1, 1]",
  );
  assertMessage(
    () => normalizeBatch(images, [0, 1], 1),
    "normalizeBatch: mean has 2 values for 3 channels: images [2, 3, 4, 4]",
  );
});

Deno.test("BatchAugment throws for settings and images that do not fit", () => {
  assertMessage(
    () => new BatchAugment({ size: [0, 4] }),
    "BatchAugment: size is 0, expected an integer of at least 1",
  );
  assertMessage(
    () => new BatchAugment({ size: [4, 4], std: 0 }),
    "BatchAugment: std is 0, expected a positive number",
  );
  assertMessage(
    () => new BatchAugment({ size: [4, 4], channels: 2 as 1 }),
    "BatchAugment: channels is 2, expected 1 or 3",
  );
  const prepare = new BatchAugment({ size: [4, 4] }).prepare();
  assertMessage(
    () => prepare.forward(createImage(1, 1, 3), new RandomStream(0)),
    "BatchAugment: image has 3 channels, expected 1",
  );
});

Deno.test("toTensor() reads the resampling weights as rows that sum to one", async () => {
  const ones = tensor(new Float32Array(16).fill(255), { shape: [1, 1, 4, 4] });
  const { data } = await toHost(resizeBatch(ones, [7, 3]));
  assertEquals(new Set(data as Float32Array), new Set([255]));
  assertEquals(toTensor({ dtype: "float32", shape: [0], data: new Float32Array(0) }).shape, [0]);
});

Deno.test("BatchAugment gives the same bits compiled as eager", async () => {
  const augment = new BatchAugment({ size: [9, 8], channels: 3, rotation: 20, brightness: 0.3 });
  const inputs = [0, 1, 2].map((index) =>
    augment.prepare().forward(noise(6, 7, 1, index), new RandomStream(3, { index }))
  );
  const { pixels, rotation, jitter } = collate(inputs);
  const step = compile((p: Tensor, r: Tensor, j: Tensor) => augment.forward(p, r, j));
  const tensors = [toTensor(pixels), toTensor(rotation), toTensor(jitter)] as const;
  const eager = await augment.forward(...tensors).data();
  assertEquals(await step(...tensors).data(), eager);
});
