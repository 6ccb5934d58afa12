/**
 * Code for `contract` kernels: packed matrix products (`gemm.ts`), Winograd convolutions
 * (`winograd.ts`), or plain sums of products where neither fits.
 *
 * @module
 */
import { type Expr, mul, rewrite } from "../../ir/expr.ts";
import { type ContractKernel, kernelKey, type ReduceKernel, sizeOf } from "../../ir/kernel.ts";
import { emitHookFunction, emitPackFunction, GROUPS } from "./contract_tiles.ts";
import {
  biasPlace,
  flatIndex,
  type Plain,
  plainOperand,
  type Product,
  productOf,
  readsOutput,
  simpleEpilogue,
} from "./contract_shape.ts";
import { lowerConvolution } from "./contract_winograd.ts";
import { CodeModule } from "./emit.ts";
import { type LoweredKernel, type OperandPlace, plainSlots, type PlanPass } from "./emit_nest.ts";
import type { Node } from "./emit_node.ts";
import { type ExternalMatrix, type GemmProblem, planGemm, type StridedMatrix } from "./gemm.ts";
import { GEMM_ARGS } from "./gemm_args.ts";
import type { KernelModule } from "./kernel_plan.ts";
import { lowerReduce } from "./reduce.ts";
import { splitSteps } from "./contract_strided.ts";
import { fitsPatches, type PatchedOperand, patchesOf } from "./contract_patches.ts";
import { type Patches, planPatches } from "./patches.ts";
import { PATCHES_MODULE } from "./patches_module.ts";

/** Products of fewer multiplications are summed without packing. */
const SMALLEST_PRODUCT = 512;
/** Fewer rows or columns do not pay for packing an operand that must be computed. */
const SMALLEST_SIDE = 4;
/** Images of fewer results are multiplied all at once: panels have 24 columns. */
const SMALL_IMAGE = 96;

/** The contraction as a plain sum of products: any dtype, any operand, no packing. */
export function asReduce(kernel: ContractKernel): ReduceKernel {
  return {
    kind: "reduce",
    shape: [...kernel.batch, ...kernel.m, ...kernel.n],
    reduce: kernel.k,
    inputs: kernel.inputs,
    reductions: [{ op: "sum", body: mul(kernel.a, kernel.b), dtype: kernel.dtype }],
    outputs: kernel.outputs,
  };
}

/** Lowers a contract kernel. */
export function lowerContract(kernel: ContractKernel, threads: number): LoweredKernel {
  const parts = splitSteps(kernel);
  const g = kernel.convolution;
  if (g && parts.length > 0) {
    return inOrder(
      parts.map(({ kernel, classes }) =>
        lowerProduct(kernel, threads, patchesOf(g, classes)) ?? lowerReduce(asReduce(kernel))
      ),
    );
  }
  return lowerConvolution(kernel, threads) ??
    lowerProduct(kernel, threads, g && patchesOf(g)) ?? lowerReduce(asReduce(kernel));
}

/** Kernels one after the other, in the same scratch space. */
function inOrder(parts: readonly LoweredKernel[]): LoweredKernel {
  const scratch: number[] = [];
  for (const part of parts) {
    part.scratch.forEach((bytes, i) => scratch[i] = Math.max(scratch[i] ?? 0, bytes));
  }
  return { passes: parts.flatMap((p) => p.passes), scratch };
}

/** The kernel with rows and columns exchanged. */
function exchanged(kernel: ContractKernel): ContractKernel {
  const [batch, m, n] = [kernel.batch.length, kernel.m.length, kernel.n.length];
  const change = (x: Expr) =>
    rewrite(x, {
      axis: (a) => {
        if (a.axis < batch || a.axis >= batch + m + n) return a;
        return { ...a, axis: a.axis < batch + m ? a.axis + n : a.axis - m };
      },
    });
  return {
    ...kernel,
    m: kernel.n,
    n: kernel.m,
    a: change(kernel.b),
    b: change(kernel.a),
    outputs: kernel.outputs.map((o) => ({
      ...o,
      value: change(o.value),
      index: change(o.index!),
    })),
    convolution: undefined,
  };
}

