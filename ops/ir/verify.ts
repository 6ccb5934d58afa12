/** Checks of kernels, graphs and plans after every pass in tests: an internal fault stops here. */
import { bytesOf, type DType, isFloat } from "./dtype.ts";
import { type CallExpr, type Expr, visit } from "./expr.ts";
import type { Graph, GraphNode, Plan, SequenceNode, Value } from "./graph.ts";
import { iterationShape, type Kernel, type KernelOutput, sizeOf } from "./kernel.ts";
import { outputElements } from "./plan_cost.ts";
import { printGraph, printKernel, printPlan, printValue } from "./print.ts";
import { type ScalarName, scalarRow } from "./scalar.ts";

/** A fault of the compiler, with the text of what is wrong. */
export class InternalError extends Error {
  override readonly name = "InternalError";
}

function fail(what: string, text: string): never {
  throw new InternalError(`internal: ${what}\n${text}`);
}

/** What an expression of a kernel may refer to. */
interface Frame {
  /** Sizes of the axes, or `undefined` where an axis is out of sight. */
  readonly axes: readonly (number | undefined)[];
  /** Types of the reduction results. */
  readonly accumulators: readonly DType[];
}

/** Throws an `InternalError` where a kernel breaks a rule of `kernel.ts`. */
export function verifyKernel(kernel: Kernel): void {
  try {
    for (const { name, expr, dtype, frame } of placesOf(kernel)) {
      verifyExpr(name, expr, kernel, frame);
      if (expr.dtype !== dtype) throw new Error(`${name} is ${expr.dtype}, expected ${dtype}`);
    }
    verifyOwn(kernel);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error), printKernel(kernel));
  }
}

interface Place {
  readonly name: string;
  readonly expr: Expr;
  readonly dtype: DType;
  readonly frame: Frame;
}

/** Every expression with the type it must have and what it may see. */
function placesOf(kernel: Kernel): Place[] {
  const all = iterationShape(kernel);
  const none: DType[] = [];
  switch (kernel.kind) {
    case "map":
      return outputPlaces(kernel, () => ({ axes: all, accumulators: none }));
    case "reduce": {
      const results = kernel.reductions.map((r) => r.dtype);
      const bodies = kernel.reductions.map((r, i): Place => ({
        name: `reduction ${i}`,
        expr: r.body,
        dtype: r.op.startsWith("arg") ? r.body.dtype : r.dtype,
        frame: { axes: all, accumulators: results.slice(0, i) },
      }));
      const outputs = outputPlaces(kernel, (o) => ({
        axes: o.full ? all : kernel.shape,
        accumulators: results,
      }));
      return [...bodies, ...outputs];
    }
    case "contract": {
      const { batch, m, n, k, dtype } = kernel;
      const hide = (sizes: readonly number[]): undefined[] => sizes.map(() => undefined);
      const a = { axes: [...batch, ...m, ...hide(n), ...k], accumulators: none };
      const b = { axes: [...batch, ...hide(m), ...n, ...k], accumulators: none };
      const out = { axes: [...batch, ...m, ...n], accumulators: [dtype] };
      return [
        { name: "a", expr: kernel.a, dtype, frame: a },
        { name: "b", expr: kernel.b, dtype, frame: b },
        ...outputPlaces(kernel, () => out),
      ];
    }
    case "scan": {
      const result = kernel.op.startsWith("arg") ? "int32" : kernel.body.dtype;
      const body = { axes: all, accumulators: none };
      return [
        { name: "body", expr: kernel.body, dtype: kernel.body.dtype, frame: body },
        ...outputPlaces(kernel, () => ({ axes: all, accumulators: [result] })),
      ];
    }
    case "scatter": {
      const { dtype } = kernel.outputs[0]!;
      const frame = { axes: all, accumulators: none };
      const places: Place[] = [
        {
          name: "init",
          expr: kernel.init,
          dtype,
          frame: { axes: [kernel.size], accumulators: none },
        },
        { name: "target", expr: kernel.target, dtype: "int32", frame },
        { name: "value", expr: kernel.value, dtype, frame },
      ];
      if (kernel.guard) places.push({ name: "guard", expr: kernel.guard, dtype: "bool", frame });
      return places;
    }
    case "sort":
      return [];
  }
}

function outputPlaces(kernel: Kernel, frameOf: (o: KernelOutput) => Frame): Place[] {
  return kernel.outputs.flatMap((o, i): Place[] => {
    const frame = frameOf(o);
    const value: Place = { name: `output ${i}`, expr: o.value, dtype: o.dtype, frame };
    if (!o.index) return [value];
    return [value, { name: `index of output ${i}`, expr: o.index, dtype: "int32", frame }];
  });
}

function verifyExpr(name: string, root: Expr, kernel: Kernel, frame: Frame): void {
  visit([root], (x) => {
    const wrong = wrongNode(x, kernel, frame);
    if (wrong) throw new Error(`${name}: ${wrong}`);
  });
}

