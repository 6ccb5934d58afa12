/** Graphs built by hand, and two ways to run them: value by value, and as a plan. */
import { createReferenceBackend } from "../../ops/backends/reference/mod.ts";
import type { Backend, Buffer, Dispatch } from "../../ops/backends/backend.ts";
import { bytesOf, type DType } from "../../ops/ir/dtype.ts";
import {
  acc,
  axesOf,
  axis,
  type Expr,
  int,
  load,
  mul,
  ravel,
  strided,
  unravel,
} from "../../ops/ir/expr.ts";
import type { Graph, GraphNode, Plan, SequenceNode, Value } from "../../ops/ir/graph.ts";
import {
  type ContractKernel,
  type Kernel,
  type MapKernel,
  type ReduceKernel,
  type ReduceOp,
  sizeOf,
} from "../../ops/ir/kernel.ts";
import { hostArray, valuesOf } from "./run.ts";

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = strides[d + 1]! * shape[d + 1]!;
  return strides;
}

/** Records kernels as tracing does. */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #inputs: Value[] = [];
  readonly #states: Value[] = [];
  readonly #updates = new Map<Value, Value>();
  #count = 0;

  #value(dtype: DType, shape: readonly number[], label: string): Value {
    return { id: this.#count++, dtype, shape, producer: undefined, label };
  }

  /** An argument. */
  input(shape: readonly number[], label = "input", dtype: DType = "float32"): Value {
    const value = this.#value(dtype, shape, label);
    this.#inputs.push(value);
    return value;
  }

  /** A parameter. */
  state(shape: readonly number[], label = "state", dtype: DType = "float32"): Value {
    const value = this.#value(dtype, shape, label);
    this.#states.push(value);
    return value;
  }

  /** Any kernel. */
  kernel(
    kernel: Kernel,
    inputs: readonly Value[],
    shapes: readonly (readonly number[])[],
    label: string,
  ): Value[] {
    const outputs = kernel.outputs.map((o, i) => this.#value(o.dtype, shapes[i]!, label));
    const node: GraphNode = { kind: "kernel", kernel, inputs: [...inputs], outputs, label };
    for (const value of outputs) value.producer = node;
    this.#nodes.push(node);
    return outputs;
  }

  /** `value(axes, at)` at each point; `at(i, coordinates)` reads operand `i`. */
  map(
    label: string,
    shape: readonly number[],
    operands: readonly Value[],
    value: (axes: Expr[], at: (i: number, coordinates: Expr[]) => Expr) => Expr,
  ): Value {
    const result = value(
      axesOf(shape),
      (i, coordinates) => load(i, operands[i]!.dtype, ravel(coordinates, operands[i]!.shape)),
    );
    const kernel: MapKernel = {
      kind: "map",
      shape,
      inputs: operands.map(({ dtype }) => ({ dtype })),
      outputs: [{ dtype: result.dtype, value: result, index: undefined }],
    };
    return this.kernel(kernel, operands, [shape], label)[0]!;
  }

  /** A function of elements with broadcasting. */
  zip(label: string, operands: readonly Value[], f: (...x: Expr[]) => Expr): Value {
    const rank = Math.max(...operands.map((v) => v.shape.length));
    const shape = Array.from(
      { length: rank },
      (_, d) => Math.max(...operands.map((v) => v.shape[d - rank + v.shape.length] ?? 1)),
    );
    return this.map(label, shape, operands, (axes, at) =>
      f(...operands.map((v, i) => {
        const skip = rank - v.shape.length;
        return at(i, v.shape.map((size, d) => size === 1 ? int(0) : axes[skip + d]!));
      })));
  }

  /** The same elements under another shape, as a copy. */
  reshape(x: Value, shape: readonly number[]): Value {
    return this.map(
      "reshape",
      shape,
      [x],
      (axes, at) => at(0, unravel(ravel(axes, shape), x.shape)),
    );
  }

  /** Axes in another order, as a copy. */
  permute(x: Value, order: readonly number[]): Value {
    const shape = order.map((d) => x.shape[d]!);
    return this.map("permute", shape, [x], (axes, at) => {
      const coordinates: Expr[] = [];
      for (const [i, d] of order.entries()) coordinates[d] = axes[i]!;
      return at(0, coordinates);
    });
  }

  /** A reduction over axes. */
  reduce(label: string, op: ReduceOp, x: Value, axes: readonly number[]): Value {
    const kept = x.shape.map((_, d) => d).filter((d) => !axes.includes(d));
    const coordinates: Expr[] = [];
    for (const [i, d] of [...kept, ...axes].entries()) coordinates[d] = axis(i, x.shape[d]!);
    const dtype = op.startsWith("arg") ? "int32" : x.dtype;
    const shape = kept.map((d) => x.shape[d]!);
    const kernel: ReduceKernel = {
      kind: "reduce",
      shape,
      reduce: axes.map((d) => x.shape[d]!),
      inputs: [{ dtype: x.dtype }],
      reductions: [{ op, body: load(0, x.dtype, ravel(coordinates, x.shape)), dtype }],
      outputs: [{ dtype, value: acc(0, dtype), index: undefined }],
    };
    return this.kernel(kernel, [x], [shape], label)[0]!;
  }

  /** `[m, k] × [k, n]`; `transposed` operands are stored the other way. */
  matmul(
    a: Value,
    b: Value,
    options: { a?: boolean; b?: boolean; label?: string } = {},
  ): Value {
    const [m, k] = options.a ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
    const n = options.b ? b.shape[0]! : b.shape[1]!;
    const [i, j, l] = [axis(0, m), axis(1, n), axis(2, k)];
    const kernel: ContractKernel = {
      kind: "contract",
      batch: [],
      m: [m],
      n: [n],
      k: [k],
      inputs: [{ dtype: a.dtype }, { dtype: b.dtype }],
      a: load(0, a.dtype, strided(options.a ? [l, i] : [i, l], stridesOf(a.shape))),
      b: load(1, b.dtype, strided(options.b ? [j, l] : [l, j], stridesOf(b.shape))),
      dtype: a.dtype,
      outputs: [{ dtype: a.dtype, value: acc(0, a.dtype), index: ravel([i, j], [m, n]) }],
      convolution: undefined,
    };
    return this.kernel(kernel, [a, b], [[m, n]], options.label ?? "matmul")[0]!;
  }

  /** Arrays end to end. */
  pack(inputs: readonly Value[], offsets: readonly number[], size: number): Value {
    const value = this.#value(inputs[0]!.dtype, [size], "pack");
    const node: GraphNode = {
      kind: "pack",
      inputs: [...inputs],
      offsets,
      outputs: [value],
      label: "pack",
    };
    value.producer = node;
    this.#nodes.push(node);
    return value;
  }

  /** `h[0] = 0`, then `h[t + 1] = f(h[t], x[t])` over the first axis of `x`: all states in a row. */
  recurrence(label: string, x: Value, f: (h: Expr, x: Expr) => Expr): Value {
    const [steps, ...rest] = x.shape as [number, ...number[]];
    const size = sizeOf(rest), { dtype } = x;
    const at = axis(0, size);
    const zero = { kind: "const", dtype, value: 0 } as const;
    const kernel = (inputs: number, value: Expr): MapKernel => ({
      kind: "map",
      shape: [size],
      inputs: Array.from({ length: inputs }, () => ({ dtype })),
      outputs: [{ dtype, value, index: undefined }],
    });
    const place = (array: number, offset: number, stride: number) => ({ array, offset, stride });
    const start = { kernel: kernel(0, zero), label: "start", arguments: [place(1, 0, 0)] };
    const next = {
      kernel: kernel(2, f(load(0, dtype, at), load(1, dtype, at))),
      label: "step",
      arguments: [place(1, 0, size), place(0, 0, size), place(1, size, size)],
    };
    const value = this.#value(dtype, [steps + 1, ...rest], label);
    const node: GraphNode = {
      kind: "sequence",
      inputs: [x],
      outputs: [value],
      blocks: [{ count: 1, steps: [start] }, { count: steps, steps: [next] }],
      label,
    };
    value.producer = node;
    this.#nodes.push(node);
    return value;
  }

  /** The state holds `value` in the end. */
  update(state: Value, value: Value): void {
    this.#updates.set(state, value);
  }

  /** The finished graph. */
  finish(results: readonly Value[]): Graph {
    return {
      nodes: this.#nodes,
      inputs: this.#inputs,
      states: this.#states,
      results: [...results],
      updates: [...this.#updates].map(([state, value]) => ({ state, value })),
    };
  }
}

/** Numbers of the external arrays by value. */
export type Contents = ReadonlyMap<Value, readonly number[]>;

/** Numbers of the results, and of the states afterwards. */
export interface Outcome {
  readonly results: number[][];
  readonly states: number[][];
}

function upload(backend: Backend, value: Value, contents: Contents): Buffer {
  const buffer = backend.allocate(sizeOf(value.shape) * bytesOf(value.dtype));
  backend.write(buffer, 0, hostArray(value.dtype, contents.get(value)!));
  return buffer;
}

function download(backend: Backend, buffer: Buffer, value: Value, offset = 0): number[] {
  const size = bytesOf(value.dtype);
  const bytes = backend.readSync(buffer, offset * size, sizeOf(value.shape) * size)!;
  return valuesOf(value.dtype, bytes);
}

/** Runs a graph node by node, each value in an array of its own: the meaning of graphs. */
export function runGraph(graph: Graph, contents: Contents): Outcome {
  const backend = createReferenceBackend();
  const buffers = new Map<Value, Buffer>();
  for (const v of [...graph.inputs, ...graph.states]) buffers.set(v, upload(backend, v, contents));
  for (const node of graph.nodes) {
    for (const v of node.outputs) {
      buffers.set(v, backend.allocate(sizeOf(v.shape) * bytesOf(v.dtype)));
    }
    if (node.kind === "pack") {
      const target = buffers.get(node.outputs[0])!;
      for (const [i, v] of node.inputs.entries()) {
        const size = bytesOf(v.dtype);
        backend.copy(buffers.get(v)!, 0, target, node.offsets[i]! * size, sizeOf(v.shape) * size);
      }
    } else if (node.kind === "kernel") {
      const values = [...node.inputs, ...node.outputs];
      const bindings = values.map((v) => ({ buffer: buffers.get(v)!, offset: 0 }));
      backend.run(backend.compile(node.kernel), bindings);
    } else {runSequence(
        backend,
        node,
        [...node.inputs, ...node.outputs].map((v) => buffers.get(v)!),
      );}
  }
  const after = new Map(graph.updates.map((u) => [u.state, u.value]));
  return {
    results: graph.results.map((v) => download(backend, buffers.get(v)!, v)),
    states: graph.states.map((v) => download(backend, buffers.get(after.get(v) ?? v)!, v)),
  };
}

function runSequence(backend: Backend, node: SequenceNode, arrays: readonly Buffer[]): void {
  for (const { count, steps } of node.blocks) {
    for (let round = 0; round < count; round++) {
      for (const { kernel, arguments: places } of steps) {
        const bindings = places.map(({ array, offset, stride }) => ({
          buffer: arrays[array]!,
          offset: offset + round * stride,
        }));
        backend.run(backend.compile(kernel), bindings);
      }
    }
  }
}

/** Runs a plan of a graph (the graph gives states and results their order). */
export function runPlan(
  plan: Plan,
  graph: Graph,
  contents: Contents,
  backend: Backend = createReferenceBackend(),
): Outcome {
  const buffers = plan.buffers.map((b) => {
    const external = b.role === "input" || b.role === "state";
    return external ? upload(backend, b.value!, contents) : backend.allocate(b.bytes);
  });
  const dispatches: Dispatch[] = [];
  for (let first = 0; first < plan.steps.length;) {
    const { loop } = plan.steps[first]!;
    let end = first + 1;
    while (loop && plan.steps[end]?.loop === loop) end++;
    for (let round = 0; round < (loop?.count ?? 1); round++) {
      for (const { kernel, arguments: places } of plan.steps.slice(first, end)) {
        const bindings = places.map(({ buffer, offset, stride = 0 }) => ({
          buffer: buffers[buffer]!,
          offset: offset + round * stride,
        }));
        dispatches.push({ kernel, bindings });
      }
    }
    first = end;
  }
  const prepared = backend.prepare(dispatches);
  prepared.run();
  return {
    results: plan.results.map((r, i) =>
      download(backend, buffers[r.buffer]!, graph.results[i]!, r.offset)
    ),
    states: graph.states.map((v) =>
      download(backend, buffers[plan.buffers.findIndex((b) => b.value === v)]!, v)
    ),
  };
}

/** `x · factor` with a constant of the right dtype. */
export function scaled(x: Expr, factor: number): Expr {
  return mul(x, { kind: "const", dtype: x.dtype, value: factor });
}
