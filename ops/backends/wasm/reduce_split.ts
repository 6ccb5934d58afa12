/**
 * Reductions with few results over many elements, in parts: each thread sums parts, a second pass
 * puts them together in order. The number of parts depends on the sizes alone, so that results do not
 * depend on the number of threads.
 *
 * @module
 */
import { acc, axesOf, axis, type Expr, load, ravel, rewrite, visit } from "../../ir/expr.ts";
import {
  type KernelInput,
  type KernelOutput,
  type MapKernel,
  type ReduceKernel,
  type Reduction,
  sizeOf,
} from "../../ir/kernel.ts";
import { type KernelPass, type LoweredKernel, plainSlots, type Slots } from "./emit_nest.ts";
import { lowerMap } from "./map.ts";
import { lowerReducePass, reduceShape } from "./reduce.ts";
import type { Parts } from "./reduce_plan.ts";
import { isArg } from "./reduce_accumulate.ts";

/** With this many units, one pass keeps all threads busy. */
const ENOUGH_UNITS = 8;
/** Smaller reductions are over before a second pass pays. */
const SMALLEST = 65_536;
/** Elements of a part, at least. */
const PART = 16_384;
const MOST_PARTS = 64;

/** Reductions by stages: a stage needs no results of its own. Slots of each. */
function stagesOf(reductions: readonly Reduction[]): number[][] {
  const stages: number[][] = [];
  reductions.forEach((r, slot) => {
    let needs = -1;
    visit([r.body], (x) => {
      if (x.kind === "acc") needs = Math.max(needs, x.slot);
    });
    const last = stages.at(-1);
    if (last && last[0]! > needs) last.push(slot);
    else stages.push([slot]);
  });
  return stages;
}

/** A kernel with its results of reductions as further inputs. */
class Splitter {
  readonly #kernel: ReduceKernel;
  readonly #parts: Parts;
  readonly #inputs: readonly KernelInput[];
  readonly #bindings: number;

  constructor(kernel: ReduceKernel, parts: Parts) {
    this.#kernel = kernel;
    this.#parts = parts;
    this.#inputs = [...kernel.inputs, ...kernel.reductions.map(({ dtype }) => ({ dtype }))];
    this.#bindings = kernel.inputs.length + kernel.outputs.length;
  }

  /** Position of the final result of a reduction in the argument block. */
  #result(slot: number): number {
    return this.#bindings + slot;
  }

  /** Position of its results by part. */
  #partial(slot: number): number {
    return this.#bindings + this.#kernel.reductions.length + slot;
  }

  #loadResults(x: Expr): Expr {
    const { shape, inputs } = this.#kernel;
    const at = ravel(axesOf(shape), shape);
    return rewrite(x, { acc: (a) => load(inputs.length + a.slot, a.dtype, at) });
  }

  #slots(outputs: readonly number[]): Slots {
    const inputs = this.#kernel.inputs.map((_, i) => i);
    const results = this.#kernel.reductions.map((_, i) => this.#result(i));
    return { inputs: [...inputs, ...results], outputs };
  }

  /** Results of one stage: by part, then together. */
  stage(slots: readonly number[]): KernelPass[] {
    const { shape, reduce, reductions } = this.#kernel;
    const own = slots.map((slot) => reductions[slot]!);
    const outputs = own.map(({ dtype }, i): KernelOutput => ({
      dtype,
      value: acc(i, dtype),
      index: undefined,
    }));
    const partial: ReduceKernel = {
      kind: "reduce",
      shape,
      reduce,
      inputs: this.#inputs,
      reductions: own.map((r) => ({ ...r, body: this.#loadResults(r.body) })),
      outputs,
    };
    const { count } = this.#parts;
    const coordinates = [...axesOf(shape), axis(shape.length, count)];
    const at = ravel(coordinates, [...shape, count]);
    const together: ReduceKernel = {
      kind: "reduce",
      shape,
      reduce: [count],
      inputs: own.map(({ dtype }) => ({ dtype })),
      reductions: own.map((r, i) => ({ ...r, body: load(i, r.dtype, at) })),
      outputs,
    };
    const partials = slots.map((slot) => this.#partial(slot));
    return [
      lowerReducePass(partial, this.#slots(partials), this.#parts),
      lowerReducePass(together, {
        inputs: partials,
        outputs: slots.map((slot) => this.#result(slot)),
      }),
    ];
  }

  /** Outputs at every point, or once per result, as a map. */
  outputs(full: boolean): KernelPass[] {
    const { shape, reduce, outputs } = this.#kernel;
    const chosen = [...outputs.entries()].filter(([, o]) => (o.full === true) === full);
    if (chosen.length === 0) return [];
    const map: MapKernel = {
      kind: "map",
      shape: full ? [...shape, ...reduce] : shape,
      inputs: this.#inputs,
      outputs: chosen.map(([, o]) => ({ ...o, full: false, value: this.#loadResults(o.value) })),
    };
    const positions = plainSlots(this.#kernel).outputs;
    return [lowerMap(map, this.#slots(chosen.map(([i]) => positions[i]!)))];
  }
}

/** Lowers a reduce kernel in parts where that pays, else undefined. */
export function splitReduce(kernel: ReduceKernel): LoweredKernel | undefined {
  const outer = sizeOf(kernel.shape), length = sizeOf(kernel.reduce);
  if (outer * length < SMALLEST || length < 2 * PART / outer) return undefined;
  if (kernel.reductions.some((r) => isArg(r.op))) return undefined;
  const { units, turns } = reduceShape(kernel);
  if (units >= ENOUGH_UNITS || turns < 2) return undefined;
  const wanted = Math.min(MOST_PARTS, Math.floor(outer * length / PART), turns);
  const part = Math.ceil(turns / wanted);
  const parts = { count: Math.ceil(turns / part), length: part };
  const splitter = new Splitter(kernel, parts);
  const passes = [
    ...stagesOf(kernel.reductions).flatMap((stage) => splitter.stage(stage)),
    ...splitter.outputs(true),
    ...splitter.outputs(false),
  ];
  const bytes = kernel.reductions.map(({ dtype }) => (dtype === "float64" ? 8 : 4) * outer);
  return { passes, scratch: [...bytes, ...bytes.map((b) => b * parts.count)] };
}
