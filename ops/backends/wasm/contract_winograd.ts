/**
 * Convolutions of 3 × 3 with stride 1 by Winograd's method, where a `contract` kernel says it is one.
 *
 * @module
 */
import { axesOf, type Expr, load, ravel, rewrite } from "../../ir/expr.ts";
import {
  type ContractKernel,
  type ConvolutionGeometry,
  type MapKernel,
  sizeOf,
} from "../../ir/kernel.ts";
import {
  biasPlace,
  type Product,
  productOf,
  readsOutput,
  simpleEpilogue,
} from "./contract_shape.ts";
import type { SimpleEpilogue } from "./contract_shape.ts";
import { type KernelPass, type LoweredKernel, type OperandPlace, plainSlots } from "./emit_nest.ts";
import type { KernelPlan } from "./kernel_plan.ts";
import { lowerMap } from "./map.ts";
import {
  planWinogradForward,
  planWinogradInputGradient,
  planWinogradWeightGradient,
} from "./winograd.ts";
import { suitsWinograd } from "./tiles.ts";

/** Whether the arrays are as `winograd.ts` takes them, and its method is the fastest. */
function suits(g: ConvolutionGeometry): boolean {
  if (g.kernel.length !== 2) return false;
  const pair = (xs: readonly number[]) => xs as readonly [number, number];
  const whole = (stride: number, plane: readonly number[]) => stride % sizeOf(plane) === 0;
  return whole(g.xImage, g.input) && whole(g.dyImage, g.output) && suitsWinograd({
    role: g.role,
    kernel: pair(g.kernel),
    stride: pair(g.stride),
    pad: pair(g.padding),
    dilation: pair(g.dilation),
    groups: g.groups,
    cin: g.inChannels,
    cout: g.outChannels,
    output: pair(g.output),
  });
}

/** Operands of each role and the name of its result. */
const ROLES = {
  forward: { operands: ["x", "w"], result: "y" },
  input: { operands: ["dy", "w"], result: "dx" },
  weight: { operands: ["x", "dy"], result: "dw" },
} as const;

/** Index of the result where it lies row-major, if the axes are those of a convolution. */
function resultIndex(kernel: ContractKernel): Expr | undefined {
  const { batch, m, n, convolution } = kernel;
  if (batch.length !== 1 || m.length !== 1 || n.length !== 3) return undefined;
  const [c, i, j, k] = axesOf([...m, ...n], 1) as [Expr, Expr, Expr, Expr];
  const [channels, ...sizes] = [...m, ...n] as [number, number, number, number];
  return convolution!.role === "weight"
    ? ravel([c, i, j, k], [channels, ...sizes])
    : ravel([i, c, j, k], [sizes[0], channels, sizes[1], sizes[2]]);
}

/** Lowers a convolution by Winograd's method, or not. */
export function lowerConvolution(
  kernel: ContractKernel,
  threads: number,
): LoweredKernel | undefined {
  const g = kernel.convolution;
  if (g === undefined || kernel.dtype !== "float32" || !suits(g)) return undefined;
  const index = resultIndex(kernel);
  if (index === undefined) return undefined;
  const role = ROLES[g.role];
  const places: Record<string, OperandPlace> = { scratch: { scratch: 0 } };
  for (const name of role.operands) {
    const slot = g[name];
    if (slot === undefined) return undefined;
    places[name] = { slot, bytes: 4 * g[`${name}Offset`] };
  }
  const product = productOf(kernel);
  const simple = simpleEpilogue(product);
  const inPlace = kernel.outputs[0]!.dtype === "float32" && hasIndex(product, kernel, index) &&
    (simple !== undefined || !readsOutput(product));
  const whole = inPlace && simple !== undefined &&
    (g.role === "forward" ? simple.bias?.side !== "column" : !simple.bias && !simple.relu);
  const plan = planOf(g, threads, whole ? simple : undefined);
  places[role.result] = inPlace ? { slot: kernel.inputs.length } : { scratch: 1 };
  if (whole && simple.bias) places.bias = biasPlace(simple.bias.load);
  const scratch = [plan.scratchBytes];
  if (whole) return { passes: [{ plan, places }], scratch };
  if (!inPlace) scratch.push(4 * sizeOf([...kernel.m, ...kernel.n]));
  const last = kernel.inputs.length + (inPlace ? 0 : kernel.outputs.length + 1);
  return { passes: [{ plan, places }, lowerEpilogue(kernel, index, last)], scratch };
}

function hasIndex(product: Product, kernel: ContractKernel, index: Expr): boolean {
  const axes = product.builder;
  const shape = [...kernel.batch, ...kernel.m, ...kernel.n];
  const nodes = shape.map((size, i) => axes.axis(i, size));
  return axes.lift(index, nodes, new Map()) === product.outputs[1];
}

function planOf(
  g: ConvolutionGeometry,
  threads: number,
  simple: SimpleEpilogue | undefined,
): KernelPlan {
  const shape = {
    images: g.batch,
    cin: g.inChannels,
    cout: g.outChannels,
    height: g.input[0]!,
    width: g.input[1]!,
    pad: g.padding[0]!,
    threads,
    xPlanes: g.xImage / sizeOf(g.input) || undefined,
    dyPlanes: g.dyImage / sizeOf(g.output) || undefined,
  };
  if (g.role === "forward") {
    const bias = simple?.bias !== undefined;
    return planWinogradForward(shape, { bias, relu: simple?.relu ?? false });
  }
  return g.role === "input" ? planWinogradInputGradient(shape) : planWinogradWeightGradient(shape);
}

/** What follows, in a pass of its own over the result at position `at` of the argument block. */
function lowerEpilogue(kernel: ContractKernel, index: Expr, at: number): KernelPass {
  const inputs = kernel.inputs.length;
  const sum = load(inputs, "float32", index);
  const change = (x: Expr) => rewrite(x, { acc: () => sum });
  const map: MapKernel = {
    kind: "map",
    shape: [...kernel.batch, ...kernel.m, ...kernel.n],
    inputs: [...kernel.inputs, { dtype: "float32" }],
    outputs: kernel.outputs.map((o) => ({ ...o, value: change(o.value) })),
  };
  const { outputs } = plainSlots(kernel);
  return lowerMap(map, { inputs: [...kernel.inputs.map((_, i) => i), at], outputs });
}
