/** `compile`: a function of tensors, traced once per input shapes and replayed as a plan. */
import { isDetectingAnomaly } from "./anomaly.ts";
import { wholeTensor } from "./base.ts";
import type { Backend } from "./backends/backend.ts";
import { shapeText, stateError } from "./check.ts";
import { backendOr } from "./compile/devices.ts";
import { Replay } from "./compile/replay.ts";
import type { Storage } from "./compile/storage.ts";
import { currentTrace, Trace, withTrace } from "./compile/trace.ts";
import { type GradientEffect, gradientGuards, keepGradients } from "./compiled_gradients.ts";
import {
  build,
  flattenArguments,
  replaceTensors,
  ResultCollector,
  resultShapes,
  type Template,
} from "./compiled_values.ts";
import type { Value } from "./ir/graph.ts";
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
