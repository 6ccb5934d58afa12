/** Arguments and results of compiled functions: nested data with tensors in it. */
import { core, isContiguous } from "./base.ts";
import { stateError } from "./check.ts";
import type { Trace } from "./compile/trace.ts";
import { isGradEnabled } from "./grad_mode.ts";
import type { Value } from "./ir/graph.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous } from "./view.ts";

/** Tensors among the arguments, in order, and text that describes everything else. */
export interface Arguments {
  readonly tensors: Tensor[];
  readonly key: string;
}

/** Whether something is a tensor. */
function isTensor(x: unknown): x is Tensor {
  return x instanceof core().Tensor;
}

/** Lists the tensors in nested arguments and describes everything else in the key. */
export function flattenArguments(name: string, args: readonly unknown[]): Arguments {
  const tensors: Tensor[] = [];
  let key = `${isGradEnabled()}`;
  function walk(x: unknown): void {
    if (isTensor(x)) {
      tensors.push(x);
      key += `T${x.device}:${x.dtype}:${x.shape.join(",")}:${x.requiresGrad};`;
    } else if (Array.isArray(x)) {
      key += "[";
      for (const item of x) walk(item);
      key += "]";
    } else if (typeof x === "object" && x !== null) {
      if (Object.getPrototypeOf(x) !== Object.prototype) {
        throw stateError(
          name,
          `an argument is a ${x.constructor?.name ?? "class instance"}`,
          "pass tensors, numbers, strings, and arrays or plain objects of them; let the function capture the rest",
        );
      }
      key += "{";
      for (const [field, value] of Object.entries(x)) {
        key += `${JSON.stringify(field)}:`;
        walk(value);
      }
      key += "}";
    } else if (typeof x === "function" || typeof x === "symbol") {
      throw stateError(name, `an argument is a ${typeof x}`, "let the function capture it");
    } else key += `${typeof x}:${Object.is(x, -0) ? "-0" : String(x)};`;
  }
  walk(args);
  return { tensors, key };
}

/** The same nested arguments with each tensor replaced. */
export function replaceTensors(x: unknown, replace: () => Tensor): unknown {
  if (isTensor(x)) return replace();
  if (Array.isArray(x)) return x.map((item) => replaceTensors(item, replace));
  if (typeof x === "object" && x !== null) {
    return Object.fromEntries(
      Object.entries(x).map(([field, value]) => [field, replaceTensors(value, replace)]),
    );
  }
  return x;
}

/** Result of the function with each tensor replaced by a number: its place among the results. */
export type Template =
  | { readonly kind: "result"; readonly index: number; readonly shape: readonly number[] }
  | { readonly kind: "handle"; readonly tensor: Tensor }
  | { readonly kind: "list"; readonly items: readonly Template[] }
  | { readonly kind: "record"; readonly entries: readonly (readonly [string, Template])[] }
  | { readonly kind: "nothing"; readonly value: undefined | null };

/** Turns the result of a traced function into a template and a list of values. */
export class ResultCollector {
  readonly values: Value[] = [];
  readonly #name: string;
  readonly #trace: Trace;

  constructor(name: string, trace: Trace) {
    this.#name = name;
    this.#trace = trace;
  }

  add(x: Tensor): number {
    return this.values.push(wholeValue(this.#trace, x)) - 1;
  }

  template(x: unknown): Template {
    if (x === undefined || x === null) return { kind: "nothing", value: x };
    if (isTensor(x)) {
      if (x.storage.buffer) return { kind: "handle", tensor: x };
      return { kind: "result", index: this.add(x), shape: x.shape };
    }
    if (x instanceof Promise) {
      throw stateError(
        this.#name,
        "the function returned a promise",
        "compile a synchronous function and await its results outside",
      );
    }
    if (Array.isArray(x)) return { kind: "list", items: x.map((item) => this.template(item)) };
    if (typeof x === "object" && Object.getPrototypeOf(x) === Object.prototype) {
      const entries = Object.entries(x).map(([k, v]) => [k, this.template(v)] as const);
      return { kind: "record", entries };
    }
    throw stateError(
      this.#name,
      `the function returned ${
        typeof x === "object" ? "a class instance" : `the ${typeof x} ${String(x)}`
      }, which would stay the same on every call`,
      "return tensors, or arrays and plain objects of them",
    );
  }
}

/** The result, with the tensors of a replay in their places. */
export function build(template: Template, results: readonly Tensor[]): unknown {
  switch (template.kind) {
    case "result":
      return results[template.index];
    case "handle":
      return template.tensor;
    case "nothing":
      return template.value;
    case "list":
      return template.items.map((item) => build(item, results));
    case "record":
      return Object.fromEntries(template.entries.map(([k, t]) => [k, build(t, results)]));
  }
}

/** Shapes of the results by their places. */
export function resultShapes(
  template: Template,
  shapes = new Map<number, readonly number[]>(),
): Map<number, readonly number[]> {
  if (template.kind === "result") shapes.set(template.index, template.shape);
  if (template.kind === "list") { for (const item of template.items) resultShapes(item, shapes); }
  if (template.kind === "record") {
    for (const [, item] of template.entries) resultShapes(item, shapes);
  }
  return shapes;
}

/** The value of a tensor as a whole row-major array. */
export function wholeValue(trace: Trace, x: Tensor): Value {
  const covers = x.offset === 0 && isContiguous(x) && x.storage.size === sizeOf(x.shape);
  const y = covers ? x : contiguous(x, true);
  return trace.valueOf(y.storage);
}
