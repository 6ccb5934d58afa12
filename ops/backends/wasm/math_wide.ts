/**
 * float32 functions computed in float64 lanes: two halves, each by a shared function of the module.
 * Twice the work of single precision, but range reduction and cancellation cost no accuracy.
 *
 * @module
 */
import type { FunctionBuilder, Local } from "./assembler.ts";
import type { CodeModule } from "./emit.ts";
import { Lanes, oddSeries } from "./math_lanes.ts";

type WideBody = (v: Lanes, args: readonly Local[]) => Local;

/** 1.5 · 2^52: rounds a float64 to an integer held in its low bits. */
const ROUND = 6755399441055744;

function bits64(v: Lanes, value: bigint): Local {
  v.f.v128(new Uint8Array(BigInt64Array.of(value, value).buffer));
  return v.take();
}

/** Taylor coefficients of e^r − 1 − r over r², highest first: 3e-14 for |r| < 0.35. */
const EXP = [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((n) => {
  let f = 1;
  for (let i = 2; i <= n; i++) f *= i;
  return 1 / f;
});

/** Shared part of exp and expm1: `{ scale, tail }` with e^x = scale · (1 + tail). */
function reduceExp(v: Lanes, x: Local): { scale: Local; tail: Local } {
  const bound = v.pmax(v.pmin(x, 709), -708);
  const shifted = v.madd(bound, Math.LOG2E, ROUND);
  const n = v.sub(shifted, ROUND);
  const r = v.nmadd(n, 1.9082149292705877e-10, v.nmadd(n, 0.6931471803691238, bound));
  const tail = v.madd(v.poly(r, EXP), v.mul(r, r), r);
  const exponent = v.op("i64x2.sub", shifted, bits64(v, 0x4338000000000000n - 1023n));
  v.f.get(exponent).i32(52).op("i64x2.shl");
  return { scale: v.take(), tail };
}

function wideExp(v: Lanes, x: Local): Local {
  const { scale, tail } = reduceExp(v, x);
  return v.madd(scale, tail, scale);
}

function wideExpm1(v: Lanes, x: Local): Local {
  const { scale, tail } = reduceExp(v, x);
  // Zero keeps its sign: x itself where the sum would say +0.
  const value = v.madd(scale, tail, v.sub(scale, 1));
  return v.select(v.eq(x, 0), x, value);
}

function wideLog(v: Lanes, x: Local): Local {
  const SQRT_HALF = 0x3fe6a09e667f3bcdn;
  const bits = v.op("i64x2.sub", x, bits64(v, SQRT_HALF));
  // The exponent as float64: its low bits under the exponent of 2^52.
  v.f.get(v.op("i64x2.add", bits, bits64(v, 1023n << 52n))).i32(52).op("i64x2.shr_u");
  const biased = v.op("v128.or", v.take(), bits64(v, 0x4330000000000000n));
  const e = v.sub(biased, 4503599627370496 + 1023);
  const m = v.op(
    "i64x2.add",
    v.op("v128.and", bits, bits64(v, 0x000fffffffffffffn)),
    bits64(v, SQRT_HALF),
  );
  const s = v.div(v.sub(m, 1), v.add(m, 1));
  const p = v.mul(v.poly(v.mul(s, s), oddSeries(10, false)), v.add(s, s));
  const result = v.madd(e, Math.LN2, p);
  const plain = v.op("v128.and", v.lt(0, x), v.lt(x, Infinity));
  const odd = v.select(v.eq(x, 0), -Infinity, v.select(v.lt(x, 0), NaN, x));
  return v.select(plain, result, odd);
}

function wideLog1p(v: Lanes, x: Local): Local {
  // 1 + x is exact for larger float32 x; below, the series is.
  const series = v.mul(x, v.nmadd(x, v.nmadd(x, 1 / 3, 0.5), 1));
  return v.select(v.lt(v.abs(x), 1e-4), series, wideLog(v, v.add(x, 1)));
}

const SIN = [13, 11, 9, 7, 5, 3, 1];
const COS = [14, 12, 10, 8, 6, 4, 2, 0];

function taylor(powers: readonly number[]): number[] {
  return powers.map((n) => {
    let f = (n >> 1) % 2 === 1 ? -1 : 1;
    for (let i = 2; i <= n; i++) f *= i;
    return 1 / f;
  });
}

/** 2 / π, 24 bits at a time: their products with a float32 are exact. */
const TWO_OVER_PI = [
  0xa2f983,
  0x6e4e44,
  0x1529fc,
  0x2757d1,
  0xf534dd,
  0xc0db62,
  0x95993c,
  0x439041,
].map((bits, i) => bits * 2 ** (-24 * (i + 1)));

/** Below this, multiples of the upper part of π/2 are exact also without fused operations. */
const LARGE_ANGLE = 2 ** 20;

/** Payne and Hanek: of each product only what is left of whole turns; rest and shifted multiple. */
function reduceLargeAngle(v: Lanes, x: Local): [rest: Local, shifted: Local] {
  let fraction = constant(v, 0), shifted = constant(v, ROUND);
  for (const bits of TWO_OVER_PI) {
    const y = v.mul(x, bits);
    const turn = v.nmadd(v.op("f64x2.nearest", v.mul(y, 0.25)), 4, y);
    const quarters = v.op("f64x2.nearest", turn);
    shifted = v.add(shifted, quarters);
    fraction = v.add(fraction, v.sub(turn, quarters));
  }
  const quarters = v.op("f64x2.nearest", fraction);
  return [v.mul(v.sub(fraction, quarters), Math.PI / 2), v.add(shifted, quarters)];
}

/** Sine and cosine of x minus the nearest multiple of π/2, and the bits of that multiple. */
function reduceCircle(v: Lanes, x: Local): { sin: Local; cos: Local; quadrant: Local } {
  const quadrant = v.madd(x, 2 / Math.PI, ROUND);
  const n = v.sub(quadrant, ROUND);
  const r = v.nmadd(n, 6.077100506506192e-11, v.nmadd(n, 1.5707963267341256, x));
  const large = v.op("f64x2.ge", v.abs(x), LARGE_ANGLE);
  v.f.get(large).op("v128.any_true").if(() => {
    const [rest, shifted] = reduceLargeAngle(v, x);
    v.f.get(v.select(large, rest, r)).set(r).get(v.select(large, shifted, quadrant)).set(quadrant);
  });
  const s = v.mul(r, r);
  return { sin: v.mul(r, v.poly(s, taylor(SIN))), cos: v.poly(s, taylor(COS)), quadrant };
}

/** −1 lanes where bit `bit` of the quadrant is set. */
function quadrantBit(v: Lanes, quadrant: Local, bit: number): Local {
  v.f.get(quadrant).i32(63 - bit).op("i64x2.shl").i32(63).op("i64x2.shr_s");
  return v.take();
}

function wideSin(v: Lanes, x: Local): Local {
  const { sin, cos, quadrant } = reduceCircle(v, x);
  const value = v.select(quadrantBit(v, quadrant, 0), cos, sin);
  const sign = v.op("v128.and", quadrantBit(v, quadrant, 1), -0);
  return v.op("v128.xor", value, sign);
}

function wideCos(v: Lanes, x: Local): Local {
  const { sin, cos, quadrant } = reduceCircle(v, x);
  const value = v.select(quadrantBit(v, quadrant, 0), sin, cos);
  const flip = v.op("v128.xor", quadrantBit(v, quadrant, 0), quadrantBit(v, quadrant, 1));
  return v.op("v128.xor", value, v.op("v128.and", flip, -0));
}

function wideTan(v: Lanes, x: Local): Local {
  const { sin, cos, quadrant } = reduceCircle(v, x);
  const odd = quadrantBit(v, quadrant, 0);
  const minus = v.op("v128.xor", cos, -0);
  return v.div(v.select(odd, minus, sin), v.select(odd, sin, cos));
}

/** Angle of `y / x` for non-negative operands: halves of the octant, then the series to 1e-11. */
function firstQuadrant(v: Lanes, y: Local, x: Local): Local {
  const steep = v.lt(x, y);
  const [low, high] = [v.select(steep, x, y), v.select(steep, y, x)];
  const t = v.select(v.eq(low, high), 1, v.div(low, high));
  // 0/0 counts as 0, inf/inf as 1.
  const ratio = v.select(v.eq(high, 0), high, t);
  const upper = v.lt(Math.SQRT2 - 1, ratio);
  const r = v.select(upper, v.div(v.sub(ratio, 1), v.add(ratio, 1)), ratio);
  const angle = v.mul(r, v.poly(v.mul(r, r), oddSeries(13, true)));
  const octant = v.add(angle, v.op("v128.and", upper, Math.PI / 4));
  return v.select(steep, v.sub(Math.PI / 2, octant), octant);
}

function wideAtan2(v: Lanes, y: Local, x: Local): Local {
  const angle = firstQuadrant(v, v.abs(y), v.abs(x));
  v.f.get(x).i32(63).op("i64x2.shr_s");
  const left = v.take();
  const value = v.copySign(v.select(left, v.sub(Math.PI, angle), angle), y);
  const nan = v.op("v128.or", v.op("f64x2.ne", x, x), v.op("f64x2.ne", y, y));
  return v.select(nan, NaN, value);
}

function constant(v: Lanes, x: number): Local {
  v.push(x);
  return v.take();
}

function otherSide(v: Lanes, x: Local): Local {
  return v.op("f64x2.sqrt", v.mul(v.sub(1, x), v.add(1, x)));
}

function widePow(v: Lanes, x: Local, y: Local): Local {
  const size = wideExp(v, v.mul(y, wideLog(v, v.abs(x))));
  const whole = v.eq(y, v.op("f64x2.trunc", y));
  const half = v.mul(y, 0.5);
  const odd = v.op("v128.andnot", whole, v.eq(half, v.op("f64x2.trunc", half)));
  const negative = v.op("v128.and", x, -0);
  const signed = v.op("v128.or", size, v.op("v128.and", negative, odd));
  const bad = v.op("v128.andnot", v.lt(x, 0), v.op("v128.or", whole, v.eq(x, -Infinity)));
  const value = v.select(bad, NaN, signed);
  const nan = v.op("v128.or", v.op("f64x2.ne", x, x), v.op("f64x2.ne", y, y));
  const one = v.op("v128.or", v.eq(y, 0), v.eq(x, 1));
  const unit = v.op("v128.and", v.eq(x, -1), v.eq(v.abs(y), Infinity));
  return v.select(v.op("v128.or", one, unit), 1, v.select(nan, NaN, value));
}

/** Quotients below this leave an exact remainder in one step: 29 bits times float32's 24 are 53. */
const SHORT_QUOTIENT = 2 ** 29;

function wideFmod(v: Lanes, a: Local, b: Local): Local {
  const r = v.add(a, -0);
  v.f.loop((again) => {
    // The upper 29 bits of the quotient; the next turn takes those that follow.
    const whole = v.op("f64x2.trunc", v.div(r, b));
    const q = v.op("v128.and", whole, bits64(v, -(1n << 24n)));
    v.f.get(v.nmadd(q, b, r)).set(r);
    v.f.get(v.op("f64x2.ge", v.abs(q), SHORT_QUOTIENT)).op("v128.any_true").brIf(again);
  });
  // The quotient may round up to the next integer.
  const fixed = v.select(v.lt(v.mul(r, a), 0), v.add(r, v.copySign(v.abs(b), a)), r);
  const large = v.op("v128.and", v.eq(v.abs(b), Infinity), v.lt(v.abs(a), Infinity));
  return v.copySign(v.select(large, a, fixed), a);
}

const WIDE = {
  exp: (v, [x]) => wideExp(v, x!),
  expm1: (v, [x]) => wideExpm1(v, x!),
  log: (v, [x]) => wideLog(v, x!),
  log1p: (v, [x]) => wideLog1p(v, x!),
  sin: (v, [x]) => wideSin(v, x!),
  cos: (v, [x]) => wideCos(v, x!),
  tan: (v, [x]) => wideTan(v, x!),
  atan: (v, [x]) => wideAtan2(v, x!, constant(v, 1)),
  asin: (v, [x]) => wideAtan2(v, x!, otherSide(v, x!)),
  acos: (v, [x]) => wideAtan2(v, otherSide(v, x!), x!),
  atan2: (v, [y, x]) => wideAtan2(v, y!, x!),
  pow: (v, [x, y]) => widePow(v, x!, y!),
  fmod: (v, [a, b]) => wideFmod(v, a!, b!),
} satisfies Record<string, WideBody>;

/** Name of a function in float64 lanes. */
export type WideName = keyof typeof WIDE;

/** Emits a call of a float32 function that is computed in float64 lanes. */
export function emitWide(
  f: FunctionBuilder,
  args: readonly Local[],
  module: CodeModule,
  name: WideName,
): void {
  const params = args.map(() => "v128" as const);
  const half = module.helper(`wide ${name}`, { params, results: ["v128"] }, (g) => {
    g.get(WIDE[name](new Lanes(g, "f64x2"), g.params));
  });
  const whole = module.helper(`f32 ${name}`, { params, results: ["v128"] }, (g) => {
    for (const x of g.params) g.get(x).op("f64x2.promote_low_f32x4");
    g.call(half).op("f32x4.demote_f64x2_zero");
    for (const x of g.params) {
      g.get(x, x).shuffle32(2, 3, 2, 3).op("f64x2.promote_low_f32x4");
    }
    g.call(half).op("f32x4.demote_f64x2_zero").shuffle32(0, 1, 4, 5);
  });
  f.get(...args).call(whole);
}
