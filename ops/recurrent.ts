/**
 * Recurrent layers over whole sequences. The input's part of the gates is one matrix product before;
 * a sequence then runs one matrix product and one elementwise kernel per time step, forward and
 * backward; the weight's gradient is one matrix product after.
 */
import { ShapeError } from "./check.ts";
import { contract } from "./contract_kernel.ts";
import type { GradientContext } from "./autograd.ts";
import type { Attribute } from "./define.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { SequenceArgument, SequenceStep } from "./ir/graph.ts";
import type { ContractKernel, KernelOutput, MapKernel } from "./ir/kernel.ts";
import { applySequence, type SequenceDefinition } from "./sequence.ts";
import type { Tensor } from "./tensor.ts";

/** Sizes of a recurrent layer. */
interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  readonly dtype: DType;
}

function sizesOf(hidden: Tensor, projected: Tensor): Sizes {
  const [batch, size] = hidden.shape as [number, number];
  return { steps: projected.shape[0]!, batch, hidden: size, dtype: hidden.dtype };
}

function argument(array: number, offset = 0, stride = 0): SequenceArgument {
  return { array, offset, stride };
}

/** `[B, H]` kernel; loads take the unit's own position, or that of one of its gates. */
class CellKernel {
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
function product(
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

function copyStep({ batch, hidden, dtype }: Sizes, from: number, to: number): SequenceStep {
  const index = e.axis(0, batch * hidden);
  const kernel: MapKernel = {
    kind: "map",
    shape: [batch * hidden],
    inputs: [{ dtype }],
    outputs: [{ dtype, value: e.load(0, dtype, index), index: undefined }],
  };
  return { kernel, label: "initial state", arguments: [argument(from), argument(to)] };
}

function zeroStep({ batch, hidden, dtype }: Sizes, to: number): SequenceStep {
  const outputs = [{ dtype, value: e.constant(0, dtype), index: undefined }];
  const kernel: MapKernel = { kind: "map", shape: [batch * hidden], inputs: [], outputs };
  return { kernel, label: "zero", arguments: [argument(to)] };
}

/** Places of round r in arrays over time, forward and backward. */
class Times {
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

function sigmoid(x: Expr): Expr {
  const one = e.constant(1, x.dtype);
  return e.div(one, e.add(one, e.call("exp", [e.call("neg", [x])])));
}

function oneMinus(x: Expr): Expr {
  return e.sub(e.constant(1, x.dtype), x);
}

function slope(y: Expr): Expr {
  return e.mul(y, oneMinus(y)); // of the logistic function, from its value
}

function tanhSlope(y: Expr): Expr {
  return oneMinus(e.mul(y, y));
}

function over(sizes: Sizes, width: number): readonly number[] {
  return [sizes.steps, sizes.batch, width * sizes.hidden];
}

function states(sizes: Sizes): readonly number[] {
  return [sizes.steps + 1, sizes.batch, sizes.hidden];
}

// ------------------------------------------------------------------------------------------- LSTM

/** Inputs xW [T, B, 4H], h0, c0 [B, H], Whh [4H, H]; arrays hs, cs [T + 1, B, H], gates [T, B, 4H]. */
const LSTM: SequenceDefinition<null> = {
  name: "lstm",
  lower([projected, h0]) {
    const sizes = sizesOf(h0!, projected!);
    const { dtype, hidden } = sizes;
    const at = new Times(sizes);
    const [xW, h, c, w, hs, cs, gates] = [0, 1, 2, 3, 4, 5, 6] as const;
    const gateProduct: SequenceStep = {
      kernel: product(
        sizes,
        4 * hidden,
        hidden,
        false,
        (acc, i) => e.add(acc, e.load(2, dtype, i)),
        1,
      ),
      label: "gates",
      arguments: [at.forward(hs), argument(w), at.forward(xW, 4), at.forward(gates, 4)],
    };
    const cell = new CellKernel(sizes);
    const [i, f, g, o] = cell.read(at.forward(gates, 4), 4).map((x, k) =>
      k === 2 ? e.call("tanh", [x]) : sigmoid(x)
    ) as [Expr, Expr, Expr, Expr];
    const [before] = cell.read(at.forward(cs)) as [Expr];
    const after = e.add(e.mul(f, before), e.mul(i, g));
    cell.write(at.forward(gates, 4), [i, f, g, o]);
    cell.write(at.forward(cs, 1, 1), [after]);
    cell.write(at.forward(hs, 1, 1), [e.mul(o, e.call("tanh", [after]))]);
    return {
      blocks: [
        { count: 1, steps: [copyStep(sizes, h, hs), copyStep(sizes, c, cs)] },
        { count: sizes.steps, steps: [gateProduct, cell.step("cell")] },
      ],
      arrays: [
        { dtype, shape: states(sizes) },
        { dtype, shape: states(sizes) },
        { dtype, shape: over(sizes, 4) },
      ],
    };
  },
  saves: "both",
  gradient: (c) => {
    const [dGates, dh0, dc0] = applySequence(LSTM_BACKWARD, [
      c.input(3),
      c.output(0),
      c.output(1),
      c.output(2),
      c.grad(0),
      c.grad(1),
    ], null);
    return [dGates, dh0, dc0, weightGradient(c, dGates!)];
  },
};

/** Σ over time and batch of dGates · h, one product. */
function weightGradient(c: GradientContext<null>, dGates: Tensor): Tensor | undefined {
  if (!c.needs(3)) return undefined;
  const before = c.output(0).slice(0, 0, dGates.shape[0]!);
  return contract(dGates, before, "tbg", "tbh", "gh");
}

/** Inputs Whh, hs, cs, gates, dhs, dcs; arrays dGates [T, B, 4H], dh, dc [B, H]. */
const LSTM_BACKWARD: SequenceDefinition<null> = {
  name: "lstmBackward",
  lower([_w, hs, _cs, gatesInput]) {
    const sizes = sizesOf(hs!.select(0, 0), gatesInput!);
    const { dtype, hidden } = sizes;
    const at = new Times(sizes);
    const [w, , cs, gates, dhs, dcs, dGates, dh, dc] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
    const cell = new CellKernel(sizes);
    const [i, f, g, o] = cell.read(at.backward(gates, 4), 4) as [Expr, Expr, Expr, Expr];
    const [before] = cell.read(at.backward(cs)) as [Expr];
    const [after] = cell.read(at.backward(cs, 1, 1)) as [Expr];
    const [dhOut] = cell.read(at.backward(dhs, 1, 1)) as [Expr];
    const [dcOut] = cell.read(at.backward(dcs, 1, 1)) as [Expr];
    const [dhNext] = cell.read(argument(dh)) as [Expr];
    const [dcNext] = cell.read(argument(dc)) as [Expr];
    const squashed = e.call("tanh", [after]);
    const dH = e.add(dhOut, dhNext);
    const dC = e.add(e.add(dcOut, dcNext), e.mul(e.mul(dH, o), tanhSlope(squashed)));
    cell.write(at.backward(dGates, 4), [
      e.mul(e.mul(dC, g), slope(i)),
      e.mul(e.mul(dC, before), slope(f)),
      e.mul(e.mul(dC, i), tanhSlope(g)),
      e.mul(e.mul(dH, squashed), slope(o)),
    ]);
    cell.write(argument(dc), [e.mul(dC, f)]);
    const back: SequenceStep = {
      kernel: product(sizes, hidden, 4 * hidden, true, (acc) => acc, 0),
      label: "state gradient",
      arguments: [at.backward(dGates, 4), argument(w), argument(dh)],
    };
    return {
      blocks: [
        { count: 1, steps: [zeroStep(sizes, dh), zeroStep(sizes, dc)] },
        { count: sizes.steps, steps: [cell.step("cell gradient"), back] },
        { count: 1, steps: initialGradient(sizes, [[dhs, dh, 9], [dcs, dc, 10]]) },
      ],
      arrays: [
        { dtype, shape: over(sizes, 4) },
        { dtype, shape: [sizes.batch, hidden], scratch: true },
        { dtype, shape: [sizes.batch, hidden], scratch: true },
        { dtype, shape: [sizes.batch, hidden] },
        { dtype, shape: [sizes.batch, hidden] },
      ],
    };
  },
};

/** Gradient of an initial state: what came through the first step, and what arrived at it directly. */
function initialGradient(
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

// -------------------------------------------------------------------------------------------- GRU

/** Inputs xW [T, B, 3H], h0 [B, H], Whh [3H, H], bhh [3H]; arrays hs, gates [T, B, 3H], hn [T, B, H]. */
const GRU: SequenceDefinition<null> = {
  name: "gru",
  lower([projected, h0]) {
    const sizes = sizesOf(h0!, projected!);
    const { dtype, hidden, batch } = sizes;
    const at = new Times(sizes);
    const [xW, h, w, bias, hs, gates, hn, hW] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
    const stateProduct: SequenceStep = {
      kernel: product(
        sizes,
        3 * hidden,
        hidden,
        false,
        (acc, _, column) => e.add(acc, e.load(2, dtype, column)),
        1,
      ),
      label: "state product",
      arguments: [at.forward(hs), argument(w), argument(bias), argument(hW)],
    };
    const cell = new CellKernel(sizes);
    const [xr, xz, xn] = cell.read(at.forward(xW, 3), 3) as [Expr, Expr, Expr];
    const [hr, hz, hN] = cell.read(argument(hW), 3) as [Expr, Expr, Expr];
    const [before] = cell.read(at.forward(hs)) as [Expr];
    const r = sigmoid(e.add(xr, hr)), z = sigmoid(e.add(xz, hz));
    const n = e.call("tanh", [e.add(xn, e.mul(r, hN))]);
    cell.write(at.forward(gates, 3), [r, z, n]);
    cell.write(at.forward(hn), [hN]);
    cell.write(at.forward(hs, 1, 1), [e.add(n, e.mul(z, e.sub(before, n)))]);
    return {
      blocks: [
        { count: 1, steps: [copyStep(sizes, h, hs)] },
        { count: sizes.steps, steps: [stateProduct, cell.step("cell")] },
      ],
      arrays: [
        { dtype, shape: states(sizes) },
        { dtype, shape: over(sizes, 3) },
        { dtype, shape: over(sizes, 1) },
        { dtype, shape: [batch, 3 * hidden], scratch: true },
      ],
    };
  },
  saves: "both",
  gradient: (c) => {
    const [dxW, dhW, dh0] = applySequence(GRU_BACKWARD, [
      c.input(2),
      c.output(0),
      c.output(1),
      c.output(2),
      c.grad(0),
    ], null);
    const before = c.output(0).slice(0, 0, dhW!.shape[0]!);
    return [
      dxW,
      dh0,
      c.needs(2) ? contract(dhW!, before, "tbg", "tbh", "gh") : undefined,
      c.needs(3) ? dhW!.sum([0, 1]) : undefined,
    ];
  },
};

/** Inputs Whh, hs, gates, hn, dhs; arrays dxW, dhW [T, B, 3H], dh0 [B, H]. */
const GRU_BACKWARD: SequenceDefinition<null> = {
  name: "gruBackward",
  lower([_w, hsInput, gatesInput]) {
    const sizes = sizesOf(hsInput!.select(0, 0), gatesInput!);
    const { dtype, hidden, batch } = sizes;
    const at = new Times(sizes);
    const [w, hs, gates, hn, dhs, dxW, dhW, dh0, dh, kept] = [
      0,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      9,
    ] as const;
    const cell = new CellKernel(sizes);
    const [r, z, n] = cell.read(at.backward(gates, 3), 3) as [Expr, Expr, Expr];
    const [hN] = cell.read(at.backward(hn)) as [Expr];
    const [before] = cell.read(at.backward(hs)) as [Expr];
    const [dhOut] = cell.read(at.backward(dhs, 1, 1)) as [Expr];
    const [dhNext] = cell.read(argument(dh)) as [Expr];
    const dH = e.add(dhOut, dhNext);
    const dN = e.mul(e.mul(dH, oneMinus(z)), tanhSlope(n));
    const dZ = e.mul(e.mul(dH, e.sub(before, n)), slope(z));
    const dR = e.mul(e.mul(dN, hN), slope(r));
    cell.write(at.backward(dxW, 3), [dR, dZ, dN]);
    cell.write(at.backward(dhW, 3), [dR, dZ, e.mul(dN, r)]);
    cell.write(argument(kept), [e.mul(dH, z)]);
    const back: SequenceStep = {
      kernel: product(
        sizes,
        hidden,
        3 * hidden,
        true,
        (acc, i) => e.add(acc, e.load(2, dtype, i)),
        1,
      ),
      label: "state gradient",
      arguments: [at.backward(dhW, 3), argument(w), argument(kept), argument(dh)],
    };
    return {
      blocks: [
        { count: 1, steps: [zeroStep(sizes, dh)] },
        { count: sizes.steps, steps: [cell.step("cell gradient"), back] },
        { count: 1, steps: initialGradient(sizes, [[dhs, dh, dh0]]) },
      ],
      arrays: [
        { dtype, shape: over(sizes, 3) },
        { dtype, shape: over(sizes, 3) },
        { dtype, shape: [batch, hidden] },
        { dtype, shape: [batch, hidden], scratch: true },
        { dtype, shape: [batch, hidden], scratch: true },
      ],
    };
  },
};

// -------------------------------------------------------------------------------------------- RNN

interface RnnAttributes {
  readonly [name: string]: Attribute;
  readonly nonlinearity: "tanh" | "relu";
}

/** Inputs xW [T, B, H], h0 [B, H], Whh [H, H]; array hs [T + 1, B, H]. */
const RNN: SequenceDefinition<RnnAttributes> = {
  name: "rnn",
  lower([projected, h0], { nonlinearity }) {
    const sizes = sizesOf(h0!, projected!);
    const { dtype, hidden } = sizes;
    const at = new Times(sizes);
    const activate = (x: Expr): Expr =>
      nonlinearity === "tanh" ? e.call("tanh", [x]) : e.call("max", [x, e.constant(0, dtype)]);
    const step: SequenceStep = {
      kernel: product(
        sizes,
        hidden,
        hidden,
        false,
        (acc, i) => activate(e.add(acc, e.load(2, dtype, i))),
        1,
      ),
      label: "cell",
      arguments: [at.forward(3), argument(2), at.forward(0), at.forward(3, 1, 1)],
    };
    return {
      blocks: [{ count: 1, steps: [copyStep(sizes, 1, 3)] }, { count: sizes.steps, steps: [step] }],
      arrays: [{ dtype, shape: states(sizes) }],
    };
  },
  saves: "both",
  gradient: (c) => {
    const inputs = [c.input(2), c.output(0), c.grad(0)];
    const [dxW, dh0] = applySequence(RNN_BACKWARD, inputs, c.attributes);
    const before = c.output(0).slice(0, 0, dxW!.shape[0]!);
    return [dxW, dh0, c.needs(2) ? contract(dxW!, before, "tbg", "tbh", "gh") : undefined];
  },
};

/** Inputs Whh, hs, dhs; arrays dxW [T, B, H], dh0 [B, H]. */
const RNN_BACKWARD: SequenceDefinition<RnnAttributes> = {
  name: "rnnBackward",
  lower([_w, hs], { nonlinearity }) {
    const [slots, batch, hidden] = hs!.shape as [number, number, number];
    const sizes = { steps: slots - 1, batch, hidden, dtype: hs!.dtype };
    const { dtype } = sizes;
    const at = new Times(sizes);
    const cell = new CellKernel(sizes);
    const [h] = cell.read(at.backward(1, 1, 1)) as [Expr];
    const [dhOut] = cell.read(at.backward(2, 1, 1)) as [Expr];
    const [dhNext] = cell.read(argument(5)) as [Expr];
    const dH = e.add(dhOut, dhNext);
    const zero = e.constant(0, dtype);
    const through = nonlinearity === "tanh"
      ? e.mul(dH, tanhSlope(h))
      : e.select(e.lt(zero, h), dH, zero);
    cell.write(at.backward(3), [through]);
    const back: SequenceStep = {
      kernel: product(sizes, hidden, hidden, true, (acc) => acc, 0),
      label: "state gradient",
      arguments: [at.backward(3), argument(0), argument(5)],
    };
    return {
      blocks: [
        { count: 1, steps: [zeroStep(sizes, 5)] },
        { count: sizes.steps, steps: [cell.step("cell gradient"), back] },
        { count: 1, steps: initialGradient(sizes, [[2, 5, 4]]) },
      ],
      arrays: [
        { dtype, shape: over(sizes, 1) },
        { dtype, shape: [batch, hidden] },
        { dtype, shape: [batch, hidden], scratch: true },
      ],
    };
  },
};

function checkRecurrent(
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

/**
 * One direction of an LSTM layer (Hochreiter & Schmidhuber 1997) over a whole sequence, gates in
 * PyTorch's order i, f, g, o.
 *
 * Shapes: projected `[T, B, 4H]` is the input times its weight plus both biases; h0, c0 `[B, H]`;
 * weight `[4H, H]`. Results: all states `[T + 1, B, H]`, the initial ones first.
 *
 * @returns Hidden states and cell states.
 * @throws {ShapeError} If sizes do not agree.
 */
export function lstmSequence(
  projected: Tensor,
  h0: Tensor,
  c0: Tensor,
  weight: Tensor,
): [Tensor, Tensor] {
  checkRecurrent("lstmSequence", 4, projected, h0, weight);
  const [hs, cs] = applySequence(LSTM, [projected, h0, c0, weight], null);
  return [hs!, cs!];
}

/**
 * One direction of a GRU layer (Cho et al. 2014, PyTorch's form with the reset gate inside) over a
 * whole sequence, gates in the order r, z, n.
 *
 * Shapes: projected `[T, B, 3H]` is the input times its weight plus its bias; h0 `[B, H]`; weight
 * `[3H, H]`, bias `[3H]` of the state. Result: all states `[T + 1, B, H]`.
 *
 * @throws {ShapeError} If sizes do not agree.
 */
export function gruSequence(projected: Tensor, h0: Tensor, weight: Tensor, bias: Tensor): Tensor {
  checkRecurrent("gruSequence", 3, projected, h0, weight);
  return applySequence(GRU, [projected, h0, weight, bias], null)[0]!;
}

/**
 * One direction of an Elman layer over a whole sequence.
 *
 * Shapes: projected `[T, B, H]` is the input times its weight plus both biases; h0 `[B, H]`; weight
 * `[H, H]`. Result: all states `[T + 1, B, H]`.
 *
 * @throws {ShapeError} If sizes do not agree.
 */
export function rnnSequence(
  projected: Tensor,
  h0: Tensor,
  weight: Tensor,
  nonlinearity: "tanh" | "relu" = "tanh",
): Tensor {
  checkRecurrent("rnnSequence", 1, projected, h0, weight);
  return applySequence(RNN, [projected, h0, weight], { nonlinearity })[0]!;
}
