import { assertEquals } from "@std/assert";
import { optimize } from "../../ops/ir/fuse.ts";
import {
  acc,
  add,
  axis,
  call,
  cast,
  constant,
  div,
  type Expr,
  int,
  le,
  load,
  lt,
  mul,
  select,
  sub,
} from "../../ops/ir/expr.ts";
import type { Value } from "../../ops/ir/graph.ts";
import { planGraph } from "../../ops/ir/memory.ts";
import { printBytes, printCount, printExpr, printGraph, printPlan } from "../../ops/ir/print.ts";
import { verifyPlan } from "../../ops/ir/verify.ts";
import { assertGolden } from "./golden.ts";
import { GraphBuilder } from "./graphs.ts";

const I = axis(0, 8), J = axis(1, 8);

function number(x: number): Expr {
  return constant(x, "float32");
}

const FORMULAS: readonly (readonly [Expr, string])[] = [
  [add(mul(I, int(8)), J), "i0 * 8 + i1"],
  [mul(add(I, J), int(8)), "(i0 + i1) * 8"],
  [sub(I, sub(J, int(1))), "i0 - (i1 - 1)"],
  [load(0, "float32", I, lt(J, int(3))), "x0[i0 ? i1 < 3]"],
  [select(le(I, J), acc(0, "float32"), number(-Infinity)), "select(i0 <= i1, r0, -Infinity)"],
  [cast(call("imod", [I, int(2)]), "float32"), "float32(i0 % 2)"],
  [call("neg", [acc(1, "float32")]), "-r1"],
  [number(0.1), "0.1"],
];

for (const [expr, text] of FORMULAS) {
  Deno.test(`printExpr() writes ${text}`, () => assertEquals(printExpr(expr), text));
}

Deno.test("printBytes() and printCount() keep three digits", () => {
  assertEquals([0, 999, 1000, 12_345_678].map(printBytes), ["0 B", "999 B", "1.00 kB", "12.3 MB"]);
  assertEquals([999, 514_000_000].map(printCount), ["999", "514 M"]);
});

/** A classifier of one hidden layer with its gradient and a step of momentum, by hand. */
function classifier(b: GraphBuilder): Value[] {
  const x = b.input([64, 784], "x"), target = b.input([64, 10], "target"), lr = b.input([], "lr");
  const [w, v] = [b.state([784, 128], "w"), b.state([128, 10], "v")];
  const [bias, momentum] = [b.state([128], "bias"), b.state([784 * 128], "momentum")];
  const zero = number(0);
  const h = b.zip(
    "relu",
    [b.zip("bias", [b.matmul(x, w), bias], add)],
    (y) => call("max", [y, zero]),
  );
  const logits = b.matmul(h, v);
  const row = (y: Value) => b.reshape(y, [64, 1]);
  const shifted = b.zip("sub", [logits, row(b.reduce("max", "max", logits, [1]))], sub);
  const total = b.reduce("sum", "sum", b.zip("exp", [shifted], (y) => call("exp", [y])), [1]);
  const logp = b.zip("sub", [shifted, row(b.zip("log", [total], (y) => call("log", [y])))], sub);
  const picked = b.reduce("sum", "sum", b.zip("mul", [logp, target], mul), [0, 1]);
  const loss = b.zip("mean", [picked], (y) => mul(y, number(-1 / 64)));
  const dlogits = b.zip(
    "gradient",
    [logp, target],
    (y, t) => mul(sub(call("exp", [y]), t), number(1 / 64)),
  );
  const dh = b.zip(
    "where",
    [h, b.matmul(dlogits, v, { b: true })],
    (y, g) => select(lt(zero, y), g, zero),
  );
  const dw = b.matmul(x, dh, { a: true });
  const speed = b.zip(
    "momentum",
    [momentum, b.reshape(dw, [784 * 128])],
    (m, g) => add(mul(m, number(0.9)), g),
  );
  const step = (name: string, p: Value, g: Value) =>
    b.update(p, b.zip(name, [p, g, lr], (q, d, r) => sub(q, mul(d, r))));
  step("step w", w, b.reshape(speed, [784, 128]));
  step("step v", v, b.matmul(h, dlogits, { a: true }));
  step("step bias", bias, b.reduce("sum", "sum", dh, [0]));
  b.update(momentum, speed);
  return [loss];
}

Deno.test("printPlan() of a classifier's step is the golden text", async () => {
  const b = new GraphBuilder();
  const plan = planGraph(optimize(b.finish(classifier(b))));
  verifyPlan(plan);
  await assertGolden(import.meta.url, "classifier", printPlan(plan));
});

Deno.test("printPlan() in detail shows formulas and buffers", async () => {
  const b = new GraphBuilder();
  const x = b.input([4, 6]), s = b.state([6]);
  const total = b.reduce("sum", "sum", b.zip("exp", [x], (y) => call("exp", [y])), [0]);
  b.update(s, b.zip("blend", [s, total], (p, q) => mul(add(p, q), number(0.5))));
  const graph = optimize(b.finish([b.zip("div", [x, s], div)]));
  const text = printGraph(graph) + "\n" + printPlan(planGraph(graph), "formulas");
  await assertGolden(import.meta.url, "formulas", text);
});
