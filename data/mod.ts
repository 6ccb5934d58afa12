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
export { Compose } from "./compose.ts";
export type { Dataset } from "./dataset.ts";
export { FormatError } from "./errors.ts";
export { listFolder, readFile, writeFile } from "./files.ts";
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
export { LabeledImages } from "./labeled_images.ts";
export type { LabeledImagesInit } from "./labeled_images.ts";
export { loadEmnist, loadFashionMnist, loadIdxImages, loadMnist } from "./mnist.ts";
export type { EmnistSplit, LoadMnistOptions } from "./mnist.ts";
export { RandomStream } from "./random.ts";
export type { RandomStreamOptions } from "./random.ts";
export { RandomFlipBase, RandomHorizontalFlip, RandomVerticalFlip } from "./random_flips.ts";
export { ColorJitter, RandomAffine, RandomCrop, RandomRotation } from "./random_transforms.ts";
export type {
  ColorJitterOptions,
  RandomAffineOptions,
  RandomCropOptions,
} from "./random_transforms.ts";
export { resize } from "./resize.ts";
export type { Interpolation, ResizeOptions } from "./resize.ts";
export { Normalize, ToTensor } from "./to_tensor.ts";
export type { FloatImage } from "./to_tensor.ts";
export { CenterCrop, Grayscale, Pad, Resize } from "./transforms.ts";
export type { Transform } from "./transforms.ts";
export { accuracy, classificationScores, confusionMatrix, topKAccuracy } from "./metrics.ts";
export type { ClassificationScores, ClassOptions, ClassScores, Labels } from "./metrics.ts";
export { classificationReport, formatConfusionMatrix } from "./report.ts";
export type { ReportOptions } from "./report.ts";
export { bitsPerCharacter, bleu, perplexity } from "./text_metrics.ts";
export type { BleuOptions, BleuResult } from "./text_metrics.ts";
export { loadTensors, readSafetensors, saveTensors, writeSafetensors } from "./checkpoint.ts";
export { parseSafetensors, serializeSafetensors } from "./safetensors.ts";
export type { NamedArrays, ParseSafetensorsOptions, Safetensors } from "./safetensors.ts";
export { collate } from "./collate.ts";
export type { Collated } from "./collate.ts";
export { ConcatDataset, MapDataset, randomSplit, Subset, TensorDataset } from "./dataset.ts";
export { DataLoader } from "./loader.ts";
export type { DataLoaderOptions, LoaderState, LoaderWorkers } from "./loader.ts";
export { BucketBatchSampler, FixedBatchSampler, TrackBatchSampler } from "./batch_sampler.ts";
export type { BatchOptions, BatchSampler, BucketBatchOptions } from "./batch_sampler.ts";
export { RandomSampler, SequentialSampler, WeightedRandomSampler } from "./sampler.ts";
export type { RandomSamplerOptions, Sampler } from "./sampler.ts";
export { serveDataset } from "./workers.ts";
export { toHost, toTensor } from "./tensors.ts";
export type { Placed, ToTensorOptions } from "./tensors.ts";
export { trainBpe } from "./bpe_train.ts";
export type { TrainBpeOptions } from "./bpe_train.ts";
export { BpeTokenizer } from "./bpe_tokenizer.ts";
export { CharTokenizer } from "./char_tokenizer.ts";
export type { SplitName } from "./pre_tokenizer.ts";
export { TextStream } from "./tokenizer.ts";
export type { DecodeOptions, EncodeOptions, Tokenizer } from "./tokenizer.ts";
export { loadTokenizer, parseTokenizer, saveTokenizer } from "./tokenizer_file.ts";
export { loadSonnets, loadText, padSequences, splitTokens, TokenBlocks } from "./text.ts";
export type { PadSequencesOptions, TokenBlocksOptions } from "./text.ts";
export { BatchAugment } from "./batch_augment.ts";
export type { AugmentInput, BatchAugmentOptions } from "./batch_augment.ts";
export {
  adjustBrightnessBatch,
  adjustContrastBatch,
  normalizeBatch,
  resizeBatch,
  rotateBatch,
  rotationParameters,
} from "./device_transforms.ts";
export { WordTokenizer } from "./word_tokenizer.ts";
