/** How views are made. */
import { type GradientContext, recordGradient } from "./autograd.ts";
import { makeTensor, type View } from "./base.ts";
import type { Attribute } from "./define.ts";
import type { Tensor } from "./tensor.ts";

/** A view of `x`'s storage, with the gradient that undoes it. */
export function viewOf(
  name: string,
  x: Tensor,
  view: View,
  gradient: (context: GradientContext<Attribute>) => Tensor,
): Tensor {
  const y = makeTensor(x.storage, view);
  recordGradient(name, null, (c) => [gradient(c)], [x], [y], "none");
  return y;
}
