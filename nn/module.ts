import { type DeviceName, type DType, noGrad, Tensor } from "../ops/mod.ts";
import { stateError } from "../ops/check.ts";
import { guarded } from "../ops/guard.ts";
import { Parameter } from "./parameter.ts";
import {
  keyOf,
  loadEntries,
  type LoadReport,
  type LoadStateDictOptions,
  type StateDict,
  type StateSource,
} from "./state.ts";

export type { FactoryOptions } from "./parameter.ts";

/**
 * Base of all layers and models, like `torch.nn.Module`.
 *
 * Fields are found by reflection: a {@linkcode Parameter} is trained, a module is a child, and so are
 * the modules and parameters in arrays. Buffers (state that is not trained) are announced with
 * {@linkcode Module.registerBuffer}. Keys of `stateDict()` are PyTorch's: a field `runningMean` has the
 * key `running_mean`.
 *
 * @example
 * ```ts
 * import { F, type Tensor, zeros } from "@tensaurus/core";
 * import { Linear, Module } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * class Net extends Module {
 *   fc1 = new Linear(4, 8);
 *   fc2 = new Linear(8, 2);
 *
 *   forward(x: Tensor): Tensor {
 *     return this.fc2.forward(F.relu(this.fc1.forward(x)));
 *   }
 * }
 *
 * const net = new Net();
 * assertEquals(net.forward(zeros([1, 4])).shape, [1, 2]);
 * assertEquals(Object.keys(net.stateDict()), ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
 * ```
 */
export abstract class Module {
  #training = true;
  readonly #buffers = new Map<string, { readonly persistent: boolean }>();

  /** What the module computes. */
  abstract forward(...inputs: never[]): unknown;

