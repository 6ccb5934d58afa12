/** Kernels, graphs and plans as text: one line per kernel, and expressions as formulas. */
import { bytesOf } from "./dtype.ts";
import type { Expr } from "./expr.ts";
import type { Graph, GraphNode, Plan, Value } from "./graph.ts";
import { type Kernel, type KernelOutput, sizeOf } from "./kernel.ts";
import { kernelCost } from "./plan_cost.ts";
import type { ScalarName } from "./scalar.ts";

/** Functions that are written between their arguments, and how strongly they bind. */
const INFIX: Partial<Record<ScalarName, readonly [sign: string, strength: number]>> = {
  or: ["|", 1],
  xor: ["^", 2],
  and: ["&", 3],
  eq: ["==", 4],
  ne: ["!=", 4],
  lt: ["<", 5],
  le: ["<=", 5],
  shl: ["<<", 6],
  shr: [">>", 6],
  add: ["+", 7],
  sub: ["-", 7],
  mul: ["*", 8],
  div: ["/", 8],
  idiv: ["//", 8],
  imod: ["%", 8],
};

const ATOM = 9;

/** A formula: axes are `i0, i1, …`, inputs `x0[index]` (`x0[index ? guard]`), reductions `r0, r1, …`. */
export function printExpr(x: Expr): string {
  return printAt(x, 0);
}

function printAt(x: Expr, strength: number): string {
  switch (x.kind) {
    case "const":
      return x.dtype === "bool" ? (x.value ? "true" : "false") : printNumber(x.value);
    case "axis":
      return `i${x.axis}`;
    case "acc":
      return `r${x.slot}`;
    case "load": {
      const guard = x.guard ? ` ? ${printAt(x.guard, 0)}` : "";
      return `x${x.input}[${printAt(x.index, 0)}${guard}]`;
    }
    case "call": {
      const infix = INFIX[x.op];
      if (infix === undefined || x.args.length !== 2) return printCall(x.op, x);
      const [sign, own] = infix;
      const text = `${printAt(x.args[0]!, own)} ${sign} ${printAt(x.args[1]!, own + 1)}`;
      return own < strength ? `(${text})` : text;
    }
  }
}

function printCall(op: string, x: Expr & { kind: "call" }): string {
  const args = x.args.map((arg) => printAt(arg, 0)).join(", ");
  if (op === "neg") return `-${printAt(x.args[0]!, ATOM)}`;
  return op === "cast"
    ? `${x.dtype}(${args})`
    : op === "bitcast"
    ? `${x.dtype}_bits(${args})`
    : `${op}(${args})`;
}

function printNumber(x: number): string {
  if (Number.isInteger(x)) return Object.is(x, -0) ? "-0" : String(x);
  return String(Number(x.toPrecision(6)));
}

/** `[2, 3]` */
export function printShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** Sizes of a kernel's iteration: what is kept, then what is summed or run along. */
export function printFrame(kernel: Kernel): string {
  switch (kernel.kind) {
    case "map":
      return printShape(kernel.shape);
    case "reduce":
      return `${printShape(kernel.shape)} over ${printShape(kernel.reduce)}`;
    case "contract": {
      const batch = sizeOf(kernel.batch) === 1 ? "" : `${printShape(kernel.batch)} `;
      return `${batch}${printShape(kernel.m)} x ${printShape(kernel.n)} over ${
        printShape(kernel.k)
      }`;
    }
    case "scatter":
      return `${printShape(kernel.shape)} into ${kernel.size}`;
    case "scan":
      return `${printShape(kernel.shape)} along ${kernel.axis}`;
    case "sort":
      return `${kernel.rows} x ${kernel.length}`;
  }
}

/** A kernel with every expression as a formula, one line each. */
export function printKernel(kernel: Kernel, label: string = kernel.kind): string {
  const inputs = kernel.inputs.map((i, slot) => `x${slot}: ${i.dtype}`).join(", ");
  const lines = [`${kernel.kind} ${label} ${printFrame(kernel)} (${inputs})`, ...bodyLines(kernel)];
  for (const [slot, output] of kernel.outputs.entries()) {
    lines.push(printOutput(kernel, output, slot));
  }
  return lines.join("\n  ");
}

function bodyLines(kernel: Kernel): string[] {
  switch (kernel.kind) {
    case "map":
      return [];
    case "reduce":
      return kernel.reductions.map((r, slot) =>
        `r${slot}: ${r.dtype} = ${r.op} ${printExpr(r.body)}`
      );
    case "contract": {
      const role = kernel.convolution ? ` (convolution ${kernel.convolution.role})` : "";
      return [
        `r0: ${kernel.dtype} = sum a * b${role}`,
        `a = ${printExpr(kernel.a)}`,
        `b = ${printExpr(kernel.b)}`,
      ];
    }
    case "scatter": {
      const guard = kernel.guard ? ` if ${printExpr(kernel.guard)}` : "";
      const parallel = kernel.parallel.length ? `, parallel ${printShape(kernel.parallel)}` : "";
      return [
        ...(kernel.init ? [`init ${printExpr(kernel.init)}`] : []),
        `${kernel.op} ${printExpr(kernel.value)} at ${printExpr(kernel.target)}${guard}${parallel}`,
      ];
    }
    case "scan":
      return [`r0 = ${kernel.op} ${printExpr(kernel.body)}`];
    case "sort":
      return [kernel.descending ? "descending" : "ascending"];
  }
}

