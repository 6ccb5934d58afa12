/**
 * Kernels: what a device runs. Pure data; backends turn it into code, passes rewrite it.
 *
 * Every kernel has an iteration space of axes numbered from 0, reads `inputs` through `load`
 * expressions with flat element indices, and writes `outputs`. Buffers are bound at run time in the
 * order inputs, then outputs, each with an element offset that is added to every index.
 */
import type { DType } from "./dtype.ts";
import { type Expr, visit } from "./expr.ts";
import { linearize, programKey } from "./program.ts";

/** One array that a kernel reads. */
export interface KernelInput {
  readonly dtype: DType;
}

/**
 * One array that a kernel writes. It may share its buffer with an input of which each point reads only
 * the element that the output then writes: in a map, in outputs of reductions and contractions, in a
 * scatter's `init`. So all outputs of a point are computed before one of them is written.
 */
export interface KernelOutput {
  readonly dtype: DType;
  /** Value at a point, already of `dtype`. */
  readonly value: Expr;
  /**
   * Flat element index at a point; injective over the iteration space. `undefined` is row-major over
   * the axes in order.
   */
  readonly index: Expr | undefined;
  /** For `reduce` kernels: written at every point of outer × reduced axes, not once per outer point. */
  readonly full?: boolean | undefined;
}

/** `value` at each point of `shape`. */
export interface MapKernel {
  readonly kind: "map";
  readonly shape: readonly number[];
  readonly inputs: readonly KernelInput[];
  readonly outputs: readonly KernelOutput[];
}

/** How a reduction combines. `argmax` and `argmin` give the int32 row-major position of the first best (NaN counts as best). */
export type ReduceOp = "sum" | "prod" | "max" | "min" | "argmax" | "argmin";

/** One reduction of a kernel. */
export interface Reduction {
  readonly op: ReduceOp;
  /** Reduced value at a point, over all axes; may read `acc(j)` of earlier reductions. */
  readonly body: Expr;
  /** Type of the accumulator: that of `body`, or int32 for argmax and argmin. */
  readonly dtype: DType;
}

/**
 * For each point of `shape` (axes 0…), reductions over `reduce` (the axes after), in order; each may
 * use the results of those before (softmax: max, then sum of exp(x − max)). Outputs are functions of
 * the results, the outer axes and, where `full`, of the reduced axes.
 */
export interface ReduceKernel {
  readonly kind: "reduce";
  readonly shape: readonly number[];
  readonly reduce: readonly number[];
  readonly inputs: readonly KernelInput[];
  readonly reductions: readonly Reduction[];
  readonly outputs: readonly KernelOutput[];
}

