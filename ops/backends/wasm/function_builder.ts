/**
 * Emits the body of one WebAssembly function.
 *
 * Instructions append to the body in stack order and return the builder, so they chain:
 * `f.get(a, b).op("f32x4.add").set(c)`. Locals are handles, not indices. Structured control takes
 * a callback, so blocks always close. The engine's own validation finds type errors; the builder
 * adds no second type checker.
 *
 * @module
 */

import type { ConstantPool } from "./constants.ts";
import { type Opcode, opcode } from "./opcodes.ts";
import { laneOpcode, memoryOpcode } from "./opcodes_memory.ts";
import type { LaneOpcode, MemoryLaneOpcode, MemoryOpcode } from "./opcodes_memory.ts";
import {
  writeF32,
  writeF64,
  writeOpcode,
  writeSigned,
  writeSigned64,
  writeUnsigned,
} from "./encode.ts";

/** Types of values on the stack and in locals. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** The byte of each value type. */
export const VALUE_TYPES: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** A local variable or parameter of one function. */
export class Local {
  /** Position among parameters and locals. */
  readonly index: number;
  /** Type of its value. */
  readonly type: ValueType;

  /** A handle for the value at a position. */
  constructor(index: number, type: ValueType) {
    this.index = index;
    this.type = type;
  }
}

/** A tuple of `N` locals where `N` is a literal, so that destructuring gives no `undefined`. */
export type Locals<N extends number, Found extends Local[] = []> = number extends N ? Local[]
  : Found["length"] extends N ? Found
  : Locals<N, [...Found, Local]>;

/** An `i32` that is a variable or known when the code is emitted. */
export type Operand = Local | number;

/** The parameter and result types of a function. */
export interface Signature {
  /** Types of the parameters. */
  readonly params: readonly ValueType[];
  /** Types of the results. @default [] */
  readonly results?: readonly ValueType[];
}

/** A function of the module, defined or imported. */
export interface FunctionHandle {
  /** Index in the module's function space. */
  readonly index: number;
  /** Its types. */
  readonly signature: Signature;
}

/** The target of a branch: a block's end or a loop's start. */
export interface Label {
  /** Nesting depth at which it was opened. */
  readonly depth: number;
}

/** Emits the body of one function. See the module's documentation. */
export class FunctionBuilder {
  /** The parameters, in order. */
  readonly params: readonly Local[];
  /** Whether fused multiply-add may be used. */
  readonly relaxed: boolean;
  readonly #code: number[] = [];
  readonly #types: ValueType[] = [];
  readonly #free: Record<ValueType, Local[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  readonly #typeIndex: (signature: Signature) => number;
  readonly #constants: ConstantPool | undefined;
  #depth = 0;

  /** Made by `ModuleBuilder.func`. */
  constructor(
    params: readonly ValueType[],
    typeIndex: (signature: Signature) => number,
    relaxed: boolean,
    constants?: ConstantPool | undefined,
  ) {
    this.params = params.map((type, index) => new Local(index, type));
    this.#typeIndex = typeIndex;
    this.relaxed = relaxed;
    this.#constants = constants;
  }

