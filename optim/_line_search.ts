/** Line search with the strong Wolfe conditions (Nocedal and Wright 2006, section 3.5), as PyTorch has it. */
import type { Tensor } from "../ops/mod.ts";

/** Share of the decrease that the slope promises, of which a step has to bring at least this much. */
const DECREASE = 1e-4;

/** Share of the slope that may be left after a step. */
const CURVATURE = 0.9;

/** A bracket that moves no variable by more than this is not narrowed. */
const TOLERANCE = 1e-9;

/** Share of the bracket that a trial keeps away from its ends. */
const MARGIN = 0.1;

/** The function along a line, `t` steps from its start. */
export interface LinePoint {
  /** Steps along the direction. */
  readonly t: number;
  /** Value. */
  readonly loss: number;
  /** Gradient, one axis. */
  readonly gradient: Tensor;
  /** Largest element of the gradient, without its sign. */
  readonly largest: number;
  /** Derivative along the line. */
  readonly slope: number;
}

/** A line and what is looked for on it. */
export interface Line {
  /** The function at `t` steps. */
  evaluate(t: number): Promise<LinePoint>;
  /** Where the line begins; `t` is 0. */
  readonly start: LinePoint;
  /** First trial. */
  readonly t: number;
  /** Largest element of the direction, without its sign. */
  readonly reach: number;
  /** Rounds after the first trial, at most. */
  readonly rounds: number;
}

/** Two points that the wanted one lies between; `settled` where it is one of them. */
interface Bracket {
  ends: [LinePoint, LinePoint];
  settled: boolean;
  rounds: number;
}

/**
 * Finds a point with enough decrease and a slope that is flat enough, or the best so far.
 *
 * @param line The line.
 * @returns The point, and how often the function was evaluated.
 */
export async function strongWolfe(line: Line): Promise<{ point: LinePoint; evaluations: number }> {
  const bracket = await bracketOf(line);
  const rounds = await narrow(line, bracket);
  const [a, b] = bracket.ends;
  return { point: a.loss <= b.loss ? a : b, evaluations: rounds + 1 };
}

function tooHigh({ start }: Line, point: LinePoint): boolean {
  return point.loss > start.loss + DECREASE * point.t * start.slope;
}

function flat({ start }: Line, point: LinePoint): boolean {
  return Math.abs(point.slope) <= -CURVATURE * start.slope;
}

/** Goes on along the line until the wanted point is behind. */
async function bracketOf(line: Line): Promise<Bracket> {
  let before = line.start;
  let here = await line.evaluate(line.t);
  for (let rounds = 0; rounds < line.rounds; rounds++) {
    const high = tooHigh(line, here) || (rounds > 1 && here.loss >= before.loss);
    if (!high && flat(line, here)) return { ends: [here, here], settled: true, rounds };
    if (high || here.slope >= 0) return { ends: [before, here], settled: false, rounds };
    const least = here.t + 0.01 * (here.t - before.t);
    const t = cubicMinimum(before, here, least, here.t * 10);
    before = here;
    here = await line.evaluate(t);
  }
  return { ends: [line.start, here], settled: true, rounds: line.rounds };
}

/** Narrows a bracket until one of its ends is the wanted point; returns the rounds in all. */
async function narrow(line: Line, bracket: Bracket): Promise<number> {
  const { ends } = bracket;
  let { settled, rounds } = bracket;
  let low: 0 | 1 = ends[0].loss <= ends[1].loss ? 0 : 1;
  let close = false; // whether the last trial was close to an end
  while (!settled && rounds < line.rounds) {
    const [a, b] = ends;
    if (Math.abs(b.t - a.t) * line.reach < TOLERANCE) break;
    const first = Math.min(a.t, b.t), last = Math.max(a.t, b.t);
    const margin = MARGIN * (last - first);
    let t = cubicMinimum(a, b, first, last);
    const nearEnd = Math.min(last - t, t - first) < margin;
    const moves: boolean = nearEnd && (close || t >= last || t <= first);
    if (moves) t = Math.abs(t - last) < Math.abs(t - first) ? last - margin : first + margin;
    close = nearEnd && !moves;
    const point = await line.evaluate(t);
    rounds++;
    const high: 0 | 1 = low === 0 ? 1 : 0;
    if (tooHigh(line, point) || point.loss >= ends[low].loss) {
      ends[high] = point;
      low = ends[0].loss <= ends[1].loss ? 0 : 1;
    } else {
      settled = flat(line, point);
      // The minimum lies between the new point and the low end.
      if (!settled && point.slope * (ends[high].t - ends[low].t) >= 0) ends[high] = ends[low];
      ends[low] = point;
    }
  }
  return rounds;
}

/** Where the cubic through two points with their slopes is lowest, within bounds. */
function cubicMinimum(a: LinePoint, b: LinePoint, least: number, most: number): number {
  const d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t);
  const square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (least + most) / 2;
  const d2 = Math.sqrt(square);
  const [left, right] = a.t <= b.t ? [a, b] : [b, a];
  const share = (right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2);
  return Math.min(Math.max(right.t - (right.t - left.t) * share, least), most);
}
