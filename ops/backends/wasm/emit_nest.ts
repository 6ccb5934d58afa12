/**
 * One kernel function under construction: its units of work, its loops, the values in them.
 *
 * @module
 */
import type { DType } from "../../ir/dtype.ts";
import type { KernelInput, KernelOutput } from "../../ir/kernel.ts";
import { type FunctionBuilder, KERNEL, type Local, type Operand } from "./assembler.ts";
import {
  type CodeModule,
  countVariant,
  Emission,
  emitVectorLoop,
  takesLong,
  type Value,
} from "./emit.ts";
import type { Loop } from "./emit_axes.ts";
import { type Node, visitNodes } from "./emit_node.ts";
import type { AheadPlan, KernelPlan } from "./kernel_plan.ts";
import { type Frame, Lowering } from "./emit_lower.ts";
import { boundValue, ValueTable } from "./emit_values.ts";

/** Where a pass finds its arrays: positions in the argument block. */
export interface Slots {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** One function of a kernel and how its work is cut. */
export interface KernelPass {
  /** Units of work; whatever range of them a thread gets, results are the same. */
  readonly units: number;
  /** Units that a thread takes at a time. */
  readonly grain: number;
  /** Functions wanted from JavaScript; a pass with any stays on the main thread. */
  readonly host: ReadonlyMap<string, number>;
  /** Defines the exported function `name`. */
  readonly emit: (module: CodeModule, name: string) => void;
  /** A pass in JavaScript instead, on the main thread. */
  readonly direct?: (args: number, start: number, end: number, thread: number) => void;
}

/** What an operand of a plan is: the argument block, or a binding or scratch array and an offset. */
export type OperandPlace =
  | "args"
  | { readonly slot: number; readonly bytes?: number }
  | { readonly scratch: number };

/** Jobs that a kernel family planned, and where its operands are. */
export interface PlanPass {
  readonly plan: KernelPlan;
  readonly places: Readonly<Record<string, OperandPlace>>;
  /** The same with work done ahead, for many dispatches in which one operand is the same. */
  readonly repeated?: KernelPlan & { readonly ahead: AheadPlan };
}

/** Passes in order, and the sizes in bytes of scratch arrays bound behind the outputs. */
export interface LoweredKernel {
  readonly passes: readonly (KernelPass | PlanPass)[];
  readonly scratch: readonly number[];
}

/** Slots of a kernel on its own: inputs, then outputs. */
export function plainSlots(kernel: {
  readonly inputs: readonly KernelInput[];
  readonly outputs: readonly KernelOutput[];
}): Slots {
  return {
    inputs: kernel.inputs.map((_, i) => i),
    outputs: kernel.outputs.map((_, i) => kernel.inputs.length + i),
  };
}

/** Work of less than this many nanoseconds is not worth waking another thread. */
const SINGLE_THREAD_NS = 10_000;
/** A thread takes about this much at a time. */
const GRAIN_NS = 12_000;

/** Units per claim for work of `ns` in all. */
export function grainOf(units: number, ns: number): number {
  if (ns < SINGLE_THREAD_NS || units <= 1) return Math.max(1, units);
  return Math.max(1, Math.min(Math.ceil(units / 8), Math.ceil(GRAIN_NS / (ns / units))));
}

/** Refuses what this backend has no code for. */
export function checkTypes(types: Iterable<DType>): void {
  for (const t of types) {
    if (t === "float16") throw new TypeError("internal: float16 on the cpu backend");
  }
}

/** Whether any value is float64: then nothing is a vector. */
export function usesFloat64(roots: readonly Node[]): boolean {
  let found = false;
  visitNodes(roots, (x) => found ||= x.dtype === "float64");
  return found;
}

/** Unrolled copies for a loop whose turn computes `values` values. */
export function copiesFor(values: number): number {
  // Past 15 vector registers copies only spill; long bodies overlap by themselves.
  return values <= 10 ? 4 : values <= 24 ? 2 : 1;
}

/** Builds a kernel function. */
export class Nest {
  readonly f: FunctionBuilder;
  readonly e: Emission;
  readonly frame: Frame;
  readonly table: ValueTable = new ValueTable();
  readonly #counters = new Map<number, Value>();
  readonly #arguments: Value;
  readonly #slots: Slots;
  readonly #bases = new Map<number, Value>();
  readonly #ranges = new Map<number, readonly [Operand, Operand]>();

