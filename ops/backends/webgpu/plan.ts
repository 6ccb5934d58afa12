/** Plans: dispatches whose pipelines and bind groups are made once and only encoded again. */
import type { Binding, PreparedPlan } from "../backend.ts";
import { createGroup, placesOf } from "./bind.ts";
import type { BufferPool, DeviceBuffer } from "./buffers.ts";
import { place, type Placement } from "./layout.ts";
import type { Pipeline, PipelineCache } from "./pipelines.ts";
import type { CommandQueue, Encodable } from "./queue.ts";
import { foldDispatch, type Lowered, type Step } from "./step.ts";
import { packUniforms, uniformWords } from "./uniforms.ts";

/** What a plan is made with. */
export interface PlanContext {
  readonly device: GPUDevice;
  readonly queue: CommandQueue;
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
}

/** A kernel of a plan. */
export interface PlannedKernel {
  readonly lowered: Lowered;
  readonly bindings: readonly Binding[];
}

interface PlannedStep {
  readonly step: Step;
  readonly placement: Placement;
  readonly pipeline: Pipeline;
  /** Number of its uniform block, if it has one. */
  readonly block: number | undefined;
}

/**
 * Makes a plan ready.
 *
 * @param kernels Kernels in order.
 * @param context The device and its parts.
 * @returns The plan.
 */
export function preparePlan(
  kernels: readonly PlannedKernel[],
  context: PlanContext,
): PreparedPlan {
  const scratch = sharedScratch(kernels, context.pool);
  const contents: (readonly number[])[] = [];
  const planned: PlannedStep[] = [];
  for (const { lowered, bindings } of kernels) {
    for (const step of lowered.steps) {
      if (step.workgroups === 0) continue;
      const placement = place(step.arguments, placesOf(step, bindings, scratch));
      const pipeline = context.pipelines.get(step, placement);
      const block = pipeline.uniform ? contents.length : undefined;
      if (pipeline.uniform) contents.push(uniformWords(step, placement));
      planned.push({ step, placement, pipeline, block });
    }
  }
  const { buffer, blocks } = packUniforms(context.device, contents);
  const work = planned.map(({ step, placement, pipeline, block }): Encodable => {
    const [x, y] = foldDispatch(step.workgroups);
    const uniform = block === undefined ? undefined : blocks[block];
    const group = createGroup(context.device, pipeline, placement, uniform);
    return { pipeline: pipeline.gpu, group, x, y, label: step.label };
  });
  return new WebgpuPlan(work, context, scratch, buffer);
}

/** Scratch memory large enough for each kernel in turn: they run one after the other. */
function sharedScratch(kernels: readonly PlannedKernel[], pool: BufferPool): DeviceBuffer[] {
  const sizes: number[] = [];
  for (const { lowered } of kernels) {
    for (const [i, bytes] of lowered.scratch.entries()) {
      sizes[i] = Math.max(sizes[i] ?? 0, bytes);
    }
  }
  return sizes.map((bytes) => pool.allocate(bytes));
}

class WebgpuPlan implements PreparedPlan {
  readonly #work: readonly Encodable[];
  readonly #context: PlanContext;
  readonly #scratch: readonly DeviceBuffer[];
  readonly #uniforms: GPUBuffer | undefined;
  #disposed = false;

  constructor(
    work: readonly Encodable[],
    context: PlanContext,
    scratch: readonly DeviceBuffer[],
    uniforms: GPUBuffer | undefined,
  ) {
    this.#work = work;
    this.#context = context;
    this.#scratch = scratch;
    this.#uniforms = uniforms;
  }

  run(): void {
    if (this.#disposed) throw new Error("webgpu: internal: a plan is run after its disposal");
    const { queue } = this.#context;
    for (const work of this.#work) queue.dispatch(work);
    queue.submit();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.#scratch) this.#context.pool.release(buffer);
    this.#uniforms?.destroy();
  }
}
