/**
 * The one linear memory of the `wasm` backend and the allocator in it.
 *
 * All tensors, scratch space, argument blocks and kernel bytes on the CPU live in this memory, so
 * every thread sees them without copying. The allocator is two-level segregated fit: free blocks
 * hang in lists by size (16 classes per power of two), neighbours merge at once when freed, and
 * both operations take constant time (about 0.2 µs). Freed blocks are what a "pool" would keep:
 * the next allocation of the size takes the block freed last, which is still in the cache.
 *
 * Addresses are unsigned 32-bit numbers up to 4 GiB: a kernel must not compare addresses signed.
 * A typed array over the memory goes stale when the memory grows; ask for a fresh one by
 * {@linkcode WasmMemory.view}.
 *
 * @module
 */

import { LEAST_PAGES } from "./assembler.ts";
import type { ModuleOptions } from "./assembler.ts";
import { ConstantPool } from "./constants.ts";

const PAGE = 65536;
/** Alignment of every block: two cache lines, since processors fetch lines in pairs. */
const ALIGNMENT = 128;
/** Smallest step by which the memory grows: growing costs system calls. */
const GROWTH = 16 * 1024 * 1024;
/** Size classes per power of two, as a power of two: at most 6 % of a block is slack. */
const SPLIT_LOG2 = 4;
const CLASSES = 33 << SPLIT_LOG2;

/** Typed arrays by the dtype names that {@linkcode WasmMemory.view} takes. */
export interface MemoryViews {
  /** Single precision. */
  f32: Float32Array<ArrayBufferLike>;
  /** Double precision. */
  f64: Float64Array<ArrayBufferLike>;
  /** Half precision, as raw bits. */
  f16: Uint16Array<ArrayBufferLike>;
  /** Signed 32-bit. */
  i32: Int32Array<ArrayBufferLike>;
  /** Unsigned 32-bit. */
  u32: Uint32Array<ArrayBufferLike>;
  /** Signed 64-bit. */
  i64: BigInt64Array<ArrayBufferLike>;
  /** Unsigned 64-bit. */
  u64: BigUint64Array<ArrayBufferLike>;
  /** Signed bytes. */
  i8: Int8Array<ArrayBufferLike>;
  /** Unsigned bytes. */
  u8: Uint8Array<ArrayBufferLike>;
}

/** What the allocator has given out and holds. All in bytes. */
export interface MemoryStats {
  /** Given out and not freed, with alignment slack. */
  live: number;
  /** Number of blocks given out and not freed. */
  blocks: number;
  /** Largest value of `live` so far. */
  peak: number;
  /** Free inside the grown memory. */
  pooled: number;
  /** Size of the memory as grown so far. */
  capacity: number;
  /** Size to which it can grow. */
  limit: number;
}

/** Settings of {@linkcode WasmMemory}. */
export interface MemoryOptions {
  /** Upper bound in bytes, 1 MiB at least. @default 4 GiB, or the most that the platform grants */
  maxBytes?: number;
  /** Whether threads can share it. @default whether SharedArrayBuffer exists */
  shared?: boolean;
}

interface Block {
  address: number;
  size: number;
  free: boolean;
  /** Neighbours by address. */
  before: Block | undefined;
  after: Block | undefined;
  /** Neighbours in the free list. */
  previous: Block | undefined;
  next: Block | undefined;
}

/** A growing memory with an allocator. See the module's documentation. */
export class WasmMemory {
  /** What kernels import. */
  readonly memory: WebAssembly.Memory;
  /** Whether it is shared between threads. */
  readonly shared: boolean;
  /** How modules that import it are built. */
  readonly moduleOptions: ModuleOptions;
  readonly #limit: number;
  readonly #lists: (Block | undefined)[] = new Array<Block | undefined>(CLASSES).fill(undefined);
  /** Per power of two, one bit for each of its classes that has a free block. */
  readonly #columns = new Uint32Array(33);
  readonly #used = new Map<number, Block>();
  #last: Block | undefined;
  #capacity: number;
  #live = 0;
  #peak = 0;

