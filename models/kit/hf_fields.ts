/**
 * Reading a `config.json` of Hugging Face's form.
 *
 * @module
 */
import { FormatError } from "@tensaurus/core/data";

/** Fields of a `config.json`; a missing or wrong one is an error that names it. */
export class Fields {
  readonly #op: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #source: string;
  readonly #prefix: string;

  /**
   * @param op Public name of the function that reads, for messages.
   * @param values The object.
   * @param source Path of the file, for messages.
   * @param prefix Names of the objects around it.
   */
  constructor(
    op: string,
    values: Readonly<Record<string, unknown>>,
    source: string,
    prefix = "",
  ) {
    this.#op = op;
    this.#values = values;
    this.#source = source;
    this.#prefix = prefix;
  }

  /** Whether a field is there and not null. */
  has(name: string): boolean {
    return (this.#values[name] ?? undefined) !== undefined;
  }

  /** A number. */
  number(name: string, fallback?: number): number {
    const value = this.#values[name] ?? fallback;
    if (typeof value === "number") return value;
    throw this.#problem(name, `${JSON.stringify(value) ?? "missing"}, expected a number`);
  }

  /** A number, or undefined where there is none. */
  optional(name: string): number | undefined {
    return this.has(name) ? this.number(name) : undefined;
  }

  /** A number between two bounds, or undefined where there is none. */
  optionalWithin(name: string, low: number, high: number): number | undefined {
    const value = this.optional(name);
    if (value === undefined || value >= low && value <= high) return value;
    throw this.#problem(name, `${value}, expected ${low} to ${high}`);
  }

  /** A list of numbers. */
  numbers(name: string): number[] {
    const value = this.#values[name];
    if (Array.isArray(value) && value.every((x) => typeof x === "number")) return value;
    throw this.#problem(name, `${JSON.stringify(value) ?? "missing"}, expected a list of numbers`);
  }

  /** A number that is not below a bound. */
  atLeast(name: string, bound: number): number {
    const value = this.number(name);
    if (value >= bound) return value;
    throw this.#problem(name, `${value}, expected at least ${bound}`);
  }

  /** A number greater than a bound. */
  above(name: string, bound: number): number {
    const value = this.number(name);
    if (value > bound) return value;
    throw this.#problem(name, `${value}, expected more than ${bound}`);
  }

  /** Whether a field is true. */
  flag(name: string, fallback: boolean): boolean {
    return (this.#values[name] ?? fallback) === true;
  }

  /** What stands for one of the values that are supported. */
  oneOf<T>(name: string, supported: Readonly<Record<string, T>>, fallback?: string): T {
    const value = String(this.#values[name] ?? fallback);
    if (Object.hasOwn(supported, value)) return supported[value]!;
    throw this.#problem(name, `"${value}", supported are ${Object.keys(supported).join(", ")}`);
  }

  /** The fields of an object inside; none where there is no object. */
  inner(name: string): Fields {
    const value = this.#values[name];
    const inner = typeof value === "object" && value !== null ? value : {};
    const prefix = `${this.#prefix}${name}.`;
    return new Fields(this.#op, inner as Record<string, unknown>, this.#source, prefix);
  }

  #problem(name: string, text: string): FormatError {
    return new FormatError(this.#op, `${this.#prefix}${name} is ${text}`, this.#source);
  }
}
