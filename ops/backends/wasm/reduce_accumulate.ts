/**
 * Accumulators of reductions: how they start, combine, and come together across lanes.
 *
 * All 32-bit types accumulate in vectors (of which tails use the first lane), float64 in scalars.
 * The order of combination is fixed by the kernel alone.
 *
 * @module
 */
import type { DType } from "../../ir/dtype.ts";
import type { ReduceOp } from "../../ir/kernel.ts";
import type { FunctionBuilder, Local, Opcode } from "./assembler.ts";
import { extremeF32 } from "./math_f32.ts";

/** What a reduction works on. */
export interface Accumulation {
  readonly op: ReduceOp;
  /** Type of the body. */
  readonly dtype: DType;
}

/** State of one accumulator: the value, and for `argmax` and `argmin` the position. */
export interface State {
  readonly value: Local;
  readonly position: Local | undefined;
}

/** Whether a reduction gives a position. */
export function isArg(op: ReduceOp): boolean {
  return op === "argmax" || op === "argmin";
}

/** Fresh locals for an accumulator. */
export function newState(f: FunctionBuilder, a: Accumulation): State {
  const wide = a.dtype !== "float64";
  const position = isArg(a.op) ? f.local(wide ? "v128" : "i32") : undefined;
  return { value: f.local(wide ? "v128" : "f64"), position };
}

function identity(op: ReduceOp, dtype: DType): number {
  if (op === "sum") return 0;
  if (op === "prod") return 1;
  const most = op === "max" || op === "argmax";
  switch (dtype) {
    case "int32":
      return most ? -2147483648 : 2147483647;
    case "uint32":
    case "bool":
      return most ? 0 : -1;
    default:
      return most ? -Infinity : Infinity;
  }
}

/** Sets an accumulator to what leaves others unchanged. */
export function resetState(f: FunctionBuilder, a: Accumulation, state: State): void {
  const start = a.dtype === "bool" && a.op === "prod" ? -1 : identity(a.op, a.dtype);
  if (a.dtype === "float64") f.f64(start).set(state.value);
  else if (a.dtype === "float32") f.f32x4(start).set(state.value);
  else f.i32x4(start).set(state.value);
  if (state.position) {
    if (state.position.type === "v128") f.i32x4(0).set(state.position);
    else f.i32(0).set(state.position);
  }
}

const FLOAT64: Record<string, Opcode> = {
  sum: "f64.add",
  prod: "f64.mul",
  max: "f64.max",
  min: "f64.min",
};
const FLOAT32: Record<string, Opcode> = { sum: "f32x4.add", prod: "f32x4.mul" };
const INTEGER: Record<string, Opcode> = {
  sum: "i32x4.add",
  prod: "i32x4.mul",
  max: "i32x4.max_s",
  min: "i32x4.min_s",
};
const UNSIGNED: Record<string, Opcode> = { ...INTEGER, max: "i32x4.max_u", min: "i32x4.min_u" };
const MASKS: Record<string, Opcode> = {
  sum: "v128.or",
  prod: "v128.and",
  max: "v128.or",
  min: "v128.and",
};

function combineValues(f: FunctionBuilder, a: Accumulation, into: Local, x: Local): void {
  if (a.dtype === "float32" && (a.op === "max" || a.op === "min")) {
    extremeF32(a.op)(f, [into, x]);
  } else {
    const table = a.dtype === "float64"
      ? FLOAT64
      : a.dtype === "float32"
      ? FLOAT32
      : a.dtype === "bool"
      ? MASKS
      : a.dtype === "uint32"
      ? UNSIGNED
      : INTEGER;
    f.get(into, x).op(table[a.op]!);
  }
  f.set(into);
}

/** Pushes whether `x` is better than `best`, or NaN where `best` is not. */
function better(f: FunctionBuilder, a: Accumulation, x: Local, best: Local): void {
  const way = a.op === "argmax" ? "gt" : "lt";
  if (a.dtype === "float64") {
    f.get(x, best).op(`f64.${way}`).get(x, x).op("f64.ne").get(best, best).op("f64.eq");
    f.op("i32.and", "i32.or");
  } else if (a.dtype === "float32") {
    f.get(x, best).op(`f32x4.${way}`).get(x, x).op("f32x4.ne").get(best, best).op("f32x4.eq");
    f.op("v128.and", "v128.or");
  } else f.get(x, best).op(a.dtype === "int32" ? `i32x4.${way}_s` : `i32x4.${way}_u`);
}

/** Pushes whether neither is better: equal or both NaN. */
function tied(f: FunctionBuilder, a: Accumulation, x: Local, y: Local): void {
  if (a.dtype === "float32") {
    f.get(x, y).op("f32x4.eq").get(x, x).op("f32x4.ne").get(y, y).op("f32x4.ne");
    f.op("v128.and", "v128.or");
  } else f.get(x, y).op("i32x4.eq");
}

function pickState(f: FunctionBuilder, take: Local, state: State, x: Local, at: Local): void {
  if (take.type === "i32") {
    f.get(x, state.value, take).op("select").set(state.value);
    f.get(at, state.position!, take).op("select").set(state.position!);
  } else {
    f.get(x, state.value, take).op("v128.bitselect").set(state.value);
    f.get(at, state.position!, take).op("v128.bitselect").set(state.position!);
  }
}

/** Takes in the next element (of each lane), which comes after all before it. */
export function accumulate(
  f: FunctionBuilder,
  a: Accumulation,
  state: State,
  x: Local,
  at: Local | undefined,
): void {
  if (!isArg(a.op)) return combineValues(f, a, state.value, x);
  better(f, a, x, state.value);
  const take = f.local(a.dtype === "float64" ? "i32" : "v128");
  f.set(take);
  pickState(f, take, state, x, at!);
  f.release(take);
}

/** Takes in another accumulator; among equals the lower position wins. */
export function combineStates(
  f: FunctionBuilder,
  a: Accumulation,
  into: State,
  other: State,
): void {
  if (!isArg(a.op)) return combineValues(f, a, into.value, other.value);
  const take = f.local("v128");
  better(f, a, other.value, into.value);
  tied(f, a, other.value, into.value);
  f.get(other.position!, into.position!).op("i32x4.lt_s", "v128.and", "v128.or").set(take);
  pickState(f, take, into, other.value, other.position!);
  f.release(take);
}

/** Brings the four lanes together: all lanes hold the result. */
export function combineLanes(f: FunctionBuilder, a: Accumulation, state: State): void {
  for (const far of [2, 1]) {
    const other = newState(f, a);
    const swap = (from: Local, to: Local) => {
      f.get(from, from).shuffle32(far, far ^ 1, far ^ 2, far ^ 3).set(to);
    };
    swap(state.value, other.value);
    if (state.position) swap(state.position, other.position!);
    combineStates(f, a, state, other);
    f.release(other.value);
    if (other.position) f.release(other.position);
  }
}

/** Spreads the first lane, the only one that single elements keep right. */
export function spreadFirst(f: FunctionBuilder, state: State): void {
  for (const local of [state.value, state.position]) {
    if (local?.type === "v128") f.get(local, local).shuffle32(0, 0, 0, 0).set(local);
  }
}
