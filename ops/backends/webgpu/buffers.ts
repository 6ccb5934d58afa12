/**
 * Device memory. The collector does not see it, so buffers are pooled by size class and destroyed
 * when the pool is trimmed.
 */
import type { Buffer, MemoryStatistics } from "../backend.ts";
import type { Failures } from "./failures.ts";

/** Smallest buffer: the alignment of binding offsets. WebGPU refuses bindings of no bytes. */
const SMALLEST = 256;

let nextId = 1;

/** Memory on the device; many buffers may have it one after the other. */
export interface Memory {
  readonly gpu: GPUBuffer;
  /** Bytes that the device holds. */
  readonly capacity: number;
  /** Number that no other memory had or will have. */
  readonly id: number;
  /** Number of the submission that last uses it. */
  lastUse: number;
}

/** A buffer of the pool. */
export class DeviceBuffer implements Buffer {
  readonly bytes: number;
  readonly memory: Memory;
  /** False once it is given back. */
  live = true;

  /** Lends memory. */
  constructor(bytes: number, memory: Memory) {
    this.bytes = bytes;
    this.memory = memory;
  }
}

/** The device buffer behind a handle of this backend. */
export function deviceBuffer(buffer: Buffer): DeviceBuffer {
  if (!(buffer instanceof DeviceBuffer)) {
    throw new TypeError("webgpu: internal: a buffer of another device");
  }
  if (!buffer.live) throw new Error("webgpu: internal: a buffer is used after its release");
  return buffer;
}

/** Sizes grow in steps of an eighth, so that at most 12.5 % is lost. */
export function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST) return SMALLEST;
  const step = Math.max(SMALLEST, 2 ** (Math.floor(Math.log2(bytes - 1)) - 3));
  return Math.ceil(bytes / step) * step;
}

/** Keeps released buffers for reuse. */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #failures: Failures;
  readonly #free = new Map<number, Memory[]>();
  readonly #beforeDestroy: () => void;
  #live = 0;
  #peak = 0;
  #pooled = 0;
  /** Bytes that the device is known to hold at most, once it refused more. */
  #ceiling = Infinity;

  /**
   * @param device Where buffers live.
   * @param failures Hears of allocations that fail late.
   * @param beforeDestroy Submits what is encoded: work on destroyed buffers is refused.
   */
  constructor(device: GPUDevice, failures: Failures, beforeDestroy: () => void) {
    this.#device = device;
    this.#failures = failures;
    this.#beforeDestroy = beforeDestroy;
  }

  /** Takes a buffer. @throws {RangeError} When there is no memory for it. */
  allocate(bytes: number): DeviceBuffer {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const most = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (bytes > most) throw this.#refusal(bytes, `the adapter allows ${most} per array`);
    const capacity = Math.min(sizeClass(bytes), most - most % 16);
    const reused = this.#free.get(capacity)?.pop();
    if (reused) this.#pooled -= capacity;
    else if (this.#live + this.#pooled + capacity > this.#ceiling) {
      this.trim();
      if (this.#live + capacity > this.#ceiling) {
        throw this.#refusal(bytes, "the device is out of memory");
      }
    }
    this.#live += capacity;
    this.#peak = Math.max(this.#peak, this.#live);
    return new DeviceBuffer(bytes, reused ?? this.#create(bytes, capacity));
  }

  #refusal(bytes: number, reason: string): RangeError {
    return new RangeError(
      `webgpu: allocation of ${bytes} bytes failed: ${this.#live} live, ${this.#pooled} pooled: ` +
        `${reason} (use smaller batches, or let the loop yield so that unused tensors are freed)`,
    );
  }

  /** The device says only later that there was no memory: then the ceiling comes down. */
  #create(bytes: number, capacity: number): Memory {
    const held = this.#live + this.#pooled - capacity;
    const refusal = this.#refusal(bytes, "the device is out of memory");
    this.#device.pushErrorScope("out-of-memory");
    const gpu = this.#device.createBuffer({
      size: capacity,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#device.popErrorScope().then((error) => {
      if (!error) return;
      this.#ceiling = Math.min(this.#ceiling, Math.max(held, 0));
      this.#failures.recordCause(refusal);
    }, () => {});
    return { gpu, capacity, id: nextId++, lastUse: -1 };
  }

  /** Gives a buffer back. */
  release(buffer: DeviceBuffer): void {
    const { memory } = buffer;
    buffer.live = false;
    this.#live -= memory.capacity;
    this.#pooled += memory.capacity;
    const free = this.#free.get(memory.capacity);
    if (free) free.push(memory);
    else this.#free.set(memory.capacity, [memory]);
  }

  /** Destroys what is kept for reuse. Returns the bytes freed. */
  trim(): number {
    const freed = this.#pooled;
    if (freed > 0) this.#beforeDestroy();
    for (const memories of this.#free.values()) {
      for (const { gpu } of memories) gpu.destroy();
    }
    this.#free.clear();
    this.#pooled = 0;
    return freed;
  }

  /** Bytes in use and kept. */
  statistics(): MemoryStatistics {
    return { live: this.#live, peak: this.#peak, pooled: this.#pooled };
  }
}
