/** A shader under construction: its arguments, the functions it calls, its text. */
import type { DType } from "../../ir/dtype.ts";
import { type HelperName, helperText } from "./functions.ts";
import { registerType, storageType, type Use } from "./wgsl.ts";

/** An array that a shader reads or writes. */
export interface Argument {
  readonly dtype: DType;
  readonly written: boolean;
}

/**
 * How the arguments of a dispatch lie in memory, as far as code depends on it. Arguments that share
 * a buffer with a written one share a binding: WebGPU refuses a buffer that is bound both for
 * reading and for writing.
 */
export interface Layout {
  /** Binding of each argument, −1 for those that are not read. */
  readonly slots: readonly number[];
  /** Whether element 0 of some argument is not where its binding begins. */
  readonly offsets: boolean;
  /** Whether element 0 of an argument lies at a multiple of four elements. */
  readonly aligned: readonly boolean[];
  /** Text that tells layouts apart. */
  readonly key: string;
}

/** The layout in which every argument has its own buffer and begins where that begins. */
export function plainLayout(count: number): Layout {
  const slots = Array.from({ length: count }, (_, i) => i);
  return { slots, offsets: false, aligned: slots.map(() => true), key: "" };
}

const COMPONENTS = ["x", "y", "z", "w"] as const;

/** Component of a vector. */
export function component(i: number): string {
  return COMPONENTS[i]!;
}

/** Collects what a shader is made of. */
export class Module {
  readonly #arguments: readonly Argument[];
  readonly #layout: Layout;
  readonly #helpers = new Set<HelperName>();
  readonly #declarations: string[] = [];
  readonly #extraWords: number;
  #vectors: boolean[];
  #half = false;

  /**
   * @param args Arguments in order.
   * @param layout How they lie in memory.
   * @param extraWords Numbers that the shader reads besides the offsets, by `parameter`.
   */
  constructor(args: readonly Argument[], layout: Layout, extraWords = 0) {
    this.#arguments = args;
    this.#layout = layout;
    this.#extraWords = extraWords;
    this.#vectors = args.map(() => false);
  }

  /** Bindings in use. */
  get #slots(): Set<number> {
    return new Set(this.#layout.slots.filter((slot) => slot >= 0));
  }

  /** Notes a call of a function. */
  readonly use: Use = (helper) => {
    this.#helpers.add(helper);
    return helper;
  };

  /** Adds a declaration at module scope. */
  declare(text: string): void {
    this.#declarations.push(text);
  }

  /** Adds a declaration unless the same text is there. */
  declareOnce(text: string): void {
    if (!this.#declarations.includes(text)) this.declare(text);
  }

  /** Notes that the text uses the type f16. */
  useHalf(): void {
    this.#half = true;
  }

  /** Decides which arguments are arrays of four-element vectors, out of those that would like to. */
  chooseVectors(wanted: readonly boolean[]): void {
    const { slots, aligned } = this.#layout;
    this.#vectors = this.#arguments.map((_, a) =>
      this.#arguments.every((other, b) =>
        slots[a] !== slots[b] ||
        (wanted[b]! && aligned[b]! && this.#storage(other) === this.#storage(this.#arguments[a]!))
      )
    );
  }

  /** Whether an argument is an array of vectors. */
  isVector(argument: number): boolean {
    return this.#vectors[argument]!;
  }

