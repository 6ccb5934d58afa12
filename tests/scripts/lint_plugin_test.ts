import { assertEquals } from "@std/assert";
import plugin from "../../scripts/lint_plugin.ts";

function lint(source: string): string[] {
  return Deno.lint.runPlugin(plugin, "file.ts", source).map(({ id }) => id);
}

Deno.test("no-top-level-arrow finds arrow functions at the top of a module only", () => {
  assertEquals(lint("const f = () => 1;"), ["tensaurus/no-top-level-arrow"]);
  assertEquals(lint("export const f = (x: number) => x;"), ["tensaurus/no-top-level-arrow"]);
  assertEquals(lint("export function f() { const g = () => 1; return g; }"), []);
  assertEquals(lint("const table = { f: () => 1 };"), []);
});

Deno.test("no-default-export finds default exports", () => {
  assertEquals(lint("export default 1;"), ["tensaurus/no-default-export"]);
  assertEquals(lint("export const a = 1;"), []);
});

Deno.test("private-fields finds the keyword, except on constructors", () => {
  assertEquals(lint("class A { private x = 1; }"), ["tensaurus/private-fields"]);
  assertEquals(lint("class A { private f() {} }"), ["tensaurus/private-fields"]);
  assertEquals(lint("class A { #x = 1; private constructor() {} protected y = 2; }"), []);
});

Deno.test("error-message finds contractions and final periods", () => {
  const rule = ["tensaurus/error-message"];
  assertEquals(lint(`throw new Error("conv2d: can't do it");`), rule);
  assertEquals(lint(`throw new RangeError("conv2d: it's wrong");`), rule);
  assertEquals(lint("throw new ShapeError(`conv2d: ${a} channels.`);"), rule);
  assertEquals(lint(`throw shapeError("conv2d", "wrong" + " channels.");`), rule);
  assertEquals(lint(`throw new Error("item: cannot read the user's value (await it)");`), []);
  assertEquals(lint("throw new Error(`sample: ${a}`);"), []);
  assertEquals(lint(`console.log("That's all.");`), []);
});
