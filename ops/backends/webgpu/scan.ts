/**
 * Running sums, products and extremes. A thread walks along a line; few long lines are cut into
 * chunks, whose totals are computed first and combined by each chunk for those before it.
 */
import { bytesOf } from "../../ir/dtype.ts";
import {
  acc,
  add,
  axis,
  call,
  constant,
  type Expr,
  int,
  lt,
  mul,
  rewrite,
  select,
} from "../../ir/expr.ts";
import { kernelKey, type ReduceKernel, type ScanKernel, sizeOf } from "../../ir/kernel.ts";
import { linearize } from "../../ir/program.ts";
import { Emitter } from "./emit.ts";
import { flatten, position } from "./flatten.ts";
import { type Layout, Module } from "./module.ts";
import { reduceStep } from "./reduce.ts";
import {
  argumentsFrom,
  entryPoint,
  fromKernel,
  kernelArguments,
  type Lowered,
  type Step,
  type StepArgument,
} from "./step.ts";
import { combine, neutral, neutralValue, registerType } from "./wgsl.ts";

const THREADS = 64;

/** How the lines of a scan are cut. */
interface Cut {
  readonly lines: number;
  readonly length: number;
  readonly chunks: number;
  readonly chunk: number;
}

function cutOf(kernel: ScanKernel): Cut {
  const length = kernel.shape[kernel.axis]!, lines = sizeOf(kernel.shape) / length;
  const wanted = lines >= 4096 || length <= 64
    ? 1
    : Math.min(64, Math.ceil(length / 32), Math.ceil(16384 / lines));
  const chunk = Math.ceil(length / wanted);
  return { lines, length, chunk, chunks: Math.ceil(length / chunk) };
}

/** Lowers a scan. */
export function lowerScan(kernel: ScanKernel): Lowered {
  const cut = cutOf(kernel);
  const { inputs } = kernel;
  if (cut.chunks === 1) return { steps: [walkStep(kernel, cut, [])], scratch: [] };
  const totals = totalsKernel(kernel, cut);
  const scratch = totals.outputs.map(({ dtype }) => cut.lines * cut.chunks * bytesOf(dtype));
  const sources = totals.outputs.map((_, number) => ({ from: "scratch", number }) as const);
  const args = argumentsFrom(totals, [...fromKernel(0, inputs.length), ...sources]);
  const extra = totals.outputs.map(({ dtype }, number): StepArgument => {
    return { dtype, written: false, used: true, from: "scratch", number };
  });
  return { steps: [reduceStep(totals, args), walkStep(kernel, cut, extra)], scratch };
}

/** The expression with the scanned axis last: lines are axis 0, places along them axis 1. */
function moved(kernel: ScanKernel, x: Expr, along: Expr, memo: Map<Expr, Expr>): Expr {
  return rewrite(x, {
    axis: (a) => {
      if (a.axis === kernel.axis) return along;
      return axis(a.axis < kernel.axis ? a.axis : a.axis - 1, a.size);
    },
  }, memo);
}

function lineShape(kernel: ScanKernel): readonly number[] {
  return kernel.shape.filter((_, d) => d !== kernel.axis);
}

/** Totals of all chunks. */
function totalsKernel(kernel: ScanKernel, cut: Cut): ReduceKernel {
  const lines = lineShape(kernel), { op, body } = kernel;
  const start = mul(axis(lines.length, cut.chunks), int(cut.chunk));
  const flat = add(start, axis(lines.length + 1, cut.chunk));
  const ragged = cut.chunks * cut.chunk > cut.length;
  const along = ragged ? call("min", [flat, int(cut.length - 1)]) : flat;
  const inside = moved(kernel, body, along, new Map());
  const value = ragged
    ? select(
      lt(flat, int(cut.length)),
      inside,
      constant(neutralValue(op, body.dtype), body.dtype),
    )
    : inside;
  // Totals of halves are kept whole.
  const kept = body.dtype === "float16" ? "float32" : body.dtype;
  const whole = body.dtype === kept ? value : call("cast", [value], kept);
  return {
    kind: "reduce",
    shape: [...lines, cut.chunks],
    reduce: [cut.chunk],
    inputs: kernel.inputs,
    reductions: [{ op, body: whole, dtype: kept }],
    outputs: [{ dtype: kept, value: acc(0, kept), index: undefined }],
  };
}

function walkStep(kernel: ScanKernel, cut: Cut, totals: readonly StepArgument[]): Step {
  const args = [...kernelArguments(kernel), ...totals];
  return {
    label: `scan ${kernel.shape.join("×")} along ${kernel.axis}`,
    key: kernelKey(kernel),
    arguments: args,
    workgroups: Math.ceil(cut.lines * cut.chunks / THREADS),
    parameters: [],
    generate: (layout) => generate(kernel, cut, args, layout),
  };
}

/** Roots: body, then value and index of each output; axis 0 counts lines, axis 1 places. */
function rootsOf(kernel: ScanKernel): Expr[] {
  const lines = lineShape(kernel), along = axis(lines.length, kernel.shape[kernel.axis]!);
  const memo = new Map<Expr, Expr>();
  const all = [
    kernel.body,
    ...kernel.outputs.flatMap((o) => [o.value, o.index ?? position(kernel.shape, 0)]),
  ];
  return all.map((x) => moved(kernel, x, along, memo));
}

function generate(
  kernel: ScanKernel,
  cut: Cut,
  args: readonly StepArgument[],
  layout: Layout,
): string {
  const { op, inputs } = kernel;
  const groups = [lineShape(kernel), [cut.length]];
  const program = linearize(flatten(rootsOf(kernel), groups).roots);
  const module = new Module(args, layout);
  const emitter = new Emitter(program, module);
  const count = cut.lines * cut.chunks;
  emitter.line(`let id = group * ${THREADS}u + thread;`);
  emitter.line(`if (id >= ${count}u) { return; }`);
  // Neighbouring threads take neighbouring lines.
  emitter.line(`let chunk = id / ${cut.lines}u;`);
  emitter.define("line", `i32(id % ${cut.lines}u)`);
  const { dtype } = kernel.body;
  emitter.line(`var state: ${registerType(dtype)} = ${neutral(op, dtype, module.use)};`);
  const take = (value: string): string =>
    `state = ${combine(op, dtype, "state", value, module.use)};`;
  const totals = inputs.length + kernel.outputs.length;
  if (cut.chunks > 1) {
    emitter.line(`for (var q = 0u; q < chunk; q++) {
let total = u32(line) * ${cut.chunks}u + q;
let before = ${module.load(totals, "total")};
${take("before")}
}`);
  }
  emitter.open();
  const at = emitter.define("at", "i32(t)");
  const value = emitter.root(0, { axes: ["line", at] });
  emitter.line(take(value));
  const result = emitter.define("result", "state");
  const point = { axes: ["line", at], accs: [result] };
  const stores = kernel.outputs.map((_, o) => {
    const stored = emitter.root(1 + 2 * o, point);
    const index = `u32(${emitter.root(2 + 2 * o, point)})`;
    return module.store(inputs.length + o, index, stored);
  });
  for (const store of stores) emitter.line(store);
  const loop = emitter.close();
  emitter.line(`let start = chunk * ${cut.chunk}u;
for (var t = start; t < min(start + ${cut.chunk}u, ${cut.length}u); t++) {
${loop}
}`);
  return module.text(entryPoint(THREADS, Math.ceil(count / THREADS), emitter.close()));
}
