/**
 * Layers, losses as modules, initial values, and the functions behind them, like `torch.nn`.
 *
 * @module
 */
export * from "./module.ts";
export type { LoadReport, LoadStateDictOptions, StateDict, StateSource } from "./state.ts";
export * from "./parameter.ts";
export * from "./containers.ts";
export * from "./summary.ts";
export * from "./linear.ts";
export * from "./convolution_base.ts";
export * from "./convolution.ts";
export * from "./convolution_transpose.ts";
export * from "./pooling.ts";
export * from "./pooling_adaptive.ts";
export * from "./pooling_unpool.ts";
export * from "./pooling_norm.ts";
export * from "./padding_base.ts";
export * from "./padding.ts";
export * from "./padding_modes.ts";
export * from "./normalization.ts";
export * from "./normalization_instance.ts";
export * from "./normalization_layer.ts";
export * from "./activation.ts";
export * from "./activation_smooth.ts";
export * from "./activation_limits.ts";
export * from "./dropout.ts";
export * from "./embedding.ts";
export * from "./embedding_bag.ts";
export * from "./vision.ts";
export * from "./distance.ts";
export * from "./loss.ts";
export * from "./loss_labels.ts";
export * from "./loss_pairs.ts";
export * from "./ctc.ts";
export * from "./recurrent_base.ts";
export * from "./recurrent.ts";
export * from "./recurrent_cells.ts";
export * from "./attention.ts";
export * from "./transformer_layers.ts";
export * from "./transformer.ts";
export * from "./positional.ts";
export * from "./rotary.ts";
export type * from "./rotary_scaling.ts";
export * as init from "./init.ts";
export * as functional from "./functional.ts";