  /** Reserves the addresses and takes the first pages. */
  constructor(options: MemoryOptions = {}) {
    const { memory, shared, pages } = create(options);
    this.memory = memory;
    this.shared = shared;
    this.moduleOptions = { sharedMemory: shared, constants: new ConstantPool(this) };
    this.#limit = pages * PAGE;
    this.#capacity = memory.buffer.byteLength;
    // Address 0 stays unused, so that it can mean "none"; so does the end, so that a kernel may read
    // a whole vector where fewer elements are left.
    this.#append(ALIGNMENT, this.#capacity - 2 * ALIGNMENT);
  }

  /**
   * Takes a block, aligned to 128 bytes. Its contents are undefined.
   *
   * @param bytes Size; 0 takes the smallest block.
   * @returns Its address.
   * @throws {RangeError} If the memory cannot grow enough.
   */
  alloc(bytes: number): number {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    const block = this.#find(size) ?? this.#grow(size);
    if (block === undefined) {
      const available = this.#limit - this.#live - 2 * ALIGNMENT;
      throw new RangeError(
        `alloc: needs ${bytes} bytes, ${Math.max(0, available)} of ${this.#limit} available` +
          (available >= size ? ", but not in one piece" : "") +
          " (free tensors, or use smaller batches)",
      );
    }
    this.#unlink(block);
    this.#trim(block, size);
    this.#used.set(block.address, block);
    this.#live += block.size;
    if (this.#live > this.#peak) this.#peak = this.#live;
    return block.address;
  }

  /**
   * Gives a block back.
   *
   * @param address What `alloc` returned.
   * @throws {RangeError} If no block is in use there.
   */
  free(address: number): void {
    let block = this.#used.get(address);
    if (block === undefined) throw new RangeError(`free: no block in use at ${address}`);
    this.#used.delete(address);
    this.#live -= block.size;
    const { after } = block;
    if (after?.free === true) {
      this.#unlink(after);
      this.#merge(block, after);
    }
    if (block.before?.free === true) {
      this.#unlink(block.before);
      block = this.#merge(block.before, block);
    }
    this.#link(block);
  }

  /**
   * The size of a block in use, with alignment slack.
   *
   * @param address What `alloc` returned.
   * @returns Bytes, or 0 where no block is in use.
   */
  sizeOf(address: number): number {
    return this.#used.get(address)?.size ?? 0;
  }

  /**
   * A typed array over part of the memory, valid until the next allocation.
   *
   * @param address Where, aligned to the element size.
   * @param count Number of elements.
   * @param dtype Element type.
   * @returns The view.
   */
  view<D extends keyof MemoryViews>(address: number, count: number, dtype: D): MemoryViews[D] {
    return makeView(this.memory.buffer, address, count, dtype) as MemoryViews[D];
  }

  /**
   * Numbers for reports and leak checks.
   *
   * @returns See {@linkcode MemoryStats}.
   */
  stats(): MemoryStats {
    return {
      live: this.#live,
      blocks: this.#used.size,
      peak: this.#peak,
      pooled: this.#capacity - 2 * ALIGNMENT - this.#live,
      capacity: this.#capacity,
      limit: this.#limit,
    };
  }

  /** Makes `peak` the present value of `live`. */
  resetPeak(): void {
    this.#peak = this.#live;
  }

  /** A free block of at least `size`: the smallest class of which every block is large enough. */
  #find(size: number): Block | undefined {
    const own = classOf(size);
    // Blocks of the request's own class may be a little too small; its head is worth a look, since
    // programs ask for the same sizes again and again.
    const head = this.#lists[own];
    if (head !== undefined && head.size >= size) return head;
    const wanted = own + 1;
    const row = wanted >>> SPLIT_LOG2;
    const columns = this.#columns[row]! & ~((1 << (wanted & 15)) - 1);
    if (columns !== 0) return this.#lists[(row << SPLIT_LOG2) + lowest(columns)];
    for (let next = row + 1; next < this.#columns.length; next++) {
      const bits = this.#columns[next]!;
      if (bits !== 0) return this.#lists[(next << SPLIT_LOG2) + lowest(bits)];
    }
    for (let block = head; block !== undefined; block = block.next) {
      if (block.size >= size) return block;
    }
    return undefined;
  }

