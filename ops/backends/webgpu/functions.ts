/**
 * WGSL functions that kernels call.
 *
 * WGSL leaves the accuracy of its own transcendental functions open (Vulkan promises 2⁻¹¹ for
 * `sin`), lets `exp` inside `tanh` overflow and says nothing about NaN. So these are written out:
 * Cephes' single-precision polynomials, fdlibm's `powf`, Payne and Hanek's reduction for large
 * angles, and least-squares fits for `erf` and `erfc`. NaN and infinity are tested by bits, since
 * compilers may assume that they do not occur.
 */
import {
  ERF,
  ERF_NEAR,
  ERFC,
  ERFC_FAR,
  EXP,
  EXPM1,
  LOG,
  LOG1P,
  LOG_TAIL,
  POW,
  POW_MAGNITUDE,
  SCALE,
  TANH,
} from "./functions_exponential.ts";
import {
  ACOS,
  ASIN,
  ASIN_TAIL,
  ATAN,
  ATAN2,
  COS,
  REDUCE_ANGLE,
  REDUCE_LARGE_ANGLE,
  SIN,
  SIN_QUADRANT,
  TAN,
} from "./functions_angle.ts";
import { helper, type HelperRow } from "./helper.ts";

const INFINITY = helper(`
// Not a constant expression: WGSL refuses infinities in those.
var<private> infinity_bits: u32 = 0x7f800000u;
fn infinity() -> f32 { return bitcast<f32>(infinity_bits); }
fn not_a_number() -> f32 { return bitcast<f32>(infinity_bits | 0x400000u); }`);

const IS_NAN = helper(`
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`);

const IS_INFINITE = helper(`
fn is_infinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }`);

// NaN wins, and of two equal values the second, as in the table of scalar functions.
const MINIMUM = helper(
  `
fn minimum(a: f32, b: f32) -> f32 { return select(select(b, a, a < b), a, is_nan(a)); }`,
  "is_nan",
);

const MAXIMUM = helper(
  `
fn maximum(a: f32, b: f32) -> f32 { return select(select(b, a, a > b), a, is_nan(a)); }`,
  "is_nan",
);

const COPY_SIGN = helper(`
fn copy_sign(size: f32, sign: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(size) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}`);

/** Exact remainder by long division of the mantissas, eight bits of quotient at a time. */
const FMOD = helper(
  `
fn fmod_exact(a: f32, b: f32) -> f32 {
  if (is_nan(a) || is_nan(b) || is_infinite(a) || b == 0.0) { return not_a_number(); }
  let x = abs(a);
  let y = abs(b);
  if (x < y) { return a; }
  let bits_x = bitcast<u32>(x);
  let bits_y = bitcast<u32>(y);
  var e_x = i32(bits_x >> 23u);
  var e_y = i32(bits_y >> 23u);
  var m_x = bits_x & 0x7fffffu;
  var m_y = bits_y & 0x7fffffu;
  if (e_x > 0) { m_x |= 0x800000u; } else { e_x = 1; }
  if (e_y > 0) { m_y |= 0x800000u; } else { e_y = 1; }
  var rest = m_x % m_y;
  var left = u32(e_x - e_y);
  while (left > 0u) {
    let step = min(left, 8u);
    rest = (rest << step) % m_y;
    left -= step;
  }
  // rest · 2^(e_y − 150), put together without rounding.
  var bits = 0u;
  if (rest != 0u) {
    let zeros = countLeadingZeros(rest) - 8u;
    let shift = min(zeros, u32(e_y - 1));
    rest = rest << shift;
    bits = select(rest, (rest & 0x7fffffu) | ((u32(e_y) - shift) << 23u), rest >= 0x800000u);
  }
  return copy_sign(bitcast<f32>(bits), a);
}`,
  "is_nan",
  "is_infinite",
  "infinity",
  "copy_sign",
);

const INT_OF = helper(
  `
fn int_of(x: f32) -> i32 {
  if (is_nan(x)) { return 0; }
  if (x >= 2147483648.0) { return 2147483647; }
  if (x <= -2147483648.0) { return bitcast<i32>(0x80000000u); }
  return i32(x);
}`,
  "is_nan",
);

