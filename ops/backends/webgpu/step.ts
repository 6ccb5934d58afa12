/** Steps: the dispatches into which a kernel is lowered. */
import { type Kernel, usedInputs } from "../../ir/kernel.ts";
import type { Argument, Layout } from "./module.ts";

/** What code generation needs to know of a device. */
export interface DeviceFacts {
  /** Whether the adapter computes on the processor. */
  readonly software: boolean;
  /** Whether arrays of float16 are there. */
  readonly half: boolean;
  /** Invocations that a workgroup may have. */
  readonly workgroupSize: number;
  /** Bytes of memory that a workgroup may share. */
  readonly workgroupBytes: number;
  /** Arrays that a shader may bind. */
  readonly storageBuffers: number;
  /** Names of tiles to use for all contractions, for tests and tuning; `undefined` chooses. */
  readonly tile?: string | undefined;
}

/** An array that a step works on: an argument of the kernel or scratch memory of the lowering. */
export interface StepArgument extends Argument {
  readonly from: "kernel" | "scratch";
  readonly number: number;
  /** False for inputs that no expression reads: they are not bound. */
  readonly used: boolean;
}

/** One dispatch. */
export interface Step {
  /** For people: kind and sizes. */
  readonly label: string;
  /** Text that is equal exactly for steps for which the same code serves. */
  readonly key: string;
  readonly arguments: readonly StepArgument[];
  readonly workgroups: number;
  /** Numbers that the shader reads besides offsets. */
  readonly parameters: readonly number[];
  /** WGSL with an entry point `main`. */
  generate(layout: Layout): string;
}

/** A kernel as dispatches over its arguments and scratch memory. */
export interface Lowered {
  readonly steps: readonly Step[];
  /** Bytes of each scratch array. */
  readonly scratch: readonly number[];
}

/** Workgroups that fit along one dimension of a dispatch. */
export const DISPATCH_LIMIT = 65535;

/** Sizes of a dispatch of `count` workgroups, folded over two dimensions where one is too short. */
export function foldDispatch(count: number): [number, number] {
  if (count <= DISPATCH_LIMIT) return [count, 1];
  const y = Math.ceil(count / DISPATCH_LIMIT);
  return [Math.ceil(count / y), y];
}

/**
 * The entry point: `body` sees `group` (u32, number of the workgroup), `thread` (u32, number inside
 * it) and runs only for workgroups below `count`.
 */
export function entryPoint(size: number, count: number, body: string): string {
  const [x, y] = foldDispatch(count);
  const group = y === 1
    ? "let group = group_id.x;"
    : `let group = group_id.x + group_id.y * ${x}u;\nif (group >= ${count}u) { return; }`;
  return `@compute @workgroup_size(${size})
fn main(
  @builtin(workgroup_id) group_id: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
${group}
${body}
}`;
}

/** A kernel's own arguments: inputs, then outputs. */
export function kernelArguments(kernel: Kernel): StepArgument[] {
  const used = usedInputs(kernel);
  const inputs = kernel.inputs.map(({ dtype }, i) => ({
    dtype,
    written: false,
    used: used.has(i),
  }));
  const outputs = kernel.outputs.map(({ dtype }) => ({ dtype, written: true, used: true }));
  return [...inputs, ...outputs].map((a, number) => ({ ...a, from: "kernel", number }));
}

/** Arguments of a kernel that is part of the lowering of another, by where each comes from. */
export function argumentsFrom(
  kernel: Kernel,
  sources: readonly Pick<StepArgument, "from" | "number">[],
): StepArgument[] {
  return kernelArguments(kernel).map((argument, i) => ({ ...argument, ...sources[i]! }));
}

/** Sources of arguments `start…` of the kernel that is lowered. */
export function fromKernel(
  start: number,
  count: number,
): readonly Pick<StepArgument, "from" | "number">[] {
  return Array.from({ length: count }, (_, i) => ({ from: "kernel", number: start + i }));
}
