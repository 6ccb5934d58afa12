/**
 * Turns programs into WGSL statements.
 *
 * A value is computed once for each set of variables that it depends on, in the outermost scope that
 * knows them all: what does not change in a loop is computed before it, and four neighbouring points
 * share what they have in common.
 */
import type { Instruction, Program } from "../../ir/program.ts";
import { isVectorLoad, type LaneStep } from "./lanes.ts";
import { component, type Module } from "./module.ts";
import { literal, registerType, spell } from "./wgsl.ts";

/** Where in the iteration space a program is evaluated: names of i32 variables. */
export interface Point {
  /** Variable of each axis. */
  readonly axes: readonly string[];
  /** Variable of each reduction's result. */
  readonly accs?: readonly string[];
  /** The point as one of four neighbours, whose loads may be one vector load. */
  readonly lane?: {
    readonly axis: number;
    readonly steps: readonly LaneStep[];
    /** Axis variable of the first neighbour. */
    readonly first: string;
    readonly number: number;
  };
}

interface Scope {
  readonly lines: string[];
  readonly values: Map<string, string>;
}

interface Dependencies {
  readonly axes: ReadonlySet<number>;
  readonly accs: ReadonlySet<number>;
}

/** Emits the values of one program into nested scopes. */
export class Emitter {
  readonly #program: Program;
  readonly #module: Module;
  readonly #dependencies: readonly Dependencies[];
  readonly #scopes: Scope[] = [{ lines: [], values: new Map() }];
  readonly #levels = new Map<string, number>();
  #names = 0;

  /** Starts with one open scope. */
  constructor(program: Program, module: Module) {
    this.#program = program;
    this.#module = module;
    this.#dependencies = dependenciesOf(program);
    if (program.instructions.some(({ expr }) => expr.dtype === "float16" && expr.kind === "call")) {
      module.useHalf();
    }
  }

  /** Opens a scope inside the current one. */
  open(): void {
    this.#scopes.push({ lines: [], values: new Map() });
  }

  /** Closes the innermost scope and returns its statements. */
  close(): string {
    const level = this.#scopes.length - 1;
    for (const [name, at] of this.#levels) if (at === level) this.#levels.delete(name);
    return this.#scopes.pop()!.lines.join("\n");
  }

  /** Adds a statement to the innermost scope. */
  line(text: string): void {
    this.#scopes[this.#scopes.length - 1]!.lines.push(text);
  }

  /** Says that a variable belongs to the innermost scope. Returns its name. */
  bind(name: string): string {
    this.#levels.set(name, this.#scopes.length - 1);
    return name;
  }

  /** Defines a variable in the innermost scope. Returns its name. */
  define(name: string, value: string): string {
    this.line(`let ${name} = ${value};`);
    return this.bind(name);
  }

  /** A name that is not in use. */
  fresh(): string {
    return `v${this.#names++}`;
  }

  /** Text of root `root` at a point; statements go where they are needed. */
  root(root: number, point: Point): string {
    return this.value(this.#program.roots[root]!, point);
  }

  /** Text of the value at `position` of the program. */
  value(position: number, point: Point): string {
    const instruction = this.#program.instructions[position]!;
    const { expr } = instruction;
    if (expr.kind === "const") return literal(expr.value, expr.dtype, this.#module.use);
    if (expr.kind === "axis") return point.axes[expr.axis]!;
    if (expr.kind === "acc") return point.accs![expr.slot]!;
    return this.#once(position, "", point, () => this.#text(position, instruction, point));
  }

  /** The value `make` gives, computed once per set of variables that `position` depends on. */
  #once(position: number, tag: string, point: Point, make: () => string): string {
    const { axes, accs } = this.#dependencies[position]!;
    const names = [
      ...[...axes].map((a) => point.axes[a]!),
      ...[...accs].map((a) => point.accs![a]!),
    ];
    const scope = this.#scopes[this.#levelOf(names)]!;
    const key = `${tag}${position}|${names.join(",")}`;
    const known = scope.values.get(key);
    if (known !== undefined) return known;
    const text = make();
    const name = this.fresh();
    scope.lines.push(`let ${name} = ${text};`);
    scope.values.set(key, name);
    return name;
  }

  #levelOf(names: readonly string[]): number {
    let level = 0;
    for (const name of names) level = Math.max(level, this.#levels.get(name) ?? 0);
    return level;
  }

  #text(position: number, { expr, args }: Instruction, point: Point): string {
    if (expr.kind === "load") return this.#load(position, expr.input, args, point);
    if (expr.kind !== "call") throw new Error(`webgpu: internal: a value of kind ${expr.kind}`);
    if (expr.op === "philox") return this.#philox(position, args, point);
    return spell(expr.op, {
      args: args.map((arg) => this.value(arg, point)),
      types: args.map((arg) => this.#program.instructions[arg]!.expr.dtype),
      result: expr.dtype,
      use: this.#module.use,
    });
  }

  #load(position: number, input: number, args: readonly number[], point: Point): string {
    const { lane } = point;
    if (lane && this.#module.isVector(input) && isVectorLoad(this.#program, lane.steps, position)) {
      const axes = point.axes.with(lane.axis, lane.first);
      const base: Point = point.accs ? { axes, accs: point.accs } : { axes };
      const vector = this.#once(position, "vector", base, () => {
        const [index, guard] = this.#address(args, base);
        const text = this.#module.loadVector(input, `${index} >> 2u`);
        if (guard === undefined) return text;
        return `select(vec4<${registerType(this.#dtype(position))}>(), ${text}, ${guard})`;
      });
      return `${vector}.${component(lane.number)}`;
    }
    const [index, guard] = this.#address(args, point);
    const text = this.#module.load(input, index);
    if (guard === undefined) return text;
    const zero = literal(0, this.#dtype(position), this.#module.use);
    return `select(${zero}, ${text}, ${guard})`;
  }

