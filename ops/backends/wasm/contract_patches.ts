/**
 * Which operand of a `contract` kernel is patches of images, as `patches.ts` packs them.
 *
 * @module
 */
import { type ContractKernel, type ConvolutionGeometry, sizeOf } from "../../ir/kernel.ts";
import type { Product } from "./contract_shape.ts";
import type { StepClass } from "./contract_strided.ts";
import type { OperandPlace } from "./emit_nest.ts";
import type { PatchShape } from "./patches.ts";

/** The right operand as patches. */
export interface PatchedOperand {
  readonly shape: PatchShape;
  /** Where the array is. */
  readonly place: OperandPlace;
  /** Whether patches are rows of the operand, as in the gradient of the weights. */
  readonly turned: boolean;
}

const PAIR = [0, 1] as const;

function tapsOf(
  g: ConvolutionGeometry,
  d: number,
  c: StepClass | undefined,
): number[] {
  const [pad, dilation, stride] = [g.padding[d]!, g.dilation[d]!, g.stride[d]!];
  if (g.role !== "input") {
    return Array.from({ length: g.kernel[d]! }, (_, k) => k * dilation - pad);
  }
  const { first, step, count } = c?.taps ?? { first: 0, step: 1, count: g.kernel[d]! };
  const start = c?.results.first ?? 0;
  return Array.from(
    { length: count },
    (_, t) => (start + pad - (first + step * t) * dilation) / stride,
  );
}

/**
 * The right operand of a convolution over two axes, in one group, whose array lies as it should.
 *
 * @param g The convolution.
 * @param classes For a gradient of the input with steps: which results and taps the kernel is over.
 * @returns What it reads, or undefined.
 */
export function patchesOf(
  g: ConvolutionGeometry,
  classes?: readonly StepClass[],
): PatchedOperand | undefined {
  if (g.kernel.length !== 2 || g.groups !== 1) return undefined;
  const name = g.role === "input" ? "dy" : "x";
  const input = (g.role === "input" ? g.output : g.input) as readonly [number, number];
  const slot = g[name], imagePlanes = g[`${name}Image`] / sizeOf(input);
  if (slot === undefined || !Number.isInteger(imagePlanes)) return undefined;
  const pair = <T>(make: (d: number) => T) => PAIR.map(make) as [T, T];
  const taps = pair((d) => tapsOf(g, d, classes?.[d]));
  if (taps.some((t) => t.length === 0)) return undefined;
  const results = g.role === "input" ? g.input : g.output;
  return {
    shape: {
      images: g.batch,
      channels: g.role === "input" ? g.outChannels : g.inChannels,
      imagePlanes,
      input,
      output: pair((d) => classes?.[d]?.results.count ?? results[d]!),
      step: g.role === "input" ? [1, 1] : pair((d) => g.stride[d]!),
      taps,
    },
    place: { slot, bytes: 4 * g[`${name}Offset`] },
    turned: g.role === "weight",
  };
}

/** Whether rows, columns and sums of a product are those that the patches are packed for. */
export function fitsPatches(
  { shape: { images, channels, output, taps }, turned }: PatchedOperand,
  kernel: ContractKernel,
  product: Product,
): boolean {
  const same = (sizes: readonly number[], expected: readonly number[]) =>
    sizes.length === expected.length && sizes.every((s, i) => s === expected[i]);
  const results = [images, ...output], window = [channels, ...taps.map((t) => t.length)];
  const [columns, sums] = turned ? [window, results] : [results, window];
  return same(kernel.n, columns) && same(kernel.k, sums) &&
    product.m === sizeOf(kernel.m) && product.k === sizeOf(sums) &&
    product.n * product.batches === sizeOf(columns) && (!turned || product.batches === 1);
}
