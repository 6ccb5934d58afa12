/** The gradient of an element that is chosen among others by its value. */
import { div } from "./arithmetic.ts";
import type { GradientContext } from "./autograd.ts";
import { where } from "./choice.ts";
import { eq, logicalAnd, logicalOr, ne } from "./comparison.ts";
import { convert } from "./convert.ts";
import { sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";

/** Equal, or both NaN. */
export function sameValue(a: Tensor, b: Tensor): Tensor {
  return logicalOr(eq(a, b), logicalAnd(ne(a, a), ne(b, b)));
}

/** The gradient of a function that chooses one of all elements, shared by those that equal it. */
export function sharedBy(c: GradientContext): Tensor {
  const same = sameValue(c.input(0), c.output());
  return where(same, div(c.grad(), sum(convert(same, c.inputDtype(0)))), 0);
}
