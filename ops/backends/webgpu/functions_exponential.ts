/**
 * WGSL functions of the exponential family: Cephes' single-precision polynomials, fdlibm's `powf`, and
 * least-squares fits for `erf` and `erfc`.
 */
import { helper, type HelperRow } from "./helper.ts";

/** 2ⁿ by exponent bits in two factors, so that results beyond 2¹²⁷ and below 2⁻¹²⁶ come out right. */
export const SCALE: HelperRow = helper(`
fn scale_by(x: f32, n: i32) -> f32 {
  let half = n >> 1u;
  return x * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(n - half + 127) << 23u);
}`);

/** `exp_precise` */
export const EXP: HelperRow = helper(
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

/** `expm1_precise` */
export const EXPM1: HelperRow = helper(
  `
fn expm1_precise(x: f32) -> f32 {
  if (abs(x) < 0.35) {
    var p = 1.9841270e-4;
    p = p * x + 1.3888889e-3;
    p = p * x + 8.3333333e-3;
    p = p * x + 4.1666667e-2;
    p = p * x + 1.6666667e-1;
    p = p * x + 0.5;
    return select(p * x * x + x, x, x == 0.0); // −0 stays
  }
  return exp_precise(x) - 1.0;
}`,
  "exp_precise",
);

/** log(1 + f) for 1 + f in [√½, √2), without the leading f. */
export const LOG_TAIL: HelperRow = helper(`
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

/** `log_precise` */
export const LOG: HelperRow = helper(
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

/** `log1p_precise` */
export const LOG1P: HelperRow = helper(
  `
fn log1p_precise(x: f32) -> f32 {
  if (x > -0.29 && x < 0.41) { return x + (log_tail(x) - 0.5 * x * x); }
  return log_precise(1.0 + x);
}`,
  "log_tail",
  "log_precise",
);

/** `tanh_precise` */
export const TANH: HelperRow = helper(
  `
fn tanh_precise(x: f32) -> f32 {
  let a = abs(x);
  let z = x * x;
  var p = -5.70498872745e-3;
  p = p * z + 2.06390887954e-2;
  p = p * z - 5.37397155531e-2;
  p = p * z + 1.33314422036e-1;
  p = p * z - 3.33332819422e-1;
  let near = copy_sign(p * z * x + x, x);
  // Past 10 the result is 1 to the last bit; the clamp keeps exp from overflowing.
  let far = copy_sign(1.0 - 2.0 / (exp_precise(2.0 * min(a, 10.0)) + 1.0), x);
  return select(select(far, near, a < 0.625), x, is_nan(x));
}`,
  "exp_precise",
  "copy_sign",
  "is_nan",
);

/** erf(x) / x − 1 on |x| ≤ 1, by x² (relative error of the fit 1.2e-9). */
export const ERF_NEAR: HelperRow = helper(`
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
export const ERFC_FAR: HelperRow = helper(
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

/** `erf_precise` */
export const ERF: HelperRow = helper(
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

/** `erfc_precise` */
export const ERFC: HelperRow = helper(
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
export const POW_MAGNITUDE: HelperRow = helper(
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

/** `pow_precise` */
export const POW: HelperRow = helper(
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
