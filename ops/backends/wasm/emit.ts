/**
 * Emits the values of one kernel function: each once, into a local, at the outermost loop in which
 * its operands are known.
 *
 * A {@linkcode Value} is one instruction sequence with a type and a loop level; `emit_lower.ts` makes
 * them from expressions. An {@linkcode Emission} keeps which values are in locals, in scopes that
 * follow the loops.
 *
 * @module
 */
import { type FunctionBuilder, type FunctionHandle, Local, ModuleBuilder } from "./assembler.ts";
import type { ModuleOptions, Operand, Signature, ValueType } from "./assembler.ts";
import { pushWide } from "./gemm_kernels.ts";

/** A value or (without a type) an effect, ready to emit. */
export interface Value {
  readonly id: number;
  readonly type: ValueType | undefined;
  /** Number of loops around the outermost place where it is known. */
  readonly level: number;
  /** Whether it differs between the unrolled copies of the vector loop. */
  readonly variant: boolean;
  /** Whether it takes tens of instructions: an exponential, a logarithm. */
  readonly costly: boolean;
  readonly args: readonly Value[];
  /** Leaves the value on the stack; operands are in locals. `copy` counts unrolled copies. */
  readonly emit: (f: FunctionBuilder, args: readonly Local[], copy: number) => void;
}

/** A module under construction: kernels, and helper functions that they share. */
export class CodeModule {
  readonly builder: ModuleBuilder;
  readonly #helpers = new Map<string, FunctionHandle>();
  readonly #host = new Map<string, FunctionHandle>();

  constructor(options: ModuleOptions, hostFunctions: ReadonlyMap<string, number> = new Map()) {
    this.builder = new ModuleBuilder(options);
    this.builder.importMemory();
    this.builder.importTable();
    for (const [name, arity] of hostFunctions) {
      const params = new Array<ValueType>(arity).fill("f64");
      const handle = this.builder.importFunction("host", name, { params, results: ["f64"] });
      this.#host.set(name, handle);
    }
  }

  /** A function imported from JavaScript. */
  host(name: string): FunctionHandle {
    return this.#host.get(name)!;
  }

  /** A function defined when first asked for. */
  helper(
    name: string,
    signature: Signature,
    body: (f: FunctionBuilder, module: CodeModule) => void,
  ): FunctionHandle {
    let handle = this.#helpers.get(name);
    if (handle === undefined) {
      handle = this.builder.func(signature, (f) => body(f, this));
      this.#helpers.set(name, handle);
    }
    return handle;
  }
}

/** Most unrolled copies of a vector loop. */
const COPIES = 8;

/** Which values are in locals at the present point of a function. */
export class Emission {
  readonly f: FunctionBuilder;
  readonly #scopes: Map<number, Local>[] = [new Map()];

  constructor(f: FunctionBuilder) {
    this.f = f;
  }

  /** Opens a scope around a loop or block: what it computes is forgotten at its end. */
  scope(body: () => void): void {
    this.#scopes.push(new Map());
    body();
    this.#scopes.pop();
  }

  /** Declares that `local` holds `value` from here to the end of the scope. */
  bind(value: Value, local: Local, copy = 0): void {
    this.#scopes.at(-1)!.set(value.id * COPIES + copy, local);
  }

  /** The local that holds a value, computed here if nowhere before. */
  get(value: Value, copy: number): Local {
    if (!value.variant) copy = 0;
    const key = value.id * COPIES + copy;
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const local = this.#scopes[i]!.get(key);
      if (local !== undefined) return local;
    }
    const args = value.args.map((arg) => this.get(arg, copy));
    const local = this.f.local(value.type!);
    value.emit(this.f, args, copy);
    this.f.set(local);
    this.#scopes.at(-1)!.set(key, local);
    return local;
  }

  /** Emits effects: first all that they need, so that no store comes before another's load. */
  run(effects: readonly Value[], copy = 0): void {
    const args = effects.map((effect) => effect.args.map((arg) => this.get(arg, copy)));
    effects.forEach((effect, i) => effect.emit(this.f, args[i]!, copy));
  }

  /** The same for two copies side by side: V8 makes one of their instructions if no store is between. */
  runPaired(effects: readonly Value[]): void {
    const copies = [0, 1].map((copy) =>
      effects.map((effect) => effect.args.map((arg) => this.get(arg, copy)))
    );
    effects.forEach((effect, i) =>
      copies.forEach((args, copy) => effect.emit(this.f, args[i]!, copy))
    );
  }

  /**
   * Computes here all values under the roots that are known outside of loop `level + 1`; those that
   * differ between copies only inside the vector loop, for each of its `copies`.
   */
  place(roots: Iterable<Value>, level: number, copies = 0): void {
    const seen = new Set<Value>();
    const walk = (x: Value): void => {
      if (seen.has(x)) return;
      seen.add(x);
      if (x.type !== undefined && x.level <= level) {
        for (let c = 0; c < (x.variant ? copies : 1); c++) this.get(x, c);
        return;
      }
      for (const arg of x.args) walk(arg);
    };
    for (const root of roots) walk(root);
  }

  /** A counted loop; its body is a scope in which `counter` is bound. */
  loop(counter: Value, low: Operand, high: Operand, step: number, body: () => void): void {
    const local = this.f.local("i32");
    this.f.range(local, low, high, step, () =>
      this.scope(() => {
        this.bind(counter, local);
        body();
      }));
  }
}

