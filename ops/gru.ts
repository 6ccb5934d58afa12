/** GRU layers over whole sequences. */
import { checkSameDtype } from "./check.ts";
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
  oneMinus,
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
  checkSameDtype("gruSequence", projected, h0, weight, bias);
  checkRecurrent("gruSequence", 3, projected, h0, weight);
  return applySequence(GRU, [projected, h0, weight, bias], null)[0]!;
}
