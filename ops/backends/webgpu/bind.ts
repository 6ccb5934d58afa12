/** Ties a step to memory: the places of its arguments, its bind group. */
import type { Binding } from "../backend.ts";
import { type DeviceBuffer, deviceBuffer } from "./buffers.ts";
import type { Place, Placement } from "./layout.ts";
import type { Pipeline } from "./pipelines.ts";
import type { Step } from "./step.ts";
import type { UniformBlock } from "./uniforms.ts";

/** Where the arguments of a step are. */
export function placesOf(
  step: Step,
  bindings: readonly Binding[],
  scratch: readonly DeviceBuffer[],
): Place[] {
  return step.arguments.map(({ from, number }) => {
    if (from === "scratch") return { memory: scratch[number]!.memory, offset: 0 };
    const { buffer, offset } = bindings[number]!;
    return { memory: deviceBuffer(buffer).memory, offset };
  });
}

/** The bind group of a step. */
export function createGroup(
  device: GPUDevice,
  pipeline: Pipeline,
  placement: Placement,
  block: UniformBlock | undefined,
): GPUBindGroup {
  const entries: GPUBindGroupEntry[] = placement.ranges.map(({ memory, start, size }, binding) => ({
    binding,
    resource: { buffer: memory.gpu, offset: start, size },
  }));
  if (block) {
    const { buffer, offset, size } = block;
    entries.push({ binding: entries.length, resource: { buffer, offset, size } });
  }
  return device.createBindGroup({ layout: pipeline.layout, entries });
}
