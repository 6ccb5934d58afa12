// The only file of this folder that touches a file system. `node:fs/promises` exists in Deno and
// in Node; it is imported on first use, by a name that bundlers do not follow, so that the folder
// loads in a browser, where URLs work and paths are a clear error.

const FILE_SYSTEM = "node:fs/promises";

interface FileSystem {
  readFile(path: string | URL): Promise<Uint8Array>;
  writeFile(path: string, data: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force: boolean }): Promise<void>;
  mkdir(path: string, options: { recursive: boolean }): Promise<unknown>;
  readdir(path: string): Promise<string[]>;
}

async function fileSystem(op: string): Promise<FileSystem> {
  try {
    const name = FILE_SYSTEM;
    return await import(name) as FileSystem;
  } catch {
    throw new Error(`${op}: this platform has no file system (pass bytes or an http URL instead)`);
  }
}

function isWebUrl(path: string | URL): boolean {
  return /^(https?|blob|data):/i.test(String(path));
}

/**
 * Reads a file, or fetches it where the path is an `http:`, `https:`, `blob:` or `data:` URL.
 *
 * @param path A path, or a URL.
 * @returns The bytes of the file.
 * @throws {Error} If there is no such file, or the platform has no file system.
 *
 * @example A file that is given as a URL
 * ```ts
 * import { readFile } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await readFile("data:,hi"), new Uint8Array([104, 105]));
 * ```
 */
export async function readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  if (isWebUrl(path)) {
    const response = await fetch(path);
    if (!response.ok) throw new Error(`readFile: the server answered ${response.status}: ${path}`);
    return new Uint8Array(await response.arrayBuffer());
  }
  const fs = await fileSystem("readFile");
  let bytes: Uint8Array;
  try {
    bytes = await fs.readFile(path);
  } catch (error) {
    throw new Error(`readFile: ${reason(error)}: ${path}`, { cause: error });
  }
  return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}

function reason(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "ENOENT") return "no such file";
  if (code === "EISDIR") return "is a folder, not a file";
  return error instanceof Error ? error.message : String(error);
}

/**
 * Writes a file so that its final name never holds half of it: the bytes go to a name beside it,
 * which is then renamed. Missing folders are made.
 *
 * @param path Where to write.
 * @param data The bytes, or text that is written as UTF-8.
 * @throws {Error} If the file cannot be written; nothing is left under either name then.
 *
 * @example Write and read back
 * ```ts
 * import { readFile, writeFile } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/run/config.json`;
 * await writeFile(path, "{}");
 * assertEquals(new TextDecoder().decode(await readFile(path)), "{}");
 * ```
 */
export async function writeFile(path: string, data: Uint8Array | string): Promise<void> {
  const fs = await fileSystem("writeFile");
  const folder = path.replace(/[^/\\]*$/, "");
  if (folder !== "") await fs.mkdir(folder, { recursive: true });
  const beside = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
  try {
    await fs.writeFile(beside, typeof data === "string" ? new TextEncoder().encode(data) : data);
    await fs.rename(beside, path);
  } catch (error) {
    await fs.rm(beside, { force: true });
    throw new Error(`writeFile: ${reason(error)}: ${path}`, { cause: error });
  }
}

/**
 * Names of the entries of a folder, sorted.
 *
 * @param path The folder.
 * @returns File and folder names without the path.
 * @throws {Error} If there is no such folder.
 *
 * @example
 * ```ts
 * import { listFolder, writeFile } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * await writeFile(`${folder}/b.txt`, "b");
 * await writeFile(`${folder}/a.txt`, "a");
 * assertEquals(await listFolder(folder), ["a.txt", "b.txt"]);
 * ```
 */
export async function listFolder(path: string): Promise<string[]> {
  const fs = await fileSystem("listFolder");
  try {
    return (await fs.readdir(path)).sort();
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    const problem = code === "ENOENT" ? "no such folder" : reason(error);
    throw new Error(`listFolder: ${problem}: ${path}`, { cause: error });
  }
}
