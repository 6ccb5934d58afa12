/** Pipelines: code for each step and layout, compiled once. */
import type { Failures } from "./failures.ts";
import type { Placement } from "./layout.ts";
import type { DeviceFacts, Step } from "./step.ts";

/** Compiled code of a step for one layout of its arguments. */
export interface Pipeline {
  readonly gpu: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** For cache keys. */
  readonly id: number;
  /** Whether the last binding is a uniform block of numbers. */
  readonly uniform: boolean;
}

/** What a backend compiled so far. */
export interface CompileStatistics {
  /** How many. */
  readonly pipelines: number;
  /** How long it took, all together. */
  readonly milliseconds: number;
}

/** Compiles steps. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #facts: DeviceFacts;
  readonly #failures: Failures;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  #milliseconds = 0;
  /** Told the text of each shader. */
  onSource: ((label: string, source: string) => void) | undefined;

  /** Starts empty. */
  constructor(device: GPUDevice, facts: DeviceFacts, failures: Failures) {
    this.#device = device;
    this.#facts = facts;
    this.#failures = failures;
  }

  /** Number of pipelines and the time they took. */
  get statistics(): CompileStatistics {
    return { pipelines: this.#pipelines.size, milliseconds: this.#milliseconds };
  }

  /** Code for a step whose arguments lie as `placement` says. */
  get(step: Step, placement: Placement): Pipeline {
    const key = `${step.key}#${placement.layout.key}`;
    const known = this.#pipelines.get(key);
    if (known) return known;
    const start = performance.now();
    const pipeline = this.#create(step, placement);
    this.#milliseconds += performance.now() - start;
    this.#pipelines.set(key, pipeline);
    return pipeline;
  }

  #create(step: Step, { layout, written }: Placement): Pipeline {
    const { storageBuffers } = this.#facts;
    if (written.length > storageBuffers) {
      throw new Error(
        `webgpu: internal: ${step.label} binds ${written.length} arrays, ` +
          `the adapter allows ${storageBuffers}`,
      );
    }
    const uniform = layout.offsets || step.parameters.length > 0;
    const groupLayout = this.#layout(written, uniform);
    const code = step.generate(layout);
    const label = step.label;
    this.onSource?.(label, code);
    this.#device.pushErrorScope("validation");
    const module = this.#device.createShaderModule({ label, code });
    const gpu = this.#device.createComputePipeline({
      label,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [groupLayout] }),
      compute: { module, entryPoint: "main" },
    });
    this.#device.popErrorScope().then((error) => {
      if (!error) return;
      const message = `webgpu: internal: ${label} does not compile: ${error.message}`;
      this.#failures.recordCause(new Error(`${message}\n${code}`));
    }, () => {});
    return { gpu, layout: groupLayout, id: this.#pipelines.size, uniform };
  }

  #layout(written: readonly boolean[], uniform: boolean): GPUBindGroupLayout {
    const key = written.map((w) => w ? "w" : "r").join("") + (uniform ? "u" : "");
    const known = this.#layouts.get(key);
    if (known) return known;
    const types: GPUBufferBindingType[] = written.map((w) => w ? "storage" : "read-only-storage");
    if (uniform) types.push("uniform");
    const layout = this.#device.createBindGroupLayout({
      entries: types.map((type, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
      })),
    });
    this.#layouts.set(key, layout);
    return layout;
  }
}
