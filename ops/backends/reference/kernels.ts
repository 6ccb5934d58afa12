/** Every kernel kind as plain loops. */
import { axesOf, type Expr, ravel } from "../../ir/expr.ts";
import type { DType } from "../../ir/dtype.ts";
import {
  type ContractKernel,
  iterationShape,
  type Kernel,
  type KernelOutput,
  type MapKernel,
  type ReduceKernel,
  type ReduceOp,
  type ScanKernel,
  type ScatterKernel,
  sizeOf,
  type SortKernel,
} from "../../ir/kernel.ts";
import { type BoundArray, evaluatorOf, type Scope, wrapperOf } from "./evaluate.ts";
import { cellsOf } from "./memory.ts";

/** Runs a kernel on its arrays: inputs, then outputs. */
export type Runner = (inputs: readonly BoundArray[], outputs: readonly BoundArray[]) => void;

/** Loops for a kernel. */
export function runnerOf(kernel: Kernel): Runner {
  switch (kernel.kind) {
    case "map":
      return mapRunner(kernel);
    case "reduce":
      return reduceRunner(kernel);
    case "contract":
      return contractRunner(kernel);
    case "scatter":
      return scatterRunner(kernel);
    case "scan":
      return scanRunner(kernel);
    case "sort":
      return sortRunner(kernel);
  }
}

/** Calls `visit` at each point of `shape`, setting `axes[start…]`, in row-major order. */
function forEachPoint(
  axes: number[],
  start: number,
  shape: readonly number[],
  visit: () => void,
): void {
  const total = sizeOf(shape);
  for (let d = 0; d < shape.length; d++) axes[start + d] = 0;
  for (let count = 0; count < total; count++) {
    visit();
    let d = shape.length - 1;
    while (d >= 0 && ++axes[start + d]! === shape[d]) axes[start + d--] = 0;
  }
}

/** Writes some outputs of a kernel at the current point. */
function writerOf(
  outputs: readonly (readonly [slot: number, output: KernelOutput])[],
  shape: readonly number[],
): (scope: Scope, arrays: readonly BoundArray[]) => void {
  const roots = outputs.flatMap(([, o]): Expr[] => [
    o.value,
    o.index ?? ravel(axesOf(shape), shape),
  ]);
  const evaluate = evaluatorOf(roots);
  return (scope, arrays) => {
    const values = evaluate(scope);
    for (const [i, [slot, { dtype }]] of outputs.entries()) {
      const { buffer, offset } = arrays[slot]!;
      buffer.set((values[2 * i + 1]! + offset) * cellsOf(dtype), dtype, values[2 * i]!);
    }
  };
}

function mapRunner(kernel: MapKernel): Runner {
  const write = writerOf([...kernel.outputs.entries()], kernel.shape);
  return (inputs, outputs) => {
    const scope: Scope = { axes: [], accumulators: [], inputs };
    forEachPoint(scope.axes, 0, kernel.shape, () => write(scope, outputs));
  };
}

/** One reduction or running combination. */
class Accumulator {
  readonly #op: ReduceOp;
  readonly #neutral: number;
  readonly #sum: Combine;
  readonly #product: Combine;
  #best = 0;
  #value = 0;
  #count = 0;

  constructor(op: ReduceOp, dtype: DType) {
    this.#op = op;
    this.#neutral = neutralOf(op, dtype);
    this.#sum = sumOf(dtype);
    this.#product = productOf(dtype);
  }

  get value(): number {
    return this.#value;
  }

  reset(): void {
    this.#count = 0;
    this.#value = this.#neutral;
  }

