/** Functions that see gradients on their way. */
import { core, type TensorBase } from "./base.ts";
import { shapeText, stateError } from "./check.ts";
import type { Tensor } from "./tensor.ts";

/** Sees the gradient of a tensor; what it returns goes on in its place. */
export type GradientHook = (gradient: Tensor) => Tensor | undefined | void;

/** The hooks of one tensor, in order, and whether its gradient is kept. */
export class GradientHooks {
  readonly #hooks = new Set<{ readonly hook: GradientHook }>();
  #keeper: TensorBase | undefined;

  /** Adds a hook; returns what takes it away. */
  add(hook: GradientHook): () => void {
    const entry = { hook };
    this.#hooks.add(entry);
    return () => void this.#hooks.delete(entry);
  }

  /** Keeps the gradient in `grad` of a tensor. */
  keepFor(tensor: TensorBase): void {
    this.#keeper = tensor;
  }

  /** The gradient that goes on; it is kept as the hooks left it. */
  run(gradient: Tensor): Tensor {
    let result = gradient;
    for (const { hook } of this.#hooks) {
      const changed = hook(result);
      if (changed === undefined) continue;
      const [given, expected] = [changed, result].map((x) => `${x.dtype} ${shapeText(x.shape)}`);
      if (given !== expected) {
        throw stateError("registerHook", `a hook returned ${given} for a gradient of ${expected}`);
      }
      result = changed;
    }
    const keeper = this.#keeper;
    if (keeper) {
      keeper.grad = keeper.grad ? core().add(keeper.grad, result) : core().clone(result);
    }
    return result;
  }
}

function hooksOn(op: string, x: Tensor): GradientHooks {
  if (!x.requiresGrad) throw stateError(op, "the tensor does not require a gradient");
  return x.gradientNode?.hooksOf(x.outputIndex) ?? (x.leafHooks ??= new GradientHooks());
}

/**
 * Calls a function with the gradient of a tensor whenever one is computed, like
 * `torch.Tensor.register_hook`; what it returns goes on instead.
 *
 * @param x A tensor that requires a gradient, a leaf or computed.
 * @param hook Sees the gradient.
 * @returns A function that takes the hook away.
 * @throws {Error} If the tensor requires no gradient, or the hook returns one of another shape.
 *
 * @example
 * ```ts
 * import { registerHook, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const x = tensor(3, { requiresGrad: true });
 * const remove = registerHook(x, (gradient) => gradient.clamp(-1, 1));
 * x.square().backward();
 * assertEquals(await x.grad!.item(), 1);
 * remove();
 * ```
 */
export function registerHook(x: Tensor, hook: GradientHook): () => void {
  return hooksOn("registerHook", x).add(hook);
}

/**
 * Keeps the gradient of a computed tensor in its `grad`, like `torch.Tensor.retain_grad`; leaves keep
 * theirs anyway.
 *
 * @throws {Error} If the tensor requires no gradient.
 */
export function retainGrad(x: Tensor): void {
  const hooks = hooksOn("retainGrad", x);
  if (!x.isLeaf) hooks.keepFor(x);
}