const UINT_OF = helper(
  `
fn uint_of(x: f32) -> u32 {
  if (is_nan(x) || x <= 0.0) { return 0u; }
  if (x >= 4294967296.0) { return 4294967295u; }
  return u32(x);
}`,
  "is_nan",
);

// Divided by 0 is 0, with remainder 0, as on all devices.
const UINT_QUOTIENT = helper(`
fn uint_quotient(a: u32, b: u32) -> u32 { return select(a / max(b, 1u), 0u, b == 0u); }`);

// Signed division goes through magnitudes: some drivers get negative operands wrong.
const INT_QUOTIENT = helper(
  `
fn int_quotient(a: i32, b: i32) -> i32 {
  let q = i32(uint_quotient(bitcast<u32>(abs(a)), bitcast<u32>(abs(b))));
  return select(q, -q, (a < 0) != (b < 0));
}`,
  "uint_quotient",
);

const INT_REMAINDER = helper(`
fn int_remainder(a: i32, b: i32) -> i32 {
  let r = i32(bitcast<u32>(abs(a)) % max(bitcast<u32>(abs(b)), 1u));
  return select(r, -r, a < 0);
}`);

const MULTIPLY_WIDE = helper(`
fn multiply_wide(a: u32, b: u32) -> vec2<u32> {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let cross = a0 * b1 + (middle & 0xffffu);
  return vec2<u32>(a * b, a1 * b1 + (middle >> 16u) + (cross >> 16u));
}`);

const PHILOX = helper(
  `
fn philox(index: u32, call: u32, key0: u32, key1: u32) -> vec4<u32> {
  var c = vec4<u32>(index, call, 0u, 0u);
  var k0 = key0;
  var k1 = key1;
  for (var i = 0u; i < 10u; i++) {
    let p = multiply_wide(c.x, 0xD2511F53u);
    let q = multiply_wide(c.z, 0xCD9E8D57u);
    c = vec4<u32>(q.y ^ c.y ^ k0, q.x, p.y ^ c.w ^ k1, p.x);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}`,
  "multiply_wide",
);

const HELPERS = {
  infinity: INFINITY,
  is_nan: IS_NAN,
  is_infinite: IS_INFINITE,
  minimum: MINIMUM,
  maximum: MAXIMUM,
  copy_sign: COPY_SIGN,
  scale_by: SCALE,
  exp_precise: EXP,
  expm1_precise: EXPM1,
  log_tail: LOG_TAIL,
  log_precise: LOG,
  log1p_precise: LOG1P,
  reduce_angle: REDUCE_ANGLE,
  reduce_large_angle: REDUCE_LARGE_ANGLE,
  sin_quadrant: SIN_QUADRANT,
  sin_precise: SIN,
  cos_precise: COS,
  tan_precise: TAN,
  asin_tail: ASIN_TAIL,
  asin_precise: ASIN,
  acos_precise: ACOS,
  atan_precise: ATAN,
  atan2_precise: ATAN2,
  tanh_precise: TANH,
  erf_near: ERF_NEAR,
  erfc_far: ERFC_FAR,
  erf_precise: ERF,
  erfc_precise: ERFC,
  pow_magnitude: POW_MAGNITUDE,
  pow_precise: POW,
  fmod_exact: FMOD,
  int_of: INT_OF,
  uint_of: UINT_OF,
  uint_quotient: UINT_QUOTIENT,
  int_quotient: INT_QUOTIENT,
  int_remainder: INT_REMAINDER,
  multiply_wide: MULTIPLY_WIDE,
  philox: PHILOX,
} satisfies Record<string, HelperRow>;

/** Name of a function that kernels may call. */
export type HelperName = keyof typeof HELPERS;

/** Text of the named functions and of all that they call, each once. */
export function helperText(names: Iterable<HelperName>): string {
  const texts = new Map<string, string>();
  function include(name: string): void {
    if (texts.has(name)) return;
    const { uses, text } = HELPERS[name as HelperName];
    texts.set(name, text);
    for (const used of uses) include(used);
  }
  for (const name of names) include(name);
  return [...texts.keys()].sort().map((name) => texts.get(name)).join("\n");
}
