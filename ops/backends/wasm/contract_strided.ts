/**
 * Gradients of the input of convolutions with steps, as several products.
 *
 * With step s, result i gets something only from taps k with i + pad − k·dilation divisible by s.
 * Results with the same remainder share their taps: s products (per axis) over disjoint taps and
 * results take 1/s of the multiplications of one product over all taps, most of them by zeros.
 *
 * @module
 */
import { add, axis, type Expr, int, mul, rewrite } from "../../ir/expr.ts";
import type { ContractKernel, ConvolutionGeometry } from "../../ir/kernel.ts";
import { simplifyKernel } from "../../ir/simplify.ts";

/** Numbers `first + step · i` for `i` below `count`. */
interface Progression {
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

/** Results and taps of one axis that belong together. */
export interface StepClass {
  readonly results: Progression;
  readonly taps: Progression;
}

function classesOf(g: ConvolutionGeometry, d: number): StepClass[] {
  const step = g.stride[d]!, size = g.input[d]!;
  const classes: StepClass[] = [];
  for (let first = 0; first < Math.min(step, size); first++) {
    const taps: number[] = [];
    for (let k = 0; k < g.kernel[d]!; k++) {
      if ((first + g.padding[d]! - k * g.dilation[d]!) % step === 0) taps.push(k);
    }
    classes.push({
      results: { first, step, count: Math.ceil((size - first) / step) },
      taps: { first: taps[0] ?? 0, step: (taps[1] ?? 1) - (taps[0] ?? 0), count: taps.length },
    });
  }
  return classes;
}

/** All choices of one element from each list. */
function choices<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((c) => list.map((x) => [...c, x])), [[]]);
}

/** One of the products. */
export interface Part {
  readonly kernel: ContractKernel;
  /** Which results and taps it is over, per axis. */
  readonly classes: readonly StepClass[];
}

/**
 * Takes such a kernel apart.
 *
 * @param kernel Any contraction.
 * @returns Kernels that together write what it writes; none where it should stay as it is.
 */
export function splitSteps(kernel: ContractKernel): Part[] {
  const g = kernel.convolution;
  if (g?.role !== "input" || g.stride.every((s) => s === 1)) return [];
  const same = (sizes: readonly number[], ...expected: number[]) =>
    sizes.length === expected.length && sizes.every((s, d) => s === expected[d]);
  if (!same(kernel.n, g.batch, ...g.input)) return [];
  if (!same(kernel.k, g.outChannels / g.groups, ...g.kernel)) return [];
  return choices(g.input.map((_, d) => classesOf(g, d))).map((classes) => ({
    kernel: part(kernel, classes),
    classes,
  }));
}

/** The kernel over one class of each axis. */
function part(kernel: ContractKernel, classes: readonly StepClass[]): ContractKernel {
  const results = kernel.batch.length + kernel.m.length + 1;
  const taps = kernel.batch.length + kernel.m.length + kernel.n.length + 1;
  const moved = new Map<number, Expr>();
  const place = (at: number, { first, step, count }: Progression) =>
    moved.set(at, add(mul(axis(at, count), int(step)), int(first)));
  for (const [d, c] of classes.entries()) {
    place(results + d, c.results);
    place(taps + d, c.taps);
  }
  const change = (x: Expr) => rewrite(x, { axis: (a) => moved.get(a.axis) ?? a });
  return simplifyKernel({
    ...kernel,
    n: [kernel.n[0]!, ...classes.map((c) => c.results.count)],
    k: [kernel.k[0]!, ...classes.map((c) => c.taps.count)],
    a: change(kernel.a),
    b: change(kernel.b),
    outputs: kernel.outputs.map((o) => ({
      ...o,
      value: change(o.value),
      index: change(o.index!),
    })),
    convolution: undefined,
  }) as ContractKernel;
}
