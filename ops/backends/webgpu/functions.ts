/**
 * WGSL functions that kernels call.
 *
 * WGSL leaves the accuracy of its own transcendental functions open (Vulkan promises 2⁻¹¹ for
 * `sin`), lets `exp` inside `tanh` overflow and says nothing about NaN. So these are written out:
 * Cephes' single-precision polynomials, fdlibm's `powf`, Payne and Hanek's reduction for large
 * angles, and least-squares fits for `erf` and `erfc`. NaN and infinity are tested by bits, since
 * compilers may assume that they do not occur.
 */

/** A function and those that it calls. */
interface HelperRow {
  readonly uses: readonly string[];
  readonly text: string;
}

function helper(text: string, ...uses: string[]): HelperRow {
  return { uses, text };
}

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

/** 2ⁿ by exponent bits in two factors, so that results beyond 2¹²⁷ and below 2⁻¹²⁶ come out right. */
const SCALE = helper(`
fn scale_by(x: f32, n: i32) -> f32 {
  let half = n >> 1u;
  return x * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(n - half + 127) << 23u);
}`);

const EXP = helper(
  `
fn exp_precise(x: f32) -> f32 {
  let c = clamp(x, -104.0, 89.0);
  let n = round(c * 1.44269504);
  let r = (c - n * 0.693359375) + n * 2.12194440e-4;
  var p = 1.9875691500e-4;
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  let y = scale_by(p * r * r + r + 1.0, i32(n));
  return select(y, x, is_nan(x));
}`,
  "scale_by",
  "is_nan",
);

const EXPM1 = helper(
  `
fn expm1_precise(x: f32) -> f32 {
  if (abs(x) < 0.35) {
    var p = 1.9841270e-4;
    p = p * x + 1.3888889e-3;
    p = p * x + 8.3333333e-3;
    p = p * x + 4.1666667e-2;
    p = p * x + 1.6666667e-1;
    p = p * x + 0.5;
    return p * x * x + x;
  }
  return exp_precise(x) - 1.0;
}`,
  "exp_precise",
);

/** log(1 + f) for 1 + f in [√½, √2), without the leading f. */
const LOG_TAIL = helper(`
fn log_tail(f: f32) -> f32 {
  var p = 7.0376836292e-2;
  p = p * f - 1.1514610310e-1;
  p = p * f + 1.1676998740e-1;
  p = p * f - 1.2420140846e-1;
  p = p * f + 1.4249322787e-1;
  p = p * f - 1.6668057665e-1;
  p = p * f + 2.0000714765e-1;
  p = p * f - 2.4999993993e-1;
  p = p * f + 3.3333331174e-1;
  return p * f * f * f;
}`);

const LOG = helper(
  `
fn log_precise(x: f32) -> f32 {
  let tiny = x < 1.17549435e-38;
  let y = select(x, x * 8388608.0, tiny);
  let k = (bitcast<i32>(y) - 0x3f3504f3) >> 23u;
  let f = bitcast<f32>(bitcast<i32>(y) - (k << 23u)) - 1.0;
  let e = f32(k) - select(0.0, 23.0, tiny);
  let tail = log_tail(f) - e * 2.12194440e-4 - 0.5 * f * f;
  var result = f + tail + e * 0.693359375;
  if (y <= 0.0) { result = select(not_a_number(), -infinity(), y == 0.0); }
  let bits = bitcast<u32>(x);
  return select(result, x, (bits & 0x7fffffffu) > 0x7f800000u || bits == 0x7f800000u);
}`,
  "log_tail",
  "infinity",
);

const LOG1P = helper(
  `
fn log1p_precise(x: f32) -> f32 {
  if (x > -0.29 && x < 0.41) { return x + (log_tail(x) - 0.5 * x * x); }
  return log_precise(1.0 + x);
}`,
  "log_tail",
  "log_precise",
);

