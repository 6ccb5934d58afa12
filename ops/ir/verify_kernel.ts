/** Checks of kernels: types, axes, reduction results, inputs. */
import { type DType, isFloat } from "./dtype.ts";
import { type CallExpr, type Expr, visit } from "./expr.ts";
import { iterationShape, type Kernel, type KernelOutput } from "./kernel.ts";
import { printKernel } from "./print.ts";
import { type ScalarName, scalarRow } from "./scalar.ts";

/** A fault of the compiler, with the text of what is wrong. */
export class InternalError extends Error {
  override readonly name = "InternalError";
}

/** Stops with what is wrong and the text of the faulty thing. */
export function fail(what: string, text: string): never {
  throw new InternalError(`internal: ${what}\n${text}`);
}

/** What an expression of a kernel may refer to. */
interface Frame {
  /** Sizes of the axes, or `undefined` where an axis is out of sight. */
  readonly axes: readonly (number | undefined)[];
  /** Types of the reduction results. */
  readonly accumulators: readonly DType[];
}

/** Throws an `InternalError` where a kernel breaks a rule of `kernel.ts`. */
export function verifyKernel(kernel: Kernel): void {
  try {
    for (const { name, expr, dtype, frame } of placesOf(kernel)) {
      verifyExpr(name, expr, kernel, frame);
      if (expr.dtype !== dtype) throw new Error(`${name} is ${expr.dtype}, expected ${dtype}`);
    }
    verifyOwn(kernel);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error), printKernel(kernel));
  }
}

interface Place {
  readonly name: string;
  readonly expr: Expr;
  readonly dtype: DType;
  readonly frame: Frame;
}

/** Every expression with the type it must have and what it may see. */
function placesOf(kernel: Kernel): Place[] {
  const all = iterationShape(kernel);
  const none: DType[] = [];
  switch (kernel.kind) {
    case "map":
      return outputPlaces(kernel, () => ({ axes: all, accumulators: none }));
    case "reduce": {
      const results = kernel.reductions.map((r) => r.dtype);
      const bodies = kernel.reductions.map((r, i): Place => ({
        name: `reduction ${i}`,
        expr: r.body,
        dtype: r.op.startsWith("arg") ? r.body.dtype : r.dtype,
        frame: { axes: all, accumulators: results.slice(0, i) },
      }));
      const outputs = outputPlaces(kernel, (o) => ({
        axes: o.full ? all : kernel.shape,
        accumulators: results,
      }));
      return [...bodies, ...outputs];
    }
    case "contract": {
      const { batch, m, n, k, dtype } = kernel;
      const hide = (sizes: readonly number[]): undefined[] => sizes.map(() => undefined);
      const a = { axes: [...batch, ...m, ...hide(n), ...k], accumulators: none };
      const b = { axes: [...batch, ...hide(m), ...n, ...k], accumulators: none };
      const out = { axes: [...batch, ...m, ...n], accumulators: [dtype] };
      return [
        { name: "a", expr: kernel.a, dtype, frame: a },
        { name: "b", expr: kernel.b, dtype, frame: b },
        ...outputPlaces(kernel, () => out),
      ];
    }
    case "scan": {
      const result = kernel.op.startsWith("arg") ? "int32" : kernel.body.dtype;
      const body = { axes: all, accumulators: none };
      return [
        { name: "body", expr: kernel.body, dtype: kernel.body.dtype, frame: body },
        ...outputPlaces(kernel, () => ({ axes: all, accumulators: [result] })),
      ];
    }
    case "scatter": {
      const { dtype } = kernel.outputs[0]!;
      const frame = { axes: all, accumulators: none };
      const start = { axes: [kernel.size], accumulators: none };
      const places: Place[] = [
        ...(kernel.init ? [{ name: "init", expr: kernel.init, dtype, frame: start }] : []),
        { name: "target", expr: kernel.target, dtype: "int32", frame },
        { name: "value", expr: kernel.value, dtype, frame },
      ];
      if (kernel.guard) places.push({ name: "guard", expr: kernel.guard, dtype: "bool", frame });
      return places;
    }
    case "sort":
      return [];
  }
}

