/** Reductions as methods of tensors. */
import { ViewMethods } from "./view_methods.ts";
import {
  all,
  amax,
  amin,
  any,
  argmax,
  argmin,
  maxAlong,
  minAlong,
  type ValuesAndIndices,
} from "./extremum.ts";
import {
  type Axes,
  countNonzero,
  mean,
  nansum,
  prod,
  type ReduceOptions,
  std,
  sum,
  variance,
  type VarianceOptions,
} from "./reduce.ts";
import type { Tensor } from "./tensor.ts";

/** Methods of tensors from this file. */
export abstract class ReduceMethods extends ViewMethods {
  /** See the function `maxAlong`; without an axis, the largest element. */
  max(this: Tensor): Tensor;
  /** Values and positions along one axis. */
  max(this: Tensor, dim: number, options?: { keepdim?: boolean | undefined }): ValuesAndIndices;
  max(
    this: Tensor,
    dim?: number,
    options?: { keepdim?: boolean | undefined },
  ): Tensor | ValuesAndIndices {
    return dim === undefined ? amax(this) : maxAlong(this, dim, options);
  }
  /** See the function `minAlong`; without an axis, the smallest element. */
  min(this: Tensor): Tensor;
  /** Values and positions along one axis. */
  min(this: Tensor, dim: number, options?: { keepdim?: boolean | undefined }): ValuesAndIndices;
  min(
    this: Tensor,
    dim?: number,
    options?: { keepdim?: boolean | undefined },
  ): Tensor | ValuesAndIndices {
    return dim === undefined ? amin(this) : minAlong(this, dim, options);
  }
  /** See the function `sum`. */
  sum(this: Tensor, dim?: Axes, options?: ReduceOptions): Tensor {
    return sum(this, dim, options);
  }
  /** See the function `mean`. */
  mean(this: Tensor, dim?: Axes, options?: ReduceOptions): Tensor {
    return mean(this, dim, options);
  }
  /** See the function `prod`. */
  prod(this: Tensor, dim?: Axes, options?: ReduceOptions): Tensor {
    return prod(this, dim, options);
  }
  /** See the function `nansum`. */
  nansum(this: Tensor, dim?: Axes, options?: ReduceOptions): Tensor {
    return nansum(this, dim, options);
  }
  /** See the function `variance`. */
  variance(this: Tensor, dim?: Axes, options?: VarianceOptions): Tensor {
    return variance(this, dim, options);
  }
  /** See the function `std`. */
  std(this: Tensor, dim?: Axes, options?: VarianceOptions): Tensor {
    return std(this, dim, options);
  }
  /** See the function `amax`. */
  amax(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return amax(this, dim, options);
  }
  /** See the function `amin`. */
  amin(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return amin(this, dim, options);
  }
  /** See the function `any`. */
  any(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return any(this, dim, options);
  }
  /** See the function `all`. */
  all(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return all(this, dim, options);
  }
  /** See the function `argmax`. */
  argmax(
    this: Tensor,
    dim?: number | undefined | null,
    options?: { keepdim?: boolean | undefined },
  ): Tensor {
    return argmax(this, dim, options);
  }
  /** See the function `argmin`. */
  argmin(
    this: Tensor,
    dim?: number | undefined | null,
    options?: { keepdim?: boolean | undefined },
  ): Tensor {
    return argmin(this, dim, options);
  }
  /** See the function `countNonzero`. */
  countNonzero(this: Tensor, dim?: Axes): Tensor {
    return countNonzero(this, dim);
  }
}
