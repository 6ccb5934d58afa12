/**
 * The table of scalar functions: every function that a kernel can apply to one element.
 *
 * Each backend keeps a table `satisfies Record<ScalarName, …>`, so that a row added here does not
 * compile until every backend spells it.
 */
import type { DType } from "./dtype.ts";

/** What a row says about a scalar function. */
export interface ScalarRow {
  /** Number of arguments. */
  readonly arity: number;
  /** Result type: that of the last argument, or always `bool`, or named by the call (casts). */
  readonly result: "same" | "bool" | "given";
  /** Value in float64 (integers and bools as numbers), the oracle of all backends. */
  readonly evaluate: (...args: number[]) => number;
  /** Rough cost in multiplications, for the decision to compute again instead of storing. */
  readonly cost: number;
}

function row(
  arity: number,
  cost: number,
  evaluate: (...args: number[]) => number,
  result: ScalarRow["result"] = "same",
): ScalarRow {
  return { arity, result, evaluate, cost };
}

function bool(x: boolean): number {
  return x ? 1 : 0;
}

/** PyTorch rounds halves to even. */
export function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

const SCALE = 4294967296;

/**
 * Philox4x32-10 (Salmon et al. 2011): one word of the block for counter `(index, call, 0, 0)`.
 *
 * @param index Position of the element.
 * @param call Number of the random call since seeding.
 * @param key0 Low word of the seed.
 * @param key1 High word of the seed.
 * @param word Which of the four words, 0 to 3.
 * @returns 32 random bits as an unsigned integer.
 */
export function philox(
  index: number,
  call: number,
  key0: number,
  key1: number,
  word: number,
): number {
  let c0 = index >>> 0, c1 = call >>> 0, c2 = 0, c3 = 0, k0 = key0 >>> 0, k1 = key1 >>> 0;
  for (let round = 0; round < 10; round++) {
    const p0 = BigInt(c0) * 0xD2511F53n, p1 = BigInt(c2) * 0xCD9E8D57n;
    const hi0 = Number(p0 >> 32n), lo0 = Number(p0 & 0xFFFFFFFFn);
    const hi1 = Number(p1 >> 32n), lo1 = Number(p1 & 0xFFFFFFFFn);
    [c0, c1, c2, c3] = [(hi1 ^ c1 ^ k0) >>> 0, lo1, (hi0 ^ c3 ^ k1) >>> 0, lo0];
    k0 = (k0 + 0x9E3779B9) % SCALE;
    k1 = (k1 + 0xBB67AE85) % SCALE;
  }
  return [c0, c1, c2, c3][word]!;
}

const SCRATCH = new DataView(new ArrayBuffer(8));

/** Bits of `x` seen as another 32-bit type. */
export function bitcast(x: number, from: DType, to: DType): number {
  if (from === "float32") SCRATCH.setFloat32(0, x);
  else SCRATCH.setUint32(0, x >>> 0);
  if (to === "float32") return SCRATCH.getFloat32(0);
  return to === "int32" ? SCRATCH.getInt32(0) : SCRATCH.getUint32(0);
}

/** Error function by a series of which no term is negative, to float64 accuracy. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 2) return Math.sign(x) * (1 - erfc(a));
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

/** Complementary error function by its continued fraction, accurate in the far tail. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < 0.5) return 1 - erf(x);
  if (x > 28) return 0;
  let f = 0; // Lentz would do as well; the further out, the fewer steps.
  for (let n = Math.ceil(200 / (x * x)) + 20; n > 0; n--) f = n / 2 / (x + f);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + f);
}

/** Name of a scalar function. Written out, since a published type cannot be inferred. */
export type ScalarName =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "idiv"
  | "imod"
  | "tdiv"
  | "trem"
  | "fmod"
  | "pow"
  | "atan2"
  | "min"
  | "max"
  | "neg"
  | "abs"
  | "floor"
  | "ceil"
  | "trunc"
  | "round"
  | "sqrt"
  | "exp"
  | "log"
  | "expm1"
  | "log1p"
  | "sin"
  | "cos"
  | "tan"
  | "asin"
  | "acos"
  | "atan"
  | "tanh"
  | "erf"
  | "erfc"
  | "lt"
  | "le"
  | "eq"
  | "ne"
  | "isnan"
  | "and"
  | "or"
  | "xor"
  | "not"
  | "shl"
  | "shr"
  | "select"
  | "cast"
  | "bitcast"
  | "philox";

