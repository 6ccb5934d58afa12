/**
 * Matrix products: one tiled template whose operands are expressions, evaluated as the tiles are
 * loaded, and whose results go through the kernel's output expressions.
 *
 * What makes it fast (measured on an H100) is that nothing in the inner loop is indexed by a
 * variable: workgroup arrays are nested, every index is a constant but the one that depends on the
 * thread alone, and the loop over the depth of a tile is unrolled. The bounds checks that WebGPU
 * puts on every dynamic index are then hoisted out of the loop. Operands lie transposed in workgroup
 * memory, so that a thread reads its rows and columns as vectors.
 */
import type { Expr } from "../../ir/expr.ts";
import { type ContractKernel, kernelKey, sizeOf } from "../../ir/kernel.ts";
import { linearize, type Program } from "../../ir/program.ts";
import { Emitter, type Point } from "./emit.ts";
import { flatten, position } from "./flatten.ts";
import { isVectorIndex, isVectorLoad, type LaneStep, laneSteps } from "./lanes.ts";
import { component, type Layout, Module } from "./module.ts";
import { type DeviceFacts, entryPoint, type Step, type StepArgument } from "./step.ts";
import { chooseTile, type ProductSize, type Tile, tileCount, tileThreads } from "./tiles.ts";
import { registerType } from "./wgsl.ts";

/** Rows of tiles that are worked on together, so that their columns are still in the cache. */
const GROUPED_ROWS = 8;

/** Axes after flattening; axis 0 is the batch. */
const M = 1, N = 2, K = 3;

/** An operand as the template sees it. */
interface Side {
  /** "a" lies along rows of the result, "b" along columns. */
  readonly name: "a" | "b";
  /** Root of the program of operands. */
  readonly root: number;
  /** The operand's own axis: M or N. */
  readonly axis: number;
  readonly size: number;
  /** Elements of a tile along the axis, threads along it, and vectors that a thread has. */
  readonly tile: number;
  readonly threads: number;
  readonly vectors: number;
  /** The axis along which its loads are contiguous, and steps along that. */
  readonly along: number;
  readonly steps: readonly LaneStep[];
}

/** Sizes of a product. */
export function productSize(kernel: ContractKernel): ProductSize {
  return {
    batch: sizeOf(kernel.batch),
    m: sizeOf(kernel.m),
    n: sizeOf(kernel.n),
    k: sizeOf(kernel.k),
  };
}

/** Lowers a matrix product to one dispatch. */
export function contractStep(
  kernel: ContractKernel,
  args: readonly StepArgument[],
  facts: DeviceFacts,
): Step {
  const size = productSize(kernel);
  const tile = chooseTile(size, facts);
  return {
    label: `contract ${size.batch}×${size.m}×${size.n}×${size.k} ${tile.name}`,
    key: `${tile.name}|${kernelKey(kernel)}`,
    arguments: args,
    workgroups: tileCount(turned(kernel) ? turnedTile(tile) : tile, size),
    parameters: [],
    generate: (layout) => new ContractWriter(kernel, args, layout, tile).text(),
  };
}

/** A tile with rows along N, for results that are contiguous along M. */
function turnedTile(tile: Tile): Tile {
  return { ...tile, rows: tile.columns, columns: tile.rows };
}

interface Programs {
  /** Roots: a, b. */
  readonly operands: Program;
  /** Roots: value and index of each output. */
  readonly outputs: Program;
}

function programsOf(kernel: ContractKernel): Programs {
  const groups = [kernel.batch, kernel.m, kernel.n, kernel.k];
  const outer = [...kernel.batch, ...kernel.m, ...kernel.n];
  const results = kernel.outputs.flatMap((o): Expr[] => [o.value, o.index ?? position(outer, 0)]);
  return {
    operands: linearize(flatten([kernel.a, kernel.b], groups).roots),
    outputs: linearize(flatten(results, groups).roots),
  };
}

