/**
 * How scalar functions, constants and types are spelled in WGSL.
 *
 * Values live in registers as f32 (also float16: only storage is half, as PyTorch computes it), i32,
 * u32 and bool; in memory a bool is a u32.
 */
import type { DType } from "../../ir/dtype.ts";
import type { ReduceOp } from "../../ir/kernel.ts";
import type { ScalarName } from "../../ir/scalar.ts";
import type { HelperName } from "./functions.ts";

/** Type of a value in a register. */
export type RegisterType = "f32" | "i32" | "u32" | "bool";

/** Notes that the kernel calls a function and returns its name. */
export type Use = (helper: HelperName) => string;

/** Register type of a dtype. */
export function registerType(dtype: DType): RegisterType {
  switch (dtype) {
    case "float32":
    case "float16":
      return "f32";
    case "int32":
      return "i32";
    case "uint32":
      return "u32";
    case "bool":
      return "bool";
    case "float64":
      throw new TypeError("webgpu: float64 is not supported on this device (use device cpu)");
  }
}

/** Element type of an array of a dtype in memory. */
export function storageType(dtype: DType): "f32" | "f16" | "i32" | "u32" {
  if (dtype === "float16") return "f16";
  const type = registerType(dtype);
  return type === "bool" ? "u32" : type;
}

/** A constant of a register type. */
export function literal(value: number, dtype: DType, use: Use): string {
  switch (registerType(dtype)) {
    case "bool":
      return value !== 0 ? "true" : "false";
    case "u32":
      return `${value >>> 0}u`;
    case "i32":
      return value < 0 ? `i32(${value | 0})` : `${value | 0}i`;
    case "f32":
      return floatLiteral(Math.fround(value), use);
  }
}

function floatLiteral(value: number, use: Use): string {
  if (Number.isNaN(value)) return `${use("infinity") && "not_a_number"}()`;
  if (value === Infinity) return `${use("infinity")}()`;
  if (value === -Infinity) return `(-${use("infinity")}())`;
  if (Object.is(value, -0)) return "bitcast<f32>(0x80000000u)";
  const text = String(value);
  const full = /[.e]/.test(text) ? text : `${text}.0`;
  return value < 0 ? `f32(${full})` : `${full}f`;
}

interface Call {
  /** Texts of the arguments. */
  readonly args: readonly string[];
  /** Their dtypes. */
  readonly types: readonly DType[];
  /** Dtype of the result. */
  readonly result: DType;
  readonly use: Use;
}

type Spelling = (call: Call) => string;

function isFloatCall({ types }: Call): boolean {
  return registerType(types[types.length - 1]!) === "f32";
}

function isBoolCall({ types }: Call): boolean {
  return types[types.length - 1] === "bool";
}

/** `a symbol b`; on bools the logical operator given. */
function infix(symbol: string, onBools: string = symbol): Spelling {
  return (call) => {
    const [a, b] = call.args;
    return `(${a} ${isBoolCall(call) ? onBools : symbol} ${b})`;
  };
}

/** Comparison of numbers; bools compare as 0 and 1. */
function ordered(symbol: string): Spelling {
  return (call) => {
    const [a, b] = isBoolCall(call) ? call.args.map((x) => `u32(${x})`) : call.args;
    return `(${a} ${symbol} ${b})`;
  };
}

function builtin(name: string): Spelling {
  return ({ args }) => `${name}(${args.join(", ")})`;
}

/** A function of floats from functions.ts. */
function precise(name: HelperName): Spelling {
  return ({ args, use }) => `${use(name)}(${args.join(", ")})`;
}

/** On integers the identity, on floats a built-in function. */
function rounding(name: string): Spelling {
  return (call) => isFloatCall(call) ? `${name}(${call.args[0]})` : call.args[0]!;
}

function extremum(helper: HelperName, name: string, onBools: string): Spelling {
  return (call) => {
    const [a, b] = call.args;
    if (isBoolCall(call)) return `(${a} ${onBools} ${b})`;
    return isFloatCall(call) ? `${call.use(helper)}(${a}, ${b})` : `${name}(${a}, ${b})`;
  };
}

/** Division and remainder of non-negative integers, unsigned: signed ones cost a sign test. */
function unsigned(symbol: string): Spelling {
  return ({ args: [a, b], result }) =>
    result === "uint32" ? `(${a} ${symbol} ${b})` : `i32(u32(${a}) ${symbol} u32(${b}))`;
}

function quotient(call: Call): string {
  const [a, b] = call.args;
  if (isFloatCall(call)) return `trunc(${a} / ${b})`;
  return `${call.use(call.result === "uint32" ? "uint_quotient" : "int_quotient")}(${a}, ${b})`;
}

