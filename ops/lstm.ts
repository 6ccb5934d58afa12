/** LSTM layers over whole sequences. */
import type { GradientContext } from "./autograd.ts";
import { contract } from "./contract_kernel.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { SequenceStep } from "./ir/graph.ts";
import {
  argument,
  CellKernel,
  checkRecurrent,
  copyStep,
  initialGradient,
  over,
  product,
  sigmoid,
  sizesOf,
  slope,
  states,
  tanhSlope,
  Times,
  zeroStep,
} from "./recurrent_kernels.ts";
import { applySequence, type SequenceDefinition } from "./sequence.ts";
import type { Tensor } from "./tensor.ts";

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

/** Σ over time and batch of dGates · h, one product. */
function weightGradient(c: GradientContext<null>, dGates: Tensor): Tensor | undefined {
  if (!c.needs(3)) return undefined;
  const before = c.output(0).slice(0, 0, dGates.shape[0]!);
  return contract(dGates, before, "tbg", "tbh", "gh");
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
