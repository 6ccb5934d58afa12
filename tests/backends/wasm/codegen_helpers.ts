/** Runs kernels on the cpu backend and on the reference, and compares. */
import { assert } from "@std/assert";
import { createReferenceBackend } from "../../../ops/backends/reference/mod.ts";
import type { Backend } from "../../../ops/backends/backend.ts";
import { createWasmBackend } from "../../../ops/backends/wasm/backend.ts";
import { bytesOf, type DType } from "../../../ops/ir/dtype.ts";
import type { Expr } from "../../../ops/ir/expr.ts";
import type { Kernel, KernelOutput } from "../../../ops/ir/kernel.ts";

export const wasm: Backend = createWasmBackend({
  threads: 2,
  wide: Deno.env.get("TENSAURUS_WIDE") !== undefined,
});
export const reference: Backend = createReferenceBackend();

/** Elements of one array. */
export type Values = readonly number[];

/** An output in row-major order, or at an index. */
export function out(value: Expr, index?: Expr, full?: boolean): KernelOutput {
  return { dtype: value.dtype, value, index, full };
}

function toWords(
  dtype: DType,
  values: Values,
): Float32Array | Float64Array | Int32Array | Uint32Array {
  if (dtype === "float32") return Float32Array.from(values);
  if (dtype === "float64") return Float64Array.from(values);
  return dtype === "int32" ? Int32Array.from(values) : Uint32Array.from(values);
}

function fromBytes(dtype: DType, bytes: Uint8Array<ArrayBuffer>): number[] {
  const { buffer } = bytes;
  if (dtype === "float32") return [...new Float32Array(buffer)];
  if (dtype === "float64") return [...new Float64Array(buffer)];
  return dtype === "int32" ? [...new Int32Array(buffer)] : [...new Uint32Array(buffer)];
}

/** Runs a kernel; arrays lie `offset` elements into their buffers. */
export function runOn(
  backend: Backend,
  kernel: Kernel,
  inputs: readonly Values[],
  sizes: readonly number[],
  offset = 0,
): number[][] {
  const arrays = [...kernel.inputs, ...kernel.outputs];
  const buffers = arrays.map(({ dtype }, i) => {
    const count = offset + (i < inputs.length ? inputs[i]!.length : sizes[i - inputs.length]!);
    const buffer = backend.allocate(count * bytesOf(dtype));
    const fill = new Array<number>(offset).fill(77);
    const rest = i < inputs.length ? inputs[i]! : new Array<number>(count - offset).fill(55);
    backend.write(buffer, 0, toWords(dtype, [...fill, ...rest]));
    return buffer;
  });
  const bindings = buffers.map((buffer) => ({ buffer, offset }));
  backend.run(backend.compile(kernel), bindings);
  const results = kernel.outputs.map(({ dtype }, i) => {
    const bytes = bytesOf(dtype);
    const at = kernel.inputs.length + i;
    return fromBytes(dtype, backend.readSync(buffers[at]!, offset * bytes, sizes[i]! * bytes)!);
  });
  for (const buffer of buffers) backend.release(buffer);
  return results;
}

/** Whether two values agree within a relative and absolute tolerance; equal NaN and infinities do. */
export function close(a: number, b: number, relative: number, absolute: number): boolean {
  if (Object.is(a, b) || a === b || (a !== a && b !== b)) return true;
  return Math.abs(a - b) <= absolute + relative * Math.max(Math.abs(a), Math.abs(b));
}

/** Runs a kernel on both backends and compares every output. */
export function compare(
  kernel: Kernel,
  inputs: readonly Values[],
  sizes: readonly number[],
  tolerance: { relative?: number; absolute?: number; offset?: number } = {},
): number[][] {
  const { relative = 2e-6, absolute = 1e-6, offset = 0 } = tolerance;
  const expected = runOn(reference, kernel, inputs, sizes);
  const actual = runOn(wasm, kernel, inputs, sizes, offset);
  expected.forEach((values, o) => {
    values.forEach((want, i) => {
      const got = actual[o]![i]!;
      assert(
        close(got, want, relative, absolute),
        `output ${o} element ${i} of ${values.length}: got ${got}, want ${want}`,
      );
    });
  });
  return actual;
}
