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
import { type ContractKernel, kernelKey } from "../../ir/kernel.ts";
import {
  K,
  M,
  N,
  productSize,
  type Programs,
  programsOf,
  type Side,
  sideOf,
  templateSize,
  turned,
  wantedVectors,
} from "./contract_sides.ts";
import { Emitter, type Point } from "./emit.ts";
import { laneSteps } from "./lanes.ts";
import { component, type Layout, Module } from "./module.ts";
import { type DeviceFacts, entryPoint, type Step, type StepArgument } from "./step.ts";
import { chooseTile, type ProductSize, type Tile, tileCount, tileThreads } from "./tiles.ts";
import { registerType } from "./wgsl.ts";

/** Rows of tiles that are worked on together, so that their columns are still in the cache. */
const GROUPED_ROWS = 8;

/** Tiles of at most this many terms add them up before they join the sum. */
const PAIRED_DEPTH = 4;

/** Lowers a matrix product to one dispatch. */
export function contractStep(
  kernel: ContractKernel,
  args: readonly StepArgument[],
  facts: DeviceFacts,
): Step {
  const size = productSize(kernel), oriented = templateSize(kernel);
  const tile = chooseTile(oriented, facts);
  return {
    label: `contract ${size.batch}×${size.m}×${size.n}×${size.k} ${tile.name}`,
    key: `${tile.name}|${kernelKey(kernel)}`,
    arguments: args,
    workgroups: tileCount(tile, oriented),
    parameters: [],
    generate: (layout) => new ContractWriter(kernel, args, layout, tile).text(),
  };
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
    const { operands } = this.#programs;
    this.#rows = sideOf("a", operands, rows, this.#size, tile.rows, tile.threadRows);
    this.#columns = sideOf("b", operands, columns, this.#size, tile.columns, tile.threadColumns);
    this.#module.chooseVectors(wantedVectors(kernel, this.#programs, this.#rows, this.#columns));
    this.#emitter = new Emitter(this.#programs.operands, this.#module);
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
    const { name, size, stride } = side;
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
      emitter.line(`let at_${id} = ${start} + i32(own_${id} * ${4 / Math.min(stride, 4)}u);`);
      for (let lane = 0; lane < 4; lane++) {
        // Rows past the end repeat the last one; their results are not stored.
        emitter.define(`${id}_${lane}`, `min(at_${id} + ${lane * stride}, ${size - 1})`);
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
    const group = { axis: side.along, steps: side.steps, first, number };
    const near = side.along === K || side.stride === 1;
    return this.#emitter.root(side.root, near ? { axes, lane: group } : { axes });
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
    if (this.#type === "f32" && this.#tile.depth <= PAIRED_DEPTH) this.#multiplyShallow(stage);
    else this.#multiplyDeep(stage);
  }

  /** Operands of one term of the sums, named for it. */
  #operands(stage: number, k: number, suffix: string): string[] {
    const lines: string[] = [];
    for (let j = 0; j < this.#rows.vectors; j++) {
      lines.push(`let a${j}${suffix} = tile_a${stage}[${k}][${j}][ty];`);
    }
    for (let j = 0; j < this.#columns.vectors; j++) {
      lines.push(`let b${j}${suffix} = tile_b${stage}[${k}][${j}][tx];`);
    }
    return lines;
  }

  /**
   * The tile's few terms are added up before they join the sum: a quarter more arithmetic, and the
   * rounding error of a sum a quarter as long. No registers to speak of at this depth.
   */
  #multiplyShallow(stage: number): void {
    const terms = Array.from({ length: this.#tile.depth }, (_, k) => k);
    const lines = ["{", ...terms.flatMap((k) => this.#operands(stage, k, `_${k}`))];
    for (const [i, j] of this.#accumulators()) {
      const product = terms.reduce((sum, k) => {
        const a = `vec4<f32>(a${i >> 2}_${k}.${component(i & 3)})`, b = `b${j}_${k}`;
        return sum === "" ? `${a} * ${b}` : `fma(${a}, ${b}, ${sum})`;
      }, "");
      lines.push(`c${i}_${j} += ${product};`);
    }
    this.#emitter.line([...lines, "}"].join("\n"));
  }

  #multiplyDeep(stage: number): void {
    const lines: string[] = [];
    for (let k = 0; k < this.#tile.depth; k++) {
      lines.push("{", ...this.#operands(stage, k, ""));
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
      const row = `row_tile + i32(${placeOf(rows, i >> 2, "ty")}) + ${(i & 3) * rows.stride}`;
      const column = `column_tile + i32(${placeOf(columns, j, "tx")})`;
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
      const place = `column + ${number * this.#columns.stride}`;
      const own = emitter.define(`column${number}`, `min(${place}, ${columns - 1})`);
      const axes = ["batch", "", "", ""];
      axes[this.#rows.axis] = "row";
      axes[this.#columns.axis] = own;
      const accs = [`value.${component(number)}`];
      const lane = { axis: this.#columns.axis, steps, first: "column0", number };
      return this.#columns.stride === 1 ? { axes, accs, lane } : { axes, accs };
    });
    for (const store of this.#stores(emitter, at)) emitter.line(store);
    this.#module.declare(
      `fn finish(batch: i32, row: i32, column: i32, value: vec4<${this.#type}>) {
${emitter.close()}
}`,
    );
  }

  #stores(emitter: Emitter, at: readonly Point[]): string[] {
    const { size: columns, stride } = this.#columns, even = stride === 1 && columns % 4 === 0;
    const within = (lane: number, text: string) =>
      even || lane === 0 ? text : `if (column + ${lane * stride} < ${columns}) { ${text} }`;
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

/** Place in its tile of the first element of vector `j` of thread `thread`. */
function placeOf({ stride, threads }: Side, j: number, thread: string): string {
  const vector = `${j * threads}u + ${thread}`;
  return stride === 1 ? `(${vector}) * 4u` : vector;
}
