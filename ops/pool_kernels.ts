/** Kernels of pooling. */
import { DtypeError } from "./check.ts";
import { apply, applyAll, type Attribute, defineOp, type OpDefinition } from "./define.ts";
import { mul } from "./arithmetic.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { Kernel, KernelOutput, Reduction } from "./ir/kernel.ts";
import type { ValuesAndIndices } from "./extremum.ts";
import type { Tensor } from "./tensor.ts";
import {
  coveringWindow,
  type WindowAxis,
  windowPosition,
  windowSize,
  windowStart,
} from "./windows.ts";

interface PoolAttributes {
  readonly [name: string]: Attribute;
  readonly windows: readonly WindowAxis[];
}

/** Axes of one side of a pooling kernel: leading, spatial, then those that are reduced. */
interface PoolFrame {
  readonly shape: readonly number[];
  readonly reduce: readonly number[];
  readonly lead: Expr[];
  readonly places: Expr[];
  readonly offsets: Expr[];
}

function poolFrame(
  shape: readonly number[],
  windows: readonly WindowAxis[],
  spatial: (w: WindowAxis) => number,
  reduced: (w: WindowAxis) => number,
): PoolFrame {
  const lead = shape.slice(0, shape.length - windows.length);
  const outer = [...lead, ...windows.map(spatial)];
  const reduce = windows.map(reduced);
  const axes = e.axesOf(outer);
  return {
    shape: outer,
    reduce,
    lead: axes.slice(0, lead.length),
    places: axes.slice(lead.length),
    offsets: e.axesOf(reduce, outer.length),
  };
}

function forwardFrame(shape: readonly number[], windows: readonly WindowAxis[]): PoolFrame {
  return poolFrame(shape, windows, (w) => w.output, (w) => w.kernel);
}

function backwardFrame(shape: readonly number[], windows: readonly WindowAxis[]): PoolFrame {
  return poolFrame(shape, windows, (w) => w.input, (w) => w.covers);
}

/** Positions in the input under a window's elements. */
function elements(
  windows: readonly WindowAxis[],
  places: readonly Expr[],
  offsets: readonly Expr[],
): { at: Expr[]; guard: Expr | undefined } {
  const found = windows.map((w, d) => windowPosition(w, places[d]!, offsets[d]!));
  return { at: found.map((f) => f.at), guard: allOf(found) };
}

/** Windows that cover positions of the input. */
function coverings(
  windows: readonly WindowAxis[],
  places: readonly Expr[],
  offsets: readonly Expr[],
): { at: Expr[]; guard: Expr | undefined } {
  const found = windows.map((w, d) => coveringWindow(w, places[d]!, offsets[d]!));
  return { at: found.map((f) => f.at), guard: allOf(found) };
}

function allOf(found: readonly { readonly guard: Expr | undefined }[]): Expr | undefined {
  return found.reduce<Expr | undefined>((all, f) => e.and(all, f.guard), undefined);
}

/** A sum over the frame's reduced axes; without any, a plain map. */
function sumKernel(
  frame: PoolFrame,
  inputs: readonly { readonly dtype: DType }[],
  body: Expr,
  finish: (total: Expr) => Expr,
): Kernel {
  const { dtype } = body;
  if (frame.reduce.every((size) => size === 1)) {
    const outputs = [{ dtype, value: finish(body), index: undefined }];
    return { kind: "map", shape: frame.shape, inputs, outputs };
  }
  const outputs = [{ dtype, value: finish(e.acc(0, dtype)), index: undefined }];
  const reductions = [{ op: "sum" as const, body, dtype }];
  return { kind: "reduce", shape: frame.shape, reduce: frame.reduce, inputs, reductions, outputs };
}

function lowest(dtype: DType): Expr {
  if (isFloat(dtype)) return e.constant(-Infinity, dtype);
  return e.constant(dtype === "int32" ? -2147483648 : 0, dtype);
}

/** Where a window's best element lies: by its number in the window, moved into the input if it is padding. */
function bestPosition(
  windows: readonly WindowAxis[],
  places: readonly Expr[],
  best: Expr,
): Expr {
  const offsets = e.unravel(best, windows.map((w) => w.kernel));
  const at = windows.map((w, d) => {
    const place = e.add(windowStart(w, places[d]!), e.mul(offsets[d]!, e.int(w.dilation)));
    if (w.padding === 0) return place;
    // A window of −∞ throughout has its best element first, in the padding.
    const before = e.call("max", [e.int(0), e.call("neg", [windowStart(w, places[d]!)])]);
    const skip = e.idiv(e.add(before, e.int(w.dilation - 1)), w.dilation);
    const first = e.add(windowStart(w, places[d]!), e.mul(skip, e.int(w.dilation)));
    return e.call("max", [place, first]);
  });
  return e.ravel(at, windows.map((w) => w.input));
}

const MAX_POOL = defineOp<PoolAttributes>({
  name: "maxPool",
  lower([x], { windows }) {
    const frame = forwardFrame(x!.shape, windows);
    const { dtype } = x!;
    const { at, guard } = elements(windows, frame.places, frame.offsets);
    const loaded = x!.at([...frame.lead, ...at], guard);
    const body = guard ? e.select(guard, loaded, lowest(dtype)) : loaded;
    const reductions: Reduction[] = [
      { op: "max", body, dtype },
      { op: "argmax", body, dtype: "int32" },
    ];
    const outputs: KernelOutput[] = [
      { dtype, value: e.acc(0, dtype), index: undefined },
      {
        dtype: "int32",
        value: bestPosition(windows, frame.places, e.acc(1, "int32")),
        index: undefined,
      },
    ];
    const { shape, reduce } = frame;
    return {
      kernel: { kind: "reduce", shape, reduce, inputs: [{ dtype }], reductions, outputs },
      shapes: [shape, shape],
    };
  },
  saves: "output",
  gradient: (c) => [apply(UNPOOL, [c.grad(), c.output(1)], c.attributes)],
});

