/** The inverse of the error function, from its first formula to its last digit. */
import { abs, add, div, mul, neg, rsub, sign, sub } from "./arithmetic.ts";
import { differentiable } from "./autograd.ts";
import { where } from "./choice.ts";
import { eq, ge, gt, lt } from "./comparison.ts";
import { convert } from "./convert.ts";
import { isFloat } from "./ir/dtype.ts";
import { erf, erfc, exp } from "./math.ts";
import { log, sqrt, square } from "./power.ts";
import { isfinite } from "./rounding.ts";
import type { Tensor } from "./tensor.ts";

function erfinvOf(x: Tensor): Tensor {
  const size = abs(x), rest = rsub(size, 1);
  const w = neg(log(mul(rest, add(size, 1))));
  const central = polynomial(sub(w, 2.5), [
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
  ]);
  const tail = polynomial(sub(sqrt(where(gt(w, 0), w, 1)), 3), [
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
  ]);
  let y = mul(size, where(lt(w, 5), central, tail));
  for (let step = 0; step < 2; step++) {
    const slope = mul(exp(neg(square(y))), 2 / Math.sqrt(Math.PI));
    // Near 1 the digits are in the complement.
    const excess = where(lt(size, 0.5), sub(erf(y), size), sub(rest, erfc(y)));
    const better = sub(y, div(excess, slope));
    y = where(isfinite(better), better, y);
  }
  const limit = where(eq(size, 1), Infinity, NaN);
  return mul(where(ge(size, 1), limit, y), sign(x)).add(mul(x, 0));
}

/** Inverse of the error function, like `torch.erfinv` (Giles 2010, then two Newton steps). */
export function erfinv(x: Tensor): Tensor {
  const source = isFloat(x.dtype) ? x : convert(x, "float32");
  return differentiable("erfinv", null, [source], () => erfinvOf(source), (c) => [
    mul(c.grad(), mul(exp(square(c.output())), Math.sqrt(Math.PI) / 2)),
  ], "output");
}

function polynomial(x: Tensor, coefficients: readonly number[]): Tensor {
  let y = mul(x, coefficients[0]!);
  for (const c of coefficients.slice(1, -1)) y = mul(add(y, c), x);
  return add(y, coefficients[coefficients.length - 1]!);
}
