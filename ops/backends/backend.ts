/** What a device offers to the engine: memory, compiled kernels, replay of static plans. */
import type { Kernel } from "../ir/kernel.ts";

/** Names of devices as users write them. `reference` is the float64 oracle for tests. */
export type DeviceName = "cpu" | "webgpu" | "reference";

/** Device memory. Opaque outside the backend that made it. */
export interface Buffer {
  /** Bytes asked for. */
  readonly bytes: number;
}

/** An array handed to a kernel: a buffer and where in it element 0 lies, in elements. */
export interface Binding {
  readonly buffer: Buffer;
  readonly offset: number;
}

/** A kernel turned into code; opaque outside its backend. */
export interface CompiledKernel {
  readonly kernel: Kernel;
  /** The kernel's full structural text. */
  readonly key: string;
}

/** One kernel of a plan with the arrays it always runs on: inputs in order, then outputs. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly bindings: readonly Binding[];
}

/** A plan made ready to run again and again without allocation. */
export interface PreparedPlan {
  /** Runs all dispatches in order (enqueues them where the device works asynchronously). */
  run(): void;
  /** Gives back what the plan holds on the device (not the bound buffers). */
  dispose(): void;
}

/** Device memory in bytes. */
export interface MemoryStatistics {
  /** In use by tensors and plans. */
  readonly live: number;
  /** Highest `live` so far. */
  readonly peak: number;
  /** Kept for reuse. */
  readonly pooled: number;
}

/** Time and traffic of one kernel, for `TENSAURUS_DEBUG` ≥ 1. */
export interface KernelTiming {
  readonly label: string;
  readonly milliseconds: number;
}

/** A device. All methods but `read` and `synchronize` return at once. */
export interface Backend {
  readonly name: DeviceName;
  /** For people: adapter name, or processor threads and instruction set. */
  readonly description: string;
  /**
   * Whether a scatter, which keeps the order of its points, costs no more than a map over them. Where
   * thousands of threads have to be kept busy it does.
   */
  readonly cheapScatter: boolean;
  /** Whether `float16`, `float64` storage is there. */
  supports(dtype: "float16" | "float64"): boolean;

  /** Takes memory from the pool; contents are undefined. `bytes` may be 0. @throws {RangeError} When there is none. */
  allocate(bytes: number): Buffer;
  /** Gives memory back to the pool. Work already enqueued on it still runs. */
  release(buffer: Buffer): void;
  /** Copies host bytes into a buffer; `data` may be changed by the caller afterwards. */
  write(buffer: Buffer, byteOffset: number, data: ArrayBufferView): void;
  /** Copies device bytes to the host, after all work enqueued before. */
  read(buffer: Buffer, byteOffset: number, bytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** The same at once, where the device can (CPU always); `undefined` where it cannot. */
  readSync(buffer: Buffer, byteOffset: number, bytes: number): Uint8Array<ArrayBuffer> | undefined;
  /** Set where that takes longer than to await `read`: in a page it goes by way of a canvas. */
  readonly slowReadSync?: boolean | undefined;
  /** Device-to-device copy. Ranges must not overlap. */
  copy(source: Buffer, sourceByte: number, target: Buffer, targetByte: number, bytes: number): void;

  /** Code for a kernel, from the cache when its full text was seen before. */
  compile(kernel: Kernel): CompiledKernel;
  /** Runs a kernel: bindings are inputs in order, then outputs. */
  run(kernel: CompiledKernel, bindings: readonly Binding[]): void;
  /** Compiles all kernels of a plan and fixes its bindings. */
  prepare(dispatches: readonly Dispatch[]): PreparedPlan;

  /** Resolves when all enqueued work is done; rejects with the first device error. */
  synchronize(): Promise<void>;
  memory(): MemoryStatistics;
  /** Destroys pooled memory; returns the bytes freed. */
  trim(): number;
  /** When set, called with the time of every kernel (slows the device down). */
  onTiming: ((timing: KernelTiming) => void) | undefined;
  /** When set, called with the code generated for a kernel: WGSL, or a module in base64. */
  onSource: ((label: string, source: string) => void) | undefined;
}
