/** Arguments of PyTorch's calls by name. */
import type { Tensor } from "../../ops/mod.ts";

/**
 * Arguments by camelCase name; which are there depends on the op. Types are those under which this
 * library takes them, so that a parameters object also serves as its options.
 */
export interface Parameters {
  readonly input: Tensor;
  readonly other: Tensor;
  readonly third: Tensor;
  readonly tensors: Tensor[];
  readonly index: Tensor;
  readonly indices: Tensor[];
  readonly source: Tensor;
  readonly mask: Tensor;
  readonly values: Tensor;
  readonly target: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly grid: Tensor;
  readonly key: Tensor;
  readonly query: Tensor;
  readonly variance: Tensor;
  readonly runningMean: Tensor;
  readonly runningVar: Tensor;
  readonly weights: Tensor;
  readonly repeats: Tensor | number;
  readonly value: number;
  readonly dim: number;
  readonly dims: number[];
  readonly dim1: number;
  readonly dim2: number;
  readonly keepdim: boolean;
  readonly shape: number[];
  readonly size: number;
  readonly sizes: number[];
  readonly start: Tensor | number;
  readonly length: number;
  readonly step: number;
  readonly k: number;
  readonly p: number;
  readonly n: number;
  readonly ord: number | string;
  readonly offset: number;
  readonly chunks: number;
  readonly equation: string;
  readonly descending: boolean;
  readonly largest: boolean;
  readonly side: string;
  readonly right: boolean;
  readonly sorter: Tensor;
  readonly decimals: number;
  readonly min: Tensor | number;
  readonly max: Tensor | number;
  readonly correction: number;
  readonly unbiased: boolean;
  readonly accumulate: boolean;
  readonly alpha: number;
  readonly beta: number;
  readonly lambd: number;
  readonly threshold: number;
  readonly minVal: number;
  readonly maxVal: number;
  readonly negativeSlope: number;
  readonly upper: boolean;
  readonly returnIndices: boolean;
  readonly returnInverse: boolean;
  readonly returnCounts: boolean;
  readonly kernelSize: number | number[];
  readonly outputSize: number | (number | null)[];
  readonly padding: number[];
  readonly numGroups: number;
  readonly normalizedShape: number[];
  readonly eps: number;
  readonly factor: number;
  readonly numClasses: number;
  readonly reduce: string;
  readonly rtol: Tensor | number;
  readonly atol: Tensor | number;
  readonly hermitian: boolean;
  readonly fullMatrices: boolean;
  readonly uplo: "L" | "U";
  readonly mode: string;
  readonly driver: string;
  readonly left: boolean;
  readonly nan: number;
  readonly posinf: number;
  readonly neginf: number;
  readonly startDim: number;
  readonly endDim: number;
  readonly destination: number[];
  readonly dilation: number[];
  readonly stride: number[];
}

function camelCase(name: string): string {
  return name === "UPLO" ? "uplo" : name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
}

/** Positional arguments named by a signature, then keywords; `None` is left out. */
export function parametersOf(
  signature: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): Parameters {
  const names = signature.split(" ");
  const named: Record<string, unknown> = {};
  for (const [i, value] of args.entries()) {
    const name = names[i];
    if (name === undefined) throw new Error(`argument ${i} has no name in "${signature}"`);
    if (value !== null) named[camelCase(name)] = value;
  }
  for (const [name, value] of Object.entries(kwargs)) {
    if (value !== null) named[camelCase(name)] = value;
  }
  return named as unknown as Parameters;
}

/** How an op is called: PyTorch's positional names, and the call with arguments by name. */
export interface Row {
  readonly signature: string;
  readonly call: (p: Parameters) => unknown;
}

/** A row of a table. */
export function row(signature: string, call: Row["call"]): Row {
  return { signature, call };
}
