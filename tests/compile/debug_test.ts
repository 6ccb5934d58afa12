/** `TENSAURUS_DEBUG` prints what the table in CONTRIBUTING.md says. */
import { assertEquals, assertStringIncludes } from "@std/assert";

const PROGRAM = `
  import { compile, tensor } from "${new URL("../../mod.ts", import.meta.url)}";
  const step = compile((x) => x.mul(2).add(1).sum());
  console.log(await step(tensor([1, 2, 3])).item());
`;

async function run(level: number): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["eval", PROGRAM],
    env: { TENSAURUS_DEBUG: String(level) },
  });
  const { stdout, stderr } = await command.output();
  assertEquals(new TextDecoder().decode(stdout).trim(), "15");
  return new TextDecoder().decode(stderr);
}

const SEEN: readonly (readonly [number, readonly string[]])[] = [
  [1, ["device cpu: cpu, ", "compile: 1 kernels", " GB/s ", "reduce mul+add+sum"]],
  [2, ["fuse: "]],
  [3, ["1 kernels  "]],
  [4, ["source of "]],
];

for (const [level, parts] of SEEN) {
  Deno.test(`TENSAURUS_DEBUG=${level} prints its part`, async () => {
    const text = await run(level);
    for (const part of parts) assertStringIncludes(text, part);
  });
}

Deno.test("TENSAURUS_DEBUG=0 prints nothing", async () => {
  assertEquals(await run(0), "");
});
