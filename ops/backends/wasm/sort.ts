/**
 * `sort` kernels, in JavaScript over views of the memory, on the main thread.
 *
 * Key and position are packed into one float64 (exact up to 2^53), so that the engine's sort of
 * numbers, which needs no comparison function, gives a stable order.
 *
 * @module
 */
import type { DType } from "../../ir/dtype.ts";
import type { SortKernel } from "../../ir/kernel.ts";
import { emitNothing } from "./map.ts";
import type { LoweredKernel } from "./emit_nest.ts";
import type { WasmMemory } from "./memory.ts";

/** Positions that fit beside a key of 32 bits: 2^53 / 2^32. */
const PACKED_LENGTH = 2 ** 21;
const TWO_32 = 2 ** 32;
const NAN_KEY = TWO_32 - 1;

/** Unsigned number in the order of the value whose bits these are; −0 equals 0, NaN is last. */
function keyOf(bits: number, dtype: DType): number {
  if (dtype === "int32") return (bits ^ 0x80000000) >>> 0;
  if (dtype !== "float32") return bits >>> 0;
  if ((bits & 0x7fffffff) > 0x7f800000) return NAN_KEY;
  if (bits === (0x80000000 | 0)) bits = 0;
  return (bits < 0 ? ~bits : bits ^ 0x80000000) >>> 0;
}

function sortWords(bits: Int32Array, order: Int32Array, dtype: DType, descending: boolean): void {
  const packed = new Float64Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const key = keyOf(bits[i]!, dtype);
    packed[i] = (descending ? NAN_KEY - key : key) * PACKED_LENGTH + i;
  }
  packed.sort();
  for (let i = 0; i < bits.length; i++) order[i] = packed[i]! % PACKED_LENGTH;
}

/** `a − b` in ascending order with NaN last. */
function difference(a: number, b: number): number {
  if (a !== a || b !== b) return a === a ? -1 : b === b ? 1 : 0;
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortNumbers(
  values: ArrayLike<number>,
  order: Int32Array,
  descending: boolean,
): void {
  for (let i = 0; i < order.length; i++) order[i] = i;
  const sign = descending ? -1 : 1;
  order.sort((a, b) => sign * difference(values[a]!, values[b]!) || a - b);
}

/** Lowers a sort kernel. */
export function lowerSort(kernel: SortKernel, memory: WasmMemory): LoweredKernel {
  const { rows, length, descending } = kernel;
  const { dtype } = kernel.inputs[0]!;
  const wide = dtype === "float64";
  function direct(args: number, start: number, end: number): void {
    const [source, target] = memory.view(args, 2, "u32") as unknown as [number, number];
    const order = new Int32Array(length);
    for (let row = start; row < end; row++) {
      const from = source + row * length * (wide ? 8 : 4);
      if (wide) sortNumbers(memory.view(from, length, "f64").slice(), order, descending);
      else if (length <= PACKED_LENGTH) {
        sortWords(memory.view(from, length, "i32").slice() as Int32Array, order, dtype, descending);
      } else {
        const view = dtype === "float32" ? "f32" : dtype === "int32" ? "i32" : "u32";
        sortNumbers(memory.view(from, length, view).slice(), order, descending);
      }
      memory.view(target + 4 * row * length, length, "i32").set(order);
    }
  }
  const units = length === 0 ? 0 : rows;
  const pass = { units, grain: Math.max(1, units), host: new Map(), emit: emitNothing, direct };
  return { passes: [pass], scratch: [] };
}
