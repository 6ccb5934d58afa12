/** Two kernels as one: maps join their producer, reductions over the same rows join each other. */
import { axesOf, constant, type Expr, load, ravel, rewrite, select, unravel } from "./expr.ts";
import type { KernelNode, Value } from "./graph.ts";
import {
  type Kernel,
  type KernelOutput,
  mapExpressions,
  type MapKernel,
  type ReduceKernel,
  sizeOf,
} from "./kernel.ts";
import { fillCoordinates, invertIndex, outputIndex, outputShape, SameExpr } from "./fuse_kernel.ts";
import { renameResults } from "./fuse_results.ts";
import { loadsOf } from "./plan_cost.ts";

/** A kernel that does the work of two; `rows` says that it goes over its rows more than once. */
export interface Merged {
  readonly kernel: Kernel;
  readonly inputs: Value[];
  readonly outputs: Value[];
  readonly rows: boolean;
}

/** A consumer's point in terms of a producer's axes. */
interface Placement {
  readonly coordinates: readonly Expr[];
  readonly full: boolean;
}

/**
 * The producer with the map's outputs added to its own: each value that the map reads from the
 * producer is taken from the same point. `undefined` where the map's points do not correspond.
 */
export function absorbMap(producer: KernelNode, consumer: KernelNode): Merged | undefined {
  const map = consumer.kernel;
  if (map.kind !== "map") return undefined;
  const { kernel } = producer;
  if (kernel.kind === "scatter" || kernel.kind === "sort") return undefined;
  for (const placement of placementsOf(producer, consumer, map)) {
    const outputs = placeOutputs(producer, consumer, map, placement);
    if (!outputs) continue;
    return {
      kernel: {
        ...kernel,
        inputs: [...kernel.inputs, ...map.inputs],
        outputs: [...kernel.outputs, ...outputs],
      },
      inputs: [...producer.inputs, ...consumer.inputs],
      outputs: [...producer.outputs, ...consumer.outputs],
      rows: placement.full,
    };
  }
  return undefined;
}

/** Ways to find the map's point from the producer's, by the loads of the producer's outputs. */
function placementsOf(producer: KernelNode, consumer: KernelNode, map: MapKernel): Placement[] {
  const placements: Placement[] = [];
  const { kernel } = producer;
  const points = sizeOf(map.shape);
  // Without points there is no correspondence to find.
  if (points === 0) return placements;
  const roots = map.outputs.map((o) => o.value);
  for (const [slot, value] of consumer.inputs.entries()) {
    const from = producer.outputs.indexOf(value);
    if (from < 0) continue;
    const output = kernel.outputs[from]!;
    const flat = outputIndex(kernel, output);
    const size = sizeOf(outputShape(kernel, output));
    for (const { index, guard } of loadsOf(roots, slot)) {
      const inverse = guard ? undefined : invertIndex(index, map.shape, flat);
      if (inverse?.size !== size) continue;
      if (size === points) {
        const coordinates = inverse.coordinates as Expr[];
        placements.push({ coordinates, full: output.full === true });
      } else if (
        kernel.kind === "reduce" && !output.full && points === size * sizeOf(kernel.reduce)
      ) {
        const rest = ravel(axesOf(kernel.reduce, kernel.shape.length), kernel.reduce);
        const coordinates = fillCoordinates(inverse.coordinates, map.shape, rest);
        placements.push({ coordinates, full: true });
      }
    }
  }
  return placements;
}

/** The map's outputs in terms of the producer's axes and results, if every load has its place. */
function placeOutputs(
  producer: KernelNode,
  consumer: KernelNode,
  map: MapKernel,
  { coordinates, full }: Placement,
): KernelOutput[] | undefined {
  const { kernel } = producer;
  const reader = new OwnOutputs(producer, full, consumer.inputs);
  const memo = new Map<Expr, Expr>();
  const place = (x: Expr): Expr =>
    rewrite(x, {
      axis: (a) => coordinates[a.axis]!,
      load: (x, index, guard) =>
        reader.read(x.input, index, guard) ??
          load(x.input + kernel.inputs.length, x.dtype, index, guard),
    }, memo);
  const outputs = map.outputs.map((o): KernelOutput => ({
    dtype: o.dtype,
    value: place(o.value),
    index: o.index ? place(o.index) : ravel(coordinates, map.shape),
    full: full || undefined,
  }));
  return reader.failed ? undefined : outputs;
}

/** Replaces loads of a producer's outputs by the values that it has at the same point. */
class OwnOutputs {
  readonly #producer: KernelNode;
  readonly #full: boolean;
  readonly #inputs: readonly Value[];
  readonly #same = new SameExpr();
  /** Whether some load was of another point. */
  failed = false;

  constructor(producer: KernelNode, full: boolean, inputs: readonly Value[]) {
    this.#producer = producer;
    this.#full = full;
    this.#inputs = inputs;
  }

