/**
 * Long reductions of few points: each row in parts, then the parts combined. Reductions that use
 * the results of others wait for those, so a kernel becomes one pair of dispatches per stage.
 */
import type { DType } from "../../ir/dtype.ts";
import {
  acc,
  add,
  axesOf,
  axis,
  call,
  cast,
  constant,
  type Expr,
  int,
  load,
  lt,
  mul,
  rewrite,
  select,
  unravel,
  visit,
} from "../../ir/expr.ts";
import {
  type KernelOutput,
  type MapKernel,
  type ReduceKernel,
  type Reduction,
  sizeOf,
} from "../../ir/kernel.ts";
import { bytesOf } from "../../ir/dtype.ts";
import { position } from "./flatten.ts";
import { mapStep } from "./map.ts";
import { chooseShape, isArgument, type ReduceShape, reduceStep } from "./reduce.ts";
import { argumentsFrom, fromKernel, type Lowered, type Step, type StepArgument } from "./step.ts";
import { neutralValue } from "./wgsl.ts";

/** Workgroups that keep a large device busy. */
const BUSY = 512;

/** Elements of a part that each lane has at least. */
const LEAST = 64;

/** Parts into which the rows of a reduction are split; 1 where that does not pay. */
export function splitLength(points: number, length: number, shape: ReduceShape): number {
  const groups = Math.ceil(points / shape.rows);
  const most = Math.min(Math.ceil(BUSY / groups), Math.floor(length / (shape.lanes * LEAST)));
  if (groups >= BUSY / 4 || most < 2) return 1;
  // Parts of equal length need no checks.
  for (let parts = most; parts > most / 2 && parts > 1; parts--) {
    if (length % parts === 0) return parts;
  }
  return Math.ceil(length / Math.ceil(length / most));
}

/** Where the result of a reduction is kept. */
interface Kept {
  readonly scratch: number;
  readonly dtype: DType;
}

type Source = Pick<StepArgument, "from" | "number">;

/** Lowers a reduction whose rows are split. */
export function splitReduce(kernel: ReduceKernel, parts: number, shape: ReduceShape): Lowered {
  return new Splitter(kernel, parts, shape).lower();
}

class Splitter {
  readonly #kernel: ReduceKernel;
  readonly #parts: number;
  readonly #chunk: number;
  readonly #along: ReduceShape["along"];
  readonly #scratch: number[] = [];
  readonly #steps: Step[] = [];
  /** Results so far, by slot. */
  readonly #results: Kept[] = [];

  constructor(kernel: ReduceKernel, parts: number, shape: ReduceShape) {
    this.#kernel = kernel;
    this.#parts = parts;
    this.#chunk = Math.ceil(sizeOf(kernel.reduce) / parts);
    this.#along = shape.along;
  }

  lower(): Lowered {
    const { reductions, outputs } = this.#kernel;
    const stages = stagesOf(reductions);
    const last = Math.max(...stages), full = outputs.some((o) => o.full);
    for (let stage = 0; stage <= last; stage++) {
      const slots = [...reductions.keys()].filter((slot) => stages[slot] === stage);
      this.#stage(slots, stage === last && !full);
    }
    if (full) this.#writeOutputs();
    return { steps: this.#steps, scratch: this.#scratch };
  }

  #keep(dtype: DType, elements: number): Kept {
    // Partial results of halves are kept whole.
    const kept: DType = dtype === "float16" ? "float32" : dtype;
    this.#scratch.push(elements * bytesOf(kept));
    return { scratch: this.#scratch.length - 1, dtype: kept };
  }

  /** Inputs of a kernel that also reads scratch arrays. */
  #inputs(kept: readonly Kept[]): { inputs: ReduceKernel["inputs"]; sources: Source[] } {
    const { inputs } = this.#kernel;
    return {
      inputs: [...inputs, ...kept.map(({ dtype }) => ({ dtype }))],
      sources: [
        ...fromKernel(0, inputs.length),
        ...kept.map(({ scratch }): Source => ({ from: "scratch", number: scratch })),
      ],
    };
  }

