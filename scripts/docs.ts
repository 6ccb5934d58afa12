/**
 * Writes the HTML reference to `docs/api` and the table of PyTorch's names to `docs/coverage.md`.
 *
 * The table is made from the exports: a name that PyTorch has and the package exports, under the
 * name that TypeScript's spelling gives it, is covered.
 *
 * Run it with `deno task docs`.
 *
 * @module
 */
import { writeWhole } from "../models/kit/files.ts";
import { type CoverageGroup, coverageTable, PYTORCH_NAMES } from "./_pytorch_names.ts";

const ENTRY_POINTS = ["mod.ts", "nn/mod.ts", "optim/mod.ts", "data/mod.ts"];

async function writeHtml(): Promise<void> {
  const name = "--name=Tensaurus";
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--html", name, "--output=docs/api", ...ENTRY_POINTS],
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) Deno.exit(1);
}

async function writeCoverage(): Promise<void> {
  const groups: CoverageGroup[] = [];
  for (const { title, entry, names } of PYTORCH_NAMES) {
    const module: Record<string, unknown> = await import(`../${entry}`);
    groups.push({ title, entry, names, exported: exportedNames(module) });
  }
  await writeWhole("docs/coverage.md", coverageTable(groups));
  console.log("docs/api/index.html, docs/coverage.md");
}

/** Exports of a module, and of a namespace such as `functional` in it. */
function exportedNames(module: Record<string, unknown>): Set<string> {
  const names = new Set(Object.keys(module));
  for (const value of [module.functional, module.init, module.linalg, module.Tensor]) {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) continue;
    for (const name of Object.keys(value as Record<string, unknown>)) names.add(name);
    for (
      let prototype = (value as { prototype?: object }).prototype;
      prototype && prototype !== Object.prototype;
      prototype = Object.getPrototypeOf(prototype)
    ) {
      for (const name of Object.getOwnPropertyNames(prototype)) names.add(name);
    }
  }
  return names;
}

if (import.meta.main) {
  await writeHtml();
  await writeCoverage();
}
