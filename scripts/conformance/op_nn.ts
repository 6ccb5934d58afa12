/** Functions of neural networks. */
import * as T from "../../ops/mod.ts";
import { type Row, row } from "./parameters.ts";

const MAX_POOL = "input kernel_size stride padding dilation ceil_mode return_indices";
const AVG_POOL = "input kernel_size stride padding ceil_mode count_include_pad divisor_override";

function maxPool(f: typeof T.maxPool2dWithIndices): Row {
  return row(MAX_POOL, (p) => {
    const result = f(p.input, p.kernelSize, p);
    return p.returnIndices ? result : result.values;
  });
}

function pairLoss<O>(f: (a: T.Tensor, b: T.Tensor, options: O) => T.Tensor): Row {
  return row("input target", (p) => f(p.input, p.target, p as unknown as O));
}

function convolution(f: typeof T.conv2d): Row {
  return row(
    "input weight bias stride padding dilation groups",
    (p) => f(p.input, p.weight, p),
  );
}

function transposed(f: typeof T.convTranspose2d): Row {
  return row(
    "input weight bias stride padding output_padding groups dilation",
    (p) => f(p.input, p.weight, p),
  );
}

function interpolation(mode: T.InterpolationMode, alignCorners: boolean): Row {
  return row(
    "input size scale_factor",
    (p) => T.interpolate(p.input, { ...p, mode, alignCorners }),
  );
}

function functional(rows: Record<string, Row>): Record<string, Row> {
  return Object.fromEntries(
    Object.entries(rows).map(([name, value]) => [`nn.functional.${name}`, value]),
  );
}

