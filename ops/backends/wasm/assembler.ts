/**
 * A small WebAssembly assembler: builds the bytes of one module.
 *
 * A kernel module imports the backend's memory (and, where it calls other kernels, the table),
 * and exports functions. Emission order is what the engine's register allocator sees: kernels
 * control the order of loads and the number of values alive through it.
 *
 * ```ts ignore
 * const m = new ModuleBuilder({ sharedMemory: true });
 * m.importMemory();
 * m.func({ params: ["i32", "i32", "i32", "i32"], export: "double" }, (f) => {
 *   const [args, start, end] = f.params;
 *   // …
 * });
 * const bytes = m.build();
 * ```
 *
 * @module
 */

import type { ConstantPool } from "./constants.ts";
import { writeName, writeSigned, writeSized, writeUnsigned } from "./encode.ts";
import { FunctionBuilder, VALUE_TYPES } from "./function_builder.ts";
import type { FunctionHandle, Signature } from "./function_builder.ts";
import { relaxedSimd } from "./simd.ts";

export { FunctionBuilder, Local } from "./function_builder.ts";
export type {
  FunctionHandle,
  Label,
  Locals,
  Operand,
  Signature,
  ValueType,
} from "./function_builder.ts";
export type { Opcode } from "./opcodes.ts";
export type { LaneOpcode, MemoryLaneOpcode, MemoryOpcode } from "./opcodes_memory.ts";

/** Pages that every memory has at least, and modules may rely on. */
export const LEAST_PAGES = 16;

/** What every kernel exports: `(args, start, end, thread)`, see `workers.ts`. */
export const KERNEL: Signature = { params: ["i32", "i32", "i32", "i32"] };

/** Settings of a module. */
export interface ModuleOptions {
  /** Whether the imported memory is shared; must equal the memory's own flag. @default true */
  sharedMemory?: boolean;
  /** Whether to use relaxed SIMD (fused multiply-add). @default what the engine has */
  relaxed?: boolean;
  /** Where the imported memory keeps vector constants. @default in the code */
  constants?: ConstantPool | undefined;
}

/** A function to define. */
export interface FunctionOptions extends Signature {
  /** Name under which the module exports it. */
  export?: string;
}

/** Builds one module. See the module's documentation. */
export class ModuleBuilder {
  readonly #shared: boolean;
  readonly #relaxed: boolean;
  readonly #constants: ConstantPool | undefined;
  readonly #types: number[][] = [];
  readonly #typeIndices = new Map<string, number>();
  readonly #imports: number[][] = [];
  readonly #functions: number[] = [];
  readonly #bodies: number[][] = [];
  readonly #exports: number[][] = [];
  readonly #data: number[][] = [];
  #importedFunctions = 0;

  /** An empty module. */
  constructor(options: ModuleOptions = {}) {
    this.#shared = options.sharedMemory ?? true;
    this.#relaxed = options.relaxed ?? relaxedSimd();
    this.#constants = options.constants;
  }

  /**
   * Imports the memory.
   *
   * @param module Import module. @default "env"
   * @param name Import name. @default "memory"
   */
  importMemory(module = "env", name = "memory"): void {
    // A shared memory states a maximum. The minimum spares the engine a comparison per access where
    // it has no guard pages: offsets are below it (training step of the U-Net: 88 to 84 ms).
    const out = importHead(module, name, 2);
    out.push(this.#shared ? 3 : 0, LEAST_PAGES);
    if (this.#shared) writeUnsigned(out, 65536);
    this.#imports.push(out);
  }

  /**
   * Imports the table of functions, for `callIndirect`.
   *
   * @param module Import module. @default "env"
   * @param name Import name. @default "table"
   */
  importTable(module = "env", name = "table"): void {
    const out = importHead(module, name, 1);
    out.push(0x70, 0, 0);
    this.#imports.push(out);
  }

  /**
   * Imports a function. All imports come before the first definition.
   *
   * @param module Import module.
   * @param name Import name.
   * @param signature Its types.
   * @returns A handle to call.
   * @throws {Error} After a definition, since indices count imports first.
   */
  importFunction(module: string, name: string, signature: Signature): FunctionHandle {
    if (this.#functions.length > 0) throw new Error("internal: function import after a definition");
    const out = importHead(module, name, 0);
    writeUnsigned(out, this.#typeIndex(signature));
    this.#imports.push(out);
    return { index: this.#importedFunctions++, signature };
  }

  /**
   * Defines a function. Its handle is passed to `body` too, for recursion.
   *
   * @param options Types and export name.
   * @param body Emits the instructions.
   * @returns A handle to call.
   */
  func(
    options: FunctionOptions,
    body: (f: FunctionBuilder, self: FunctionHandle) => void,
  ): FunctionHandle {
    const index = this.#importedFunctions + this.#functions.length;
    const handle = { index, signature: options };
    this.#functions.push(this.#typeIndex(options));
    const slot = this.#bodies.push([]) - 1;
    const types = (s: Signature) => this.#typeIndex(s);
    const f = new FunctionBuilder(options.params, types, this.#relaxed, this.#constants);
    body(f, handle);
    this.#bodies[slot] = f.finish();
    if (options.export !== undefined) {
      const out: number[] = [];
      writeName(out, options.export);
      out.push(0);
      writeUnsigned(out, index);
      this.#exports.push(out);
    }
    return handle;
  }

  /**
   * Places bytes into memory when the module is instantiated (in every thread that does so).
   *
   * @param address Where.
   * @param bytes What.
   */
  data(address: number, bytes: Uint8Array): void {
    const out = [0, 0x41];
    writeSigned(out, address);
    out.push(0x0b);
    writeSized(out, bytes);
    this.#data.push(out);
  }

  /**
   * The module's bytes.
   *
   * @returns A fresh array.
   */
  build(): Uint8Array<ArrayBuffer> {
    const out = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    section(out, 1, this.#types);
    section(out, 2, this.#imports);
    section(out, 3, this.#functions.map((type) => leb(type)));
    section(out, 7, this.#exports);
    section(out, 10, this.#bodies.map((body) => sized(body)));
    section(out, 11, this.#data);
    return Uint8Array.from(out);
  }

  #typeIndex(signature: Signature): number {
    const results = signature.results ?? [];
    const key = `${signature.params.join()}:${results.join()}`;
    const known = this.#typeIndices.get(key);
    if (known !== undefined) return known;
    const type = [0x60];
    writeSized(type, signature.params.map((t) => VALUE_TYPES[t]));
    writeSized(type, results.map((t) => VALUE_TYPES[t]));
    const index = this.#types.push(type) - 1;
    this.#typeIndices.set(key, index);
    return index;
  }
}

function importHead(module: string, name: string, kind: number): number[] {
  const out: number[] = [];
  writeName(out, module);
  writeName(out, name);
  out.push(kind);
  return out;
}

function leb(value: number): number[] {
  const out: number[] = [];
  writeUnsigned(out, value);
  return out;
}

function sized(bytes: number[]): number[] {
  const out: number[] = [];
  writeSized(out, bytes);
  return out;
}

function section(out: number[], id: number, items: number[][]): void {
  if (items.length === 0) return;
  const body = leb(items.length);
  for (const item of items) for (const byte of item) body.push(byte);
  out.push(id);
  writeSized(out, body);
}
