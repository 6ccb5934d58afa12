/** Runs single kernels on the reference device, for tests. */
import type { Backend, Binding } from "../../ops/backends/backend.ts";
import { createReferenceBackend } from "../../ops/backends/reference/mod.ts";
import { bytesOf, type DType } from "../../ops/ir/dtype.ts";
import type { Kernel } from "../../ops/ir/kernel.ts";

/** Host array of a dtype (half precision as its bits is not needed here). */
export function hostArray(dtype: DType, values: readonly number[]): ArrayBufferView {
  switch (dtype) {
    case "float32":
      return Float32Array.from(values);
    case "float64":
      return Float64Array.from(values);
    case "int32":
      return Int32Array.from(values);
    case "uint32":
    case "bool":
      return Uint32Array.from(values);
    case "float16":
      throw new Error("float16 has no host array here");
  }
}

/** Values in bytes of a dtype. */
export function valuesOf(dtype: DType, bytes: Uint8Array<ArrayBuffer>): number[] {
  switch (dtype) {
    case "float32":
      return [...new Float32Array(bytes.buffer)];
    case "float64":
      return [...new Float64Array(bytes.buffer)];
    case "int32":
      return [...new Int32Array(bytes.buffer)];
    case "uint32":
    case "bool":
      return [...new Uint32Array(bytes.buffer)];
    case "float16":
      throw new Error("float16 has no host array here");
  }
}

/** Outputs of a kernel, `sizes[i]` elements each. */
export function runKernel(
  kernel: Kernel,
  inputs: readonly (readonly number[])[],
  sizes: readonly number[],
  backend: Backend = createReferenceBackend(),
): number[][] {
  const bindings: Binding[] = inputs.map((values, i) => {
    const { dtype } = kernel.inputs[i]!;
    const buffer = backend.allocate(values.length * bytesOf(dtype));
    backend.write(buffer, 0, hostArray(dtype, values));
    return { buffer, offset: 0 };
  });
  for (const [i, { dtype }] of kernel.outputs.entries()) {
    bindings.push({ buffer: backend.allocate(sizes[i]! * bytesOf(dtype)), offset: 0 });
  }
  backend.run(backend.compile(kernel), bindings);
  return kernel.outputs.map(({ dtype }, i) => {
    const { buffer } = bindings[inputs.length + i]!;
    return valuesOf(dtype, backend.readSync(buffer, 0, buffer.bytes)!);
  });
}
