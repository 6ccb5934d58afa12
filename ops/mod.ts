/**
 * Tensors, automatic differentiation and compilation.
 *
 * @module
 */
export * from "./tensor.ts";
export type { BackwardOptions } from "./autograd.ts";
export { grad, type GradOptions } from "./grad.ts";
export { enableGrad, isGradEnabled, noGrad } from "./grad_mode.ts";
export { TensorBase, type View } from "./base.ts";
export { DeviceError, DtypeError, type Facts, ShapeError } from "./check.ts";
export type { TensorOrNumber } from "./define.ts";
export { type DeviceOptions, type DeviceRequest, getDevice, setDevice } from "./compile/devices.ts";
export { setDetectAnomaly } from "./anomaly.ts";
export {
  arange,
  eye,
  full,
  fullLike,
  linspace,
  type NestedArray,
  ones,
  onesLike,
  tensor,
  type TensorData,
  type TensorOptions,
  zeros,
  zerosLike,
} from "./create.ts";
export * from "./elementwise.ts";
export * from "./arithmetic.ts";
export * from "./power.ts";
export * from "./choice.ts";
export * from "./comparison.ts";
export * from "./math.ts";
export * from "./trigonometry.ts";
export * from "./rounding.ts";
export * from "./view.ts";
export * from "./slice.ts";
export * from "./arrange.ts";
export * from "./reduce.ts";
export * from "./extremum.ts";
export * from "./reduce_methods.ts";
export * from "./softmax.ts";
export * from "./contract.ts";
export * from "./einsum.ts";
export * from "./convolution.ts";
export * from "./index.ts";
export * from "./index_select.ts";
export * from "./join.ts";
export * from "./index_put.ts";
export * from "./sort.ts";
export {
  bernoulli,
  Generator,
  getRandomState,
  manualSeed,
  multinomial,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  RandomMethods,
  type RandomOptions,
  type RandomState,
  randperm,
  setRandomState,
  uniformRandom,
} from "./random.ts";
export { dropout, type DropoutOptions } from "./dropout.ts";
export * from "./activation.ts";
export * from "./pool.ts";
export * from "./norm.ts";
export * from "./normalize.ts";
export * from "./loss.ts";
export * from "./loss_pairs.ts";
export * from "./ctc.ts";
export { type AttentionOptions, scaledDotProductAttention } from "./attention.ts";
export * from "./resample.ts";
export * from "./patches.ts";
export * from "./grid.ts";
export * from "./products.ts";
export * from "./gamma.ts";
export * from "./dynamic.ts";
export * from "./linalg.ts";
export * from "./factors.ts";
export * from "./pinv.ts";
export * from "./gradcheck.ts";
export type { WindowOptions } from "./windows.ts";
export type { DType, TypedArray } from "./ir/dtype.ts";
export type { DeviceName } from "./backends/backend.ts";
export { compile, type CompiledFunction, type CompileOptions } from "./compiled.ts";
export { hostScalar } from "./host_scalar.ts";
export * from "./memory.ts";
export { gruSequence } from "./gru.ts";
export { lstmSequence } from "./lstm.ts";
export { rnnSequence } from "./rnn.ts";
