/**
 * Integer functions that vectors lack: division by constants, powers, random bits.
 *
 * @module
 */
import type { FunctionBuilder, Local, Opcode } from "./assembler.ts";
import type { CodeModule } from "./emit.ts";

/** Applies a scalar function to each lane. */
export function perLane(
  f: FunctionBuilder,
  args: readonly Local[],
  scalar: (f: FunctionBuilder, args: readonly Local[]) => void,
): void {
  const [value, result] = [f.local("v128"), f.local("i32")];
  f.get(args[0]!).set(value);
  for (const lane of [0, 1, 2, 3]) {
    const parts = args.map((a) => {
      const part = f.local("i32");
      f.get(a).lane("i32x4.extract_lane", lane).set(part);
      return part;
    });
    scalar(f, parts);
    f.set(result).get(value, result).lane("i32x4.replace_lane", lane).set(value);
    f.release(...parts);
  }
  f.get(value).release(value, result);
}

/**
 * Quotients of lanes below 2³¹ by a constant: the high half of a product with 2^(31+l) / d rounded
 * up (Granlund and Montgomery 1994), l = ceil(log2 d).
 */
export function quotientLanes(f: FunctionBuilder, x: Local, d: number): void {
  const log = Math.ceil(Math.log2(d));
  if (2 ** log === d) {
    f.get(x).i32(log).op("i32x4.shr_u");
    return;
  }
  const shift = 31 + log;
  const factor = Number((1n << BigInt(shift)) / BigInt(d) + 1n);
  const m = f.local("v128");
  f.i32x4(factor | 0).set(m);
  f.get(x, m).op("i64x2.extmul_low_i32x4_u").i32(shift).op("i64x2.shr_u");
  f.get(x, m).op("i64x2.extmul_high_i32x4_u").i32(shift).op("i64x2.shr_u");
  f.shuffle32(0, 2, 4, 6).release(m);
}

/** Remainders of lanes below 2³¹ by a constant. */
export function remainderLanes(f: FunctionBuilder, x: Local, d: number): void {
  if (Number.isInteger(Math.log2(d))) {
    f.get(x).i32x4(d - 1).op("v128.and");
    return;
  }
  f.get(x);
  quotientLanes(f, x, d);
  f.i32x4(d).op("i32x4.mul", "i32x4.sub");
}

/** Division that never traps: by 0 the result is 0, the smallest by −1 wraps. */
export function safeDivision(op: Opcode): (f: FunctionBuilder, args: readonly Local[]) => void {
  const rest = op.includes("rem");
  return (f, [a, b]) => {
    if (op.endsWith("_s")) {
      f.get(b!).i32(-1).op("i32.eq").if(
        () => rest ? f.i32(0) : f.i32(0).get(a!).op("i32.sub"),
        () => guarded(f, a!, b!, op),
        "i32",
      );
    } else guarded(f, a!, b!, op);
  };
}

function guarded(f: FunctionBuilder, a: Local, b: Local, op: Opcode): void {
  f.get(b).if(() => f.get(a, b).op(op), () => f.i32(0), "i32");
}

/** `a` to the power `b`: by squaring; negative powers of 1 and −1 are what they are, of others 0. */
export function emitPower(f: FunctionBuilder, args: readonly Local[], module: CodeModule): void {
  const signature = { params: ["i32", "i32"], results: ["i32"] } as const;
  const power = module.helper("integer power", signature, (g) => {
    const [a, b] = g.params as [Local, Local];
    const result = g.local("i32");
    g.get(b).i32(0).op("i32.lt_s").if(() => {
      g.get(a).i32(1).op("i32.eq").if(() => g.i32(1).op("return"));
      g.get(a).i32(-1).op("i32.eq").if(() => {
        g.i32(1).i32(-1).get(b).i32(1).op("i32.and", "i32.eqz", "select", "return");
      });
      g.i32(0).op("return");
    });
    g.i32(1).set(result);
    g.block((end) =>
      g.loop((again) => {
        g.get(b).op("i32.eqz").brIf(end);
        g.get(b).i32(1).op("i32.and").if(() => g.get(result, a).op("i32.mul").set(result));
        g.get(a, a).op("i32.mul").set(a);
        g.get(b).i32(1).op("i32.shr_u").set(b).br(again);
      })
    );
    g.get(result);
  });
  f.get(...args).call(power);
}

const M0 = 0xD2511F53 | 0, M1 = 0xCD9E8D57 | 0, W0 = 0x9E3779B9, W1 = 0xBB67AE85;
const ROUNDS = 10;

/** High and low words of the products of four lanes with a constant. */
function product(f: FunctionBuilder, x: Local, factor: number): { high: Local; low: Local } {
  const [even, odd, m] = f.locals("v128", 3) as [Local, Local, Local];
  const [high, low] = f.locals("v128", 2) as [Local, Local];
  f.i32x4(factor).set(m);
  f.get(x, m).op("i64x2.extmul_low_i32x4_u").set(even);
  f.get(x, m).op("i64x2.extmul_high_i32x4_u").set(odd);
  f.get(even, odd).shuffle32(1, 3, 5, 7).set(high);
  f.get(even, odd).shuffle32(0, 2, 4, 6).set(low);
  f.release(even, odd, m);
  return { high, low };
}

function xor(f: FunctionBuilder, ...xs: Local[]): Local {
  f.get(xs[0]!);
  for (const x of xs.slice(1)) f.get(x).op("v128.xor");
  const result = f.local("v128");
  f.set(result);
  return result;
}

function addConstant(f: FunctionBuilder, x: Local, value: number): Local {
  const result = f.local("v128");
  f.get(x).i32x4(value | 0).op("i32x4.add").set(result);
  return result;
}

/**
 * Philox4x32-10 for four counters `(index, call, 0, 0)` at once, one word of each block. The first
 * round's zero product and what the wanted word does not need of the last are left out.
 */
export function emitPhilox(
  f: FunctionBuilder,
  args: readonly Local[],
  module: CodeModule,
  word: number,
): void {
  const params = ["v128", "v128", "v128", "v128"] as const;
  const philox = module.helper(`philox ${word}`, { params, results: ["v128"] }, (g) => {
    const [index, call, key0, key1] = g.params as [Local, Local, Local, Local];
    const zero = g.local("v128");
    g.i32x4(0).set(zero);
    // Round 1 with c2 = c3 = 0.
    const first = product(g, index, M0);
    let c = [xor(g, call, key0), zero, xor(g, first.high, key1), first.low];
    for (let round = 1; round < ROUNDS; round++) {
      const k0 = addConstant(g, key0, Math.imul(round, W0));
      const k1 = addConstant(g, key1, Math.imul(round, W1));
      const last = round === ROUNDS - 1;
      const p0 = last && word < 2 ? undefined : product(g, c[0]!, M0);
      const p1 = last && word >= 2 ? undefined : product(g, c[2]!, M1);
      c = [
        p1 ? xor(g, p1.high, c[1]!, k0) : zero,
        p1?.low ?? zero,
        p0 ? xor(g, p0.high, c[3]!, k1) : zero,
        p0?.low ?? zero,
      ];
    }
    g.get(c[word]!);
  });
  f.get(...args.slice(0, 4)).call(philox);
}
