/** Covariance and correlation of variables. */
import { div, mul, sub } from "./arithmetic.ts";
import { ShapeError } from "./check.ts";
import { clamp } from "./choice.ts";
import { matmul } from "./contract.ts";
import { convert } from "./convert.ts";
import { diagonal } from "./arrange.ts";
import { isFloat } from "./ir/dtype.ts";
import { sqrt } from "./power.ts";
import { mean, sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { reshape, transpose, unsqueeze } from "./view.ts";

/** Options of `cov`. */
export interface CovarianceOptions {
  /** Subtracted from the count in the divisor. @default 1 */
  correction?: number | undefined;
  /** How often each observation counts, `[N]`, whole. */
  fweights?: Tensor | undefined | null;
  /** How important each observation is, `[N]`. */
  aweights?: Tensor | undefined | null;
}

function variables(op: string, x: Tensor): Tensor {
  if (x.ndim > 2) throw new ShapeError(op, "expects at most 2 dimensions", { input: x.shape });
  const rows = x.ndim < 2 ? reshape(x, [1, x.numel]) : x;
  return isFloat(rows.dtype) ? rows : convert(rows, "float32");
}

/**
 * Covariance matrix of variables (rows) over observations (columns), like `torch.cov`.
 *
 * Shapes: `[V, N]` gives `[V, V]`; `[N]` is one variable and gives a number.
 *
 * @param x Variables; integers become float32.
 * @param options Correction, weights of the observations.
 * @throws {ShapeError} If there are more than 2 dimensions, or weights do not fit.
 */
export function cov(x: Tensor, options: CovarianceOptions = {}): Tensor {
  const { correction = 1, fweights, aweights } = options;
  const rows = variables("cov", x);
  const count = rows.shape[1]!;
  for (const [name, w] of Object.entries({ fweights, aweights })) {
    if (w && (w.ndim > 1 || w.numel !== count)) {
      throw new ShapeError("cov", `${name} needs one weight for each of ${count} observations`, {
        input: x.shape,
        [name]: w.shape,
      });
    }
  }
  const [f, a] = [fweights, aweights].map((w) => w && convert(reshape(w, [count]), rows.dtype));
  const w = f && a ? mul(f, a) : f ?? a;
  if (!w) {
    const centred = sub(rows, mean(rows, 1, { keepdim: true }));
    const products = matmul(centred, transpose(centred, 0, 1));
    return finish(div(products, Math.max(0, count - correction)));
  }
  const total = sum(w);
  const centred = sub(rows, unsqueeze(div(sum(mul(rows, w), 1), total), 1));
  const used = a && correction !== 0 ? div(mul(sum(mul(w, a)), correction), total) : correction;
  const products = matmul(mul(centred, w), transpose(centred, 0, 1));
  return finish(div(products, clamp(sub(total, used), 0)));
}

/** A matrix of one variable is a number. */
function finish(x: Tensor): Tensor {
  return x.numel === 1 ? reshape(x, []) : x;
}

/**
 * Correlation coefficients of variables (rows) over observations (columns), like `torch.corrcoef`.
 *
 * Shapes: `[V, N]` gives `[V, V]`; `[N]` gives a number.
 *
 * @throws {ShapeError} If there are more than 2 dimensions.
 */
export function corrcoef(x: Tensor): Tensor {
  const c = cov(variables("corrcoef", x));
  if (c.ndim === 0) return div(c, c);
  const deviation = sqrt(diagonal(c));
  return clamp(div(div(c, unsqueeze(deviation, 1)), deviation), -1, 1);
}