function wrongNode(x: Expr, kernel: Kernel, frame: Frame): string | undefined {
  switch (x.kind) {
    case "const":
      return isFloat(x.dtype) || Number.isInteger(x.value) ? undefined : `${x.dtype} ${x.value}`;
    case "axis":
      return frame.axes[x.axis] === x.size ? undefined : `axis ${x.axis} of size ${x.size}`;
    case "acc":
      return frame.accumulators[x.slot] === x.dtype ? undefined : `result ${x.slot} as ${x.dtype}`;
    case "load": {
      const input = kernel.inputs[x.input];
      if (input?.dtype !== x.dtype) return `input ${x.input} read as ${x.dtype}`;
      if (x.index.dtype !== "int32") return `index of type ${x.index.dtype}`;
      return x.guard && x.guard.dtype !== "bool" ? `guard of type ${x.guard.dtype}` : undefined;
    }
    case "call":
      return wrongCall(x);
  }
}

/** Functions whose arguments may differ in type from each other. */
const MIXED: ReadonlySet<ScalarName> = new Set([
  "select",
  "cast",
  "bitcast",
  "philox",
  "shl",
  "shr",
]);

function wrongCall({ op, args, dtype }: CallExpr): string | undefined {
  const row = scalarRow(op);
  const types = args.map((a) => a.dtype);
  const text = `${op}(${types.join(", ")}): ${dtype}`;
  if (args.length !== row.arity) return `${text} has ${args.length} arguments`;
  if (row.result === "bool" && dtype !== "bool") return text;
  if (op === "select") {
    return types[0] === "bool" && types[1] === dtype && types[2] === dtype ? undefined : text;
  }
  if (MIXED.has(op)) return undefined;
  if (types.some((t) => t !== types[0])) return text;
  return row.result === "same" && dtype !== types[0] ? text : undefined;
}

function verifyOwn(kernel: Kernel): void {
  for (const size of iterationShape(kernel)) {
    if (!Number.isInteger(size) || size < 0) throw new Error(`size ${size}`);
  }
  if (kernel.outputs.length === 0) throw new Error("no outputs");
  for (const [i, o] of kernel.outputs.entries()) {
    if (o.full && kernel.kind !== "reduce") {
      throw new Error(`output ${i} of a ${kernel.kind} is full`);
    }
    if (kernel.kind === "contract" && !o.index) throw new Error(`output ${i} has no index`);
  }
  if (kernel.kind === "reduce") {
    for (const [i, r] of kernel.reductions.entries()) {
      if (r.op.startsWith("arg") && r.dtype !== "int32") {
        throw new Error(`reduction ${i} is ${r.dtype}`);
      }
    }
  }
  if (kernel.kind === "scan" && !(kernel.axis in kernel.shape)) {
    throw new Error("axis out of range");
  }
  if (kernel.kind === "sort" && kernel.outputs[0]!.dtype !== "int32") {
    throw new Error("positions are int32");
  }
  if (kernel.kind !== "contract" || !kernel.convolution) return;
  for (const slot of [kernel.convolution.x, kernel.convolution.w, kernel.convolution.dy]) {
    if (slot !== undefined && !(slot in kernel.inputs)) {
      throw new Error(`convolution names input ${slot}`);
    }
  }
}

/** Throws an `InternalError` where a graph is not in order. */
export function verifyGraph(graph: Graph): void {
  const known = new Set<Value>([...graph.inputs, ...graph.states]);
  function check(ok: boolean, what: string): asserts ok {
    if (!ok) fail(what, printGraph(graph, "formulas"));
  }
  for (const value of known) check(!value.producer, `external ${printValue(value)} has a producer`);
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      check(known.has(input), `${node.label} reads ${printValue(input)} before it is made`);
    }
    const wrong = wrongGraphNode(node);
    check(wrong === undefined, `${node.label}: ${wrong}`);
    for (const output of node.outputs) {
      check(!known.has(output), `${printValue(output)} is made twice`);
      check(output.producer === node, `${printValue(output)} names another producer`);
      known.add(output);
    }
  }
  for (const value of graph.results) {
    check(known.has(value), `result ${printValue(value)} is not made`);
  }
  const updated = new Set<Value>();
  for (const { state, value } of graph.updates) {
    check(graph.states.includes(state), `${printValue(state)} is updated and is no state`);
    check(!updated.has(state), `${printValue(state)} is updated twice`);
    check(known.has(value), `update ${printValue(value)} is not made`);
    check(
      sizeOf(value.shape) === sizeOf(state.shape),
      `${printValue(state)} gets ${printValue(value)}`,
    );
    check(value.dtype === state.dtype, `${printValue(state)} gets ${printValue(value)}`);
    updated.add(state);
  }
}

function wrongGraphNode(node: GraphNode): string | undefined {
  if (node.kind === "kernel") return wrongKernelNode(node);
  return node.kind === "pack" ? wrongPack(node) : wrongSequence(node);
}