/** Values put back to the positions that windows took them from; several windows add up. */
const UNPOOL: OpDefinition<PoolAttributes> = defineOp<PoolAttributes>({
  name: "unpool",
  lower([values, positions], { windows }) {
    const frame = backwardFrame(values!.shape, windows);
    const { dtype } = values!;
    const { at, guard } = coverings(windows, frame.places, frame.offsets);
    const here = e.ravel(frame.places, windows.map((w) => w.input));
    const picked = e.eq(positions!.at([...frame.lead, ...at], guard), here);
    const value = values!.at([...frame.lead, ...at], guard);
    const body = e.select(e.and(guard, picked)!, value, e.constant(0, dtype));
    const inputs = [{ dtype }, { dtype: positions!.dtype }];
    return { kernel: sumKernel(frame, inputs, body, (x) => x), shapes: [frame.shape] };
  },
  gradient: (c) => [apply(PICK, [c.grad(), c.input(1)], c.attributes), undefined],
});

/** Values at positions given flat over the spatial axes. */
const PICK: OpDefinition<PoolAttributes> = defineOp<PoolAttributes>({
  name: "pick",
  lower([x, positions], { windows }) {
    const { shape } = positions!;
    const axes = e.axesOf(shape);
    const flat = positions!.at(axes);
    const lead = axes.slice(0, shape.length - windows.length);
    const value = x!.at([...lead, ...e.unravel(flat, windows.map((w) => w.input))]);
    const inputs = [{ dtype: x!.dtype }, { dtype: positions!.dtype }];
    const outputs = [{ dtype: x!.dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  gradient: (c) => [apply(UNPOOL, [c.grad(), c.input(1)], c.attributes), undefined],
});

interface MeanAttributes extends PoolAttributes {
  readonly withPadding: boolean;
  /** What sums are divided by; `null` is the size of the window. */
  readonly divisor: number | null;
}

function overDivisor(x: Expr, places: readonly Expr[], attributes: MeanAttributes): Expr {
  const { windows, withPadding, divisor } = attributes;
  if (divisor !== null) return e.mul(x, e.constant(1 / divisor, x.dtype));
  const size = windows.reduce<Expr>(
    (n, w, d) => e.mul(n, windowSize(w, places[d]!, withPadding)),
    e.int(1),
  );
  if (e.isConst(size)) return e.mul(x, e.constant(1 / size.value, x.dtype));
  return e.div(x, e.cast(size, x.dtype));
}

const MEAN_POOL = defineOp<MeanAttributes>({
  name: "avgPool",
  lower([x], attributes) {
    const { windows } = attributes;
    const frame = forwardFrame(x!.shape, windows);
    const { at, guard } = elements(windows, frame.places, frame.offsets);
    const body = x!.at([...frame.lead, ...at], guard);
    const finish = (total: Expr) => overDivisor(total, frame.places, attributes);
    return {
      kernel: sumKernel(frame, [{ dtype: x!.dtype }], body, finish),
      shapes: [frame.shape],
    };
  },
  saves: "none",
  gradient: (c) => [apply(MEAN_UNPOOL, [c.grad()], c.attributes)],
});

/** Each window's value spread evenly over its elements. */
const MEAN_UNPOOL: OpDefinition<MeanAttributes> = defineOp<MeanAttributes>({
  name: "avgUnpool",
  lower([grad], attributes) {
    const { windows } = attributes;
    const frame = backwardFrame(grad!.shape, windows);
    const { at, guard } = coverings(windows, frame.places, frame.offsets);
    const value = grad!.at([...frame.lead, ...at], guard);
    const share = overDivisor(value, at, attributes);
    const body = guard ? e.select(guard, share, e.constant(0, share.dtype)) : share;
    return {
      kernel: sumKernel(frame, [{ dtype: grad!.dtype }], body, (x) => x),
      shapes: [frame.shape],
    };
  },
  saves: "none",
  gradient: (c) => [apply(MEAN_POOL, [c.grad()], c.attributes)],
});

/** Largest elements of windows and where they come from. */
export function maxOver(x: Tensor, windows: readonly WindowAxis[]): ValuesAndIndices {
  const [values, indices] = applyAll(MAX_POOL, [x], { windows });
  return { values: values!, indices: indices! };
}

/** Mean elements of windows. */
export function meanOver(
  op: string,
  x: Tensor,
  windows: readonly WindowAxis[],
  withPadding: boolean,
  divisor: number | null,
): Tensor {
  if (!isFloat(x.dtype)) throw new DtypeError(op, `dtype ${x.dtype} has no mean`);
  // A pooling of single elements is the input (AdaptiveAvgPool to the size that is there).
  const trivial = windows.every((w) => w.kernel === 1 && w.output === w.input && w.padding === 0);
  if (trivial) return divisor === null ? x : mul(x, 1 / divisor);
  return apply(MEAN_POOL, [x], { windows, withPadding, divisor });
}
