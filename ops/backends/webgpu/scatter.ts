/**
 * Scatters, in order and without atomics. Points that may meet in a position are walked through one
 * after the other; work is split along the axes whose points never meet, and over the positions:
 * each of several threads looks at all points but takes only those whose position falls to it.
 */
import { axis, type Expr, rewrite } from "../../ir/expr.ts";
import { kernelKey, type MapKernel, type ScatterKernel, sizeOf } from "../../ir/kernel.ts";
import { linearize, type Program } from "../../ir/program.ts";
import type { ScalarName } from "../../ir/scalar.ts";
import { Emitter } from "./emit.ts";
import { flatten } from "./flatten.ts";
import { mapStep } from "./map.ts";
import { type Layout, Module } from "./module.ts";
import {
  argumentsFrom,
  entryPoint,
  fromKernel,
  kernelArguments,
  type Lowered,
  type Step,
  type StepArgument,
} from "./step.ts";
import { registerType, spell } from "./wgsl.ts";

const THREADS = 64;

/** Threads that keep a large device busy. */
const FULL = 1 << 16;

/**
 * Points that one dispatch walks through. A longer one might be taken for a hang, and llvmpipe ends
 * every loop after 65,535 turns without a word.
 */
const WALK = 1 << 15;

/** Knuth's multiplicative hash: spreads positions at regular distances evenly. */
const HASH = 2654435769;

const COMBINE: Record<ScatterKernel["op"], ScalarName | undefined> = {
  add: "add",
  mul: "mul",
  max: "max",
  min: "min",
  set: undefined,
};

/** Lowers a scatter: the initial values, if there are any, then the points. */
export function lowerScatter(kernel: ScatterKernel): Lowered {
  const { inputs, outputs, size } = kernel;
  if (!kernel.init) return { steps: walkSteps(kernel), scratch: [] };
  const init: MapKernel = {
    kind: "map",
    shape: [size],
    inputs,
    outputs: [{ dtype: outputs[0]!.dtype, value: kernel.init, index: undefined }],
  };
  const first = mapStep(init, argumentsFrom(init, fromKernel(0, inputs.length + 1)));
  return { steps: [first, ...walkSteps(kernel)], scratch: [] };
}

interface Split {
  readonly parallel: readonly number[];
  readonly serial: readonly number[];
  /** Roots: target, value and, if there is one, guard; axis 0 is parallel, axis 1 serial. */
  readonly program: Program;
}

function split(kernel: ScatterKernel): Split {
  const { shape, target, value, guard } = kernel;
  const axes = [...shape.keys()];
  const parallel = axes.filter((d) => kernel.parallel.includes(d));
  const serial = axes.filter((d) => !kernel.parallel.includes(d));
  const order = [...parallel, ...serial];
  const memo = new Map<Expr, Expr>();
  const roots = [target, value, ...(guard ? [guard] : [])].map((x) =>
    rewrite(x, { axis: (a) => axis(order.indexOf(a.axis), a.size) }, memo)
  );
  const groups = [parallel.map((d) => shape[d]!), serial.map((d) => shape[d]!)] as const;
  return {
    parallel: groups[0],
    serial: groups[1],
    program: linearize(flatten(roots, groups).roots),
  };
}

function walkSteps(kernel: ScatterKernel): Step[] {
  const { parallel, serial, program } = split(kernel);
  const lanes = sizeOf(parallel), length = sizeOf(serial);
  if (lanes === 0 || length === 0) return [];
  let buckets = 1;
  while (buckets < 256 && buckets * 16 <= length && buckets * lanes < FULL) buckets *= 2;
  // `init` was written by the step before: the array is only written here.
  const args = kernelArguments(kernel);
  const steps: Step[] = [];
  for (let start = 0; start < length; start += WALK) {
    steps.push({
      label: `scatter ${kernel.shape.join("×")} → ${kernel.size}`,
      key: kernelKey(kernel),
      arguments: args,
      workgroups: Math.ceil(lanes * buckets / THREADS),
      parameters: [start, Math.min(length, start + WALK)],
      generate: (layout) => generate(kernel, args, layout, program, lanes, buckets),
    });
  }
  return steps;
}

function generate(
  kernel: ScatterKernel,
  args: readonly StepArgument[],
  layout: Layout,
  program: Program,
  lanes: number,
  buckets: number,
): string {
  const module = new Module(args, layout, 2);
  const emitter = new Emitter(program, module);
  emitter.line(`let id = group * ${THREADS}u + thread;`);
  emitter.line(`if (id >= ${lanes * buckets}u) { return; }`);
  emitter.line(`let bucket = id / ${lanes}u;`);
  emitter.define("lane", `i32(id % ${lanes}u)`);
  emitter.open();
  const point = { axes: ["lane", emitter.define("step", "i32(t)")] };
  const guard = kernel.guard ? emitter.root(2, point) : "true";
  emitter.line(`if (${guard}) {`);
  emitter.line(`let goal = u32(${targetOf(emitter, point.axes)});`);
  const shift = 32 - Math.log2(buckets);
  const mine = buckets === 1 ? "true" : `((goal * ${HASH}u) >> ${shift}u) == bucket`;
  emitter.line(`if (${mine}) {\n${update(kernel, emitter, module)}\n}\n}`);
  const body = emitter.close();
  emitter.line(
    `for (var t = ${module.parameter(0)}; t < ${module.parameter(1)}; t++) {\n${body}\n}`,
  );
  return module.text(entryPoint(THREADS, Math.ceil(lanes * buckets / THREADS), emitter.close()));
}

/** The target, computed where it is used: only behind the guard is it in range. */
function targetOf(emitter: Emitter, axes: readonly string[]): string {
  return emitter.root(0, { axes });
}

/** Combines the value of this point into its position. */
function update(kernel: ScatterKernel, emitter: Emitter, module: Module): string {
  const { dtype } = kernel.outputs[0]!, argument = kernel.inputs.length;
  emitter.open();
  // A name of its own keeps the value's statements inside the condition.
  const inner = emitter.define("here", "step");
  const value = emitter.root(1, { axes: ["lane", inner] });
  const combine = COMBINE[kernel.op];
  let result = value;
  if (combine) {
    emitter.line(`let old: ${registerType(dtype)} = ${module.load(argument, "goal")};`);
    const call = { args: ["old", value], types: [dtype, dtype], result: dtype, use: module.use };
    result = spell(combine, call);
  }
  emitter.line(module.store(argument, "goal", result));
  return emitter.close();
}
