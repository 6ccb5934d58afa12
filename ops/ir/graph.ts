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

/** One kernel of a sequence; its arguments are the kernel's inputs in order, then its outputs. */
export interface SequenceStep {
  readonly kernel: Kernel;
  readonly label: string;
  readonly arguments: readonly SequenceArgument[];
}

/** An array of a sequence seen from one of its steps. */
export interface SequenceArgument {
  /** Position among the node's inputs, then its outputs. */
  readonly array: number;
  /** Element at which the step's array starts in the first round. */
  readonly offset: number;
  /** How far it moves from round to round. */
  readonly stride: number;
}

/** Steps that run `count` times in order. */
export interface SequenceBlock {
  readonly count: number;
  readonly steps: readonly SequenceStep[];
}

/**
 * A fixed course of kernels over a fixed set of arrays, with rounds that move through them: the time
 * steps of a recurrent layer, the query blocks of attention. The plan's size does not depend on the
 * number of rounds. Outputs are whole arrays, scratch included; passes do not look inside.
 */
export interface SequenceNode {
  readonly kind: "sequence";
  inputs: Value[];
  outputs: Value[];
  blocks: readonly SequenceBlock[];
  label: string;
}

/** A node of a graph. */
export type GraphNode = KernelNode | PackNode | SequenceNode;

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
  readonly arguments: readonly PlanArgument[];
  /** Neighbouring steps of one loop run in turn, `count` times. */
  readonly loop: PlanLoop | undefined;
}

/** A part of a buffer. */
export interface PlanArgument {
  readonly buffer: number;
  /** First element. */
  readonly offset: number;
  /** How far it moves from round to round of the step's loop. */
  readonly stride?: number | undefined;
}

/** Rounds of a group of steps. */
export interface PlanLoop {
  readonly count: number;
}

/** A static list of kernels over a static set of buffers. */
export interface Plan {
  readonly buffers: readonly PlanBuffer[];
  readonly steps: readonly PlanStep[];
  /** Buffer and element offset of each result. */
  readonly results: readonly { readonly buffer: number; readonly offset: number }[];
}
