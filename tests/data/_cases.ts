// Reads the reference cases: from CONFORMANCE_DIR, or from the project's own copy.

import { assert } from "@std/assert";

/** A tensor as the case files hold it. */
export interface CaseArray {
  $t: number[];
  d: "float32" | "int32" | "bool" | "uint8";
  b: string;
}

/** URL of a file of the reference folder. */
export function caseFile(name: string): URL {
  const folder = Deno.env.get("CONFORMANCE_DIR");
  return folder === undefined
    ? new URL(`../conformance/${name}`, import.meta.url)
    : new URL(name, new URL(`file://${folder.replace(/\/?$/, "/")}`));
}

/** The cases of `name.json.gz`. */
export async function readCases<T>(name: string): Promise<T[]> {
  const file = await Deno.open(caseFile(`${name}.json.gz`));
  const stream = file.readable.pipeThrough(new DecompressionStream("gzip"));
  const { cases } = await new Response(stream).json() as { cases: T[] };
  assert(cases.length > 0);
  return cases;
}

/** Bytes of a tensor. */
export function decodeBytes(array: CaseArray): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(array.b), (c) => c.charCodeAt(0));
}
