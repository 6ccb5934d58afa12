/** Matrix products in other shapes: long sums in parts, thin results as reductions. */
import {
  acc,
  add,
  axesOf,
  axis,
  call,
  constant,
  type Expr,
  int,
  load,
  lt,
  mul,
  ravel,
  rewrite,
  select,
  unravel,
} from "../../ir/expr.ts";
import { type ContractKernel, type ReduceKernel, sizeOf } from "../../ir/kernel.ts";

/** A product whose sums are computed in parts, and the reduction that adds the parts up. */
export interface SplitContract {
  readonly partial: ContractKernel;
  /** Its inputs are those of the product, then the parts. */
  readonly combine: ReduceKernel;
  /** Elements of the array of parts. */
  readonly elements: number;
}

/** The same result as a reduction, for results of few rows or columns. */
export function contractAsReduce(kernel: ContractKernel): ReduceKernel {
  const { batch, m, n, k, a, b, dtype, inputs, outputs } = kernel;
  return {
    kind: "reduce",
    shape: [...batch, ...m, ...n],
    reduce: k,
    inputs,
    reductions: [{ op: "sum", body: call("mul", [a, b], dtype), dtype }],
    outputs,
  };
}

/** Splits the sums of a product into `parts`, in an order fixed by the shape alone. */
export function splitContract(kernel: ContractKernel, parts: number): SplitContract {
  const { batch, m, n, inputs, dtype } = kernel;
  const outer = [...batch, ...m, ...n], length = sizeOf(kernel.k);
  const chunk = Math.ceil(length / parts);
  const partial = partialOf(kernel, parts, chunk, length);
  const coordinates = axesOf(outer);
  const at = ravel(
    [
      ...coordinates.slice(0, batch.length),
      axis(outer.length, parts),
      ...coordinates.slice(batch.length),
    ],
    [...batch, parts, ...m, ...n],
  );
  const combine: ReduceKernel = {
    kind: "reduce",
    shape: outer,
    reduce: [parts],
    inputs: [...inputs, { dtype }],
    reductions: [{ op: "sum", body: load(inputs.length, dtype, at), dtype }],
    outputs: kernel.outputs,
  };
  return { partial, combine, elements: sizeOf(outer) * parts };
}

/** One part more in the batch; the sum goes over a chunk. */
function partialOf(
  kernel: ContractKernel,
  parts: number,
  chunk: number,
  length: number,
): ContractKernel {
  const { batch, m, n, k, dtype } = kernel;
  const first = batch.length, outer = first + m.length + n.length;
  const flat = add(mul(axis(first, parts), int(chunk)), axis(outer + 1, chunk));
  const ragged = parts * chunk > length;
  const terms = unravel(ragged ? call("min", [flat, int(length - 1)]) : flat, k);
  const memo = new Map<Expr, Expr>();
  const moved = (x: Expr): Expr =>
    rewrite(x, {
      axis: (a) => {
        if (a.axis < first) return a;
        return a.axis < outer ? axis(a.axis + 1, a.size) : terms[a.axis - outer]!;
      },
    }, memo);
  const zeroed = (x: Expr): Expr =>
    ragged ? select(lt(flat, int(length)), x, constant(0, x.dtype)) : x;
  const shape = [...batch, parts, ...m, ...n];
  return {
    ...kernel,
    batch: [...batch, parts],
    k: [chunk],
    a: zeroed(moved(kernel.a)),
    b: zeroed(moved(kernel.b)),
    outputs: [{ dtype, value: acc(0, dtype), index: ravel(axesOf(shape), shape) }],
    convolution: undefined,
  };
}