  #grow(size: number): Block | undefined {
    const tail = this.#last?.free === true ? this.#last.size : 0;
    const missing = size - tail;
    // An eighth of the capacity at least, so that the number of system calls stays logarithmic.
    for (const extra of [Math.max(missing, GROWTH, this.#capacity / 8), missing]) {
      const pages = Math.ceil(extra / PAGE);
      if (this.#capacity + pages * PAGE > this.#limit) continue;
      try {
        this.memory.grow(pages);
      } catch {
        continue;
      }
      const start = this.#capacity - ALIGNMENT;
      this.#capacity += pages * PAGE;
      return this.#append(start, pages * PAGE);
    }
    return undefined;
  }

  /** Adds fresh memory at the end as a free block, merged with a free last one. */
  #append(address: number, size: number): Block {
    const block: Block = {
      address,
      size,
      free: false,
      before: this.#last,
      after: undefined,
      previous: undefined,
      next: undefined,
    };
    if (this.#last !== undefined) this.#last.after = block;
    const last = this.#last;
    this.#last = block;
    if (last?.free !== true) return this.#link(block);
    this.#unlink(last);
    return this.#link(this.#merge(last, block));
  }

  /** Gives the part of an unlinked block beyond `size` back. */
  #trim(block: Block, size: number): void {
    const rest = block.size - size;
    if (rest < ALIGNMENT) return;
    const tail: Block = {
      address: block.address + size,
      size: rest,
      free: false,
      before: block,
      after: block.after,
      previous: undefined,
      next: undefined,
    };
    if (block.after === undefined) this.#last = tail;
    else block.after.before = tail;
    block.after = tail;
    block.size = size;
    this.#link(tail);
  }

  /** Joins two neighbours, neither in a list. */
  #merge(block: Block, after: Block): Block {
    block.size += after.size;
    block.after = after.after;
    if (after.after === undefined) this.#last = block;
    else after.after.before = block;
    return block;
  }

  #link(block: Block): Block {
    const index = classOf(block.size);
    const head = this.#lists[index];
    block.free = true;
    block.previous = undefined;
    block.next = head;
    if (head !== undefined) head.previous = block;
    this.#lists[index] = block;
    const row = index >>> SPLIT_LOG2;
    this.#columns[row]! |= 1 << (index & 15);
    return block;
  }

  #unlink(block: Block): void {
    block.free = false;
    if (block.next !== undefined) block.next.previous = block.previous;
    if (block.previous !== undefined) {
      block.previous.next = block.next;
      return;
    }
    const index = classOf(block.size);
    this.#lists[index] = block.next;
    if (block.next !== undefined) return;
    const row = index >>> SPLIT_LOG2;
    this.#columns[row]! &= ~(1 << (index & 15));
  }
}

/** Class of a size: its highest bit, and the four bits below. */
function classOf(size: number): number {
  const row = 31 - Math.clz32(size >>> 0);
  return (row << SPLIT_LOG2) + ((size >>> (row - SPLIT_LOG2)) & 15);
}

function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function create(
  options: MemoryOptions,
): { memory: WebAssembly.Memory; shared: boolean; pages: number } {
  const shared = options.shared ?? typeof SharedArrayBuffer === "function";
  let pages = Math.min(
    65536,
    Math.max(LEAST_PAGES, Math.floor((options.maxBytes ?? 2 ** 32) / PAGE)),
  );
  // Some platforms refuse to reserve 4 GiB of addresses: ask for less until one is granted.
  for (;; pages >>>= 1) {
    try {
      const initial = LEAST_PAGES;
      return { memory: new WebAssembly.Memory({ initial, maximum: pages, shared }), shared, pages };
    } catch (error) {
      if (pages < 512) throw error;
    }
  }
}

function makeView(
  buffer: ArrayBufferLike,
  address: number,
  count: number,
  dtype: keyof MemoryViews,
): MemoryViews[keyof MemoryViews] {
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer, address, count);
    case "f64":
      return new Float64Array(buffer, address, count);
    case "f16":
      return new Uint16Array(buffer, address, count);
    case "i32":
      return new Int32Array(buffer, address, count);
    case "u32":
      return new Uint32Array(buffer, address, count);
    case "i64":
      return new BigInt64Array(buffer, address, count);
    case "u64":
      return new BigUint64Array(buffer, address, count);
    case "i8":
      return new Int8Array(buffer, address, count);
    case "u8":
      return new Uint8Array(buffer, address, count);
  }
}
