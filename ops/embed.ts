/** Smaller arrays inside of larger ones: padding, and the gradient of slices. */
import { apply, type Attribute, defineOp } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";

interface EmbedAttributes {
  readonly [name: string]: Attribute;
  readonly shape: readonly number[];
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly value: number;
}

const EMBED = defineOp<EmbedAttributes>({
  name: "embed",
  lower([x], { shape, starts, steps, value }) {
    const axes = e.axesOf(shape);
    let guard: Expr | undefined;
    const coordinates = axes.map((axis, d) => {
      const step = steps[d]!, start = starts[d]!, size = x!.shape[d]!;
      const signed = step > 0 ? e.sub(axis, e.int(start)) : e.sub(e.int(start), axis);
      const stride = Math.abs(step);
      if (start > 0 || step < 0) guard = e.and(guard, e.le(e.int(0), signed));
      if (stride > 1) guard = e.and(guard, e.eq(e.imod(signed, stride), e.int(0)));
      guard = e.and(guard, e.lt(signed, e.int(size * stride)));
      return e.idiv(signed, stride);
    });
    const loaded = x!.at(coordinates, guard);
    const { dtype } = x!;
    const padded = value === 0 || !guard
      ? loaded
      : e.select(guard, loaded, e.constant(value, dtype));
    const outputs = [{ dtype, value: padded, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [{ dtype }], outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => {
    const { starts, steps } = c.attributes;
    let g = c.grad();
    for (const [d, size] of c.inputShape(0).entries()) {
      const start = starts[d]!, step = steps[d]!, stop = start + size * step;
      g = slice(g, d, start, stop < 0 ? null : stop, step);
    }
    return [g];
  },
});

/** Puts `x` into a larger array of `value`: element i of axis d goes to `starts[d] + i · steps[d]`. */
export function embed(
  x: Tensor,
  shape: readonly number[],
  starts: readonly number[],
  steps: readonly number[],
  value = 0,
): Tensor {
  return apply(EMBED, [x], { shape, starts, steps, value });
}
