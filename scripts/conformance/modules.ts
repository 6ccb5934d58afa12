/** Runs cases of modules: results, gradients, running statistics. */
import { type DeviceName, Tensor } from "../../ops/mod.ts";
import { isFloat } from "../../ops/ir/dtype.ts";
import * as nn from "../../nn/mod.ts";
import {
  type Case,
  type CaseFile,
  decode,
  decodeTensor,
  type EncodedTensor,
  isEncodedTensor,
  type Outcome,
  tensorsIn,
} from "./cases.ts";
import { Comparison } from "./compare.ts";
import { parametersOf } from "./parameters.ts";

/**
 * PyTorch's constructor parameters in order; those before `|` stay positional here, the others go
 * into the options.
 */
const CONSTRUCTORS: Record<string, string> = {
  AdaptiveAvgPool1d: "output_size |",
  AdaptiveAvgPool2d: "output_size |",
  AdaptiveAvgPool3d: "output_size |",
  AdaptiveMaxPool1d: "output_size | return_indices",
  AdaptiveMaxPool2d: "output_size | return_indices",
  AdaptiveMaxPool3d: "output_size | return_indices",
  AvgPool1d: "kernel_size | stride padding ceil_mode count_include_pad",
  AvgPool2d: "kernel_size | stride padding ceil_mode count_include_pad divisor_override",
  AvgPool3d: "kernel_size | stride padding ceil_mode count_include_pad divisor_override",
  LPPool1d: "norm_type kernel_size | stride ceil_mode",
  LPPool2d: "norm_type kernel_size | stride ceil_mode",
  LPPool3d: "norm_type kernel_size | stride ceil_mode",
  MaxPool1d: "kernel_size | stride padding dilation return_indices ceil_mode",
  MaxPool2d: "kernel_size | stride padding dilation return_indices ceil_mode",
  MaxPool3d: "kernel_size | stride padding dilation return_indices ceil_mode",
  BatchNorm1d: "num_features | eps momentum affine track_running_stats",
  BatchNorm2d: "num_features | eps momentum affine track_running_stats",
  BatchNorm3d: "num_features | eps momentum affine track_running_stats",
  InstanceNorm1d: "num_features | eps momentum affine track_running_stats",
  InstanceNorm2d: "num_features | eps momentum affine track_running_stats",
  InstanceNorm3d: "num_features | eps momentum affine track_running_stats",
  GroupNorm: "num_groups num_channels | eps affine",
  LayerNorm: "normalized_shape | eps elementwise_affine bias",
  RMSNorm: "normalized_shape | eps elementwise_affine",
  LocalResponseNorm: "size | alpha beta k",
  Linear: "in_features out_features | bias",
  Bilinear: "in1_features in2_features out_features | bias",
  Conv1d: "in_channels out_channels kernel_size | stride padding dilation groups bias padding_mode",
  Conv2d: "in_channels out_channels kernel_size | stride padding dilation groups bias padding_mode",
  Conv3d: "in_channels out_channels kernel_size | stride padding dilation groups bias padding_mode",
  ConvTranspose1d:
    "in_channels out_channels kernel_size | stride padding output_padding groups bias dilation",
  ConvTranspose2d:
    "in_channels out_channels kernel_size | stride padding output_padding groups bias dilation",
  ConvTranspose3d:
    "in_channels out_channels kernel_size | stride padding output_padding groups bias dilation",
  Embedding: "num_embeddings embedding_dim | padding_idx max_norm norm_type scale_grad_by_freq",
  EmbeddingBag:
    "num_embeddings embedding_dim | max_norm norm_type scale_grad_by_freq mode _ _ include_last_offset padding_idx",
  CELU: "| alpha",
  ELU: "| alpha",
  GELU: "| approximate",
  GLU: "dim |",
  Hardshrink: "lambd |",
  Hardtanh: "| min_val max_val",
  LeakyReLU: "negative_slope |",
  LogSoftmax: "dim |",
  Softmax: "dim |",
  Softmin: "dim |",
  PReLU: "num_parameters | init",
  Softplus: "| beta threshold",
  Softshrink: "lambd |",
  Threshold: "threshold value |",
  ConstantPad1d: "padding value |",
  ConstantPad2d: "padding value |",
  ConstantPad3d: "padding value |",
  ZeroPad1d: "padding |",
  ZeroPad2d: "padding |",
  ZeroPad3d: "padding |",
  ReflectionPad1d: "padding |",
  ReflectionPad2d: "padding |",
  ReflectionPad3d: "padding |",
  ReplicationPad1d: "padding |",
  ReplicationPad2d: "padding |",
  ReplicationPad3d: "padding |",
  CircularPad1d: "padding |",
  CircularPad2d: "padding |",
  CircularPad3d: "padding |",
  Upsample: "| size scale_factor mode align_corners recompute_scale_factor",
  PixelShuffle: "factor |",
  PixelUnshuffle: "factor |",
  Unfold: "kernel_size | dilation padding stride",
  Fold: "output_size kernel_size | dilation padding stride",
  CosineSimilarity: "| dim eps",
  PairwiseDistance: "| p eps keepdim",
  BCELoss: "| weight _ _ reduction",
  BCEWithLogitsLoss: "| weight _ _ reduction pos_weight",
  CTCLoss: "| blank reduction zero_infinity",
  CosineEmbeddingLoss: "| margin _ _ reduction",
  CrossEntropyLoss: "| weight _ ignore_index _ reduction label_smoothing",
  GaussianNLLLoss: "| full eps reduction",
  HingeEmbeddingLoss: "| margin _ _ reduction",
  HuberLoss: "| reduction delta",
  KLDivLoss: "| _ _ reduction log_target",
  L1Loss: "| _ _ reduction",
  MSELoss: "| _ _ reduction",
  MarginRankingLoss: "| margin _ _ reduction",
  MultiLabelSoftMarginLoss: "| weight _ _ reduction",
  MultiMarginLoss: "| p margin weight _ _ reduction",
  NLLLoss: "| weight _ ignore_index _ reduction",
  PoissonNLLLoss: "| log_input full _ eps _ reduction",
  SmoothL1Loss: "| _ _ reduction beta",
  SoftMarginLoss: "| _ _ reduction",
  TripletMarginLoss: "| margin p eps swap _ _ reduction",
  RNNCell: "input_size hidden_size | bias nonlinearity",
  GRUCell: "input_size hidden_size | bias",
  LSTMCell: "input_size hidden_size | bias",
  RNN:
    "input_size hidden_size | num_layers nonlinearity bias batch_first dropout bidirectional proj_size",
  GRU: "input_size hidden_size | num_layers bias batch_first dropout bidirectional proj_size",
  LSTM: "input_size hidden_size | num_layers bias batch_first dropout bidirectional proj_size",
  MultiheadAttention:
    "embed_dim num_heads | dropout bias add_bias_kv add_zero_attn kdim vdim batch_first",
  TransformerEncoderLayer:
    "d_model nhead | dim_feedforward dropout activation layer_norm_eps batch_first norm_first bias",
  TransformerDecoderLayer:
    "d_model nhead | dim_feedforward dropout activation layer_norm_eps batch_first norm_first bias",
  Transformer:
    "| d_model nhead num_encoder_layers num_decoder_layers dim_feedforward dropout activation custom_encoder custom_decoder layer_norm_eps batch_first norm_first bias",
};

