/**
 * Code for `contract` kernels.
 *
 * @module
 */
import { mul } from "../../ir/expr.ts";
import type { ContractKernel, ReduceKernel } from "../../ir/kernel.ts";
import { type LoweredKernel, plainSlots } from "./emit_nest.ts";
import { lowerReduce, lowerReducePass } from "./reduce.ts";

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
export function lowerContract(kernel: ContractKernel): LoweredKernel {
  void plainSlots, lowerReducePass;
  return lowerReduce(asReduce(kernel));
}
