/** A convolution as one contraction with three roles. */
import { apply, type Attribute, defineOp, type OpDefinition, type Operand } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import {
  type ContractKernel,
  type ConvolutionGeometry,
  type ConvolutionSizes,
  sizeOf,
} from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";

/** Sizes that all three roles share. */
interface Geometry extends ConvolutionSizes {
  readonly [name: string]: Attribute;
}

type Role = ConvolutionGeometry["role"];

/** Axes with running numbers, handed out list by list. */
class AxisCounter {
  #next = 0;
  take(...sizes: number[]): Expr[] {
    return sizes.map((size) => e.axis(this.#next++, size));
  }
}

/** Where output position and kernel offset meet the input, and whether that is inside. */
function inputPosition(
  g: Geometry,
  output: readonly Expr[],
  offset: readonly Expr[],
): { at: Expr[]; guard: Expr | undefined } {
  let guard: Expr | undefined;
  const at = output.map((o, d) => {
    const reach = e.add(e.mul(o, e.int(g.stride[d]!)), e.mul(offset[d]!, e.int(g.dilation[d]!)));
    const position = e.sub(reach, e.int(g.padding[d]!));
    const last = (g.output[d]! - 1) * g.stride[d]! + (g.kernel[d]! - 1) * g.dilation[d]! -
      g.padding[d]!;
    if (g.padding[d]! > 0) guard = e.and(guard, e.le(e.int(0), position));
    if (last >= g.input[d]!) guard = e.and(guard, e.lt(position, e.int(g.input[d]!)));
    return position;
  });
  return { at, guard };
}

/** Which output position an input position and kernel offset belong to, if any. */
function outputPosition(
  g: Geometry,
  input: readonly Expr[],
  offset: readonly Expr[],
): { at: Expr[]; guard: Expr | undefined } {
  let guard: Expr | undefined;
  const at = input.map((i, d) => {
    const shifted = e.sub(e.add(i, e.int(g.padding[d]!)), e.mul(offset[d]!, e.int(g.dilation[d]!)));
    const stride = g.stride[d]!;
    guard = e.and(guard, e.le(e.int(0), shifted));
    if (stride > 1) guard = e.and(guard, e.eq(e.imod(shifted, stride), e.int(0)));
    const position = e.idiv(shifted, stride);
    guard = e.and(guard, e.lt(shifted, e.int(g.output[d]! * stride)));
    return position;
  });
  return { at, guard };
}

const PLACES = [
  "x",
  "w",
  "dy",
  "xOffset",
  "wOffset",
  "dyOffset",
  "xImage",
  "dyImage",
] as const;

/** Whether each image lies without gaps, whatever is between them. */
function hasPlainImages({ shape, strides }: Operand): boolean {
  let step = 1;
  for (let d = shape.length - 1; d > 0; d--) {
    if (shape[d] !== 1 && strides[d] !== step) return false;
    step *= shape[d]!;
  }
  return strides[0]! >= step;
}

function slotsOf(
  role: Role,
  operands: readonly Operand[],
): Pick<ConvolutionGeometry, (typeof PLACES)[number]> {
  const names = { forward: ["x", "w"], input: ["dy", "w"], weight: ["x", "dy"] }[role];
  const found = Object.fromEntries(operands.map((operand, i) => [names[i]!, operand]));
  const image = (name: string) => {
    const { shape = [], strides = [] } = found[name] ?? {};
    return shape[0] === 1 ? sizeOf(shape) : strides[0] ?? 0;
  };
  const slot = (name: string) => {
    const operand = found[name];
    if (operand === undefined) return undefined;
    const plain = operand.contiguous || (name !== "w" && hasPlainImages(operand));
    return plain ? operand.slot : undefined;
  };
  const offset = (name: string) => found[name]?.base ?? 0;
  return {
    x: slot("x"),
    w: slot("w"),
    dy: slot("dy"),
    xOffset: offset("x"),
    wOffset: offset("w"),
    dyOffset: offset("dy"),
    xImage: image("x"),
    dyImage: image("dy"),
  };
}

interface RoleParts extends Pick<ContractKernel, "batch" | "m" | "n" | "k" | "a" | "b"> {
  readonly coordinates: readonly Expr[];
  readonly shape: readonly number[];
}

/** y[n, co, o] = Σ_{ci, k} w[co, ci, k] · x[n, ci, o·stride + k·dilation − padding] */
function forwardParts([x, w]: readonly Operand[], g: Geometry): RoleParts {
  const cin = g.inChannels / g.groups, cout = g.outChannels / g.groups;
  const axes = new AxisCounter();
  const [group] = axes.take(g.groups), [co] = axes.take(cout);
  const [n, ...o] = axes.take(g.batch, ...g.output);
  const [ci, ...k] = axes.take(cin, ...g.kernel);
  const { at, guard } = inputPosition(g, o, k);
  const channel = e.add(e.mul(group!, e.int(cin)), ci!);
  const filter = e.add(e.mul(group!, e.int(cout)), co!);
  return {
    batch: [g.groups],
    m: [cout],
    n: [g.batch, ...g.output],
    k: [cin, ...g.kernel],
    a: w!.at([filter, ci!, ...k]),
    b: x!.at([n!, channel, ...at], guard),
    coordinates: [n!, filter, ...o],
    shape: [g.batch, g.outChannels, ...g.output],
  };
}

/** dx[n, ci, i] = Σ_{co, k} w[co, ci, k] · dy[n, co, (i + padding − k·dilation) / stride] */
function inputParts([dy, w]: readonly Operand[], g: Geometry): RoleParts {
  const cin = g.inChannels / g.groups, cout = g.outChannels / g.groups;
  const axes = new AxisCounter();
  const [group] = axes.take(g.groups), [ci] = axes.take(cin);
  const [n, ...i] = axes.take(g.batch, ...g.input);
  const [co, ...k] = axes.take(cout, ...g.kernel);
  const { at, guard } = outputPosition(g, i, k);
  const channel = e.add(e.mul(group!, e.int(cin)), ci!);
  const filter = e.add(e.mul(group!, e.int(cout)), co!);
  return {
    batch: [g.groups],
    m: [cin],
    n: [g.batch, ...g.input],
    k: [cout, ...g.kernel],
    a: w!.at([filter, ci!, ...k]),
    b: dy!.at([n!, filter, ...at], guard),
    coordinates: [n!, channel, ...i],
    shape: [g.batch, g.inChannels, ...g.input],
  };
}

/** dw[co, ci, k] = Σ_{n, o} dy[n, co, o] · x[n, ci, o·stride + k·dilation − padding] */
function weightParts([x, dy]: readonly Operand[], g: Geometry): RoleParts {
  const cin = g.inChannels / g.groups, cout = g.outChannels / g.groups;
  const axes = new AxisCounter();
  const [group] = axes.take(g.groups), [co] = axes.take(cout);
  const [ci, ...k] = axes.take(cin, ...g.kernel);
  const [n, ...o] = axes.take(g.batch, ...g.output);
  const { at, guard } = inputPosition(g, o, k);
  const channel = e.add(e.mul(group!, e.int(cin)), ci!);
  const filter = e.add(e.mul(group!, e.int(cout)), co!);
  return {
    batch: [g.groups],
    m: [cout],
    n: [cin, ...g.kernel],
    k: [g.batch, ...g.output],
    a: dy!.at([n!, filter, ...o]),
    b: x!.at([n!, channel, ...at], guard),
    coordinates: [filter, ci!, ...k],
    shape: [g.outChannels, cin, ...g.kernel],
  };
}

const PARTS = { forward: forwardParts, input: inputParts, weight: weightParts };

interface ConvolutionAttributes {
  readonly [name: string]: Attribute;
  readonly role: Role;
  readonly geometry: Geometry;
}

/** The convolution itself, its gradient by the input, and that by the weight. */
export const CONVOLUTION: OpDefinition<ConvolutionAttributes> = defineOp<ConvolutionAttributes>({
  name: "convolution",
  lower(operands, { role, geometry }) {
    const { coordinates, shape, ...parts } = PARTS[role](operands, geometry);
    const { dtype } = operands[0]!;
    const kernel: ContractKernel = {
      kind: "contract",
      ...parts,
      inputs: [{ dtype }, { dtype }],
      dtype,
      outputs: [{ dtype, value: e.acc(0, dtype), index: e.ravel(coordinates, shape) }],
      convolution: { role, ...geometry, ...slotsOf(role, operands) },
    };
    return { kernel, shapes: [shape] };
  },
  gradient: (c) => {
    const { role, geometry } = c.attributes;
    const run = (next: Role, p: Tensor, q: Tensor) =>
      apply(CONVOLUTION, [p, q], { role: next, geometry });
    const needs = (i: number, make: () => Tensor) => c.needs(i) ? make() : undefined;
    // Each role is linear in both operands; its gradients are the other two roles.
    if (role === "forward") {
      return [
        needs(0, () => run("input", c.grad(), c.input(1))),
        needs(1, () => run("weight", c.input(0), c.grad())),
      ];
    }
    if (role === "input") {
      return [
        needs(0, () => run("forward", c.grad(), c.input(1))),
        needs(1, () => run("weight", c.grad(), c.input(0))),
      ];
    }
    return [
      needs(0, () => run("input", c.input(1), c.grad())),
      needs(1, () => run("forward", c.input(0), c.grad())),
    ];
  },
});
