import { FormatError } from "./errors.ts";

/** True where the bytes begin with gzip's magic number. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Expands gzip data with the platform's `DecompressionStream`, and never past `limit` bytes.
 *
 * @param op Public name of the caller, for the error message.
 * @param bytes Compressed data.
 * @param limit Most bytes that the result may have.
 * @param source Name for the error message.
 * @returns Expanded data.
 * @throws {FormatError} If the data is corrupt, truncated, or expands past `limit`.
 */
export async function gunzip(
  op: string,
  bytes: Uint8Array<ArrayBuffer>,
  limit: number,
  source?: string | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))
    .getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (true) {
    let result: ReadableStreamReadResult<Uint8Array>;
    try {
      result = await reader.read();
    } catch {
      throw new FormatError(op, "gzip data is corrupt or truncated", source);
    }
    if (result.done) break;
    chunks.push(result.value);
    length += result.value.length;
    if (length > limit) {
      await reader.cancel();
      throw new FormatError(op, `gzip data expands past the limit of ${limit} bytes`, source);
    }
  }
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
