/**
 * The one folder for data and weights that are fetched or computed once.
 *
 * @module
 */
import { join } from "@std/path";
import { exists, writeWhole } from "./files.ts";

/** Options of {@linkcode cached}. */
export interface CachedOptions {
  /** Fetches or computes the bytes where the cache lacks them. */
  load: () => Promise<Uint8Array>;
  /** SHA-256 of the bytes in hexadecimal; what does not agree is refused. */
  sha256?: string;
  /** Folder of the cache. */
  folder?: string;
}

/**
 * The cache folder of this user, as the operating system has it.
 *
 * @returns `~/.cache/tensaurus` on Linux, `~/Library/Caches/tensaurus` on macOS,
 * `%LOCALAPPDATA%\tensaurus` on Windows.
 */
export function cacheFolder(): string {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  if (Deno.build.os === "windows") {
    return join(Deno.env.get("LOCALAPPDATA") ?? join(home, "AppData", "Local"), "tensaurus");
  }
  if (Deno.build.os === "darwin") return join(home, "Library", "Caches", "tensaurus");
  return join(Deno.env.get("XDG_CACHE_HOME") ?? join(home, ".cache"), "tensaurus");
}

/**
 * Bytes from the cache, or from `load` the first time. A cached file whose checksum does not agree
 * is loaded again; nothing incomplete is ever stored under its name.
 *
 * @param name File name in the cache; folders with `/`.
 * @param options Where the bytes come from, and their checksum.
 * @returns The bytes.
 * @throws {RangeError} If what was loaded does not have the checksum.
 */
export async function cached(name: string, options: CachedOptions): Promise<Uint8Array> {
  const { load, sha256, folder = cacheFolder() } = options;
  const path = join(folder, name);
  if (await exists(path)) {
    const bytes = await Deno.readFile(path);
    if (await agreed(path, bytes, sha256)) return bytes;
  }
  const bytes = await load();
  const found = await sha256Of(bytes);
  if (sha256 !== undefined && found !== sha256) {
    throw new RangeError(`cached: ${name} has SHA-256 ${found}, expected ${sha256}`);
  }
  await writeWhole(path, bytes);
  await writeWhole(`${path}.sha256`, `${found}\n`);
  return bytes;
}

/**
 * SHA-256 of bytes.
 *
 * @param bytes The bytes.
 * @returns 64 hexadecimal digits.
 */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether a cached file is the one that was stored, and the one that is wanted. */
async function agreed(path: string, bytes: Uint8Array, wanted?: string): Promise<boolean> {
  const found = await sha256Of(bytes);
  if (wanted !== undefined) return found === wanted;
  if (!await exists(`${path}.sha256`)) return false;
  return (await Deno.readTextFile(`${path}.sha256`)).trim() === found;
}
