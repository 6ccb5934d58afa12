/** Sharing of memory among temporaries that are not alive at the same time. */
import type { GraphNode, KernelNode, Value } from "./graph.ts";
import { bytesOf } from "./dtype.ts";
import { isReadInPlace } from "./memory_alias.ts";
import type { Home, Placement, Storage } from "./memory_place.ts";

/** Steps from the first write to the last read. */
interface Lifetime {
  readonly storage: Storage;
  start: number;
  end: number;
  /** The storage that this one may take over in its first step, element by element. */
  readonly replaces: Set<Storage>;
}

/** Memory that temporaries share. */
export interface Slot {
  readonly bytes: number;
  readonly storages: readonly Storage[];
}

/** Gives each temporary a slot: the largest first, each in the smallest slot that is free for it. */
export function assignSlots(placement: Placement): Slot[] {
  const lifetimes = lifetimesOf(placement);
  const order = [...lifetimes.values()].sort((a, b) =>
    b.storage.bytes - a.storage.bytes || a.start - b.start
  );
  const slots: { bytes: number; tenants: Lifetime[] }[] = [];
  for (const lifetime of order) {
    // Slots came in falling size, so the last free one is the smallest that fits.
    const free = slots.findLast((s) => s.tenants.every((other) => areApart(lifetime, other)));
    if (free) free.tenants.push(lifetime);
    else slots.push({ bytes: lifetime.storage.bytes, tenants: [lifetime] });
  }
  return slots.map(({ bytes, tenants }) => ({ bytes, storages: tenants.map((t) => t.storage) }));
}

function areApart(a: Lifetime, b: Lifetime): boolean {
  if (a.end < b.start || b.end < a.start) return true;
  if (a.end === b.start) return b.replaces.has(a.storage);
  return b.end === a.start && a.replaces.has(b.storage);
}

function lifetimesOf({ nodes, homes }: Placement): Map<Storage, Lifetime> {
  const lifetimes = new Map<Storage, Lifetime>();
  for (const [step, node] of nodes.entries()) {
    for (const value of [...node.inputs, ...node.outputs]) {
      const { storage } = homes.get(value)!;
      if (storage.role !== "temporary") continue;
      const known = lifetimes.get(storage);
      if (known) known.end = step;
      else lifetimes.set(storage, { storage, start: step, end: step, replaces: new Set() });
    }
  }
  for (const [step, node] of nodes.entries()) findReplacements(node, step, homes, lifetimes);
  return lifetimes;
}

/** Outputs that can be written over an input that dies in the same step. */
function findReplacements(
  node: GraphNode,
  step: number,
  homes: ReadonlyMap<Value, Home>,
  lifetimes: ReadonlyMap<Storage, Lifetime>,
): void {
  if (node.kind !== "kernel") return;
  for (const [slot, input] of node.inputs.entries()) {
    const old = lifetimes.get(homes.get(input)!.storage);
    if (old?.end !== step || !isWhole(node, input, homes)) continue;
    // Only one output may have it: take the first that can.
    for (const [i, output] of node.outputs.entries()) {
      const next = lifetimes.get(homes.get(output)!.storage);
      if (next?.start !== step || next.storage === old.storage) continue;
      if (next.storage.bytes !== old.storage.bytes || next.replaces.size > 0) continue;
      if (homes.get(output)!.offset !== 0 || bytesOf(output.dtype) !== bytesOf(input.dtype)) {
        continue;
      }
      if (!isReadInPlace(node.kernel, slot, i)) continue;
      next.replaces.add(old.storage);
      break;
    }
  }
}

/** Whether an input is all of its storage and the node reads no other part of it. */
function isWhole(node: KernelNode, input: Value, homes: ReadonlyMap<Value, Home>): boolean {
  const home = homes.get(input)!;
  const others = node.inputs.filter((v) => v !== input && homes.get(v)!.storage === home.storage);
  return home.offset === 0 && others.length === 0;
}
