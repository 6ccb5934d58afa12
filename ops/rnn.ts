/** Elman layers over whole sequences. */
import { checkSameDtype } from "./check.ts";
import { contract } from "./contract_kernel.ts";
import type { Attribute } from "./define.ts";
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
  sizesOf,
  states,
  tanhSlope,
  Times,
  zeroStep,
} from "./recurrent_kernels.ts";
import { applySequence, type SequenceDefinition } from "./sequence.ts";
import type { Tensor } from "./tensor.ts";

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
  checkSameDtype("rnnSequence", projected, h0, weight);
  checkRecurrent("rnnSequence", 1, projected, h0, weight);
  return applySequence(RNN, [projected, h0, weight], { nonlinearity })[0]!;
}
