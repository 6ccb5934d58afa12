/** Staging buffers, through which results come back to the host. */

/** Platforms on which a primed staging buffer can be read in the turn in which it is mapped. */
const SYNCHRONOUS = new Set(["Deno/2.9.6"]);

/** Bytes of the staging buffers that serve reads at once; larger reads take several turns of it. */
const PRIMED_BYTES = 1 << 20;

/** Staging memory kept for later reads. */
const KEPT_BYTES = 64 << 20;

/** Whether this platform can read at once. Tested, not guessed: elsewhere the process may abort. */
export function readsAtOnce(): boolean {
  return SYNCHRONOUS.has(globalThis.navigator?.userAgent ?? "");
}

/** A buffer that can be copied into and mapped. */
export class Staging {
  readonly gpu: GPUBuffer;
  readonly capacity: number;

  /** Creates the buffer. */
  constructor(device: GPUDevice, capacity: number) {
    this.capacity = capacity;
    this.gpu = device.createBuffer({
      size: capacity,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  /** The first bytes, once all submitted work is done. */
  async read(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    await this.gpu.mapAsync(GPUMapMode.READ, 0, bytes);
    const result = new Uint8Array(this.gpu.getMappedRange(0, bytes)).slice();
    this.gpu.unmap();
    return result;
  }

  /** The first bytes now: asking for the map has waited for the queue. Only after an awaited `read`. */
  readNow(bytes: number): Uint8Array<ArrayBuffer> {
    this.gpu.mapAsync(GPUMapMode.READ, 0, bytes).catch(() => {});
    const result = new Uint8Array(this.gpu.getMappedRange(0, bytes)).slice();
    this.gpu.unmap();
    return result;
  }
}

/** Staging buffers by size. */
export class StagingPool {
  readonly #device: GPUDevice;
  readonly #free: Staging[] = [];
  /** Kept for reads at once. */
  #primed: Staging | undefined;
  #kept = 0;

  /** Starts empty. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Makes reads at once possible where the platform allows them. */
  async prime(): Promise<void> {
    if (!readsAtOnce()) return;
    const staging = new Staging(this.#device, PRIMED_BYTES);
    await staging.read(4);
    this.#primed = staging;
  }

  /** A buffer of at least `bytes`. */
  take(bytes: number): Staging {
    let best = -1;
    for (const [i, { capacity }] of this.#free.entries()) {
      if (capacity >= bytes && !(best >= 0 && this.#free[best]!.capacity <= capacity)) best = i;
    }
    if (best >= 0) return this.#remove(best);
    return new Staging(this.#device, 2 ** Math.ceil(Math.log2(Math.max(bytes, 4096))));
  }

  /** The buffer for reads at once, where the platform allows them. */
  get primed(): Staging | undefined {
    return this.#primed;
  }

  #remove(index: number): Staging {
    const [staging] = this.#free.splice(index, 1);
    this.#kept -= staging!.capacity;
    return staging!;
  }

  /** Gives a buffer back; large ones go first when too much is kept. */
  give(staging: Staging): void {
    if (this.#kept + staging.capacity > KEPT_BYTES) {
      staging.gpu.destroy();
      return;
    }
    this.#free.push(staging);
    this.#kept += staging.capacity;
  }

  /** Destroys what is kept for awaited reads. */
  trim(): void {
    for (const { gpu } of this.#free) gpu.destroy();
    this.#free.length = 0;
    this.#kept = 0;
  }
}
