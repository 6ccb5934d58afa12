/**
 * Public names of PyTorch, and the table that says which of them exist here.
 *
 * @module
 */

/** Names of one namespace of PyTorch. */
export interface NameGroup {
  /** The namespace. */
  title: string;
  /** The module that exports its counterpart. */
  entry: string;
  /** Names as PyTorch spells them. */
  names: readonly string[];
}

/** Names of one namespace beside what is exported. */
export interface CoverageGroup extends NameGroup {
  /** Names that the counterpart exports. */
  exported: ReadonlySet<string>;
}

/** What PyTorch 2 documents and a user of one machine meets. */
export const PYTORCH_NAMES: readonly NameGroup[] = [
  group(
    "torch",
    "mod.ts",
    `abs acos acosh add addmm all allclose amax amin any arange argmax argmin argsort asin asinh
    atan atan2 atanh baddbmm bernoulli bincount bitwise_and bitwise_not bitwise_or bitwise_xor bmm
    broadcast_to bucketize cat cdist ceil chunk clamp clone concat cos cosh count_nonzero cross
    cummax cummin cumprod cumsum deg2rad diag diag_embed diagonal diff div dot einsum empty
    empty_like eq erf erfc erfinv exp exp2 expm1 eye flatten flip floor floor_divide fmod frac full
    full_like gather ge gt histc hstack index_add index_copy index_select inner is_tensor isclose
    isfinite isinf isnan kthvalue le lerp lgamma linspace log log10 log1p log2 logaddexp logical_and
    logical_not logical_or logical_xor logit logspace logsumexp lt manual_seed masked_fill
    masked_select matmul max maximum mean median meshgrid min minimum mm movedim mul multinomial mv
    nan_to_num nanmean nansum narrow ne neg no_grad nonzero norm normal numel one_hot ones ones_like
    outer permute pow prod quantile rad2deg rand rand_like randint randn randn_like randperm
    reciprocal remainder repeat_interleave reshape roll rot90 round rsqrt scatter scatter_add
    scatter_reduce searchsorted select sigmoid sign sin sinc sinh softmax sort split sqrt square
    squeeze stack std std_mean sub sum take take_along_dim tan tanh tensor tensor_split tensordot
    tile topk trace transpose tril tril_indices triu triu_indices trunc unbind unfold unique
    unsqueeze var var_mean vstack where xlogy zeros zeros_like`,
  ),
  group(
    "torch.nn",
    "nn/mod.ts",
    `AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d AvgPool1d AvgPool2d
    AvgPool3d BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d BatchNorm3d Bilinear CELU CTCLoss
    ChannelShuffle ConstantPad1d ConstantPad2d Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d
    ConvTranspose3d CosineEmbeddingLoss CosineSimilarity CrossEntropyLoss Dropout Dropout1d
    Dropout2d ELU Embedding EmbeddingBag Flatten Fold GELU GLU GRU GRUCell GaussianNLLLoss GroupNorm
    Hardshrink Hardsigmoid Hardswish Hardtanh HingeEmbeddingLoss HuberLoss Identity InstanceNorm1d
    InstanceNorm2d KLDivLoss L1Loss LSTM LSTMCell LayerNorm LeakyReLU Linear LocalResponseNorm
    LogSigmoid LogSoftmax MSELoss MarginRankingLoss MaxPool1d MaxPool2d MaxPool3d Mish Module
    ModuleDict ModuleList MultiLabelSoftMarginLoss MultiMarginLoss MultiheadAttention NLLLoss PReLU
    PairwiseDistance Parameter ParameterDict ParameterList PixelShuffle PixelUnshuffle
    PoissonNLLLoss RMSNorm RNN RNNCell RReLU ReLU ReLU6 ReflectionPad1d ReflectionPad2d
    ReplicationPad1d ReplicationPad2d SELU Sequential SiLU Sigmoid SmoothL1Loss SoftMarginLoss
    Softmax Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold Transformer
    TransformerDecoder TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer
    TripletMarginLoss Unflatten Unfold Upsample ZeroPad2d`,
  ),
  group(
    "torch.nn.functional",
    "nn/mod.ts",
    `adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d affine_grid avg_pool1d avg_pool2d
    batch_norm bilinear binary_cross_entropy binary_cross_entropy_with_logits celu conv1d conv2d
    conv3d conv_transpose1d conv_transpose2d cosine_embedding_loss cosine_similarity cross_entropy
    ctc_loss dropout elu embedding fold gelu glu grid_sample group_norm gumbel_softmax hardsigmoid
    hardswish hardtanh huber_loss instance_norm interpolate kl_div l1_loss layer_norm leaky_relu
    linear local_response_norm log_softmax logsigmoid margin_ranking_loss max_pool1d max_pool2d mish
    mse_loss nll_loss normalize one_hot pad pixel_shuffle pixel_unshuffle prelu relu relu6 rms_norm
    scaled_dot_product_attention selu sigmoid silu smooth_l1_loss softmax softmin softplus softsign
    tanh tanhshrink triplet_margin_loss unfold`,
  ),
  group(
    "torch.optim",
    "optim/mod.ts",
    `ASGD Adadelta Adagrad Adam AdamW Adamax LBFGS NAdam RAdam RMSprop Rprop SGD`,
  ),
  group(
    "torch.optim.lr_scheduler",
    "optim/mod.ts",
    `ChainedScheduler ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR
    ExponentialLR LambdaLR LinearLR MultiStepLR MultiplicativeLR OneCycleLR PolynomialLR
    ReduceLROnPlateau SequentialLR StepLR`,
  ),
  group(
    "torch.utils.data, torchvision.transforms",
    "data/mod.ts",
    `BatchSampler DataLoader Dataset RandomSampler Sampler SequentialSampler Subset TensorDataset
    WeightedRandomSampler random_split CenterCrop ColorJitter Compose GaussianBlur Grayscale
    Normalize Pad RandomAffine RandomCrop RandomErasing RandomHorizontalFlip RandomResizedCrop
    RandomRotation RandomVerticalFlip Resize ToTensor`,
  ),
];

/**
 * A name as this package spells it.
 *
 * @param name PyTorch's name.
 * @returns Classes as they are, functions in camelCase.
 */
export function spelledHere(name: string): string {
  if (/^[A-Z]/.test(name)) return name;
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * The table of covered names.
 *
 * @param groups Names beside exports.
 * @returns Markdown.
 */
export function coverageTable(groups: readonly CoverageGroup[]): string {
  const lines = ["# PyTorch coverage", "", "Made by `deno task docs` from the exports.", ""];
  for (const { title, names, exported } of groups) {
    const isThere = (name: string): boolean => exported.has(spelledHere(name));
    const covered = names.filter(isThere);
    const missing = names.filter((name) => !isThere(name));
    const percent = Math.floor(100 * covered.length / names.length);
    lines.push(`## ${title}: ${covered.length} of ${names.length} (${percent} %)`, "");
    lines.push("| | |", "|---|---|", `| here | ${code(covered.map(spelledHere))} |`);
    lines.push(`| not here | ${code(missing)} |`, "");
  }
  return lines.join("\n");
}

function group(title: string, entry: string, names: string): NameGroup {
  return { title, entry, names: names.trim().split(/\s+/) };
}

function code(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(" ");
}
