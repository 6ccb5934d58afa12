/** The memory plan: which buffers a graph needs, and which of them each kernel is bound to. */
import type { Graph, Plan, PlanArgument, PlanBuffer, PlanStep, SequenceNode } from "./graph.ts";
import { outputIndex, SameExpr } from "./fuse_kernel.ts";
import { type Kernel, sizeOf } from "./kernel.ts";
import { outputElements } from "./plan_cost.ts";
import { type Home, placeValues, type Storage } from "./memory_place.ts";
import { assignSlots } from "./memory_slots.ts";

/**
 * A static list of kernels over buffers, temporaries sharing memory. States are updated in place:
 * whoever reads an old value runs before it is overwritten, or reads a copy. Results have buffers of
 * their own, one each.
 */
export function planGraph(graph: Graph): Plan {
  const placement = placeValues(graph);
  const { nodes, homes, results } = placement;
  const buffers: PlanBuffer[] = [];
  const numbers = new Map<Storage, number>();
  for (const value of [...graph.inputs, ...graph.states, ...results]) {
    const { storage } = homes.get(value)!;
    if (numbers.has(storage)) continue;
    const { role, bytes } = storage;
    numbers.set(storage, buffers.push({ role, bytes, value: storage.value }) - 1);
  }
  for (const slot of assignSlots(placement)) {
    const buffer = buffers.push({ role: "temporary", bytes: slot.bytes, value: undefined }) - 1;
    for (const storage of slot.storages) numbers.set(storage, buffer);
  }
  function bind({ storage, offset }: Home): { buffer: number; offset: number } {
    return { buffer: numbers.get(storage)!, offset };
  }
  const steps: PlanStep[] = [];
  for (const node of nodes) {
    if (node.kind === "sequence") {
      const places = [...node.inputs, ...node.outputs].map((v) => bind(homes.get(v)!));
      steps.push(...sequenceSteps(node, places));
      continue;
    }
    if (node.kind !== "kernel") continue;
    const { kernel, label } = node;
    // Kernels that write nothing are no work, and devices need not know how to do none.
    if (kernel.outputs.every((_, i) => outputElements(kernel, i) === 0)) continue;
    const places = [...node.inputs, ...node.outputs].map((v) => bind(homes.get(v)!));
    steps.push({ kernel: startless(kernel, places), label, arguments: places, loop: undefined });
  }
  return { buffers, steps, results: results.map((v) => bind(homes.get(v)!)) };
}

/** A scatter that starts from the very array that it writes touches only what it scatters to. */
function startless(kernel: Kernel, places: readonly PlanArgument[]): Kernel {
  if (kernel.kind !== "scatter" || kernel.init?.kind !== "load" || kernel.init.guard) return kernel;
  const { input, index } = kernel.init;
  const from = places[input]!, to = places.at(-1)!;
  const same = from.buffer === to.buffer && from.offset === to.offset &&
    new SameExpr().equal(index, outputIndex(kernel, kernel.outputs[0]!));
  return same && sizeOf(kernel.shape) > 0 ? { ...kernel, init: undefined } : kernel;
}

function sequenceSteps(node: SequenceNode, places: readonly PlanArgument[]): PlanStep[] {
  return node.blocks.filter(({ count }) => count > 0).flatMap(({ count, steps }) => {
    const loop = count > 1 ? { count } : undefined;
    return steps.map((step) => ({
      kernel: step.kernel,
      label: `${node.label} ${step.label}`,
      loop,
      arguments: step.arguments.map(({ array, offset, stride }) => {
        const { buffer, offset: start } = places[array]!;
        return { buffer, offset: start + offset, stride };
      }),
    }));
  });
}

/** Bytes of temporary memory that a plan needs. */
export function temporaryBytes(plan: Plan): number {
  return plan.buffers.reduce((sum, b) => b.role === "temporary" ? sum + b.bytes : sum, 0);
}
