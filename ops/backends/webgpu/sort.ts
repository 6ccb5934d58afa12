/**
 * Stable sorting by a bitonic network over pairs of key and position. Keys are the values' bits put
 * in an order in which unsigned comparison sorts them; positions break ties, so that the order is
 * total and the network, which is not stable by itself, gives the stable order.
 *
 * Rows of up to `BLOCK` elements are sorted in workgroup memory. Longer ones are padded to a power
 * of two in scratch memory, sorted in blocks, and merged by passes over the whole row until the
 * partners lie in one block again.
 */
import type { DType } from "../../ir/dtype.ts";
import { kernelKey, type SortKernel } from "../../ir/kernel.ts";
import { type Layout, Module } from "./module.ts";
import { entryPoint, kernelArguments, type Lowered, type Step, type StepArgument } from "./step.ts";
import { registerType } from "./wgsl.ts";

/** Elements sorted in workgroup memory: two words each, 16 KiB, which every adapter has. */
const BLOCK = 2048;

const THREADS = 256;

/** Lowers a sort. */
export function lowerSort(kernel: SortKernel): Lowered {
  return new Sorter(kernel).lower();
}

/** The key of a value; ascending keys are ascending values, NaN last. */
function keyFunction(dtype: DType, descending: boolean): string {
  const type = registerType(dtype);
  let key = "u32(x)";
  if (type === "i32") key = "bitcast<u32>(x) ^ 0x80000000u";
  if (type === "f32") {
    // Both zeros are one value, and so are all NaN.
    return `fn key_of(x: f32) -> u32 {
let bits = bitcast<u32>(x);
let size = bits & 0x7fffffffu;
var key = select(bits ^ 0x80000000u, ~bits, (bits >> 31u) != 0u);
if (size == 0u) { key = 0x80000000u; }
if (size > 0x7f800000u) { key = 0xffffffffu; }
return ${descending ? "~key" : "key"};
}`;
  }
  return `fn key_of(x: ${type}) -> u32 { return ${descending ? `~(${key})` : key}; }`;
}

const AFTER = `fn after(key_a: u32, place_a: u32, key_b: u32, place_b: u32) -> bool {
return key_a > key_b || (key_a == key_b && place_a > place_b);
}`;

/** Compares partners `i` and `i + j` of blocks of \`2 j\` in workgroup memory, pair number \`p\`. */
const EXCHANGE = `let i = 2u * j * (p / j) + p % j;
let upwards = ((base + i) & k) == 0u;
if (after(keys[i], places[i], keys[i + j], places[i + j]) == upwards) {
let key = keys[i];
let place = places[i];
keys[i] = keys[i + j];
places[i] = places[i + j];
keys[i + j] = key;
places[i + j] = place;
}`;

class Sorter {
  readonly #kernel: SortKernel;
  readonly #rows: number;
  readonly #length: number;
  /** Length of a padded row, and of the part of it that a workgroup has at a time. */
  readonly #padded: number;
  readonly #block: number;

  constructor(kernel: SortKernel) {
    this.#kernel = kernel;
    this.#rows = kernel.rows;
    this.#length = kernel.length;
    let padded = 2;
    while (padded < kernel.length) padded *= 2;
    this.#padded = padded;
    this.#block = Math.min(padded, BLOCK);
  }

