/**
 * The WebGPU device on Chromium's implementation: its own tests and PyTorch's answers. That is Dawn
 * with the compiler Tint, Deno's is wgpu with naga: what passes on both is portable.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
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

for (const file of await filesIn("../backends/webgpu", (name) => name.endsWith("_test.ts"))) {
  pageTest(`tests/backends/webgpu/${file}`, "isolated", async (page, test) => {
    await watchShaders(page);
    const path = `/tests/backends/webgpu/${file}`;
    const outcomes = await page.call<TestOutcome[]>("/tests/browser/runner.ts", "runFile", path);
    for (const { name, ignored, message } of outcomes) {
      await test.step({ name, ignore: ignored, fn: () => assertEquals(message, undefined) });
    }
    await assertNoShaderMessages(page);
  });
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
    await assertNoShaderMessages(page);
  });
}
