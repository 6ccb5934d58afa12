/** Which dispatches a kernel becomes. */
import { bytesOf } from "../../ir/dtype.ts";
import { type ContractKernel, type Kernel, type ReduceKernel, sizeOf } from "../../ir/kernel.ts";
import { contractStep } from "./contract.ts";
import { productSize, templateSize } from "./contract_sides.ts";
import { contractAsReduce, splitContract } from "./contract_split.ts";
import { mapStep } from "./map.ts";
import { chooseShape, reduceStep } from "./reduce.ts";
import { lowerScan } from "./scan.ts";
import { lowerScatter } from "./scatter.ts";
import { lowerSort } from "./sort.ts";
import { splitLength, splitReduce } from "./reduce_split.ts";
import {
  argumentsFrom,
  type DeviceFacts,
  fromKernel,
  kernelArguments,
  type Lowered,
} from "./step.ts";
import { chooseTile, splitDepth } from "./tiles.ts";

/** Rows or columns up to which a product is a reduction: tiles would be mostly padding. */
const THIN = 4;

/** Lowers a kernel of any kind. */
export function lower(kernel: Kernel, facts: DeviceFacts): Lowered {
  if (sizeOf(pointsOf(kernel)) === 0) return { steps: [], scratch: [] };
  const args = kernelArguments(kernel);
  switch (kernel.kind) {
    case "map":
      return { steps: [mapStep(kernel, args)], scratch: [] };
    case "reduce":
      return lowerReduce(kernel, facts);
    case "contract":
      return lowerContract(kernel, facts);
    case "scatter":
      return lowerScatter(kernel);
    case "scan":
      return lowerScan(kernel);
    case "sort":
      return lowerSort(kernel);
  }
}

/** Points at which a kernel writes; with none there is nothing to do. */
function pointsOf(kernel: Kernel): readonly number[] {
  switch (kernel.kind) {
    case "map":
    case "reduce":
    case "scan":
      return kernel.shape;
    case "contract":
      return [...kernel.batch, ...kernel.m, ...kernel.n];
    case "scatter":
      return [kernel.size];
    case "sort":
      return [kernel.rows, kernel.length];
  }
}

function lowerReduce(kernel: ReduceKernel, facts: DeviceFacts): Lowered {
  const shape = chooseShape(kernel);
  const parts = splitLength(sizeOf(kernel.shape), sizeOf(kernel.reduce), shape);
  if (parts > 1) {
    const split = splitReduce(kernel, parts, shape);
    const most = Math.max(...split.steps.map((s) => s.arguments.filter((a) => a.used).length));
    // Partial results are arrays too, perhaps too many of them.
    if (most <= facts.storageBuffers) return split;
  }
  return { steps: [reduceStep(kernel, kernelArguments(kernel), shape)], scratch: [] };
}

function lowerContract(kernel: ContractKernel, facts: DeviceFacts): Lowered {
  const size = productSize(kernel);
  if (Math.min(size.m, size.n) <= THIN && facts.tile === undefined) {
    return lowerReduce(contractAsReduce(kernel), facts);
  }
  const oriented = templateSize(kernel);
  const parts = splitDepth(chooseTile(oriented, facts), oriented);
  if (parts === 1) {
    return { steps: [contractStep(kernel, kernelArguments(kernel), facts)], scratch: [] };
  }
  const { partial, combine, elements } = splitContract(kernel, parts);
  const inputs = fromKernel(0, kernel.inputs.length);
  const results = fromKernel(kernel.inputs.length, kernel.outputs.length);
  const scratch = { from: "scratch", number: 0 } as const;
  const steps = [
    contractStep(partial, argumentsFrom(partial, [...inputs, scratch]), facts),
    reduceStep(combine, argumentsFrom(combine, [...inputs, scratch, ...results])),
  ];
  return { steps, scratch: [elements * bytesOf(kernel.dtype)] };
}
