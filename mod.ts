/**
 * Tensors with automatic differentiation and compilation, on WebGPU or on the CPU, with PyTorch's
 * interface.
 *
 * Layers are in `@tensaurus/core/nn`, optimizers in `@tensaurus/core/optim`, data in
 * `@tensaurus/core/data`; `nn`, `optim` and `F` (the functions behind the layers) are here as well.
 *
 * @module
 */
export * from "./ops/mod.ts";
export * as nn from "./nn/mod.ts";
export * as optim from "./optim/mod.ts";
export * as F from "./nn/functional.ts";
