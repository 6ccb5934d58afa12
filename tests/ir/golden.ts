/**
 * Golden texts: a plan's text is kept in a file, so that a change of kernels, bytes or operations
 * shows in the diff. `UPDATE_PLANS=1 deno test -A …` writes the files again.
 */
import { assertEquals } from "@std/assert";

/**
 * Compares a text with the file `golden/<name>.txt` beside `base`.
 *
 * @param base `import.meta.url` of the test.
 * @param name File name without its ending.
 * @param text What the file should hold.
 */
export async function assertGolden(base: string, name: string, text: string): Promise<void> {
  const file = new URL(`golden/${name}.txt`, base);
  const trimmed = text.split("\n").map((line) => line.trimEnd()).join("\n");
  if (Deno.env.get("UPDATE_PLANS") === "1") {
    await Deno.mkdir(new URL("golden/", base), { recursive: true });
    await Deno.writeTextFile(file, trimmed);
    return;
  }
  assertEquals(trimmed, await Deno.readTextFile(file), `plan ${name} changed (UPDATE_PLANS=1)`);
}