/** Parameters of `forward` in PyTorch's order, where some go into the options here. */
const FORWARDS: Record<string, string> = {
  Linear: "input |",
  EmbeddingBag: "input | offsets per_sample_weights",
  MultiheadAttention:
    "query key value | key_padding_mask need_weights attn_mask average_attn_weights is_causal",
  TransformerEncoderLayer: "src | src_mask src_key_padding_mask is_causal",
  TransformerDecoderLayer:
    "tgt memory | tgt_mask memory_mask tgt_key_padding_mask memory_key_padding_mask tgt_is_causal memory_is_causal",
  Transformer:
    "src tgt | src_mask tgt_mask memory_mask src_key_padding_mask tgt_key_padding_mask memory_key_padding_mask src_is_causal tgt_is_causal memory_is_causal",
};

type Kwargs = Readonly<Record<string, unknown>>;
type AnyModule = nn.Module & {
  forward(...inputs: unknown[]): unknown;
  forwardWithIndices?(x: unknown): unknown;
};

/** Arguments as this library takes them: positional ones, then options if there are any. */
function argumentsOf(signature: string, args: readonly unknown[], kwargs: Kwargs): unknown[] {
  const [positional, rest] = signature.split("|").map((part) => part.trim()) as [string, string];
  const names = [positional, rest].filter((part) => part).join(" ");
  const given = { ...parametersOf(names, args, kwargs) } as Record<string, unknown>;
  delete given["_"];
  const list = positional.split(" ").filter((name) => name).map((name) => {
    const key = name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
    const value = given[key];
    delete given[key];
    return value;
  });
  while (list.length && list.at(-1) === undefined) list.pop();
  return Object.keys(given).length ? [...list, given] : list;
}

