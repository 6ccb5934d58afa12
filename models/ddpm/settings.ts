/**
 * Help texts and ranges of the settings of models/ddpm.ts, whose defaults stand there.
 *
 * @module
 */
import { PREDICTIONS, VARIANCES } from "./diffusion.ts";
import { DATA_SETS, SPLITS } from "./images.ts";
import { SAMPLERS } from "./sampler_rows.ts";
import { THRESHOLDS } from "./samplers.ts";
import { SCHEDULES } from "./schedule.ts";

/** Settings that the weights depend on. */
export const FIXED = [
  "imageSize",
  "channels",
  "schedule",
  "diffusionSteps",
  "zeroTerminalSnr",
  "prediction",
  "variance",
  "width",
  "multipliers",
  "blocks",
  "attention",
  "heads",
  "groups",
  "textWidth",
  "textLayers",
  "textHeads",
] as const;

/** One sentence for each setting. */
export const describe = {
  data: "Images to learn from",
  dataFolder: "Folder with IDX files or images; empty takes MNIST from its package",
  emnistSplit: "Split of EMNIST",
  images: "Images that are used, from the first on; 0 for all",
  imageSize: "Side of the images",
  channels: "1 gray, 3 colours",
  schedule: "Noise schedule",
  diffusionSteps: "Steps T of the process",
  zeroTerminalSnr: "Let the last step be pure noise",
  prediction: "What the network predicts",
  variance: "Variance of ancestral sampling",
  minSnr: "Limit of the signal-to-noise ratio in the weight of the loss; 0 weighs all alike",
  width: "Channels of the first level of the U-Net",
  multipliers: "Channels of its levels, as multiples of the width",
  blocks: "Residual blocks per level",
  attention: "Sides of the feature maps that have attention",
  heads: "Heads of the attention",
  groups: "Groups of the normalizations",
  dropout: "Probability of dropping a value in a residual block",
  textWidth: "Width of the prompt encoder",
  textLayers: "Its layers",
  textHeads: "Heads of its attention",
  conditionDropout: "Share of images that are trained without their prompt",
  steps: "Training steps; for the other commands denoising steps",
  warmup: "Steps in which the learning rate rises; then it falls as a cosine",
  weightDecay: "Decay of the weights per step, as a fraction of the learning rate",
  clip: "Largest norm of the gradient",
  ema: "Decay of the averaged weights, which are sampled and saved",
  sampler: "Sampler",
  sampleSteps: "Denoising steps",
  eta: "Noise of ddim: 0 none, 1 as much as ddpm",
  guidance: "Weight of the prompt: 1 the prompt alone, 0 no prompt, above 1 more than the prompt",
  threshold: "What becomes of predicted images that leave the range of pixels",
  percentile: "Percentile of the dynamic threshold",
  resamples: "Times that each step is done when inpainting",
  prompt: "What to paint; empty for anything",
  negative: "What to stay away from",
  from: "Prompt at the start of an interpolation",
  to: "Prompt at its end",
  mask: "Picture whose white part is painted anew",
  count: "Number of images",
  animate: "Write the denoising as an animated PNG, too",
  classifier: 'Run of models/cnn.ts that judges the samples; "last" is the newest',
  evalSamples: "Samples that are judged",
  evalImages: "Test images that they are compared with",
  bpdImages: "Test images for bits per dimension; 0 leaves it out",
  bpdTerms: "Terms of the bound that are computed",
} as const;

/** What each may be. */
export const limits = {
  data: DATA_SETS,
  emnistSplit: SPLITS,
  images: { min: 0, integer: true },
  imageSize: { min: 4, integer: true },
  channels: { min: 1, max: 3, integer: true },
  schedule: SCHEDULES,
  diffusionSteps: { min: 1, integer: true },
  prediction: PREDICTIONS,
  variance: VARIANCES,
  minSnr: { min: 0 },
  dropout: { min: 0, max: 0.999 },
  conditionDropout: { min: 0, max: 1 },
  warmup: { min: 0, integer: true },
  weightDecay: { min: 0 },
  clip: { min: 0 },
  ema: { min: 0, max: 1 },
  sampler: SAMPLERS,
  sampleSteps: { min: 1, integer: true },
  eta: { min: 0, max: 1 },
  threshold: THRESHOLDS,
  percentile: { min: 0, max: 1 },
  resamples: { min: 1, integer: true },
  count: { min: 1, integer: true },
  evalSamples: { min: 2, integer: true },
  evalImages: { min: 2, integer: true },
  bpdImages: { min: 0, integer: true },
  bpdTerms: { min: 1, integer: true },
} as const;
