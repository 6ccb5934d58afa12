/** Where the arguments of a step lie: bindings, and the layout that the code is generated for. */
import { bytesOf } from "../../ir/dtype.ts";
import type { Memory } from "./buffers.ts";
import type { Layout } from "./module.ts";
import type { StepArgument } from "./step.ts";

/** Bindings begin at multiples of this; the rest of an offset is a number that the shader adds. */
export const OFFSET_ALIGNMENT = 256;

/** An argument in memory. */
export interface Place {
  readonly memory: Memory;
  /** Position of element 0, in elements. */
  readonly offset: number;
}

/** A range of memory bound for a step. */
export interface BoundRange {
  readonly memory: Memory;
  readonly start: number;
  readonly size: number;
}

/** How a step is bound. */
export interface Placement {
  readonly layout: Layout;
  readonly ranges: readonly BoundRange[];
  /** Whether each binding is written. */
  readonly written: readonly boolean[];
  /** Elements between the start of the binding and element 0, per argument. */
  readonly offsets: readonly number[];
}

interface Group {
  readonly memory: Memory;
  readonly members: number[];
  readonly written: boolean;
}

/** Groups arguments: those that share memory with a written one are bound once. */
function grouped(args: readonly StepArgument[], places: readonly Place[]): Group[] {
  const written = new Set<Memory>();
  for (const [i, argument] of args.entries()) if (argument.written) written.add(places[i]!.memory);
  const groups: Group[] = [];
  const shared = new Map<Memory, Group>();
  for (const [i, argument] of args.entries()) {
    if (!argument.used) continue;
    const { memory } = places[i]!;
    const known = shared.get(memory);
    if (known) {
      known.members.push(i);
      continue;
    }
    const group = { memory, members: [i], written: written.has(memory) };
    if (group.written) shared.set(memory, group);
    groups.push(group);
  }
  return groups;
}

/**
 * Binds the arguments of a step.
 *
 * @param args What the step expects.
 * @param places Where its arguments are.
 * @returns Ranges to bind and the layout that selects the variant of the code.
 */
export function place(args: readonly StepArgument[], places: readonly Place[]): Placement {
  const groups = grouped(args, places);
  const slots = new Array<number>(args.length).fill(-1);
  const offsets = new Array<number>(args.length).fill(0);
  const ranges: BoundRange[] = [];
  for (const [slot, { memory, members }] of groups.entries()) {
    const starts = members.map((i) => places[i]!.offset * bytesOf(args[i]!.dtype));
    const start = Math.floor(Math.min(...starts) / OFFSET_ALIGNMENT) * OFFSET_ALIGNMENT;
    for (const [n, i] of members.entries()) {
      slots[i] = slot;
      offsets[i] = (starts[n]! - start) / bytesOf(args[i]!.dtype);
    }
    // An array of no elements may begin where the memory ends.
    const from = Math.min(start, memory.capacity - OFFSET_ALIGNMENT);
    ranges.push({ memory, start: from, size: memory.capacity - from });
  }
  const aligned = offsets.map((offset) => offset % 4 === 0);
  const moved = offsets.some((offset) => offset !== 0);
  const bits = aligned.map((a) => a ? "1" : "0").join("");
  const key = `${slots.join(",")}${moved ? `+${bits}` : ""}`;
  const layout: Layout = { slots, offsets: moved, aligned, key };
  return { layout, ranges, written: groups.map((g) => g.written), offsets };
}
