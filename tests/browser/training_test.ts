/**
 * Training in a page of headless Chromium, with the losses of the same program in Deno beside it.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { toleranceOf } from "../../scripts/conformance/compare.ts";
import type { Setting, TrainingResult } from "./program.ts";
import { assertNoShaderMessages, pageTest, watchShaders } from "./support.ts";

const PROGRAM = "/tests/browser/program.ts";

/** The same training run in a process of its own. */
async function trainInDeno(setting: Setting): Promise<TrainingResult> {
  const program = fromFileUrl(new URL("./program.ts", import.meta.url));
  const args = ["run", "--quiet", "--allow-all", program, JSON.stringify(setting)];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return JSON.parse(decoder.decode(stdout));
}

pageTest("trains on threads with Deno's bits in an isolated page", "isolated", async (page) => {
  const setting = { device: "cpu", threads: 2 } as const;
  const result = await page.call<TrainingResult>(PROGRAM, "train", setting);
  assertEquals(result, await trainInDeno(setting));
  assertStringIncludes(result.device, "cpu, 2 threads");
  assertEquals(page.workers, 1);
});

pageTest("trains with Deno's bits in a page without shared memory", "plain", async (page) => {
  const result = await page.call<TrainingResult>(PROGRAM, "train", { device: "cpu" });
  assertEquals(result, await trainInDeno({ device: "cpu", threads: 1 }));
  assertEquals(page.workers, 0);
});

for (const kind of ["plain", "isolated"] as const) {
  pageTest(`trains on webgpu in a page that is ${kind}`, kind, async (page) => {
    await watchShaders(page);
    const result = await page.call<TrainingResult>(PROGRAM, "train", { device: "webgpu" });
    assertEquals(result.device, "swiftshader");
    const wanted = await trainInDeno({ device: "cpu" });
    const { absolute, relative } = toleranceOf("model.browser");
    const wrong = wanted.losses.map((loss, i) => ({ step: i, loss, got: result.losses[i]! }))
      .filter(({ loss, got }) => !(Math.abs(got - loss) <= absolute + relative * Math.abs(loss)));
    assertEquals(wrong, []);
    assert(await assertNoShaderMessages(page) > 0);
  });
}

for (const device of ["cpu", "webgpu"] as const) {
  pageTest(`eager steps on ${device} do not pile up memory`, "isolated", async (page) => {
    const peak = await page.call<number>(PROGRAM, "eagerPeak", device, 100);
    assert(peak < 64 * 2 ** 20, `${peak} bytes were alive`);
  });
}

pageTest('setDevice("auto") leaves a software adapter alone', "plain", async (page) => {
  assertEquals(await page.call(PROGRAM, "automaticDevice"), "cpu");
});
