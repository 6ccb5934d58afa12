/**
 * The values of one function under construction, each once.
 *
 * @module
 */
import type { ValueType } from "./assembler.ts";
import type { Value } from "./emit.ts";

type Emit = Value["emit"];

/** What a value is beyond its operands. */
interface ValueFrame {
  readonly level?: number;
  readonly variant?: boolean;
  readonly costly?: boolean;
}

/** Makes values, each once per key. Shared by the lowerings of one function. */
export class ValueTable {
  readonly #values = new Map<string, Value>();
  #count = 0;

  /** A value without identity, such as an effect. */
  fresh(
    type: ValueType | undefined,
    args: readonly Value[],
    emit: Emit,
    frame: ValueFrame = {},
  ): Value {
    let level = frame.level ?? 0, variant = frame.variant ?? false;
    for (const a of args) {
      level = Math.max(level, a.level);
      variant ||= a.variant;
    }
    return { id: this.#count++, type, level, variant, costly: frame.costly ?? false, args, emit };
  }

  /** The value of a key. */
  make(
    key: string,
    type: ValueType,
    args: readonly Value[],
    emit: Emit,
    frame: ValueFrame = {},
  ): Value {
    const full = `${key}(${args.map((a) => a.id).join()})`;
    let value = this.#values.get(full);
    if (value === undefined) {
      value = this.fresh(type, args, emit, frame);
      this.#values.set(full, value);
    }
    return value;
  }
}

/** For a value that is used where nothing has bound it. */
export function unbound(): never {
  throw new Error("internal: a value is used where it is not bound");
}

/** A value that the emitter of loops binds to a local. */
export function boundValue(
  table: ValueTable,
  type: ValueType,
  level: number,
  variant = false,
): Value {
  return table.fresh(type, [], unbound, { level, variant });
}