  add(x: number): void {
    const op = this.#op;
    const position = this.#count++;
    if (op === "sum") this.#value = this.#sum(this.#value, x);
    else if (op === "prod") this.#value = this.#product(this.#value, x);
    else if (position === 0 || isBetter(op, x, this.#best)) {
      this.#best = x;
      this.#value = op === "max" || op === "min" ? x : position;
    }
  }
}

/** Result of reducing nothing: the worst value; the position of an extremum is 0 then. */
function neutralOf(op: ReduceOp, dtype: DType): number {
  if (op === "prod") return 1;
  if (op !== "max" && op !== "min") return 0;
  const [low, high] = dtype === "int32"
    ? [-2147483648, 2147483647]
    : dtype === "uint32"
    ? [0, 4294967295]
    : dtype === "bool"
    ? [0, 1]
    : [-Infinity, Infinity];
  return op === "max" ? low : high;
}

type Combine = (a: number, b: number) => number;

function sumOf(dtype: DType): Combine {
  const wrap = wrapperOf(dtype);
  return wrap === undefined ? (a, b) => a + b : (a, b) => wrap(a + b);
}

/** Products of integers need all their low bits, more than a float64 has. */
function productOf(dtype: DType): Combine {
  const wrap = wrapperOf(dtype);
  return wrap === undefined ? (a, b) => a * b : (a, b) => wrap(Math.imul(a, b));
}

/** Strictly better, so that the first of equals stays; NaN is better than any number. */
function isBetter(op: ReduceOp, x: number, best: number): boolean {
  if (best !== best) return false;
  if (x !== x) return true;
  return op === "max" || op === "argmax" ? x > best : x < best;
}

function reduceRunner(kernel: ReduceKernel): Runner {
  const { shape, reduce, reductions } = kernel;
  const bodies = reductions.map((r) => evaluatorOf([r.body]));
  const slots = [...kernel.outputs.entries()];
  const once = writerOf(slots.filter(([, o]) => !o.full), shape);
  const full = slots.filter(([, o]) => o.full);
  const every = writerOf(full, iterationShape(kernel));
  return (inputs, outputs) => {
    const scope: Scope = { axes: [], accumulators: [], inputs };
    const accumulators = reductions.map((r) => new Accumulator(r.op, r.dtype));
    forEachPoint(scope.axes, 0, shape, () => {
      for (const [slot, accumulator] of accumulators.entries()) {
        accumulator.reset();
        forEachPoint(scope.axes, shape.length, reduce, () => {
          accumulator.add(bodies[slot]!(scope)[0]!);
        });
        scope.accumulators[slot] = accumulator.value;
      }
      once(scope, outputs);
      if (full.length === 0) return;
      forEachPoint(scope.axes, shape.length, reduce, () => every(scope, outputs));
    });
  };
}

/** Both operands are evaluated once per element they have, and then multiplied in plain loops. */
function contractRunner(kernel: ContractKernel): Runner {
  const { batch, m, n, k } = kernel;
  const outer = [...batch, ...m, ...n];
  const [mStart, nStart, kStart] = [batch.length, batch.length + m.length, outer.length];
  const [left, right] = [evaluatorOf([kernel.a]), evaluatorOf([kernel.b])];
  const write = writerOf([...kernel.outputs.entries()], outer);
  const dot = dotOf(kernel.dtype);
  const length = sizeOf(k), rows = new Float64Array(sizeOf(m) * length);
  const column = new Float64Array(length);
  return (inputs, outputs) => {
    const scope: Scope = { axes: [], accumulators: [], inputs };
    const { axes } = scope;
    forEachPoint(axes, 0, batch, () => {
      let at = 0;
      for (let d = 0; d < n.length; d++) axes[nStart + d] = 0;
      forEachPoint(axes, mStart, m, () => {
        forEachPoint(axes, kStart, k, () => rows[at++] = left(scope)[0]!);
      });
      forEachPoint(axes, nStart, n, () => {
        let place = 0;
        for (let d = 0; d < m.length; d++) axes[mStart + d] = 0;
        forEachPoint(axes, kStart, k, () => column[place++] = right(scope)[0]!);
        let row = 0;
        forEachPoint(axes, mStart, m, () => {
          scope.accumulators[0] = dot(rows, row, column);
          row += length;
          write(scope, outputs);
        });
      });
    });
  };
}

/** Sum of products of a row of a table and a column. */
function dotOf(dtype: DType): (rows: Float64Array, start: number, column: Float64Array) => number {
  const sumUp = sumOf(dtype), multiply = productOf(dtype);
  if (dtype === "int32" || dtype === "uint32" || dtype === "bool") {
    return (rows, start, column) => {
      let sum = 0;
      for (let i = 0; i < column.length; i++) {
        sum = sumUp(sum, multiply(rows[start + i]!, column[i]!));
      }
      return sum;
    };
  }
  return (rows, start, column) => {
    let sum = 0;
    for (let i = 0; i < column.length; i++) sum += rows[start + i]! * column[i]!;
    return sum;
  };
}

function combinerOf(op: ScatterKernel["op"], dtype: DType): Combine {
  switch (op) {
    case "add":
      return sumOf(dtype);
    case "mul":
      return productOf(dtype);
    case "set":
      return (_, x) => x;
    case "max":
    case "min":
      return (old, x) => isBetter(op, x, old) ? x : old;
  }
}

function scatterRunner(kernel: ScatterKernel): Runner {
  const { size, shape } = kernel;
  const { dtype } = kernel.outputs[0]!;
  const init = kernel.init && evaluatorOf([kernel.init]);
  const point = evaluatorOf([kernel.target, kernel.value, ...(kernel.guard ? [kernel.guard] : [])]);
  const combine = combinerOf(kernel.op, dtype);
  return (inputs, outputs) => {
    const scope: Scope = { axes: [], accumulators: [], inputs };
    const { buffer, offset } = outputs[0]!;
    const step = cellsOf(dtype);
    // All is read before anything is written: the planner may let `init` read the output's array.
    const result = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      scope.axes[0] = i;
      result[i] = init ? init(scope)[0]! : buffer.get((i + offset) * step, dtype);
    }
    forEachPoint(scope.axes, 0, shape, () => {
      const [target, value, guard] = point(scope) as unknown as [number, number, number?];
      if (guard === 0) return;
      if (!(target >= 0 && target < size)) {
        throw new RangeError(`internal: scatter to ${target} of ${size}`);
      }
      result[target] = combine(result[target]!, value);
    });
    for (let i = 0; i < size; i++) buffer.set((i + offset) * step, dtype, result[i]!);
  };
}

