import {
  LabeledImages,
  loadEmnist,
  loadFashionMnist,
  loadIdxImages,
  loadMnist,
  writeFile,
} from "../../data/mod.ts";
import { assertEquals } from "@std/assert";
import { assertMessage, assertRejection } from "./_errors.ts";

function header(...sizes: number[]): number[] {
  const bytes = sizes.flatMap((n) => [0, 0, n >> 8, n & 255]);
  return [0, 0, 8, sizes.length, ...bytes];
}

async function writePair(
  folder: string,
  images: string,
  labels: string,
): Promise<void> {
  const pixels = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
  await writeFile(`${folder}/${images}`, new Uint8Array([...header(2, 2, 3), ...pixels]));
  await writeFile(`${folder}/${labels}`, new Uint8Array([...header(2), 3, 1]));
}

Deno.test("loadMnist() reads the original files", async () => {
  const train = await loadMnist();
  assertEquals([train.length, train.height, train.width], [60000, 28, 28]);
  assertEquals(Array.from(train.labels.subarray(0, 5)), [5, 0, 4, 1, 9]);
  const test = await loadMnist({ train: false });
  assertEquals([test.length, test.labels[0], test.classes.length], [10000, 7, 10]);
  assertEquals(test.image(0).data.reduce((sum, byte) => sum + byte, 0), 18454);
});

Deno.test("loadMnist() refuses files that are not the original", async () => {
  const root = await Deno.makeTempDir();
  await writePair(root, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
  const error = await loadMnist({ root }).catch((error: Error) => error) as Error;
  assertEquals(
    error.message.replace(/is [0-9a-f]{64}/, "is X"),
    "loadMnist: SHA-256 is X, the original file has " +
      "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db: " +
      "train-images-idx3-ubyte (use { verify: false } for other data)",
  );
  await assertRejection(
    () => loadMnist({ root, verify: false }),
    "loadMnist: images are [2, 2, 3], expected [60000, 28, 28]",
  );
});

Deno.test("loadMnist() names the missing file", async () => {
  const root = await Deno.makeTempDir();
  await assertRejection(
    () => loadMnist({ root, train: false }),
    `loadMnist: neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz can be read: ${root}/`,
  );
});

Deno.test("loadFashionMnist() reads a folder in either spelling of the names", async () => {
  const root = await Deno.makeTempDir();
  await writePair(root, "train-images.idx3-ubyte", "train-labels.idx1-ubyte");
  const data = await loadFashionMnist(root);
  assertEquals([data.length, data.classes[data.labels[0]!]], [2, "Dress"]);
});

Deno.test("loadEmnist() stands images upright", async () => {
  const root = await Deno.makeTempDir();
  const name = "emnist-letters-test";
  await writePair(root, `${name}-images-idx3-ubyte`, `${name}-labels-idx1-ubyte`);
  const data = await loadEmnist(root, "letters", { train: false });
  assertEquals([data.height, data.width, data.classes[data.labels[1]!]], [3, 2, "a"]);
  assertEquals(data.image(0).data, new Uint8Array([1, 4, 2, 5, 3, 6]));
});

Deno.test("loadEmnist() throws for a split that does not exist", async () => {
  await assertRejection(
    () => loadEmnist(".", "letter" as "letters"),
    'loadEmnist: split "letter" does not exist (did you mean "letters"?)',
  );
});

Deno.test("loadIdxImages() throws where images and labels do not fit", async () => {
  const root = await Deno.makeTempDir();
  await writePair(root, "images", "labels");
  await writeFile(`${root}/other`, new Uint8Array([...header(3), 0, 0, 0]));
  await assertRejection(
    () => loadIdxImages(`${root}/images`, `${root}/other`),
    "loadIdxImages: expected images [N, height, width] and labels [N]: images [2, 2, 3], " +
      "labels [3]",
  );
  await writeFile(`${root}/signed`, new Uint8Array([0, 0, 9, 1, 0, 0, 0, 2, 0, 0]));
  await assertRejection(
    () => loadIdxImages(`${root}/images`, `${root}/signed`),
    "loadIdxImages: images and labels must be unsigned bytes: images [2, 2, 3], labels [2]",
  );
});

Deno.test("LabeledImages throws for pixels, labels and indices that do not fit", () => {
  const images = new Uint8Array(8);
  const labels = new Uint8Array([0, 1]);
  const init = { images, labels, height: 2, width: 2, classes: ["a", "b"] };
  const data = new LabeledImages(init);
  assertMessage(() => data.get(2), "get: index 2 is out of range for length 2");
  assertMessage(() => data.image(-1), "image: index -1 is out of range for length 2");
  assertMessage(
    () => new LabeledImages({ ...init, height: 3 }),
    "LabeledImages: images has 8 pixels, 2 labels need 12: height 3, width 2",
  );
  assertMessage(
    () => new LabeledImages({ ...init, classes: ["a"] }),
    "LabeledImages: label 1 of image 1 is out of range for 1 classes",
  );
});
