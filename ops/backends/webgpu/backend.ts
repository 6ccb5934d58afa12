/** The WebGPU device as the engine sees it. */
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
import { bytesOf } from "../../ir/dtype.ts";
import { axis, load } from "../../ir/expr.ts";
import { type Kernel, kernelKey, type MapKernel } from "../../ir/kernel.ts";
import { BufferPool, type DeviceBuffer, deviceBuffer } from "./buffers.ts";
import { type AdapterChoice, openDevice, type OpenedDevice } from "./device.ts";
import { createGroup, placesOf } from "./bind.ts";
import { place, type Placement } from "./layout.ts";
import { lower } from "./lower.ts";
import { type CompileStatistics, type Pipeline, PipelineCache } from "./pipelines.ts";
import { preparePlan } from "./plan.ts";
import { CommandQueue } from "./queue.ts";
import { readsAtOnce, StagingPool } from "./staging.ts";
import { foldDispatch, type Lowered } from "./step.ts";
import { type UniformBlock, UniformCache, uniformWords } from "./uniforms.ts";

/** Bind groups kept for eager kernels. */
const GROUPS = 4096;

/** How to open the device. */
export interface WebgpuOptions {
  /**
   * Which adapters will do. A software adapter computes on the processor, slowly, and must be asked
   * for.
   *
   * @default {"hardware"}
   */
  readonly adapter?: AdapterChoice | undefined;
  /** Name of a row of the tile table to use for every contraction, for tests and tuning. */
  readonly tile?: string | undefined;
}

/** A kernel with its dispatches. */
class WebgpuKernel implements CompiledKernel {
  readonly kernel: Kernel;
  readonly key: string;
  readonly lowered: Lowered;

  constructor(kernel: Kernel, key: string, lowered: Lowered) {
    this.kernel = kernel;
    this.key = key;
    this.lowered = lowered;
  }
}

/**
 * Opens a WebGPU device.
 *
 * @param options Which adapters will do.
 * @returns The device, or `undefined` where there is no such adapter.
 */
export async function createWebgpuBackend(
  options: WebgpuOptions = {},
): Promise<WebgpuBackend | undefined> {
  const opened = await openDevice(options.adapter ?? "hardware");
  if (!opened) return undefined;
  const staging = new StagingPool(opened.device);
  await staging.prime();
  return new WebgpuBackend(opened, staging, options);
}

/** Runs kernels through WebGPU. */
export class WebgpuBackend implements Backend {
  /** Always `webgpu`. */
  readonly name = "webgpu";
  readonly cheapScatter = false;
  readonly description: string;
  readonly slowReadSync: boolean = !readsAtOnce();
  /** Whether the adapter computes on the processor. */
  readonly software: boolean;
  readonly #opened: OpenedDevice;
  readonly #device: GPUDevice;
  readonly #staging: StagingPool;
  readonly #pool: BufferPool;
  readonly #queue: CommandQueue;
  readonly #pipelines: PipelineCache;
  readonly #uniforms: UniformCache;
  readonly #kernels = new Map<string, WebgpuKernel>();
  readonly #groups = new Map<string, GPUBindGroup>();

  /** Use {@linkcode createWebgpuBackend}. */
  constructor(opened: OpenedDevice, staging: StagingPool, options: WebgpuOptions) {
    const { device, failures } = opened;
    const facts = { ...opened.facts, tile: options.tile };
    this.#opened = { ...opened, facts };
    this.#device = device;
    this.#staging = staging;
    this.description = opened.name;
    this.software = opened.software;
    this.#queue = new CommandQueue(device, failures, staging, opened.timestamps);
    this.#pool = new BufferPool(device, failures, () => this.#forget());
    this.#uniforms = new UniformCache(device, () => this.#forget());
    this.#pipelines = new PipelineCache(device, facts, failures);
  }

