/** Looking at memory, and freeing it by hand where someone wants to. */
import { core } from "./base.ts";
import type { DeviceName, MemoryStatistics } from "./backends/backend.ts";
import { stateError } from "./check.ts";
import { backendNamed, openBackends } from "./compile/devices.ts";
import { collectStorages, type Storage } from "./compile/storage.ts";
import { setDebugLevel } from "./compile/debug.ts";

export { collectGarbage } from "./compile/collect.ts";
export type { MemoryStatistics } from "./backends/backend.ts";

/** Live, peak and pooled bytes of each open device. */
export function memoryStats(): Partial<Record<DeviceName, MemoryStatistics>> {
  return Object.fromEntries(openBackends().map((b) => [b.name, b.memory()]));
}

/** For people: adapter name, or processor threads and instruction set, of an open device. */
export function describeDevice(device: DeviceName): string {
  return backendNamed(device).description;
}

/** Resolves when all work given to the device so far is done; rejects with its first error. */
export async function synchronize(device: DeviceName): Promise<void> {
  await backendNamed(device).synchronize();
}

/** Destroys memory that the device keeps for reuse; returns the bytes freed. */
export function trimMemory(device: DeviceName): number {
  return backendNamed(device).trim();
}

function storagesOf(x: unknown, found: Set<Storage>): Set<Storage> {
  if (x instanceof core().Tensor) found.add(x.storage);
  else if (Array.isArray(x)) { for (const item of x) storagesOf(item, found); }
  else if (typeof x === "object" && x !== null) {
    for (const item of Object.values(x)) storagesOf(item, found);
  }
  return found;
}

/**
 * Runs `body` and gives back the memory of all tensors made meanwhile, except of those it returns.
 * Memory is automatic without it; this is for loops that never let the event loop turn.
 *
 * @param body A synchronous function; its result may nest tensors in arrays and objects.
 * @returns What `body` returns.
 * @throws {Error} If `body` returns a promise.
 *
 * @example
 * ```ts
 * import { tensor, tidy } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const y = tidy(() => tensor([1, 2]).mul(3).add(1));
 * assertEquals([...await y.data()], [4, 7]);
 * ```
 */
export function tidy<T>(body: () => T): T {
  const { result, storages } = collectStorages(body);
  if (result instanceof Promise) {
    throw stateError("tidy", "the function returned a promise", "put only synchronous code inside");
  }
  const keep = storagesOf(result, new Set());
  for (const storage of storages) {
    if (!keep.has(storage) && !storage.pinned && !storage.shared) storage.dispose();
  }
  return result;
}

/** Sets the level of debug output, like the variable `TENSAURUS_DEBUG`: 0 nothing to 4 generated source. */
export function setDebug(level: 0 | 1 | 2 | 3 | 4): void {
  setDebugLevel(level);
}
