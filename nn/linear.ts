import { bilinear, linear, type Tensor } from "../ops/mod.ts";
import { checkCount } from "./_check.ts";
import { fanBound, uniformParameter } from "./_factory.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Options of {@linkcode Linear} and {@linkcode Bilinear}. */
export interface LinearOptions extends FactoryOptions {
  /** Add a learned offset. @default true */
  bias?: boolean | undefined;
}

/**
 * `x Wᵀ + b`, like `torch.nn.Linear`.
 *
 * Shapes: input `[…, inFeatures]`, weight `[outFeatures, inFeatures]`, result `[…, outFeatures]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Linear } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Linear(4, 3).forward(zeros([2, 4])).shape, [2, 3]);
 * ```
 */
export class Linear extends Module {
  /** Size of the last axis of the input. */
  readonly inFeatures: number;
  /** Size of the last axis of the result. */
  readonly outFeatures: number;
  /** Weight `[outFeatures, inFeatures]`. */
  weight: Parameter;
  /** Offset `[outFeatures]`. */
  bias: Parameter | undefined;

  /**
   * Makes the module.
   *
   * @param inFeatures Size of the last axis of the input.
   * @param outFeatures Size of the last axis of the result.
   * @param options Bias, dtype, device.
   * @throws {RangeError} If a size is no whole number of at least 0.
   */
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    checkCount("Linear", "inFeatures", inFeatures, 0);
    checkCount("Linear", "outFeatures", outFeatures, 0);
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    const bound = fanBound(inFeatures);
    this.weight = uniformParameter([outFeatures, inFeatures], bound, options);
    this.bias = options.bias ?? true ? uniformParameter([outFeatures], bound, options) : undefined;
  }

  /** `x Wᵀ + b`. @throws {ShapeError} If the last axis is not `inFeatures`. */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.inFeatures}, ${this.outFeatures}${this.bias ? "" : ", { bias: false }"}`;
  }
}

/**
 * `x₁ᵀ W x₂ + b` for each output feature, like `torch.nn.Bilinear`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Bilinear } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Bilinear(2, 3, 4).forward(zeros([5, 2]), zeros([5, 3])).shape, [5, 4]);
 * ```
 */
export class Bilinear extends Module {
  /** Weight `[outFeatures, in1Features, in2Features]`. */
  weight: Parameter;
  /** Offset `[outFeatures]`. */
  bias: Parameter | undefined;

  /**
   * Makes the module.
   *
   * @param in1Features Size of the last axis of the first input.
   * @param in2Features Size of the last axis of the second input.
   * @param outFeatures Size of the last axis of the result.
   * @param options Bias, dtype, device.
   * @throws {RangeError} If a size is not positive.
   */
  constructor(
    in1Features: number,
    in2Features: number,
    outFeatures: number,
    options: LinearOptions = {},
  ) {
    super();
    checkCount("Bilinear", "in1Features", in1Features);
    checkCount("Bilinear", "in2Features", in2Features);
    checkCount("Bilinear", "outFeatures", outFeatures);
    const bound = fanBound(in1Features);
    this.weight = uniformParameter([outFeatures, in1Features, in2Features], bound, options);
    this.bias = options.bias ?? true ? uniformParameter([outFeatures], bound, options) : undefined;
  }

  /** `x₁ᵀ W x₂ + b`. @throws {ShapeError} If the last axes do not fit. */
  forward(x1: Tensor, x2: Tensor): Tensor {
    return bilinear(x1, x2, this.weight, this.bias);
  }
}
