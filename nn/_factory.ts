/** Making parameters with PyTorch's initial distributions. */
import { full, randn, uniformRandom } from "../ops/mod.ts";
import type { FactoryOptions } from "./module.ts";
import { Parameter } from "./parameter.ts";

function place({ dtype, device }: FactoryOptions): FactoryOptions {
  return { dtype, device };
}

/** Uniform numbers within ±`bound`. */
export function uniformParameter(
  shape: readonly number[],
  bound: number,
  options: FactoryOptions,
): Parameter {
  return new Parameter(uniformRandom(shape, -bound, bound, place(options)));
}

/** Standard normal numbers. */
export function normalParameter(shape: readonly number[], options: FactoryOptions): Parameter {
  return new Parameter(randn(shape, place(options)));
}

/** One value everywhere. */
export function constantParameter(
  shape: readonly number[],
  value: number,
  options: FactoryOptions,
): Parameter {
  return new Parameter(full(shape, value, place(options)));
}

/** `1 / √fan`, PyTorch's bound for weights and biases of linear maps (Kaiming with slope √5). */
export function fanBound(fanIn: number): number {
  return fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
}
