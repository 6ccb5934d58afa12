/** Windows over spatial axes: where they lie, and which of them cover a position. */
import { rangeError, ShapeError } from "./check.ts";
import { perAxis } from "./spatial.ts";
import type { Sizes } from "./convolution.ts";
import type { Attribute } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";

/** Windows along one axis. */
export interface WindowAxis {
  readonly [name: string]: Attribute;
  /** Size of the input. */
  readonly input: number;
  /** Number of windows. */
  readonly output: number;
  /** Largest size of a window. */
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  /** Windows divide the input evenly instead of having one size. */
  readonly adaptive: boolean;
  /** Most windows that can cover one position. */
  readonly covers: number;
}

/** Options of windows of a fixed size. */
export interface WindowOptions {
  /** Step between windows. @default the window */
  stride?: Sizes | undefined | null;
  /** Positions added on both sides. @default 0 */
  padding?: Sizes | undefined;
  /** Distance between the elements of a window. @default 1 */
  dilation?: Sizes | undefined;
  /** Keep a last window that hangs over the end. @default false */
  ceilMode?: boolean | undefined;
}

/** Steps between windows: by default as long as the window. */
export function stepsOf(
  op: string,
  stride: WindowOptions["stride"],
  kernel: readonly number[],
): readonly number[] {
  const missing = stride === undefined || stride === null ||
    (typeof stride === "object" && !stride.length);
  return missing ? kernel : perAxis(op, "stride", stride, kernel.length, 1);
}

/** Windows of a fixed size over the last `rank` axes of `shape`. */
export function fixedWindows(
  op: string,
  shape: readonly number[],
  kernelSize: Sizes,
  rank: number,
  options: WindowOptions,
): WindowAxis[] {
  checkRank(op, shape, rank);
  const kernel = perAxis(op, "kernelSize", kernelSize, rank);
  const stride = stepsOf(op, options.stride, kernel);
  const padding = perAxis(op, "padding", options.padding, rank, 0);
  const dilation = perAxis(op, "dilation", options.dilation, rank, 1);
  return kernel.map((k, d) => {
    const input = shape[shape.length - rank + d]!;
    const [s, p, gap] = [stride[d]!, padding[d]!, dilation[d]!];
    if (2 * p > k) {
      throw rangeError(op, `padding ${p} is more than half of the window ${k}`);
    }
    const room = input + 2 * p - gap * (k - 1) - 1;
    let output = (options.ceilMode ? Math.ceil(room / s) : Math.floor(room / s)) + 1;
    // A window that would start in the padding at the end is left out.
    if (options.ceilMode && (output - 1) * s >= input + p) output--;
    if (output < 1) {
      throw new ShapeError(op, "the window is larger than the padded input", {
        input: shape,
        kernelSize: kernel,
      });
    }
    const covers = Math.floor(gap * (k - 1) / s) + 1;
    return {
      input,
      output,
      kernel: k,
      stride: s,
      padding: p,
      dilation: gap,
      adaptive: false,
      covers,
    };
  });
}

/** `outputSize` windows that divide the last `rank` axes of `shape` evenly; `null` keeps a size. */
export function adaptiveWindows(
  op: string,
  shape: readonly number[],
  outputSize: number | readonly (number | null)[],
  rank: number,
): WindowAxis[] {
  checkRank(op, shape, rank);
  const sizes = typeof outputSize === "number"
    ? new Array<number>(rank).fill(outputSize)
    : outputSize;
  if (sizes.length !== rank) {
    throw new ShapeError(
      op,
      `outputSize has ${sizes.length} numbers for ${rank} spatial dimensions`,
      {
        input: shape,
      },
    );
  }
  return sizes.map((size, d) => {
    const input = shape[shape.length - rank + d]!;
    const output = size ?? input;
    if (!Number.isInteger(output) || output < 0) {
      throw rangeError(op, `outputSize ${output} is not a whole number of at least 0`);
    }
    const base = { input, output, padding: 0, dilation: 1 };
    if (output > 0 && input % output === 0 && input > 0) {
      const kernel = input / output;
      return { ...base, kernel, stride: kernel, adaptive: false, covers: 1 };
    }
    let kernel = 0, covers = 0;
    for (let o = 0; o < output; o++) {
      kernel = Math.max(
        kernel,
        Math.ceil((o + 1) * input / output) - Math.floor(o * input / output),
      );
    }
    for (let i = 0; i < input; i++) {
      covers = Math.max(
        covers,
        Math.ceil((i + 1) * output / input) - Math.floor(i * output / input),
      );
    }
    return { ...base, kernel, stride: 1, adaptive: true, covers };
  });
}