/** Arrays that exist, of the kernels' dtypes, with every round inside of them. */
function wrongSequence({ inputs, outputs, blocks }: SequenceNode): string | undefined {
  const arrays = [...inputs, ...outputs];
  for (const { count, steps } of blocks) {
    for (const { kernel, label, arguments: places } of steps) {
      verifyKernel(kernel);
      const ends = [...kernel.inputs, ...kernel.outputs];
      if (places.length !== ends.length) return `${label}: ${places.length} arguments`;
      for (const [i, { array, offset, stride }] of places.entries()) {
        const value = arrays[array];
        if (value?.dtype !== ends[i]!.dtype) return `${label}: argument ${i} is array ${array}`;
        const last = offset + stride * Math.max(0, count - 1);
        if (Math.min(offset, last) < 0 || Math.max(offset, last) > sizeOf(value.shape)) {
          return `${label}: argument ${i} leaves ${printValue(value)}`;
        }
        if (i >= kernel.inputs.length && array < inputs.length) return `${label}: writes an input`;
      }
    }
  }
  return undefined;
}

function wrongKernelNode(node: GraphNode & { kind: "kernel" }): string | undefined {
  const { kernel, inputs, outputs } = node;
  verifyKernel(kernel);
  if (inputs.length !== kernel.inputs.length) return `${inputs.length} inputs`;
  if (outputs.length !== kernel.outputs.length) return `${outputs.length} outputs`;
  for (const [i, v] of inputs.entries()) {
    if (v.dtype !== kernel.inputs[i]!.dtype) return `input ${i} is ${printValue(v)}`;
  }
  for (const [i, v] of outputs.entries()) {
    if (v.dtype !== kernel.outputs[i]!.dtype) return `output ${i} is ${printValue(v)}`;
    const elements = outputElements(kernel, i);
    if (elements !== sizeOf(v.shape)) {
      return `output ${i} has ${elements} elements: ${printValue(v)}`;
    }
  }
  return undefined;
}

function wrongPack({ inputs, offsets, outputs }: GraphNode & { kind: "pack" }): string | undefined {
  if (inputs.length !== offsets.length) return `${offsets.length} offsets`;
  const [out] = outputs;
  const spans = inputs.map((v, i) => ({ start: offsets[i]!, end: offsets[i]! + sizeOf(v.shape) }));
  spans.sort((p, q) => p.start - q.start || p.end - q.end);
  for (const [i, span] of spans.entries()) {
    if (span.start < (spans[i - 1]?.end ?? 0)) return `inputs overlap at ${span.start}`;
  }
  if ((spans.at(-1)?.end ?? 0) > sizeOf(out.shape)) return `inputs end after ${printValue(out)}`;
  const other = inputs.find((v) => v.dtype !== out.dtype);
  return other && `${printValue(other)} in ${printValue(out)}`;
}

/** Bytes of a buffer that are in question. */
interface Span {
  readonly buffer: number;
  readonly start: number;
  readonly end: number;
}

function overlap(a: Span, b: Span): boolean {
  return a.buffer === b.buffer && a.start < b.end && b.start < a.end;
}

/** Throws an `InternalError` where a plan would read or write what it must not. */
export function verifyPlan(plan: Plan): void {
  const written = plan.buffers.map((b) =>
    b.role === "input" || b.role === "state" || b.bytes === 0
  );
  function check(ok: boolean, what: string): asserts ok {
    if (!ok) fail(what, printPlan(plan, "formulas"));
  }
  for (const [number, { kernel, label, arguments: places, loop }] of plan.steps.entries()) {
    const at = `step ${number} (${label})`;
    verifyKernel(kernel);
    const inputCount = kernel.inputs.length;
    check(
      places.length === inputCount + kernel.outputs.length,
      `${at}: ${places.length} arguments`,
    );
    for (const { buffer, offset } of places) {
      check(buffer in plan.buffers, `${at}: buffer ${buffer}`);
      check(Number.isInteger(offset) && offset >= 0, `${at}: offset ${offset}`);
    }
    for (const [i, { buffer }] of places.slice(0, inputCount).entries()) {
      check(written[buffer]!, `${at}: input ${i} is read before it is written`);
    }
    const spans = outputSpans(plan, number);
    for (const [i, span] of spans.entries()) {
      check(
        span.end <= plan.buffers[span.buffer]!.bytes,
        `${at}: output ${i} ends after its buffer`,
      );
      check(plan.buffers[span.buffer]!.role !== "input", `${at}: writes an input`);
      // Steps of a sequence may interleave their outputs in one array.
      const apart = loop || !spans.some((other, j) => j < i && overlap(span, other));
      check(!!apart, `${at}: outputs overlap`);
      written[span.buffer] = true;
    }
  }
  for (const { buffer } of plan.results) {
    check(written[buffer] === true, `result in ${buffer} is not written`);
  }
}

function outputSpans(plan: Plan, number: number): Span[] {
  const { kernel, arguments: places } = plan.steps[number]!;
  return kernel.outputs.map((o, i) => {
    const { buffer, offset } = places[kernel.inputs.length + i]!;
    const bytes = bytesOf(o.dtype);
    const start = offset * bytes;
    return { buffer, start, end: start + outputElements(kernel, i) * bytes };
  });
}
