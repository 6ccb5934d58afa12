/** `compile`: a function of tensors, traced once per input shapes and replayed as a plan. */
import { isDetectingAnomaly } from "./anomaly.ts";
import { isGradEnabled } from "./grad_mode.ts";
import { core, isContiguous, makeTensor, wholeTensor } from "./base.ts";
import type { Backend } from "./backends/backend.ts";
import { shapeText, stateError } from "./check.ts";
import { backendOr } from "./compile/devices.ts";
import { Replay } from "./compile/replay.ts";
import { allocateStorage, type Storage } from "./compile/storage.ts";
import { currentTrace, Trace, withTrace } from "./compile/trace.ts";
import { fromValues } from "./create.ts";
import type { PackNode, Value } from "./ir/graph.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous } from "./view.ts";

/** Options of `compile`. */
export interface CompileOptions {
  /** Name in messages and printed plans. @default the function's name */
  name?: string | undefined;
}

/** A compiled function: called like the original. */
export interface CompiledFunction<A extends unknown[], R> {
  (...args: A): R;
  /** Text of the plan that these arguments run (tracing it if needed): kernels, bytes, FLOPs. */
  describe(...args: A): string;
  /** Number of plans traced so far. */
  readonly planCount: number;
  /** Gives back the memory of all plans; the next call traces again. */
  dispose(): void;
}

/** Result of the function with each tensor replaced by a number: its place among the results. */
type Template =
  | { readonly kind: "result"; readonly index: number; readonly shape: readonly number[] }
  | { readonly kind: "handle"; readonly tensor: Tensor }
  | { readonly kind: "list"; readonly items: readonly Template[] }
  | { readonly kind: "record"; readonly entries: readonly (readonly [string, Template])[] }
  | { readonly kind: "nothing"; readonly value: undefined | null };

/** What happens to `grad` of a tensor after a replay. */
interface GradientEffect {
  readonly holder: Tensor;
  /** The tensor that holds it, or nothing when it was cleared. */
  readonly after: Tensor | undefined;
}

/** Gradients of arguments: results that are added to `grad` of the argument. */
interface ArgumentGradient {
  readonly argument: number;
  readonly result: number;
}

interface Variant {
  readonly replay: Replay;
  readonly guards: readonly (() => boolean)[];
  readonly template: Template;
  readonly gradients: readonly GradientEffect[];
  readonly argumentGradients: readonly ArgumentGradient[];
}

const WARN_ABOVE = 8;

interface Arguments {
  readonly tensors: Tensor[];
  readonly key: string;
}

function isTensor(x: unknown): x is Tensor {
  return x instanceof core().Tensor;
}

