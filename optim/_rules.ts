/** Parts that several update rules share. */
import type { Tensor } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";
import type { OptimizerSettings, Options, RuleInput } from "./optimizer.ts";

/** Settings with defaults where they are absent or undefined. */
export function withDefaults<S extends OptimizerSettings>(
  defaults: S,
  settings: Options<S>,
): S {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}

/** Refuses a negative setting. */
export function checkSetting(optimizer: string, name: string, value: number): void {
  if (!(value >= 0)) throw rangeError(optimizer, `${name} ${value} is not at least 0`);
}

/** Refuses a decay rate outside [0, 1). */
export function checkBeta(optimizer: string, name: string, value: number): void {
  if (!(value >= 0 && value < 1)) {
    throw rangeError(optimizer, `${name} ${value} is not at least 0 and below 1`);
  }
}

/** The gradient, turned around where the optimizer goes up. */
export function signed<S extends OptimizerSettings & { maximize: boolean }>(
  x: RuleInput<S>,
): Tensor {
  return x.when((s) => s.maximize) ? x.g.neg() : x.g;
}

/** The gradient with the derivative of an L2 penalty. */
export function decayed<S extends OptimizerSettings & { weightDecay: number }>(
  x: RuleInput<S>,
  g: Tensor,
): Tensor {
  if (!x.when((s) => s.weightDecay !== 0)) return g;
  return g.add(x.p.mul(x.scalar((s) => s.weightDecay)));
}

/** Parameters shrunk by `lr · weightDecay`, apart from the gradient (Loshchilov and Hutter 2019). */
export function shrunk<S extends OptimizerSettings & { weightDecay: number }>(
  x: RuleInput<S>,
): Tensor {
  if (!x.when((s) => s.weightDecay !== 0)) return x.p;
  return x.p.mul(x.scalar((s) => 1 - s.lr * s.weightDecay));
}

/** `old + share · (value − old)`. */
export function blend(old: Tensor, value: Tensor, share: Tensor | number): Tensor {
  return old.add(value.sub(old).mul(share));
}

/** `1 − beta^step`, accurate for beta near 1. */
export function biasCorrection<S extends OptimizerSettings>(
  x: RuleInput<S>,
  step: Tensor,
  beta: (settings: S) => number,
): Tensor {
  // At beta = 0 the logarithm is −∞; −200 gives a correction of exactly 1 in float32.
  return step.mul(x.scalar((s) => Math.max(-200, Math.log(beta(s))))).expm1().neg();
}
