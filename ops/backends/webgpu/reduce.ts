/**
 * Reductions. A workgroup holds several outer points ("rows") and several lanes for each; a lane
 * combines every T-th element of its row, and a tree in workgroup memory combines the lanes. The
 * order is fixed by the shape alone, so results are the same in every run.
 */
import type { DType } from "../../ir/dtype.ts";
import type { Expr } from "../../ir/expr.ts";
import { kernelKey, type ReduceKernel, type Reduction, sizeOf } from "../../ir/kernel.ts";
import { linearize, type Program } from "../../ir/program.ts";
import { contiguity } from "./contiguity.ts";
import { Emitter, type Point } from "./emit.ts";
import { flatten, position } from "./flatten.ts";
import { isVectorIndex, type LaneStep, laneSteps, vectorInputs } from "./lanes.ts";
import { type Layout, Module } from "./module.ts";
import { entryPoint, type Step, type StepArgument } from "./step.ts";
import { combine, literal, neutral, neutralValue, registerType } from "./wgsl.ts";

/** Threads of a workgroup; 256 is what every adapter has. */
const THREADS = 256;

/** Threads that keep a large device busy. */
const FULL = 1 << 16;

/** Elements that a thread combines in a row before it starts a new partial sum. */
const BLOCK = 64;

/** How a workgroup shares the work. */
export interface ReduceShape {
  /** Lanes that share a row, a power of two. */
  readonly lanes: number;
  /** Rows of a workgroup. */
  readonly rows: number;
  /** Whether neighbouring threads take neighbouring elements of a row, or neighbouring rows. */
  readonly along: "row" | "column";
}

/** Roots in order: bodies of the reductions, then value and index of each output. */
export function reduceRoots(kernel: ReduceKernel): Expr[] {
  const outer = kernel.shape, all = [...kernel.shape, ...kernel.reduce];
  return [
    ...kernel.reductions.map((r) => r.body),
    ...kernel.outputs.flatMap((o) => [o.value, o.index ?? position(o.full ? all : outer, 0)]),
  ];
}

/** Whether a reduction gives a position. */
export function isArgument(op: Reduction["op"]): boolean {
  return op === "argmax" || op === "argmin";
}

function powerOfTwo(atLeast: number): number {
  let power = 1;
  while (power < atLeast) power *= 2;
  return power;
}

/**
 * Whether the reduced values are contiguous along the reduced axis, or more so along the outer one,
 * by the loads that move along both: the others read little.
 */
function direction(program: Program, bodies: number, sizes: readonly number[]): "row" | "column" {
  const used = reachable(program, program.roots.slice(0, bodies));
  let rows = 0, columns = 0;
  for (const i of used) {
    const { expr, args } = program.instructions[i]!;
    if (expr.kind !== "load") continue;
    const index = reachable(program, [args[0]!]);
    const moves = [0, 1].every((axis) =>
      [...index].some((at) => {
        const { expr: part } = program.instructions[at]!;
        return part.kind === "axis" && part.axis === axis;
      })
    );
    if (!moves) continue;
    rows += contiguity(program, args[0]!, 1, sizes);
    columns += contiguity(program, args[0]!, 0, sizes);
  }
  return columns > rows ? "column" : "row";
}

function reachable(program: Program, roots: readonly number[]): Set<number> {
  const seen = new Set<number>();
  function walk(i: number): void {
    if (seen.has(i)) return;
    seen.add(i);
    for (const arg of program.instructions[i]!.args) walk(arg);
  }
  for (const root of roots) walk(root);
  return seen;
}

/** Chooses lanes and rows: enough threads to fill the device, enough work for each. */
export function reduceShape(
  points: number,
  length: number,
  along: "row" | "column",
): ReduceShape {
  // Columns: 32 of them side by side fill a cache line.
  const most = along === "row" ? THREADS : 8;
  const wanted = points >= FULL ? length / 16 : points >= FULL / 16 ? length / 4 : length / 2;
  const lanes = Math.min(most, powerOfTwo(wanted));
  const filled = Math.max(1, powerOfTwo(FULL / points) * (along === "row" ? 4 : 1));
  const shared = along === "row" && length > 64 ? lanes : Math.min(lanes, filled);
  const rows = Math.min(THREADS / shared, powerOfTwo(points));
  return { lanes: shared, rows, along };
}