  #dtype(position: number): Instruction["expr"]["dtype"] {
    return this.#program.instructions[position]!.expr.dtype;
  }

  /** Index as u32 text and guard; where the guard is false, index 0. */
  #address(args: readonly number[], point: Point): [string, string | undefined] {
    const index = `u32(${this.value(args[0]!, point)})`;
    if (args[1] === undefined) return [index, undefined];
    const guard = this.value(args[1], point);
    return [`select(0u, ${index}, ${guard})`, guard];
  }

  #philox(position: number, args: readonly number[], point: Point): string {
    const texts = args.slice(0, 4).map((arg) => `u32(${this.value(arg, point)})`);
    const word = this.#program.instructions[args[4]!]!.expr;
    if (word.kind !== "const") throw new Error("webgpu: internal: philox's word is not constant");
    // All four words of a block depend on the same values, so they share one evaluation.
    const { axes, accs } = this.#dependencies[position]!;
    const names = [
      ...[...axes].map((a) => point.axes[a]!),
      ...[...accs].map((a) => point.accs![a]!),
    ];
    const scope = this.#scopes[this.#levelOf(names)]!;
    const key = `philox|${texts.join(",")}`;
    let block = scope.values.get(key);
    if (block === undefined) {
      block = this.fresh();
      scope.lines.push(`let ${block} = ${this.#module.use("philox")}(${texts.join(", ")});`);
      scope.values.set(key, block);
    }
    return `${block}.${component(word.value)}`;
  }
}

function dependenciesOf(program: Program): Dependencies[] {
  const result: Dependencies[] = [];
  for (const { expr, args } of program.instructions) {
    const axes = new Set<number>(), accs = new Set<number>();
    if (expr.kind === "axis") axes.add(expr.axis);
    if (expr.kind === "acc") accs.add(expr.slot);
    for (const arg of args) {
      for (const a of result[arg]!.axes) axes.add(a);
      for (const a of result[arg]!.accs) accs.add(a);
    }
    result.push({ axes, accs });
  }
  return result;
}
