/**
 * Parts of recurrent layers over whole sequences. The input's part of the gates is one matrix product
 * before; a sequence then runs one matrix product and one elementwise kernel per time step, forward and
 * backward; the weight's gradient is one matrix product after.
 */
import { ShapeError } from "./check.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { SequenceArgument, SequenceStep } from "./ir/graph.ts";
import type { ContractKernel, KernelOutput, MapKernel } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";

/** Sizes of a recurrent layer. */
export interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  readonly dtype: DType;
}

/** Sizes of a layer from its state and its projected input. */
export function sizesOf(hidden: Tensor, projected: Tensor): Sizes {
  const [batch, size] = hidden.shape as [number, number];
  return { steps: projected.shape[0]!, batch, hidden: size, dtype: hidden.dtype };
}

/** A place in an array of a sequence. */
export function argument(array: number, offset = 0, stride = 0): SequenceArgument {
  return { array, offset, stride };
}

/** `[B, H]` kernel; loads take the unit's own position, or that of one of its gates. */
export class CellKernel {
  readonly #sizes: Sizes;
  readonly #inputs: { dtype: DType }[] = [];
  readonly #outputs: KernelOutput[] = [];
  readonly #arguments: SequenceArgument[] = [];
  readonly #outputArguments: SequenceArgument[] = [];
  readonly #b: Expr;
  readonly #j: Expr;

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
    this.#b = e.axis(0, sizes.batch);
    this.#j = e.axis(1, sizes.hidden);
  }

  #index(gates: number, gate: number): Expr {
    const { hidden } = this.#sizes;
    const row = e.mul(this.#b, e.int(gates * hidden));
    return e.add(e.add(row, this.#j), e.int(gate * hidden));
  }

  /** Gates of an array `[B, gates · H]`. */
  read(place: SequenceArgument, gates = 1): Expr[] {
    const slot = this.#inputs.push({ dtype: this.#sizes.dtype }) - 1;
    this.#arguments.push(place);
    return Array.from(
      { length: gates },
      (_, g) => e.load(slot, this.#sizes.dtype, this.#index(gates, g)),
    );
  }

  /** Writes the gates of an array `[B, gates · H]`. */
  write(place: SequenceArgument, values: readonly Expr[]): void {
    for (const [gate, value] of values.entries()) {
      this.#outputs.push({
        dtype: this.#sizes.dtype,
        value,
        index: this.#index(values.length, gate),
      });
      this.#outputArguments.push(place);
    }
  }

  step(label: string): SequenceStep {
    const { batch, hidden } = this.#sizes;
    const kernel: MapKernel = {
      kind: "map",
      shape: [batch, hidden],
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
    return { kernel, label, arguments: [...this.#arguments, ...this.#outputArguments] };
  }
}

/** `[B, K] · [K, N]` with an epilogue; the weight is `[N, K]` or, transposed, `[K, N]`. */
export function product(
  { batch, dtype }: Sizes,
  n: number,
  k: number,
  transposed: boolean,
  epilogue: (acc: Expr, element: Expr, column: Expr) => Expr,
  extra: number,
): ContractKernel {
  const row = e.axis(0, batch), column = e.axis(1, n), inner = e.axis(2, k);
  const element = e.add(e.mul(row, e.int(n)), column);
  const weight = transposed
    ? e.add(e.mul(inner, e.int(n)), column)
    : e.add(e.mul(column, e.int(k)), inner);
  return {
    kind: "contract",
    batch: [],
    m: [batch],
    n: [n],
    k: [k],
    inputs: Array.from({ length: 2 + extra }, () => ({ dtype })),
    a: e.load(0, dtype, e.add(e.mul(row, e.int(k)), inner)),
    b: e.load(1, dtype, weight),
    dtype,
    outputs: [{ dtype, value: epilogue(e.acc(0, dtype), element, column), index: element }],
    convolution: undefined,
  };
}

/** Copies a state to the same place of another array over time: the first, or element `offset` on. */
export function copyStep(
  { batch, hidden, dtype }: Sizes,
  from: number,
  to: number,
  offset = 0,
): SequenceStep {
  const index = e.axis(0, batch * hidden);
  const kernel: MapKernel = {
    kind: "map",
    shape: [batch * hidden],
    inputs: [{ dtype }],
    outputs: [{ dtype, value: e.load(0, dtype, index), index: undefined }],
  };
  const places = [argument(from, offset), argument(to, offset)];
  return { kernel, label: "initial state", arguments: places };
}

/** Starts a gradient at zero. */
export function zeroStep({ batch, hidden, dtype }: Sizes, to: number): SequenceStep {
  const outputs = [{ dtype, value: e.constant(0, dtype), index: undefined }];
  const kernel: MapKernel = { kind: "map", shape: [batch * hidden], inputs: [], outputs };
  return { kernel, label: "zero", arguments: [argument(to)] };
}

/** Places of round r in arrays over time, forward and backward. */
export class Times {
  readonly #sizes: Sizes;

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
  }

  /** Time step r of an array `[T(+1), B, width · H]`, moved by `shift` steps. */
  forward(array: number, width = 1, shift = 0): SequenceArgument {
    const stride = this.#sizes.batch * this.#sizes.hidden * width;
    return argument(array, shift * stride, stride);
  }

  /** Time step T − 1 − r. */
  backward(array: number, width = 1, shift = 0): SequenceArgument {
    const stride = this.#sizes.batch * this.#sizes.hidden * width;
    return argument(array, (this.#sizes.steps - 1 + shift) * stride, -stride);
  }
}

/** Logistic function. */
export function sigmoid(x: Expr): Expr {
  const one = e.constant(1, x.dtype);
  return e.div(one, e.add(one, e.call("exp", [e.call("neg", [x])])));
}

/** `1 − x`. */
export function oneMinus(x: Expr): Expr {
  return e.sub(e.constant(1, x.dtype), x);
}

/** Slope of the logistic function, from its value. */
export function slope(y: Expr): Expr {
  return e.mul(y, oneMinus(y)); // of the logistic function, from its value
}

/** Slope of the hyperbolic tangent, from its value. */
export function tanhSlope(y: Expr): Expr {
  return oneMinus(e.mul(y, y));
}

/** Shape of an array over time steps. */
export function over(sizes: Sizes, width: number): readonly number[] {
  return [sizes.steps, sizes.batch, width * sizes.hidden];
}

/** Shape of all states, the initial one first. */
export function states(sizes: Sizes): readonly number[] {
  return [sizes.steps + 1, sizes.batch, sizes.hidden];
}

/** Gradient of an initial state: what came through the first step, and what arrived at it directly. */
export function initialGradient(
  sizes: Sizes,
  triples: readonly (readonly [number, number, number])[],
): SequenceStep[] {
  return triples.map(([direct, through, target]) => {
    const cell = new CellKernel(sizes);
    const [a] = cell.read(argument(direct)) as [Expr];
    const [b] = cell.read(argument(through)) as [Expr];
    cell.write(argument(target), [e.add(a, b)]);
    return cell.step("initial gradient");
  });
}

/** Refuses sizes that do not agree. */
export function checkRecurrent(
  op: string,
  gates: number,
  projected: Tensor,
  h0: Tensor,
  weight: Tensor,
): void {
  const [batch, hidden] = h0.shape as [number, number];
  const fits = projected.ndim === 3 && h0.ndim === 2 && weight.ndim === 2 &&
    projected.shape[1] === batch && projected.shape[2] === gates * hidden &&
    weight.shape[0] === gates * hidden && weight.shape[1] === hidden;
  if (!fits) {
    throw new ShapeError(op, `expects [T, B, ${gates}H], [B, H] and [${gates}H, H]`, {
      projected: projected.shape,
      hidden: h0.shape,
      weight: weight.shape,
    });
  }
}