function programOf(kernel: ReduceKernel): Program {
  return linearize(flatten(reduceRoots(kernel), [kernel.shape, kernel.reduce]).roots);
}

/** How a reduction is shared out; `along` overrides what its loads look like. */
export function chooseShape(kernel: ReduceKernel, along?: ReduceShape["along"]): ReduceShape {
  const points = sizeOf(kernel.shape), length = sizeOf(kernel.reduce);
  const way = along ?? direction(programOf(kernel), kernel.reductions.length, [points, length]);
  return reduceShape(points, length, way);
}

/** Lowers a reduction to one dispatch. */
export function reduceStep(
  kernel: ReduceKernel,
  args: readonly StepArgument[],
  shape: ReduceShape = chooseShape(kernel),
): Step {
  const points = sizeOf(kernel.shape), program = programOf(kernel);
  return {
    label: `reduce ${kernel.shape.join("×")} / ${kernel.reduce.join("×")}`,
    key: `${shape.lanes}${shape.along}|${kernelKey(kernel)}`,
    arguments: args,
    workgroups: Math.ceil(points / shape.rows),
    parameters: [],
    generate: (layout) => new ReduceWriter(kernel, args, layout, program, shape).text(),
  };
}

/** Whether lanes take four neighbours at a time: where rows are long and split evenly by four. */
function takesFour(length: number, { along, lanes }: ReduceShape): boolean {
  return along === "row" && length % 4 === 0 && length >= 4 * lanes;
}

class ReduceWriter {
  readonly #kernel: ReduceKernel;
  readonly #module: Module;
  readonly #emitter: Emitter;
  readonly #shape: ReduceShape;
  readonly #points: number;
  /** Elements that a lane takes at a time, and how many such groups a row has. */
  readonly #width: 1 | 4;
  readonly #length: number;
  readonly #steps: readonly LaneStep[];
  readonly #program: Program;
  readonly #accs: string[] = [];

  constructor(
    kernel: ReduceKernel,
    args: readonly StepArgument[],
    layout: Layout,
    program: Program,
    shape: ReduceShape,
  ) {
    this.#kernel = kernel;
    this.#shape = shape;
    this.#points = sizeOf(kernel.shape);
    this.#program = program;
    this.#steps = laneSteps(program, 1);
    const length = sizeOf(kernel.reduce);
    this.#width = takesFour(length, shape) ? 4 : 1;
    this.#length = length / this.#width;
    this.#module = new Module(args, layout);
    if (this.#width === 4) this.#chooseVectors();
    this.#emitter = new Emitter(program, this.#module);
  }

  #chooseVectors(): void {
    const { inputs, outputs, reductions } = this.#kernel;
    this.#module.chooseVectors([
      ...vectorInputs(this.#program, this.#steps, inputs.length),
      ...outputs.map((_, o) => {
        const index = this.#program.roots[reductions.length + 2 * o + 1]!;
        return isVectorIndex(this.#steps[index]!);
      }),
    ]);
  }

