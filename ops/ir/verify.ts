/** Checks of kernels, graphs and plans after every pass in tests: an internal fault stops here. */
import type { Graph, GraphNode, SequenceNode, Value } from "./graph.ts";
import { sizeOf } from "./kernel.ts";
import { outputElements } from "./plan_cost.ts";
import { printGraph, printValue } from "./print.ts";
import { fail, verifyKernel } from "./verify_kernel.ts";

export { InternalError, verifyKernel } from "./verify_kernel.ts";
export { verifyPlan } from "./verify_plan.ts";

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
