/**
 * Folders of Hugging Face's form (`config.json`, `generation_config.json`, `model.safetensors`,
 * `tokenizer.json`), read and written.
 *
 * @module
 */
import { cat, type Tensor } from "@tensaurus/core";
import { FormatError, loadTensors, loadTokenizer, saveTensors } from "@tensaurus/core/data";
import type { Tokenizer } from "@tensaurus/core/data";
import type { StateDict } from "@tensaurus/core/nn";
import { exists, readJson } from "./files.ts";
import type { SampleOptions } from "./generate.ts";
import type { GptOptions } from "./gpt_options.ts";
import { FAMILIES, type Family } from "./hf_families.ts";
import { Fields } from "./hf_fields.ts";
import { UsageError } from "./settings.ts";

const OP = "readHfFolder";

/** What a folder holds. */
export interface HfFolder {
  /** Sizes and kinds of layers. */
  options: GptOptions;
  /** Weights under the keys of a model of `models/gpt.ts`. */
  state(keys: readonly string[]): StateDict;
  /** The tokenizer, where the folder has one. */
  tokenizer: Tokenizer | undefined;
  /** Tokens that end a text, each of them. */
  endOfText: readonly number[];
  /** How its makers draw tokens: what `generation_config.json` says, where there is one. */
  sampling: SampleOptions;
  /** `config.json`, for writing a folder of the same family. */
  config: Readonly<Record<string, unknown>>;
  /** `generation_config.json`, where there is one. */
  generation: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Reads a folder.
 *
 * @param folder The folder; weights in one file or in shards with an index.
 * @param context Tokens that the model has to see at once. Dynamic rotary frequencies are made for that
 *   many, and can go past what the folder says; those of LongRoPE have one form for short texts and
 *   another for long ones.
 * @returns Options, weights, tokenizer. `state()` throws a `FormatError` that names weights that are
 *   missing or left over.
 * @throws {FormatError} If a field of a file is missing or not supported; the message names it.
 * @throws {UsageError} If the context is too long.
 */
export async function readHfFolder(folder: string, context = 1): Promise<HfFolder> {
  const path = `${folder}/config.json`;
  const config = await readJson(path);
  const fields = new Fields(OP, config, path);
  const family = fields.oneOf("model_type", FAMILIES);
  const options = withContext(family.options(fields), context);
  const whole = `${folder}/model.safetensors`;
  const weights = await exists(whole) ? whole : `${whole}.index.json`;
  const tensors = withPrefix(await loadTensors(weights));
  const state = (keys: readonly string[]): StateDict =>
    collect(family, keys, tensors, options.tie, weights);
  const tokenizer = await exists(`${folder}/tokenizer.json`)
    ? await loadTokenizer(`${folder}/tokenizer.json`)
    : undefined;
  const generationPath = `${folder}/generation_config.json`;
  const generation = await exists(generationPath) ? await readJson(generationPath) : undefined;
  const sampling = samplingOf(new Fields(OP, generation ?? {}, generationPath));
  const ends = [generation?.eos_token_id ?? config.eos_token_id ?? []].flat() as unknown[];
  const endOfText = ends.filter((end): end is number =>
    typeof end === "number" && end < options.vocabSize
  );
  return { options, state, tokenizer, endOfText, sampling, config, generation };
}

/** The options for texts of so many tokens. */
function withContext(options: GptOptions, context: number): GptOptions {
  const { rotaryScaling: scaling } = options;
  if (scaling?.type === "dynamic") {
    return { ...options, context: Math.max(context, options.context) };
  }
  if (context > options.context) {
    throw new UsageError(`--context: ${context} is longer than the model's ${options.context}`);
  }
  if (scaling?.type === "longrope" && context <= scaling.originalMaxLen) {
    return { ...options, context: Math.min(options.context, scaling.originalMaxLen) };
  }
  return options;
}

/** What is not said stays open; without sampling it is the likeliest token. */
function samplingOf(fields: Fields): SampleOptions {
  if (fields.has("do_sample") && !fields.flag("do_sample", false)) return { temperature: 0 };
  const said = {
    temperature: fields.optionalWithin("temperature", 0, Infinity),
    topK: fields.optionalWithin("top_k", 0, Infinity),
    topP: fields.optionalWithin("top_p", 0, 1),
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

/** Files of the bare GPT-2 lack the prefix that those with a head have. */
function withPrefix(tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const bare = tensors.has("wte.weight");
  return new Map(Array.from(tensors, ([key, x]) => [bare ? `transformer.${key}` : key, x]));
}

function collect(
  family: Family,
  keys: readonly string[],
  tensors: ReadonlyMap<string, Tensor>,
  tie: boolean,
  source: string,
): StateDict {
  const left = new Set(tensors.keys());
  const missing: string[] = [];
  const state: StateDict = {};
  for (const key of keys) {
    const from = key === "head.weight" && tie ? "wte.weight" : key;
    const { keys: theirs, transposed } = family.source(from);
    missing.push(...theirs.filter((name) => !tensors.has(name)));
    const parts = theirs.flatMap((name) => tensors.get(name) ?? []);
    for (const name of theirs) left.delete(name);
    if (parts.length < theirs.length) continue;
    const joined = parts.length > 1 ? cat(parts, 0) : parts[0]!;
    state[key] = transposed ? joined.transpose(0, 1).contiguous() : joined;
  }
  if (tie) left.delete("lm_head.weight");
  // Masks and frequencies that old files hold beside the weights.
  const extra = [...left].filter((key) => !/\.attn\.(masked_)?bias$|\.inv_freq$/.test(key));
  const problems = [named("missing", missing), named("unexpected", extra)].filter(Boolean);
  if (problems.length) throw new FormatError(OP, problems.join(", "), source);
  return state;
}

function named(what: string, keys: readonly string[]): string {
  return keys.length ? `${what} ${keys.map((key) => `"${key}"`).join(", ")}` : "";
}

/**
 * Writes a folder that Hugging Face's libraries load.
 *
 * @param folder Where to write.
 * @param original The folder that the model came from.
 * @param state Weights under the keys of `models/gpt.ts`, adapters merged.
 */
export async function writeHfFolder(
  folder: string,
  original: HfFolder,
  state: StateDict,
): Promise<void> {
  const family = FAMILIES[original.config.model_type as keyof typeof FAMILIES];
  const { options } = original;
  const tensors: [string, Tensor][] = [];
  for (const [key, value] of Object.entries(state)) {
    if (key === "head.weight" && options.tie) continue;
    const { keys, transposed } = family.source(key);
    const sizes = partSizes(options, keys.length);
    let start = 0;
    for (const [i, name] of keys.entries()) {
      const size = sizes?.[i] ?? value.shape[0]!;
      const part = value.slice(0, start, start + size);
      tensors.push([name, (transposed ? part.transpose(0, 1) : part).contiguous()]);
      start += size;
    }
  }
  await Deno.mkdir(folder, { recursive: true });
  const write = (name: string, value: unknown): Promise<void> =>
    Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(value, null, 2));
  await write("config.json", original.config);
  if (original.generation) await write("generation_config.json", original.generation);
  await saveTensors(`${folder}/model.safetensors`, tensors);
  if (original.tokenizer) {
    await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(original.tokenizer));
  }
}

/** Rows of the parts of a joined weight: queries, keys, values; or gate and value. */
function partSizes(o: GptOptions, parts: number): number[] | undefined {
  if (parts === 3) return [o.heads, o.kvHeads, o.kvHeads].map((heads) => heads * o.headSize);
  return parts === 2 ? [o.hidden, o.hidden] : undefined;
}