  /** Whether the module is in training mode; a compiled function that depends on it is traced again when it changes. */
  get training(): boolean {
    return guarded(() => this.#training);
  }

  set training(value: boolean) {
    this.#training = value;
  }

  /** Named members in which parameters, buffers and children are looked for; containers override it. */
  members(): Iterable<readonly [string, unknown]> {
    return Object.entries(this).map(([field, value]) => [keyOf(field), value] as const);
  }

  /** Names of the buffers among the members, with whether `stateDict()` holds them. */
  bufferNames(): ReadonlyMap<string, boolean> {
    return new Map(Array.from(this.#buffers, ([field, b]) => [keyOf(field), b.persistent]));
  }

  /**
   * Makes a field a buffer: state that moves and is saved with the module and is not trained.
   *
   * @param field Name of the field, which is set.
   * @param value The buffer.
   * @param options Whether `stateDict()` holds it (default true).
   * @returns The buffer.
   */
  registerBuffer<T extends Tensor | undefined>(
    field: string,
    value: T,
    options: { persistent?: boolean | undefined } = {},
  ): T {
    Object.defineProperty(this, field, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
    this.#buffers.set(field, { persistent: options.persistent ?? true });
    return value;
  }

  /** Makes a field with a computed name a parameter. */
  registerParameter(field: string, value: Parameter): void {
    Object.defineProperty(this, field, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }

  /** Modules directly below, by name. */
  namedChildren(): [string, Module][] {
    return membersOf(this).children;
  }

  /** Modules directly below. */
  children(): Module[] {
    return this.namedChildren().map(([, child]) => child);
  }

  /** This module and all below, by path; each once. */
  namedModules(): [string, Module][] {
    return [...walk(this)];
  }

  /** This module and all below; each once. */
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }

  /** The module at a path such as `"encoder.layers.0"`. @throws {Error} If there is none. */
  getSubmodule(path: string): Module {
    const found = this.namedModules().find(([name]) => name === path);
    if (!found) throw stateError("getSubmodule", `there is no module "${path}"`);
    return found[1];
  }

  /** All parameters by key; a shared one appears once. */
  namedParameters(): [string, Parameter][] {
    return distinct(this, (module) => membersOf(module).parameters);
  }

  /** All parameters; a shared one appears once. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** All buffers by key. */
  namedBuffers(): [string, Tensor][] {
    return distinct(this, (module) => membersOf(module).buffers);
  }

  /** All buffers. */
  buffers(): Tensor[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  /** Sets training mode here and below. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below: no dropout, running statistics in batch norms. */
  eval(): this {
    return this.train(false);
  }

  /** Calls `visit` with each module, children first, like `torch.nn.Module.apply`. */
  apply(visit: (module: Module) => void): this {
    for (const [, module] of walk(this, "children")) visit(module);
    return this;
  }

  /** Whether the parameters are trained. */
  requiresGrad_(value = true): this {
    for (const parameter of this.parameters()) parameter.setRequiresGrad(value);
    return this;
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = undefined;
  }

  /** Converts floating parameters and buffers to another floating dtype, in place. */
  to(dtype: DType): this {
    noGrad(() => {
      for (const x of [...this.parameters(), ...this.buffers()]) {
        if (!x.dtype.startsWith("float") || x.dtype === dtype) continue;
        const grad = x.grad?.to(dtype);
        const moved = x.to(dtype);
        x.rebind(moved.storage, moved);
        x.grad = grad;
      }
    });
    return this;
  }

  /** Moves parameters and buffers to another device, in place. Make optimizers afterwards. */
  async toDevice(device: DeviceName): Promise<this> {
    for (const x of [...this.parameters(), ...this.buffers()]) {
      if (x.device === device) continue;
      const grad = await x.grad?.toDevice(device);
      const moved = await x.detach().toDevice(device);
      x.rebind(moved.storage, moved);
      x.grad = grad;
    }
    return this;
  }

  /**
   * Parameters and persistent buffers under PyTorch's keys, in its order. The tensors share memory
   * with the module and have no history.
   */
  stateDict(): StateDict {
    return Object.fromEntries(stateEntries(this, "").map(([key, x]) => [key, x.detach()]));
  }

  /**
   * Copies values into the parameters and buffers of the same keys.
   *
   * @param source Tensors by key; other dtypes are converted.
   * @param options Whether missing and unexpected keys are refused.
   * @returns Keys that did not match.
   * @throws {Error} If keys differ and `strict` is not false.
   * @throws {ShapeError} If a shape differs.
   */
  loadStateDict(source: StateSource, options: LoadStateDictOptions = {}): LoadReport {
    return loadEntries(stateEntries(this, ""), source, options);
  }

  /**
   * Calls `hook` with the result of each `forward` of this module; what it returns replaces the
   * result. Returns a function that removes the hook.
   */
  registerForwardHook(hook: (module: this, output: unknown) => unknown): () => void {
    const target = this as unknown as { forward: (...inputs: unknown[]) => unknown };
    const inner = target.forward;
    const hooked = (...inputs: unknown[]): unknown => {
      const output = inner.apply(this, inputs);
      return hook(this, output) ?? output;
    };
    Object.defineProperty(this, "forward", { value: hooked, configurable: true, writable: true });
    return () => {
      if (target.forward !== hooked) {
        throw stateError("registerForwardHook", "hooks are removed in reverse order");
      }
      delete (target as { forward?: unknown }).forward;
      if (target.forward !== inner) target.forward = inner;
    };
  }

  /** Settings shown by `toString()`; layers override it. */
  extraRepr(): string {
    return "";
  }

  /** The tree of modules, as PyTorch prints it. */
  toString(): string {
    const lines = this.namedChildren().map(([name, child]) =>
      `(${name}): ${child}`.replaceAll("\n", "\n  ")
    );
    const body = [this.extraRepr(), ...lines].filter((line) => line);
    if (!lines.length) return `${this.constructor.name}(${body.join("")})`;
    return `${this.constructor.name}(\n  ${body.join("\n  ")}\n)`;
  }

  /** What Deno prints. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

function distinct<T extends Tensor>(
  root: Module,
  list: (module: Module) => [string, T][],
): [string, T][] {
  const seen = new Set<T>();
  const found: [string, T][] = [];
  for (const [path, module] of walk(root)) {
    for (const [name, x] of list(module)) {
      if (seen.has(x)) continue;
      seen.add(x);
      found.push([path ? `${path}.${name}` : name, x]);
    }
  }
  return found;
}

/** The members of one module, by kind. */
interface Members {
  /** Own parameters by key. */
  readonly parameters: [string, Parameter][];
  /** Own buffers by key. */
  readonly buffers: [string, Tensor][];
  /** Modules directly below by key. */
  readonly children: [string, Module][];
}

/** Sorts the members of a module. */
function membersOf(module: Module): Members {
  const parameters: [string, Parameter][] = [];
  const buffers: [string, Tensor][] = [];
  const children: [string, Module][] = [];
  const names = module.bufferNames();
  function visit(name: string, value: unknown): void {
    if (value instanceof Parameter) parameters.push([name, value]);
    else if (value instanceof Module) children.push([name, value]);
    else if (value instanceof Tensor) {
      if (names.has(name)) buffers.push([name, value]);
    } else if (Array.isArray(value)) {
      for (const [i, item] of value.entries()) visit(`${name}.${i}`, item);
    }
  }
  for (const [name, value] of module.members()) visit(name, value);
  return { parameters, buffers, children };
}

/** A module and all below it with their paths, parents or children first, each once. */
function* walk(
  module: Module,
  first: "parents" | "children" = "parents",
  path = "",
  seen: Set<Module> = new Set(),
): Generator<[string, Module]> {
  if (seen.has(module)) return;
  seen.add(module);
  if (first === "parents") yield [path, module];
  for (const [name, child] of membersOf(module).children) {
    yield* walk(child, first, path ? `${path}.${name}` : name, seen);
  }
  if (first === "children") yield [path, module];
}

/** Parameters and persistent buffers by full key, in PyTorch's order; shared ones under each key. */
function stateEntries(
  module: Module,
  prefix: string,
  above: readonly Module[] = [],
): [string, Tensor][] {
  if (above.includes(module)) return [];
  const { parameters, buffers, children } = membersOf(module);
  const names = module.bufferNames();
  const own = [...parameters, ...buffers.filter(([name]) => names.get(name))];
  return [
    ...own.map(([name, x]): [string, Tensor] => [prefix + name, x]),
    ...children.flatMap(([name, child]) =>
      stateEntries(child, `${prefix}${name}.`, [...above, module])
    ),
  ];
}
