/** Times of kernels, by timestamps around each. */
import type { KernelTiming } from "../backend.ts";

/** Kernels that one set of timestamps holds. */
const CAPACITY = 128;

/** Timestamps on their way back. */
export interface TimedBatch {
  /** Calls `hear` for each kernel once the times are known. */
  report(hear: (timing: KernelTiming) => void): Promise<void>;
}

/** Hands out timestamps and reads them back. */
export class Stopwatch {
  readonly #device: GPUDevice;
  readonly #pending = new Set<Promise<void>>();
  #set: GPUQuerySet | undefined;
  #labels: string[] = [];

  /** @param device A device with the feature `timestamp-query`. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Whether no further kernel fits before the next submission. */
  get full(): boolean {
    return this.#labels.length >= CAPACITY;
  }

  /** Timestamps for the pass of one kernel. */
  start(label: string): GPUComputePassTimestampWrites {
    this.#set ??= this.#device.createQuerySet({ type: "timestamp", count: 2 * CAPACITY });
    const at = 2 * this.#labels.length;
    this.#labels.push(label);
    return {
      querySet: this.#set,
      beginningOfPassWriteIndex: at,
      endOfPassWriteIndex: at + 1,
    };
  }

  /** Ends a batch: copies its timestamps out with the other commands. */
  resolve(encoder: GPUCommandEncoder): TimedBatch | undefined {
    const set = this.#set, labels = this.#labels, size = 16 * labels.length;
    if (!set || labels.length === 0) return undefined;
    this.#set = undefined;
    this.#labels = [];
    const resolved = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    const staging = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.resolveQuerySet(set, 0, 2 * labels.length, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    const report = (hear: (timing: KernelTiming) => void): Promise<void> => {
      const done = this.#report(staging, labels, hear).finally(() => {
        for (const buffer of [staging, resolved]) buffer.destroy();
        set.destroy();
        this.#pending.delete(done);
      });
      this.#pending.add(done);
      return done;
    };
    return { report };
  }

  async #report(
    staging: GPUBuffer,
    labels: readonly string[],
    hear: (timing: KernelTiming) => void,
  ): Promise<void> {
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch {
      return; // The device is gone; waits say so.
    }
    const ticks = new BigUint64Array(staging.getMappedRange());
    for (const [i, label] of labels.entries()) {
      hear({ label, milliseconds: Number(ticks[2 * i + 1]! - ticks[2 * i]!) / 1e6 });
    }
  }

  /** Resolves when all times have been reported. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
