/**
 * Vector arithmetic written as expressions over locals, for the math functions.
 *
 * @module
 */
import type { FunctionBuilder, Local, Opcode } from "./assembler.ts";

/** An operand: a local, or a constant in all lanes. */
export type Lane = Local | number;

/** Emits vector operations of one shape; each result is a fresh local. */
export class Lanes {
  readonly f: FunctionBuilder;
  readonly shape: "f32x4" | "f64x2";

  constructor(f: FunctionBuilder, shape: "f32x4" | "f64x2") {
    this.f = f;
    this.shape = shape;
  }

  /** Pushes operands; numbers as floating-point lanes. */
  push(...xs: Lane[]): this {
    for (const x of xs) {
      if (typeof x !== "number") this.f.get(x);
      else if (this.shape === "f32x4") this.f.f32x4(x);
      else this.f.v128(new Uint8Array(Float64Array.of(x, x).buffer));
    }
    return this;
  }

  /** Result of what is on the stack. */
  take(): Local {
    const local = this.f.local("v128");
    this.f.set(local);
    return local;
  }

  /** Any instruction. */
  op(name: Opcode, ...xs: Lane[]): Local {
    this.push(...xs).f.op(name);
    return this.take();
  }

  /** `a + b` */
  add(a: Lane, b: Lane): Local {
    return this.op(`${this.shape}.add`, a, b);
  }
  /** `a − b` */
  sub(a: Lane, b: Lane): Local {
    return this.op(`${this.shape}.sub`, a, b);
  }
  /** `a · b` */
  mul(a: Lane, b: Lane): Local {
    return this.op(`${this.shape}.mul`, a, b);
  }
  /** `a / b` */
  div(a: Lane, b: Lane): Local {
    return this.op(`${this.shape}.div`, a, b);
  }
  /** `a · b + c` */
  madd(a: Lane, b: Lane, c: Lane): Local {
    this.push(a, b, c).f.madd(this.shape);
    return this.take();
  }
  /** `c − a · b` */
  nmadd(a: Lane, b: Lane, c: Lane): Local {
    this.push(a, b, c).f.nmadd(this.shape);
    return this.take();
  }
  /** `|a|` */
  abs(a: Lane): Local {
    return this.op(`${this.shape}.abs`, a);
  }
  /** `a < b` as a mask */
  lt(a: Lane, b: Lane): Local {
    return this.op(`${this.shape}.lt`, a, b);
  }
  /** `a = b` as a mask */
  eq(a: Lane, b: Lane): Local {
    return this.op(`${this.shape}.eq`, a, b);
  }
  /** The smaller; of a NaN and a number the first operand. One instruction, unlike `min`. */
  pmin(a: Lane, b: Lane): Local {
    return this.op(`${this.shape}.pmin`, a, b);
  }
  /** The larger; of a NaN and a number the first operand. */
  pmax(a: Lane, b: Lane): Local {
    return this.op(`${this.shape}.pmax`, a, b);
  }
  /** `mask ? a : b` by bits */
  select(mask: Local, a: Lane, b: Lane): Local {
    return this.op("v128.bitselect", a, b, mask);
  }
  /** `a` with the sign of `b` */
  copySign(a: Lane, b: Lane): Local {
    return this.op("v128.or", this.op("v128.andnot", a, -0), this.op("v128.and", b, -0));
  }

  /** A polynomial by Horner's rule, highest coefficient first. */
  poly(x: Local, coefficients: readonly number[]): Local {
    let sum: Lane = coefficients[0]!;
    for (const c of coefficients.slice(1)) sum = this.madd(sum, x, c);
    return typeof sum === "number" ? this.mul(x, sum) : sum;
  }
}

/** Odd Taylor coefficients `1/(2n+1)·sign`, highest first, as many as asked for. */
export function oddSeries(count: number, alternate: boolean): number[] {
  const terms = Array.from(
    { length: count },
    (_, n) => (alternate && n % 2 === 1 ? -1 : 1) / (2 * n + 1),
  );
  return terms.reverse();
}
