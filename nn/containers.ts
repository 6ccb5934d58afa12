/** Modules that hold others. */
import type { Tensor } from "../ops/mod.ts";
import { rangeError, stateError } from "../ops/check.ts";
import { flatten, unflatten } from "../ops/view.ts";
import { Module } from "./module.ts";

/** A module from one tensor to one tensor. */
export interface TensorModule extends Module {
  /** What the module computes. */
  forward(x: Tensor): Tensor;
}

/** What a {@linkcode Sequential} is made of: modules and plain functions. */
export type Layer = TensorModule | ((x: Tensor) => Tensor);

/**
 * Layers one after the other, like `torch.nn.Sequential`. Functions take part beside modules; keys
 * are positions, or the names of a record.
 *
 * @example
 * ```ts
 * import { F, ones } from "@tensaurus/core";
 * import { Linear, Sequential } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const net = new Sequential(new Linear(4, 8), F.relu, new Linear(8, 2));
 * assertEquals(net.forward(ones([3, 4])).shape, [3, 2]);
 * assertEquals(Object.keys(net.stateDict())[2], "2.weight");
 * ```
 */
export class Sequential extends Module {
  readonly #layers: [string, Layer][];

  /**
   * Makes the module.
   *
   * @param layers Layers in order, also as an array or a record.
   */
  constructor(...layers: readonly (Layer | readonly Layer[] | Readonly<Record<string, Layer>>)[]) {
    super();
    const list = layers.flatMap((entry): (Layer | [string, Layer])[] => {
      if (typeof entry === "function" || entry instanceof Module) return [entry];
      return Array.isArray(entry) ? [...entry as Layer[]] : Object.entries(entry);
    });
    this.#layers = list.map((entry, i) => Array.isArray(entry) ? entry : [String(i), entry]);
  }

  /** Number of layers. */
  get length(): number {
    return this.#layers.length;
  }

  /** Adds a layer at the end. */
  append(layer: Layer): this {
    this.#layers.push([String(this.#layers.length), layer]);
    return this;
  }

  /** The layer at a position; negative ones count from the end. */
  at(position: number): Layer {
    const entry = this.#layers.at(position);
    if (!entry) throw outOfRange("Sequential", position, this.length);
    return entry[1];
  }

  /** The layers in order. */
  *[Symbol.iterator](): Generator<Layer> {
    for (const [, layer] of this.#layers) yield layer;
  }

  /** Members by key. */
  override members(): Iterable<readonly [string, unknown]> {
    return this.#layers;
  }

  /** Runs the layers in order. */
  forward(x: Tensor): Tensor {
    for (const [, layer] of this.#layers) {
      x = typeof layer === "function" ? layer(x) : layer.forward(x);
    }
    return x;
  }
}

function outOfRange(name: string, position: number, length: number): RangeError {
  return rangeError(name, `there is no module ${position} among ${length}`);
}

/**
 * A list of modules, like `torch.nn.ModuleList`. A plain array in a field works as well.
 *
 * @example
 * ```ts
 * import { Linear, ModuleList } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const list = new ModuleList([new Linear(2, 2), new Linear(2, 2)]);
 * assertEquals([list.length, list.parameters().length], [2, 4]);
 * ```
 */
export class ModuleList<T extends Module = Module> extends Module {
  readonly #modules: T[];

  /**
   * Makes the module.
   *
   * @param modules The first modules.
   */
  constructor(modules: Iterable<T> = []) {
    super();
    this.#modules = [...modules];
  }

  /** Number of modules. */
  get length(): number {
    return this.#modules.length;
  }

  /** Adds a module at the end. */
  append(module: T): this {
    this.#modules.push(module);
    return this;
  }

  /** Adds modules at the end. */
  extend(modules: Iterable<T>): this {
    this.#modules.push(...modules);
    return this;
  }

  /** Inserts a module before a position. */
  insert(position: number, module: T): this {
    this.#modules.splice(position, 0, module);
    return this;
  }

  /** The module at a position; negative ones count from the end. */
  at(position: number): T {
    const module = this.#modules.at(position);
    if (!module) throw outOfRange("ModuleList", position, this.length);
    return module;
  }

  /** Puts another module at a position. */
  set(position: number, module: T): this {
    this.at(position);
    this.#modules[position < 0 ? position + this.length : position] = module;
    return this;
  }

