/**
 * Operations that are a fixed course of several kernels in rounds: the time steps of a recurrent
 * layer, the query blocks of attention. They are planned, not unrolled: a plan holds each kernel
 * once, whatever the number of rounds.
 */
import { type GradientContext, recordGradient, type SavePolicy } from "./autograd.ts";
import { checkNan } from "./anomaly.ts";
import { isContiguous, wholeTensor } from "./base.ts";
import { stateError } from "./check.ts";
import { compileEager } from "./compile/eager.ts";
import { allocateStorage } from "./compile/storage.ts";
import { currentTrace } from "./compile/trace.ts";
import { type Attribute, attributeKey, commonBackend } from "./define.ts";
import type { Backend, CompiledKernel } from "./backends/backend.ts";
import type { DType } from "./ir/dtype.ts";
import type { SequenceBlock } from "./ir/graph.ts";
import { simplifyKernel } from "./ir/simplify.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous } from "./view.ts";

/** An array that a sequence writes. */
export interface SequenceArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Only used between the kernels; not handed out. */
  readonly scratch?: boolean | undefined;
}

/** Kernels and arrays of a sequence; arguments number the inputs, then the arrays. */
export interface LoweredSequence {
  readonly blocks: readonly SequenceBlock[];
  readonly arrays: readonly SequenceArray[];
}

/** An operation that runs as a sequence. */
export interface SequenceDefinition<A extends Attribute = Attribute> {
  readonly name: string;
  /** Inputs are whole row-major arrays. */
  readonly lower: (inputs: readonly Tensor[], attributes: A) => LoweredSequence;
  readonly gradient?:
    | ((context: GradientContext<A>) => readonly (Tensor | undefined)[])
    | undefined;
  readonly saves?: SavePolicy | undefined;
}

interface CompiledSequence {
  readonly lowered: LoweredSequence;
  readonly kernels: readonly (readonly CompiledKernel[])[];
}

const cache = new Map<string, CompiledSequence>();
const CACHE_LIMIT = 1000;

function whole(x: Tensor): Tensor {
  const covers = x.offset === 0 && isContiguous(x) && x.storage.size === sizeOf(x.shape);
  return covers ? x : contiguous(x, true);
}

function compiledSequence<A extends Attribute>(
  definition: SequenceDefinition<A>,
  inputs: readonly Tensor[],
  attributes: A,
  backend: Backend,
): CompiledSequence {
  const shapes = inputs.map((x) => `${x.dtype}:${x.shape.join(",")}`).join("|");
  const key = `${backend.name}|${definition.name}|${attributeKey(attributes)}|${shapes}`;
  let compiled = cache.get(key);
  if (!compiled) {
    const lowered = definition.lower(inputs, attributes);
    const kernels = lowered.blocks.map(({ steps }) =>
      steps.map(({ kernel }) => compileEager(backend, kernel))
    );
    compiled = { lowered, kernels };
    if (cache.size >= CACHE_LIMIT) cache.clear();
    cache.set(key, compiled);
  }
  return compiled;
}

function runEager<A extends Attribute>(
  definition: SequenceDefinition<A>,
  inputs: readonly Tensor[],
  attributes: A,
  backend: Backend,
): Tensor[] {
  const { lowered, kernels } = compiledSequence(definition, inputs, attributes, backend);
  const outputs = lowered.arrays.map(({ dtype, shape }) =>
    wholeTensor(allocateStorage(backend, dtype, sizeOf(shape)), shape)
  );
  const buffers = [...inputs, ...outputs].map((x) => x.storage.buffer!);
  for (const [b, { count, steps }] of lowered.blocks.entries()) {
    for (let round = 0; round < count; round++) {
      for (const [s, step] of steps.entries()) {
        const bindings = step.arguments.map(({ array, offset, stride }) => ({
          buffer: buffers[array]!,
          offset: offset + round * stride,
        }));
        backend.run(kernels[b]![s]!, bindings);
      }
    }
  }
  for (const [i, { scratch }] of lowered.arrays.entries()) if (scratch) outputs[i]!.dispose();
  return outputs;
}

function simplifyBlock({ count, steps }: SequenceBlock): SequenceBlock {
  return { count, steps: steps.map((step) => ({ ...step, kernel: simplifyKernel(step.kernel) })) };
}

function refuseSecondGradient(name: string): never {
  throw stateError(
    "backward",
    `"${name}" has no second derivative`,
    "leave out createGraph, or build the layer from single operations",
  );
}

/** Runs a sequence; gives its arrays in order, scratch ones left out. */
export function applySequence<A extends Attribute>(
  definition: SequenceDefinition<A>,
  operands: readonly Tensor[],
  attributes: A,
): Tensor[] {
  const backend = commonBackend(definition.name, operands);
  const inputs = operands.map(whole);
  const trace = currentTrace();
  let outputs: Tensor[];
  let lowered: LoweredSequence;
  if (trace && trace.backend === backend) {
    lowered = definition.lower(inputs, attributes);
    const blocks = lowered.blocks.map(simplifyBlock);
    const values = trace.sequence(
      blocks,
      inputs.map((x) => trace.valueOf(x.storage)),
      lowered.arrays,
      definition.name,
    );
    outputs = values.map((v, i) => wholeTensor(trace.storageOf(v), lowered.arrays[i]!.shape));
  } else {
    lowered = compiledSequence(definition, inputs, attributes, backend).lowered;
    outputs = runEager(definition, inputs, attributes, backend);
  }
  checkNan(definition.name, outputs.filter((x) => x.storage.buffer), inputs);
  const handed = outputs.filter((_, i) => !lowered.arrays[i]!.scratch);
  const { name, gradient, saves = "inputs" } = definition;
  if (gradient) recordGradient(name, attributes, gradient, inputs, handed, saves);
  else recordGradient(name, null, () => refuseSecondGradient(name), inputs, handed, "none");
  return handed;
}