function lowerProduct(
  kernel: ContractKernel,
  threads: number,
  patches: PatchedOperand | undefined,
): LoweredKernel | undefined {
  if (kernel.dtype !== "float32" || kernel.a.dtype !== "float32") return undefined;
  const size = sizeOf([...kernel.batch, ...kernel.m, ...kernel.n, ...kernel.k]);
  if (size < SMALLEST_PRODUCT || kernel.outputs.some((o) => o.dtype === "float64")) {
    return undefined;
  }
  const product = productOf(kernel);
  // Rows of C must be contiguous.
  const { c } = product;
  if (c && c.column !== 1 && product.n > 1 && (c.row === 1 || product.m === 1)) {
    return lowerOriented(exchanged(kernel), threads, undefined);
  }
  return lowerOriented(kernel, threads, patches, product);
}

/** Where the sums may lie in the first output: its rows must be contiguous. */
function placeOfSums(kernel: ContractKernel, p: Product): Plain | undefined {
  const fits = p.c && (p.c.column === 1 || p.n === 1) && kernel.outputs[0]!.dtype === "float32";
  return fits && (simpleEpilogue(p) || !readsOutput(p)) ? p.c : undefined;
}

function lowerOriented(
  kernel: ContractKernel,
  threads: number,
  patches: PatchedOperand | undefined,
  product: Product = productOf(kernel),
): LoweredKernel | undefined {
  let p = product;
  let c = placeOfSums(kernel, p);
  // Images as batches are for writing them in place, and cost where they are small.
  const small = patches !== undefined && p.n < SMALL_IMAGE;
  if (p.batches > sizeOf(kernel.batch) && (c === undefined || small)) {
    p = productOf(kernel, false);
    c = placeOfSums(kernel, p);
  }
  const a = plainOperand(p.a, p.loops, "m", "k");
  const b = plainOperand(p.b, p.loops, "k", "n");
  if ((!a && p.n < SMALLEST_SIDE) || (!b && p.m < SMALLEST_SIDE)) return undefined;
  const packed = !b && patches && fitsPatches(patches, kernel, p) ? patches : undefined;
  return new ProductBuilder(kernel, p, threads).lower(a, b ?? packed, c);
}

/** Puts a plan together from operands and what follows. */
class ProductBuilder {
  readonly #kernel: ContractKernel;
  readonly #product: Product;
  readonly #threads: number;
  readonly #key: string;
  readonly #places: Record<string, OperandPlace> = { args: "args", scratch: { scratch: 0 } };
  /** The left operand's packed row, known once the product is planned. */
  #kBlock = 0;

  constructor(kernel: ContractKernel, product: Product, threads: number) {
    this.#kernel = kernel;
    this.#product = product;
    this.#threads = threads;
    this.#key = `${product.batches}|${kernelKey(kernel)}`;
  }

