/** Operands and results of a matrix product, as the tiled template sees them. */
import type { Expr } from "../../ir/expr.ts";
import { type ContractKernel, sizeOf } from "../../ir/kernel.ts";
import { linearize, type Program } from "../../ir/program.ts";
import { bestContiguity } from "./contiguity.ts";
import { flatten, position } from "./flatten.ts";
import { isVectorIndex, isVectorLoad, type LaneStep, laneSteps } from "./lanes.ts";
import type { ProductSize } from "./tiles.ts";

/** Axes after flattening; axis 0 is the batch. */
export const M = 1;
/** Columns of the result. */
export const N = 2;
/** Terms of the sums. */
export const K = 3;

/** An operand as the template sees it. */
export interface Side {
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
  /**
   * Distance in the tile between the four elements that a thread has in one vector. 1 suits vector
   * loads; where loads are scalar and contiguous along the axis, a quarter of the tile lets
   * neighbouring threads load neighbouring elements.
   */
  readonly stride: number;
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

/** Values of a kernel over flat axes. */
export interface Programs {
  /** Roots: a, b. */
  readonly operands: Program;
  /** Roots: value and index of each output. */
  readonly outputs: Program;
}

/** The values that a product needs, over flat axes. */
export function programsOf(kernel: ContractKernel): Programs {
  const groups = [kernel.batch, kernel.m, kernel.n, kernel.k];
  const outer = [...kernel.batch, ...kernel.m, ...kernel.n];
  const results = kernel.outputs.flatMap((o): Expr[] => [o.value, o.index ?? position(outer, 0)]);
  return {
    operands: linearize(flatten([kernel.a, kernel.b], groups).roots),
    outputs: linearize(flatten(results, groups).roots),
  };
}

/** Sizes of a product with the rows of the template as `m`. */
export function templateSize(kernel: ContractKernel): ProductSize {
  const size = productSize(kernel);
  return turned(kernel) ? { ...size, m: size.n, n: size.m } : size;
}

/** Whether the result is contiguous along M, so that columns of the template go along M. */
export function turned(kernel: ContractKernel): boolean {
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

/** How an operand is loaded: along which axis its loads are contiguous. */
export function sideOf(
  name: "a" | "b",
  operands: Program,
  axis: number,
  size: ProductSize,
  tile: number,
  perThread: number,
): Side {
  const root = axis === M ? 0 : 1;
  const positions = under(operands, root);
  const sizes = [size.batch, size.m, size.n, size.k];
  const [deep, own] = [K, axis].map((x) => bestContiguity(operands, positions, x, sizes));
  const along = own! > deep! ? axis : K;
  const steps = laneSteps(operands, along);
  const vectors = [...positions].some((i) => isVectorLoad(operands, steps, i));
  return {
    name,
    root,
    axis,
    size: axis === M ? size.m : size.n,
    tile,
    threads: tile / perThread,
    vectors: perThread / 4,
    along,
    steps,
    stride: along === axis && !vectors ? tile / 4 : 1,
  };
}

/** Arrays that every load and store takes four elements at a time: inputs, then outputs. */
export function wantedVectors(
  kernel: ContractKernel,
  { operands, outputs }: Programs,
  rows: Side,
  columns: Side,
): boolean[] {
  const wanted = new Array<boolean>(kernel.inputs.length).fill(true);
  for (const side of [rows, columns]) {
    for (const i of under(operands, side.root)) {
      const { expr } = operands.instructions[i]!;
      if (expr.kind === "load" && !isVectorLoad(operands, side.steps, i)) {
        wanted[expr.input] = false;
      }
    }
  }
  const steps = laneSteps(outputs, columns.axis), near = columns.stride === 1;
  for (const [i, { expr }] of outputs.instructions.entries()) {
    if (expr.kind !== "load" || (near && isVectorLoad(outputs, steps, i))) continue;
    wanted[expr.input] = false;
  }
  const stores = kernel.outputs.map((_, o) =>
    near && isVectorIndex(steps[outputs.roots[2 * o + 1]!]!)
  );
  return [...wanted, ...stores];
}
