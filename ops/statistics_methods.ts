/** Statistics as methods of tensors. */
import {
  allclose,
  type ClosenessOptions,
  histc,
  type HistogramOptions,
  isclose,
} from "./closeness.ts";
import type { ValuesAndIndices } from "./extremum.ts";
import type { DType } from "./ir/dtype.ts";
import { dist, renorm } from "./norm.ts";
import type { Axes } from "./reduce.ts";
import { diff, type DiffOptions, logcumsumexp } from "./running.ts";
import { SortMethods } from "./sort.ts";
import {
  aminmax,
  corrcoef,
  cov,
  type CovarianceOptions,
  kthvalue,
  mode,
  nanmean,
  nanmedian,
  nanquantile,
  quantile,
  type QuantileOptions,
} from "./statistics.ts";
import type { Tensor } from "./tensor.ts";

/** Methods of tensors that describe or compare samples. */
export abstract class StatisticsMethods extends SortMethods {
  /** See the function `quantile`. */
  quantile(this: Tensor, q: number | Tensor, options?: QuantileOptions): Tensor {
    return quantile(this, q, options);
  }
  /** See the function `nanquantile`. */
  nanquantile(this: Tensor, q: number | Tensor, options?: QuantileOptions): Tensor {
    return nanquantile(this, q, options);
  }
  /** See the function `nanmean`. */
  nanmean(
    this: Tensor,
    dim?: Axes,
    options?: { keepdim?: boolean | undefined; dtype?: DType | undefined },
  ): Tensor {
    return nanmean(this, dim, options);
  }
  /** See the function `kthvalue`. */
  kthvalue(
    this: Tensor,
    k: number,
    dim?: number,
    options?: { keepdim?: boolean | undefined },
  ): ValuesAndIndices {
    return kthvalue(this, k, dim, options);
  }
  /** See the function `mode`. */
  mode(
    this: Tensor,
    dim?: number,
    options?: { keepdim?: boolean | undefined },
  ): ValuesAndIndices {
    return mode(this, dim, options);
  }
  /** See the function `aminmax`. */
  aminmax(
    this: Tensor,
    options?: { dim?: number | undefined | null; keepdim?: boolean | undefined },
  ): { min: Tensor; max: Tensor } {
    return aminmax(this, options);
  }
  /** See the function `histc`. */
  histc(this: Tensor, options?: HistogramOptions): Tensor {
    return histc(this, options);
  }
  /** See the function `nanmedian`. */
  nanmedian(this: Tensor): Tensor;
  /** The same along an axis, with its position. */
  nanmedian(
    this: Tensor,
    dim: number,
    options?: { keepdim?: boolean | undefined },
  ): ValuesAndIndices;
  nanmedian(
    this: Tensor,
    dim?: number,
    options?: { keepdim?: boolean | undefined },
  ): Tensor | ValuesAndIndices {
    return dim === undefined ? nanmedian(this) : nanmedian(this, dim, options);
  }
  /** See the function `isclose`. */
  isclose(this: Tensor, other: Tensor, options?: ClosenessOptions): Tensor {
    return isclose(this, other, options);
  }
  /** See the function `allclose`. */
  allclose(this: Tensor, other: Tensor, options?: ClosenessOptions): Promise<boolean> {
    return allclose(this, other, options);
  }
  /** See the function `diff`. */
  diff(this: Tensor, options?: DiffOptions): Tensor {
    return diff(this, options);
  }
  /** See the function `logcumsumexp`. */
  logcumsumexp(this: Tensor, dim: number): Tensor {
    return logcumsumexp(this, dim);
  }
  /** See the function `cov`. */
  cov(this: Tensor, options?: CovarianceOptions): Tensor {
    return cov(this, options);
  }
  /** See the function `corrcoef`. */
  corrcoef(this: Tensor): Tensor {
    return corrcoef(this);
  }
  /** See the function `dist`. */
  dist(this: Tensor, other: Tensor, options?: { p?: number | undefined }): Tensor {
    return dist(this, other, options);
  }
  /** See the function `renorm`. */
  renorm(this: Tensor, p: number, dim: number, maxNorm: number): Tensor {
    return renorm(this, p, dim, maxNorm);
  }
}
