/**
 * Builds the npm package with dnt: ESM, types, and the library's tests run under Node.
 *
 * It needs JSR, where dnt is; `deno task pack` makes a tarball without it.
 *
 * ```sh
 * deno run -A --config scripts/build_npm.json scripts/build_npm.ts [VERSION]
 * ```
 *
 * @module
 */
import { build, emptyDir } from "@deno/dnt";
import config from "../deno.json" with { type: "json" };

const OUT = "./npm";

/** Tests that run in Node too: they use nothing but `Deno.test` and the library. */
const TESTS = "tests/{ir,plans,compile,ops,nn,optim}/**/*_test.ts";

async function buildPackage(version: string): Promise<void> {
  await emptyDir(OUT);
  await build({
    entryPoints: Object.entries(config.exports).map(([name, path]) => ({ name, path })),
    outDir: OUT,
    importMap: "./scripts/build_npm.json",
    scriptModule: false,
    declaration: "separate",
    typeCheck: "both",
    test: true,
    testPattern: TESTS,
    shims: { deno: { test: "dev" } },
    compilerOptions: { lib: ["ESNext", "DOM", "DOM.Iterable"], target: "ES2022" },
    package: {
      name: config.name,
      version,
      description: "A deep learning framework in TypeScript, on WebGPU and the CPU",
      license: config.license,
      sideEffects: false,
      engines: { node: ">=20" },
      devDependencies: { "@webgpu/types": "0.1.74" },
    },
    async postBuild(): Promise<void> {
      for (const file of ["LICENSE", "README.md", "CHANGELOG.md"]) {
        await Deno.copyFile(file, `${OUT}/${file}`);
      }
    },
  });
}

if (import.meta.main) await buildPackage(Deno.args[0] ?? config.version);
