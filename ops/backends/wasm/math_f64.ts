/**
 * float64 functions as scalars. What WebAssembly has no instruction for is called in JavaScript, by
 * the scalar table itself; modules with such calls run on the main thread only.
 *
 * @module
 */
import type { DType } from "../../ir/dtype.ts";
import { type ScalarName, scalarRow } from "../../ir/scalar.ts";
import type { FunctionBuilder, Local, Opcode } from "./assembler.ts";
import type { CodeModule } from "./emit.ts";
import { type CallNode, type Node, visitNodes } from "./emit_node.ts";

const DIRECT: Partial<Record<ScalarName, Opcode>> = {
  add: "f64.add",
  sub: "f64.sub",
  mul: "f64.mul",
  div: "f64.div",
  min: "f64.min",
  max: "f64.max",
  neg: "f64.neg",
  abs: "f64.abs",
  floor: "f64.floor",
  ceil: "f64.ceil",
  trunc: "f64.trunc",
  round: "f64.nearest",
  sqrt: "f64.sqrt",
  lt: "f64.lt",
  le: "f64.le",
  eq: "f64.eq",
  ne: "f64.ne",
};

const SPECIAL: ReadonlySet<ScalarName> = new Set(["isnan", "not", "select", "cast", "bitcast"]);

/** Functions that the nodes need from JavaScript, with their numbers of arguments. */
export function hostFunctions(roots: readonly Node[]): Map<string, number> {
  const needed = new Map<string, number>();
  visitNodes(roots, (x) => {
    if (x.kind !== "call" || x.args.at(-1)!.dtype !== "float64") return;
    if (DIRECT[x.op] || SPECIAL.has(x.op)) return;
    needed.set(x.op, scalarRow(x.op).arity);
  });
  return needed;
}

/** Import object for {@linkcode hostFunctions}. */
export function hostImports(needed: ReadonlyMap<string, number>): Record<string, CallableFunction> {
  const names = [...needed.keys()];
  return Object.fromEntries(names.map((name) => [name, scalarRow(name as ScalarName).evaluate]));
}

/** Emits a call in which some operand or the result is float64. */
export function emitFloat64Call(
  f: FunctionBuilder,
  node: CallNode,
  args: readonly Local[],
  module: CodeModule,
): void {
  const direct = DIRECT[node.op];
  if (direct !== undefined) f.get(...args).op(direct);
  else if (node.op === "isnan") f.get(args[0]!, args[0]!).op("f64.ne");
  else if (node.op === "not") f.get(args[0]!).f64(0).op("f64.eq");
  else if (node.op === "select") f.get(args[1]!, args[2]!, args[0]!).op("select");
  else if (node.op === "cast") {
    f.get(args[0]!);
    emitCast(f, node.args[0]!.dtype, node.dtype, args[0]!.type);
  } else if (node.op === "bitcast") f.get(args[0]!);
  else f.get(...args).call(module.host(node.op));
}

/** Converts the value on the stack; float32 is a vector of which the first lane counts. */
function emitCast(f: FunctionBuilder, from: DType, to: DType, type: string): void {
  if (from === to) return;
  if (from === "float64") {
    if (to === "float32") f.op("f32.demote_f64", "f32x4.splat");
    else if (to === "bool") f.f64(0).op("f64.ne");
    else f.op(to === "int32" ? "i32.trunc_sat_f64_s" : "i32.trunc_sat_f64_u");
    return;
  }
  if (from === "float32") {
    if (type === "v128") f.lane("f32x4.extract_lane", 0);
    f.op("f64.promote_f32");
  } else f.op(from === "uint32" ? "f64.convert_i32_u" : "f64.convert_i32_s");
}