/** Sizes of a convolution. */
export interface ConvolutionSizes {
  /** N, input channels, output channels, groups. */
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
  /** Spatial sizes, one per spatial axis. */
  readonly input: readonly number[];
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

/** What a `contract` kernel computes where it is a convolution; lets backends choose Winograd. */
export interface ConvolutionGeometry extends ConvolutionSizes {
  /** `forward`: y from (x, w). `input`: dx from (dy, w). `weight`: dw from (x, dy). */
  readonly role: "forward" | "input" | "weight";
  /**
   * Input slots that hold x, w or dy as plain NCHW / OIHW arrays, each image (and all of w) without
   * gaps; `undefined` where the operand is an expression (something was fused into it).
   */
  readonly x: number | undefined;
  readonly w: number | undefined;
  readonly dy: number | undefined;
  /**
   * Element at which the array starts in that input's binding (a parameter in a flat arena). In the
   * kernel's own expressions the same offset is part of every index.
   */
  readonly xOffset: number;
  readonly wOffset: number;
  readonly dyOffset: number;
  /** Elements from image to image of x and dy: more than an image in a slice of channels. */
  readonly xImage: number;
  readonly dyImage: number;
}

/**
 * `acc(0)[batch, m, n] = Σ_k a[batch, m, k] · b[batch, k, n]`. Axes are numbered batch, m, n, k, each
 * a list of sizes. `a` does not depend on n, `b` not on m. Outputs see the batch, m and n axes and
 * `acc(0)` (the epilogue: bias, activation, residual) and always have an `index`.
 */
export interface ContractKernel {
  readonly kind: "contract";
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: readonly number[];
  readonly k: readonly number[];
  readonly inputs: readonly KernelInput[];
  readonly a: Expr;
  readonly b: Expr;
  /** Accumulation type: float32, float64 or int32. */
  readonly dtype: DType;
  readonly outputs: readonly KernelOutput[];
  readonly convolution: ConvolutionGeometry | undefined;
}

/**
 * Starts from `init` at each of `size` flat output positions (its axis 0), or without one from what
 * the array holds (a plan that writes in place), then, for each point of
 * `shape` in row-major order, combines `value` into position `target`; skipped where `guard` is
 * false. Order is kept, so that results do not depend on scheduling. Points that differ along one of
 * `parallel` never meet in a position: work is split along those.
 */
export interface ScatterKernel {
  readonly kind: "scatter";
  readonly size: number;
  readonly init: Expr | undefined;
  readonly shape: readonly number[];
  readonly parallel: readonly number[];
  readonly op: "add" | "set" | "max" | "min" | "mul";
  readonly target: Expr;
  readonly value: Expr;
  readonly guard: Expr | undefined;
  readonly inputs: readonly KernelInput[];
  /** One output; `value` and `index` are unused (`value` is a constant of the dtype). */
  readonly outputs: readonly KernelOutput[];
}

/** Running combination along axis `axis` of `shape`; output `value` sees `acc(0)` and all axes. */
export interface ScanKernel {
  readonly kind: "scan";
  readonly shape: readonly number[];
  readonly axis: number;
  readonly op: "sum" | "prod" | "max" | "min";
  readonly body: Expr;
  readonly inputs: readonly KernelInput[];
  readonly outputs: readonly KernelOutput[];
}

/**
 * Stable order of each of `rows` rows of `length` contiguous elements of input 0 (NaN last when
 * ascending); output 0 is the int32 position of the element that comes at each place.
 */
export interface SortKernel {
  readonly kind: "sort";
  readonly rows: number;
  readonly length: number;
  readonly descending: boolean;
  readonly inputs: readonly KernelInput[];
  readonly outputs: readonly KernelOutput[];
}

/** A kernel of any kind. */
export type Kernel =
  | MapKernel
  | ReduceKernel
  | ContractKernel
  | ScatterKernel
  | ScanKernel
  | SortKernel;

/** Product of sizes. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const s of shape) size *= s;
  return size;
}

/** All axes of the kernel's iteration space in order. */
export function iterationShape(kernel: Kernel): readonly number[] {
  switch (kernel.kind) {
    case "map":
    case "scatter":
    case "scan":
      return kernel.shape;
    case "reduce":
      return [...kernel.shape, ...kernel.reduce];
    case "contract":
      return [...kernel.batch, ...kernel.m, ...kernel.n, ...kernel.k];
    case "sort":
      return [kernel.rows, kernel.length];
  }
}

/** Every expression of a kernel, in a fixed order. */
export function expressionsOf(kernel: Kernel): Expr[] {
  const outputs = kernel.outputs.flatMap((o) => o.index ? [o.value, o.index] : [o.value]);
  switch (kernel.kind) {
    case "map":
      return outputs;
    case "reduce":
      return [...kernel.reductions.map((r) => r.body), ...outputs];
    case "contract":
      return [kernel.a, kernel.b, ...outputs];
    case "scatter":
      return [
        ...(kernel.init ? [kernel.init] : []),
        ...[kernel.target, kernel.value],
        ...(kernel.guard ? [kernel.guard] : []),
      ];
    case "scan":
      return [kernel.body, ...outputs];
    case "sort":
      return [];
  }
}

/** The same kernel with every expression replaced by `change(expression)`. */
export function mapExpressions(kernel: Kernel, change: (x: Expr) => Expr): Kernel {
  const outputs = kernel.kind === "scatter" || kernel.kind === "sort"
    ? kernel.outputs
    : kernel.outputs.map((o) => ({
      ...o,
      value: change(o.value),
      index: o.index && change(o.index),
    }));
  switch (kernel.kind) {
    case "map":
      return { ...kernel, outputs };
    case "reduce": {
      const reductions = kernel.reductions.map((r) => ({ ...r, body: change(r.body) }));
      return { ...kernel, reductions, outputs };
    }
    case "contract":
      return { ...kernel, a: change(kernel.a), b: change(kernel.b), outputs };
    case "scatter":
      return {
        ...kernel,
        init: kernel.init && change(kernel.init),
        target: change(kernel.target),
        value: change(kernel.value),
        guard: kernel.guard && change(kernel.guard),
      };
    case "scan":
      return { ...kernel, body: change(kernel.body), outputs };
    case "sort":
      return kernel;
  }
}

/** Input slots that some expression reads (all, for kernels without expressions). */
export function usedInputs(kernel: Kernel): Set<number> {
  if (kernel.kind === "sort") return new Set([0]);
  const used = new Set<number>();
  visit(expressionsOf(kernel), (x) => {
    if (x.kind === "load") used.add(x.input);
  });
  return used;
}

/** Structural text: equal exactly for kernels for which the same code serves. The cache key. */
export function kernelKey(kernel: Kernel): string {
  const { inputs, outputs } = kernel;
  const head = inputs.map((i) => i.dtype).join(",") + ">" +
    outputs.map((o) => `${o.dtype}${o.index ? "i" : ""}${o.full ? "f" : ""}`).join(",");
  const program = programKey(linearize(expressionsOf(kernel)));
  return `${kernel.kind}|${frameKey(kernel)}|${head}|${program}`;
}

function frameKey(kernel: Kernel): string {
  switch (kernel.kind) {
    case "map":
      return kernel.shape.join("x");
    case "reduce": {
      const ops = kernel.reductions.map((r) => `${r.op}:${r.dtype}`).join(",");
      return `${kernel.shape.join("x")}/${kernel.reduce.join("x")}/${ops}`;
    }
    case "contract": {
      const parts = [kernel.batch, kernel.m, kernel.n, kernel.k].map((p) => p.join("x"));
      return `${parts.join("/")}/${kernel.dtype}/${JSON.stringify(kernel.convolution ?? null)}`;
    }
    case "scatter":
      return `${kernel.size}/${kernel.shape.join("x")}/${kernel.parallel.join(",")}/${kernel.op}/${
        kernel.guard ? "g" : ""
      }${kernel.init ? "" : "o"}`;
    case "scan":
      return `${kernel.shape.join("x")}/${kernel.axis}/${kernel.op}`;
    case "sort":
      return `${kernel.rows}/${kernel.length}/${kernel.descending}`;
  }
}