  /** The modules in order. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#modules[Symbol.iterator]();
  }

  /** Members by key. */
  override members(): Iterable<readonly [string, unknown]> {
    return this.#modules.map((module, i) => [String(i), module] as const);
  }

  /** A list computes nothing. @throws {Error} Always. */
  forward(..._inputs: never[]): never {
    throw stateError("ModuleList", "a list has no forward", "loop over its modules");
  }
}

/**
 * Modules by name, like `torch.nn.ModuleDict`.
 *
 * @example
 * ```ts
 * import { Linear, ModuleDict } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const heads = new ModuleDict({ digits: new Linear(2, 10, { bias: false }) });
 * assertEquals(Object.keys(heads.stateDict()), ["digits.weight"]);
 * ```
 */
export class ModuleDict<T extends Module = Module> extends Module {
  readonly #modules: Map<string, T>;

  /**
   * Makes the module.
   *
   * @param modules The first modules by name.
   */
  constructor(modules: Readonly<Record<string, T>> | Iterable<readonly [string, T]> = {}) {
    super();
    const entries = Symbol.iterator in modules
      ? modules as Iterable<readonly [string, T]>
      : Object.entries(modules as Readonly<Record<string, T>>);
    this.#modules = new Map(entries);
  }

  /** Number of modules. */
  get size(): number {
    return this.#modules.size;
  }

  /** The module of a name. @throws {RangeError} If there is none. */
  get(name: string): T {
    const module = this.#modules.get(name);
    if (!module) {
      throw rangeError("ModuleDict", `there is no module "${name}" among ${[...this.keys()]}`);
    }
    return module;
  }

  /** Adds or replaces a module. */
  set(name: string, module: T): this {
    this.#modules.set(name, module);
    return this;
  }

  /** Whether there is a module of that name. */
  has(name: string): boolean {
    return this.#modules.has(name);
  }

  /** Removes a module; gives whether it was there. */
  delete(name: string): boolean {
    return this.#modules.delete(name);
  }

  /** Names in order. */
  keys(): IterableIterator<string> {
    return this.#modules.keys();
  }

  /** Modules in order. */
  values(): IterableIterator<T> {
    return this.#modules.values();
  }

  /** Names and modules in order. */
  [Symbol.iterator](): IterableIterator<[string, T]> {
    return this.#modules.entries();
  }

  /** Members by key. */
  override members(): Iterable<readonly [string, unknown]> {
    return this.#modules;
  }

  /** A dictionary computes nothing. @throws {Error} Always. */
  forward(..._inputs: never[]): never {
    throw stateError("ModuleDict", "a dictionary has no forward", "call one of its modules");
  }
}

/**
 * Gives back its input, like `torch.nn.Identity`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { Identity } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const x = tensor([1, 2]);
 * assertEquals(new Identity().forward(x) === x, true);
 * ```
 */
export class Identity extends Module {
  /** The input itself. */
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** Options of {@linkcode Flatten}. */
export interface FlattenOptions {
  /** First axis of the block. @default 1 */
  startDim?: number | undefined;
  /** Last axis of the block. @default -1 */
  endDim?: number | undefined;
}

/**
 * Joins neighbouring axes into one, like `torch.nn.Flatten`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Flatten } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Flatten().forward(zeros([2, 3, 4])).shape, [2, 12]);
 * ```
 */
export class Flatten extends Module {
  readonly #startDim: number;
  readonly #endDim: number;

  /**
   * Makes the module.
   *
   * @param options Which axes.
   */
  constructor(options: FlattenOptions = {}) {
    super();
    this.#startDim = options.startDim ?? 1;
    this.#endDim = options.endDim ?? -1;
  }

  /** A view with fewer axes. */
  forward(x: Tensor): Tensor {
    return flatten(x, this.#startDim, this.#endDim);
  }
}

/**
 * Splits one axis into several, like `torch.nn.Unflatten`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Unflatten } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Unflatten(1, [3, 4]).forward(zeros([2, 12])).shape, [2, 3, 4]);
 * ```
 */
export class Unflatten extends Module {
  readonly #dim: number;
  readonly #sizes: readonly number[];

  /**
   * Makes the module.
   *
   * @param dim Axis to split.
   * @param sizes Sizes of the new axes.
   */
  constructor(dim: number, sizes: readonly number[]) {
    super();
    this.#dim = dim;
    this.#sizes = sizes;
  }

  /** A view with more axes. */
  forward(x: Tensor): Tensor {
    return unflatten(x, this.#dim, this.#sizes);
  }
}
