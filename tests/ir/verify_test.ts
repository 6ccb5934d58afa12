import { assertThrows } from "@std/assert";
import { acc, axis, call, constant, type Expr, load } from "../../ops/ir/expr.ts";
import type { ContractKernel, Kernel, MapKernel, ReduceKernel } from "../../ops/ir/kernel.ts";
import { InternalError, verifyGraph, verifyKernel } from "../../ops/ir/verify.ts";
import { GraphBuilder } from "./graphs.ts";

const F32 = { dtype: "float32" } as const;
const I = axis(0, 4), J = axis(1, 3), K = axis(2, 5);
const X = load(0, "float32", I);

function map(value: Expr, dtype = value.dtype): MapKernel {
  const outputs = [{ dtype, value, index: undefined }];
  return { kind: "map", shape: [4, 3], inputs: [F32], outputs };
}

function reduce(body: Expr, value: Expr): ReduceKernel {
  return {
    kind: "reduce",
    shape: [4],
    reduce: [3],
    inputs: [F32],
    reductions: [{ op: "sum", body, dtype: body.dtype }],
    outputs: [{ dtype: value.dtype, value, index: undefined }],
  };
}

function contract(a: Expr, b: Expr): ContractKernel {
  const value = acc(0, "float32");
  return {
    kind: "contract",
    batch: [],
    m: [4],
    n: [3],
    k: [5],
    inputs: [F32],
    a,
    b,
    dtype: "float32",
    outputs: [{ dtype: "float32", value, index: I }],
    convolution: undefined,
  };
}

const FAULTS: readonly (readonly [what: string, kernel: Kernel, message: string])[] = [
  ["an output of another dtype", map(X, "int32"), "output 0 is float32, expected int32"],
  ["an axis that does not exist", map(load(0, "float32", K)), "output 0: axis 2 of size 5"],
  ["an axis of another size", map(load(0, "float32", axis(0, 7))), "output 0: axis 0 of size 7"],
  ["an input that does not exist", map(load(1, "float32", I)), "output 0: input 1 read as float32"],
  ["a load of another dtype", map(load(0, "int32", I)), "output 0: input 0 read as int32"],
  ["a float index", map(load(0, "float32", X)), "output 0: index of type float32"],
  ["an integer guard", map(load(0, "float32", I, I)), "output 0: guard of type int32"],
  [
    "arguments of different dtypes",
    map({ kind: "call", op: "add", dtype: "float32", args: [X, I] }),
    "output 0: add(float32, int32): float32",
  ],
  ["a fractional integer", map(constant(0.5, "int32")), "output 0: int32 0.5"],
  ["a result in a map", map(acc(0, "float32")), "output 0: result 0 as float32"],
  ["a result in its own body", reduce(acc(0, "float32"), acc(0, "float32")), "result 0 as float32"],
  [
    "a reduced axis in an output",
    reduce(X, call("add", [acc(0, "float32"), load(0, "float32", J)])),
    "output 0: axis 1 of size 3",
  ],
  ["n in the left operand", contract(load(0, "float32", J), X), "a: axis 1 of size 3"],
  ["m in the right operand", contract(X, X), "b: axis 0 of size 4"],
];

for (const [what, kernel, message] of FAULTS) {
  Deno.test(`verifyKernel() refuses ${what}`, () => {
    const error = assertThrows(() => verifyKernel(kernel), InternalError, message);
    // The whole kernel is in the message.
    if (!(error as Error).message.includes(`\n${kernel.kind} `)) throw error;
  });
}

Deno.test("verifyGraph() refuses a value read before it is made", () => {
  const b = new GraphBuilder();
  const x = b.input([4]);
  const y = b.zip("first", [x], (v) => call("neg", [v]));
  const graph = b.finish([b.zip("second", [y], (v) => call("exp", [v]))]);
  graph.nodes.reverse();
  assertThrows(() => verifyGraph(graph), InternalError, "second reads %1 first float32 [4] before");
});

Deno.test("verifyGraph() refuses an output of another size and overlapping parts", () => {
  const b = new GraphBuilder();
  const x = b.input([4]);
  b.kernel(map(constant(1, "float32")), [x], [[5]], "wrong");
  assertThrows(() => verifyGraph(b.finish([])), InternalError, "wrong: output 0 has 12 elements");
  const c = new GraphBuilder();
  const y = c.input([4]);
  const packed = c.pack([y, y], [0, 3], 8);
  assertThrows(() => verifyGraph(c.finish([packed])), InternalError, "pack: inputs overlap at 3");
});
