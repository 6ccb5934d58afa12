/** The gradient of an LSTM in single operations, which have gradients themselves. */
import type { GradientContext } from "./autograd.ts";
import { contract } from "./contract_kernel.ts";
import { matmul } from "./contract.ts";
import { cat, stack } from "./join.ts";
import { zerosLike } from "./create.ts";
import type { Tensor } from "./tensor.ts";

/** One time step: the values of its gates, the cell state, and the state before projection. */
interface Moment {
  readonly gates: readonly [Tensor, Tensor, Tensor, Tensor];
  readonly before: Tensor;
  readonly squashed: Tensor;
  readonly wide: Tensor;
}

type LstmInputs = readonly [
  xW: Tensor,
  h0: Tensor,
  c0: Tensor,
  w: Tensor,
  projection: Tensor | undefined,
];

/** States `[B, P]` from the first on, and what each step computed. */
function course([xW, h0, c0, w, projection]: LstmInputs): { hs: Tensor[]; moments: Moment[] } {
  const hs = [h0], moments: Moment[] = [];
  let before = c0;
  for (let t = 0; t < xW.size(0); t++) {
    const sums = xW.select(0, t).add(matmul(hs[t]!, w.T)); // [B, 4H]
    const [i, f, g, o] = sums.chunk(4, 1).map((x, k) => k === 2 ? x.tanh() : x.sigmoid()) as [
      ...Moment["gates"],
    ];
    const after = f.mul(before).add(i.mul(g));
    const squashed = after.tanh(), wide = o.mul(squashed);
    moments.push({ gates: [i, f, g, o], before, squashed, wide });
    hs.push(projection ? matmul(wide, projection.T) : wide);
    before = after;
  }
  return { hs, moments };
}

/**
 * Gradients of xW `[T, B, 4H]`, h0 `[B, P]`, c0 `[B, H]`, the weight `[4H, P]` and, where there is one,
 * the projection `[P, H]`, from those of all states `[T + 1, B, P]` and cells `[T + 1, B, H]`.
 */
export function lstmGradient(c: GradientContext<null>): Tensor[] {
  const [w, projection] = [c.input(3), c.inputs > 4 ? c.input(4) : undefined];
  const c0 = c.input(2), inputs: LstmInputs = [c.input(0), c.input(1), c0, w, projection];
  const dhs = c.grad(0), dcs = c.grad(1);
  const { hs, moments } = course(inputs);
  const steps = moments.length;
  const dGates: Tensor[] = new Array(steps), dHs: Tensor[] = new Array(steps + 1);
  dHs[steps] = dhs.select(0, steps);
  let dCell = zerosLike(c0);
  for (let t = steps - 1; t >= 0; t--) {
    const { gates: [i, f, g, o], before, squashed } = moments[t]!;
    const dWide = projection ? matmul(dHs[t + 1]!, projection) : dHs[t + 1]!;
    const dC = dCell.add(dcs.select(0, t + 1)).add(dWide.mul(o).mul(tanhSlope(squashed)));
    dGates[t] = cat([
      dC.mul(g).mul(slope(i)),
      dC.mul(before).mul(slope(f)),
      dC.mul(i).mul(tanhSlope(g)),
      dWide.mul(squashed).mul(slope(o)),
    ], 1);
    dHs[t] = dhs.select(0, t).add(matmul(dGates[t]!, w));
    dCell = dC.mul(f);
  }
  const all = stack(dGates);
  const dW = contract(all, stack(hs.slice(0, steps)), "tbg", "tbh", "gh");
  const gradients = [all, dHs[0]!, dCell.add(dcs.select(0, 0)), dW];
  if (!projection) return gradients;
  const wide = stack(moments.map((m) => m.wide));
  return [...gradients, contract(stack(dHs.slice(1)), wide, "tbp", "tbh", "ph")];
}

function slope(y: Tensor): Tensor {
  return y.mul(y.mul(-1).add(1));
}

function tanhSlope(y: Tensor): Tensor {
  return y.square().mul(-1).add(1);
}
