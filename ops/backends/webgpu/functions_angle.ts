/**
 * WGSL functions of angles: Cephes' single-precision polynomials after Cody and Waite's reduction, for
 * large angles Payne and Hanek's.
 */
import { helper, type HelperRow } from "./helper.ts";

/** x = quadrant · π/2 + angle; returns (angle, quadrant). */
export const REDUCE_ANGLE: HelperRow = helper(
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
export const REDUCE_LARGE_ANGLE: HelperRow = helper(
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

/** `sin_quadrant` */
export const SIN_QUADRANT: HelperRow = helper(`
fn sin_quadrant(r: f32, quadrant: f32) -> f32 {
  let z = r * r;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z
    - 0.5 * z + 1.0;
  let y = select(s, c, quadrant == 1.0 || quadrant == 3.0);
  return select(y, -y, quadrant >= 2.0);
}`);

/** `sin_precise` */
export const SIN: HelperRow = helper(
  `
fn sin_precise(x: f32) -> f32 {
  let a = reduce_angle(x);
  return select(sin_quadrant(a.x, a.y), x, x == 0.0); // −0 stays
}`,
  "reduce_angle",
  "sin_quadrant",
);

/** `cos_precise` */
export const COS: HelperRow = helper(
  `
fn cos_precise(x: f32) -> f32 {
  let a = reduce_angle(x);
  return sin_quadrant(a.x, select(a.y + 1.0, 0.0, a.y == 3.0));
}`,
  "reduce_angle",
  "sin_quadrant",
);

/** `tan_precise` */
export const TAN: HelperRow = helper(
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
  return select(select(y, -1.0 / y, a.y == 1.0 || a.y == 3.0), x, x == 0.0);
}`,
  "reduce_angle",
);

/** asin of |x| ≤ ½ as `x + x · tail(x²)`. */
export const ASIN_TAIL: HelperRow = helper(`
fn asin_tail(z: f32) -> f32 {
  var p = 4.2163199048e-2;
  p = p * z + 2.4181311049e-2;
  p = p * z + 4.5470025998e-2;
  p = p * z + 7.4953002686e-2;
  return (p * z + 1.6666752422e-1) * z;
}`);

/** `asin_precise` */
export const ASIN: HelperRow = helper(
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

/** `acos_precise` */
export const ACOS: HelperRow = helper(
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

/** `atan_precise` */
export const ATAN: HelperRow = helper(
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

/** `atan2_precise` */
export const ATAN2: HelperRow = helper(
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
