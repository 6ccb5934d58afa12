/** Rewrites of kernels that fusion is made of: substituting loads, changing the frame. */
import {
  and,
  axesOf,
  type AxisExpr,
  constant,
  type Expr,
  idiv,
  imod,
  int,
  load,
  type LoadExpr,
  ravel,
  rewrite,
  select,
  unravel,
} from "./expr.ts";
import {
  type ContractKernel,
  type ConvolutionGeometry,
  iterationShape,
  type Kernel,
  type KernelOutput,
  mapExpressions,
  type MapKernel,
  sizeOf,
} from "./kernel.ts";
import { Simplifier } from "./simplify.ts";
import { type Linear, linearOf } from "./simplify_linear.ts";

/** The same kernel with input `i` called `slots[i]`, and a list of inputs to match. */
export function renumberInputs(kernel: Kernel, slots: readonly number[]): Kernel {
  const same = slots.length === kernel.inputs.length && slots.every((next, slot) => next === slot);
  if (kernel.kind === "sort" || same) return kernel;
  const inputs: { dtype: Kernel["inputs"][number]["dtype"] }[] = [];
  for (const [slot, next] of slots.entries()) if (next >= 0) inputs[next] = kernel.inputs[slot]!;
  const memo = new Map<Expr, Expr>();
  const rename = (x: LoadExpr, index: Expr, guard: Expr | undefined): Expr =>
    load(slots[x.input]!, x.dtype, index, guard);
  const result = mapExpressions(kernel, (x) => rewrite(x, { load: rename }, memo));
  if (result.kind !== "contract" || !result.convolution) return { ...result, inputs };
  return { ...result, inputs, convolution: renameSlots(result.convolution, slots) };
}

function renameSlots(g: ConvolutionGeometry, slots: readonly number[]): ConvolutionGeometry {
  const rename = (slot: number | undefined): number | undefined =>
    slot === undefined || slots[slot]! < 0 ? undefined : slots[slot];
  return { ...g, x: rename(g.x), w: rename(g.w), dy: rename(g.dy) };
}

/** The axes at which an output is written: all for `full` ones, else those that are not reduced. */
export function outputShape(kernel: Kernel, output: KernelOutput): readonly number[] {
  switch (kernel.kind) {
    case "reduce":
      return output.full ? iterationShape(kernel) : kernel.shape;
    case "contract":
      return [...kernel.batch, ...kernel.m, ...kernel.n];
    case "scatter":
      return [kernel.size];
    default:
      return iterationShape(kernel);
  }
}

/** Where an output is written, as an expression. */
export function outputIndex(kernel: Kernel, output: KernelOutput): Expr {
  if (output.index) return output.index;
  const shape = outputShape(kernel, output);
  return ravel(axesOf(shape), shape);
}

/** A map kernel's output with its loads named for another kernel, at given coordinates. */
export function valueAt(
  output: KernelOutput,
  coordinates: readonly Expr[],
  guard: Expr | undefined,
  firstInput: number,
): Expr {
  const value = rewrite(output.value, {
    axis: (x: AxisExpr) => coordinates[x.axis]!,
    load: (x, index, own) => load(x.input + firstInput, x.dtype, index, and(guard, own)),
  });
  if (guard === undefined || value.kind === "load") return value;
  return select(guard, value, constant(0, output.dtype));
}

/** Replaces every load of input `slot` by the producer's value there; the producer's inputs follow. */
export function inlineInput(
  kernel: Kernel,
  slot: number,
  producer: MapKernel,
  output: KernelOutput,
): Kernel {
  const first = kernel.inputs.length;
  const memo = new Map<Expr, Expr>();
  const replace = (x: LoadExpr, index: Expr, guard: Expr | undefined): Expr =>
    x.input === slot
      ? valueAt(output, unravel(index, producer.shape), guard, first)
      : load(x.input, x.dtype, index, guard);
  const result = mapExpressions(kernel, (x) => rewrite(x, { load: replace }, memo));
  return { ...result, inputs: [...kernel.inputs, ...producer.inputs] };
}

/**
 * Inverse of an index that walks some axes like a permuted row-major array: coordinates of those axes
 * for a flat position, in terms of `flat`. `undefined` where the index is not of that form, or where
 * there are no positions. `size` is their number.
 */
export function invertIndex(
  index: Expr,
  shape: readonly number[],
  flat: Expr,
): { coordinates: (Expr | undefined)[]; size: number } | undefined {
  const linear: Linear = linearOf(index);
  if (linear.constant !== 0 || shape.includes(0)) return undefined;
  const coordinates: (Expr | undefined)[] = shape.map((size) => size === 1 ? int(0) : undefined);
  const terms = [...linear.terms].sort((a, b) => a.coefficient - b.coefficient);
  let stride = 1;
  for (const { atom, coefficient } of terms) {
    if (atom.kind !== "axis" || coefficient !== stride || coordinates[atom.axis]) return undefined;
    coordinates[atom.axis] = imod(idiv(flat, stride), atom.size);
    stride *= atom.size;
  }
  // The topmost coordinate needs no remainder.
  const top = terms.at(-1)?.atom;
  if (top?.kind === "axis") coordinates[top.axis] = idiv(flat, stride / top.size);
  return { coordinates, size: stride };
}

/** Coordinates for axes that an inverse left open, taken row-major from `rest`. */
export function fillCoordinates(
  coordinates: readonly (Expr | undefined)[],
  shape: readonly number[],
  rest: Expr,
): Expr[] {
  const open = shape.flatMap((size, d) => coordinates[d] === undefined ? [size] : []);
  const filled = unravel(rest, open);
  return coordinates.map((x) => x ?? filled.shift()!);
}

/** Expressions compared after simplification. */
export class SameExpr {
  readonly #simplifier = new Simplifier();

  /** Simplified and interned: equal expressions are one object. */
  of(x: Expr): Expr {
    return this.#simplifier.simplify(x);
  }

  /** Whether two expressions are equal. */
  equal(a: Expr, b: Expr): boolean {
    return this.of(a) === this.of(b);
  }
}

/** Drops output indices that say no more than row-major order. */
export function normalizeOutputs(kernel: Kernel): Kernel {
  if (kernel.kind !== "map" && kernel.kind !== "reduce" && kernel.kind !== "scan") return kernel;
  if (kernel.outputs.every((o) => o.index === undefined)) return kernel;
  const same = new SameExpr();
  const outputs = kernel.outputs.map((o) => {
    const plain = o.index && same.equal(o.index, outputIndex(kernel, { ...o, index: undefined }));
    return plain ? { ...o, index: undefined } : o;
  });
  return { ...kernel, outputs } as Kernel;
}

/** Whether the kernel is a contraction that a backend can run as a convolution on plain arrays. */
export function isConvolution(kernel: Kernel): kernel is ContractKernel & {
  convolution: ConvolutionGeometry;
} {
  return kernel.kind === "contract" && kernel.convolution !== undefined;
}

/** Roles of a convolution's arrays. */
export const CONVOLUTION_ARRAYS = ["x", "w", "dy"] as const;

/** Iteration points of a map or reduction, flattened. */
export function flatSize(kernel: Kernel): number {
  return sizeOf(iterationShape(kernel));
}
