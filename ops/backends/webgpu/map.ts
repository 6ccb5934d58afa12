/**
 * Elementwise kernels. A thread computes four neighbouring points, with vector loads and stores
 * where an array is walked through without gaps.
 */
import type { Expr } from "../../ir/expr.ts";
import { kernelKey, type KernelOutput, type MapKernel, sizeOf } from "../../ir/kernel.ts";
import { linearize } from "../../ir/program.ts";
import { Emitter, type Point } from "./emit.ts";
import { flatten, position } from "./flatten.ts";
import { isVectorIndex, laneSteps, vectorInputs } from "./lanes.ts";
import { type Layout, Module } from "./module.ts";
import { entryPoint, type Step, type StepArgument } from "./step.ts";

/** Threads of a workgroup; 256 is what every adapter has. */
const THREADS = 256;

/** Below this many points four per thread would leave the device idle. */
const VECTOR_POINTS = 4096;

/** Lowers an elementwise kernel to one dispatch. */
export function mapStep(kernel: MapKernel, args: readonly StepArgument[]): Step {
  const points = sizeOf(kernel.shape);
  const lanes = points >= VECTOR_POINTS ? 4 : 1;
  const threads = points < THREADS * lanes * 8 ? 64 : THREADS;
  return {
    label: `map ${kernel.shape.join("×")}`,
    key: kernelKey(kernel),
    arguments: args,
    workgroups: Math.ceil(points / (threads * lanes)),
    parameters: [],
    generate: (layout) => generate(kernel, args, layout, points, lanes, threads),
  };
}

/** Values and indices of outputs over flat axes: roots 2·o and 2·o + 1 for output o. */
export function outputRoots(
  outputs: readonly KernelOutput[],
  axes: readonly (readonly number[])[],
): Expr[] {
  const shape = axes.flat();
  return outputs.flatMap((o) => [o.value, o.index ?? position(shape, 0)]);
}

function generate(
  kernel: MapKernel,
  args: readonly StepArgument[],
  layout: Layout,
  points: number,
  lanes: number,
  threads: number,
): string {
  const { roots } = flatten(outputRoots(kernel.outputs, [kernel.shape]), [kernel.shape]);
  const program = linearize(roots);
  const steps = laneSteps(program, 0);
  const module = new Module(args, layout);
  const inputs = kernel.inputs.length;
  if (lanes === 4) {
    const wanted = [
      ...vectorInputs(program, steps, inputs),
      ...kernel.outputs.map((_, o) => isVectorIndex(steps[program.roots[2 * o + 1]!]!)),
    ];
    module.chooseVectors(wanted);
  }
  const emitter = new Emitter(program, module);
  const first = `(group * ${threads}u + thread) * ${lanes}u`;
  emitter.line(`let point = ${first};`);
  emitter.line(`if (point >= ${points}u) { return; }`);
  const axes = Array.from({ length: lanes }, (_, i) => {
    if (points % lanes === 0 || i === 0) return emitter.define(`x${i}`, `i32(point)${plus(i)}`);
    return emitter.define(`x${i}`, `min(i32(point)${plus(i)}, ${points - 1})`);
  });
  const at: Point[] = axes.map((x, number) => ({
    axes: [x],
    ...(lanes === 4 ? { lane: { axis: 0, steps, first: axes[0]!, number } } : {}),
  }));
  storeAll(kernel, emitter, module, at, points);
  return module.text(entryPoint(threads, Math.ceil(points / (threads * lanes)), emitter.close()));
}

function plus(i: number): string {
  return i === 0 ? "" : ` + ${i}`;
}

/** All values before all stores: an output may lie where an input lies. */
function storeAll(
  kernel: MapKernel,
  emitter: Emitter,
  module: Module,
  at: readonly Point[],
  points: number,
): void {
  const stores: string[] = [];
  for (const o of kernel.outputs.keys()) {
    const argument = kernel.inputs.length + o;
    const values = at.map((point) => emitter.root(2 * o, point));
    if (module.isVector(argument)) {
      const index = `u32(${emitter.root(2 * o + 1, at[0]!)}) >> 2u`;
      const whole = module.storeVector(argument, index, values);
      if (points % 4 === 0) stores.push(whole);
      else stores.push(tail(whole, values, index, argument, module, points));
      continue;
    }
    for (const [i, point] of at.entries()) {
      const index = `u32(${emitter.root(2 * o + 1, point)})`;
      const store = module.store(argument, index, values[i]!);
      stores.push(i === 0 || points % at.length === 0 ? store : within(i, points, store));
    }
  }
  for (const store of stores) emitter.line(store);
}

function within(i: number, points: number, store: string): string {
  return `if (point + ${i}u < ${points}u) { ${store} }`;
}

function tail(
  whole: string,
  values: readonly string[],
  index: string,
  argument: number,
  module: Module,
  points: number,
): string {
  const parts = values.map((value, i) =>
    within(i, points, module.storeComponent(argument, index, i, value))
  );
  return `if (point + 4u <= ${points}u) { ${whole} } else {\n${parts.join("\n")}\n}`;
}