function printOutput(kernel: Kernel, output: KernelOutput, slot: number): string {
  if (kernel.kind === "scatter" || kernel.kind === "sort") return `y${slot}: ${output.dtype}`;
  const index = output.index ? `[${printExpr(output.index)}]` : "";
  return `y${slot}${index}: ${output.dtype}${output.full ? " (full)" : ""} = ${
    printExpr(output.value)
  }`;
}

/** `12.3 MB` */
export function printBytes(bytes: number): string {
  return printScaled(bytes, ["B", "kB", "MB", "GB", "TB"]);
}

/** `0.51 G` */
export function printCount(count: number): string {
  return printScaled(count, ["", "k", "M", "G", "T"]).trim();
}

function printScaled(x: number, units: readonly string[]): string {
  let power = 0;
  while (x >= 999.5 && power < units.length - 1) {
    x /= 1000;
    power++;
  }
  return `${power === 0 ? x : x.toPrecision(3)} ${units[power]}`;
}

function printLine(kernel: Kernel, label: string): string {
  const { readBytes, writeBytes, flops } = kernelCost(kernel);
  const columns = [
    kernel.kind.padEnd(8),
    label.padEnd(36),
    printFrame(kernel).padEnd(44),
    `in ${kernel.inputs.length} ${printBytes(readBytes)}`.padEnd(14),
    `out ${kernel.outputs.length} ${printBytes(writeBytes)}`.padEnd(15),
    `FLOPs ${printCount(flops)}`,
  ];
  return columns.join("  ");
}

interface Totals {
  readonly kernels: number;
  readonly bytes: number;
  readonly flops: number;
}

/** A kernel and how often it runs. */
type Repeated = readonly [kernel: Kernel, count: number];

function totalsOf(kernels: readonly Repeated[]): Totals {
  let bytes = 0, flops = 0;
  for (const [kernel, count] of kernels) {
    const cost = kernelCost(kernel);
    bytes += count * (cost.readBytes + cost.writeBytes);
    flops += count * cost.flops;
  }
  return { kernels: kernels.length, bytes, flops };
}

function printTotals({ kernels, bytes, flops }: Totals): string {
  return `${kernels} kernels  ${printBytes(bytes)} moved  FLOPs ${printCount(flops)}`;
}

/** How much a plan or graph says of itself: one line per kernel, or every formula too. */
export type PrintDetail = "lines" | "formulas";

/** A plan: one line per kernel, then totals and temporary memory. */
export function printPlan(plan: Plan, detail: PrintDetail = "lines"): string {
  const lines = plan.steps.map((step) => {
    const times = step.loop ? `  × ${step.loop.count}` : "";
    if (detail === "lines") return printLine(step.kernel, step.label) + times;
    const places = step.arguments.map((a) =>
      a.offset ? `b${a.buffer}+${a.offset}` : `b${a.buffer}`
    );
    return `${printKernel(step.kernel, step.label)}${times}\n  on ${places.join(", ")}`;
  });
  if (detail === "formulas") {
    for (const [i, b] of plan.buffers.entries()) {
      lines.push(
        `b${i}: ${b.role} ${printBytes(b.bytes)}${b.value ? ` ${printValue(b.value)}` : ""}`,
      );
    }
  }
  const memory = (role: string): number =>
    plan.buffers.reduce((sum, b) => b.role === role ? sum + b.bytes : sum, 0);
  lines.push(
    `${printTotals(totalsOf(plan.steps.map((s) => [s.kernel, s.loop?.count ?? 1])))}  ` +
      `temporaries ${printBytes(memory("temporary"))}  results ${printBytes(memory("result"))}`,
  );
  return lines.join("\n") + "\n";
}

/** A value's name, number, dtype and shape. */
export function printValue(value: Value): string {
  return `%${value.id} ${value.label || "value"} ${value.dtype} ${printShape(value.shape)}`;
}

/** A graph: one line per node, then totals. */
export function printGraph(graph: Graph, detail: PrintDetail = "lines"): string {
  const lines = graph.nodes.map((node) => printNode(node, detail));
  for (const { state, value } of graph.updates) lines.push(`%${state.id} := %${value.id}`);
  if (graph.results.length) lines.push(`results ${ids(graph.results)}`);
  const kernels = graph.nodes.flatMap(kernelsOf);
  lines.push(printTotals(totalsOf(kernels)));
  return lines.join("\n") + "\n";
}

function kernelsOf(node: GraphNode): Repeated[] {
  if (node.kind === "kernel") return [[node.kernel, 1]];
  if (node.kind === "pack") return [];
  return node.blocks.flatMap(({ count, steps }) =>
    steps.map((step): Repeated => [step.kernel, count])
  );
}

function printNode(node: GraphNode, detail: PrintDetail): string {
  const flow = `${ids(node.outputs)} <- ${ids(node.inputs)}`;
  if (node.kind === "sequence") {
    const lines = node.blocks.flatMap(({ count, steps }) =>
      steps.map((step) => `  ${printLine(step.kernel, step.label)}  × ${count}`)
    );
    return [`sequence  ${node.label}  ${flow}`, ...lines].join("\n");
  }
  if (node.kind === "pack") {
    const bytes = sizeOf(node.outputs[0].shape) * bytesOf(node.outputs[0].dtype);
    return `pack      ${node.label} ${printBytes(bytes)}  ${flow}`;
  }
  return detail === "lines"
    ? `${printLine(node.kernel, node.label)}  ${flow}`
    : `${printKernel(node.kernel, node.label)}\n  ${flow}`;
}

function ids(values: readonly Value[]): string {
  return values.map((v) => `%${v.id}`).join(" ");
}