function build(name: string, test: Case): { module: AnyModule; indices: boolean } {
  const kind = (nn as unknown as Record<string, new (...args: unknown[]) => AnyModule>)[name];
  if (!kind) throw new Error(`no module "${name}"`);
  const kwargs = decode(test.ctorKwargs) as Record<string, unknown>;
  const args = decode(test.ctorArgs) as unknown[];
  const signature = CONSTRUCTORS[name] ?? "|";
  const list = argumentsOf(signature, args, kwargs);
  const options = list.at(-1) as { returnIndices?: boolean; momentum?: number | null } | undefined;
  const indices = options?.returnIndices ?? false;
  // None is a value of its own here.
  const at = signature.replace(/^.*\|/, "").trim().split(" ").indexOf("momentum");
  const none = at >= 0 && (args[at + 1] === null || kwargs.momentum === null);
  if (none) options!.momentum = null;
  const module = new kind(...list);
  module.train(Boolean(test.training));
  return { module, indices };
}

function stateOf(encoded: unknown): Record<string, Tensor> {
  const entries = Object.entries(encoded as Record<string, EncodedTensor>);
  return Object.fromEntries(entries.map(([key, value]) => [key, decodeTensor(value)]));
}

function call(name: string, module: AnyModule, test: Case, indices: boolean): {
  output: unknown;
  inputs: Tensor[];
} {
  const args = decode(test.args) as unknown[];
  const kwargs = decode(test.kwargs) as Kwargs;
  const inputs = tensorsIn([args, kwargs]);
  const encoded = JSON.stringify(test.grads ?? []) !== "[]";
  if (encoded) { for (const x of inputs) if (isFloat(x.dtype)) x.setRequiresGrad(); }
  const list = argumentsOf(FORWARDS[name] ?? "input input2 input3 input4 |", args, kwargs);
  if (indices) return { output: module.forwardWithIndices!(list[0]), inputs };
  return { output: module.forward(...list), inputs };
}

function differentiate(outputs: readonly Tensor[], seeds: readonly Tensor[]): void {
  const pairs = outputs.filter((y) => isFloat(y.dtype)).map((y, i) => [y, seeds[i]] as const)
    .filter(([y, seed]) => seed !== undefined && y.requiresGrad);
  const total = pairs.map(([y, seed]) => y.mul(seed!).sum());
  if (total.length) total.reduce((a, b) => a.add(b)).backward();
}

/** Compares outputs that may be nested as PyTorch's are. */
async function compareOutputs(
  comparison: Comparison,
  got: unknown,
  wanted: unknown,
): Promise<void> {
  if (isEncodedTensor(wanted)) {
    await comparison.value("output", got instanceof Tensor ? got : tensorsIn(got)[0], wanted);
    return;
  }
  const list: unknown[] = [];
  function flatten(x: unknown): void {
    if (isEncodedTensor(x)) list.push(x);
    else if (Array.isArray(x)) x.forEach(flatten);
  }
  flatten(wanted);
  const tensors = tensorsIn(got);
  for (const [i, value] of list.entries()) {
    await comparison.value(`output ${i}`, tensors[i], value);
  }
}

/** Runs one case. */
export async function run(file: CaseFile, index: number, _device: DeviceName): Promise<Outcome> {
  const name = file.name.replace(/^module\./, "");
  const test = file.cases[index]!;
  const { module, indices } = build(name, test);
  module.loadStateDict(stateOf(test.state));
  const { output, inputs } = call(name, module, test, indices);
  const comparison = new Comparison(file.name);
  await compareOutputs(comparison, output, test.out);
  const seeds = (test.gradOut as (EncodedTensor | null)[] | undefined ?? [])
    .flatMap((value) => value ? [decodeTensor(value)] : []);
  differentiate(tensorsIn(output), seeds);
  for (const [i, wanted] of (test.grads as unknown[] | undefined ?? []).entries()) {
    if (!isEncodedTensor(wanted)) continue;
    const x = inputs[i];
    const grad = x?.grad ?? (x && x.mul(0));
    await comparison.value(`gradient of input ${i}`, grad, wanted);
  }
  const parameters = new Map(module.namedParameters());
  for (const [key, wanted] of Object.entries(test.paramGrads as Kwargs ?? {})) {
    if (!isEncodedTensor(wanted)) continue;
    await comparison.value(`gradient of ${key}`, parameters.get(key)?.grad, wanted);
  }
  const after = module.stateDict();
  for (const [key, wanted] of Object.entries(test.stateAfter as Kwargs ?? {})) {
    await comparison.value(`${key} afterwards`, after[key], wanted);
  }
  return comparison.outcome;
}