  /** Submits what refers to memory that is about to be destroyed, and drops bind groups. */
  #forget(): void {
    this.#queue.submit();
    this.#groups.clear();
  }

  supports(dtype: "float16" | "float64"): boolean {
    return dtype === "float16" && this.#opened.facts.half;
  }

  get onTiming(): ((timing: KernelTiming) => void) | undefined {
    return this.#queue.onTiming;
  }

  set onTiming(hear: ((timing: KernelTiming) => void) | undefined) {
    this.#queue.submit();
    this.#queue.onTiming = hear;
  }

  get onSource(): ((label: string, source: string) => void) | undefined {
    return this.#pipelines.onSource;
  }

  set onSource(hear: ((label: string, source: string) => void) | undefined) {
    this.#pipelines.onSource = hear;
  }

  /** Pipelines compiled so far and the time they took. */
  get compileStatistics(): CompileStatistics {
    return this.#pipelines.statistics;
  }

  allocate(bytes: number): Buffer {
    return this.#pool.allocate(bytes);
  }

  release(buffer: Buffer): void {
    this.#pool.release(deviceBuffer(buffer));
  }

  write(buffer: Buffer, byteOffset: number, data: ArrayBufferView): void {
    const target = deviceBuffer(buffer);
    if (data.byteLength === 0) return;
    checkRange("write", target, byteOffset, data.byteLength);
    const bytes = ownBytes(data);
    if (byteOffset % 4 === 0 && bytes.byteLength % 4 === 0) {
      this.#queue.write(target.memory, byteOffset, bytes);
      return;
    }
    // Odd halves go through a copy of their own, since writes are in words.
    const padded = new Uint8Array(bytes.byteLength + 2);
    padded.set(bytes);
    const words = this.#pool.allocate(padded.byteLength);
    this.#queue.write(words.memory, 0, padded.subarray(0, padded.byteLength & ~3));
    this.#copyHalves(words, 0, target, byteOffset, bytes.byteLength);
    this.#pool.release(words);
  }

  async read(
    buffer: Buffer,
    byteOffset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const source = deviceBuffer(buffer);
    if (bytes === 0) return new Uint8Array(0);
    checkRange("read", source, byteOffset, bytes);
    const [start, length] = wordRange(byteOffset, bytes);
    const words = await this.#queue.read(source.memory, start, length);
    return part(words, byteOffset - start, bytes);
  }

  readSync(
    buffer: Buffer,
    byteOffset: number,
    bytes: number,
  ): Uint8Array<ArrayBuffer> | undefined {
    const source = deviceBuffer(buffer);
    if (bytes === 0) return new Uint8Array(0);
    checkRange("readSync", source, byteOffset, bytes);
    const [start, length] = wordRange(byteOffset, bytes);
    const words = this.#queue.readNow(source.memory, start, length);
    return words && part(words, byteOffset - start, bytes);
  }

  copy(
    source: Buffer,
    sourceByte: number,
    target: Buffer,
    targetByte: number,
    bytes: number,
  ): void {
    const from = deviceBuffer(source), to = deviceBuffer(target);
    if (bytes === 0) return;
    checkRange("copy", from, sourceByte, bytes);
    checkRange("copy", to, targetByte, bytes);
    const words = sourceByte % 4 === 0 && targetByte % 4 === 0 && bytes % 4 === 0;
    // WebGPU copies inside one buffer by kernels only.
    if (words && from.memory !== to.memory) {
      this.#queue.copy(from.memory, sourceByte, to.memory, targetByte, bytes);
    } else if (words) this.#copyElements("uint32", from, sourceByte, to, targetByte, bytes);
    else this.#copyHalves(from, sourceByte, to, targetByte, bytes);
  }

  #copyHalves(
    source: DeviceBuffer,
    from: number,
    target: DeviceBuffer,
    to: number,
    bytes: number,
  ): void {
    this.#copyElements("float16", source, from, target, to, bytes);
  }

  #copyElements(
    dtype: "uint32" | "float16",
    source: DeviceBuffer,
    from: number,
    target: DeviceBuffer,
    to: number,
    bytes: number,
  ): void {
    const size = bytesOf(dtype), count = bytes / size;
    const kernel: MapKernel = {
      kind: "map",
      shape: [count],
      inputs: [{ dtype }],
      outputs: [{ dtype, value: load(0, dtype, axis(0, count)), index: undefined }],
    };
    this.run(this.compile(kernel), [
      { buffer: source, offset: from / size },
      { buffer: target, offset: to / size },
    ]);
  }

  compile(kernel: Kernel): CompiledKernel {
    const key = kernelKey(kernel);
    let compiled = this.#kernels.get(key);
    if (!compiled) {
      this.#checkTypes(kernel);
      compiled = new WebgpuKernel(kernel, key, lower(kernel, this.#opened.facts));
      this.#kernels.set(key, compiled);
    }
    return compiled;
  }

  #checkTypes(kernel: Kernel): void {
    for (const { dtype } of [...kernel.inputs, ...kernel.outputs]) {
      if (dtype === "float64" || (dtype === "float16" && !this.#opened.facts.half)) {
        throw new TypeError(
          `webgpu: ${dtype} is not supported by ${this.description} (use device cpu)`,
        );
      }
    }
  }

  run(compiled: CompiledKernel, bindings: readonly Binding[]): void {
    const { lowered } = asOwn(compiled);
    const scratch = lowered.scratch.map((bytes) => this.#pool.allocate(bytes));
    for (const step of lowered.steps) {
      if (step.workgroups === 0) continue;
      const placement = place(step.arguments, placesOf(step, bindings, scratch));
      const pipeline = this.#pipelines.get(step, placement);
      const block = pipeline.uniform
        ? this.#uniforms.get(uniformWords(step, placement))
        : undefined;
      const [x, y] = foldDispatch(step.workgroups);
      const group = this.#group(pipeline, placement, block);
      this.#queue.dispatch({ pipeline: pipeline.gpu, group, x, y, label: step.label });
      for (const { memory } of placement.ranges) this.#queue.touch(memory);
    }
    for (const buffer of scratch) this.#pool.release(buffer);
    this.#queue.submitIfFull();
  }

  #group(pipeline: Pipeline, placement: Placement, block: UniformBlock | undefined): GPUBindGroup {
    let key = `${pipeline.id}`;
    for (const { memory, start } of placement.ranges) key += `;${memory.id}+${start}`;
    if (block) key += `;${block.key}`;
    const known = this.#groups.get(key);
    if (known) return known;
    if (this.#groups.size >= GROUPS) this.#groups.clear();
    const group = createGroup(this.#device, pipeline, placement, block);
    this.#groups.set(key, group);
    return group;
  }

  prepare(dispatches: readonly Dispatch[]): PreparedPlan {
    const work = dispatches.map(({ kernel, bindings }) => {
      return { lowered: asOwn(this.compile(kernel)).lowered, bindings };
    });
    return preparePlan(work, {
      device: this.#device,
      queue: this.#queue,
      pool: this.#pool,
      pipelines: this.#pipelines,
    });
  }

  synchronize(): Promise<void> {
    return this.#queue.synchronize();
  }

  memory(): MemoryStatistics {
    return this.#pool.statistics();
  }

  trim(): number {
    this.#staging.trim();
    return this.#pool.trim();
  }

  /** Destroys the device with everything on it. */
  dispose(): void {
    this.#opened.failures.lose(new Error("webgpu: the device was disposed"));
    this.#device.destroy();
  }
}

function asOwn(compiled: CompiledKernel): WebgpuKernel {
  if (compiled instanceof WebgpuKernel) return compiled;
  throw new TypeError("webgpu: internal: a kernel of another device");
}

function checkRange(what: string, buffer: DeviceBuffer, offset: number, bytes: number): void {
  if (offset < 0 || offset + bytes > buffer.bytes) {
    throw new RangeError(
      `webgpu: internal: ${what} of ${bytes} bytes at ${offset} of a buffer of ${buffer.bytes}`,
    );
  }
}

/** The bytes of a view, in memory that is not shared. */
function ownBytes(data: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = data;
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/** The words around a range of bytes: start and length. */
function wordRange(offset: number, bytes: number): [number, number] {
  const start = offset & ~3;
  return [start, (offset + bytes - start + 3) & ~3];
}

function part(
  words: Uint8Array<ArrayBuffer>,
  skip: number,
  bytes: number,
): Uint8Array<ArrayBuffer> {
  return skip === 0 && words.byteLength === bytes ? words : words.slice(skip, skip + bytes);
}
