/** LSTM layers whose hidden state is projected (Sak et al. 2014), over whole sequences. */
import type { GradientContext } from "./autograd.ts";
import { ShapeError } from "./check.ts";
import { contract } from "./contract_kernel.ts";
import { isGradEnabled } from "./grad_mode.ts";
import * as e from "./ir/expr.ts";
import type { SequenceStep } from "./ir/graph.ts";
import { cellGradientStep, cellStep, gatesStep } from "./lstm_cell.ts";
import { lstmGradient } from "./lstm_operations.ts";
import {
  argument,
  copyStep,
  initialGradient,
  over,
  product,
  type Sizes,
  sizesOf,
  states,
  Times,
  zeroStep,
} from "./recurrent_kernels.ts";
import { applySequence, type SequenceDefinition } from "./sequence.ts";
import type { Tensor } from "./tensor.ts";

/** Sizes of the cell, of H units, and of the state, of P. */
function bothSizes(projected: Tensor, cell: Tensor, projection: Tensor): [Sizes, Sizes] {
  const sizes = sizesOf(cell, projected);
  return [sizes, { ...sizes, hidden: projection.shape[0]! }];
}

/**
 * Inputs xW [T, B, 4H], h0 [B, P], c0 [B, H], Whh [4H, P], Whr [P, H]; arrays hs [T + 1, B, P],
 * cs [T + 1, B, H], gates [T, B, 4H], and the state before it is projected [B, H].
 */
const PROJECTED_LSTM: SequenceDefinition<null> = {
  name: "projectedLstm",
  lower([projected, , c0, , projection]) {
    const [sizes, small] = bothSizes(projected!, c0!, projection!);
    const { dtype, hidden } = sizes, size = small.hidden;
    const at = new Times(sizes), state = new Times(small);
    const [xW, h, c, w, p, hs, cs, gates, wide] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
    const gateProduct = gatesStep(sizes, size, [
      state.forward(hs),
      argument(w),
      at.forward(xW, 4),
      at.forward(gates, 4),
    ]);
    const cell = cellStep(sizes, {
      gates: at.forward(gates, 4),
      before: at.forward(cs),
      after: at.forward(cs, 1, 1),
      state: argument(wide),
    });
    const project: SequenceStep = {
      kernel: product(sizes, size, hidden, false, (acc) => acc, 0),
      label: "projection",
      arguments: [argument(wide), argument(p), state.forward(hs, 1, 1)],
    };
    return {
      blocks: [
        { count: 1, steps: [copyStep(small, h, hs), copyStep(sizes, c, cs)] },
        { count: sizes.steps, steps: [gateProduct, cell, project] },
      ],
      arrays: [
        { dtype, shape: states(small) },
        { dtype, shape: states(sizes) },
        { dtype, shape: over(sizes, 4) },
        { dtype, shape: [sizes.batch, hidden], scratch: true },
      ],
    };
  },
  saves: "both",
  gradient: (c) => {
    if (isGradEnabled()) return lstmGradient(c);
    const operands = [c.input(3), c.input(4), c.output(1), c.output(2), c.grad(0), c.grad(1)];
    const [dGates, dHs, dc0] = applySequence(BACKWARD, operands, null) as [Tensor, Tensor, Tensor];
    return [dGates, dHs.select(0, 0), dc0, ...weightGradients(c, dGates, dHs)];
  },
};

/**
 * Inputs Whh, Whr, cs, gates, dhs, dcs; arrays dGates [T, B, 4H], the whole gradient of each state
 * [T + 1, B, P], the gradient of c0, and of the state before projection and of the cell [B, H].
 */
