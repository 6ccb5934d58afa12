/** Errors of the public API: one helper per kind, so that their spelling cannot drift. */
import type { Backend } from "./backends/backend.ts";
import type { DType } from "./ir/dtype.ts";

/** Shapes (or other facts) by argument name, for the tail of a message. */
export type Facts = Readonly<Record<string, readonly number[] | string | number>>;

/** Text of a shape: `[2, 3]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function factsText(facts: Facts): string {
  const parts = Object.entries(facts).map(([name, fact]) =>
    `${name} ${typeof fact === "object" ? shapeText(fact) : fact}`
  );
  return parts.join(", ");
}

function message(op: string, problem: string, facts: Facts, hint: string | undefined): string {
  const tail = factsText(facts);
  return `${op}: ${problem}${tail ? `: ${tail}` : ""}${hint ? ` (${hint})` : ""}`;
}

/** Shapes do not fit together. */
export class ShapeError extends TypeError {
  /** Always `"ShapeError"`. */
  override readonly name: string = "ShapeError";
  /** Public name of the function that refused. */
  readonly op: string;
  /** Shapes by argument name. */
  readonly shapes: Facts;

  /**
   * Makes the error with its message.
   *
   * @param op Public name of the function that refuses.
   * @param problem What is wrong, with numbers.
   * @param shapes Shapes or other facts by argument name.
   * @param hint The usual repair.
   */
  constructor(op: string, problem: string, shapes: Facts = {}, hint?: string | undefined) {
    super(message(op, problem, shapes, hint));
    this.op = op;
    this.shapes = shapes;
  }
}

/** An element type is not accepted. */
export class DtypeError extends TypeError {
  /** Always `"DtypeError"`. */
  override readonly name: string = "DtypeError";
  /** Public name of the function that refused. */
  readonly op: string;

  /**
   * Makes the error with its message.
   *
   * @param op Public name of the function that refuses.
   * @param problem What is wrong, with numbers.
   * @param facts Shapes or other facts by argument name.
   * @param hint The usual repair.
   */
  constructor(op: string, problem: string, facts: Facts = {}, hint?: string | undefined) {
    super(message(op, problem, facts, hint));
    this.op = op;
  }
}

/** Tensors live on different devices, or the device cannot do it. */
export class DeviceError extends TypeError {
  /** Always `"DeviceError"`. */
  override readonly name: string = "DeviceError";
  /** Public name of the function that refused. */
  readonly op: string;

  /**
   * Makes the error with its message.
   *
   * @param op Public name of the function that refuses.
   * @param problem What is wrong, with numbers.
   * @param facts Shapes or other facts by argument name.
   * @param hint The usual repair.
   */
  constructor(op: string, problem: string, facts: Facts = {}, hint?: string | undefined) {
    super(message(op, problem, facts, hint));
    this.op = op;
  }
}

/** A value out of range: the error to throw. */
export function rangeError(
  op: string,
  problem: string,
  facts: Facts = {},
  hint?: string | undefined,
): RangeError {
  return new RangeError(message(op, problem, facts, hint));
}

/** A call that makes no sense now: the error to throw. */
export function stateError(op: string, problem: string, hint?: string | undefined): Error {
  return new Error(message(op, problem, {}, hint));
}

/** A fault of the library itself. */
export function internalError(problem: string): Error {
  return new Error(`internal: ${problem}`);
}

/** Axis counted from the front; negative axes count from the end. */
export function normalizeAxis(op: string, axis: number, rank: number, name = "dim"): number {
  const limit = Math.max(rank, 1);
  if (!Number.isInteger(axis) || axis < -limit || axis >= limit) {
    throw rangeError(op, `${name} ${axis} is out of range for ${rank} dimensions`);
  }
  return axis < 0 ? axis + limit : axis;
}

/** Axes counted from the front; `undefined` is all of them; duplicates are refused. */
export function normalizeAxes(
  op: string,
  axes: number | readonly number[] | undefined | null,
  rank: number,
): number[] {
  if (axes === undefined || axes === null) return Array.from({ length: rank }, (_, d) => d);
  const list = typeof axes === "number" ? [axes] : axes;
  const normal = list.map((axis) => normalizeAxis(op, axis, rank));
  if (new Set(normal).size !== normal.length) {
    throw rangeError(op, `dim appears twice in ${shapeText(list)}`);
  }
  return rank === 0 ? [] : normal;
}

/** Shape that all broadcast to, by NumPy's rules; `names` are those of the arguments. */
export function broadcastShapes(
  op: string,
  shapes: readonly (readonly number[])[],
  names?: readonly string[],
): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const result: number[] = new Array(rank).fill(1);
  for (const shape of shapes) {
    for (let d = 0; d < shape.length; d++) {
      const at = rank - shape.length + d;
      const size = shape[d]!;
      if (size === 1 || size === result[at]) continue;
      if (result[at] !== 1) {
        const facts = Object.fromEntries(
          shapes.map((s, i) => [names?.[i] ?? argumentName(i), s]),
        );
        throw new ShapeError(op, `sizes ${result[at]} and ${size} do not broadcast`, facts);
      }
      result[at] = size;
    }
  }
  return result;
}

/** Names used in messages for the arguments of elementwise functions. */
export function argumentName(position: number): string {
  return ["input", "other", "third", "fourth"][position] ?? `argument${position}`;
}

/** Refuses a dtype outside a list. */
export function checkDtype(op: string, dtype: DType, allowed: readonly DType[]): void {
  if (!allowed.includes(dtype)) {
    throw new DtypeError(op, `dtype ${dtype} is not supported, expects ${allowed.join(" or ")}`);
  }
}

/** Refuses arguments whose dtypes differ. */
export function checkSameDtype(op: string, ...tensors: readonly { readonly dtype: DType }[]): void {
  const first = tensors[0]!.dtype;
  const other = tensors.find(({ dtype }) => dtype !== first);
  if (!other) return;
  const problem = `dtypes ${first} and ${other.dtype} differ`;
  throw new DtypeError(op, problem, {}, "convert one with to()");
}

/** Refuses a dtype that the device cannot store. */
export function checkStorable(op: string, dtype: DType, backend: Backend): void {
  if ((dtype === "float16" || dtype === "float64") && !backend.supports(dtype)) {
    throw new DtypeError(op, `device ${backend.name} does not store ${dtype}`);
  }
}

/** Refuses a value outside a list of texts. */
export function checkChoice(
  op: string,
  name: string,
  value: string,
  choices: readonly string[],
): void {
  if (!choices.includes(value)) {
    throw rangeError(op, `${name} "${value}" is not one of ${choices.join(", ")}`);
  }
}

/** Refuses what is no list, as where sizes are given one by one. */
export function checkList(op: string, name: string, value: readonly unknown[]): void {
  if (!Array.isArray(value)) throw rangeError(op, `${name} is ${value}, expected a list`);
}

/** Refuses sizes that are not whole numbers ≥ 0. */
export function checkSizes(op: string, shape: readonly number[], name = "shape"): void {
  checkList(op, name, shape);
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw rangeError(op, `sizes are whole numbers of at least 0`, { [name]: shape });
    }
  }
}
