/**
 * How each scalar function is spelled in WebAssembly: float32 in four lanes, integers and bools in
 * four lanes or as scalars. float64 is spelled in `math_f64.ts`.
 *
 * @module
 */
import type { DType } from "../../ir/dtype.ts";
import type { ScalarName } from "../../ir/scalar.ts";
import type { FunctionBuilder, Local, Opcode } from "./assembler.ts";
import type { CodeModule } from "./emit.ts";
import type { CallNode } from "./emit_node.ts";
import { erfcF32, erfF32, expF32, extremeF32, isNanF32, logF32, tanhF32 } from "./math_f32.ts";
import {
  emitPhilox,
  emitPower,
  perLane,
  quotientLanes,
  remainderLanes,
  safeDivision,
} from "./math_integer.ts";
import { emitWide, type WideName } from "./math_wide.ts";

/** Leaves the function's value on the stack. */
type Spell = (
  f: FunctionBuilder,
  args: readonly Local[],
  node: CallNode,
  module: CodeModule,
) => void;

/** Spellings of one function by the dtype that it works in. */
interface Spelling {
  /** float32 in lanes. */
  readonly float?: Spell;
  /** int32 in lanes; uint32 too unless `unsigned` is there. */
  readonly lanes?: Spell;
  readonly unsignedLanes?: Spell;
  /** Masks in lanes. */
  readonly masks?: Spell;
  /** int32 scalar; uint32 too unless `unsigned` is there; bools unless `bool` is there. */
  readonly scalar?: Spell;
  readonly unsigned?: Spell;
  readonly bool?: Spell;
}

function ops(...names: Opcode[]): Spell {
  return (f, args) => void f.get(...args).op(...names);
}

function wide(name: WideName): Spell {
  return (f, args, _node, module) => emitWide(f, args, module, name);
}

function lanewise(scalar: Spell): Spell {
  return (f, args, node, module) => perLane(f, args, (g, parts) => scalar(g, parts, node, module));
}

function same(f: FunctionBuilder, args: readonly Local[]): void {
  f.get(args[0]!);
}

function compare(name: "lt" | "le" | "eq" | "ne"): Spelling {
  const sign = name === "lt" || name === "le";
  // On bools: false is before true.
  const masks: Record<typeof name, Spell> = {
    lt: (f, [a, b]) => void f.get(b!, a!).op("v128.andnot"),
    le: (f, [a, b]) => void f.get(a!).op("v128.not").get(b!).op("v128.or"),
    eq: ops("i32x4.eq"),
    ne: ops("v128.xor"),
  };
  return {
    float: ops(`f32x4.${name}`),
    lanes: ops(sign ? `i32x4.${name}_s` as Opcode : `i32x4.${name}` as Opcode),
    unsignedLanes: ops(sign ? `i32x4.${name}_u` as Opcode : `i32x4.${name}` as Opcode),
    masks: masks[name],
    scalar: ops(sign ? `i32.${name}_s` as Opcode : `i32.${name}` as Opcode),
    unsigned: ops(sign ? `i32.${name}_u` as Opcode : `i32.${name}` as Opcode),
  };
}

function bitwise(name: "and" | "or" | "xor"): Spelling {
  const lanes = ops(`v128.${name}`);
  return { lanes, masks: lanes, scalar: ops(`i32.${name}`) };
}

/** `a` if `condition` else `b`, as `i32.select` orders its operands. */
function pick(condition: Opcode): Spell {
  return (f, [a, b]) => void f.get(a!, b!, a!, b!).op(condition, "select");
}

function extreme(name: "min" | "max"): Spelling {
  const [less, both]: [Opcode, Opcode] = name === "min"
    ? ["i32.lt_s", "v128.and"]
    : ["i32.gt_s", "v128.or"];
  const general = extremeF32(name);
  return {
    float: (f, args, node) => {
      const [a, b] = node.args;
      const op = `f32x4.p${name}` as const;
      // With a constant the NaN can only come from one side, which pmin and pmax keep.
      if (b?.kind === "const" && b.value === b.value) f.get(args[0]!, args[1]!).op(op);
      else if (a?.kind === "const" && a.value === a.value) f.get(args[1]!, args[0]!).op(op);
      else general(f, args);
    },
    lanes: ops(`i32x4.${name}_s`),
    unsignedLanes: ops(`i32x4.${name}_u`),
    masks: ops(both),
    scalar: pick(less),
    unsigned: pick(name === "min" ? "i32.lt_u" : "i32.gt_u"),
  };
}

/** Floats rounded, integers as they are. */
function rounding(op: Opcode): Spelling {
  return { float: ops(op), lanes: same, scalar: same };
}

function floatOnly(float: Spell): Spelling {
  return { float };
}

/** A shift: by one amount for all lanes where it is a constant. */
function shift(lanes: Opcode, scalar: Opcode): Spell {
  return (f, args, node) => {
    const amount = node.args[1]!;
    if (amount.kind === "const") f.get(args[0]!).i32(amount.value).op(lanes);
    else perLane(f, args, (g, parts) => void g.get(...parts).op(scalar));
  };
}

