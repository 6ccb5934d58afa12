/** The `reference` device: float64, plain loops, no cleverness. The oracle of the tests. */
import type {
  Backend,
  Binding,
  Buffer,
  CompiledKernel,
  Dispatch,
  KernelTiming,
  MemoryStatistics,
  PreparedPlan,
} from "../backend.ts";
import { type Kernel, kernelKey } from "../../ir/kernel.ts";
import type { BoundArray } from "./evaluate.ts";
import { type Runner, runnerOf } from "./kernels.ts";
import { ReferenceBuffer } from "./memory.ts";

class ReferenceKernel implements CompiledKernel {
  readonly kernel: Kernel;
  readonly key: string;
  readonly run: Runner;

  constructor(kernel: Kernel, key: string) {
    this.kernel = kernel;
    this.key = key;
    this.run = runnerOf(kernel);
  }
}

class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly cheapScatter = true;
  readonly description = "float64 oracle";
  onTiming: ((timing: KernelTiming) => void) | undefined = undefined;
  onSource: ((label: string, source: string) => void) | undefined;
  readonly #kernels: Map<string, ReferenceKernel> = new Map();
  #live = 0;
  #peak = 0;

  supports(): boolean {
    return true;
  }

  allocate(bytes: number): Buffer {
    this.#live += bytes;
    this.#peak = Math.max(this.#peak, this.#live);
    return new ReferenceBuffer(bytes);
  }

  release(buffer: Buffer): void {
    own(buffer).release();
    this.#live -= buffer.bytes;
  }

  write(buffer: Buffer, byteOffset: number, data: ArrayBufferView): void {
    own(buffer).setBytes(byteOffset, data);
  }

  read(buffer: Buffer, byteOffset: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(this.readSync(buffer, byteOffset, bytes));
  }

  readSync(buffer: Buffer, byteOffset: number, bytes: number): Uint8Array<ArrayBuffer> {
    return own(buffer).toBytes(byteOffset, bytes);
  }

  copy(
    source: Buffer,
    sourceByte: number,
    target: Buffer,
    targetByte: number,
    bytes: number,
  ): void {
    own(target).copyFrom(own(source), sourceByte, targetByte, bytes);
  }

  compile(kernel: Kernel): ReferenceKernel {
    const key = kernelKey(kernel);
    let compiled = this.#kernels.get(key);
    if (compiled === undefined) {
      compiled = new ReferenceKernel(kernel, key);
      this.#kernels.set(key, compiled);
    }
    return compiled;
  }

  run(kernel: CompiledKernel, bindings: readonly Binding[]): void {
    const arrays = bindings.map(({ buffer, offset }): BoundArray => ({
      buffer: own(buffer),
      offset,
    }));
    const { inputs, outputs } = kernel.kernel;
    if (arrays.length !== inputs.length + outputs.length) {
      throw new Error(`internal: ${arrays.length} bindings for a ${kernel.kernel.kind} kernel`);
    }
    const start = performance.now();
    if (!(kernel instanceof ReferenceKernel)) throw new Error("internal: foreign kernel");
    kernel.run(arrays.slice(0, inputs.length), arrays.slice(inputs.length));
    this.onTiming?.({ label: kernel.kernel.kind, milliseconds: performance.now() - start });
  }

  prepare(dispatches: readonly Dispatch[]): PreparedPlan {
    const compiled = dispatches.map(({ kernel, bindings }) => ({
      kernel: this.compile(kernel),
      bindings,
    }));
    return {
      run: (): void => {
        for (const { kernel, bindings } of compiled) this.run(kernel, bindings);
      },
      dispose: (): void => {},
    };
  }

  synchronize(): Promise<void> {
    return Promise.resolve();
  }

  memory(): MemoryStatistics {
    return { live: this.#live, peak: this.#peak, pooled: 0 };
  }

  trim(): number {
    return 0;
  }
}

function own(buffer: Buffer): ReferenceBuffer {
  if (!(buffer instanceof ReferenceBuffer)) throw new Error("internal: foreign buffer");
  return buffer;
}

/** Makes the float64 reference device. */
export function createReferenceBackend(): Backend {
  return new ReferenceBackend();
}
