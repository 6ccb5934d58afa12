import type { HostArray } from "./array.ts";
import { FormatError } from "./errors.ts";
import { readFile, writeFile } from "./files.ts";
import {
  type NamedArrays,
  parseSafetensors,
  type Safetensors,
  serializeSafetensors,
} from "./safetensors.ts";
import { toHost, toTensor, type ToTensorOptions } from "./tensors.ts";
import type { Tensor } from "../ops/mod.ts";

/**
 * Reads a safetensors file, or all shards of a `*.safetensors.index.json`.
 *
 * @param path Path or URL of the file or of the index.
 * @param options Whether float16 and bfloat16 are given as float32 (the default) or as bits.
 * @returns Tensors and metadata.
 * @throws {FormatError} If a file is truncated or corrupt, or a shard lacks what the index names.
 * @throws {Error} If a file is missing.
 *
 * @example
 * ```ts
 * import { readSafetensors, writeSafetensors } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/model.safetensors`;
 * const step = { dtype: "int32" as const, shape: [], data: new Int32Array([7]) };
 * await writeSafetensors(path, { step });
 * assertEquals((await readSafetensors(path)).tensors.get("step"), step);
 * ```
 */
export async function readSafetensors(
  path: string | URL,
  options: { widen?: boolean | undefined } = {},
): Promise<Safetensors> {
  const source = String(path);
  const bytes = await readFile(path);
  if (!source.endsWith(".json")) return parseSafetensors(bytes, { ...options, source });
  const index = parseIndex(bytes, source);
  const shards = new Map<string, Safetensors>();
  for (const file of new Set(index.values())) {
    const shard = source.replace(/[^/\\]*$/, file);
    const shardBytes = await readFile(shard.startsWith("file:") ? new URL(shard) : shard);
    shards.set(file, parseSafetensors(shardBytes, { ...options, source: shard }));
  }
  const tensors = new Map<string, HostArray>();
  for (const [name, file] of index) {
    const tensor = shards.get(file)!.tensors.get(name);
    if (tensor === undefined) {
      throw new FormatError("readSafetensors", `shard ${file} lacks tensor "${name}"`, source);
    }
    tensors.set(name, tensor);
  }
  const first = shards.values().next().value;
  return { tensors, metadata: first?.metadata ?? {} };
}

function parseIndex(bytes: Uint8Array, source: string): Map<string, string> {
  let index: unknown;
  try {
    index = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new FormatError("readSafetensors", "index is no JSON", source);
  }
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null) {
    throw new FormatError("readSafetensors", "index lacks weight_map", source);
  }
  const result = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || /[/\\]/.test(file)) {
      const problem = `index places tensor "${name}" in ${JSON.stringify(file)}, expected a file ` +
        "name";
      throw new FormatError("readSafetensors", problem, source);
    }
    result.set(name, file);
  }
  return result;
}

/**
 * Writes a safetensors file; its final name never holds half of it.
 *
 * @param path Where to write.
 * @param tensors Tensors by name.
 * @param metadata Free text by key.
 * @throws {RangeError} If a name is reserved or occurs twice, or elements do not fill a shape.
 * @throws {Error} If the file cannot be written.
 *
 * @example
 * ```ts
 * import { listFolder, writeSafetensors } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * const step = { dtype: "int32" as const, shape: [], data: new Int32Array([7]) };
 * await writeSafetensors(`${folder}/model.safetensors`, { step }, { format: "pt" });
 * assertEquals(await listFolder(folder), ["model.safetensors"]);
 * ```
 */
export async function writeSafetensors(
  path: string,
  tensors: NamedArrays,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFile(path, serializeSafetensors(tensors, metadata));
}

/**
 * Saves tensors, such as a state dict, as a safetensors file that PyTorch reads under the same
 * names.
 *
 * @param path Where to write.
 * @param tensors Tensors by name.
 * @param metadata Free text by key.
 * @throws {Error} If the file cannot be written; its final name never holds half of it.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { loadTensors, saveTensors } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/model.safetensors`;
 * await saveTensors(path, { "fc.bias": tensor([1, 2]) });
 * assertEquals((await loadTensors(path)).get("fc.bias")?.shape, [2]);
 * ```
 */
export async function saveTensors(
  path: string,
  tensors: Iterable<readonly [string, Tensor]> | Record<string, Tensor>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Promise<void> {
  const list = Symbol.iterator in tensors
    ? tensors as Iterable<readonly [string, Tensor]>
    : Object.entries(tensors);
  const arrays: [string, HostArray][] = [];
  for (const [name, tensor] of list) arrays.push([name, await toHost(tensor)]);
  await writeSafetensors(path, arrays, metadata);
}

/**
 * Loads the tensors of a safetensors file, or of all shards of an index.
 *
 * @param path Path or URL of the file or of the index.
 * @param options Device and element type.
 * @returns Tensors by name.
 * @throws {FormatError} If a file is truncated or corrupt; the message names the tensor.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { loadTensors, saveTensors } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/step.safetensors`;
 * await saveTensors(path, new Map([["step", tensor(new Int32Array([7]))]]));
 * assertEquals((await loadTensors(path)).get("step")?.dtype, "int32");
 * ```
 */
export async function loadTensors(
  path: string | URL,
  options: ToTensorOptions = {},
): Promise<Map<string, Tensor>> {
  const { tensors } = await readSafetensors(path);
  return new Map(Array.from(tensors, ([name, array]) => [name, toTensor(array, options)]));
}