  lower(): Lowered {
    const padded = this.#padded, block = this.#block;
    if (padded === block) return { steps: [this.#blocks(false)], scratch: [] };
    const steps = [this.#blocks(true)];
    for (let k = 2 * block; k <= padded; k *= 2) {
      for (let j = k / 2; j >= block; j /= 2) steps.push(this.#exchange(k, j));
      steps.push(this.#merge(k));
    }
    steps.push(this.#collect());
    const bytes = 4 * this.#rows * padded;
    return { steps, scratch: [bytes, bytes] };
  }

  #step(
    name: string,
    args: readonly StepArgument[],
    workgroups: number,
    parameters: readonly number[],
    generate: (layout: Layout) => string,
  ): Step {
    return {
      label: `sort ${this.#rows}×${this.#length} ${name}`,
      key: `${name}|${kernelKey(this.#kernel)}`,
      arguments: args,
      workgroups,
      parameters,
      generate,
    };
  }

  /** Scratch arrays: keys and positions of padded rows. */
  #scratch(written: boolean): StepArgument[] {
    return [0, 1].map((number) => {
      return { dtype: "uint32", written, used: true, from: "scratch", number };
    });
  }

  #declareBlock(module: Module): void {
    module.declare(AFTER);
    module.declare(`var<workgroup> keys: array<u32, ${this.#block}>;
var<workgroup> places: array<u32, ${this.#block}>;`);
  }

  get #threads(): number {
    return Math.min(THREADS, this.#block / 2);
  }

  /** Loop of a thread over its share of \`count\` numbers. */
  #each(name: string, count: number, body: string): string {
    return `for (var ${name} = thread; ${name} < ${count}u; ${name} += ${this.#threads}u) {\n${body}\n}`;
  }

  /** Sorts each block of each row; into scratch memory if there are several. */
  #blocks(several: boolean): Step {
    const [input, output] = kernelArguments(this.#kernel) as [StepArgument, StepArgument];
    const args = [input, ...(several ? this.#scratch(true) : [output])];
    const perRow = this.#padded / this.#block, count = this.#rows * perRow;
    const half = this.#block / 2;
    return this.#step("blocks", args, count, [], (layout) => {
      const module = new Module(args, layout);
      this.#declareBlock(module);
      module.declare(keyFunction(this.#kernel.inputs[0]!.dtype, this.#kernel.descending));
      const source = module.load(0, `row * ${this.#length}u + min(at, ${this.#length - 1}u)`);
      const inside = `at < ${this.#length}u`;
      const store = several
        ? `let to = row * ${this.#padded}u + at;
${module.store(1, "to", "keys[n]")}
${module.store(2, "to", "places[n]")}`
        : `if (${inside}) { ${module.store(1, `row * ${this.#length}u + at`, "i32(places[n])")} }`;
      return module.text(entryPoint(
        this.#threads,
        count,
        `let row = group / ${perRow}u;
let base = (group % ${perRow}u) * ${this.#block}u;
${
          this.#each(
            "n",
            this.#block,
            `let at = base + n;
keys[n] = select(0xffffffffu, key_of(${source}), ${inside});
places[n] = at;`,
          )
        }
workgroupBarrier();
for (var k = 2u; k <= ${this.#block}u; k *= 2u) {
for (var j = k / 2u; j > 0u; j /= 2u) {
${this.#each("p", half, EXCHANGE)}
workgroupBarrier();
}
}
${this.#each("n", this.#block, `let at = base + n;\n${store}`)}`,
      ));
    });
  }

  /** One pass over whole rows: partners are \`j\` apart in runs of \`k\`. */
  #exchange(k: number, j: number): Step {
    const args = this.#scratch(true);
    const pairs = this.#rows * this.#padded / 2, count = Math.ceil(pairs / THREADS);
    return this.#step("exchange", args, count, [k, j], (layout) => {
      const module = new Module(args, layout, 2);
      module.declare(AFTER);
      return module.text(entryPoint(
        THREADS,
        count,
        `let pair = group * ${THREADS}u + thread;
if (pair >= ${pairs}u) { return; }
let k = ${module.parameter(0)};
let j = ${module.parameter(1)};
let i = 2u * j * (pair / j) + pair % j;
let upwards = ((i % ${this.#padded}u) & k) == 0u;
let key_a = ${module.load(0, "i")};
let place_a = ${module.load(1, "i")};
let key_b = ${module.load(0, "i + j")};
let place_b = ${module.load(1, "i + j")};
if (after(key_a, place_a, key_b, place_b) == upwards) {
${module.store(0, "i", "key_b")}
${module.store(1, "i", "place_b")}
${module.store(0, "i + j", "key_a")}
${module.store(1, "i + j", "place_a")}
}`,
      ));
    });
  }

  /** The rest of a merge, whose partners lie in one block. */
  #merge(k: number): Step {
    const args = this.#scratch(true);
    const perRow = this.#padded / this.#block, count = this.#rows * perRow;
    return this.#step("merge", args, count, [k], (layout) => {
      const module = new Module(args, layout, 1);
      this.#declareBlock(module);
      return module.text(entryPoint(
        this.#threads,
        count,
        `let start = group * ${this.#block}u;
let base = (group % ${perRow}u) * ${this.#block}u;
let k = ${module.parameter(0)};
${
          this.#each(
            "n",
            this.#block,
            `keys[n] = ${module.load(0, "start + n")};
places[n] = ${module.load(1, "start + n")};`,
          )
        }
workgroupBarrier();
for (var j = ${this.#block / 2}u; j > 0u; j /= 2u) {
${this.#each("p", this.#block / 2, EXCHANGE)}
workgroupBarrier();
}
${
          this.#each(
            "n",
            this.#block,
            `${module.store(0, "start + n", "keys[n]")}
${module.store(1, "start + n", "places[n]")}`,
          )
        }`,
      ));
    });
  }

  /** Positions without the padding. */
  #collect(): Step {
    const output = kernelArguments(this.#kernel)[1]!;
    const args = [this.#scratch(false)[1]!, output];
    const points = this.#rows * this.#length, count = Math.ceil(points / THREADS);
    return this.#step("collect", args, count, [], (layout) => {
      const module = new Module(args, layout);
      const from = `point / ${this.#length}u * ${this.#padded}u + point % ${this.#length}u`;
      return module.text(entryPoint(
        THREADS,
        count,
        `let point = group * ${THREADS}u + thread;
if (point >= ${points}u) { return; }
${module.store(1, "point", `i32(${module.load(0, from)})`)}`,
      ));
    });
  }
}
