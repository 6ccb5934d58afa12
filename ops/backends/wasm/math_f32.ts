/**
 * float32 functions in four lanes, as polynomials after range reduction. Errors against float64 are
 * in the tests; special values follow PyTorch, results below the normal range are not flushed.
 *
 * @module
 */
import type { FunctionBuilder, Local } from "./assembler.ts";
import { type Lane, Lanes } from "./math_lanes.ts";

/** 1.5 · 2^23: adding it rounds a small float to an integer, held in its low bits. */
const ROUND = 12582912;
const ROUND_BITS = 0x4b400000;

/** Cephes' `expf`, highest first. */
const EXP: readonly [number, number, number, number, number, number] = [
  1.9875691500e-4,
  1.3981999507e-3,
  8.3334519073e-3,
  4.1665795894e-2,
  1.6666665459e-1,
  5.0000001201e-1,
];

/** Cephes' `logf`, highest first. */
const LOG = [
  7.0376836292e-2,
  -1.1514610310e-1,
  1.1676998740e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
];

/** ln 2 in two parts, the first with few bits, so that multiples of it are exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.12194440e-4;

function powerOfTwo(v: Lanes, n: Local): Local {
  v.f.get(n).i32x4(127).op("i32x4.add").i32(23).op("i32x4.shl");
  return v.take();
}

/** e^r − 1 for small r, pairs of terms side by side: a chain of three steps instead of five. */
function expTail(v: Lanes, r: Local): Local {
  const [a, b, c, d, e, f] = EXP;
  const r2 = v.mul(r, r);
  const high = v.madd(v.madd(r, a, b), r2, v.madd(r, c, d));
  return v.madd(v.madd(high, r2, v.madd(r, e, f)), r2, r);
}

/** The same term by term: half a unit closer. */
function closeExpTail(v: Lanes, r: Local): Local {
  return v.madd(v.poly(r, EXP), v.mul(r, r), r);
}

/** e^x = 2^whole · (1 + tail) for x in bounds; NaN goes to the tail. */
function reduceExp(v: Lanes, x: Lane, tailOf = expTail): { whole: Local; tail: Local } {
  const shifted = v.madd(x, Math.LOG2E, ROUND);
  const n = v.sub(shifted, ROUND);
  const r = v.nmadd(n, LN2_LOW, v.nmadd(n, LN2_HIGH, x));
  const tail = tailOf(v, r);
  v.f.get(shifted).i32x4(ROUND_BITS).op("i32x4.sub");
  return { whole: v.take(), tail };
}

function expLanes(v: Lanes, x: Lane): Local {
  // Past these bounds the result is infinite or 0 all the same; NaN passes.
  const { whole, tail } = reduceExp(v, v.pmax(v.pmin(x, 89.5), -104.5));
  return scaleByPower(v, v.add(tail, 1), whole);
}

/** x · 2^whole in two factors, so that results below the normal range come out rounded once. */
function scaleByPower(v: Lanes, x: Local, whole: Local): Local {
  v.f.get(whole).i32(1).op("i32x4.shr_s");
  const half = v.take();
  v.f.get(whole, half).op("i32x4.sub");
  const rest = v.take();
  return v.mul(v.mul(x, powerOfTwo(v, half)), powerOfTwo(v, rest));
}

/** `e^x` */
export function expF32(f: FunctionBuilder, [x]: readonly Local[]): void {
  f.get(expLanes(new Lanes(f, "f32x4"), x!));
}

/**
 * 1 / (1 + e^x), which needs neither what e^x is below the normal range nor much of what it is above
 * 2^127: results under 4e-39 are 0.
 */
export function logisticF32(f: FunctionBuilder, [x]: readonly Local[]): void {
  const v = new Lanes(f, "f32x4");
  const { whole, tail } = reduceExp(v, v.pmax(v.pmin(x!, 88.8), -87));
  // From 88.38 on the scale is infinite: times 1 + tail, which is positive, it stays so.
  f.get(v.div(1, v.madd(powerOfTwo(v, whole), v.add(tail, 1), 1)));
}

/** Natural logarithm. */
export function logF32(f: FunctionBuilder, [x]: readonly Local[]): void {
  const v = new Lanes(f, "f32x4");
  const tiny = v.lt(x!, 1.17549435e-38);
  const scaled = v.select(tiny, v.mul(x!, 8388608), x!);
  const SQRT_HALF = 0x3f3504f3;
  f.get(scaled).i32x4(SQRT_HALF).op("i32x4.sub");
  const bits = v.take();
  f.get(bits).i32(23).op("i32x4.shr_s", "f32x4.convert_i32x4_s");
  const e = v.sub(v.take(), v.op("v128.and", tiny, 23));
  f.get(bits).i32x4(0x007fffff).op("v128.and").i32x4(SQRT_HALF).op("i32x4.add");
  const m = v.sub(v.take(), 1);
  const z = v.mul(m, m);
  const p = v.mul(v.mul(v.poly(m, LOG), m), z);
  const low = v.nmadd(z, 0.5, v.madd(e, LN2_LOW, p));
  const result = v.madd(e, LN2_HIGH, v.add(m, low));
  const plain = v.op("v128.and", v.lt(0, x!), v.lt(x!, Infinity));
  const odd = v.select(v.eq(x!, 0), -Infinity, v.select(v.lt(x!, 0), NaN, x!));
  f.get(v.select(plain, result, odd));
}

