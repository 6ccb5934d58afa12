/**
 * Turns nodes into values of WebAssembly types for one nest of loops.
 *
 * float32 always lives in a vector (all lanes equal where it does not depend on the vector axis), so
 * that one spelling of each function serves bodies and tails and both give the same bits. Integers
 * and bools are `i32` scalars until they depend on the vector axis; a bool in a vector is a mask.
 * float64 is scalar: kernels with float64 have no vector axis.
 *
 * @module
 */
import { bytesOf, type DType } from "../../ir/dtype.ts";
import type { CodeModule, Value } from "./emit.ts";
import { emitGather, emitStrided, emitStridedStore, LANES } from "./emit_memory.ts";
import { affineOf, type CallNode, type LoadNode, type Node } from "./emit_node.ts";
import { unbound, type ValueTable } from "./emit_values.ts";
import { emitScalarCall, emitVectorCall } from "./math.ts";
import { logisticF32 } from "./math_f32.ts";
import { emitFloat64Call } from "./math_f64.ts";

/** Functions that take tens of instructions. */
export const COSTLY: ReadonlySet<string> = new Set([
  ..."exp log expm1 log1p sin cos tan asin acos atan tanh erf erfc pow atan2 philox fmod".split(
    " ",
  ),
]);

/** What all lowerings of one function share. */
export interface Frame {
  readonly table: ValueTable;
  readonly module: CodeModule;
  /** Value of each axis's counter (the first lane's coordinate). */
  readonly counters: ReadonlyMap<number, Value>;
  /** Address of element 0 of an input. */
  readonly input: (slot: number) => Value;
}

/** The exponent of `1 / (1 + e^x)` in float32, the form in which sigmoids come. */
function logisticOf({ op, dtype, args }: CallNode): Node | undefined {
  const isOne = (x: Node | undefined) => x?.kind === "const" && x.value === 1;
  const [one, sum] = args;
  if (op !== "div" || dtype !== "float32" || !isOne(one)) return undefined;
  if (sum?.kind !== "call" || sum.op !== "add") return undefined;
  const power = sum.args.find((x) => x.kind === "call" && x.op === "exp");
  if (power?.kind !== "call" || !sum.args.some(isOne)) return undefined;
  return power.args[0];
}

/** Lowers nodes inside one nest, in vectors along `vectorAxis` or (undefined) one by one. */
export class Lowering {
  readonly #frame: Frame;
  readonly #table: ValueTable;
  readonly #vectorAxis: number | undefined;
  readonly #first: Lowering | undefined;
  readonly #native = new Map<Node, Value>();
  readonly #accs = new Map<number, Value>();

  /**
   * @param frame What the lowerings of a function share.
   * @param vectorAxis The axis of the lanes, or undefined.
   * @param first The same nest one by one, if the vector loop starts at multiples of four: gives
   * indices of first lanes.
   */
  constructor(frame: Frame, vectorAxis: number | undefined, first?: Lowering) {
    this.#frame = frame;
    this.#table = frame.table;
    this.#vectorAxis = vectorAxis;
    this.#first = first;
  }

  /** Names the value of a reduction. */
  bindAcc(slot: number, value: Value): void {
    this.#accs.set(slot, value);
  }

  /** The value in the type in which it comes about. */
  native(x: Node): Value {
    let value = this.#native.get(x);
    if (value === undefined) {
      value = this.#lower(x);
      this.#native.set(x, value);
    }
    return value;
  }

