/** Gradients as values. */
import { type BackwardOptions, type GradientNode, propagate, rootGradient } from "./autograd.ts";
import { core } from "./base.ts";
import { stateError } from "./check.ts";
import { withGradMode } from "./grad_mode.ts";
import type { Tensor } from "./tensor.ts";

/** Options of `grad`. */
export interface GradOptions extends BackwardOptions {
  /** Give `undefined` for inputs that the output does not depend on, instead of an error. @default false */
  allowUnused?: boolean | undefined;
}

/**
 * Gradients of `output` with respect to `inputs`, without touching `.grad`; like
 * `torch.autograd.grad`.
 *
 * @param output What to differentiate.
 * @param inputs With respect to what.
 * @param options Gradient of the output, retained graph, recorded graph.
 * @returns One gradient per input.
 * @throws {Error} If an input was not used and `allowUnused` is false.
 *
 * @example Second derivative of x³
 * ```ts
 * import { grad, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const x = tensor(2, { requiresGrad: true });
 * const [dx] = grad(x.pow(3), [x], { createGraph: true });
 * const [ddx] = grad(dx!, [x]);
 * assertEquals(await ddx!.item(), 12);
 * ```
 */
export function grad(
  output: Tensor,
  inputs: readonly Tensor[],
  options: GradOptions = {},
): (Tensor | undefined)[] {
  const { createGraph = false, retainGraph = createGraph, allowUnused = false } = options;
  const seed = rootGradient("grad", output, options.gradient);
  const results: (Tensor | undefined)[] = inputs.map(() => undefined);
  const leaves = new Map<Tensor, number>();
  const watched = new Map<GradientNode, Map<number, number>>();
  for (const [i, input] of inputs.entries()) {
    if (!input.gradientNode) {
      leaves.set(input, i);
      continue;
    }
    const outputs = watched.get(input.gradientNode) ?? new Map<number, number>();
    outputs.set(input.outputIndex, i);
    watched.set(input.gradientNode, outputs);
  }
  withGradMode("grad", createGraph, () => {
    propagate(output, seed, watched, (leaf, gradient) => {
      const at = typeof leaf === "number" ? leaf : leaves.get(leaf);
      if (at === undefined) return;
      const before = results[at];
      results[at] = before && typeof leaf !== "number" ? core().add(before, gradient) : gradient;
    }, retainGraph);
  });
  const missing = results.findIndex((r) => r === undefined);
  if (missing >= 0 && !allowUnused) {
    throw stateError(
      "grad",
      `the output does not depend on input ${missing}`,
      "use { allowUnused: true } to get undefined for it",
    );
  }
  return results;
}