function checkRank(op: string, shape: readonly number[], rank: number): void {
  if (shape.length !== rank + 1 && shape.length !== rank + 2) {
    throw new ShapeError(op, `input needs ${rank + 1} or ${rank + 2} dimensions`, { input: shape });
  }
}

/** First position of window `o`; may be negative by the padding. */
export function windowStart(w: WindowAxis, o: Expr): Expr {
  if (w.adaptive) return e.idiv(e.mul(o, e.int(w.input)), w.output);
  return e.sub(e.mul(o, e.int(w.stride)), e.int(w.padding));
}

/** Position after the last of adaptive window `o`. */
function adaptiveEnd(w: WindowAxis, o: Expr): Expr {
  const scaled = e.mul(e.add(o, e.int(1)), e.int(w.input));
  return e.idiv(e.add(scaled, e.int(w.output - 1)), w.output);
}

/** Position of element `k` of window `o`, and whether it is inside of the input. */
export function windowPosition(
  w: WindowAxis,
  o: Expr,
  k: Expr,
): { at: Expr; guard: Expr | undefined } {
  const at = e.add(windowStart(w, o), e.mul(k, e.int(w.dilation)));
  if (w.adaptive) return { at, guard: e.lt(at, adaptiveEnd(w, o)) };
  let guard: Expr | undefined;
  if (w.padding > 0) guard = e.le(e.int(0), at);
  const last = (w.output - 1) * w.stride - w.padding + (w.kernel - 1) * w.dilation;
  if (last >= w.input) guard = e.and(guard, e.lt(at, e.int(w.input)));
  return { at, guard };
}

/** The `j`-th window that may cover position `i`, and whether it does. */
export function coveringWindow(
  w: WindowAxis,
  i: Expr,
  j: Expr,
): { at: Expr; guard: Expr | undefined } {
  if (w.adaptive) {
    const at = e.add(e.idiv(e.mul(i, e.int(w.output)), w.input), j);
    const scaled = e.mul(e.add(i, e.int(1)), e.int(w.output));
    return { at, guard: e.lt(at, e.idiv(e.add(scaled, e.int(w.input - 1)), w.input)) };
  }
  const shifted = e.add(i, e.int(w.padding));
  const at = e.sub(e.idiv(shifted, w.stride), j);
  let guard: Expr | undefined;
  if (w.covers > 1) guard = e.le(e.int(0), at);
  if (w.input + w.padding > w.output * w.stride) guard = e.and(guard, e.lt(at, e.int(w.output)));
  const rest = e.sub(shifted, e.mul(at, e.int(w.stride)));
  const reach = w.dilation * (w.kernel - 1) + 1;
  if (w.covers > 1 || reach < w.stride) guard = e.and(guard, e.lt(rest, e.int(reach)));
  if (w.dilation > 1) guard = e.and(guard, e.eq(e.imod(rest, w.dilation), e.int(0)));
  return { at, guard };
}

/** Number of elements of window `o`, with or without the padding. */
export function windowSize(w: WindowAxis, o: Expr, withPadding: boolean): Expr {
  const start = windowStart(w, o);
  if (w.adaptive) return e.sub(adaptiveEnd(w, o), start);
  const last = (w.output - 1) * w.stride - w.padding + w.kernel;
  const limit = withPadding ? w.input + w.padding : w.input;
  const low = withPadding || w.padding === 0 ? start : e.call("max", [start, e.int(0)]);
  const end = e.add(start, e.int(w.kernel));
  const high = last > limit ? e.call("min", [end, e.int(limit)]) : end;
  return low === start && high === end ? e.int(w.kernel) : e.sub(high, low);
}