const BACKWARD: SequenceDefinition<null> = {
  name: "projectedLstmBackward",
  lower([, projection, csInput, gatesInput]) {
    const [sizes, small] = bothSizes(gatesInput!, csInput!.select(0, 0), projection!);
    const { dtype, hidden, steps, batch } = sizes, size = small.hidden;
    const at = new Times(sizes), state = new Times(small);
    const [w, p, cs, gates, dhs, dcs] = [0, 1, 2, 3, 4, 5] as const;
    const [dGates, dHs, dc0, wide, dc] = [6, 7, 8, 9, 10] as const;
    const unproject: SequenceStep = {
      kernel: product(sizes, hidden, size, true, (acc) => acc, 0),
      label: "unprojected gradient",
      arguments: [state.backward(dHs, 1, 1), argument(p), argument(wide)],
    };
    const cell = cellGradientStep(sizes, {
      gates: at.backward(gates, 4),
      before: at.backward(cs),
      after: at.backward(cs, 1, 1),
      dStates: [argument(wide)],
      dAfter: at.backward(dcs, 1, 1),
      dCell: argument(dc),
      dGates: at.backward(dGates, 4),
    });
    const back: SequenceStep = {
      kernel: product(
        sizes,
        size,
        4 * hidden,
        true,
        (acc, i) => e.add(acc, e.load(2, dtype, i)),
        1,
      ),
      label: "state gradient",
      arguments: [
        at.backward(dGates, 4),
        argument(w),
        state.backward(dhs),
        state.backward(dHs),
      ],
    };
    const last = steps * batch * size;
    return {
      blocks: [
        { count: 1, steps: [copyStep(small, dhs, dHs, last), zeroStep(sizes, dc)] },
        { count: steps, steps: [unproject, cell, back] },
        { count: 1, steps: initialGradient(sizes, [[dcs, dc, dc0]]) },
      ],
      arrays: [
        { dtype, shape: over(sizes, 4) },
        { dtype, shape: states(small) },
        { dtype, shape: [batch, hidden] },
        { dtype, shape: [batch, hidden], scratch: true },
        { dtype, shape: [batch, hidden], scratch: true },
      ],
    };
  },
};

/** Σ over time and batch of dGates · h, and of the states' gradients and the states not projected. */
function weightGradients(
  c: GradientContext<null>,
  dGates: Tensor,
  dHs: Tensor,
): (Tensor | undefined)[] {
  const steps = dGates.size(0), hidden = c.output(1).size(2);
  const before = c.output(0).slice(0, 0, steps);
  const wide = () => {
    const o = c.output(2).slice(2, 3 * hidden);
    return o.mul(c.output(1).slice(0, 1).tanh());
  };
  return [
    c.needs(3) ? contract(dGates, before, "tbg", "tbh", "gh") : undefined,
    c.needs(4) ? contract(dHs.slice(0, 1), wide(), "tbp", "tbh", "ph") : undefined,
  ];
}

/** All states `[T + 1, B, P]` and cell states `[T + 1, B, H]` of an LSTM with projection. */
export function projectedLstmSequence(
  projected: Tensor,
  h0: Tensor,
  c0: Tensor,
  weight: Tensor,
  projection: Tensor,
): [Tensor, Tensor] {
  const [batch, hidden] = c0.shape as [number, number];
  const size = projection.shape[0]!;
  const has = (x: Tensor, ...shape: number[]) => x.shape.join() === shape.join();
  const fits = c0.ndim === 2 && has(projected, projected.shape[0]!, batch, 4 * hidden) &&
    has(h0, batch, size) && has(weight, 4 * hidden, size) && has(projection, size, hidden);
  if (!fits) {
    const shapes = { projected, h0, c0, weight, projection };
    throw new ShapeError(
      "lstmSequence",
      "expects [T, B, 4H], [B, P], [B, H], [4H, P] and [P, H]",
      Object.fromEntries(Object.entries(shapes).map(([name, x]) => [name, x.shape])),
    );
  }
  const inputs = [projected, h0, c0, weight, projection];
  const [hs, cs] = applySequence(PROJECTED_LSTM, inputs, null);
  return [hs!, cs!];
}