  constructor(f: FunctionBuilder, module: CodeModule, slots: Slots) {
    this.f = f;
    this.e = new Emission(f);
    this.#slots = slots;
    this.#arguments = boundValue(this.table, "i32", 0);
    this.e.bind(this.#arguments, f.params[0]!);
    this.frame = {
      table: this.table,
      module,
      counters: this.#counters,
      input: (slot) => this.base(slots.inputs[slot]!),
    };
  }

  /** Address of element 0 of what is bound at a position of the argument block. */
  base(position: number): Value {
    let value = this.#bases.get(position);
    if (value === undefined) {
      value = this.table.make(`base${position}`, "i32", [this.#arguments], (f, [args]) => {
        f.get(args!).memory("i32.load", 4 * position);
      });
      this.#bases.set(position, value);
    }
    return value;
  }

  /** Address of element 0 of an output. */
  output(slot: number): Value {
    return this.base(this.#slots.outputs[slot]!);
  }

  /** Fixes the level of a loop. */
  declare(loop: Loop, level: number): void {
    this.#counters.set(loop.axis, boundValue(this.table, "i32", level));
  }

  /** Restricts a loop to part of its axis. */
  setRange(loop: Loop, range: readonly [Operand, Operand]): void {
    this.#ranges.set(loop.axis, range);
  }

  /** First coordinate of a loop and the one behind its last. */
  rangeOf(loop: Loop): readonly [Operand, Operand] {
    return this.#ranges.get(loop.axis) ?? [0, loop.size];
  }

  /** A lowering over this nest's loops; `first` as {@linkcode Lowering} takes it. */
  lowering(vectorAxis: number | undefined, first?: Lowering): Lowering {
    return new Lowering(this.frame, vectorAxis, first);
  }

  /** Counter of a loop. */
  counter(loop: Loop): Value {
    return this.#counters.get(loop.axis)!;
  }

  /**
   * The loop over the units that a thread was given, at level 1: coordinates of `prefix` in
   * row-major order, then (where the last axis is cut) the number of the chunk.
   */
  units(prefix: readonly Loop[], chunks: number, body: (chunk: Operand) => void): void {
    const { f, e } = this;
    const unit = boundValue(this.table, "i32", 1);
    e.loop(unit, f.params[1]!, f.params[2]!, 1, () => {
      const rest = f.local("i32");
      f.get(e.get(unit, 0)).set(rest);
      const take = (size: number): Local => {
        const part = f.local("i32");
        f.get(rest).i32(size).op("i32.rem_u").set(part);
        f.get(rest).i32(size).op("i32.div_u").set(rest);
        return part;
      };
      const chunk = chunks > 1 ? take(chunks) : 0;
      for (let i = prefix.length - 1; i >= 0; i--) {
        const last = i === 0;
        const coordinate = last ? rest : take(prefix[i]!.size);
        e.bind(this.counter(prefix[i]!), coordinate);
      }
      body(chunk);
    });
  }

  /** Nested loops from `level` on; what is known outside of each is computed there. */
  loops(
    loops: readonly Loop[],
    level: number,
    roots: readonly Value[],
    body: () => void,
    copies = 0,
  ): void {
    this.e.place(roots, level - 1, copies);
    const [first, ...rest] = loops;
    if (first === undefined) return body();
    const [low, high] = this.rangeOf(first);
    this.e.loop(this.counter(first), low, high, 1, () => {
      this.loops(rest, level + 1, roots, body, copies);
    });
  }

  /** The vector loop; `body(0)` runs single elements. */
  vector(
    loop: Loop,
    low: Operand,
    high: Operand,
    copies: number,
    body: (copies: number) => void,
    paired?: () => void,
  ): void {
    emitVectorLoop(this.e, { counter: this.counter(loop), low, high, copies, body, paired });
  }

  /** The vector loop of effects: `wide` in vectors, `single` one by one. */
  stores(
    loop: Loop,
    low: Operand,
    high: Operand,
    wide: readonly Value[],
    single: readonly Value[],
  ): void {
    const { e } = this;
    const copies = wide.length > 0 ? copiesFor(countVariant(wide)) : 0;
    const body = (n: number) => {
      if (n === 0) e.run(single);
      for (let copy = 0; copy < n; copy++) e.run(wide, copy);
    };
    // Short bodies wait for memory, whatever the width.
    const long = copies === 1 || copies === 2 || (copies > 0 && takesLong(wide));
    const paired = long ? () => e.runPaired(wide) : undefined;
    this.vector(loop, low, high, copies, body, paired);
  }

  /** `[chunk · size, min((chunk + 1) · size, length))`. */
  chunkBounds(chunk: Operand, size: number, length: number): [Operand, Operand] {
    if (typeof chunk === "number") return [0, length];
    const { f } = this;
    const [low, high] = [f.local("i32"), f.local("i32")];
    f.get(chunk).i32(size).op("i32.mul").tee(low).i32(size).op("i32.add").set(high);
    f.get(high).i32(length).get(high).i32(length).op("i32.lt_s", "select").set(high);
    return [low, high];
  }
}

/** Defines an exported kernel function. */
export function defineKernel(
  module: CodeModule,
  name: string,
  slots: Slots,
  body: (nest: Nest) => void,
): void {
  module.builder.func({ ...KERNEL, export: name }, (f) => body(new Nest(f, module, slots)));
}