/** x = quadrant · π/2 + angle; returns (angle, quadrant). */
const REDUCE_ANGLE = helper(
  `
fn reduce_angle(x: f32) -> vec2<f32> {
  let n = round(x * 0.6366197724);
  let r = ((x - n * 1.5703125) - n * 4.837512969970703e-4) - n * 7.549789954891882e-8;
  if (abs(x) < 8192.0) { return vec2<f32>(r, f32(u32(i32(n)) & 3u)); }
  return reduce_large_angle(x);
}`,
  "reduce_large_angle",
);

/** Payne and Hanek: the fraction of x · 2/π from as many bits of 2/π as the exponent asks for. */
const REDUCE_LARGE_ANGLE = helper(
  `
fn reduce_large_angle(x: f32) -> vec2<f32> {
  let bits = bitcast<u32>(x);
  let exponent = (bits >> 23u) & 0xffu;
  if (exponent == 255u) { return vec2<f32>(not_a_number(), 0.0); }
  var two_over_pi = array<u32, 6>(
    0x3c439041u, 0xdb629599u, 0xf534ddc0u, 0xfc2757d1u, 0x4e441529u, 0xa2f9836eu);
  var words = array<u32, 7>(0u, 0u, 0u, 0u, 0u, 0u, 0u);
  let mantissa = (bits << 8u) | 0x80000000u;
  var carry = 0u;
  for (var i = 0u; i < 6u; i++) {
    let p = multiply_wide(two_over_pi[i], mantissa);
    let low = p.x + carry;
    words[i] = low;
    carry = p.y + select(0u, 1u, low < carry);
  }
  words[6] = carry;
  let e = exponent - 128u;
  let q = 4u - (e >> 5u);
  let shift = e & 31u;
  var high = words[q + 2u];
  var low = words[q + 1u];
  if (shift != 0u) {
    high = (high << shift) | (low >> (32u - shift));
    low = (low << shift) | (words[q] >> (32u - shift));
  }
  var quadrant = high >> 30u;
  high = (high << 2u) | (low >> 30u);
  low = low << 2u;
  let above = (high >> 31u) != 0u;
  if (above) {
    quadrant += 1u;
    high = ~high;
    low = ~low;
  }
  var r = (f32(high) + f32(low) * 2.3283064365386963e-10) * 3.6572952e-10;
  if (above != ((bits >> 31u) != 0u)) { r = -r; }
  if ((bits >> 31u) != 0u) { quadrant = 4u - (quadrant & 3u); }
  return vec2<f32>(r, f32(quadrant & 3u));
}`,
  "multiply_wide",
  "infinity",
);

const SIN_QUADRANT = helper(`
fn sin_quadrant(r: f32, quadrant: f32) -> f32 {
  let z = r * r;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z
    - 0.5 * z + 1.0;
  let y = select(s, c, quadrant == 1.0 || quadrant == 3.0);
  return select(y, -y, quadrant >= 2.0);
}`);

const SIN = helper(
  `
fn sin_precise(x: f32) -> f32 {
  let a = reduce_angle(x);
  return sin_quadrant(a.x, a.y);
}`,
  "reduce_angle",
  "sin_quadrant",
);

const COS = helper(
  `
fn cos_precise(x: f32) -> f32 {
  let a = reduce_angle(x);
  return sin_quadrant(a.x, select(a.y + 1.0, 0.0, a.y == 3.0));
}`,
  "reduce_angle",
  "sin_quadrant",
);

const TAN = helper(
  `
fn tan_precise(x: f32) -> f32 {
  let a = reduce_angle(x);
  let z = a.x * a.x;
  var p = 9.38540185543e-3;
  p = p * z + 3.11992232697e-3;
  p = p * z + 2.44301354525e-2;
  p = p * z + 5.34112807005e-2;
  p = p * z + 1.33387994085e-1;
  p = p * z + 3.33331568548e-1;
  let y = p * z * a.x + a.x;
  return select(y, -1.0 / y, a.y == 1.0 || a.y == 3.0);
}`,
  "reduce_angle",
);