/** Whether the result is contiguous along M, so that columns of the template go along M. */
function turned(kernel: ContractKernel): boolean {
  const { outputs } = programsOf(kernel);
  const index = outputs.roots[1]!;
  return laneSteps(outputs, N)[index]!.step !== 1 && laneSteps(outputs, M)[index]!.step === 1;
}

/** Positions of the program under a root. */
function under(program: Program, root: number): Set<number> {
  const seen = new Set<number>();
  function walk(i: number): void {
    if (seen.has(i)) return;
    seen.add(i);
    for (const arg of program.instructions[i]!.args) walk(arg);
  }
  walk(program.roots[root]!);
  return seen;
}

function countVectorLoads(
  program: Program,
  positions: Iterable<number>,
  steps: readonly LaneStep[],
): number {
  let count = 0;
  for (const i of positions) if (isVectorLoad(program, steps, i)) count++;
  return count;
}

class ContractWriter {
  readonly #kernel: ContractKernel;
  readonly #tile: Tile;
  readonly #size: ProductSize;
  readonly #module: Module;
  readonly #programs: Programs;
  readonly #emitter: Emitter;
  readonly #rows: Side;
  readonly #columns: Side;
  readonly #type: string;

  constructor(
    kernel: ContractKernel,
    args: readonly StepArgument[],
    layout: Layout,
    tile: Tile,
  ) {
    this.#kernel = kernel;
    this.#tile = tile;
    this.#size = productSize(kernel);
    this.#type = registerType(kernel.dtype);
    this.#module = new Module(args, layout);
    this.#programs = programsOf(kernel);
    const [rows, columns] = turned(kernel) ? [N, M] : [M, N];
    this.#rows = this.#side("a", rows, tile.rows, tile.threadRows);
    this.#columns = this.#side("b", columns, tile.columns, tile.threadColumns);
    this.#chooseVectors();
    this.#emitter = new Emitter(this.#programs.operands, this.#module);
  }

