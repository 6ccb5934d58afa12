/**
 * Graphs of kernels, as tracing records them and passes rewrite them, and plans, as devices replay
 * them.
 */
import type { DType } from "./dtype.ts";
import type { Kernel } from "./kernel.ts";

/** An array in a graph: external (no producer) or made by a node. Contiguous, row-major. */
export interface Value {
  readonly id: number;
  readonly dtype: DType;
  /** Shape, for people; kernels address elements flat. */
  readonly shape: readonly number[];
  producer: GraphNode | undefined;
  /** What it is, for printing: a parameter's name, an op's. */
  label: string;
}

/** A kernel applied to values; one value per kernel output. */
export interface KernelNode {
  readonly kind: "kernel";
  kernel: Kernel;
  inputs: Value[];
  outputs: Value[];
  /** Name of the op that it came from; names joined by `+` after fusion. */
  label: string;
}

/**
 * Lays its inputs end to end in one array: input i at element `offsets[i]` (gaps are allowed and
 * undefined). The planner lets producers write in place, so that it usually costs nothing.
 */
export interface PackNode {
  readonly kind: "pack";
  inputs: Value[];
  readonly offsets: readonly number[];
  outputs: [Value];
  label: string;
}

/** A node of a graph. */
export type GraphNode = KernelNode | PackNode;

/** What a traced function does. */
export interface Graph {
  /** In an order in which operands come first. */
  nodes: GraphNode[];
  /** External arrays written anew before each replay (arguments, host scalars). */
  readonly inputs: Value[];
  /** External arrays that live on between replays (parameters, optimizer state, buffers). */
  readonly states: Value[];
  /** Values handed to the caller. */
  readonly results: Value[];
  /** At the end of a replay the array of `state` holds `value`. */
  readonly updates: { readonly state: Value; readonly value: Value }[];
}

/** What a buffer of a plan is for. */
export type PlanBufferRole = "temporary" | "input" | "state" | "result";

/** An array that a plan's kernels are bound to; temporaries share memory by `slot`. */
export interface PlanBuffer {
  readonly role: PlanBufferRole;
  readonly bytes: number;
  /** The external or result value; `undefined` for temporaries. */
  readonly value: Value | undefined;
}

/** One kernel of a plan; arguments are inputs in order, then outputs. */
export interface PlanStep {
  readonly kernel: Kernel;
  readonly label: string;
  readonly arguments: readonly { readonly buffer: number; readonly offset: number }[];
}

/** A static list of kernels over a static set of buffers. */
export interface Plan {
  readonly buffers: readonly PlanBuffer[];
  readonly steps: readonly PlanStep[];
  /** Buffer and element offset of each result. */
  readonly results: readonly { readonly buffer: number; readonly offset: number }[];
}
