import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { axis, curvesSvg } from "../../models/kit/curves.ts";

Deno.test("curvesSvg() draws one chart each for loss, accuracy and learning rate", () => {
  const svg = curvesSvg([
    { step: 1, loss: 2, lr: 1e-3 },
    { step: 2, loss: 1, lr: 5e-4, valLoss: 1.5, valAccuracy: 0.9 },
    { step: 3, loss: "NaN" },
  ]);
  for (const title of ["loss", "accuracy", "learning rate"]) {
    assertStringIncludes(svg, `font-weight="bold">${title}</text>`);
  }
  assertStringIncludes(svg, ">valLoss</text>");
  assert(!svg.includes("NaN"));
  assertStringIncludes(svg, 'height="720"');
});

Deno.test("curvesSvg() draws an empty picture for a run without numbers", () => {
  assertStringIncludes(curvesSvg([]), "<svg");
});

Deno.test("curvesSvg() thins long runs to means", () => {
  const metrics = Array.from({ length: 12_000 }, (_, step) => ({ step, loss: step % 2 }));
  const svg = curvesSvg(metrics);
  const path = svg.match(/stroke-width="1.5"/g) ?? [];
  assertEquals(path.length, 1);
  assert(svg.length < 20_000);
});

Deno.test("axis() has round ticks that enclose the values", () => {
  assertEquals(axis([0.1, 0.93], false).ticks, [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assertEquals(axis([3, 3], false).ticks, [2.4, 2.6, 2.8, 3, 3.2, 3.4, 3.6]);
  assertEquals(axis([0.02, 5], true).ticks, [0.01, 0.1, 1, 10]);
});
