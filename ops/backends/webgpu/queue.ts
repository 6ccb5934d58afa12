/**
 * Submissions. Kernels go into one open pass until something has to leave the device; reads come
 * back through a pool of staging buffers.
 */
import type { KernelTiming } from "../backend.ts";
import type { Memory } from "./buffers.ts";
import { CanvasReader } from "./canvas.ts";
import type { Failures } from "./failures.ts";
import type { Staging, StagingPool } from "./staging.ts";
import { Stopwatch } from "./timing.ts";

/** Kernels in one submission: enough to spread its cost, few enough that the device starts early. */
const BATCH = 64;

/** Submissions between two fences. A fence stalls for microseconds and lets staging memory return. */
const FENCE = 64;

/** What `dispatch` needs to know of a step. */
export interface Encodable {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly label: string;
}

/** The queue of a device. */
export class CommandQueue {
  readonly #device: GPUDevice;
  readonly #failures: Failures;
  readonly #staging: StagingPool;
  readonly #stopwatch: Stopwatch | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #dispatches = 0;
  #submissions = 0;
  /** Null where there is none. */
  #canvas: CanvasReader | null | undefined;
  /** Called with the time of every kernel when set. */
  onTiming: ((timing: KernelTiming) => void) | undefined;

  /**
   * @param device Where commands go.
   * @param failures Errors noted so far, thrown by reads and waits.
   * @param staging Buffers for reads.
   * @param timestamps Whether the device can time kernels.
   */
  constructor(device: GPUDevice, failures: Failures, staging: StagingPool, timestamps: boolean) {
    this.#device = device;
    this.#failures = failures;
    this.#staging = staging;
    this.#stopwatch = timestamps ? new Stopwatch(device) : undefined;
  }

  /** Encodes a kernel. */
  dispatch(work: Encodable): void {
    const pass = this.#openPass(work.label);
    pass.setPipeline(work.pipeline);
    pass.setBindGroup(0, work.group);
    pass.dispatchWorkgroups(work.x, work.y);
    this.#dispatches++;
  }

  /** Submits when enough kernels are waiting. */
  submitIfFull(): void {
    if (this.#dispatches >= BATCH) this.submit();
  }

  /** Notes that encoded work uses memory. */
  touch(memory: Memory): void {
    memory.lastUse = this.#submissions;
  }

  #openEncoder(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #openPass(label: string): GPUComputePassEncoder {
    if (this.onTiming && this.#stopwatch) {
      if (this.#stopwatch.full) this.submit();
      this.#closePass();
      const timestampWrites = this.#stopwatch.start(label);
      this.#pass = this.#openEncoder().beginComputePass({ timestampWrites });
    }
    this.#pass ??= this.#openEncoder().beginComputePass();
    return this.#pass;
  }

  #closePass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  /** Submits what is encoded. */
  submit(): void {
    if (!this.#encoder) return;
    this.#closePass();
    const timed = this.#stopwatch?.resolve(this.#encoder);
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#dispatches = 0;
    this.#submissions++;
    if (timed && this.onTiming) void timed.report(this.onTiming);
    if (this.#submissions % FENCE === 0) this.#fence();
  }

  /**
   * Keeps the host from running ahead without bound: in Deno the call itself waits until the queue
   * is empty. Elsewhere it costs nothing.
   */
  #fence(): void {
    this.#device.queue.onSubmittedWorkDone().catch(() => {});
  }

  /** Copies host bytes; offset and length are multiples of 4. */
  write(memory: Memory, offset: number, data: Uint8Array<ArrayBuffer>): void {
    // Writes go ahead of what is not yet submitted.
    if (memory.lastUse === this.#submissions) this.submit();
    this.#device.queue.writeBuffer(memory.gpu, offset, data, 0, data.byteLength);
  }

  /** Copies between device buffers; offsets and length are multiples of 4. */
  copy(source: Memory, from: number, target: Memory, to: number, bytes: number): void {
    this.#closePass();
    this.#openEncoder().copyBufferToBuffer(source.gpu, from, target.gpu, to, bytes);
    this.touch(source);
    this.touch(target);
  }

  /** Copies `bytes` (a multiple of 4) into a staging buffer and submits. */
  #fetch(memory: Memory, offset: number, bytes: number, staging: Staging): void {
    this.#closePass();
    this.#openEncoder().copyBufferToBuffer(memory.gpu, offset, staging.gpu, 0, bytes);
    this.submit();
  }

  /** Reads bytes after all work encoded before. */
  async read(memory: Memory, offset: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const staging = this.#staging.take(bytes);
    try {
      this.#fetch(memory, offset, bytes, staging);
      const result = await staging.read(bytes);
      await this.#check();
      return result;
    } catch (error) {
      // The cause says more than the map that failed by it, but may come a turn later.
      await turn();
      this.#failures.check();
      throw error;
    } finally {
      this.#staging.give(staging);
    }
  }

  /** The same at once, where the platform is known to do that, or has canvases. */
  readNow(memory: Memory, offset: number, bytes: number): Uint8Array<ArrayBuffer> | undefined {
    this.#failures.check();
    const staging = this.#staging.primed;
    if (!staging) {
      this.submit();
      if (this.#canvas === undefined) this.#canvas = CanvasReader.open(this.#device) ?? null;
      return this.#canvas?.read(memory.gpu, offset, bytes);
    }
    const result = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += staging.capacity) {
      const part = Math.min(staging.capacity, bytes - at);
      this.#fetch(memory, offset + at, part, staging);
      result.set(staging.readNow(part), at);
    }
    return result;
  }

  /** Waits for all work encoded so far. */
  async synchronize(): Promise<void> {
    this.submit();
    await this.#device.queue.onSubmittedWorkDone().catch(() => {});
    await this.#stopwatch?.settled();
    await this.#check();
  }

  /** Throws what went wrong. What follows from it may come a turn later, and is not told again. */
  async #check(): Promise<void> {
    if (this.#failures.any) await turn();
    this.#failures.check();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
