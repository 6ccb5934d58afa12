/** How often neighbouring points read neighbouring elements: which way threads should lie. */
import type { Program } from "../../ir/program.ts";
import { type ScalarName, scalarRow } from "../../ir/scalar.ts";

/** Points at which indices are evaluated. */
const SAMPLES = 24;

/**
 * Share of points at which the index at `position` grows by one with `axis`. Found by evaluation,
 * since indices of convolutions are contiguous nearly everywhere but not in a form that shows it.
 *
 * @param program Values over flat axes.
 * @param position The index.
 * @param axis The axis to step along.
 * @param sizes Sizes of all axes.
 * @returns A number from 0 to 1.
 */
export function contiguity(
  program: Program,
  position: number,
  axis: number,
  sizes: readonly number[],
): number {
  if (sizes[axis]! < 2) return 0;
  let hits = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    // Multiples of the golden ratio cover each axis evenly; a different power for each axis.
    const point = sizes.map((size, a) => {
      const fraction = (sample + 1) * 0.6180339887 ** (a + 1) % 1;
      return Math.floor(fraction * (a === axis ? size - 1 : size));
    });
    const here = evaluate(program, position, point);
    point[axis]! += 1;
    if (evaluate(program, position, point) - here === 1) hits++;
  }
  return hits / SAMPLES;
}

/** Value of an index; what is loaded counts as 0. */
function evaluate(program: Program, position: number, point: readonly number[]): number {
  const values = new Map<number, number>();
  function value(i: number): number {
    const known = values.get(i);
    if (known !== undefined) return known;
    const { expr, args } = program.instructions[i]!;
    let result = 0;
    if (expr.kind === "const") result = expr.value;
    else if (expr.kind === "axis") result = point[expr.axis]!;
    else if (expr.kind === "call") result = call(expr.op, args.map(value));
    values.set(i, result);
    return result;
  }
  return value(position);
}

function call(op: ScalarName, args: readonly number[]): number {
  const row: (...args: number[]) => number = scalarRow(op).evaluate;
  return row(...args);
}

/** Contiguity of the loads among some positions along an axis, the best of them. */
export function bestContiguity(
  program: Program,
  positions: Iterable<number>,
  axis: number,
  sizes: readonly number[],
): number {
  let best = 0;
  for (const i of positions) {
    const { expr, args } = program.instructions[i]!;
    if (expr.kind === "load") best = Math.max(best, contiguity(program, args[0]!, axis, sizes));
  }
  return best;
}
