import { assertEquals } from "@std/assert";
import { checkLayers, importsOf } from "../../scripts/layers.ts";

function check(path: string, text: string): string[] {
  return checkLayers([{ path, text }]);
}

Deno.test("importsOf() finds every form of import with its line", () => {
  const text = `/**
 * import { a } from "./comment.ts";
 */
import { b } from "./b.ts";
import type {
  C,
} from "./c.ts";
export * from "./d.ts";
import "./e.ts";
// import "./f.ts";
const g = await import("./g.ts");
`;
  assertEquals(importsOf(text), [
    { specifier: "./b.ts", line: 4 },
    { specifier: "./c.ts", line: 7 },
    { specifier: "./d.ts", line: 8 },
    { specifier: "./e.ts", line: 9 },
    { specifier: "./g.ts", line: 11 },
  ]);
});

Deno.test("checkLayers() accepts imports that go down", () => {
  assertEquals(check("nn/linear.ts", `import { a } from "../ops/mod.ts";`), []);
  assertEquals(check("ops/define.ts", `import { a } from "./compile/eager.ts";`), []);
  assertEquals(check("ops/backends/wasm/mod.ts", `import { a } from "../../ir/kernel.ts";`), []);
  assertEquals(check("ops/compile/plan.ts", `import { a } from "../backends/wasm/mod.ts";`), []);
  assertEquals(check("models/cnn.ts", `import { a } from "@tensaurus/core/nn";`), []);
  assertEquals(check("mod.ts", `export * as nn from "./nn/mod.ts";`), []);
});

Deno.test("checkLayers() names file, line and both layers where an import goes up", () => {
  assertEquals(check("ops/ir/fuse.ts", `\nimport { a } from "../define.ts";`), [
    "ops/ir/fuse.ts:2: ops/ir imports ops/define.ts of ops (may import nothing else)",
  ]);
  assertEquals(check("ops/reduce.ts", `import type { A } from "../nn/mod.ts";`), [
    "ops/reduce.ts:1: ops imports nn/mod.ts of nn (may import ops/compile, ops/backends, ops/ir)",
  ]);
  assertEquals(check("models/gpt.ts", `import { a } from "../ops/mod.ts";`), [
    "models/gpt.ts:1: models imports ops/mod.ts of ops (may import mod.ts, nn, optim, data)",
  ]);
});

Deno.test("checkLayers() keeps backends apart", () => {
  assertEquals(check("ops/backends/webgpu/map.ts", `import { a } from "../wasm/mod.ts";`), [
    "ops/backends/webgpu/map.ts:1: ops/backends/webgpu imports ops/backends/wasm/mod.ts of " +
    "ops/backends/wasm (may import ops/backends, ops/ir)",
  ]);
});

Deno.test("checkLayers() refuses what is not of the web platform in the library part", () => {
  for (const name of ["npm:fflate", "node:fs", "@std/path"]) {
    assertEquals(check("data/files.ts", `import { a } from "${name}";`), [
      `data/files.ts:1: data imports "${name}" from outside the library`,
    ]);
    assertEquals(check("models/cnn.ts", `import { a } from "${name}";`), []);
  }
});