/** Lists the tensors in nested arguments and describes everything else in the key. */
function flattenArguments(name: string, args: readonly unknown[]): Arguments {
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
function replaceTensors(x: unknown, replace: () => Tensor): unknown {
  if (isTensor(x)) return replace();
  if (Array.isArray(x)) return x.map((item) => replaceTensors(item, replace));
  if (typeof x === "object" && x !== null) {
    return Object.fromEntries(
      Object.entries(x).map(([field, value]) => [field, replaceTensors(value, replace)]),
    );
  }
  return x;
}

function wholeValue(trace: Trace, x: Tensor): Value {
  const covers = x.offset === 0 && isContiguous(x) && x.storage.size === sizeOf(x.shape);
  const y = covers ? x : contiguous(x, true);
  return trace.valueOf(y.storage);
}

class ResultCollector {
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

function build(template: Template, results: readonly Tensor[]): unknown {
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

/** The pack that lays a gradient beside the others, and where in it the gradient lies. */
function packOf(trace: Trace, value: Value): { node: PackNode; offset: number } | undefined {
  for (const node of trace.nodes) {
    if (node.kind !== "pack") continue;
    const at = node.inputs.indexOf(value);
    if (at >= 0) return { node, offset: node.offsets[at]! };
  }
  return undefined;
}

/**
 * Gradients that the function leaves in `grad` get arrays that live on. Where a pack holds them (the
 * optimizer's flat gradient) they become views of it, so that keeping them costs no copy.
 */
function keepGradients(trace: Trace): GradientEffect[] {
  const effects: GradientEffect[] = [];
  const packs = new Map<PackNode, Storage>();
  const shared = new Map<Storage, Storage>();
  for (const [holder, before] of trace.gradients) {
    const tensor = holder as Tensor;
    const after = tensor.grad;
    if (after === before || (after && after.storage.buffer)) continue;
    if (!after) {
      effects.push({ holder: tensor, after });
      continue;
    }
    if (after.storage.size > after.numel && isContiguous(after)) {
      effects.push({ holder: tensor, after: viewOfShared(trace, shared, after) });
      continue;
    }
    const value = wholeValue(trace, after);
    const pack = packOf(trace, value);
    const keep = pack
      ? viewOfPack(trace, packs, pack, after)
      : ownArray(trace, value, after, before as Tensor | undefined);
    effects.push({ holder: tensor, after: keep });
  }
  return effects;
}

/** Gradients that are views of one array (clipped ones) stay views of it. */
function viewOfShared(trace: Trace, shared: Map<Storage, Storage>, after: Tensor): Tensor {
  let storage = shared.get(after.storage);
  if (!storage) {
    storage = allocateStorage(trace.backend, after.dtype, after.storage.size);
    trace.adopt(storage, trace.valueOf(after.storage));
    shared.set(after.storage, storage);
  }
  return makeTensor(storage, after);
}

function viewOfPack(
  trace: Trace,
  packs: Map<PackNode, Storage>,
  { node, offset }: { node: PackNode; offset: number },
  after: Tensor,
): Tensor {
  let storage = packs.get(node);
  if (!storage) {
    storage = allocateStorage(trace.backend, after.dtype, sizeOf(node.outputs[0].shape));
    trace.adopt(storage, node.outputs[0]);
    packs.set(node, storage);
  }
  const whole = wholeTensor(storage, [storage.size]);
  const flat = whole.slice(0, offset, offset + sizeOf(after.shape));
  return flat.reshape(after.shape);
}

function ownArray(trace: Trace, value: Value, after: Tensor, before: Tensor | undefined): Tensor {
  const reusable = before?.storage.buffer && isContiguous(before) && before.offset === 0 &&
    before.storage.size === sizeOf(after.shape) && before.dtype === after.dtype;
  if (reusable) {
    trace.assign(before.storage, value);
    return before;
  }
  const storage = allocateStorage(trace.backend, after.dtype, sizeOf(after.shape));
  trace.adopt(storage, value);
  return wholeTensor(storage, after.shape);
}

function traceVariant<A extends unknown[], R>(
  name: string,
  fn: (...args: A) => R,
  args: A,
  tensors: readonly Tensor[],
): Variant {
  const backend = backendOf(name, tensors);
  const trace = new Trace(backend);
  const argumentValues: Value[] = [];
  const proxies = tensors.map((x, i) => {
    const value = trace.argument(x.dtype, x.shape, `argument ${i}`);
    argumentValues.push(value);
    const proxy = wholeTensor(trace.storageOf(value), x.shape, x.weak);
    return x.requiresGrad && x.isLeaf ? proxy.setRequiresGrad(true) : proxy;
  });
  const before = new Map<Tensor, Tensor | undefined>();
  try {
    return withTrace(trace, () => {
      let next = 0;
      const traced = replaceTensors(args, () => proxies[next++]!) as A;
      const collector = new ResultCollector(name, trace);
      const template = collector.template(fn(...traced));
      refuseWrittenArguments(name, proxies, argumentValues);
      const argumentGradients = proxies.flatMap((proxy, argument) =>
        proxy.grad ? [{ argument, result: collector.add(proxy.grad) }] : []
      );
      const gradients = keepGradients(trace).filter((g) => !proxies.includes(g.holder));
      const guards = [
        ...trace.guards,
        ...gradientGuards(trace, proxies),
        ...[...trace.captured.keys()].map(stayed),
      ];
      const graph = trace.finish(collector.values);
      const replay = new Replay(trace, graph, argumentValues.map((v) => v.id));
      const updated = new Set(graph.updates.map((u) => u.state));
      replay.markUpdated([...trace.captured].filter(([, v]) => updated.has(v)).map(([s]) => s));
      return { replay, guards, template, gradients, argumentGradients };
    });
  } finally {
    // Gradients seen while tracing are not real; each replay puts the real ones in place.
    for (const [holder, grad] of trace.gradients) before.set(holder as Tensor, grad as Tensor);
    for (const [holder, grad] of before) holder.grad = grad;
  }
}

/** Holds until a tensor leaves a storage for another one (`rebind`). */
function stayed(storage: Storage): () => boolean {
  const { moves } = storage;
  return () => storage.moves === moves;
}

function gradientGuards(trace: Trace, proxies: readonly Tensor[]): (() => boolean)[] {
  const guards: (() => boolean)[] = [];
  for (const [holder, before] of trace.gradients) {
    const tensor = holder as Tensor;
    if (proxies.includes(tensor)) continue;
    const read = (before as Tensor | undefined)?.storage;
    // A gradient that was replaced without being read does not matter.
    if (read && read.traced?.trace === trace.number) {
      guards.push(() => tensor.grad?.storage === read);
    } else if (!read) {
      guards.push(() => !gradientMattered(trace, tensor) || tensor.grad === undefined);
    }
  }
  return guards;
}

/** Whether the function reads `grad` before it writes it; clearing it first makes it irrelevant. */
function gradientMattered(trace: Trace, tensor: Tensor): boolean {
  return !trace.clearedGradients.has(tensor);
}

function refuseWrittenArguments(
  name: string,
  proxies: readonly Tensor[],
  values: readonly Value[],
): void {
  for (const [i, proxy] of proxies.entries()) {
    if (proxy.storage.traced!.value !== values[i]) {
      throw stateError(
        name,
        `argument ${i}, shape ${shapeText(proxy.shape)}, was written in place`,
        "return the new value, or let the function capture the tensor",
      );
    }
  }
}

function backendOf(name: string, tensors: readonly Tensor[]): Backend {
  const backend = tensors[0]?.storage.backend ?? backendOr(undefined);
  for (const x of tensors) {
    if (x.storage.backend !== backend) {
      throw stateError(
        name,
        `arguments are on ${backend.name} and ${x.device}`,
        "move them to one device",
      );
    }
  }
  return backend;
}

/**
 * Compiles a function: it is traced once per shapes and dtypes of its arguments, with every tensor
 * that it captures (parameters, optimizer state) as state that the plan reads and updates in place;
 * then fused, planned and replayed without graph work or allocation.
 *
 * Inside, everything works as outside except reading values. Numbers among the arguments are
 * constants of the plan (each value traces anew). Calling a compiled function while another is being
 * traced inlines it.
 *
 * @param fn A synchronous function of tensors (also in arrays and plain objects), returning tensors.
 * @param options Name for messages.
 * @returns The compiled function.
 * @throws {Error} When a call reads a value, returns something else than tensors, or writes an argument.
 *
 * @example
 * ```ts
 * import { compile, type Tensor, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const f = compile((x: Tensor) => x.mul(2).add(1).sum());
 * assertEquals(await f(tensor([1, 2, 3])).item(), 15);
 * ```
 */
export function compile<A extends unknown[], R>(
  fn: (...args: A) => R,
  options: CompileOptions = {},
): CompiledFunction<A, R> {
  const name = options.name ?? (fn.name || "compile");
  const variants = new Map<string, Variant[]>();
  let planCount = 0;
  function find(args: A): { variant: Variant; tensors: Tensor[] } {
    const { tensors, key } = flattenArguments(name, args);
    const known = variants.get(key) ?? [];
    let variant = known.find((v) => v.guards.every((guard) => guard()));
    if (!variant) {
      variant = traceVariant(name, fn, args, tensors);
      known.unshift(variant);
      variants.set(key, known);
      if (++planCount === WARN_ABOVE + 1) {
        console.warn(
          `${name}: traced for the ${planCount}th time; pad inputs to a few fixed shapes (last: ${
            tensors.map((x) => shapeText(x.shape)).join(", ")
          })`,
        );
      }
    }
    return { variant, tensors };
  }
  function call(...args: A): R {
    if (currentTrace() || isDetectingAnomaly()) return fn(...args);
    const { variant, tensors } = find(args);
    return replayVariant(variant, tensors) as R;
  }
  return Object.defineProperties(call, {
    describe: { value: (...args: A) => find(args).variant.replay.describe() },
    planCount: { get: () => planCount },
    dispose: {
      value: () => {
        for (const list of variants.values()) for (const v of list) v.replay.dispose();
        variants.clear();
      },
    },
  }) as CompiledFunction<A, R>;
}

function replayVariant(variant: Variant, tensors: readonly Tensor[]): unknown {
  const inputs = tensors.map((x) => contiguous(x));
  const storages = variant.replay.run(inputs);
  const shapes = resultShapes(variant.template);
  const results = storages.map((s, i) => wholeTensor(s, shapes.get(i) ?? [s.size]));
  for (const { holder, after } of variant.gradients) holder.grad = after;
  for (const { argument, result } of variant.argumentGradients) {
    const holder = tensors[argument]!;
    const gradient = wholeTensor(results[result]!.storage, holder.shape);
    holder.grad = holder.grad ? holder.grad.add(gradient) : gradient;
  }
  return build(variant.template, results);
}

function resultShapes(
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

let hostScalarCount = 0;

/**
 * A number of the host as a 0-dimensional float32 tensor that a compiled plan reads anew at each
 * replay (a learning rate that a scheduler changes), instead of freezing it.
 *
 * @param read Gives the current value.
 * @param options Device of the tensor.
 * @returns A scalar.
 */
export function hostScalar(
  read: () => number,
  options: { like?: Tensor | undefined } = {},
): Tensor {
  const trace = currentTrace();
  const backend = options.like?.storage.backend ?? trace?.backend ?? backendOr(undefined);
  if (!trace || trace.backend !== backend) return fromValues([read()], [], "float32", backend);
  const key = `host scalar ${hostScalarCount++}`;
  const value = trace.hostInput(key, "float32", [], () => Float32Array.of(read()));
  return wholeTensor(trace.storageOf(value), []);
}

/** Most scalars that share one array. */
const SCALARS_PER_ARRAY = 16;

/**
 * Scalars like those of `hostScalar` that share one array of the plan, so that a kernel which reads
 * many of them binds one buffer.
 */
export class HostScalars {
  readonly #like: Tensor;
  #reads: (() => number)[] = [];
  #array: Tensor | undefined;

  /** @param like A tensor on the same device. */
  constructor(like: Tensor) {
    this.#like = like;
  }

  /**
   * One more scalar.
   *
   * @param read Gives the current value.
   * @returns A 0-dimensional float32 tensor.
   */
  add(read: () => number): Tensor {
    const trace = currentTrace();
    const { backend } = this.#like.storage;
    if (!trace || trace.backend !== backend) return hostScalar(read, { like: this.#like });
    if (!this.#array || this.#reads.length === SCALARS_PER_ARRAY) {
      const reads: (() => number)[] = [];
      const produce = () => {
        const values = new Float32Array(SCALARS_PER_ARRAY);
        for (const [i, value] of reads.entries()) values[i] = value();
        return values;
      };
      const key = `host scalars ${hostScalarCount++}`;
      const value = trace.hostInput(key, "float32", [SCALARS_PER_ARRAY], produce);
      this.#array = wholeTensor(trace.storageOf(value), [SCALARS_PER_ARRAY]);
      this.#reads = reads;
    }
    return this.#array.select(0, this.#reads.push(read) - 1);
  }
}