function remainder(call: Call): string {
  const [a, b] = call.args;
  if (isFloatCall(call)) return `${call.use("fmod_exact")}(${a}, ${b})`;
  if (call.result === "uint32") return `(${a} % ${b})`;
  return `${call.use("int_remainder")}(${a}, ${b})`;
}

function cast({ args, types, result, use }: Call): string {
  const x = args[0]!, from = registerType(types[0]!), to = registerType(result);
  if (result === "float16" && types[0] !== "float16") {
    const single = from === "f32" ? x : `f32(${x})`;
    return `f32(f16(${single}))`;
  }
  if (from === to) return x;
  if (to === "bool") return from === "f32" ? `!(${x} == 0.0)` : `(${x} != 0${from[0]})`;
  if (from === "f32") return to === "i32" ? `${use("int_of")}(${x})` : `${use("uint_of")}(${x})`;
  return `${to}(${x})`;
}

function bitcast({ args, types, result }: Call): string {
  const from = registerType(types[0]!), to = registerType(result);
  return from === to ? args[0]! : `bitcast<${to}>(${args[0]})`;
}

/**
 * One spelling per scalar function. `!=` on floats is avoided: one translator makes it false for
 * NaN. `philox` is spelled by the emitter, which shares the four words of a block.
 */
export const SPELLINGS = {
  add: infix("+", "||"),
  sub: infix("-", "!="),
  mul: infix("*", "&&"),
  div: infix("/"),
  idiv: unsigned("/"),
  imod: unsigned("%"),
  tdiv: quotient,
  trem: remainder,
  fmod: remainder,
  pow: precise("pow_precise"),
  atan2: precise("atan2_precise"),
  min: extremum("minimum", "min", "&&"),
  max: extremum("maximum", "max", "||"),
  neg: ({ args: [x], result }) => result === "uint32" ? `(0u - ${x})` : `(-${x})`,
  abs: builtin("abs"),
  floor: rounding("floor"),
  ceil: rounding("ceil"),
  trunc: rounding("trunc"),
  round: rounding("round"),
  sqrt: builtin("sqrt"),
  exp: precise("exp_precise"),
  log: precise("log_precise"),
  expm1: precise("expm1_precise"),
  log1p: precise("log1p_precise"),
  sin: precise("sin_precise"),
  cos: precise("cos_precise"),
  tan: precise("tan_precise"),
  asin: precise("asin_precise"),
  acos: precise("acos_precise"),
  atan: precise("atan_precise"),
  tanh: precise("tanh_precise"),
  erf: precise("erf_precise"),
  erfc: precise("erfc_precise"),
  lt: ordered("<"),
  le: ordered("<="),
  eq: infix("=="),
  ne: ({ args: [a, b] }) => `!(${a} == ${b})`,
  isnan: (call) => isFloatCall(call) ? `${call.use("is_nan")}(${call.args[0]})` : "false",
  and: infix("&", "&&"),
  or: infix("|", "||"),
  xor: infix("^", "!="),
  not: ({ args, types }) =>
    types[0] === "bool" ? `!${args[0]}` : `(${args[0]} == ${registerType(types[0]!)}(0))`,
  shl: ({ args: [a, b] }) => `(${a} << u32(${b}))`,
  shr: ({ args: [a, b] }) => `(${a} >> u32(${b}))`,
  select: ({ args: [c, a, b] }) => `select(${b}, ${a}, ${c})`,
  cast,
  bitcast,
  philox: ({ args: [i, c, k0, k1], use }) => `${use("philox")}(${i}, ${c}, ${k0}, ${k1})`,
} satisfies Record<ScalarName, Spelling>;

/** Spells a call. */
export function spell(op: ScalarName, call: Call): string {
  const spelling: Spelling = SPELLINGS[op];
  return spelling(call);
}

/** `a` combined with `b` by a reduction that is no arg-reduction. */
export function combine(op: ReduceOp, dtype: DType, a: string, b: string, use: Use): string {
  const name: ScalarName = op === "sum"
    ? "add"
    : op === "prod"
    ? "mul"
    : op === "max"
    ? "max"
    : "min";
  return spell(name, { args: [a, b], types: [dtype, dtype], result: dtype, use });
}

/** Neutral element of a reduction, in its register type. */
export function neutral(op: ReduceOp, dtype: DType, use: Use): string {
  return literal(neutralValue(op, dtype), dtype, use);
}

/** Neutral element of a reduction as a number. */
export function neutralValue(op: ReduceOp, dtype: DType): number {
  if (op === "sum") return 0;
  if (op === "prod") return 1;
  const low = op === "max" || op === "argmax";
  switch (registerType(dtype)) {
    case "bool":
      return low ? 0 : 1;
    case "u32":
      return low ? 0 : 4294967295;
    case "i32":
      return low ? -2147483648 : 2147483647;
    case "f32":
      return low ? -Infinity : Infinity;
  }
}
