import { type DeviceName, type DType, Tensor } from "../ops/mod.ts";

/** Element type and device of the parameters of a new layer. */
export interface FactoryOptions {
  /** Element type of the parameters. @default "float32" */
  dtype?: DType | undefined;
  /** Device of the parameters. @default the one chosen by `setDevice` */
  device?: DeviceName | undefined;
}

/** Options of a {@linkcode Parameter}. */
export interface ParameterOptions {
  /** Whether it is trained. @default true for floating dtypes */
  requiresGrad?: boolean | undefined;
}

/**
 * A tensor that a module learns, like `torch.nn.Parameter`: assigned to a field of a module, it is
 * found by `parameters()` and saved by `stateDict()`.
 *
 * Loading, moving to another dtype or device, and optimizers change what a parameter holds, never
 * which object it is.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { Parameter } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const scale = new Parameter(ones([3]));
 * assertEquals(scale.requiresGrad, true);
 * ```
 */
export class Parameter extends Tensor {
  /**
   * Makes the parameter.
   *
   * @param data Initial values; the parameter shares their memory.
   * @param options Whether it is trained.
   */
  constructor(data: Tensor, options: ParameterOptions = {}) {
    super(data.storage, data);
    const floating = data.dtype.startsWith("float");
    if (options.requiresGrad ?? floating) this.setRequiresGrad(true);
  }
}