/**
 * Hyperbolic tangent: (e^2a − 1) / (e^2a + 1) for a = |x|, with the difference taken before e^2a is
 * put together, so that small arguments lose nothing.
 */
export function tanhF32(f: FunctionBuilder, [x]: readonly Local[]): void {
  const v = new Lanes(f, "f32x4");
  const a = v.pmin(v.abs(x!), 9.25); // from 9.02 on the nearest float32 is 1
  const { whole, tail } = reduceExp(v, v.add(a, a), closeExpTail);
  const scale = powerOfTwo(v, whole);
  const less = v.madd(scale, tail, v.sub(scale, 1));
  f.get(v.copySign(v.div(less, v.add(less, 2)), x!));
}

/** Numerator and denominator in x² of erf(x) / x below the bound (Eigen), highest first. */
const ERF_P = [
  2.2905065861350646e-4,
  3.4082910107109506e-3,
  5.0955695062380861e-2,
  1.8520832239976145e-1,
  1.128379143519084,
];
const ERF_Q = [
  -1.1791602954361697e-7,
  2.3547966471313185e-5,
  1.0179625278914885e-3,
  1.4070470171167667e-2,
  1.1098505178285362e-1,
  4.9746925110067538e-1,
  1,
];
/** From here on the nearest float32 is 1. */
const ERF_BOUND = 3.832506856900711;

/** Error function. */
export function erfF32(f: FunctionBuilder, [x]: readonly Local[]): void {
  const v = new Lanes(f, "f32x4");
  const bound = v.pmax(v.pmin(x!, ERF_BOUND), -ERF_BOUND);
  const s = v.mul(bound, bound);
  const value = v.div(v.mul(bound, v.poly(s, ERF_P)), v.poly(s, ERF_Q));
  // In the rational form, results near the smallest numbers would lose bits.
  const tiny = v.lt(v.abs(x!), 1e-4);
  f.get(v.select(tiny, v.mul(x!, 2 / Math.sqrt(Math.PI)), v.pmax(v.pmin(value, 1), -1)));
}

/** erfc(z) · e^(z²) · (1 + z/2) in z / (z + 2) − ½ for z below the bound, to 5.3e-9; highest first. */
const ERFC = [
  0.033485039,
  0.010731221,
  -0.0752313075,
  -0.0528369302,
  0.0979403193,
  0.103569318,
  -0.172042933,
  -0.145765346,
  0.558943485,
  -0.687160716,
  0.510791355,
];
/** From here on erfc is 0, or 2. */
const ERFC_BOUND = 10.5;
/** Bits of a float32 whose square is exact. */
const SHORT_BITS = -4096;

/**
 * Complementary error function, e^(−z²) · q(z / (z + 2) − ½) · 2 / (z + 2) for z = |x|. The square is taken of a shortened z,
 * exactly, and what is missing is added after the range reduction: no digits are lost in the tail.
 */
export function erfcF32(f: FunctionBuilder, [x]: readonly Local[]): void {
  const v = new Lanes(f, "f32x4");
  const z = v.pmin(v.abs(x!), ERFC_BOUND);
  const h = v.div(1, v.add(z, 2));
  f.get(z).i32x4(SHORT_BITS).op("v128.and");
  const short = v.take();
  const square = v.mul(short, short);
  const rest = v.mul(v.sub(short, z), v.add(short, z));
  const shifted = v.nmadd(square, Math.LOG2E, ROUND);
  const n = v.sub(shifted, ROUND);
  const high = v.op("f32x4.neg", v.madd(n, LN2_HIGH, square));
  const r = v.add(high, v.nmadd(n, LN2_LOW, rest));
  const tail = expTail(v, r);
  const q = v.mul(v.poly(v.madd(z, h, -0.5), ERFC), v.add(h, h));
  f.get(shifted).i32x4(ROUND_BITS).op("i32x4.sub");
  const far = scaleByPower(v, v.madd(q, tail, q), v.take());
  f.get(v.select(v.lt(x!, 0), v.sub(2, far), far));
}

/** Whether a lane is NaN, as a mask. */
export function isNanF32(f: FunctionBuilder, [x]: readonly Local[]): void {
  f.get(x!, x!).op("f32x4.ne");
}

/** The smaller or larger of two; NaN wins from either side. */
export function extremeF32(which: "min" | "max"): (
  f: FunctionBuilder,
  args: readonly Local[],
) => void {
  // pmin(a, b) gives `a` where either is NaN; where `b` is NaN it must win.
  return (f, [a, b]) => {
    f.get(b!).get(a!, b!).op(which === "min" ? "f32x4.pmin" : "f32x4.pmax");
    f.get(b!, b!).op("f32x4.ne", "v128.bitselect");
  };
}