/** Number of values that a vector's turn computes, for the choice of unrolling and of threads. */
export function countVariant(roots: Iterable<Value>): number {
  return variantUnder(roots).size;
}

/** Whether a vector's turn computes a costly function. */
export function takesLong(roots: Iterable<Value>): boolean {
  return [...variantUnder(roots)].some((x) => x.costly);
}

/** Values under the roots that differ between copies. */
function variantUnder(roots: Iterable<Value>): Set<Value> {
  const seen = new Set<Value>();
  const walk = (x: Value): void => {
    if (seen.has(x) || !x.variant) return;
    seen.add(x);
    for (const arg of x.args) walk(arg);
  };
  for (const root of roots) for (const arg of root.args) walk(arg);
  for (const root of roots) seen.add(root);
  return seen;
}

/**
 * Runs a body along a vector axis: unrolled copies of four lanes, then four lanes, then single
 * elements (in which nothing is a vector).
 */
export interface VectorLoop {
  readonly counter: Value;
  readonly low: Operand;
  readonly high: Operand;
  /** Copies of four lanes per turn of the main loop; 0 for single elements only. */
  readonly copies: number;
  /** Emits one turn over `copies` vectors, or over one element where `copies` is 0. */
  readonly body: (copies: number) => void;
  /** Emits one turn over two vectors for engines that pair them, see `wide.ts`. */
  readonly paired?: (() => void) | undefined;
}

/** Emits a vector loop. */
export function emitVectorLoop(e: Emission, loop: VectorLoop): void {
  const { f } = e;
  const { low, high } = loop;
  const counter = f.local("i32");
  f.push(low).set(counter);
  let known = typeof low === "number" && typeof high === "number" ? high - low : undefined;
  const widths = loop.copies === 0 ? [1] : loop.copies === 1 ? [4, 1] : [4 * loop.copies, 4, 1];
  if (loop.paired && (known === undefined || known >= 8)) {
    const last = f.local("i32");
    f.push(high).i32(8).op("i32.sub").set(last);
    pushWide(f).if(() =>
      f.block((done) =>
        f.loop((again) => {
          f.get(counter, last).op("i32.gt_s").brIf(done);
          e.scope(() => {
            e.bind(loop.counter, counter);
            loop.paired!();
          });
          f.get(counter).i32(8).op("i32.add").set(counter).br(again);
        })
      )
    );
    known = undefined;
  }
  for (const width of widths) {
    if (known !== undefined && known < width) continue;
    const once = known !== undefined && known < 2 * width;
    const turn = () =>
      e.scope(() => {
        e.bind(loop.counter, counter);
        loop.body(width / 4 >= 1 ? width / 4 : 0);
      });
    if (once) {
      turn();
      f.get(counter).i32(width).op("i32.add").set(counter);
    } else {
      // `counter ≤ high − width`, tested at the bottom.
      const last = f.local("i32");
      f.push(high).i32(width).op("i32.sub").set(last);
      f.get(counter, last).op("i32.le_s").if(() =>
        f.loop((again) => {
          turn();
          f.get(counter).i32(width).op("i32.add").tee(counter).get(last).op("i32.le_s");
          f.brIf(again);
        })
      );
    }
    if (known !== undefined) known %= width;
  }
}

export { Local };