/** asin of |x| ≤ ½ as `x + x · tail(x²)`. */
const ASIN_TAIL = helper(`
fn asin_tail(z: f32) -> f32 {
  var p = 4.2163199048e-2;
  p = p * z + 2.4181311049e-2;
  p = p * z + 4.5470025998e-2;
  p = p * z + 7.4953002686e-2;
  return (p * z + 1.6666752422e-1) * z;
}`);

const ASIN = helper(
  `
fn asin_precise(x: f32) -> f32 {
  let a = abs(x);
  let outer = a > 0.5;
  let z = select(a * a, 0.5 * (1.0 - a), outer);
  let s = select(a, sqrt(max(z, 0.0)), outer);
  let t = s + s * asin_tail(z);
  let y = copy_sign(select(t, 1.5707963268 - 2.0 * t, outer), x);
  return select(not_a_number(), y, a <= 1.0);
}`,
  "asin_tail",
  "copy_sign",
  "infinity",
);

const ACOS = helper(
  `
fn acos_precise(x: f32) -> f32 {
  let a = abs(x);
  let outer = a > 0.5;
  let z = select(a * a, 0.5 * (1.0 - a), outer);
  let s = select(x, sqrt(max(z, 0.0)), outer);
  let t = s + s * asin_tail(z);
  let far = select(2.0 * t, 3.1415926536 - 2.0 * t, x < 0.0);
  let y = select(1.5707963268 - t, far, outer);
  return select(not_a_number(), y, a <= 1.0);
}`,
  "asin_tail",
  "infinity",
);

const ATAN = helper(
  `
fn atan_precise(x: f32) -> f32 {
  let a = abs(x);
  var base = 0.0;
  var s = a;
  if (a > 2.414213562373095) {
    base = 1.5707963268;
    s = -1.0 / a;
    if (is_infinite(a)) { s = 0.0; }
  } else if (a > 0.4142135623730950) {
    base = 0.7853981634;
    s = (a - 1.0) / (a + 1.0);
  }
  let z = s * s;
  var p = 8.05374449538e-2;
  p = p * z - 1.38776856032e-1;
  p = p * z + 1.99777106478e-1;
  p = p * z - 3.33329491539e-1;
  return copy_sign(base + (p * z * s + s), x);
}`,
  "copy_sign",
  "is_infinite",
);

const ATAN2 = helper(
  `
fn atan2_precise(y: f32, x: f32) -> f32 {
  if (is_nan(x) || is_nan(y)) { return not_a_number(); }
  let far = max(abs(x), abs(y));
  let near = min(abs(x), abs(y));
  var ratio = 0.0;
  if (is_infinite(far)) { ratio = select(0.0, 1.0, is_infinite(near)); }
  else if (far > 0.0) { ratio = near / far; }
  var angle = atan_precise(ratio);
  if (abs(y) > abs(x)) { angle = 1.5707963268 - angle; }
  if ((bitcast<u32>(x) >> 31u) != 0u) { angle = 3.1415926536 - angle; }
  return copy_sign(angle, y);
}`,
  "atan_precise",
  "copy_sign",
  "is_nan",
  "is_infinite",
  "infinity",
);

const TANH = helper(
  `
fn tanh_precise(x: f32) -> f32 {
  let a = abs(x);
  let z = x * x;
  var p = -5.70498872745e-3;
  p = p * z + 2.06390887954e-2;
  p = p * z - 5.37397155531e-2;
  p = p * z + 1.33314422036e-1;
  p = p * z - 3.33332819422e-1;
  let near = p * z * x + x;
  // Past 10 the result is 1 to the last bit; the clamp keeps exp from overflowing.
  let far = copy_sign(1.0 - 2.0 / (exp_precise(2.0 * min(a, 10.0)) + 1.0), x);
  return select(select(far, near, a < 0.625), x, is_nan(x));
}`,
  "exp_precise",
  "copy_sign",
  "is_nan",
);

