/** The elementwise kernels of one time step of an LSTM. */
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { SequenceArgument, SequenceStep } from "./ir/graph.ts";
import { CellKernel, product, sigmoid, type Sizes, slope, tanhSlope } from "./recurrent_kernels.ts";

/** What a step forward reads and writes. */
export interface CellPlaces {
  /** Gates i, f, g, o: sums before, values after. */
  readonly gates: SequenceArgument;
  /** Cell state before and after. */
  readonly before: SequenceArgument;
  readonly after: SequenceArgument;
  /** Hidden state. */
  readonly state: SequenceArgument;
}

/** Adds the state's part to the gates' sums, `xW + h · Whhᵀ`. */
export function gatesStep(
  sizes: Sizes,
  stateSize: number,
  places: readonly [SequenceArgument, SequenceArgument, SequenceArgument, SequenceArgument],
): SequenceStep {
  const { hidden, dtype } = sizes;
  const plusInput = (acc: Expr, i: Expr): Expr => e.add(acc, e.load(2, dtype, i));
  const kernel = product(sizes, 4 * hidden, stateSize, false, plusInput, 1);
  return { kernel, label: "gates", arguments: places };
}

/** `c = f · c + i · g` and `h = o · tanh c`. */
export function cellStep(sizes: Sizes, places: CellPlaces): SequenceStep {
  const cell = new CellKernel(sizes);
  const [i, f, g, o] = cell.read(places.gates, 4).map((x, k) =>
    k === 2 ? e.call("tanh", [x]) : sigmoid(x)
  ) as [Expr, Expr, Expr, Expr];
  const [before] = cell.read(places.before) as [Expr];
  const after = e.add(e.mul(f, before), e.mul(i, g));
  cell.write(places.gates, [i, f, g, o]);
  cell.write(places.after, [after]);
  cell.write(places.state, [e.mul(o, e.call("tanh", [after]))]);
  return cell.step("cell");
}

/** What a step backward reads and writes. */
export interface CellGradientPlaces {
  readonly gates: SequenceArgument;
  readonly before: SequenceArgument;
  readonly after: SequenceArgument;
  /** Parts of the hidden state's gradient. */
  readonly dStates: readonly SequenceArgument[];
  /** Gradient that arrives at the cell state from outside. */
  readonly dAfter: SequenceArgument;
  /** Gradient of the cell state from the step after; then that for the step before. */
  readonly dCell: SequenceArgument;
  /** Gradient of the sums under the gates. */
  readonly dGates: SequenceArgument;
}

/** Gradients of `cellStep`. */
export function cellGradientStep(sizes: Sizes, places: CellGradientPlaces): SequenceStep {
  const cell = new CellKernel(sizes);
  const one = (place: SequenceArgument): Expr => cell.read(place)[0]!;
  const [i, f, g, o] = cell.read(places.gates, 4) as [Expr, Expr, Expr, Expr];
  const before = one(places.before), after = one(places.after);
  const dH = places.dStates.map(one).reduce(e.add);
  const squashed = e.call("tanh", [after]);
  const arrived = e.add(one(places.dAfter), one(places.dCell));
  const dC = e.add(arrived, e.mul(e.mul(dH, o), tanhSlope(squashed)));
  cell.write(places.dGates, [
    e.mul(e.mul(dC, g), slope(i)),
    e.mul(e.mul(dC, before), slope(f)),
    e.mul(e.mul(dC, i), tanhSlope(g)),
    e.mul(e.mul(dH, squashed), slope(o)),
  ]);
  cell.write(places.dCell, [e.mul(dC, f)]);
  return cell.step("cell gradient");
}
