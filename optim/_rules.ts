/** Parts that several update rules share. */
import type { Tensor } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";
import type { OptimizerSettings, Options, RuleInput } from "./optimizer.ts";

/** Refuses settings that an optimizer does not have: they would go unnoticed. */
export function checkSettings(optimizer: string, settings: object, known: object): void {
  if (typeof settings !== "object") {
    throw rangeError(optimizer, `settings are ${settings}, expected an object`, {}, "{ lr: 0.1 }");
  }
  const unknown = Object.keys(settings).find((name) => !(name in known));
  if (unknown === undefined) return;
  throw rangeError(optimizer, `no setting is called ${unknown}`, {}, Object.keys(known).join(", "));
}

/** Settings with defaults where they are absent or undefined. */
export function withDefaults<S extends OptimizerSettings>(
  optimizer: string,
  defaults: S,
  settings: Options<S>,
): S {
  checkSettings(optimizer, settings, defaults);
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}

/** Refuses settings below 0; of a list each. */
export function checkNotNegative<S>(
  optimizer: string,
  settings: S,
  names: readonly (keyof S & string)[],
): void {
  for (const [name, value] of valuesOf(settings, names)) {
    if (!(value >= 0)) throw rangeError(optimizer, `${name} ${value} is not at least 0`);
  }
}

/** Refuses decay rates outside [0, 1); of a list each. */
export function checkRates<S>(
  optimizer: string,
  settings: S,
  names: readonly (keyof S & string)[],
): void {
  for (const [name, value] of valuesOf(settings, names)) {
    if (value >= 0 && value < 1) continue;
    throw rangeError(optimizer, `${name} ${value} is not at least 0 and below 1`);
  }
}

/** Numbers by name: `eps`, `betas[0]`. */
function valuesOf<S>(settings: S, names: readonly (keyof S & string)[]): [string, number][] {
  return names.flatMap((name): [string, number][] => {
    const value = settings[name];
    if (!Array.isArray(value)) return [[name, value as number]];
    return value.map((item: number, i): [string, number] => [`${name}[${i}]`, item]);
  });
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

/** Parameters and gradient after the decay, which is part of one or of the other. */
export function afterDecay<
  S extends OptimizerSettings & {
    weightDecay: number;
    decoupledWeightDecay: boolean;
    maximize: boolean;
  },
>(x: RuleInput<S>): { p: Tensor; g: Tensor } {
  if (x.when((s) => s.decoupledWeightDecay)) return { p: shrunk(x), g: signed(x) };
  return { p: x.p, g: decayed(x, signed(x)) };
}

/** `old + share · (value − old)`. */
export function blend(old: Tensor, value: Tensor, share: Tensor | number): Tensor {
  return old.add(value.sub(old).mul(share));
}

/**
 * `beta · old + (1 − beta) · g²`, for averages by whose root the gradient is divided: unlike
 * {@linkcode blend} it keeps the digits of squares that are far below the old average.
 */
export function blendSquares<S extends OptimizerSettings>(
  x: RuleInput<S>,
  old: Tensor,
  g: Tensor,
  beta: (settings: S) => number,
): Tensor {
  return old.mul(x.scalar(beta)).add(g.square().mul(x.scalar((s) => 1 - beta(s))));
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
