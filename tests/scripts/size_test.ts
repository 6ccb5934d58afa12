import { assertEquals } from "@std/assert";
import { functionsOf, linesPerFolder, overLimits } from "../../scripts/size.ts";

const TEXT = `export function one(): void {
}

async function three(
  a: number,
): Promise<void> {
}

export class A {
  readonly x = call(() => {
    return 1;
  });

  get y(): number {
    return 1;
  }

  #z<T>(value: T): T {
    if (value) {
      return value;
    }
    return value;
  }

  abstract w(): void;
}

function short(): number {}
`;

Deno.test("functionsOf() finds functions and methods with their lengths", () => {
  assertEquals(functionsOf({ path: "a.ts", text: TEXT }), [
    { name: "a.ts:1 one()", lines: 2 },
    { name: "a.ts:4 three()", lines: 4 },
    { name: "a.ts:14 y()", lines: 3 },
    { name: "a.ts:18 #z()", lines: 6 },
    { name: "a.ts:28 short()", lines: 1 },
  ]);
});

Deno.test("overLimits() names long files and functions", () => {
  const body = "  f();\n".repeat(70);
  const sources = [
    { path: "nn/mod.ts", text: "export {};\n".repeat(81) },
    { path: "nn/long.ts", text: `function long(): void {\n${body}}\n` },
    { path: "tests/long_test.ts", text: `function long(): void {\n${body}}\n` },
  ];
  assertEquals(overLimits(sources), [
    "nn/mod.ts: 81 lines, the limit is 80",
    "nn/long.ts:1 long(): 72 lines, the limit is 60",
  ]);
});

Deno.test("linesPerFolder() adds up two levels", () => {
  const text = "a\nb\n";
  const paths = ["mod.ts", "ops/a.ts", "ops/ir/b.ts", "ops/backends/wasm/c.ts"];
  assertEquals(linesPerFolder(paths.map((path) => ({ path, text }))), [
    { name: ".", files: 1, lines: 2 },
    { name: "ops", files: 3, lines: 6 },
    { name: "ops/backends", files: 1, lines: 2 },
    { name: "ops/ir", files: 1, lines: 2 },
  ]);
});
