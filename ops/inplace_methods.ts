/** Functions of a tensor that overwrite it, as methods. */
import { ActivationMethods, relu } from "./activation.ts";
import { abs, add, mul, neg } from "./arithmetic.ts";
import { clamp } from "./choice.ts";
import type { TensorOrNumber } from "./define.ts";
import { isGradEnabled } from "./grad_mode.ts";
import { maskedFill, scatter, scatterAdd } from "./index.ts";
import { indexAdd } from "./index_select.ts";
import { assign } from "./inplace.ts";
import { exp, sigmoid, tanh } from "./math.ts";
import { indexFill } from "./places.ts";
import { pow, sqrt } from "./power.ts";
import { randn, type RandomOptions, uniformRandom } from "./random.ts";
import type { Tensor } from "./tensor.ts";
import { clone } from "./view.ts";

/**
 * Puts a function of `target` into its memory. Where a gradient is recorded, which may need what was
 * there before and what comes out, the function works on a copy and its result is copied.
 */
function overwrite(
  op: string,
  target: Tensor,
  run: (x: Tensor) => Tensor,
  ...others: (TensorOrNumber | undefined | null)[]
): void {
  const recorded = isGradEnabled() &&
    [target, ...others].some((x) => typeof x === "object" && x?.requiresGrad);
  assign(op, target, run(recorded ? clone(target) : target), recorded);
}

/** Methods of tensors that overwrite them, as PyTorch's with an underscore. */
export abstract class InplaceMethods extends ActivationMethods {
  /** Limits values in place, like `clamp_`. */
  clamp_(
    this: Tensor,
    min?: TensorOrNumber | undefined | null,
    max?: TensorOrNumber | undefined | null,
  ): Tensor {
    overwrite("clamp_", this, (x) => clamp(x, min, max), min, max);
    return this;
  }
  /** Cuts negative values in place, like `relu_`. */
  relu_(this: Tensor): Tensor {
    overwrite("relu_", this, relu);
    return this;
  }
  /** Turns signs around in place, like `neg_`. */
  neg_(this: Tensor): Tensor {
    overwrite("neg_", this, neg);
    return this;
  }
  /** Drops signs in place, like `abs_`. */
  abs_(this: Tensor): Tensor {
    overwrite("abs_", this, abs);
    return this;
  }
  /** `e^x` in place, like `exp_`. */
  exp_(this: Tensor): Tensor {
    overwrite("exp_", this, exp);
    return this;
  }
  /** Square root in place, like `sqrt_`. */
  sqrt_(this: Tensor): Tensor {
    overwrite("sqrt_", this, sqrt);
    return this;
  }
  /** Logistic function in place, like `sigmoid_`. */
  sigmoid_(this: Tensor): Tensor {
    overwrite("sigmoid_", this, sigmoid);
    return this;
  }
  /** Hyperbolic tangent in place, like `tanh_`. */
  tanh_(this: Tensor): Tensor {
    overwrite("tanh_", this, tanh);
    return this;
  }
  /** Power in place, like `pow_`. */
  pow_(this: Tensor, exponent: TensorOrNumber): Tensor {
    overwrite("pow_", this, (x) => pow(x, exponent), exponent);
    return this;
  }
  /** Fills where `mask` is true, in place, like `masked_fill_`. */
  maskedFill_(this: Tensor, mask: Tensor, value: number | Tensor): Tensor {
    overwrite("maskedFill_", this, (x) => maskedFill(x, mask, value), value);
    return this;
  }
  /** Fills slices in place, like `index_fill_`. */
  indexFill_(this: Tensor, dim: number, index: Tensor, value: number | Tensor): Tensor {
    overwrite("indexFill_", this, (x) => indexFill(x, dim, index, value), value);
    return this;
  }
  /** Places values along an axis in place, like `scatter_`. */
  scatter_(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor | number,
    options?: { reduce?: "add" | "multiply" | undefined },
  ): Tensor {
    overwrite("scatter_", this, (x) => scatter(x, dim, index, source, options), source);
    return this;
  }
  /** Adds values along an axis in place, like `scatter_add_`. */
  scatterAdd_(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    overwrite("scatterAdd_", this, (x) => scatterAdd(x, dim, index, source), source);
    return this;
  }
  /** Adds slices in place, like `index_add_`. */
  indexAdd_(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options?: { alpha?: number | undefined },
  ): Tensor {
    overwrite("indexAdd_", this, (x) => indexAdd(x, dim, index, source, options), source);
    return this;
  }
  /** Uniform numbers in `[from, to)` in place, like `uniform_`; `[0, 1)` by default. */
  uniform_(
    this: Tensor,
    from = 0,
    to = 1,
    options: Pick<RandomOptions, "generator"> = {},
  ): Tensor {
    const { dtype, device } = this;
    assign("uniform_", this, uniformRandom(this.shape, from, to, { ...options, dtype, device }));
    return this;
  }
  /** Normal numbers in place, like `normal_`; standard normal by default. */
  normal_(
    this: Tensor,
    mean = 0,
    std = 1,
    options: Pick<RandomOptions, "generator"> = {},
  ): Tensor {
    const { dtype, device } = this;
    const drawn = randn(this.shape, { ...options, dtype, device });
    assign("normal_", this, add(mul(drawn, std), mean));
    return this;
  }
}
