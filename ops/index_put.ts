/** Elements picked and placed by tuples of positions. */
import { core } from "./base.ts";
import { apply, defineOp, type OpDefinition } from "./define.ts";
import { checkIndex, wrapped } from "./index_check.ts";
import * as e from "./ir/expr.ts";
import { type ScatterKernel, sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { expand } from "./view.ts";

const INDEX_PUT: OpDefinition<{ count: number; accumulate: boolean }> = defineOp({
  name: "indexPut",
  lower([base, values, ...indices], { count, accumulate }) {
    const { dtype, shape: target } = base!;
    const shape = values!.shape;
    const axes = e.axesOf(shape);
    const rank = shape.length - (target.length - count);
    const places = indices.map((index, d) => wrapped(index, axes.slice(0, rank), target[d]!));
    const kernel: ScatterKernel = {
      kind: "scatter",
      size: sizeOf(target),
      init: base!.at(e.unravel(e.axis(0, sizeOf(target)), target)),
      shape,
      parallel: axes.map((_, d) => d).filter((d) => d >= rank),
      op: accumulate ? "add" : "set",
      target: e.ravel([...places, ...axes.slice(rank)], target),
      value: values!.at(axes),
      guard: undefined,
      inputs: [base!, values!, ...indices].map((x) => ({ dtype: x.dtype })),
      outputs: [{ dtype, value: e.constant(0, dtype), index: undefined }],
    };
    return { kernel, shapes: [target] };
  },
  gradient: (c) => {
    const { count, accumulate } = c.attributes;
    const indices = Array.from({ length: count }, (_, i) => c.input(2 + i));
    const picked = c.needs(1) ? indexBy(c.grad(), indices) : undefined;
    if (accumulate) return [c.grad(), picked];
    const zero = core().fullOn(c.grad().storage.backend, c.inputShape(1), 0, c.grad().dtype);
    return [apply(INDEX_PUT, [c.grad(), zero, ...indices], c.attributes), picked];
  },
});

const INDEX_BY = defineOp<{ count: number }>({
  name: "indexBy",
  lower([x, ...indices], { count }) {
    const rank = indices[0]!.shape.length;
    const shape = [...indices[0]!.shape, ...x!.shape.slice(count)];
    const axes = e.axesOf(shape);
    const places = indices.map((index, d) => wrapped(index, axes.slice(0, rank), x!.shape[d]!));
    const value = x!.at([...places, ...axes.slice(rank)]);
    const inputs = [x!, ...indices].map((o) => ({ dtype: o.dtype }));
    const outputs = [{ dtype: x!.dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  gradient: (c) => {
    const indices = Array.from({ length: c.attributes.count }, (_, i) => c.input(1 + i));
    const zero = core().fullOn(c.grad().storage.backend, c.inputShape(0), 0, c.grad().dtype);
    return [
      apply(INDEX_PUT, [zero, c.grad(), ...indices], {
        count: c.attributes.count,
        accumulate: true,
      }),
    ];
  },
});

/** Elements at tuples of positions on the leading axes, like `x[i, j]` with index tensors. */
export function indexBy(x: Tensor, indices: readonly Tensor[]): Tensor {
  for (const index of indices) checkIndex("indexBy", index);
  return apply(INDEX_BY, [x, ...broadcastAll(indices)], { count: indices.length });
}

function broadcastAll(tensors: readonly Tensor[]): Tensor[] {
  const rank = Math.max(...tensors.map((t) => t.ndim));
  const shape = Array.from(
    { length: rank },
    (_, d) => Math.max(...tensors.map((t) => t.shape[d - rank + t.ndim] ?? 1)),
  );
  return tensors.map((t) => expand(t, shape));
}

/** A copy with values at tuples of positions on the leading axes, like `torch.index_put`. */
export function indexPut(
  x: Tensor,
  indices: readonly Tensor[],
  values: Tensor,
  options: { accumulate?: boolean | undefined } = {},
): Tensor {
  const places = broadcastAll(indices);
  const shape = [...places[0]!.shape, ...x.shape.slice(indices.length)];
  const attributes = { count: indices.length, accumulate: options.accumulate ?? false };
  return apply(INDEX_PUT, [x, expand(values, shape), ...places], attributes);
}
