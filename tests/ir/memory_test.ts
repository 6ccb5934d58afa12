import { assert, assertEquals, assertThrows } from "@std/assert";
import { optimize } from "../../ops/ir/fuse.ts";
import { add, axis, call, constant, type Expr, int, load, mul, sub } from "../../ops/ir/expr.ts";
import type { Graph, Plan, Value } from "../../ops/ir/graph.ts";
import type { ScatterKernel } from "../../ops/ir/kernel.ts";
import { planGraph, temporaryBytes } from "../../ops/ir/memory.ts";
import { InternalError, verifyPlan } from "../../ops/ir/verify.ts";
import { type Contents, GraphBuilder, runGraph, runPlan } from "./graphs.ts";

function number(x: number): Expr {
  return constant(x, "float32");
}
function half(x: Expr): Expr {
  return mul(x, number(0.5));
}

/** The verified plan of a graph as it is; what it computes is compared with the graph's meaning. */
function planned(graph: Graph, contents: Contents, fuse = false): Plan {
  const plan = planGraph(fuse ? optimize(graph) : graph);
  verifyPlan(plan);
  assertEquals(runPlan(plan, graph, contents), runGraph(graph, contents));
  return plan;
}

function labels(plan: Plan): string[] {
  return plan.steps.map((s) => s.label);
}

function values(list: readonly Value[], size: number): Contents {
  return new Map(list.map((v, i) => [v, Array.from({ length: size }, (_, k) => i * 10 + k)]));
}

Deno.test("planGraph() lets temporaries that are not alive together share memory", () => {
  const b = new GraphBuilder();
  const x = b.input([16, 16]);
  let y = x;
  for (let i = 0; i < 6; i++) y = b.matmul(y, x);
  const plan = planned(b.finish([y]), values([x], 256));
  assertEquals(plan.buffers.filter((p) => p.role === "temporary").length, 2);
  assertEquals(temporaryBytes(plan), 2 * 16 * 16 * 4);
});

Deno.test("planGraph() lets a map write over an input that dies with it", () => {
  const b = new GraphBuilder();
  const x = b.input([16, 16]);
  let y = b.matmul(x, x);
  for (let i = 0; i < 3; i++) y = b.zip("half", [y], half);
  const plan = planned(b.finish([b.matmul(y, x)]), values([x], 256));
  assertEquals(temporaryBytes(plan), 16 * 16 * 4);
});

Deno.test("planGraph() does not let a permutation write over its input", () => {
  const b = new GraphBuilder();
  const x = b.input([16, 16]);
  const y = b.permute(b.matmul(x, x), [1, 0]);
  const plan = planned(b.finish([b.matmul(y, x)]), values([x], 256));
  assertEquals(temporaryBytes(plan), 2 * 16 * 16 * 4);
});

Deno.test("planGraph() updates a state in place where the update reads the same element", () => {
  const b = new GraphBuilder();
  const s = b.state([8]);
  b.update(s, b.zip("update", [s], half));
  const plan = planned(b.finish([]), values([s], 8));
  assertEquals(labels(plan), ["update"]);
  assertEquals(plan.buffers.map((p) => p.role), ["state"]);
});

Deno.test("planGraph() runs readers of an old value before the update", () => {
  const b = new GraphBuilder();
  const s = b.state([8]), x = b.input([8]);
  b.update(s, b.zip("update", [s, x], add));
  const y = b.zip("reader", [s, x], mul);
  const plan = planned(b.finish([y]), values([s, x], 8));
  assertEquals(labels(plan), ["reader", "update"]);
});

Deno.test("planGraph() copies where an update reads other elements, or a reader needs it", () => {
  const b = new GraphBuilder();
  const s = b.state([4, 4]);
  b.update(s, b.permute(s, [1, 0]));
  assertEquals(labels(planned(b.finish([]), values([s], 16))), ["permute", "copy to state"]);
  const c = new GraphBuilder();
  const t = c.state([8]);
  const next = c.zip("update", [t], half);
  c.update(t, next);
  const y = c.zip("difference", [next, t], sub);
  const plan = planned(c.finish([y]), values([t], 8));
  assertEquals(labels(plan), ["update", "difference", "copy to state"]);
});

/** `base` with elements replaced at two positions. */
function replaced(b: GraphBuilder, base: Value, source: Value): Value {
  const dtype = "float32", point = axis(0, 2);
  const kernel: ScatterKernel = {
    kind: "scatter",
    size: 8,
    init: load(0, dtype, axis(0, 8)),
    shape: [2],
    parallel: [],
    op: "set",
    target: add(mul(point, int(3)), int(1)),
    value: load(1, dtype, point),
    guard: undefined,
    inputs: [{ dtype }, { dtype }],
    outputs: [{ dtype, value: number(0), index: undefined }],
  };
  return b.kernel(kernel, [base, source], [[8]], "replace")[0]!;
}

