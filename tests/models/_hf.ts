/** Folders of Hugging Face's form for tests. */
import type { Tensor } from "@tensaurus/core";
import { loadTensors, saveTensors, trainBpe } from "@tensaurus/core/data";
import { Gpt } from "../../models/gpt.ts";
import { type HfFolder, readHfFolder } from "../../models/kit/hf.ts";

/** Where the folders of the conformance set are. */
export const FOLDERS = new URL("../conformance/", import.meta.url).pathname;
/** The model of a folder. */
export async function open(folder: string): Promise<[Gpt, HfFolder]> {
  const hf = await readHfFolder(folder);
  const model = new Gpt(hf.options).eval();
  model.loadStateDict(hf.state(Object.keys(model.stateDict())));
  return [model, hf];
}

/** A copy of a folder whose config has other values, and whose weights were changed. */
export async function changed(
  family: string,
  config: Record<string, unknown>,
  change: (weights: Map<string, Tensor>) => void = () => {},
): Promise<string> {
  const folder = await Deno.makeTempDir();
  const old = JSON.parse(await Deno.readTextFile(`${FOLDERS}hf-${family}/config.json`));
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify({ ...old, ...config }));
  const weights = await loadTensors(`${FOLDERS}hf-${family}/model.safetensors`);
  change(weights);
  await saveTensors(`${folder}/model.safetensors`, weights);
  return folder;
}

/** A folder that `gpt.ts --hf` can run: the tiny model with a tokenizer of as many tokens. */
export async function runnable(family: string): Promise<string> {
  const folder = await changed(family, {});
  const text = "To be, or not to be, that is the question: ".repeat(4);
  const tokenizer = trainBpe([text], { vocabSize: 290 });
  await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(tokenizer));
  await Deno.writeTextFile(`${folder}/text.txt`, text.repeat(5));
  return folder;
}