  /** The value for a load of input `slot`; `undefined` where that is no output of the producer. */
  read(slot: number, index: Expr, guard: Expr | undefined): Expr | undefined {
    const from = this.#producer.outputs.indexOf(this.#inputs[slot]!);
    if (from < 0) return undefined;
    const { kernel } = this.#producer;
    const output = kernel.outputs[from]!;
    const visible = this.#full || !output.full;
    if (!visible || !this.#same.equal(index, outputIndex(kernel, output))) this.failed = true;
    return guard ? select(guard, output.value, constant(0, output.dtype)) : output.value;
  }
}

/**
 * The first reduction with those of the second after it, over the same rows. The second may read
 * outputs of the first at the same point. `undefined` where the rows do not correspond.
 */
export function mergeReductions(first: KernelNode, second: KernelNode): Merged | undefined {
  const { kernel: one } = first, { kernel: two } = second;
  if (one.kind !== "reduce" || two.kind !== "reduce") return undefined;
  const coordinates = sameRows(one, two);
  if (!coordinates) return undefined;
  const count = one.reductions.length;
  const shifted = renameResults(two, two.reductions.map((_, i) => i + count));
  const full = new OwnOutputs(first, true, second.inputs);
  const outer = new OwnOutputs(first, false, second.inputs);
  const moved = (x: Expr, reader: OwnOutputs): Expr =>
    rewrite(x, {
      axis: (a) => coordinates[a.axis]!,
      load: (x, index, guard) =>
        reader.read(x.input, index, guard) ??
          load(x.input + one.inputs.length, x.dtype, index, guard),
    });
  const reductions = shifted.reductions.map((r) => ({ ...r, body: moved(r.body, full) }));
  const outputs = shifted.outputs.map((o): KernelOutput => {
    const reader = o.full ? full : outer;
    const index = moved(outputIndex(two, o), reader);
    return { ...o, value: moved(o.value, reader), index };
  });
  if (full.failed || outer.failed) return undefined;
  return {
    kernel: {
      ...one,
      inputs: [...one.inputs, ...two.inputs],
      reductions: [...one.reductions, ...reductions],
      outputs: [...one.outputs, ...outputs],
    },
    inputs: [...first.inputs, ...second.inputs],
    outputs: [...first.outputs, ...second.outputs],
    rows: second.inputs.some((v) => first.outputs.includes(v)) || outputs.some((o) => o.full),
  };
}

/** Coordinates of the second reduction's axes in terms of the first's. */
function sameRows(one: ReduceKernel, two: ReduceKernel): Expr[] | undefined {
  if (sizeOf(one.shape) !== sizeOf(two.shape)) return undefined;
  if (sizeOf(one.reduce) !== sizeOf(two.reduce)) return undefined;
  return [
    ...reframe(one.shape, 0, two.shape),
    ...reframe(one.reduce, one.shape.length, two.reduce),
  ];
}

/** Coordinates over `to` of the same row-major position as axes `start…` of sizes `from`. */
function reframe(from: readonly number[], start: number, to: readonly number[]): Expr[] {
  const axes = axesOf(from, start);
  const equal = from.length === to.length && from.every((size, d) => size === to[d]);
  return equal ? axes : unravel(ravel(axes, from), to);
}

/** Two maps over equally many points as one with the outputs of both. */
export function mergeMaps(first: KernelNode, second: KernelNode): Merged | undefined {
  const { kernel: one } = first, { kernel: two } = second;
  if (one.kind !== "map" || two.kind !== "map") return undefined;
  if (sizeOf(one.shape) !== sizeOf(two.shape)) return undefined;
  const coordinates = reframe(one.shape, 0, two.shape);
  const moved = mapExpressions(two, (x) =>
    rewrite(x, {
      axis: (a) => coordinates[a.axis]!,
      load: (x, index, guard) => load(x.input + one.inputs.length, x.dtype, index, guard),
    }));
  const outputs = moved.outputs.map((o): KernelOutput => ({
    ...o,
    index: o.index ?? ravel(coordinates, two.shape),
  }));
  return {
    kernel: {
      ...one,
      inputs: [...one.inputs, ...two.inputs],
      outputs: [...one.outputs, ...outputs],
    },
    inputs: [...first.inputs, ...second.inputs],
    outputs: [...first.outputs, ...second.outputs],
    rows: false,
  };
}

/** Names that a merged kernel's parts have in common: the same element of the same array. */
export function sharedElements(
  merged: Merged,
  firstInputs: number,
): number {
  const { kernel, inputs } = merged;
  const same = new SameExpr();
  const before = new Set<Expr>();
  const roots = mergedRoots(kernel);
  const unify = (x: Expr): Expr =>
    same.of(rewrite(x, {
      load: (y, index, guard) => load(inputs.indexOf(inputs[y.input]!), y.dtype, index, guard),
    }));
  for (const x of loadsOf(roots)) if (x.input < firstInputs) before.add(unify(x));
  let largest = 0;
  for (const x of loadsOf(roots)) {
    if (x.input < firstInputs || !before.has(unify(x))) continue;
    largest = Math.max(largest, sizeOf(inputs[x.input]!.shape));
  }
  return largest;
}

function mergedRoots(kernel: Kernel): Expr[] {
  const values = kernel.outputs.map((o) => o.value);
  return kernel.kind === "reduce" ? [...kernel.reductions.map((r) => r.body), ...values] : values;
}