  #side(name: "a" | "b", axis: number, tile: number, perThread: number): Side {
    const { operands } = this.#programs;
    const root = axis === M ? 0 : 1;
    const positions = under(operands, root);
    const along = [K, axis].map((x) => laneSteps(operands, x));
    const [k, own] = along.map((steps) => countVectorLoads(operands, positions, steps));
    const best = own! > k! ? 1 : 0;
    return {
      name,
      root,
      axis,
      size: axis === M ? this.#size.m : this.#size.n,
      tile,
      threads: tile / perThread,
      vectors: perThread / 4,
      along: best === 0 ? K : axis,
      steps: along[best]!,
    };
  }

  /** Arrays that every load and store takes four elements at a time. */
  #chooseVectors(): void {
    const { operands, outputs } = this.#programs;
    const wanted = new Array<boolean>(this.#kernel.inputs.length).fill(true);
    for (const side of [this.#rows, this.#columns]) {
      for (const i of under(operands, side.root)) {
        const { expr } = operands.instructions[i]!;
        if (expr.kind === "load" && !isVectorLoad(operands, side.steps, i)) {
          wanted[expr.input] = false;
        }
      }
    }
    const steps = laneSteps(outputs, this.#columns.axis);
    for (const [i, { expr }] of outputs.instructions.entries()) {
      if (expr.kind === "load" && !isVectorLoad(outputs, steps, i)) wanted[expr.input] = false;
    }
    const stores = this.#kernel.outputs.map((_, o) =>
      isVectorIndex(steps[outputs.roots[2 * o + 1]!]!)
    );
    this.#module.chooseVectors([...wanted, ...stores]);
  }

  text(): string {
    const emitter = this.#emitter, tile = this.#tile;
    const rowTiles = Math.ceil(this.#rows.size / tile.rows);
    const columnTiles = Math.ceil(this.#columns.size / tile.columns);
    this.#declareShared();
    this.#declareFinish();
    this.#placeTile(rowTiles, columnTiles);
    for (const side of [this.#rows, this.#columns]) this.#placeLoads(side);
    for (const [i, j] of this.#accumulators()) emitter.line(`var c${i}_${j} = ${this.#zero()};`);
    if (this.#size.k > 0) {
      if (tile.stages === 2) this.#pipelined();
      else this.#plain();
    }
    this.#finish();
    const count = this.#size.batch * rowTiles * columnTiles;
    return this.#module.text(entryPoint(tileThreads(tile), count, emitter.close()));
  }

  #zero(): string {
    return `vec4<${this.#type}>()`;
  }

  /** Numbers (row, column vector) of the accumulators of a thread. */
  #accumulators(): [number, number][] {
    const pairs: [number, number][] = [];
    for (let i = 0; i < 4 * this.#rows.vectors; i++) {
      for (let j = 0; j < this.#columns.vectors; j++) pairs.push([i, j]);
    }
    return pairs;
  }

  #declareShared(): void {
    for (const { name, threads, vectors } of [this.#rows, this.#columns]) {
      const type =
        `array<array<array<vec4<${this.#type}>, ${threads}>, ${vectors}>, ${this.#tile.depth}>`;
      for (let stage = 0; stage < this.#tile.stages; stage++) {
        this.#module.declare(`var<workgroup> tile_${name}${stage}: ${type};`);
      }
    }
  }

  /** Which tile this workgroup computes, and where in it this thread works. */
  #placeTile(rowTiles: number, columnTiles: number): void {
    const emitter = this.#emitter, { rows, columns } = this.#tile;
    const perBatch = rowTiles * columnTiles, band = GROUPED_ROWS * columnTiles;
    emitter.line(`let in_batch = group % ${perBatch}u;
let band = in_batch / ${band}u;
let band_rows = min(${rowTiles}u - band * ${GROUPED_ROWS}u, ${GROUPED_ROWS}u);
let in_band = in_batch % ${band}u;
let row_tile = i32((band * ${GROUPED_ROWS}u + in_band % band_rows) * ${rows}u);
let column_tile = i32(in_band / band_rows * ${columns}u);
let tx = thread % ${this.#columns.threads}u;
let ty = thread / ${this.#columns.threads}u;`);
    emitter.define("batch", `i32(group / ${perBatch}u)`);
  }

  /** Number of blocks of 4 × 4 elements of a side's tile that each thread loads. */
  #blocks(side: Side): number {
    return Math.ceil(side.tile * this.#tile.depth / 16 / tileThreads(this.#tile));
  }

  /** Variables that say which blocks a thread loads; they do not change in the loop. */
  #placeLoads(side: Side): void {
    const emitter = this.#emitter, threads = tileThreads(this.#tile);
    const { name, size } = side;
    const across = side.tile / 4, deep = this.#tile.depth / 4;
    const start = name === "a" ? "row_tile" : "column_tile";
    for (let block = 0; block < this.#blocks(side); block++) {
      const id = `${name}${block}`;
      emitter.line(`let block_${id} = thread + ${block * threads}u;`);
      // Neighbouring threads take what is contiguous in memory.
      const [own, depth] = side.along === K
        ? [`block_${id} / ${deep}u`, `block_${id} % ${deep}u`]
        : [`block_${id} % ${across}u`, `block_${id} / ${across}u`];
      emitter.line(`let own_${id} = ${own};\nlet depth_${id} = ${depth};`);
      emitter.line(`let at_${id} = ${start} + i32(own_${id} * 4u);`);
      for (let lane = 0; lane < 4; lane++) {
        // Rows past the end repeat the last one; their results are not stored.
        emitter.define(`${id}_${lane}`, `min(at_${id} + ${lane}, ${size - 1})`);
      }
    }
  }

  /** Loads the blocks of depth tile `index` (text) into registers `p_…`. */
  #load(side: Side, index: string, declare: boolean): void {
    const emitter = this.#emitter;
    const { depth } = this.#tile, { k } = this.#size;
    for (let block = 0; block < this.#blocks(side); block++) {
      const id = `${side.name}${block}`;
      emitter.open();
      const first = emitter.fresh();
      emitter.line(`let ${first} = i32(${index}) * ${depth} + i32(depth_${id} * 4u);`);
      const ragged = k % depth !== 0;
      const deep = [0, 1, 2, 3].map((i) => {
        const place = i === 0 ? first : `${first} + ${i}`;
        return emitter.define(emitter.fresh(), ragged ? `min(${place}, ${k - 1})` : place);
      });
      for (let i = 0; i < 4; i++) {
        const lanes = [0, 1, 2, 3].map((lane) => this.#operand(side, id, lane, i, deep));
        const vector = `vec4<${this.#type}>(${lanes.join(", ")})`;
        const value = ragged
          ? `select(${this.#zero()}, ${vector}, ${first} + ${i} < ${k})`
          : vector;
        emitter.line(`p_${id}_${i} = ${value};`);
      }
      const text = emitter.close();
      if (declare) {
        for (let i = 0; i < 4; i++) emitter.line(`var p_${id}_${i} = ${this.#zero()};`);
      }
      emitter.line(this.#guarded(side, block, text));
    }
  }

  /** Where a tile has fewer blocks than there are threads, the last threads load nothing. */
  #guarded(side: Side, block: number, text: string): string {
    const blocks = side.tile * this.#tile.depth / 16, threads = tileThreads(this.#tile);
    if ((block + 1) * threads <= blocks) return `{\n${text}\n}`;
    return `if (block_${side.name}${block} < ${blocks}u) {\n${text}\n}`;
  }

  #operand(side: Side, id: string, lane: number, i: number, deep: readonly string[]): string {
    const own = `${id}_${lane}`, axes = ["batch", "", "", deep[i]!];
    axes[side.axis] = own;
    const first = side.along === K ? deep[0]! : `${id}_0`;
    const number = side.along === K ? i : lane;
    const point: Point = { axes, lane: { axis: side.along, steps: side.steps, first, number } };
    return this.#emitter.root(side.root, point);
  }

  /** Moves what was loaded into workgroup memory. */
  #store(side: Side, stage: number): void {
    for (let block = 0; block < this.#blocks(side); block++) {
      const id = `${side.name}${block}`;
      const lines = [0, 1, 2, 3].map((i) =>
        `tile_${side.name}${stage}[depth_${id} * 4u + ${i}u]` +
        `[own_${id} / ${side.threads}u][own_${id} % ${side.threads}u] = p_${id}_${i};`
      );
      this.#emitter.line(this.#guarded(side, block, lines.join("\n")));
    }
  }

  /** The unrolled products of one tile. */
  #multiply(stage: number): void {
    const lines: string[] = [];
    for (let k = 0; k < this.#tile.depth; k++) {
      lines.push("{");
      for (let j = 0; j < this.#rows.vectors; j++) {
        lines.push(`let a${j} = tile_a${stage}[${k}][${j}][ty];`);
      }
      for (let j = 0; j < this.#columns.vectors; j++) {
        lines.push(`let b${j} = tile_b${stage}[${k}][${j}][tx];`);
      }
      for (const [i, j] of this.#accumulators()) {
        const a = `vec4<${this.#type}>(a${i >> 2}.${component(i & 3)})`, c = `c${i}_${j}`;
        lines.push(
          this.#type === "f32" ? `${c} = fma(${a}, b${j}, ${c});` : `${c} += ${a} * b${j};`,
        );
      }
      lines.push("}");
    }
    this.#emitter.line(lines.join("\n"));
  }

  get #sides(): readonly Side[] {
    return [this.#rows, this.#columns];
  }

  #plain(): void {
    const emitter = this.#emitter;
    const tiles = Math.ceil(this.#size.k / this.#tile.depth);
    emitter.open();
    for (const side of this.#sides) this.#load(side, "t", true);
    emitter.line("workgroupBarrier();");
    for (const side of this.#sides) this.#store(side, 0);
    emitter.line("workgroupBarrier();");
    this.#multiply(0);
    const body = emitter.close();
    emitter.line(`for (var t = 0u; t < ${tiles}u; t++) {\n${body}\n}`);
  }

  #pipelined(): void {
    const emitter = this.#emitter;
    const tiles = Math.ceil(this.#size.k / this.#tile.depth);
    for (const side of this.#sides) this.#load(side, "0u", true);
    for (const side of this.#sides) this.#store(side, 0);
    emitter.line("workgroupBarrier();");
    emitter.open();
    for (const stage of [0, 1]) {
      if (stage === 1 && tiles % 2 === 1) emitter.line(`if (t + 1u >= ${tiles}u) { break; }`);
      // The last loads are not used; they repeat the last tile.
      emitter.line(`let next${stage} = min(t + ${stage + 1}u, ${tiles - 1}u);`);
      for (const side of this.#sides) this.#load(side, `next${stage}`, false);
      this.#multiply(stage);
      for (const side of this.#sides) this.#store(side, 1 - stage);
      emitter.line("workgroupBarrier();");
    }
    const body = emitter.close();
    emitter.line(`for (var t = 0u; t < ${tiles}u; t += 2u) {\n${body}\n}`);
  }

  #finish(): void {
    const rows = this.#rows, columns = this.#columns;
    for (const [i, j] of this.#accumulators()) {
      const row = `row_tile + i32((${i >> 2}u * ${rows.threads}u + ty) * 4u + ${i & 3}u)`;
      const column = `column_tile + i32((${j}u * ${columns.threads}u + tx) * 4u)`;
      this.#emitter.line(`finish(batch, ${row}, ${column}, c${i}_${j});`);
    }
  }

  /** Declares the function that stores four neighbouring results of a row. */
  #declareFinish(): void {
    const { outputs } = this.#programs;
    const emitter = new Emitter(outputs, this.#module);
    const rows = this.#rows.size, columns = this.#columns.size;
    emitter.line(`if (row >= ${rows} || column >= ${columns}) { return; }`);
    const steps = laneSteps(outputs, this.#columns.axis);
    const at = [0, 1, 2, 3].map((number): Point => {
      const own = emitter.define(`column${number}`, `min(column + ${number}, ${columns - 1})`);
      const axes = ["batch", "", "", ""];
      axes[this.#rows.axis] = "row";
      axes[this.#columns.axis] = own;
      return {
        axes,
        accs: [`value.${component(number)}`],
        lane: { axis: this.#columns.axis, steps, first: "column0", number },
      };
    });
    for (const store of this.#stores(emitter, at)) emitter.line(store);
    this.#module.declare(
      `fn finish(batch: i32, row: i32, column: i32, value: vec4<${this.#type}>) {
${emitter.close()}
}`,
    );
  }

  #stores(emitter: Emitter, at: readonly Point[]): string[] {
    const columns = this.#columns.size, even = columns % 4 === 0;
    const within = (lane: number, text: string) =>
      even || lane === 0 ? text : `if (column + ${lane} < ${columns}) { ${text} }`;
    return this.#kernel.outputs.flatMap((_, o) => {
      const argument = this.#kernel.inputs.length + o;
      const values = at.map((point) => emitter.root(2 * o, point));
      if (!this.#module.isVector(argument)) {
        return at.map((point, lane) => {
          const index = `u32(${emitter.root(2 * o + 1, point)})`;
          return within(lane, this.#module.store(argument, index, values[lane]!));
        });
      }
      const index = `u32(${emitter.root(2 * o + 1, at[0]!)}) >> 2u`;
      const whole = this.#module.storeVector(argument, index, values);
      if (even) return [whole];
      const parts = values.map((value, lane) =>
        within(lane, this.#module.storeComponent(argument, index, lane, value))
      );
      return [`if (column + 4 <= ${columns}) { ${whole} } else {\n${parts.join("\n")}\n}`];
    });
  }
}