  /** The value as `i32`. */
  scalar(x: Node): Value {
    const value = this.native(x);
    if (value.type !== "v128") return value;
    const mask = x.dtype === "bool";
    return this.#table.make(mask ? "first bool" : "first", "i32", [value], (f, [v]) => {
      f.get(v!).lane("i32x4.extract_lane", 0);
      if (mask) f.i32(1).op("i32.and");
    });
  }

  /** The value in all lanes of a vector; bools as masks. */
  vector(x: Node): Value {
    const value = this.native(x);
    if (value.type === "v128") return value;
    const mask = x.dtype === "bool";
    return this.#table.make(mask ? "mask" : "splat", "v128", [value], (f, [v]) => {
      if (mask) f.i32(0).get(v!).op("i32.sub", "i32x4.splat");
      else f.get(v!).op("i32x4.splat");
    });
  }

  /** The value as stored: `v128` with words in the first lanes, or the scalar. */
  stored(x: Node): Value {
    const value = this.native(x);
    if (value.type !== "v128" || x.dtype !== "bool") return value;
    return this.#words(value);
  }

  #lower(x: Node): Value {
    switch (x.kind) {
      case "const":
        return this.#constant(x.value, x.dtype);
      case "axis":
        return x.axis === this.#vectorAxis ? this.#vectorSum(x) : this.#counter(x.axis);
      case "affine":
        return this.#isVector(x) ? this.#vectorSum(x) : this.#scalarSum(x);
      case "load":
        return this.#load(x);
      case "acc":
        return this.#accs.get(x.slot) ?? unbound();
      case "call":
        return this.#call(x);
    }
  }

  #counter(axis: number): Value {
    return this.#frame.counters.get(axis)!;
  }

  /** Whether the sum's terms differ between lanes. */
  #isVector(x: Node): boolean {
    return affineOf(x).terms.some(({ atom }) =>
      atom.kind === "axis"
        ? atom.axis === this.#vectorAxis
        : this.native(atom).type === "v128" && this.native(atom).variant
    );
  }

  #constant(value: number, dtype: DType): Value {
    const key = `${dtype} ${Object.is(value, -0) ? "-0" : value}`;
    if (dtype === "float64") return this.#table.make(key, "f64", [], (f) => void f.f64(value));
    if (dtype === "float32") return this.#table.make(key, "v128", [], (f) => void f.f32x4(value));
    return this.#table.make(key, "i32", [], (f) => void f.i32(value));
  }

  /** `base + factor · x`, the unit of hoisted index arithmetic. */
  #plus(base: Value | undefined, factor: number, x: Value): Value {
    if (base === undefined && factor === 1) return x;
    const product = factor === 1 ? x : this.#table.make(`*${factor}`, "i32", [x], (f, [v]) => {
      const shift = Math.log2(factor);
      if (Number.isInteger(shift)) f.get(v!).i32(shift).op("i32.shl");
      else f.get(v!).i32(factor).op("i32.mul");
    });
    if (base === undefined) return product;
    return this.#table.make("+", "i32", [base, product], (f, args) => {
      f.get(args[0]!, args[1]!).op("i32.add");
    });
  }

  #offset(base: Value | undefined, offset: number): Value | undefined {
    if (offset === 0) return base;
    if (base === undefined) return this.#constant(offset, "int32");
    return this.#table.make(`+${offset}`, "i32", [base], (f, [v]) => {
      f.get(v!).i32(offset).op("i32.add");
    });
  }

  /** Sum of the terms that are the same in all lanes, scaled, outermost terms first. */
  #uniformSum(x: Node, base: Value | undefined, scale: number): Value | undefined {
    const { terms, offset } = affineOf(x);
    const parts: { value: Value; factor: number }[] = [];
    for (const { coefficient, atom } of terms) {
      const value = atom.kind === "axis" ? this.#counter(atom.axis) : this.native(atom);
      if (value.variant && value.type === "v128") continue;
      const factor = Math.imul(coefficient, scale);
      parts.push({ factor, value: value.type === "v128" ? this.scalar(atom) : value });
    }
    parts.sort((a, b) => a.value.level - b.value.level);
    let sum = this.#offset(base, Math.imul(offset, scale));
    for (const { value, factor } of parts) sum = this.#plus(sum, factor, value);
    return sum;
  }

  #scalarSum(x: Node): Value {
    return this.#uniformSum(x, undefined, 1) ?? this.#constant(0, "int32");
  }

  /** The sum in lanes, scaled: first lane's uniform part, steps of the vector axis, the rest. */
  #vectorSum(x: Node, base?: Value, scale = 1): Value {
    const uniform = this.#uniformSum(x, base, scale) ?? this.#constant(0, "int32");
    let sum = this.#table.make("splat", "v128", [uniform], (f, [v]) => {
      f.get(v!).op("i32x4.splat");
    });
    for (const { coefficient, atom } of affineOf(x).terms) {
      const factor = Math.imul(coefficient, scale);
      if (atom.kind === "axis") {
        if (atom.axis === this.#vectorAxis) sum = this.#steps(sum, factor);
      } else if (this.native(atom).variant && this.native(atom).type === "v128") {
        sum = this.#table.make(`+${factor}v`, "v128", [sum, this.native(atom)], (f, args) => {
          f.get(args[0]!, args[1]!);
          if (factor !== 1) f.i32x4(factor).op("i32x4.mul");
          f.op("i32x4.add");
        });
      }
    }
    return sum;
  }

  /** Adds `factor · lane`, counted through the unrolled copies. */
  #steps(sum: Value, factor: number): Value {
    return this.#table.make(`lanes${factor}`, "v128", [sum], (f, [v], copy) => {
      f.get(v!).i32x4(...LANES.map((lane) => Math.imul(factor, 4 * copy + lane)));
      f.op("i32x4.add");
    }, { variant: true });
  }

  /** How an index moves along the vector axis; `undefined` where lanes are unrelated. */
  stride(index: Node): number | undefined {
    let stride = 0;
    for (const { coefficient, atom } of affineOf(index).terms) {
      if (atom.kind === "axis") {
        if (atom.axis === this.#vectorAxis) stride = coefficient;
      } else {
        const value = this.native(atom);
        if (value.variant && value.type === "v128") return undefined;
      }
    }
    return stride;
  }

  /** Whether each element serves two neighbouring lanes: `… + idiv(v + even, 2)`, as of pooling. */
  #isDoubled(index: Node): boolean {
    let halves = 0;
    for (const { coefficient, atom } of affineOf(index).terms) {
      if (atom.kind === "axis" && atom.axis === this.#vectorAxis) return false;
      if (atom.kind === "axis" || !this.native(atom).variant) continue;
      if (coefficient !== 1 || atom.kind !== "call" || atom.op !== "idiv") return false;
      const [value, by] = atom.args as [Node, Node];
      const { terms, offset } = affineOf(value);
      const even = terms.every((t) =>
        t.atom.kind === "axis" && t.atom.axis === this.#vectorAxis
          ? t.coefficient === 1
          : t.coefficient % 2 === 0 && (t.atom.kind === "axis" || !this.native(t.atom).variant)
      );
      if (by.kind !== "const" || by.value !== 2 || !even || offset % 2 !== 0) return false;
      halves++;
    }
    return halves === 1;
  }

  /** Address of an element: of the first lane's, where lanes are a stride apart. */
  address(base: Value, index: Node, bytes: number): Value {
    return this.#uniformSum(index, base, bytes)!;
  }

  #load(x: LoadNode): Value {
    const base = this.#frame.input(x.input);
    const stride = this.stride(x.index);
    const guard = x.guard && this.native(x.guard);
    if (stride === 0 && !(guard?.variant ?? false)) return this.#uniformLoad(x, base);
    const value = x.guard ? this.#guardedLoad(x, base, stride) : this.#plainLoad(x, base, stride);
    if (x.dtype !== "bool") return value;
    return this.#table.make("to mask", "v128", [value], (f, [v]) => {
      f.get(v!).op("i32x4.neg");
    });
  }

  #uniformLoad(x: LoadNode, base: Value): Value {
    const address = this.address(base, x.index, bytesOf(x.dtype));
    const guard = x.guard && this.scalar(x.guard);
    const type = x.dtype === "float64" ? "f64" : x.dtype === "float32" ? "v128" : "i32";
    const args = guard ? [address, guard] : [address];
    return this.#table.make(`load ${type}`, type, args, (f, [a, g]) => {
      const read = () => {
        f.get(a!);
        if (type === "v128") f.memory("v128.load32_splat");
        else f.memory(type === "f64" ? "f64.load" : "i32.load");
      };
      if (g === undefined) return read();
      f.get(g).if(read, () => {
        if (type === "v128") f.i32x4(0);
        else type === "f64" ? f.f64(0) : f.i32(0);
      }, type);
    });
  }

  #plainLoad(x: LoadNode, base: Value, stride: number | undefined): Value {
    if (stride === undefined) {
      if (this.#first && this.#isDoubled(x.index)) {
        const address = this.#first.address(base, x.index, 4);
        return this.#table.make("doubled", "v128", [address], (f, [a], copy) => {
          f.get(a!).memory("v128.load64_zero", 8 * copy, 2).i32x4(0).shuffle32(0, 0, 1, 1);
        }, { variant: true });
      }
      const addresses = this.#vectorSum(x.index, base, 4);
      return this.#table.make("gather", "v128", [addresses], (f, [a]) => emitGather(f, a!));
    }
    const address = this.address(base, x.index, 4);
    return this.#table.make(`load*${stride}`, "v128", [address], (f, [a], copy) => {
      emitStrided(f, a!, stride, copy);
    }, { variant: true });
  }

  /**
   * Lanes whose guard fails read element 0 of the binding, and become 0. Where all guards hold, the
   * common case, the plain load is taken.
   */
  #guardedLoad(x: LoadNode, base: Value, stride: number | undefined): Value {
    const mask = this.vector(x.guard!);
    const near = stride !== undefined && Math.abs(stride) <= 2 && stride !== 0;
    const addresses = this.#vectorSum(x.index, base, 4);
    const args = [mask, addresses, base];
    if (near) args.push(this.address(base, x.index, 4));
    return this.#table.make(`guarded*${stride}`, "v128", args, (f, [m, all, b, first], copy) => {
      const slow = () => {
        const safe = f.local("v128");
        f.get(all!, b!).op("i32x4.splat").get(m!).op("v128.bitselect").set(safe);
        emitGather(f, safe);
        f.get(m!).op("v128.and");
      };
      if (!near) return slow();
      f.get(m!).op("i32x4.all_true");
      f.if(() => emitStrided(f, first!, stride, copy), () => {
        // Arrays side by side: beyond its own, each is asked for nothing.
        f.get(m!).op("v128.any_true").if(slow, () => void f.i32x4(0), "v128");
      }, "v128");
    }, { variant: true });
  }

  #call(x: CallNode): Value {
    const key = `${x.op} ${x.dtype} ${x.args.map((a) => a.dtype).join()}`;
    const { module } = this.#frame;
    if (x.dtype === "float64" || x.args.some((a) => a.dtype === "float64")) {
      return this.#float64Call(x, key);
    }
    const power = logisticOf(x);
    if (power) {
      return this.#table.make("logistic", "v128", [this.vector(power)], (f, args) => {
        logisticF32(f, args);
      }, { costly: true });
    }
    const lanes = x.dtype === "float32" || x.args.some((a) => this.native(a).type === "v128");
    const args = x.args.map((a) => lanes ? this.vector(a) : this.scalar(a));
    if (lanes) {
      return this.#table.make(key, "v128", args, (f, locals) => {
        emitVectorCall(f, x, locals, module);
      }, { costly: COSTLY.has(x.op) });
    }
    return this.#table.make(key, "i32", args, (f, locals) => emitScalarCall(f, x, locals, module));
  }

  #float64Call(x: CallNode, key: string): Value {
    const { module } = this.#frame;
    const type = x.dtype === "float64" ? "f64" : x.dtype === "float32" ? "v128" : "i32";
    const args = x.args.map((a) =>
      a.dtype === "float64" || a.dtype === "float32" ? this.native(a) : this.scalar(a)
    );
    return this.#table.make(key, type, args, (f, locals) => emitFloat64Call(f, x, locals, module));
  }

  /** An effect that writes a value to `index` elements behind `base`. */
  store(base: Value, index: Node, x: Node): Value {
    const value = this.stored(x);
    const address = this.address(base, index, bytesOf(x.dtype));
    const stride = this.stride(index);
    const vector = this.#vectorAxis !== undefined && (value.variant || stride !== 0);
    if (!vector) {
      return this.#table.fresh(undefined, [address, value], (f, [a, v]) => {
        f.get(a!, v!);
        if (value.type === "v128") f.memoryLane("v128.store32_lane", 0);
        else f.memory(value.type === "f64" ? "f64.store" : "i32.store");
      });
    }
    const words = this.storedVector(x);
    if (stride === undefined) {
      const addresses = this.#vectorSum(index, base, 4);
      return this.#table.fresh(undefined, [addresses, words], (f, [a, v]) => {
        for (const lane of LANES) {
          f.get(a!).lane("i32x4.extract_lane", lane).get(v!).memoryLane("v128.store32_lane", lane);
        }
      }, { variant: true });
    }
    return this.#table.fresh(undefined, [address, words], (f, [a, v], copy) => {
      emitStridedStore(f, a!, v!, stride, copy);
    }, { variant: true });
  }

  /** An effect that writes a value `stride` elements per step of `counter` behind `row`. */
  storeAlong(row: Value, counter: Value, stride: number, x: Node): Value {
    const value = this.stored(x);
    const address = this.#plus(row, 4 * stride, counter);
    if (this.#vectorAxis === undefined) {
      return this.#table.fresh(undefined, [address, value], (f, [a, v]) => {
        f.get(a!, v!);
        if (value.type === "v128") f.memoryLane("v128.store32_lane", 0);
        else f.memory("i32.store");
      });
    }
    return this.#table.fresh(undefined, [address, this.storedVector(x)], (f, [a, v], copy) => {
      emitStridedStore(f, a!, v!, stride, copy);
    }, { variant: true });
  }

  /** The value as stored, in all lanes. */
  storedVector(x: Node): Value {
    const lanes = this.vector(x);
    return x.dtype === "bool" ? this.#words(lanes) : lanes;
  }

  #words(mask: Value): Value {
    return this.#table.make("words", "v128", [mask], (f, [v]) => {
      f.get(v!).i32x4(1).op("v128.and");
    });
  }
}
