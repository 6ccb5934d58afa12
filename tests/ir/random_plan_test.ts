import { assert, assertEquals } from "@std/assert";
import { optimize } from "../../ops/ir/fuse.ts";
import type { Graph, Plan } from "../../ops/ir/graph.ts";
import { planGraph } from "../../ops/ir/memory.ts";
import { printGraph, printPlan } from "../../ops/ir/print.ts";
import { verifyGraph, verifyPlan } from "../../ops/ir/verify.ts";
import { type Outcome, runGraph, runPlan } from "./graphs.ts";
import { Random } from "./helpers.ts";
import { randomGraph } from "./random_graph.ts";

const SEEDS = Number(Deno.env.get("SEEDS") ?? 400);

function assertSame(
  actual: Outcome,
  expected: Outcome,
  what: string,
  graph: Graph,
  plan: Plan,
): void {
  const lists = (o: Outcome): number[][] => [...o.results, ...o.states];
  for (const [i, list] of lists(expected).entries()) {
    const other = lists(actual)[i]!;
    const wrong = list.findIndex((x, k) =>
      !(Math.abs(other[k]! - x) <= 1e-12 * Math.max(1, Math.abs(x)))
    );
    if (wrong < 0 && list.length === other.length) continue;
    const text = `${printGraph(graph, "formulas")}\n${printPlan(plan, "formulas")}`;
    throw new Error(`${what}: list ${i} at ${wrong}: ${other[wrong]} for ${list[wrong]}\n${text}`);
  }
}

Deno.test("planGraph() and optimize() keep what random graphs compute", () => {
  let before = 0, after = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { graph, contents } = randomGraph(new Random(seed));
    verifyGraph(graph);
    const expected = runGraph(graph, contents);
    const plain = planGraph(graph);
    verifyPlan(plain);
    assertSame(runPlan(plain, graph, contents), expected, `seed ${seed} planned`, graph, plain);
    const fused = optimize(graph);
    verifyGraph(fused);
    assertSame(runGraph(fused, contents), expected, `seed ${seed} fused`, fused, plain);
    const plan = planGraph(fused);
    verifyPlan(plan);
    assertSame(runPlan(plan, graph, contents), expected, `seed ${seed} both`, fused, plan);
    // The same text every time: nothing depends on history.
    assertEquals(printPlan(planGraph(optimize(graph)), "formulas"), printPlan(plan, "formulas"));
    before += plain.steps.length;
    after += plan.steps.length;
  }
  assert(after < before * 0.75, `${before} kernels became ${after}`);
});
