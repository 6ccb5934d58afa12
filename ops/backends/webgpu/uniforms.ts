/** Small blocks of numbers that shaders read: offsets of arrays, parameters of passes. */
import type { Step } from "./step.ts";
import type { Placement } from "./layout.ts";

/** Blocks begin at multiples of this, the largest alignment that adapters ask for. */
const ALIGNMENT = 256;

/** Bytes of one buffer of blocks. */
const CHUNK = 1 << 16;

/** Buffers kept before all are dropped. */
const CHUNKS = 64;

/** A block of numbers on the device. */
export interface UniformBlock {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
  /** Distinguishes blocks in cache keys. */
  readonly key: string;
}

/** The numbers that a step reads: offsets where its layout has them, then its parameters. */
export function uniformWords(step: Step, placement: Placement): readonly number[] {
  return placement.layout.offsets ? [...placement.offsets, ...step.parameters] : step.parameters;
}

/** Blocks by content: the same numbers are written once. Blocks are never changed. */
export class UniformCache {
  readonly #device: GPUDevice;
  readonly #beforeDestroy: () => void;
  readonly #blocks = new Map<string, UniformBlock>();
  readonly #chunks: GPUBuffer[] = [];
  #used = CHUNK;
  #generation = 0;

  /**
   * @param device Where blocks live.
   * @param beforeDestroy Submits what is encoded and forgets who refers to blocks.
   */
  constructor(device: GPUDevice, beforeDestroy: () => void) {
    this.#device = device;
    this.#beforeDestroy = beforeDestroy;
  }

  /** The block that holds `words`. */
  get(words: readonly number[]): UniformBlock {
    const text = words.join(",");
    return this.#blocks.get(text) ?? this.#add(text, words);
  }

  #add(text: string, words: readonly number[]): UniformBlock {
    const size = Math.ceil(words.length / 4) * 16;
    if (this.#used + size > CHUNK) this.#grow();
    const buffer = this.#chunks[this.#chunks.length - 1]!;
    const data = new Uint32Array(size / 4);
    data.set(words);
    this.#device.queue.writeBuffer(buffer, this.#used, data);
    const key = `${this.#generation}:${text}`;
    const block: UniformBlock = { buffer, offset: this.#used, size, key };
    this.#used += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    this.#blocks.set(text, block);
    return block;
  }

  #grow(): void {
    if (this.#chunks.length >= CHUNKS) this.clear();
    this.#chunks.push(
      this.#device.createBuffer({
        size: CHUNK,
        usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      }),
    );
    this.#used = 0;
  }

  /** Drops all blocks. */
  clear(): void {
    this.#beforeDestroy();
    for (const chunk of this.#chunks) chunk.destroy();
    this.#chunks.length = 0;
    this.#blocks.clear();
    this.#used = CHUNK;
    this.#generation++;
  }
}

/** Blocks of a plan in one buffer of its own. */
export function packUniforms(
  device: GPUDevice,
  contents: readonly (readonly number[])[],
): { readonly buffer: GPUBuffer | undefined; readonly blocks: readonly UniformBlock[] } {
  const offsets: number[] = [];
  let bytes = 0;
  for (const words of contents) {
    offsets.push(bytes);
    bytes += Math.ceil(words.length * 4 / ALIGNMENT) * ALIGNMENT;
  }
  if (bytes === 0) return { buffer: undefined, blocks: [] };
  const buffer = device.createBuffer({
    size: bytes,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  const data = new Uint32Array(bytes / 4);
  for (const [i, words] of contents.entries()) data.set(words, offsets[i]! / 4);
  device.queue.writeBuffer(buffer, 0, data);
  const blocks = contents.map((words, i) => {
    const size = Math.ceil(words.length / 4) * 16;
    return { buffer, offset: offsets[i]!, size, key: "" };
  });
  return { buffer, blocks };
}
