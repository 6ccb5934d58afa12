/** The plans of the models' steps are those in the files; a change must show in the diff. */
import { assertEquals } from "@std/assert";
import { planTexts } from "../../scripts/plans.ts";

const texts = await planTexts();

for (const [file, text] of texts) {
  Deno.test(`plan of ${file} is the golden one`, async () => {
    const golden = await Deno.readTextFile(new URL(file, import.meta.url));
    assertEquals(text, golden);
  });
}

Deno.test("plan of the CNN has at most 40 kernels", () => {
  const text = texts.get("seed-cnn_b64_48x48.txt")!;
  const kernels = Number(text.match(/^(\d+) kernels/m)?.[1]);
  assertEquals(kernels <= 40, true, `${kernels} kernels`);
});
