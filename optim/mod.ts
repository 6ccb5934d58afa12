/**
 * Optimizers, learning-rate schedulers, gradient clipping and averages of weights, like
 * `torch.optim`.
 *
 * @module
 */
export * from "./optimizer.ts";
export * from "./sgd.ts";
export * from "./adam.ts";
export * from "./adam_variants.ts";
export * from "./adaptive.ts";
export * from "./rprop.ts";
export * from "./muon.ts";
export * from "./adafactor.ts";
export * from "./lbfgs.ts";
export {
  ExponentialLR,
  LambdaLR,
  type LrFunction,
  LRScheduler,
  MultiplicativeLR,
  MultiStepLR,
  type ScheduledOptimizer,
  type SchedulerState,
  StepLR,
} from "./schedulers.ts";
export * from "./ramps.ts";
export * from "./cosine.ts";
export * from "./cycles.ts";
export * from "./composed.ts";
export * from "./clip.ts";
export * from "./ema.ts";
