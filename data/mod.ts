/**
 * Data for training: data sets, loaders, transforms, tokenizers, files of weights, and the figures
 * that judge a model.
 *
 * @example Images in batches
 * ```ts
 * import { Compose, createImage, Normalize, RandomStream, Resize, ToTensor } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const transform = new Compose([new Resize([8, 8]), new ToTensor(), new Normalize(0.13, 0.31)]);
 * assertEquals(transform.forward(createImage(4, 4, 1), new RandomStream(0)).shape, [1, 8, 8]);
 * ```
 *
 * @module
 */

export type { HostArray, HostData, HostDType } from "./array.ts";
export { affine, rotate } from "./affine.ts";
export type { AffineOptions, RotateOptions } from "./affine.ts";
export type { Resampling } from "./affine_sample.ts";
export { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from "./color.ts";
export * from "./compose.ts";
export * from "./dataset.ts";
export * from "./errors.ts";
export * from "./files.ts";
export { parseIdx, readIdx } from "./idx.ts";
export type { IdxArray, IdxData } from "./idx.ts";
export {
  centerCrop,
  createImage,
  crop,
  flipHorizontal,
  flipVertical,
  grayscale,
  pad,
} from "./image.ts";
export type { Image, PaddingMode, PadOptions } from "./image.ts";
export * from "./labeled_images.ts";
export * from "./mnist.ts";
export { RandomStream } from "./random.ts";
export type { RandomStreamOptions } from "./random.ts";
export * from "./random_flips.ts";
export * from "./random_transforms.ts";
export { resize } from "./resize.ts";
export type { Interpolation, ResizeOptions } from "./resize.ts";
export { Normalize, ToTensor } from "./to_tensor.ts";
export type { FloatImage } from "./to_tensor.ts";
export * from "./transforms.ts";
export { accuracy, classificationScores, confusionMatrix, topKAccuracy } from "./metrics.ts";
export type { ClassificationScores, ClassOptions, ClassScores, Labels } from "./metrics.ts";
export * from "./report.ts";
export * from "./text_metrics.ts";
export * from "./checkpoint.ts";
export * from "./safetensors.ts";
export * from "./collate.ts";
export * from "./loader.ts";
export * from "./batch_sampler.ts";
export { RandomSampler, SequentialSampler, WeightedRandomSampler } from "./sampler.ts";
export type { RandomSamplerOptions, Sampler } from "./sampler.ts";
export { serveDataset } from "./workers.ts";
export { toHost, toTensor } from "./tensors.ts";
export type { Placed, ToTensorOptions } from "./tensors.ts";
export * from "./bpe_train.ts";
export * from "./bpe_tokenizer.ts";
export * from "./char_tokenizer.ts";
export type { SplitName } from "./pre_tokenizer.ts";
export * from "./tokenizer.ts";
export * from "./tokenizer_file.ts";
export * from "./text.ts";
export * from "./batch_augment.ts";
export * from "./device_transforms.ts";
export * from "./word_tokenizer.ts";