function scanRunner(kernel: ScanKernel): Runner {
  const { shape, axis, op } = kernel;
  const body = evaluatorOf([kernel.body]);
  const write = writerOf([...kernel.outputs.entries()], shape);
  const outer = shape.with(axis, 1);
  return (inputs, outputs) => {
    const scope: Scope = { axes: [], accumulators: [], inputs };
    const accumulator = new Accumulator(op, kernel.body.dtype);
    forEachPoint(scope.axes, 0, outer, () => {
      accumulator.reset();
      for (let i = 0; i < shape[axis]!; i++) {
        scope.axes[axis] = i;
        accumulator.add(body(scope)[0]!);
        scope.accumulators[0] = accumulator.value;
        write(scope, outputs);
      }
      scope.axes[axis] = 0;
    });
  };
}

function sortRunner(kernel: SortKernel): Runner {
  const { rows, length, descending } = kernel;
  const { dtype } = kernel.inputs[0]!;
  const step = cellsOf(dtype);
  return (inputs, outputs) => {
    const source = inputs[0]!, target = outputs[0]!;
    for (let row = 0; row < rows; row++) {
      const start = row * length;
      const values = Array.from(
        { length },
        (_, i) => source.buffer.get((start + i + source.offset) * step, dtype),
      );
      const order = values.map((_, i) => i);
      order.sort((p, q) =>
        descending ? compare(values[q]!, values[p]!) : compare(values[p]!, values[q]!)
      );
      for (const [i, position] of order.entries()) {
        target.buffer.set((start + i + target.offset) * cellsOf("int32"), "int32", position);
      }
    }
  };
}

/** NaN is above every number. */
function compare(a: number, b: number): number {
  if (a !== a) return b !== b ? 0 : 1;
  if (b !== b) return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}