/** Rows by PyTorch's name. */
export const NN_ROWS: Record<string, Row> = functional({
  max_pool1d: maxPool(T.maxPool1dWithIndices),
  max_pool2d: maxPool(T.maxPool2dWithIndices),
  max_pool3d: maxPool(T.maxPool3dWithIndices),
  avg_pool1d: row(AVG_POOL, (p) => T.avgPool1d(p.input, p.kernelSize, p)),
  avg_pool2d: row(AVG_POOL, (p) => T.avgPool2d(p.input, p.kernelSize, p)),
  avg_pool3d: row(AVG_POOL, (p) => T.avgPool3d(p.input, p.kernelSize, p)),
  adaptive_avg_pool1d: row("input output_size", (p) => T.adaptiveAvgPool1d(p.input, p.outputSize)),
  adaptive_avg_pool2d: row("input output_size", (p) => T.adaptiveAvgPool2d(p.input, p.outputSize)),
  adaptive_avg_pool3d: row("input output_size", (p) => T.adaptiveAvgPool3d(p.input, p.outputSize)),
  adaptive_max_pool2d: row("input output_size return_indices", (p) => {
    const result = T.adaptiveMaxPool2dWithIndices(p.input, p.outputSize);
    return p.returnIndices ? result : result.values;
  }),
  batch_norm: row(
    "input running_mean running_var weight bias",
    (p) => T.batchNorm(p.input, p.runningMean, p.runningVar, p),
  ),
  instance_norm: row("input", (p) => T.instanceNorm(p.input, p)),
  group_norm: row("input num_groups weight bias eps", (p) => T.groupNorm(p.input, p.numGroups, p)),
  layer_norm: row(
    "input normalized_shape weight bias eps",
    (p) => T.layerNorm(p.input, p.normalizedShape, p),
  ),
  rms_norm: row(
    "input normalized_shape weight eps",
    (p) => T.rmsNorm(p.input, p.normalizedShape, p),
  ),
  local_response_norm: row("input size", (p) => T.localResponseNorm(p.input, p.size, p)),
  normalize: row("input p dim eps", (p) => T.normalize(p.input, p)),
  bilinear: row(
    "input other weight bias",
    (p) => T.bilinear(p.input, p.other, p.weight, p.bias),
  ),
  binary_cross_entropy: pairLoss(T.binaryCrossEntropy),
  binary_cross_entropy_with_logits: pairLoss(T.binaryCrossEntropyWithLogits),
  cross_entropy: pairLoss(T.crossEntropy),
  nll_loss: pairLoss(T.nllLoss),
  mse_loss: pairLoss(T.mseLoss),
  l1_loss: pairLoss(T.l1Loss),
  smooth_l1_loss: pairLoss(T.smoothL1Loss),
  huber_loss: pairLoss(T.huberLoss),
  kl_div: pairLoss(T.klDiv),
  poisson_nll_loss: pairLoss(T.poissonNllLoss),
  hinge_embedding_loss: pairLoss(T.hingeEmbeddingLoss),
  soft_margin_loss: pairLoss(T.softMarginLoss),
  multilabel_soft_margin_loss: pairLoss(T.multilabelSoftMarginLoss),
  gaussian_nll_loss: row(
    "input target variance",
    (p) => T.gaussianNllLoss(p.input, p.target, p.variance, p as T.GaussianNllLossOptions),
  ),
  margin_ranking_loss: row(
    "input other target",
    (p) => T.marginRankingLoss(p.input, p.other, p.target, p as T.MarginLossOptions),
  ),
  cosine_embedding_loss: row(
    "input other target",
    (p) => T.cosineEmbeddingLoss(p.input, p.other, p.target, p as T.MarginLossOptions),
  ),
  triplet_margin_loss: row(
    "input other third",
    (p) => T.tripletMarginLoss(p.input, p.other, p.third, p as T.TripletMarginLossOptions),
  ),
  cosine_similarity: row("input other", (p) => T.cosineSimilarity(p.input, p.other, p)),
  pairwise_distance: row("input other", (p) => T.pairwiseDistance(p.input, p.other, p)),
  celu: row("input alpha", (p) => T.celu(p.input, p.alpha)),
  elu: row("input alpha", (p) => T.elu(p.input, p.alpha)),
  leaky_relu: row("input negative_slope", (p) => T.leakyRelu(p.input, p.negativeSlope)),
  prelu: row("input weight", (p) => T.prelu(p.input, p.weight)),
  hardshrink: row("input lambd", (p) => T.hardshrink(p.input, p.lambd)),
  softshrink: row("input lambd", (p) => T.softshrink(p.input, p.lambd)),
  hardtanh: row("input min_val max_val", (p) => T.hardtanh(p.input, p.minVal, p.maxVal)),
  threshold: row("input threshold value", (p) => T.threshold(p.input, p.threshold, p.value)),
  glu: row("input dim", (p) => T.glu(p.input, p.dim)),
  softmin: row("input dim", (p) => T.softmin(p.input, p.dim)),
  linear: row("input weight bias", (p) => T.linear(p.input, p.weight, p.bias)),
  embedding: row("weight index", (p) => T.embedding(p.index, p.weight, p as T.EmbeddingOptions)),
  conv1d: convolution(T.conv1d),
  conv2d: convolution(T.conv2d),
  conv3d: convolution(T.conv3d),
  conv_transpose1d: transposed(T.convTranspose1d),
  conv_transpose2d: transposed(T.convTranspose2d),
  conv_transpose3d: transposed(T.convTranspose3d),
  grid_sample: row(
    "input grid",
    (p) => T.gridSample(p.input, p.grid, p as unknown as T.GridSampleOptions),
  ),
  interpolate: row(
    "input size scale_factor mode align_corners",
    (p) => T.interpolate(p.input, p as unknown as T.InterpolateOptions),
  ),
  upsample_bilinear: interpolation("bilinear", true),
  upsample_nearest: interpolation("nearest", false),
  pad: row(
    "input padding mode value",
    (p) => T.pad(p.input, p.padding, p as unknown as T.PadOptions),
  ),
  pixel_shuffle: row("input factor", (p) => T.pixelShuffle(p.input, upscale(p))),
  pixel_unshuffle: row("input factor", (p) => T.pixelUnshuffle(p.input, upscale(p))),
  scaled_dot_product_attention: row(
    "query key value attn_mask dropout_p is_causal",
    (p) =>
      T.scaledDotProductAttention(
        p.query,
        p.key,
        p.value as unknown as T.Tensor,
        p as T.AttentionOptions,
      ),
  ),
  unfold: row(
    "input kernel_size dilation padding stride",
    (p) => T.unfoldImages(p.input, p.kernelSize, p),
  ),
});

function upscale(p: object): number {
  const { upscaleFactor, downscaleFactor } = p as {
    upscaleFactor?: number;
    downscaleFactor?: number;
  };
  return upscaleFactor ?? downscaleFactor!;
}