function outputPlaces(kernel: Kernel, frameOf: (o: KernelOutput) => Frame): Place[] {
  return kernel.outputs.flatMap((o, i): Place[] => {
    const frame = frameOf(o);
    const value: Place = { name: `output ${i}`, expr: o.value, dtype: o.dtype, frame };
    if (!o.index) return [value];
    return [value, { name: `index of output ${i}`, expr: o.index, dtype: "int32", frame }];
  });
}

function verifyExpr(name: string, root: Expr, kernel: Kernel, frame: Frame): void {
  visit([root], (x) => {
    const wrong = wrongNode(x, kernel, frame);
    if (wrong) throw new Error(`${name}: ${wrong}`);
  });
}

function wrongNode(x: Expr, kernel: Kernel, frame: Frame): string | undefined {
  switch (x.kind) {
    case "const":
      return isFloat(x.dtype) || Number.isInteger(x.value) ? undefined : `${x.dtype} ${x.value}`;
    case "axis":
      return frame.axes[x.axis] === x.size ? undefined : `axis ${x.axis} of size ${x.size}`;
    case "acc":
      return frame.accumulators[x.slot] === x.dtype ? undefined : `result ${x.slot} as ${x.dtype}`;
    case "load": {
      const input = kernel.inputs[x.input];
      if (input?.dtype !== x.dtype) return `input ${x.input} read as ${x.dtype}`;
      if (x.index.dtype !== "int32") return `index of type ${x.index.dtype}`;
      return x.guard && x.guard.dtype !== "bool" ? `guard of type ${x.guard.dtype}` : undefined;
    }
    case "call":
      return wrongCall(x);
  }
}

/** Functions whose arguments may differ in type from each other. */
const MIXED: ReadonlySet<ScalarName> = new Set([
  "select",
  "cast",
  "bitcast",
  "philox",
  "shl",
  "shr",
]);

function wrongCall({ op, args, dtype }: CallExpr): string | undefined {
  const row = scalarRow(op);
  const types = args.map((a) => a.dtype);
  const text = `${op}(${types.join(", ")}): ${dtype}`;
  if (args.length !== row.arity) return `${text} has ${args.length} arguments`;
  if (row.result === "bool" && dtype !== "bool") return text;
  if (op === "select") {
    return types[0] === "bool" && types[1] === dtype && types[2] === dtype ? undefined : text;
  }
  if (MIXED.has(op)) return undefined;
  if (types.some((t) => t !== types[0])) return text;
  return row.result === "same" && dtype !== types[0] ? text : undefined;
}

function verifyOwn(kernel: Kernel): void {
  for (const size of iterationShape(kernel)) {
    if (!Number.isInteger(size) || size < 0) throw new Error(`size ${size}`);
  }
  if (kernel.outputs.length === 0) throw new Error("no outputs");
  for (const [i, o] of kernel.outputs.entries()) {
    if (o.full && kernel.kind !== "reduce") {
      throw new Error(`output ${i} of a ${kernel.kind} is full`);
    }
    if (kernel.kind === "contract" && !o.index) throw new Error(`output ${i} has no index`);
  }
  if (kernel.kind === "reduce") {
    for (const [i, r] of kernel.reductions.entries()) {
      if (r.op.startsWith("arg") && r.dtype !== "int32") {
        throw new Error(`reduction ${i} is ${r.dtype}`);
      }
    }
  }
  if (kernel.kind === "scan" && !(kernel.axis in kernel.shape)) {
    throw new Error("axis out of range");
  }
  if (kernel.kind === "sort" && kernel.outputs[0]!.dtype !== "int32") {
    throw new Error("positions are int32");
  }
  if (kernel.kind !== "contract" || !kernel.convolution) return;
  for (const slot of [kernel.convolution.x, kernel.convolution.w, kernel.convolution.dy]) {
    if (slot !== undefined && !(slot in kernel.inputs)) {
      throw new Error(`convolution names input ${slot}`);
    }
  }
}
