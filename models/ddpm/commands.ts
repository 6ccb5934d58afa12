/**
 * What a trained model is used for: samples, interpolations, inpainting.
 *
 * @module
 */
import { type Tensor, tensor } from "@tensaurus/core";
import { encodeApng } from "../kit/animation.ts";
import { writeWhole } from "../kit/files.ts";
import { decodePicture, encodePng, grid, type Picture } from "../kit/picture.ts";
import { UsageError } from "../kit/settings.ts";
import { fit, toFloats } from "./images.ts";
import { type Order, type Painter, type PaintSettings, picturesOf, same } from "./paint.ts";

/** Frames of an animation at most. */
const MAX_FRAMES = 60;

/** What the commands read of the settings. */
export interface StudioSettings extends PaintSettings {
  /** What to paint. */
  prompt: string;
  /** What to stay away from. */
  negative: string;
  /** Prompt at the start of an interpolation. */
  from: string;
  /** Prompt at its end. */
  to: string;
  /** Picture whose white part is painted anew. */
  mask: string;
  /** Times that each step is done when inpainting. */
  resamples: number;
  /** Number of images. */
  count: number;
  /** Seed of the noise. */
  seed: number;
  /** Write the denoising as an animated PNG, too. */
  animate: boolean;
  /** File to write; empty for one in the run folder. */
  out: string;
}

/** A trained model, ready to paint. */
export interface Studio {
  /** Settings. */
  settings: StudioSettings;
  /** Folder of its run. */
  folder: string;
  /** What paints. */
  painter: Painter;
}

/** Paints what the prompt asks for. */
export async function sample(studio: Studio): Promise<void> {
  const { prompt, count } = studio.settings;
  await paint(studio, "sample", { wanted: [same(prompt, count)] });
}

/** Paints from the same noise while the weight goes from one prompt to the other. */
export async function interpolate(studio: Studio): Promise<void> {
  const { from, to, count } = studio.settings;
  const share = Array.from({ length: count }, (_, i) => i / Math.max(1, count - 1));
  const wanted = [
    { ...same(from, count), weights: share.map((s) => 1 - s) },
    { ...same(to, count), weights: share },
  ];
  await paint(studio, "interpolate", { wanted, sameNoise: true });
}

/**
 * Paints a part of a picture anew: RePaint (Lugmayr et al. 2022). What the mask leaves is put back,
 * with the noise of the step, after each step.
 *
 * @param studio A model.
 * @param file The picture.
 * @throws {UsageError} If there is no picture or no mask.
 */
export async function inpaint(studio: Studio, file: string | undefined): Promise<void> {
  const { imageSize, channels, count, prompt, resamples, mask } = studio.settings;
  if (file === undefined || mask === "") {
    throw new UsageError("inpaint: name an image, and with --mask a picture of what to paint anew");
  }
  const image = await readImage(file, imageSize, channels);
  const kept = (await readImage(mask, imageSize, 1)).lt(0).to("float32"); // 0 where it is white
  const known = {
    image: image.expand([count, channels, imageSize, imageSize]).contiguous(),
    mask: kept,
  };
  await paint(studio, "inpaint", { wanted: [same(prompt, count)], known, resamples });
}

/** A picture as `[1, C, H, W]` from −1 to 1. */
async function readImage(path: string, size: number, channels: number): Promise<Tensor> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(`inpaint: there is no file ${path}`);
  }
  const { data, shape } = toFloats(fit(decodePicture(bytes, path), size, channels));
  return tensor(data, { shape: [1, ...shape] });
}

/** Paints an order and writes the grid, and the way to it where that is wanted. */
async function paint(studio: Studio, name: string, order: Omit<Order, "seed">): Promise<void> {
  const { settings, folder, painter } = studio;
  const { seed, animate, sampleSteps, negative } = settings;
  const began = performance.now();
  const stride = Math.ceil(sampleSteps / MAX_FRAMES);
  const frames: Tensor[] = [];
  let x: Tensor | undefined;
  for (const state of painter.paint({ ...order, negative, seed })) {
    x = state.x;
    const shown = state.done === state.total || state.done % stride === 0;
    if (animate && shown) frames.push(x.clone());
  }
  const picture = await gridOf(x!);
  const seconds = (performance.now() - began) / 1000;
  const path = settings.out || `${folder}/${name}-${seed}.png`;
  await writeWhole(path, encodePng(picture));
  console.log(`${path}  ${sampleSteps} steps in ${seconds.toFixed(1)} s`);
  if (!animate) return;
  const moving: Picture[] = [];
  for (const frame of frames) moving.push(await gridOf(frame));
  const movie = path.replace(/(\.png)?$/, ".animated.png");
  await writeWhole(movie, encodeApng(moving));
  console.log(movie);
}

async function gridOf(images: Tensor): Promise<Picture> {
  return grid((await picturesOf(images)).map((picture) => ({ picture })));
}
