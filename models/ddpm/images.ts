/**
 * Images to learn from: MNIST and its relatives from IDX files, or a folder of PNG and JPEG files.
 *
 * @module
 */
import {
  centerCrop,
  Compose,
  type Dataset,
  type FloatImage,
  FormatError,
  Grayscale,
  type Image,
  LabeledImages,
  loadEmnist,
  loadFashionMnist,
  loadMnist,
  MapDataset,
  Normalize,
  type RandomStream,
  resize,
  ToTensor,
} from "@tensaurus/core/data";
import { decodePicture, withoutAlpha } from "../kit/picture.ts";
import { UsageError } from "../kit/settings.ts";

/** Names of the data sets. */
export const DATA_SETS = ["mnist", "fashion", "emnist", "folder"] as const;

/** Splits of EMNIST. */
export const SPLITS = ["digits", "letters", "balanced", "bymerge", "byclass", "mnist"] as const;

/** Every how many images of a folder one is kept for evaluation. */
const HELD_OUT = 10;

/** Names of unreadable files that are printed; the others are counted. */
const NAMED = 5;

const TO_FLOATS = new Compose([new ToTensor(), new Normalize(0.5, 0.5)]);

/** Which images, and in what form. */
export interface ImageSettings {
  /** One of {@linkcode DATA_SETS}. */
  data: string;
  /** Folder with IDX files or images; empty takes MNIST from its package. */
  dataFolder: string;
  /** Split of EMNIST. */
  emnistSplit: string;
  /** Side to which images are resized, their middle cut out. */
  imageSize: number;
  /** 1 gray, 3 colours. */
  channels: number;
  /** Images that are used, from the first on; 0 for all. */
  images: number;
}

/** Images with a class each. */
export interface LabeledSet extends Dataset<[Image, number]> {
  /** Names of the classes; a folder without sub-folders has one without a name. */
  readonly classes: readonly string[];
  /** An image and its class. */
  get(index: number, random?: RandomStream): [Image, number];
}

/**
 * Opens the images.
 *
 * @param settings Which images.
 * @param training Those for training, or those kept for evaluation.
 * @param note Tells of files that cannot be read.
 * @returns Images of the wanted size and channels.
 * @throws {UsageError} If no image is left, or a folder is missing.
 */
export async function openImages(
  settings: ImageSettings,
  training: boolean,
  note: (text: string) => void = console.error,
): Promise<LabeledSet> {
  const { data, dataFolder, imageSize, channels } = settings;
  if (channels !== 1 && channels !== 3) {
    throw new UsageError(`--channels: expected 1 or 3, got "${channels}"`);
  }
  if (data === "folder") return limited(await openFolder(settings, training, note), settings);
  if (data !== "mnist" && dataFolder === "") {
    throw new UsageError(`--data-folder: ${data} needs the folder with its IDX files`);
  }
  const raw = await openIdx(settings, training);
  const fitted = raw.withTransform({
    forward: (image: Image): Image => fit(image, imageSize, channels),
  });
  return limited(fitted, settings);
}

async function openIdx(settings: ImageSettings, train: boolean): Promise<LabeledImages> {
  const { data, dataFolder, emnistSplit } = settings;
  try {
    if (data === "fashion") return await loadFashionMnist(dataFolder, { train });
    if (data === "mnist") return await loadMnist({ train, root: dataFolder || undefined });
    const split = emnistSplit as typeof SPLITS[number];
    const emnist = await loadEmnist(dataFolder, split, { train });
    return split === "letters" ? fromZero(emnist) : emnist;
  } catch (error) {
    // Files that are missing or those of another split; what is wrong inside a file says so itself.
    if (!(error instanceof Error) || error instanceof FormatError || dataFolder === "") throw error;
    throw new UsageError(`--data-folder: ${error.message.replace(/^\w+: /, "")}`);
  }
}

/** The files of EMNIST's letters count from 1; a class without images would be drawn and asked for. */
function fromZero(set: LabeledImages): LabeledImages {
  const { images, height, width, classes } = set;
  const unnamed = set.labels.indexOf(0);
  if (unnamed >= 0) throw new UsageError(`label 0 of image ${unnamed} is no letter`);
  const labels = set.labels.map((label) => label - 1);
  return new LabeledImages({ images, labels, height, width, classes: classes.slice(1) });
}

function limited(set: LabeledSet, settings: ImageSettings): LabeledSet {
  const { images } = settings;
  const length = images > 0 ? Math.min(images, set.length) : set.length;
  return { classes: set.classes, length, get: (index, random) => set.get(index, random) };
}

/** Images as numbers from −1 to 1, with their class. */
export function asFloats(set: LabeledSet): Dataset<[FloatImage, number]> {
  return new MapDataset(set, ([image, label]): [FloatImage, number] => [toFloats(image), label]);
}

/** An image as numbers `[C, H, W]` from −1 to 1. */
export function toFloats(image: Image): FloatImage {
  return TO_FLOATS.forward(image) as FloatImage;
}

/** Resizes the shorter side, cuts out the middle, and makes the channels as wanted. */
export function fit(image: Image, size: number, channels: number): Image {
  let result = withChannels(image, channels);
  const smaller = Math.min(result.width, result.height);
  if (smaller !== size) result = resize(result, size);
  return result.width === result.height ? result : centerCrop(result, size);
}

/** Grey or colours; transparent pixels show white. */
function withChannels(image: Image, channels: number): Image {
  const opaque = withoutAlpha(image);
  if (opaque.channels === channels) return opaque;
  return new Grayscale(channels === 1 ? 1 : 3).forward(opaque);
}

/** The images of a folder; those in a sub-folder have its name as class. */
async function openFolder(
  { dataFolder, imageSize, channels }: ImageSettings,
  training: boolean,
  note: (text: string) => void,
): Promise<LabeledSet> {
  if (dataFolder === "") throw new UsageError("--data-folder: name the folder with the images");
  const files = await listImages(dataFolder);
  const classes = [...new Set(files.map(({ label }) => label))].sort();
  const items: [Image, number][] = [];
  const unreadable: string[] = [];
  for (const { path, label } of files) {
    try {
      const picture = decodePicture(await Deno.readFile(path), path);
      items.push([fit(picture as Image, imageSize, channels), classes.indexOf(label)]);
    } catch {
      unreadable.push(path);
    }
  }
  if (unreadable.length > 0 && training) {
    const names = unreadable.slice(0, NAMED).join(", ");
    const rest = unreadable.length > NAMED ? `, and ${unreadable.length - NAMED} more` : "";
    note(
      `skipped ${unreadable.length} of ${files.length} files that cannot be read: ${names}${rest}`,
    );
  }
  if (items.length === 0) {
    throw new UsageError(`--data-folder: no PNG or JPEG that can be read: ${dataFolder}`);
  }
  // With only a few images, training and evaluation share them.
  const kept = items.length < 2 * HELD_OUT
    ? items
    : items.filter((_, i) => (i % HELD_OUT === HELD_OUT - 1) !== training);
  return { classes, length: kept.length, get: (index) => kept[index]! };
}

async function listImages(folder: string): Promise<{ path: string; label: string }[]> {
  const found: { path: string; label: string }[] = [];
  async function walk(path: string, label: string): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      if (isDirectory) await walk(`${path}/${name}`, label || name);
      else if (/\.(png|jpe?g)$/i.test(name)) found.push({ path: `${path}/${name}`, label });
    }
  }
  try {
    await walk(folder.replace(/\/$/, ""), "");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(`--data-folder: there is no folder ${folder}`);
  }
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}
