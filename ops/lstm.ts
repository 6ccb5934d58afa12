/** LSTM layers over whole sequences. */
import type { GradientContext } from "./autograd.ts";
import { checkSameDtype } from "./check.ts";
import { contract } from "./contract_kernel.ts";
import { isGradEnabled } from "./grad_mode.ts";
import type { SequenceStep } from "./ir/graph.ts";
import { cellGradientStep, cellStep, gatesStep } from "./lstm_cell.ts";
import { lstmGradient } from "./lstm_operations.ts";
import { projectedLstmSequence } from "./lstm_projected.ts";
import {
  argument,
  checkRecurrent,
  copyStep,
  initialGradient,
  over,
  product,
  sizesOf,
  states,
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
    const gateProduct = gatesStep(sizes, hidden, [
      at.forward(hs),
      argument(w),
      at.forward(xW, 4),
      at.forward(gates, 4),
    ]);
    const cell = cellStep(sizes, {
      gates: at.forward(gates, 4),
      before: at.forward(cs),
      after: at.forward(cs, 1, 1),
      state: at.forward(hs, 1, 1),
    });
    return {
      blocks: [
        { count: 1, steps: [copyStep(sizes, h, hs), copyStep(sizes, c, cs)] },
        { count: sizes.steps, steps: [gateProduct, cell] },
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
    if (isGradEnabled()) return lstmGradient(c);
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
    const cell = cellGradientStep(sizes, {
      gates: at.backward(gates, 4),
      before: at.backward(cs),
      after: at.backward(cs, 1, 1),
      dStates: [at.backward(dhs, 1, 1), argument(dh)],
      dAfter: at.backward(dcs, 1, 1),
      dCell: argument(dc),
      dGates: at.backward(dGates, 4),
    });
    const back: SequenceStep = {
      kernel: product(sizes, hidden, 4 * hidden, true, (acc) => acc, 0),
      label: "state gradient",
      arguments: [at.backward(dGates, 4), argument(w), argument(dh)],
    };
    return {
      blocks: [
        { count: 1, steps: [zeroStep(sizes, dh), zeroStep(sizes, dc)] },
        { count: sizes.steps, steps: [cell, back] },
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
 * weight `[4H, H]`. Results: all states `[T + 1, B, H]`, the initial ones first. With a projection
 * `[P, H]` of the hidden state (Sak et al. 2014), h0 is `[B, P]`, the weight `[4H, P]`, and hidden
 * states have P elements.
 *
 * @returns Hidden states and cell states.
 * @throws {ShapeError} If sizes do not agree.
 */
export function lstmSequence(
  projected: Tensor,
  h0: Tensor,
  c0: Tensor,
  weight: Tensor,
  projection?: Tensor | undefined,
): [Tensor, Tensor] {
  checkSameDtype("lstmSequence", projected, h0, c0, weight);
  if (projection) return projectedLstmSequence(projected, h0, c0, weight, projection);
  checkRecurrent("lstmSequence", 4, projected, h0, weight);
  const [hs, cs] = applySequence(LSTM, [projected, h0, c0, weight], null);
  return [hs!, cs!];
}
