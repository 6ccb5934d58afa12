/**
 * The TypeScript files of this repository, for the scripts that check them.
 *
 * @module
 */
import { join } from "@std/path";

/** The part that is published: no dependency outside the web platform. */
export const LIBRARY_FOLDERS: readonly string[] = ["ops", "nn", "optim", "data"];

/** Folders of sources, by the fixed layout of the repository. */
export const FOLDERS: readonly string[] = [...LIBRARY_FOLDERS, "models", "scripts", "tests"];

/** A file and its text. */
export interface Source {
  /** Path from the root of the repository, with `/`. */
  path: string;
  /** Its content. */
  text: string;
}

/**
 * Reads all TypeScript files.
 *
 * @param root Root of the repository.
 * @returns Files in the order of their paths.
 */
export async function readSources(root = "."): Promise<Source[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(root)) {
    if (entry.isFile && isSource(entry.name)) paths.push(entry.name);
    if (entry.isDirectory && FOLDERS.includes(entry.name)) await walk(root, entry.name, paths);
  }
  paths.sort();
  const read = async (path: string): Promise<Source> => ({
    path,
    text: await Deno.readTextFile(join(root, path)),
  });
  return await Promise.all(paths.map(read));
}

/** Whether a file belongs to the published part. */
export function isLibrary(path: string): boolean {
  return path === "mod.ts" || LIBRARY_FOLDERS.includes(path.split("/")[0]!);
}

function isSource(name: string): boolean {
  return name.endsWith(".ts") && !name.endsWith(".d.ts");
}

async function walk(root: string, folder: string, paths: string[]): Promise<void> {
  for await (const entry of Deno.readDir(join(root, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isFile && isSource(entry.name)) paths.push(path);
    // The consumer is a project of its own, with its own import map.
    if (entry.isDirectory && path !== "tests/consumer") await walk(root, path, paths);
  }
}