  /** A fresh (zero at function entry) or released local. */
  local(type: ValueType): Local {
    const reused = this.#free[type].pop();
    if (reused !== undefined) return reused;
    this.#types.push(type);
    return new Local(this.params.length + this.#types.length - 1, type);
  }

  /** Several locals of one type. */
  locals<N extends number>(type: ValueType, count: N): Locals<N> {
    return Array.from({ length: count }, () => this.local(type)) as Locals<N>;
  }

  /** The first parameters, as a tuple to destructure. */
  parameters<N extends number>(count: N): Locals<N> {
    return this.params.slice(0, count) as Locals<N>;
  }

  /** Lets `local` hand these out again. Their values are not cleared. */
  release(...locals: Local[]): this {
    for (const local of locals) this.#free[local.type].push(local);
    return this;
  }

  /** Pushes locals in order. */
  get(...locals: Local[]): this {
    for (const local of locals) this.#indexed(0x20, local.index);
    return this;
  }

  /** Pops into a local. */
  set(local: Local): this {
    return this.#indexed(0x21, local.index);
  }

  /** Copies the top of the stack into a local. */
  tee(local: Local): this {
    return this.#indexed(0x22, local.index);
  }

  /** Pushes an `i32` operand: a local's value or a constant. */
  push(...operands: Operand[]): this {
    for (const x of operands) typeof x === "number" ? this.i32(x) : this.get(x);
    return this;
  }

  /** Appends instructions without immediates. */
  op(...names: Opcode[]): this {
    for (const name of names) writeOpcode(this.#code, opcode(name));
    return this;
  }

  /** Pushes an `i32` constant (addresses up to 2³² − 1 as well). */
  i32(value: number): this {
    this.#code.push(0x41);
    writeSigned(this.#code, value);
    return this;
  }

  /** Pushes an `i64` constant. */
  i64(value: bigint | number): this {
    this.#code.push(0x42);
    writeSigned64(this.#code, BigInt(value));
    return this;
  }

  /** Pushes an `f32` constant. */
  f32(value: number): this {
    this.#code.push(0x43);
    writeF32(this.#code, value);
    return this;
  }

  /** Pushes an `f64` constant. */
  f64(value: number): this {
    this.#code.push(0x44);
    writeF64(this.#code, value);
    return this;
  }

  /** Pushes a vector constant of 16 bytes. */
  v128(bytes: Uint8Array): this {
    // All zeros and all ones are one instruction.
    if (this.#constants && !bytes.every((b) => b === 0) && !bytes.every((b) => b === 255)) {
      // One number in all lanes is a load of which V8 can make a wider one.
      const load = isSplat(bytes) ? "v128.load32_splat" : "v128.load";
      return this.i32(0).memory(load, this.#constants.addressOf(bytes));
    }
    writeOpcode(this.#code, 0xfd_000c);
    for (let i = 0; i < 16; i++) this.#code.push(bytes[i] ?? 0);
    return this;
  }

  /** Pushes a vector constant of four `f32`, or of one in every lane. */
  f32x4(...values: number[]): this {
    return this.v128(
      new Uint8Array(
        Float32Array.from({ length: 4 }, (_, i) => values[i] ?? values[0] ?? 0).buffer,
      ),
    );
  }

  /** Pushes a vector constant of four `i32` (or `u32`), or of one in every lane. */
  i32x4(...values: number[]): this {
    return this.v128(
      new Uint8Array(Int32Array.from({ length: 4 }, (_, i) => values[i] ?? values[0] ?? 0).buffer),
    );
  }

  /** A load, store or atomic at a constant offset from the address on the stack. */
  memory(name: MemoryOpcode, offset = 0, align?: number): this {
    const [code, natural] = memoryOpcode(name);
    writeOpcode(this.#code, code);
    writeUnsigned(this.#code, align ?? natural);
    writeUnsigned(this.#code, offset);
    return this;
  }

  /** A load or store of one lane. */
  memoryLane(name: MemoryLaneOpcode, lane: number, offset = 0): this {
    const [code, natural] = memoryOpcode(name);
    writeOpcode(this.#code, code);
    writeUnsigned(this.#code, natural);
    writeUnsigned(this.#code, offset);
    this.#code.push(lane);
    return this;
  }

  /** A lane read or write. */
  lane(name: LaneOpcode, lane: number): this {
    writeOpcode(this.#code, laneOpcode(name));
    this.#code.push(lane);
    return this;
  }

  /** `i8x16.shuffle`: 16 byte indices into the two vectors on the stack (0–31). */
  shuffle(bytes: readonly number[]): this {
    writeOpcode(this.#code, 0xfd_000d);
    this.#code.push(...bytes);
    return this;
  }

  /** Shuffle of 32-bit lanes: four indices from 0 to 7. */
  shuffle32(a: number, b: number, c: number, d: number): this {
    return this.shuffle([a, b, c, d].flatMap((i) => [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3]));
  }

  /** `memory.copy`: destination, source, bytes on the stack. */
  copy(): this {
    writeOpcode(this.#code, 0xfc_000a);
    this.#code.push(0, 0);
    return this;
  }

  /** `memory.fill`: destination, byte value, bytes on the stack. */
  fill(): this {
    writeOpcode(this.#code, 0xfc_000b);
    this.#code.push(0);
    return this;
  }

  /** `a * b + c` with a, b, c on the stack: one rounding where the engine has it, else two. */
  madd(shape: "f32x4" | "f64x2"): this {
    if (this.relaxed) return this.op(`${shape}.relaxed_madd`);
    const addend = this.local("v128");
    return this.set(addend).op(`${shape}.mul`).get(addend).op(`${shape}.add`).release(addend);
  }

  /** `c - a * b` with a, b, c on the stack: one rounding where the engine has it, else two. */
  nmadd(shape: "f32x4" | "f64x2"): this {
    if (this.relaxed) return this.op(`${shape}.relaxed_nmadd`);
    const [addend, product] = [this.local("v128"), this.local("v128")];
    return this.set(addend).op(`${shape}.mul`).set(product).get(addend, product).op(`${shape}.sub`)
      .release(addend, product);
  }

  /** A block; branching to its label leaves it. */
  block(body: (end: Label) => void, result?: ValueType): this {
    return this.#nest(0x02, body, result);
  }

  /** A loop; branching to its label starts it again. */
  loop(body: (start: Label) => void, result?: ValueType): this {
    return this.#nest(0x03, body, result);
  }

  /** Takes a condition off the stack. */
  if(then: (end: Label) => void, otherwise?: (end: Label) => void, result?: ValueType): this {
    this.#code.push(0x04, result === undefined ? 0x40 : VALUE_TYPES[result]);
    const label = { depth: ++this.#depth };
    then(label);
    if (otherwise !== undefined) {
      this.#code.push(0x05);
      otherwise(label);
    }
    this.#depth--;
    this.#code.push(0x0b);
    return this;
  }

  /** Branches always. */
  br(label: Label): this {
    return this.#indexed(0x0c, this.#depth - label.depth);
  }

  /** Branches if the `i32` on the stack is not zero. */
  brIf(label: Label): this {
    return this.#indexed(0x0d, this.#depth - label.depth);
  }

  /**
   * `for (counter = start; counter < end; counter += step) body()`, signed. The test stands at the
   * bottom, behind one guard: the form that V8 turns into a single jump per turn.
   */
  range(counter: Local, start: Operand, end: Operand, step: Operand, body: () => void): this {
    this.push(start).tee(counter).push(end).op("i32.lt_s");
    return this.if(() =>
      this.loop((again) => {
        body();
        this.get(counter).push(step).op("i32.add").tee(counter).push(end).op("i32.lt_s");
        this.brIf(again);
      })
    );
  }

  /** Calls a function of the module; arguments on the stack. */
  call(target: FunctionHandle): this {
    return this.#indexed(0x10, target.index);
  }

  /** Calls a function of the imported table: arguments, then its index on the stack. */
  callIndirect(signature: Signature): this {
    this.#indexed(0x11, this.#typeIndex(signature));
    this.#code.push(0);
    return this;
  }

  /** The finished body: local declarations, code, end. */
  finish(): number[] {
    const out: number[] = [];
    writeUnsigned(out, this.#types.length);
    for (const type of this.#types) out.push(1, VALUE_TYPES[type]);
    for (const byte of this.#code) out.push(byte);
    out.push(0x0b);
    return out;
  }

  #indexed(code: number, index: number): this {
    this.#code.push(code);
    writeUnsigned(this.#code, index);
    return this;
  }

  #nest(code: number, body: (label: Label) => void, result: ValueType | undefined): this {
    this.#code.push(code, result === undefined ? 0x40 : VALUE_TYPES[result]);
    body({ depth: ++this.#depth });
    this.#depth--;
    this.#code.push(0x0b);
    return this;
  }
}

/** Whether four words are the same. */
function isSplat(bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => byte === bytes[i & 3]);
}
