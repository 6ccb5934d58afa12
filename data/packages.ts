// Finds the files of an npm package at run time, in Deno and in Node. Nothing is imported when
// this module loads, so the library keeps no dependency; the package is fetched on first use.

interface NodeProcess {
  cwd(): string;
  getBuiltinModule?(name: string): NodeModule | undefined;
}

interface NodeModule {
  createRequire(from: string): { resolve(specifier: string): string };
}

/**
 * URL of the folder of an npm package. In Deno the package is downloaded where it is missing; in
 * Node it must be installed in the project.
 *
 * @param op Public name of the caller, for the error message.
 * @param name Package name.
 * @param version Exact version.
 * @returns A `file:` URL that ends in a slash.
 * @throws {Error} If the package cannot be found; the message says how to get it.
 */
export async function locatePackage(
  op: string,
  name: string,
  version: string,
): Promise<string> {
  const manifest = isDeno()
    ? await locateInDeno(op, name, version)
    : await locateInNode(op, name, version);
  return manifest.slice(0, manifest.length - "package.json".length);
}

function isDeno(): boolean {
  return "Deno" in globalThis;
}

async function locateInDeno(op: string, name: string, version: string): Promise<string> {
  const specifier = `npm:${name}@${version}/package.json`;
  let url: string;
  try {
    // The import must come first: it fetches a missing package. Resolving first would make Deno
    // take a lock file's entry for an installed package.
    await import(specifier, { with: { type: "json" } });
    url = import.meta.resolve(specifier);
  } catch (error) {
    throw notFound(op, name, version, "check the network, or pass a folder with the files", error);
  }
  if (!url.startsWith("file:")) {
    throw notFound(op, name, version, "pass a folder with the files", undefined);
  }
  return url;
}

async function locateInNode(op: string, name: string, version: string): Promise<string> {
  const hint = `npm install ${name}@${version}, or pass a folder with the files`;
  const process = (globalThis as { process?: NodeProcess }).process;
  if (process === undefined) throw notFound(op, name, version, "pass URLs of the files", undefined);
  try {
    const builtin = "node:module";
    const module = (process.getBuiltinModule?.(builtin) ?? await import(builtin)) as NodeModule;
    const path = module.createRequire(`${process.cwd()}/`).resolve(`${name}/package.json`);
    return new URL(`file://${encodeURI(path.replaceAll("\\", "/"))}`).href;
  } catch (error) {
    throw notFound(op, name, version, hint, error);
  }
}

function notFound(
  op: string,
  name: string,
  version: string,
  hint: string,
  cause: unknown,
): Error {
  return new Error(`${op}: cannot find ${name} ${version} (${hint})`, { cause });
}

/**
 * The exports of an npm package, under the same conditions as {@linkcode locatePackage}.
 *
 * @param op Public name of the caller, for the error message.
 * @param name Package name.
 * @param version Exact version.
 * @returns The module; what a CommonJS package exports stands under `default`.
 * @throws {Error} If the package cannot be found; the message says how to get it.
 */
export async function importPackage(
  op: string,
  name: string,
  version: string,
): Promise<unknown> {
  const specifier = isDeno() ? `npm:${name}@${version}` : name;
  try {
    return await import(specifier);
  } catch (error) {
    const hint = isDeno() ? "check the network" : `npm install ${name}@${version}`;
    throw notFound(op, name, version, `${hint}, or use a text of your own`, error);
  }
}
