/**
 * Tensors with automatic differentiation and compilation, on WebGPU or on the CPU, with PyTorch's
 * interface.
 *
 * Layers are in `@tensaurus/core/nn`, optimizers in `@tensaurus/core/optim`, data in
 * `@tensaurus/core/data`.
 *
 * @module
 */
export * from "./ops/mod.ts";
