/** What the tests of the WebGPU device share: opening it, running a kernel beside the oracle. */
import { assertEquals } from "@std/assert";
import type { Backend, Binding, Buffer } from "../../../ops/backends/backend.ts";
import { createReferenceBackend } from "../../../ops/backends/reference/mod.ts";
import {
  createWebgpuBackend,
  type WebgpuBackend,
  type WebgpuOptions,
} from "../../../ops/backends/webgpu/mod.ts";
import { bytesOf, type DType, type TypedArray } from "../../../ops/ir/dtype.ts";
import type { Kernel } from "../../../ops/ir/kernel.ts";
import { verifyKernel } from "../../../ops/ir/verify.ts";

const ADAPTER = await navigator.gpu?.requestAdapter();

/** Whether the adapter at hand has float16. */
export const HALF: boolean = ADAPTER?.features.has("shader-f16") === true;

/** Options of a test on the device. */
export interface GpuTestOptions extends WebgpuOptions {
  /** Skipped where the adapter has no float16. */
  readonly half?: boolean;
  /** Skipped where workgroups have less memory. */
  readonly workgroupBytes?: number;
}

/** A test on a device of its own; ignored where there is no adapter. Checks for leaks. */
export function gpuTest(
  name: string,
  body: (backend: WebgpuBackend) => Promise<void> | void,
  options: GpuTestOptions = {},
): void {
  const { half = false, workgroupBytes = 0 } = options;
  const ignore = !ADAPTER || (half && !HALF) ||
    workgroupBytes > ADAPTER.limits.maxComputeWorkgroupStorageSize;
  Deno.test({
    name: `webgpu: ${name}`,
    ignore,
    async fn() {
      const backend = await createWebgpuBackend({ adapter: "any", ...options });
      try {
        await body(backend!);
        await backend!.synchronize();
        assertEquals(backend!.memory().live, 0, "buffers are left over");
      } finally {
        backend!.dispose();
      }
    },
  });
}

/** An array for a kernel: numbers, where element 0 lies, and room behind the last. */
export interface TestArray {
  readonly dtype: DType;
  readonly values: readonly number[];
  readonly offset?: number;
}

const HALF_VIEW = new Float16Array(1);
const HALF_BITS = new Uint16Array(HALF_VIEW.buffer);

/** Values as a typed array that tells the dtype. */
export function encode(values: readonly number[], dtype: DType): TypedArray {
  switch (dtype) {
    case "float32":
      return Float32Array.from(values);
    case "float64":
      return Float64Array.from(values);
    case "float16":
      return Uint16Array.from(values, (v) => {
        HALF_VIEW[0] = v;
        return HALF_BITS[0]!;
      });
    case "int32":
      return Int32Array.from(values);
    case "uint32":
    case "bool":
      return Uint32Array.from(values);
  }
}

/** Bytes of a dtype as numbers. */
export function decode(bytes: Uint8Array<ArrayBuffer>, dtype: DType): number[] {
  const { buffer } = bytes;
  switch (dtype) {
    case "float32":
      return [...new Float32Array(buffer)];
    case "float64":
      return [...new Float64Array(buffer)];
    case "float16":
      return [...new Float16Array(buffer)];
    case "int32":
      return [...new Int32Array(buffer)];
    case "uint32":
    case "bool":
      return [...new Uint32Array(buffer)];
  }
}

/** An output of a kernel: its elements and where element 0 lies. */
export interface TestOutput {
  readonly size: number;
  readonly offset?: number;
  /** Lies in the memory of this input (by number), at `offset`. */
  readonly inPlaceOf?: number;
  /** Lies in the memory of this output (by number), at `offset`. */
  readonly besides?: number;
}

/** Value that fills memory around outputs, to see stray writes. */
const FILL = 77;

/** Runs a kernel and returns its outputs with what lies around them. */
export async function runKernel(
  backend: Backend,
  kernel: Kernel,
  inputs: readonly TestArray[],
  outputs: readonly TestOutput[],
): Promise<number[][]> {
  verifyKernel(kernel);
  const buffers = new Set<Buffer>();
  const bindings: Binding[] = [];
  for (const { dtype, values, offset = 0 } of inputs) {
    const all = [...new Array<number>(offset).fill(dtype === "bool" ? 1 : FILL), ...values];
    const bytes = encode(all, dtype);
    const buffer = backend.allocate(bytes.byteLength);
    buffers.add(buffer);
    backend.write(buffer, 0, bytes);
    bindings.push({ buffer, offset });
  }
  for (const [o, { size, offset = 0, inPlaceOf, besides }] of outputs.entries()) {
    const { dtype } = kernel.outputs[o]!;
    const shared = inPlaceOf ?? (besides === undefined ? undefined : inputs.length + besides);
    if (shared !== undefined) {
      bindings.push({ buffer: bindings[shared]!.buffer, offset });
      continue;
    }
    const bytes = encode(new Array<number>(offset + size + 5).fill(FILL), dtype);
    const buffer = backend.allocate(bytes.byteLength);
    buffers.add(buffer);
    backend.write(buffer, 0, bytes);
    bindings.push({ buffer, offset });
  }
  backend.run(backend.compile(kernel), bindings);
  const results: number[][] = [];
  for (const [o] of outputs.entries()) {
    const { buffer } = bindings[inputs.length + o]!;
    const { dtype } = kernel.outputs[o]!;
    const bytes = buffer.bytes - buffer.bytes % bytesOf(dtype);
    results.push(decode(await backend.read(buffer, 0, bytes), dtype));
  }
  for (const buffer of buffers) backend.release(buffer);
  return results;
}

/** Runs a kernel on the device and on the oracle and compares all outputs. */
export async function compareKernel(
  backend: Backend,
  kernel: Kernel,
  inputs: readonly TestArray[],
  outputs: readonly TestOutput[],
  tolerance = 1e-6,
): Promise<void> {
  const actual = await runKernel(backend, kernel, inputs, outputs);
  const expected = await runKernel(createReferenceBackend(), kernel, inputs, outputs);
  for (const [o, values] of actual.entries()) {
    assertClose(values, expected[o]!, tolerance, `output ${o}`);
  }
}

/** Compares numbers: relative to the size of the expected ones, NaN and infinity exactly. */
export function assertClose(
  actual: readonly number[],
  expected: readonly number[],
  tolerance: number,
  what = "result",
): void {
  assertEquals(actual.length, expected.length, `${what}: length`);
  for (const [i, a] of actual.entries()) {
    const e = expected[i]!;
    if (Object.is(a, e) || a === e) continue;
    const close = Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e));
    if (!close) throw new Error(`${what}[${i}] is ${a}, expected ${e} (tolerance ${tolerance})`);
  }
}

/** Repeatable numbers in [−1, 1). */
export function randoms(count: number, seed = 1): number[] {
  let state = seed * 2654435761 >>> 0;
  return Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.fround((state >>> 0) / 2147483648 - 1);
  });
}

/** Sizes at which tiles, vectors and workgroups begin and end. */
export const EDGES: readonly number[] = [1, 3, 4, 5, 63, 64, 65, 500, 513];
