/**
 * The tests of the `webgpu` tier in a page, and PyTorch's answers there. Chromium's WebGPU is Dawn
 * with the compiler Tint, Deno's is wgpu with naga: what passes on both is portable.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { FileOutcome } from "./conformance.ts";
import type { TestOutcome } from "./runner.ts";
import { assertNoShaderMessages, pageTest, watchShaders } from "./support.ts";

async function filesIn(folder: string, accept: (name: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(new URL(folder, import.meta.url))) {
    if (accept(name)) found.push(name);
  }
  return found.sort();
}

/** Test files that ask of Deno only what `runner.ts` has: not those that read a process. */
async function portableTests(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await filesIn(`../${folder}`, (name) => name.endsWith("_test.ts"))) {
    const path = `tests/${folder}/${name}`;
    const text = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    if (!/\bDeno\.(?!test\b|TestContext\b|env\b)/.test(text)) found.push(path);
  }
  return found;
}

for (const folder of ["backends/webgpu", "compile", "nn", "ops", "optim"]) {
  for (const path of await portableTests(folder)) {
    pageTest(path, "isolated", async (page, test) => {
      await watchShaders(page);
      const runner = "/tests/browser/runner.ts";
      const outcomes = await page.call<TestOutcome[]>(runner, "runFile", `/${path}`);
      for (const { name, ignored, message } of outcomes) {
        await test.step({ name, ignore: ignored, fn: () => assertEquals(message, undefined) });
      }
      const modules = await assertNoShaderMessages(page);
      if (folder === "backends/webgpu") assert(modules > 0);
    });
  }
}

for (const kind of ["op", "module", "optim", "model"]) {
  pageTest(`PyTorch's answers on webgpu: ${kind}`, "isolated", async (page) => {
    await watchShaders(page);
    const module = "/tests/browser/conformance.ts";
    assertEquals(await page.call(module, "open"), "swiftshader");
    const suffix = ".json.gz";
    const accept = (name: string) => name.startsWith(`${kind}.`) && name.endsWith(suffix);
    const failures: string[] = [];
    for (const file of await filesIn("../conformance", accept)) {
      const name = file.slice(0, -suffix.length);
      failures.push(...(await page.call<FileOutcome>(module, "runFile", name)).failures);
    }
    assertEquals(failures, []);
    assert(await assertNoShaderMessages(page) > 0);
  });
}