function starts(plan: Plan): boolean[] {
  return plan.steps.flatMap(({ kernel }) =>
    kernel.kind === "scatter" ? [kernel.init !== undefined] : []
  );
}

Deno.test("planGraph() scatters into an array in place, without laying its values down again", () => {
  const b = new GraphBuilder();
  const s = b.state([8]), x = b.input([8]);
  const once = replaced(b, s, x), twice = replaced(b, b.zip("half", [x], half), x);
  b.update(s, once);
  const y = b.zip("reader", [once, twice], add);
  assertEquals(starts(planned(b.finish([y]), values([s, x], 8))), [false, false]);
  const c = new GraphBuilder();
  const t = c.state([8]), z = c.input([8]);
  const next = replaced(c, t, z);
  c.update(t, next);
  const difference = c.zip("old and new", [t, next], sub);
  assertEquals(starts(planned(c.finish([difference]), values([t, z], 8))), [true]);
});

Deno.test("planGraph() swaps two states", () => {
  const b = new GraphBuilder();
  const [s, t] = [b.state([8]), b.state([8])];
  b.update(s, t);
  b.update(t, s);
  planned(b.finish([]), values([s, t], 8));
  planned(b.finish([s, t]), values([s, t], 8), true);
});

Deno.test("planGraph() gives each result a buffer of its own", () => {
  const b = new GraphBuilder();
  const x = b.input([8]), s = b.state([8]);
  const y = b.zip("half", [x], half);
  b.update(s, y);
  const plan = planned(b.finish([y, y, x, s]), values([x, s], 8));
  const buffers = plan.results.map((r) => r.buffer);
  assertEquals(new Set(buffers).size, 4);
  assert(buffers.every((i) => plan.buffers[i]!.role === "result"));
});

Deno.test("planGraph() writes the parts of a packed array in their places", () => {
  const b = new GraphBuilder();
  const x = b.input([16]);
  const p = b.zip("p", [x], half), q = b.zip("q", [x], (v) => add(v, number(1)));
  const packed = b.pack([p, q], [0, 16], 32);
  const plan = planned(b.finish([packed]), values([x], 16));
  assertEquals(labels(plan), ["p", "q"]);
  assertEquals(plan.steps.map((s) => s.arguments[1]!.offset), [0, 16]);
});

Deno.test("planGraph() copies what lies elsewhere or twice in a packed array", () => {
  const b = new GraphBuilder();
  const x = b.input([4]);
  const p = b.zip("p", [x], half);
  const packed = b.pack([p, p, x], [0, 4, 8], 12);
  const plan = planned(b.finish([packed]), values([x], 4));
  assertEquals(labels(plan).sort(), ["copy to pack", "copy to pack", "p"]);
});

Deno.test("planGraph() packs straight into a state that nobody reads", () => {
  const b = new GraphBuilder();
  const x = b.input([16]), gradients = b.state([32]);
  const parts = [b.zip("p", [x], half), b.zip("q", [x], (v) => call("neg", [v]))];
  b.update(gradients, b.pack(parts, [0, 16], 32));
  const contents = new Map([...values([x], 16), ...values([gradients], 32)]);
  assertEquals(labels(planned(b.finish([]), contents)), ["p", "q"]);
});

Deno.test("verifyPlan() refuses an output over an input that is read elsewhere", () => {
  const b = new GraphBuilder();
  const x = b.input([4, 4]);
  const y = b.permute(b.zip("half", [x], half), [1, 0]);
  const plan = planGraph(b.finish([b.matmul(y, x)]));
  const [first, second, ...rest] = plan.steps;
  const place = second!.arguments[0]!;
  const broken = { ...plan, steps: [first!, { ...second!, arguments: [place, place] }, ...rest] };
  assertThrows(() => verifyPlan(broken), InternalError, "overwrites input 0 while it is read");
});

Deno.test("verifyPlan() refuses a read of what was not written", () => {
  const b = new GraphBuilder();
  const x = b.input([4, 4]);
  const plan = planGraph(b.finish([b.matmul(b.matmul(x, x), x)]));
  assertThrows(
    () => verifyPlan({ ...plan, steps: plan.steps.toReversed() }),
    InternalError,
    "internal: step 0 (matmul): input 0 is read before it is written",
  );
});
