/**
 * Files that are either complete or not there.
 *
 * @module
 */
import { FormatError } from "@tensaurus/core/data";
import { basename, dirname, join } from "@std/path";

/**
 * Writes a file beside its place and renames it, so that nobody ever sees half of it.
 *
 * @param path Where the file shall be; folders are made.
 * @param content Text or bytes.
 */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const beside = join(dirname(path), `.${basename(path)}.${Deno.pid}.part`);
  try {
    const file = await Deno.open(beside, { write: true, create: true, truncate: true });
    try {
      let bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
      await file.syncData();
    } finally {
      file.close();
    }
    await Deno.rename(beside, path);
  } catch (error) {
    await removeIfThere(beside);
    throw error;
  }
}

/**
 * Removes a file or folder; none there is fine.
 *
 * @param path What to remove.
 */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Whether there is a file or folder.
 *
 * @param path Where to look.
 * @returns `true` where there is one.
 */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotADirectory) return false;
    throw error;
  }
}

/**
 * Reads a JSON file.
 *
 * @param path The file.
 * @returns What it holds.
 * @throws {FormatError} If it holds no JSON.
 */
export async function readJson<T = Record<string, unknown>>(path: string): Promise<T> {
  const text = await Deno.readTextFile(path);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new FormatError("readJson", "file is no JSON", path);
  }
}