  text(): string {
    const { rows, lanes, along } = this.#shape;
    const emitter = this.#emitter;
    const threads = rows * lanes;
    const [row, lane] = along === "row"
      ? [`thread / ${lanes}u`, `thread % ${lanes}u`]
      : [`thread % ${rows}u`, `thread / ${rows}u`];
    emitter.define("row", `group * ${rows}u + ${row}`);
    emitter.define("lane", lane);
    emitter.define("outer", `i32(min(row, ${this.#points - 1}u))`);
    for (const [slot, reduction] of this.#kernel.reductions.entries()) {
      if (isArgument(reduction.op)) this.#argument(slot, reduction);
      else this.#fold(slot, reduction);
    }
    this.#outputs();
    const count = Math.ceil(this.#points / rows);
    return this.#module.text(entryPoint(threads, count, emitter.close()));
  }

  /** A loop over the elements of this lane, one or four neighbours in each turn. */
  #loop(body: (points: readonly Point[]) => void): string {
    const { lanes } = this.#shape;
    const emitter = this.#emitter, width = this.#width;
    emitter.open();
    const first = emitter.define(emitter.fresh(), width === 1 ? "i32(k)" : "i32(k * 4u)");
    const points = Array.from({ length: width }, (_, number): Point => {
      const own = number === 0 ? first : emitter.define(emitter.fresh(), `${first} + ${number}`);
      const lane = { axis: 1, steps: this.#steps, first, number };
      return { axes: ["outer", own], accs: this.#accs, ...(width === 4 ? { lane } : {}) };
    });
    body(points);
    const text = emitter.close();
    return `for (var k = start; k < end; k += ${lanes}u) {\n${text}\n}`;
  }

  #fold(slot: number, { op, dtype }: Reduction): void {
    const { lanes } = this.#shape;
    const emitter = this.#emitter, use = this.#module.use;
    const zero = neutral(op, dtype, use), type = registerType(dtype);
    const into = (name: string) =>
      this.#loop((points) => {
        const values = points.map((point) => emitter.root(slot, point));
        const join = (a: string, b: string) => combine(op, dtype, a, b, use);
        const value = values.length === 1
          ? values[0]!
          : join(join(values[0]!, values[1]!), join(values[2]!, values[3]!));
        emitter.line(`${name} = ${join(name, value)};`);
      });
    emitter.line(`var s${slot}: ${type} = ${zero};`);
    if (this.#length <= lanes * BLOCK) {
      const loop = into(`s${slot}`);
      emitter.line(`{ let start = lane; let end = ${this.#length}u;\n${loop} }`);
    } else {
      const step = lanes * BLOCK;
      const loop = into("part");
      emitter.line(`for (var block = 0u; block < ${this.#length}u; block += ${step}u) {
var part: ${type} = ${zero};
let start = block + lane;
let end = min(block + ${step}u, ${this.#length}u);
${loop}
s${slot} = ${combine(op, dtype, `s${slot}`, "part", use)};
}`);
    }
    if (lanes > 1) this.#tree(slot, op, dtype);
    this.#accs.push(emitter.define(`acc${slot}`, `s${slot}`));
  }

  /** Number of threads between neighbouring lanes of a row. */
  get #stride(): number {
    return this.#shape.along === "row" ? 1 : this.#shape.rows;
  }

  /** Thread that holds the first lane of this row. */
  get #head(): string {
    return this.#shape.along === "row" ? "thread - lane" : `thread % ${this.#shape.rows}u`;
  }

  #tree(slot: number, op: Reduction["op"], dtype: DType): void {
    const { rows, lanes } = this.#shape;
    const emitter = this.#emitter, use = this.#module.use;
    const type = registerType(dtype), shared = `shared${slot}`;
    this.#module.declare(`var<workgroup> ${shared}: array<${type}, ${rows * lanes}>;`);
    emitter.line(`${shared}[thread] = s${slot};\nworkgroupBarrier();`);
    for (let half = lanes / 2; half >= 1; half /= 2) {
      const other = `${shared}[thread + ${half * this.#stride}u]`;
      emitter.line(`if (lane < ${half}u) {
${shared}[thread] = ${combine(op, dtype, `${shared}[thread]`, other, use)};
}
workgroupBarrier();`);
    }
    emitter.line(`s${slot} = ${shared}[${this.#head}];`);
  }

  #argument(slot: number, { op, body }: Reduction): void {
    const { rows, lanes } = this.#shape;
    const emitter = this.#emitter, use = this.#module.use;
    const dtype = body.dtype, type = registerType(dtype);
    const better = declareBetter(this.#module, op, dtype);
    emitter.line(`var s${slot} = 2147483647i;`);
    emitter.line(`var best${slot}: ${type} = ${literal(neutralValue(op, dtype), dtype, use)};`);
    const loop = this.#loop((points) => {
      for (const point of points) {
        const value = emitter.root(slot, point), at = point.axes[1]!;
        emitter.line(`if (${better}(${value}, ${at}, best${slot}, s${slot})) {
best${slot} = ${value};
s${slot} = ${at};
}`);
      }
    });
    emitter.line(`{ let start = lane; let end = ${this.#length}u;\n${loop} }`);
    if (lanes > 1) {
      const values = `shared${slot}`, places = `places${slot}`;
      this.#module.declare(`var<workgroup> ${values}: array<${type}, ${rows * lanes}>;`);
      this.#module.declare(`var<workgroup> ${places}: array<i32, ${rows * lanes}>;`);
      emitter.line(`${values}[thread] = best${slot};\n${places}[thread] = s${slot};`);
      emitter.line("workgroupBarrier();");
      for (let half = lanes / 2; half >= 1; half /= 2) {
        const other = `thread + ${half * this.#stride}u`;
        emitter.line(`if (lane < ${half}u &&
${better}(${values}[${other}], ${places}[${other}], ${values}[thread], ${places}[thread])) {
${values}[thread] = ${values}[${other}];
${places}[thread] = ${places}[${other}];
}
workgroupBarrier();`);
      }
      emitter.line(`s${slot} = ${places}[${this.#head}];`);
    }
    this.#accs.push(emitter.define(`acc${slot}`, `s${slot}`));
  }

  #outputs(): void {
    const { outputs } = this.#kernel;
    const once = [...outputs.keys()].filter((o) => !outputs[o]!.full);
    const full = [...outputs.keys()].filter((o) => outputs[o]!.full);
    const emitter = this.#emitter;
    if (once.length > 0) {
      emitter.open();
      const axes = [emitter.define("at", "outer"), "outer"];
      const accs = this.#accs.map((acc) => emitter.define(`${acc}_at`, acc));
      this.#store(once, [{ axes, accs }]);
      emitter.line(`if (lane == 0u && row < ${this.#points}u) {\n${emitter.close()}\n}`);
    }
    if (full.length > 0) {
      const loop = this.#loop((points) => this.#store(full, points));
      emitter.line(`if (row < ${this.#points}u) {
let start = lane; let end = ${this.#length}u;
${loop}
}`);
    }
  }

  /** All values before all stores. */
  #store(outputs: readonly number[], points: readonly Point[]): void {
    const bodies = this.#kernel.reductions.length, inputs = this.#kernel.inputs.length;
    const emitter = this.#emitter, module = this.#module;
    const stores = outputs.flatMap((o) => {
      const values = points.map((point) => emitter.root(bodies + 2 * o, point));
      const indices = points.map((point) => `u32(${emitter.root(bodies + 2 * o + 1, point)})`);
      if (points.length === 4 && module.isVector(inputs + o)) {
        return [module.storeVector(inputs + o, `${indices[0]} >> 2u`, values)];
      }
      return values.map((value, i) => module.store(inputs + o, indices[i]!, value));
    });
    for (const store of stores) emitter.line(store);
  }
}

/**
 * Declares when candidate (value, position) beats the best so far: greater (or less), or the first
 * of equals, where NaN beats all numbers. Returns the function's name.
 */
function declareBetter(module: Module, op: Reduction["op"], dtype: DType): string {
  const type = registerType(dtype), name = `better_${op}_${type}`;
  const symbol = op === "argmax" ? ">" : "<";
  const [a, b] = type === "bool" ? ["u32(value)", "u32(best)"] : ["value", "best"];
  let wins = `${a} ${symbol} ${b}`, equal = `${a} == ${b}`;
  if (type === "f32") {
    const nan = module.use("is_nan");
    wins = `(${wins}) || (${nan}(value) && !${nan}(best))`;
    equal = `(${equal}) || (${nan}(value) && ${nan}(best))`;
  }
  module.declareOnce(`fn ${name}(value: ${type}, at: i32, best: ${type}, best_at: i32) -> bool {
return (${wins}) || ((${equal}) && at < best_at);
}`);
  return name;
}
