/** The scripts of the tasks as their users run them. */
import { assertEquals } from "@std/assert";

async function run(script: string, ...args: string[]): Promise<{ code: number; stderr: string }> {
  const path = new URL(`../../${script}`, import.meta.url).pathname;
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", path, ...args] });
  const { code, stderr } = await command.output();
  return { code, stderr: new TextDecoder().decode(stderr).trim() };
}

Deno.test("scripts refuse options that they do not have", async () => {
  for (const name of ["bench", "bench_kernels", "conformance", "plans"]) {
    assertEquals(await run(`scripts/${name}.ts`, "--jsonn"), {
      code: 2,
      stderr: "--jsonn: no such option",
    });
  }
});

Deno.test("conformance fails where no case has the filter in its name", async () => {
  assertEquals(await run("tests/conformance/run.ts", "--filter", "nosuch"), {
    code: 1,
    stderr: '--filter: no case has "nosuch" in its name',
  });
});
