/** Storage: the array behind tensors, real on a device or, while tracing, a value of the graph. */
import type { Backend, Buffer } from "../backends/backend.ts";
import { bytesOf, type DType } from "../ir/dtype.ts";
import type { Value } from "../ir/graph.ts";

/** What the finalizer needs to give memory back; must not reference the storage itself. */
interface Held {
  readonly backend: Backend;
  buffer: Buffer | undefined;
}

const registry = new FinalizationRegistry<Held>(giveBack);

function giveBack(held: Held): void {
  if (held.buffer) held.backend.release(held.buffer);
  held.buffer = undefined;
}

/**
 * One contiguous array of elements. Tensors are views of a storage; the buffer goes back to the
 * device's pool when the last of them is collected, or at `dispose`.
 */
export class Storage {
  readonly backend: Backend;
  readonly dtype: DType;
  /** Number of elements. */
  readonly size: number;
  /** Bumped by every in-place write; autograd compares it with what it saved. */
  version = 0;
  /** Value in the trace being recorded, with the trace's number. */
  traced: { readonly trace: number; value: Value } | undefined;
  /** How many tensors have left for another storage; compiled functions that captured it look here. */
  moves = 0;
  /** Whether a plan is bound to the buffer, so that it should stay where it is. */
  pinned = false;
  /** Whether it outlives `tidy` (constants that the library keeps). */
  shared = false;
  readonly #held: Held;

  constructor(backend: Backend, dtype: DType, size: number, buffer: Buffer | undefined) {
    this.backend = backend;
    this.dtype = dtype;
    this.size = size;
    this.#held = { backend, buffer };
    registry.register(this, this.#held, this.#held);
  }

  /** Device memory; `undefined` for a value that exists only in a trace, or after `dispose`. */
  get buffer(): Buffer | undefined {
    return this.#held.buffer;
  }

  /** Bytes of the array. */
  get bytes(): number {
    return this.size * bytesOf(this.dtype);
  }

  /** Takes over the array of another storage of the same dtype and size, which is left empty. */
  take(other: Storage): void {
    giveBack(this.#held);
    this.#held.buffer = other.#held.buffer;
    other.#held.buffer = undefined;
  }

  /** Gives the array back at once. */
  dispose(): void {
    giveBack(this.#held);
  }
}

/**
 * Memory of a device; when there is none, the pool is emptied and the device asked once more.
 *
 * @throws {RangeError} With the bytes that were needed and those that are there.
 */
export function allocate(backend: Backend, bytes: number): Buffer {
  try {
    return backend.allocate(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    backend.trim();
    try {
      return backend.allocate(bytes);
    } catch (again) {
      const { live, pooled } = backend.memory();
      throw new RangeError(
        `${backend.name}: no memory for an array of ${bytes} bytes: live ${live}, pooled ${pooled} (use smaller batches, dispose or tidy in synchronous loops, or await now and then so that unused tensors are freed)`,
        { cause: again },
      );
    }
  }
}

let scope: Storage[] | undefined;

/** Allocates a storage of undefined content. */
export function allocateStorage(backend: Backend, dtype: DType, size: number): Storage {
  const storage = new Storage(backend, dtype, size, allocate(backend, size * bytesOf(dtype)));
  scope?.push(storage);
  return storage;
}

/** Runs `body` and lists the storages that were allocated meanwhile, inner scopes included. */
export function collectStorages<T>(body: () => T): { result: T; storages: Storage[] } {
  const before = scope;
  const storages: Storage[] = [];
  scope = storages;
  try {
    return { result: body(), storages };
  } finally {
    scope = before;
    before?.push(...storages);
  }
}
