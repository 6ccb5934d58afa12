/**
 * Checks that imports go down the layers only, and that the library part imports nothing from
 * outside the web platform.
 *
 * ```text
 * models/ scripts/ → nn/ optim/ data/ → ops/ → ops/compile/ → ops/backends/ → ops/ir/
 * ```
 *
 * Backends stand on the IR, since they run its kernels; the IR is pure data and stands on nothing.
 * One backend does not import another.
 *
 * Run it with `deno task layers`.
 *
 * @module
 */
import { isLibrary, readSources, type Source } from "./_sources.ts";

/** Layers with the layers that each may import besides itself; the first that fits a path counts. */
const LAYERS: readonly { name: string; path: RegExp; below: readonly string[] }[] = [
  layer("ops/ir", []),
  layer("ops/backends/reference", ["ops/backends", "ops/ir"]),
  layer("ops/backends/wasm", ["ops/backends", "ops/ir"]),
  layer("ops/backends/webgpu", ["ops/backends", "ops/ir"]),
  layer("ops/backends", ["ops/ir"]),
  layer("ops/compile", [
    "ops/backends",
    "ops/backends/reference",
    "ops/backends/wasm",
    "ops/backends/webgpu",
    "ops/ir",
  ]),
  layer("ops", ["ops/compile", "ops/backends", "ops/ir"]),
  layer("nn", ["ops"]),
  layer("optim", ["ops"]),
  layer("data", ["ops"]),
  { name: "mod.ts", path: /^mod\.ts$/, below: ["ops", "ops/compile", "nn", "optim", "data"] },
  layer("models", ["mod.ts", "nn", "optim", "data"]),
];

/** Names of the import map that stand for files of this repository. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["@tensaurus/core", "mod.ts"],
  ["@tensaurus/core/nn", "nn/mod.ts"],
  ["@tensaurus/core/optim", "optim/mod.ts"],
  ["@tensaurus/core/data", "data/mod.ts"],
]);

/** An import statement. */
export interface Import {
  /** What is imported, as it is written. */
  specifier: string;
  /** Line of the specifier, from 1. */
  line: number;
}

/**
 * Finds the imports and re-exports of a file, dynamic imports of literal names included.
 *
 * @param text The text of a module.
 * @returns All of them, in order.
 */
export function importsOf(text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/^\s*\/\/.*$/gm, blank);
  const pattern =
    /^(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"'\n]+)["']|^import\s*["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']/gm;
  return [...code.matchAll(pattern)].map((match) => ({
    specifier: (match[1] ?? match[2] ?? match[3])!,
    line: code.slice(0, match.index + match[0].length).split("\n").length,
  }));
}

/**
 * Checks files against the layers.
 *
 * @param sources All files.
 * @returns One message for each wrong import, with file and line.
 */
export function checkLayers(sources: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const { path, text } of sources) {
    const from = layerOf(path);
    if (from === undefined) continue;
    for (const { specifier, line } of importsOf(text)) {
      const target = resolve(path, specifier);
      const where = `${path}:${line}`;
      if (target === undefined) {
        if (!isLibrary(path)) continue;
        problems.push(`${where}: ${from.name} imports "${specifier}" from outside the library`);
        continue;
      }
      const to = layerOf(target);
      if (to?.name === from.name) continue;
      if (to !== undefined && from.below.includes(to.name)) continue;
      const name = to?.name ?? target.split("/")[0]!;
      const allowed = from.below.length === 0 ? "nothing else" : from.below.join(", ");
      problems.push(`${where}: ${from.name} imports ${target} of ${name} (may import ${allowed})`);
    }
  }
  return problems;
}

function layer(
  name: string,
  below: readonly string[],
): { name: string; path: RegExp; below: readonly string[] } {
  return { name, path: new RegExp(`^${name}/`), below };
}

function layerOf(path: string): typeof LAYERS[number] | undefined {
  return LAYERS.find((candidate) => candidate.path.test(path));
}

/** Path of an imported file in this repository, or `undefined` for anything else. */
function resolve(path: string, specifier: string): string | undefined {
  const alias = ALIASES.get(specifier);
  if (alias !== undefined) return alias;
  if (!specifier.startsWith(".")) return undefined;
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

/** Spaces in place of a text, so that positions stay. */
function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

if (import.meta.main) {
  const sources = await readSources();
  const problems = checkLayers(sources);
  for (const problem of problems) console.error(problem);
  const checked = sources.filter(({ path }) => layerOf(path) !== undefined).length;
  console.log(`layers: ${checked} files, ${problems.length} wrong imports`);
  if (problems.length > 0) Deno.exit(1);
}