/** erf(x) / x − 1 on |x| ≤ 1, by x² (relative error of the fit 1.2e-9). */
const ERF_NEAR = helper(`
fn erf_near(x: f32) -> f32 {
  let z = x * x;
  var p = 7.889119e-5;
  p = p * z - 8.020841e-4;
  p = p * z + 5.1895352e-3;
  p = p * z - 2.6854444e-2;
  p = p * z + 1.12836003e-1;
  p = p * z - 3.7612626e-1;
  p = p * z + 1.28379166e-1;
  return p * x + x;
}`);

/** erfc(x) = exp(−x²) · t · q(t), t = 1 / (1 + x/2), for ½ ≤ x ≤ 10.6 (relative error 9.8e-9). */
const ERFC_FAR = helper(
  `
fn erfc_far(x: f32) -> f32 {
  let c = min(x, 10.6);
  let t = 1.0 / (1.0 + 0.5 * c);
  var q = -6.0185082e-2;
  q = q * t + 2.9218575e-1;
  q = q * t - 5.0530791e-1;
  q = q * t + 2.9970288e-1;
  q = q * t - 4.1310560e-2;
  q = q * t + 2.0856801e-1;
  q = q * t + 2.4173763e-1;
  q = q * t + 2.8254417e-1;
  q = q * t + 2.8207788e-1;
  // The upper bits' square is exact, so the large exponent carries no rounding error.
  let upper = bitcast<f32>(bitcast<u32>(c) & 0xfffff000u);
  return exp_precise(-upper * upper) * exp_precise((upper - c) * (upper + c)) * (q * t);
}`,
  "exp_precise",
);

const ERF = helper(
  `
fn erf_precise(x: f32) -> f32 {
  let a = abs(x);
  let y = select(copy_sign(1.0 - erfc_far(max(a, 0.5)), x), erf_near(x), a < 1.0);
  return select(y, x, is_nan(x));
}`,
  "erf_near",
  "erfc_far",
  "copy_sign",
  "is_nan",
);

const ERFC = helper(
  `
fn erfc_precise(x: f32) -> f32 {
  let far = erfc_far(max(abs(x), 0.5));
  let y = select(select(far, 2.0 - far, x < 0.0), 1.0 - erf_near(x), abs(x) < 0.5);
  return select(y, x, is_nan(x));
}`,
  "erf_near",
  "erfc_far",
  "is_nan",
);

