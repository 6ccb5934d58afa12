/** Which loads and stores of four neighbouring points are one vector access. */
import type { Program } from "../../ir/program.ts";

/** How an int32 value moves along an axis, seen from a point where the axis is a multiple of 4. */
export interface LaneStep {
  /** Difference between neighbouring points; NaN when not known to be constant. */
  readonly step: number;
  /** 1, 2 or 4: a divisor of the value at the first of four points. */
  readonly align: number;
}

const UNKNOWN: LaneStep = { step: NaN, align: 1 };

function alignOf(value: number): number {
  return value % 4 === 0 ? 4 : value % 2 === 0 ? 2 : 1;
}

/**
 * Steps of all values of a program along a flat axis.
 *
 * @param program Values over flat axes.
 * @param axis The axis along which a thread takes four neighbours.
 * @returns One entry per instruction.
 */
export function laneSteps(program: Program, axis: number): readonly LaneStep[] {
  const steps: LaneStep[] = [];
  for (const { expr, args } of program.instructions) {
    const parts = args.map((arg) => steps[arg]!);
    if (expr.kind === "const") steps.push({ step: 0, align: alignOf(expr.value) });
    else if (expr.kind === "acc") steps.push({ step: 0, align: 1 });
    else if (expr.kind === "axis") {
      steps.push(expr.axis === axis ? { step: 1, align: 4 } : { step: 0, align: 1 });
    } else if (expr.kind === "load") {
      steps.push(parts.every((p) => p.step === 0) ? { step: 0, align: 1 } : UNKNOWN);
    } else steps.push(callStep(expr.op, parts, constants(program, args)));
  }
  return steps;
}

function constants(program: Program, args: readonly number[]): (number | undefined)[] {
  return args.map((arg) => {
    const { expr } = program.instructions[arg]!;
    return expr.kind === "const" ? expr.value : undefined;
  });
}

function callStep(
  op: string,
  parts: readonly LaneStep[],
  values: readonly (number | undefined)[],
): LaneStep {
  const [a, b] = parts as [LaneStep, LaneStep];
  if (op === "add") return { step: a.step + b.step, align: Math.min(a.align, b.align) };
  if (op === "sub") return { step: a.step - b.step, align: Math.min(a.align, b.align) };
  if (op === "mul") {
    const align = Math.min(4, a.align * b.align);
    const [x, y] = values;
    if (y !== undefined) return { step: a.step * y, align };
    if (x !== undefined) return { step: b.step * x, align };
    return { step: a.step === 0 && b.step === 0 ? 0 : NaN, align };
  }
  const wraps = a.step === 1 && a.align === 4 && values[1] !== undefined && values[1] % 4 === 0;
  if (op === "imod" && wraps) return { step: 1, align: 4 };
  if (op === "imod" && a.step === 0 && b.step === 0) {
    return { step: 0, align: Math.min(a.align, b.align) };
  }
  if (op === "idiv" && wraps) return { step: 0, align: 1 };
  return parts.every((p) => p.step === 0) ? { step: 0, align: 1 } : UNKNOWN;
}

/** Whether the load at `position` reads four neighbours at a multiple of 4. */
export function isVectorLoad(
  program: Program,
  steps: readonly LaneStep[],
  position: number,
): boolean {
  const { expr, args } = program.instructions[position]!;
  if (expr.kind !== "load") return false;
  const index = steps[args[0]!]!, guard = args[1] === undefined ? undefined : steps[args[1]]!;
  return isVectorIndex(index) && (guard === undefined || guard.step === 0);
}

/** Whether an index takes four neighbours at a multiple of 4. */
export function isVectorIndex(index: LaneStep): boolean {
  return index.step === 1 && index.align === 4;
}

/** For each input, whether it is read, and only by vector loads. */
export function vectorInputs(
  program: Program,
  steps: readonly LaneStep[],
  inputs: number,
): boolean[] {
  const wanted = new Array<boolean>(inputs).fill(true);
  for (const [i, { expr }] of program.instructions.entries()) {
    if (expr.kind === "load" && !isVectorLoad(program, steps, i)) wanted[expr.input] = false;
  }
  return wanted;
}
