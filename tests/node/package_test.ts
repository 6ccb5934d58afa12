/**
 * The package as its users get it: by its name on JSR in a Deno project, and as an npm tarball in
 * an empty folder, run by Node on the CPU.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { stripAnsiCode } from "@std/fmt/colors";
import { exists } from "../../models/kit/files.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const CONSUMER = join(ROOT, "tests", "consumer");

/** Nothing to pack before the public module exists. */
const hasLibrary = await exists(join(ROOT, "mod.ts"));
const hasNpm = await canRun("npm") && await canRun("node");

interface Finished {
  success: boolean;
  text: string;
}

async function canRun(command: string): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const { success, text } = await finish(command, args, cwd);
  assert(success, `${command} ${args.join(" ")} failed:\n${text}`);
  return text;
}

async function finish(command: string, args: string[], cwd: string): Promise<Finished> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd }).output();
  const decoder = new TextDecoder();
  return { success, text: stripAnsiCode(decoder.decode(stdout) + decoder.decode(stderr)) };
}

/** The consumer's script with the names that npm knows. */
async function scriptForNpm(): Promise<string> {
  const text = await Deno.readTextFile(join(CONSUMER, "train.ts"));
  return text.replaceAll("jsr:@tensaurus/core", "@tensaurus/core");
}

async function withPackedPackage(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensaurus-" });
  try {
    const tarball = join(folder, "package.tgz");
    await run(Deno.execPath(), ["pack", "--allow-dirty", "--output", tarball], ROOT);
    const app = join(folder, "app");
    await Deno.mkdir(app);
    const manifest = { name: "app", version: "1.0.0", type: "module", private: true };
    await Deno.writeTextFile(join(app, "package.json"), JSON.stringify(manifest));
    await run("npm", ["install", "--no-audit", "--no-fund", tarball], app);
    await test(app);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "a project imports jsr:@tensaurus/core, type-checks and trains",
  ignore: !hasLibrary,
  async fn() {
    await run(Deno.execPath(), ["check", "train.ts"], CONSUMER);
    const text = await run(Deno.execPath(), ["run", "-A", "train.ts"], CONSUMER);
    assertStringIncludes(text, "accuracy 1");
  },
});

/** Deno's complaint about a module that uses the package wrongly, under the package's name here. */
async function complaint(name: string, folder: string): Promise<string> {
  const path = join(folder, "wrong.ts");
  const lines = [
    `import { tensor } from "${name}";`,
    `import { Linear } from "${name}/nn";`,
    `import { Adam } from "${name}/optim";`,
    `import { accuracy } from "${name}/data";`,
    `export const rank: string = tensor([1]).shape;`,
    `export const layer: string = new Linear(1, 1);`,
    `export const optimizer: string = new Adam(layer);`,
    `export const right: string = accuracy([1], [1]);`,
  ];
  await Deno.writeTextFile(path, lines.join("\n"));
  try {
    const { success, text } = await finish(Deno.execPath(), ["check", path], folder);
    assertEquals(success, false);
    return text;
  } finally {
    await Deno.remove(path);
  }
}

/** Each wrong line is found: every entry point has its types. */
function assertComplete(text: string): void {
  for (const line of [5, 6, 7, 8]) assertStringIncludes(text, `wrong.ts:${line}:`);
}

Deno.test({
  name: "a project sees a type error in a wrong call",
  ignore: !hasLibrary,
  async fn() {
    assertComplete(await complaint("jsr:@tensaurus/core", CONSUMER));
  },
});

Deno.test({
  name: "the npm tarball installs into an empty folder, has types, and trains in Node",
  ignore: !hasLibrary || !hasNpm,
  fn: () =>
    withPackedPackage(async (app) => {
      await Deno.writeTextFile(join(app, "train.ts"), await scriptForNpm());
      await Deno.writeTextFile(join(app, "deno.json"), `{ "nodeModulesDir": "manual" }`);
      await run(Deno.execPath(), ["check", "train.ts"], app);
      assertComplete(await complaint("@tensaurus/core", app));
      const output = ["transpile", "--no-check", "--output", "train.mjs", "train.ts"];
      await run(Deno.execPath(), output, app);
      assertStringIncludes(await run("node", ["train.mjs"], app), "accuracy 1");
    }),
});