/**
 * Rows by name. Arithmetic is in the dtype of the arguments; comparisons give `bool`.
 * `idiv` and `imod` are for non-negative integers only (index arithmetic).
 */
export const SCALARS: Readonly<Record<ScalarName, ScalarRow>> = {
  add: row(2, 1, (a, b) => a + b),
  sub: row(2, 1, (a, b) => a - b),
  mul: row(2, 1, (a, b) => a * b),
  div: row(2, 4, (a, b) => a / b),
  idiv: row(2, 4, (a, b) => Math.floor(a / b)),
  imod: row(2, 4, (a, b) => a - Math.floor(a / b) * b),
  /** Truncated integer quotient and remainder of any sign. */
  tdiv: row(2, 4, (a, b) => Math.trunc(a / b)),
  trem: row(2, 4, (a, b) => a % b),
  /** C's `fmod`: the sign of the first argument. */
  fmod: row(2, 8, (a, b) => a % b),
  // JavaScript says NaN for 1 and −1 to the power of infinities, C and PyTorch 1.
  pow: row(2, 30, (a, b) => a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b)),
  atan2: row(2, 20, Math.atan2),
  /** NaN wins, as in PyTorch's `minimum` and `maximum`. */
  min: row(2, 1, (a, b) => a < b || a !== a ? a : b),
  max: row(2, 1, (a, b) => a > b || a !== a ? a : b),
  neg: row(1, 1, (a) => -a),
  abs: row(1, 1, Math.abs),
  floor: row(1, 1, Math.floor),
  ceil: row(1, 1, Math.ceil),
  trunc: row(1, 1, Math.trunc),
  round: row(1, 1, roundHalfEven),
  sqrt: row(1, 4, Math.sqrt),
  exp: row(1, 12, Math.exp),
  log: row(1, 12, Math.log),
  expm1: row(1, 14, Math.expm1),
  log1p: row(1, 14, Math.log1p),
  sin: row(1, 15, Math.sin),
  cos: row(1, 15, Math.cos),
  tan: row(1, 20, Math.tan),
  asin: row(1, 18, Math.asin),
  acos: row(1, 18, Math.acos),
  atan: row(1, 18, Math.atan),
  tanh: row(1, 16, Math.tanh),
  erf: row(1, 20, erf),
  erfc: row(1, 25, erfc),
  lt: row(2, 1, (a, b) => bool(a < b), "bool"),
  le: row(2, 1, (a, b) => bool(a <= b), "bool"),
  eq: row(2, 1, (a, b) => bool(a === b), "bool"),
  ne: row(2, 1, (a, b) => bool(a !== b), "bool"),
  isnan: row(1, 1, (a) => bool(a !== a), "bool"),
  /** Bitwise on integers, logical on bools. */
  and: row(2, 1, (a, b) => (a & b)),
  or: row(2, 1, (a, b) => (a | b)),
  xor: row(2, 1, (a, b) => (a ^ b)),
  /** Logical not of a bool. */
  not: row(1, 1, (a) => bool(a === 0), "bool"),
  shl: row(2, 1, (a, b) => a << b),
  /** Logical for uint32, arithmetic for int32. */
  shr: row(2, 1, (a, b) => a < SCALE / 2 ? a >> b : a >>> b),
  /** `select(condition, ifTrue, ifFalse)`; both sides are evaluated. */
  select: row(3, 1, (c, a, b) => c !== 0 ? a : b),
  /** Numeric conversion to the dtype of the call; float to integer truncates and saturates. */
  cast: row(1, 1, (a) => a, "given"),
  /** The same 32 bits read as the dtype of the call. */
  bitcast: row(1, 1, (a) => a, "given"),
  /** `philox(index, call, key0, key1, word)`, uint32; `word` is a constant. */
  philox: row(5, 60, philox),
};

/** Row of a scalar function. */
export function scalarRow(name: ScalarName): ScalarRow {
  return SCALARS[name];
}