  #storage(argument: Argument): string {
    return storageType(argument.dtype);
  }

  /** Whether a binding holds arrays of several types and is seen as bare words. */
  #isWords(argument: number): boolean {
    const type = this.#storage(this.#arguments[argument]!);
    return this.#members(this.#layout.slots[argument]!).some((a) =>
      this.#storage(this.#arguments[a]!) !== type
    );
  }

  #members(slot: number): number[] {
    return [...this.#arguments.keys()].filter((a) => this.#layout.slots[a] === slot);
  }

  /** Text of word `i` of the uniform block. */
  #word(i: number): string {
    return `parameters.words[${i >> 2}].${component(i & 3)}`;
  }

  /** Text of extra number `i`, u32. */
  parameter(i: number): string {
    return this.#word((this.#layout.offsets ? this.#arguments.length : 0) + i);
  }

  #at(argument: number, index: string): string {
    const slot = this.#layout.slots[argument]!;
    if (!this.#layout.offsets) return `b${slot}[${index}]`;
    const offset = this.#word(argument);
    if (this.isVector(argument)) return `b${slot}[(${index}) + (${offset} >> 2u)]`;
    return `b${slot}[(${index}) + ${offset}]`;
  }

  /** Value of the element at a u32 index. */
  load(argument: number, index: string): string {
    const { dtype } = this.#arguments[argument]!;
    if (this.isVector(argument)) {
      const word = `${this.#at(argument, `(${index}) >> 2u`)}[(${index}) & 3u]`;
      return this.#fromStorage(dtype, word);
    }
    if (!this.#isWords(argument)) return this.#fromStorage(dtype, this.#at(argument, index));
    if (dtype === "float16") {
      const at = this.#layout.offsets ? `(${index}) + ${this.#word(argument)}` : index;
      return `unpack2x16float(b${this.#layout.slots[argument]}[(${at}) >> 1u])[(${at}) & 1u]`;
    }
    const word = this.#at(argument, index);
    if (dtype === "bool") return `(${word} != 0u)`;
    return dtype === "uint32" ? word : `bitcast<${registerType(dtype)}>(${word})`;
  }

  #fromStorage(dtype: DType, text: string): string {
    if (dtype === "bool") return `(${text} != 0u)`;
    return dtype === "float16" ? `f32(${text})` : text;
  }

  /** Values of four elements from four times a u32 index, as a vector of the register type. */
  loadVector(argument: number, index: string): string {
    const { dtype } = this.#arguments[argument]!;
    const text = this.#at(argument, index);
    if (dtype === "bool") return `(${text} != vec4<u32>())`;
    return dtype === "float16" ? `vec4<f32>(${text})` : text;
  }

  #toStorage(argument: number, value: string): string {
    const { dtype } = this.#arguments[argument]!;
    const words = this.#isWords(argument);
    if (dtype === "bool") return `u32(${value})`;
    if (dtype === "float16") {
      if (words) throw new Error("webgpu: internal: float16 written into a buffer of another type");
      return `f16(${value})`;
    }
    return words && dtype !== "uint32" ? `bitcast<u32>(${value})` : value;
  }

  /** Statement that stores a value at a u32 index. */
  store(argument: number, index: string, value: string): string {
    if (this.isVector(argument)) {
      const at = this.#at(argument, `(${index}) >> 2u`);
      return `${at}[(${index}) & 3u] = ${this.#toStorage(argument, value)};`;
    }
    return `${this.#at(argument, index)} = ${this.#toStorage(argument, value)};`;
  }

  /** Statement that stores four values at four times a u32 index. */
  storeVector(argument: number, index: string, values: readonly string[]): string {
    const parts = values.map((value) => this.#toStorage(argument, value));
    const type = this.#storage(this.#arguments[argument]!);
    return `${this.#at(argument, index)} = vec4<${type}>(${parts.join(", ")});`;
  }

  /** Statement that stores one component of the vector at a u32 index. */
  storeComponent(argument: number, index: string, lane: number, value: string): string {
    const at = this.#at(argument, index);
    return `${at}.${component(lane)} = ${this.#toStorage(argument, value)};`;
  }

  /** Text of the whole shader. */
  text(main: string): string {
    const parts: string[] = [];
    if (this.#half || this.#arguments.some((a) => a.dtype === "float16")) parts.push("enable f16;");
    for (const slot of this.#slots) parts.push(this.#binding(slot));
    const words = (this.#layout.offsets ? this.#arguments.length : 0) + this.#extraWords;
    if (words > 0) {
      const slot = this.#slots.size;
      parts.push(
        `struct Parameters { words: array<vec4<u32>, ${Math.ceil(words / 4)}> }`,
        `@group(0) @binding(${slot}) var<uniform> parameters: Parameters;`,
      );
    }
    parts.push(...this.#declarations, helperText(this.#helpers), main);
    return parts.join("\n");
  }

  #binding(slot: number): string {
    const members = this.#members(slot);
    const first = members[0]!;
    const access = members.some((a) => this.#arguments[a]!.written) ? "read_write" : "read";
    const scalar = this.#isWords(first) ? "u32" : this.#storage(this.#arguments[first]!);
    const type = this.isVector(first) ? `vec4<${scalar}>` : scalar;
    return `@group(0) @binding(${slot}) var<storage, ${access}> b${slot}: array<${type}>;`;
  }
}