  /** @param c Where the sums go in the first output; undefined: to scratch. */
  lower(
    a: Plain | undefined,
    b: Plain | PatchedOperand | undefined,
    c: Plain | undefined,
  ): LoweredKernel {
    const { m, n, k, batches } = this.#product;
    const simple = c && simpleEpilogue(this.#product);
    this.#places.c = c ? { slot: this.#kernel.inputs.length } : { scratch: 1 };
    const table = c?.batches ?? Array.from({ length: batches }, (_, i) => i * m * n);
    const patches = b && "shape" in b ? this.#patches(b, c ? 1 : 2) : undefined;
    const problem: GemmProblem = {
      m,
      n,
      k,
      batches,
      a: a ? this.#strided(a, "a") : this.#packed("m"),
      b: patches
        ? patches.matrix
        : b && !("shape" in b)
        ? this.#strided(b, "b")
        : this.#packed("n"),
      c: { row: Math.max(1, c?.row ?? n), column: 1, batches: table },
      bias: simple?.bias?.side,
      relu: simple?.relu ?? false,
      hook: simple ? undefined : this.#hook(c !== undefined),
      threads: this.#threads,
    };
    if (simple?.bias) this.#places.bias = biasPlace(simple.bias.load);
    const plan = planGemm(problem);
    const job = plan.jobs.find((j) => j.name === "gemm");
    const word = job?.args[GEMM_ARGS.indexOf("kBlock")];
    this.#kBlock = typeof word === "number" ? word : 0;
    const repeated = patches ? undefined : this.#repeated(problem);
    const bytes = Math.max(plan.scratchBytes, repeated?.scratchBytes ?? 0);
    const scratch = c ? [bytes] : [bytes, 4 * batches * m * n];
    if (!patches) {
      return { passes: [{ plan, places: this.#places, ...(repeated && { repeated }) }], scratch };
    }
    const jobs = [patches.job, ...plan.jobs];
    return {
      passes: [{ plan: { ...plan, jobs }, places: this.#places }],
      scratch: [...scratch, patches.bytes],
    };
  }

  /** The plan for many products with one right operand, packed once. */
  #repeated(problem: GemmProblem): PlanPass["repeated"] {
    // An operand that a function packs knows the block of k of the plan without.
    if ("pack" in problem.a) return undefined;
    const plan = planGemm({ ...problem, ahead: true });
    const { ahead } = plan;
    return ahead && { ...plan, ahead };
  }

  /** The right operand as patches, whose planes are in scratch array `at`. */
  #patches(b: PatchedOperand, at: number): Patches & { matrix: ExternalMatrix } {
    const planned = planPatches(b.shape, "patched", this.#product.n);
    this.#places.patched = b.place;
    this.#places.planes = { scratch: at };
    const name = b.turned ? "packTurned" : "pack";
    const pack = { module: PATCHES_MODULE, name };
    return { ...planned, matrix: { pack, args: { block: 0 } } };
  }

  #strided(x: Plain, operand: string): StridedMatrix {
    this.#places[operand] = { slot: x.slot };
    return { row: x.row, column: x.column, batches: x.batches };
  }

  /** A module with one function, made when the plan is bound. */
  #module(name: string, emit: (module: CodeModule) => void): KernelModule {
    return {
      key: `${name}|${this.#key}`,
      names: [name],
      build: (options) => {
        const module = new CodeModule(options);
        emit(module);
        return module.builder.build();
      },
    };
  }

  #packed(side: "m" | "n"): ExternalMatrix {
    const p = this.#product;
    const root = side === "m" ? p.a : p.b;
    const other = side === "m" ? GROUPS.n : GROUPS.m;
    const space = { loops: p.loops.filter((l) => l.group !== other), roots: [root] };
    const module = this.#module(`pack ${side}`, (m) =>
      emitPackFunction(m, `pack ${side}`, {
        builder: p.builder,
        space,
        side,
        slots: plainSlots(this.#kernel),
        sideStep: side === "m" ? 4 * this.#kBlock : 4,
        kStep: side === "m" ? 4 : 96,
      }));
    return { pack: { module, name: `pack ${side}` }, args: { operand: "args" } };
  }

  /** Everything after the sums, which the product left in the first output's place or in scratch. */
  #hook(inOutput: boolean): ExternalMatrix {
    const p = this.#product;
    const kernel = this.#kernel;
    const inputs = kernel.inputs.length;
    const position = inOutput ? inputs : inputs + kernel.outputs.length + 1;
    const c = p.builder.load(inputs, "float32", inOutput ? p.outputs[1]! : flatIndex(p), undefined);
    const memo = new Map<Node, Node>();
    const roots = p.outputs.map((x) => p.builder.substitute(x, new Map(), memo, c));
    const space = { loops: p.loops.filter((l) => l.group !== GROUPS.k), roots };
    const slots = plainSlots(kernel);
    const module = this.#module("hook", (m) =>
      emitHookFunction(m, "hook", {
        builder: p.builder,
        space,
        slots: { inputs: [...slots.inputs, position], outputs: slots.outputs },
      }));
    return { pack: { module, name: "hook" }, args: { operand: "args" } };
  }
}