  /** `acc(slot)` as a load of a kept result; those of the current stage by `own`. */
  #resolve(x: Expr, own?: (slot: number) => Expr | undefined, axes?: readonly Expr[]): Expr {
    const { shape, inputs } = this.#kernel;
    return rewrite(x, {
      acc: ({ slot, dtype }) => {
        const local = own?.(slot);
        if (local) return local;
        const kept = this.#results[slot]!;
        return cast(load(inputs.length + slot, kept.dtype, position(shape, 0)), dtype);
      },
      ...(axes ? { axis: (a) => axes[a.axis] ?? a } : {}),
    });
  }

  #stage(slots: readonly number[], last: boolean): void {
    const { shape, reduce } = this.#kernel;
    const points = sizeOf(shape), length = sizeOf(reduce);
    const part = axis(shape.length, this.#parts);
    const flat = add(mul(part, int(this.#chunk)), axis(shape.length + 1, this.#chunk));
    const ragged = this.#parts * this.#chunk > length;
    const terms = unravel(ragged ? call("min", [flat, int(length - 1)]) : flat, reduce);
    const axes = [...axesOf(shape), ...terms];
    const reductions: Reduction[] = [], outputs: KernelOutput[] = [], kept: Kept[] = [];
    const output = (dtype: DType, value: Expr): void => {
      const array = this.#keep(dtype, points * this.#parts);
      kept.push(array);
      outputs.push({ dtype: array.dtype, value: cast(value, array.dtype), index: undefined });
    };
    for (const slot of slots) {
      const { op, body, dtype } = this.#kernel.reductions[slot]!;
      const moved = this.#resolve(body, undefined, axes);
      const value = ragged
        ? select(lt(flat, int(length)), moved, constant(neutralValue(op, body.dtype), body.dtype))
        : moved;
      const best: Reduction["op"] = op === "argmax" ? "max" : op === "argmin" ? "min" : op;
      output(body.dtype, acc(reductions.length, body.dtype));
      reductions.push({ op: best, body: value, dtype: body.dtype });
      if (!isArgument(op)) continue;
      const place = acc(reductions.length, dtype) as Expr;
      output(dtype, add(mul(part, int(this.#chunk)), place));
      reductions.push({ op, body: value, dtype });
    }
    const { inputs, sources } = this.#inputs(this.#results);
    const partial: ReduceKernel = {
      kind: "reduce",
      shape: [...shape, this.#parts],
      reduce: [this.#chunk],
      inputs,
      reductions,
      outputs,
    };
    const targets = kept.map(({ scratch }): Source => ({ from: "scratch", number: scratch }));
    const args = argumentsFrom(partial, [...sources, ...targets]);
    this.#steps.push(reduceStep(partial, args, chooseShape(partial, this.#along)));
    this.#combine(slots, kept, last);
  }

  /** Combines the parts; the last stage also writes the outputs. */
  #combine(slots: readonly number[], parts: readonly Kept[], last: boolean): void {
    const { shape, inputs: own, outputs: final } = this.#kernel;
    const { inputs, sources } = this.#inputs([...this.#results, ...parts]);
    const start = own.length + this.#results.length;
    const row = mul(position(shape, 0), int(this.#parts));
    const reductions: Reduction[] = [], values: Expr[] = [];
    let next = start;
    for (const slot of slots) {
      const { op, body, dtype } = this.#kernel.reductions[slot]!;
      const at = add(row, axis(shape.length, this.#parts));
      const kept = parts[next - start]!;
      const value = cast(load(next++, kept.dtype, at), body.dtype);
      const result = acc(reductions.length, dtype);
      reductions.push({ op, body: value, dtype });
      values.push(isArgument(op) ? load(next++, "int32", add(row, result)) : result);
    }
    const results = slots.map((slot) => this.#kernel.reductions[slot]!.dtype);
    const fresh = last ? [] : results.map((dtype) => this.#keep(dtype, sizeOf(shape)));
    const mine = (slot: number) => values[slots.indexOf(slot)];
    const outputs: readonly KernelOutput[] = last
      ? final.map((o) => ({ ...o, value: this.#resolve(o.value, mine) }))
      : fresh.map(({ dtype }, i) => ({ dtype, value: cast(values[i]!, dtype), index: undefined }));
    const kernel: ReduceKernel = {
      kind: "reduce",
      shape,
      reduce: [this.#parts],
      inputs,
      reductions,
      outputs,
    };
    const targets: readonly Source[] = last
      ? fromKernel(own.length, final.length)
      : fresh.map(({ scratch }): Source => ({ from: "scratch", number: scratch }));
    this.#steps.push(reduceStep(kernel, argumentsFrom(kernel, [...sources, ...targets])));
    for (const [i, array] of fresh.entries()) this.#results[slots[i]!] = array;
  }

  /** Elementwise kernels for the outputs: one over outer points, one over all. */
  #writeOutputs(): void {
    const { shape, reduce, outputs, inputs: own } = this.#kernel;
    for (const full of [false, true]) {
      const numbers = [...outputs.keys()].filter((o) => (outputs[o]!.full === true) === full);
      if (numbers.length === 0) continue;
      const { inputs, sources } = this.#inputs(this.#results);
      const kernel: MapKernel = {
        kind: "map",
        shape: full ? [...shape, ...reduce] : shape,
        inputs,
        outputs: numbers.map((o) => {
          const { dtype, value, index } = outputs[o]!;
          return { dtype, value: this.#resolve(value), index };
        }),
      };
      const targets = numbers.flatMap((o) => fromKernel(own.length + o, 1));
      this.#steps.push(mapStep(kernel, argumentsFrom(kernel, [...sources, ...targets])));
    }
  }
}

/** For each reduction, after how many others it can run. */
function stagesOf(reductions: readonly Reduction[]): number[] {
  const stages: number[] = [];
  for (const { body } of reductions) {
    let stage = 0;
    visit([body], (x) => {
      if (x.kind === "acc") stage = Math.max(stage, stages[x.slot]! + 1);
    });
    stages.push(stage);
  }
  return stages;
}
