/** Comparing gradients with finite differences. */
import { grad } from "./grad.ts";
import { stateError } from "./check.ts";
import { fromValues } from "./host_values.ts";
import { isFloat } from "./ir/dtype.ts";
import { randnLike } from "./random.ts";
import { sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";

/** Options of `gradcheck` and `gradgradcheck`. */
export interface GradcheckOptions {
  /** Step of the differences. @default 1e-6 */
  eps?: number | undefined;
  /** Absolute tolerance. @default 1e-5 */
  atol?: number | undefined;
  /** Relative tolerance. @default 1e-3 */
  rtol?: number | undefined;
}

/** A function of tensors whose gradient is checked. */
export type CheckedFunction = (...inputs: Tensor[]) => Tensor;

/** A number that depends on every element of the output: their sum, randomly weighted. */
function weighted(f: CheckedFunction, weights: { of?: Tensor }): CheckedFunction {
  return (...inputs) => {
    const y = f(...inputs);
    weights.of ??= randnLike(y, { requiresGrad: false });
    return sum(y.mul(weights.of));
  };
}

/** Slopes of a number-valued function along each element of input `at`. */
async function slopes(
  f: CheckedFunction,
  inputs: readonly Tensor[],
  at: number,
  eps: number,
): Promise<number[]> {
  const x = inputs[at]!;
  const values = Float64Array.from(await x.detach().data());
  const probe = async (i: number, step: number): Promise<number> => {
    const moved = values.slice();
    moved[i]! += step;
    const changed = fromValues(moved, x.shape, x.dtype, x.storage.backend).setRequiresGrad(true);
    return await f(...inputs.map((input, j) => j === at ? changed : input)).item();
  };
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    found.push((await probe(i, eps) - await probe(i, -eps)) / (2 * eps));
  }
  return found;
}

async function compareGradients(
  op: string,
  f: CheckedFunction,
  inputs: readonly Tensor[],
  options: GradcheckOptions,
): Promise<void> {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = options;
  const watched = inputs.filter((x) => x.requiresGrad);
  const value = f(...inputs);
  const grads = value.requiresGrad
    ? grad(value, watched, { allowUnused: true })
    : watched.map(() => undefined);
  for (const [k, x] of watched.entries()) {
    const at = inputs.indexOf(x);
    const got = grads[k] ? await grads[k].data() : new Float64Array(x.numel);
    for (const [i, wanted] of (await slopes(f, inputs, at, eps)).entries()) {
      if (Math.abs(got[i]! - wanted) <= atol + rtol * Math.abs(wanted)) continue;
      throw stateError(
        op,
        `gradient of input ${at} at element ${i} is ${got[i]}, differences give ${wanted}`,
      );
    }
  }
}

function requirePrecision(op: string, inputs: readonly Tensor[]): void {
  const loose = inputs.find((x) => isFloat(x.dtype) && x.requiresGrad && x.dtype !== "float64");
  if (loose) {
    throw stateError(
      op,
      `differences of dtype ${loose.dtype} are too coarse`,
      'use dtype float64 on the device "cpu" or "reference"',
    );
  }
}

/**
 * Compares the gradients of a function with finite differences, like `torch.autograd.gradcheck`.
 *
 * @param f Function of tensors.
 * @param inputs Points to check at; those that require a gradient are checked, and are float64.
 * @param options Step and tolerances.
 * @throws {Error} If a gradient differs; the message names the input, the element and both values.
 *
 * @example
 * ```ts
 * import { gradcheck, tensor } from "@tensaurus/core";
 *
 * const x = tensor([0.5, 2], { dtype: "float64", device: "reference", requiresGrad: true });
 * await gradcheck((x) => x.square(), [x]);
 * ```
 */
export async function gradcheck(
  f: CheckedFunction,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<void> {
  requirePrecision("gradcheck", inputs);
  await compareGradients("gradcheck", weighted(f, {}), inputs, options);
}

/** The same for gradients of gradients, like `torch.autograd.gradgradcheck`. */
export async function gradgradcheck(
  f: CheckedFunction,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<void> {
  requirePrecision("gradgradcheck", inputs);
  const number = weighted(f, {});
  const at = inputs.map((x, i) => x.requiresGrad ? i : -1).filter((i) => i >= 0);
  const weights: Tensor[] = [];
  const slope: CheckedFunction = (...points) => {
    const value = number(...points);
    const watched = at.map((i) => points[i]!);
    const grads = grad(value, watched, { createGraph: true, allowUnused: true });
    let total = sum(points[at[0]!]!).mul(0);
    for (const [k, g] of grads.entries()) {
      if (!g) continue;
      weights[k] ??= randnLike(g, { requiresGrad: false });
      total = total.add(sum(g.mul(weights[k])));
    }
    return total;
  };
  await compareGradients("gradgradcheck", slope, inputs, options);
}
