import { assert, assertEquals } from "@std/assert";
import { bpeResults, type CaseResult, metricsResults, transformResults } from "./_reference.ts";

function assertAllPass(results: readonly CaseResult[]): void {
  assert(results.length > 0);
  assertEquals(results.filter(({ pass }) => !pass), []);
}

Deno.test("transforms give torchvision's results on all reference cases", async () => {
  assertAllPass(await transformResults());
});

Deno.test("metrics give scikit-learn's results on all reference cases", async () => {
  assertAllPass(await metricsResults());
});

Deno.test("tokenizers give Hugging Face's ids and texts on all reference cases", async () => {
  assertAllPass(await bpeResults());
});