/** fdlibm's \`powf\` (Sun Microsystems 1993): log2 in two floats, so that large powers stay exact. */
const POW_MAGNITUDE = helper(
  `
fn upper_bits(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u); }

// x ** y for finite x > 0 and finite y.
fn pow_magnitude(x: f32, y: f32) -> f32 {
  let tiny = x < 1.17549435e-38;
  var bits = bitcast<u32>(select(x, x * 16777216.0, tiny));
  var n = i32(bits >> 23u) - 127 - select(0, 24, tiny);
  let j = bits & 0x007fffffu;
  var k = 0u;
  bits = j | 0x3f800000u;
  if (j > 0x1cc471u) {
    if (j < 0x5db3d7u) { k = 1u; } else { n += 1; bits -= 0x00800000u; }
  }
  let a = bitcast<f32>(bits);
  let base = select(1.0, 1.5, k == 1u);
  let u0 = a - base;
  let v0 = 1.0 / (a + base);
  let s = u0 * v0;
  let s_h = upper_bits(s);
  let b_h = bitcast<f32>((((bits >> 1u) & 0xfffff000u) | 0x20000000u) + 0x00400000u + (k << 21u));
  let b_l = a - (b_h - base);
  let s_l = v0 * ((u0 - s_h * b_h) - s_h * b_l);
  let s2 = s * s;
  var r = 2.0697501302e-1;
  r = r * s2 + 2.3066075146e-1;
  r = r * s2 + 2.7272811532e-1;
  r = r * s2 + 3.3333334327e-1;
  r = r * s2 + 4.2857143283e-1;
  r = r * s2 + 6.0000002384e-1;
  r = r * s2 * s2 + s_l * (s_h + s);
  let q2 = s_h * s_h;
  let t_h = upper_bits(3.0 + q2 + r);
  let t_l = r - ((t_h - 3.0) - q2);
  let u = s_h * t_h;
  let v = s_l * t_h + t_l * s;
  let p_h = upper_bits(u + v);
  let p_l = v - (p_h - u);
  let z_h = 9.6191406250e-1 * p_h;
  let d_h = select(0.0, 5.84960938e-1, k == 1u);
  let d_l = select(0.0, 1.56322085e-6, k == 1u);
  let z_l = -1.1736857402e-4 * p_h + p_l * 9.6179670095e-1 + d_l;
  let t = f32(n);
  let l_h = upper_bits(((z_h + z_l) + d_h) + t);
  let l_l = z_l - (((l_h - t) - d_h) - z_h);
  // y · log2(x), the product of the upper parts being exact.
  let y_h = upper_bits(y);
  let e_l = (y - y_h) * l_h + y * l_l;
  let e_h = y_h * l_h;
  let z = e_l + e_h;
  if (z >= 129.0) { return infinity(); }
  if (z < -151.0) { return 0.0; }
  let whole = round(z);
  return scale_by(exp2_pair(e_h - whole, e_l), i32(whole));
}

fn exp2_pair(high: f32, low: f32) -> f32 {
  let t = upper_bits(high + low);
  let u = t * 6.93145752e-1;
  let v = (low - (t - high)) * 6.9314718246e-1 + t * 1.42860654e-6;
  let z = u + v;
  let w = v - (z - u);
  let q = z * z;
  var p = 4.1381369442e-8;
  p = p * q - 1.6533901999e-6;
  p = p * q + 6.6137559770e-5;
  p = p * q - 2.7777778450e-3;
  p = p * q + 1.6666667163e-1;
  let g = z - q * p;
  let r = (z * g) / (g - 2.0) - (w + z * w);
  return 1.0 - (r - z);
}`,
  "infinity",
  "scale_by",
);

const POW = helper(
  `
fn pow_precise(x: f32, y: f32) -> f32 {
  if (y == 0.0 || x == 1.0) { return 1.0; }
  if (is_nan(x) || is_nan(y)) { return not_a_number(); }
  let size = abs(x);
  if (is_infinite(y)) {
    if (size == 1.0) { return 1.0; }
    return select(0.0, infinity(), (size > 1.0) == (y > 0.0));
  }
  // Every float past 2²⁴ is an even integer.
  let integer = y == trunc(y);
  let odd = integer && abs(y) < 16777216.0 && (i32(y) & 1) != 0;
  let negative = (bitcast<u32>(x) >> 31u) != 0u;
  var result = 0.0;
  if (size == 0.0 || is_infinite(size)) {
    result = select(0.0, infinity(), (size == 0.0) == (y < 0.0));
  } else {
    if (negative && !integer) { return not_a_number(); }
    result = pow_magnitude(size, y);
  }
  return select(result, -result, negative && odd);
}`,
  "pow_magnitude",
  "is_nan",
  "is_infinite",
  "infinity",
);

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
    bits = select(rest, (rest & 0x7fffffu) | (u32(e_y) - shift) << 23u, rest >= 0x800000u);
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

// Signed division goes through magnitudes: some drivers get negative operands wrong.
const INT_QUOTIENT = helper(`
fn int_quotient(a: i32, b: i32) -> i32 {
  let q = i32(bitcast<u32>(abs(a)) / max(bitcast<u32>(abs(b)), 1u));
  return select(q, -q, (a < 0) != (b < 0));
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
  int_quotient: INT_QUOTIENT,
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
