/** How views are made. */
import { type GradientContext, type GradientFunction, recordGradient } from "./autograd.ts";
import { core, makeTensor, type TensorBase, type View, type ViewOrigin } from "./base.ts";
import { withGradMode } from "./grad_mode.ts";
import type { Tensor } from "./tensor.ts";

/** The gradient of a view: what undoes it. */
export type ViewGradient = (context: Pick<GradientContext, "grad" | "inputShape">) => Tensor;

/** A closure that keeps nothing alive but `gradient`. */
function asGradientFunction(gradient: ViewGradient): GradientFunction<null> {
  return (c) => [gradient(c)];
}

class Origin implements ViewOrigin {
  readonly parent: Tensor;
  readonly again: (x: Tensor) => Tensor;
  readonly #name: string;
  readonly #gradient: ViewGradient;

  constructor(
    name: string,
    parent: Tensor,
    gradient: ViewGradient,
    again: (x: Tensor) => Tensor,
  ) {
    this.#name = name;
    this.parent = parent;
    this.#gradient = gradient;
    this.again = again;
  }

  get root(): TensorBase {
    return this.parent.origin?.root ?? this.parent;
  }

  mask(view: Tensor): Tensor {
    const ones = core().fullOn(view.storage.backend, view.shape, 1, "float32");
    const seen = this.#gradient({ grad: () => ones, inputShape: () => this.parent.shape });
    return core().convert(seen, "bool");
  }

  record(view: Tensor): void {
    const gradient = asGradientFunction(this.#gradient);
    recordGradient(this.#name, null, gradient, [this.parent], [view], "none");
  }

  recordAgain(view: Tensor): void {
    withGradMode(this.#name, true, () => this.record(view));
  }
}

/**
 * A view of `x`'s storage, with the gradient that undoes it.
 *
 * @param again The same view of another tensor of `x`'s shape.
 */
export function viewOf(
  name: string,
  x: Tensor,
  view: View,
  gradient: ViewGradient,
  again: (x: Tensor) => Tensor,
): Tensor {
  const y = makeTensor(x.storage, view);
  const origin = new Origin(name, x, gradient, again);
  y.startView(origin);
  origin.record(y);
  return y;
}