function division(op: "div" | "rem"): Spelling {
  const [scalar, unsigned] = [safeDivision(`i32.${op}_s`), safeDivision(`i32.${op}_u`)];
  return {
    float: op === "div"
      ? (f, args) => void f.get(...args).op("f32x4.div", "f32x4.trunc")
      : wide("fmod"),
    lanes: lanewise(scalar),
    unsignedLanes: lanewise(unsigned),
    scalar,
    unsigned,
  };
}

/** Division of non-negative integers, strength-reduced for constants in lanes. */
function indexDivision(
  op: Opcode,
  lanes: (f: FunctionBuilder, x: Local, d: number) => void,
): Spelling {
  const scalar = safeDivision(op);
  return {
    float: (f, [a, b]) => {
      const quotient = () => f.get(a!, b!).op("f32x4.div", "f32x4.floor");
      if (op === "i32.div_u") quotient();
      else {
        f.get(a!);
        quotient().get(b!).op("f32x4.mul", "f32x4.sub");
      }
    },
    lanes: (f, args, node, module) => {
      const d = node.args[1]!;
      if (d.kind === "const" && d.value > 0) lanes(f, args[0]!, d.value);
      else lanewise(scalar)(f, args, node, module);
    },
    scalar: (f, args, node) => {
      const d = node.args[1]!;
      if (d.kind === "const" && d.value > 0) f.get(args[0]!).i32(d.value).op(op);
      else scalar(f, args);
    },
  };
}

/** Small powers by products: exponents in models are 2, 3, 0.5, −1. */
function power(f: FunctionBuilder, args: readonly Local[], node: CallNode, m: CodeModule): void {
  const [, exponent] = node.args;
  const x = args[0]!;
  const value = exponent?.kind === "const" ? exponent.value : NaN;
  if (value === 1) f.get(x);
  else if (value === 2) f.get(x, x).op("f32x4.mul");
  else if (value === 3) f.get(x, x).op("f32x4.mul").get(x).op("f32x4.mul");
  else if (value === -1) f.f32x4(1).get(x).op("f32x4.div");
  else emitWide(f, args, m, "pow");
}

function castLanes(f: FunctionBuilder, from: DType, to: DType): void {
  if (from === to || (isWord(from) && isWord(to))) return;
  if (from === "bool") to === "float32" ? f.f32x4(1).op("v128.and") : f.i32x4(1).op("v128.and");
  else if (to === "bool") {
    from === "float32" ? f.f32x4(0).op("f32x4.ne") : f.i32x4(0).op("i32x4.ne");
  } else if (from === "float32") {
    f.op(to === "int32" ? "i32x4.trunc_sat_f32x4_s" : "i32x4.trunc_sat_f32x4_u");
  } else f.op(from === "int32" ? "f32x4.convert_i32x4_s" : "f32x4.convert_i32x4_u");
}

function isWord(dtype: DType): boolean {
  return dtype === "int32" || dtype === "uint32";
}

function cast(f: FunctionBuilder, [x]: readonly Local[], node: CallNode): void {
  f.get(x!);
  castLanes(f, node.args[0]!.dtype, node.dtype);
}

function selectLanes(f: FunctionBuilder, [c, a, b]: readonly Local[]): void {
  f.get(a!, b!, c!).op("v128.bitselect");
}

function selectScalar(f: FunctionBuilder, [c, a, b]: readonly Local[]): void {
  f.get(a!, b!, c!).op("select");
}

function philox(
  f: FunctionBuilder,
  args: readonly Local[],
  node: CallNode,
  module: CodeModule,
): void {
  const word = node.args[4]!;
  emitPhilox(f, args, module, word.kind === "const" ? word.value : 0);
}

function philoxScalar(
  f: FunctionBuilder,
  args: readonly Local[],
  node: CallNode,
  module: CodeModule,
): void {
  const lanes = args.slice(0, 4).map((a) => {
    const lane = f.local("v128");
    f.get(a).op("i32x4.splat").set(lane);
    return lane;
  });
  philox(f, lanes, node, module);
  f.lane("i32x4.extract_lane", 0);
}

function zeroMinus(f: FunctionBuilder, [x]: readonly Local[]): void {
  f.i32(0).get(x!).op("i32.sub");
}

function absolute(f: FunctionBuilder, [x]: readonly Local[]): void {
  f.i32(0).get(x!).op("i32.sub").get(x!, x!).i32(0).op("i32.lt_s", "select");
}

