/** Running single kernels at once. */
import type { Backend, CompiledKernel } from "../backends/backend.ts";
import type { Kernel } from "../ir/kernel.ts";
import { simplifyKernel } from "../ir/simplify.ts";
import type { Storage } from "./storage.ts";

/** Code for one kernel. */
export function compileEager(backend: Backend, kernel: Kernel): CompiledKernel {
  return backend.compile(simplifyKernel(kernel));
}

/** Runs one kernel on storages; outputs are whole. */
export function runEagerKernel(
  backend: Backend,
  compiled: CompiledKernel,
  inputs: readonly Storage[],
  offsets: readonly number[],
  outputs: readonly { readonly storage: Storage; readonly offset: number }[],
  label: string,
): void {
  const bindings = inputs.map((storage, i) => {
    if (!storage.buffer) {
      throw new Error(
        storage.traced
          ? `${label}: a tensor of a compiled function was used outside of it (return it from the function)`
          : `${label}: the memory of a tensor was given back (dispose or tidy)`,
      );
    }
    return { buffer: storage.buffer, offset: offsets[i]! };
  });
  for (const output of outputs) {
    bindings.push({ buffer: output.storage.buffer!, offset: output.offset });
  }
  backend.run(compiled, bindings);
}
