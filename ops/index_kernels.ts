/** The kernels that pick and place elements along an axis; their arguments have been checked. */
import { core } from "./base.ts";
import { apply, type Attribute, defineOp, type OpDefinition } from "./define.ts";
import { wrapped } from "./index_check.ts";
import * as e from "./ir/expr.ts";
import { type ScatterKernel, sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";

const GATHER: OpDefinition<{ axis: number }> = defineOp<{ axis: number }>({
  name: "gather",
  lower([x, index], { axis }) {
    const { shape } = index!;
    const axes = e.axesOf(shape);
    const at = wrapped(index!, axes, x!.shape[axis]!);
    const inside = e.and(e.le(e.int(0), at), e.lt(at, e.int(x!.shape[axis]!)));
    const value = x!.at(axes.map((a, d) => d === axis ? at : a), inside);
    const inputs = [{ dtype: x!.dtype }, { dtype: index!.dtype }];
    const outputs = [{ dtype: x!.dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  gradient: (c) => {
    const zero = core().fullOn(c.grad().storage.backend, c.inputShape(0), 0, c.grad().dtype);
    return [scatterInto(zero, c.attributes.axis, c.input(1), c.grad(), "add"), undefined];
  },
});

/** Elements of `x` at positions along an axis. */
export function gatherFrom(x: Tensor, axis: number, index: Tensor): Tensor {
  return apply(GATHER, [x, index], { axis });
}

type ScatterOp = ScatterKernel["op"];

interface ScatterAttributes {
  readonly [name: string]: Attribute;
  readonly axis: number;
  readonly op: ScatterOp;
}

const SCATTER: OpDefinition<ScatterAttributes> = defineOp({
  name: "scatter",
  lower([base, index, source], { axis, op }) {
    const { shape } = index!;
    const axes = e.axesOf(shape);
    const size = sizeOf(base!.shape);
    const at = wrapped(index!, axes, base!.shape[axis]!);
    const inside = e.and(e.le(e.int(0), at), e.lt(at, e.int(base!.shape[axis]!)));
    const target = e.ravel(axes.map((a, d) => d === axis ? at : a), base!.shape);
    const { dtype } = base!;
    const kernel: ScatterKernel = {
      kind: "scatter",
      size,
      init: base!.at(e.unravel(e.axis(0, size), base!.shape)),
      shape,
      parallel: shape.map((_, d) => d).filter((d) => d !== axis),
      op,
      target,
      value: e.cast(source!.at(axes), dtype),
      guard: inside,
      inputs: [{ dtype }, { dtype: index!.dtype }, { dtype: source!.dtype }],
      outputs: [{ dtype, value: e.constant(0, dtype), index: undefined }],
    };
    return { kernel, shapes: [base!.shape] };
  },
  gradient: (c) => {
    const { axis, op } = c.attributes;
    if (op !== "add" && op !== "set") throw new Error(`scatter: "${op}" has no gradient`);
    const picked = c.needs(2) ? gatherFrom(c.grad(), axis, c.input(1)) : undefined;
    const sliced = picked && core().sumToShape(picked, c.input(1).shape);
    const source = sliced && padTo(sliced, c.inputShape(2));
    if (op === "add") return [c.grad(), undefined, source];
    const zero = core().fullOn(c.grad().storage.backend, c.input(1).shape, 0, c.grad().dtype);
    return [scatterInto(c.grad(), axis, c.input(1), zero, "set"), undefined, source];
  },
});

function padTo(x: Tensor, shape: readonly number[]): Tensor {
  return x.pad([...shape.map((s, d) => [0, s - x.shape[d]!]).reverse().flat()]);
}

/** `base` with the elements of `source` combined at positions along an axis; adding and setting have gradients. */
export function scatterInto(
  base: Tensor,
  axis: number,
  index: Tensor,
  source: Tensor,
  op: ScatterOp,
): Tensor {
  return apply(SCATTER, [base, index, source], { axis, op });
}