const SPELLINGS = {
  add: {
    float: ops("f32x4.add"),
    lanes: ops("i32x4.add"),
    masks: ops("v128.or"),
    scalar: ops("i32.add"),
    bool: ops("i32.or"),
  },
  sub: {
    float: ops("f32x4.sub"),
    lanes: ops("i32x4.sub"),
    masks: ops("v128.xor"),
    scalar: ops("i32.sub"),
    bool: ops("i32.xor"),
  },
  mul: {
    float: ops("f32x4.mul"),
    lanes: ops("i32x4.mul"),
    masks: ops("v128.and"),
    scalar: ops("i32.mul"),
  },
  div: { ...division("div"), float: ops("f32x4.div") },
  idiv: indexDivision("i32.div_u", quotientLanes),
  imod: indexDivision("i32.rem_u", remainderLanes),
  tdiv: division("div"),
  trem: division("rem"),
  fmod: { ...division("rem"), float: wide("fmod") },
  pow: {
    float: power,
    lanes: (f, args, _n, m) => perLane(f, args, (g, parts) => emitPower(g, parts, m)),
    scalar: (f, args, _n, m) => emitPower(f, args, m),
  },
  atan2: floatOnly(wide("atan2")),
  min: extreme("min"),
  max: extreme("max"),
  neg: { float: ops("f32x4.neg"), lanes: ops("i32x4.neg"), scalar: zeroMinus },
  abs: {
    float: ops("f32x4.abs"),
    lanes: ops("i32x4.abs"),
    unsignedLanes: same,
    masks: same,
    scalar: absolute,
    unsigned: same,
  },
  floor: rounding("f32x4.floor"),
  ceil: rounding("f32x4.ceil"),
  trunc: rounding("f32x4.trunc"),
  round: rounding("f32x4.nearest"),
  sqrt: floatOnly(ops("f32x4.sqrt")),
  exp: floatOnly(expF32),
  log: floatOnly(logF32),
  expm1: floatOnly(wide("expm1")),
  log1p: floatOnly(wide("log1p")),
  sin: floatOnly(wide("sin")),
  cos: floatOnly(wide("cos")),
  tan: floatOnly(wide("tan")),
  asin: floatOnly(wide("asin")),
  acos: floatOnly(wide("acos")),
  atan: floatOnly(wide("atan")),
  tanh: floatOnly(tanhF32),
  erf: floatOnly(erfF32),
  erfc: floatOnly(erfcF32),
  lt: compare("lt"),
  le: compare("le"),
  eq: compare("eq"),
  ne: compare("ne"),
  isnan: {
    float: isNanF32,
    lanes: (f) => void f.i32x4(0),
    masks: (f) => void f.i32x4(0),
    scalar: (f) => void f.i32(0),
  },
  and: bitwise("and"),
  or: bitwise("or"),
  xor: bitwise("xor"),
  not: {
    float: (f, [x]) => void f.get(x!).f32x4(0).op("f32x4.eq"),
    lanes: (f, [x]) => void f.get(x!).i32x4(0).op("i32x4.eq"),
    masks: ops("v128.not"),
    scalar: ops("i32.eqz"),
  },
  shl: { lanes: shift("i32x4.shl", "i32.shl"), scalar: ops("i32.shl") },
  shr: {
    lanes: shift("i32x4.shr_s", "i32.shr_s"),
    unsignedLanes: shift("i32x4.shr_u", "i32.shr_u"),
    scalar: ops("i32.shr_s"),
    unsigned: ops("i32.shr_u"),
  },
  select: { float: selectLanes, lanes: selectLanes, masks: selectLanes, scalar: selectScalar },
  cast: {
    float: cast,
    lanes: cast,
    masks: cast,
    scalar: (f, [x], node) => {
      f.get(x!);
      if (node.dtype === "bool" && node.args[0]!.dtype !== "bool") f.i32(0).op("i32.ne");
    },
  },
  bitcast: { float: same, lanes: same, scalar: same },
  philox: { lanes: philox, scalar: philoxScalar },
} satisfies Record<ScalarName, Spelling>;

/** The dtype that a call works in: that of its last operand. */
function workingType(node: CallNode): DType {
  return node.args.at(-1)!.dtype;
}

function missing(node: CallNode): never {
  const types = node.args.map((a) => a.dtype).join(", ");
  throw new Error(`internal: no spelling of ${node.op}(${types})`);
}

/** Emits a call whose operands are vectors (bools as masks). */
export function emitVectorCall(
  f: FunctionBuilder,
  node: CallNode,
  args: readonly Local[],
  module: CodeModule,
): void {
  const row: Spelling = SPELLINGS[node.op];
  const type = workingType(node);
  const spell = type === "float32"
    ? row.float
    : type === "uint32"
    ? row.unsignedLanes ?? row.lanes
    : type === "bool"
    ? row.masks ?? row.lanes
    : row.lanes;
  (spell ?? missing(node))(f, args, node, module);
}

/** Emits a call whose operands are `i32` scalars. */
export function emitScalarCall(
  f: FunctionBuilder,
  node: CallNode,
  args: readonly Local[],
  module: CodeModule,
): void {
  const row: Spelling = SPELLINGS[node.op];
  const type = workingType(node);
  const spell = type === "uint32" && row.unsigned
    ? row.unsigned
    : type === "bool" && row.bool
    ? row.bool
    : row.scalar;
  (spell ?? missing(node))(f, args, node, module);
}
