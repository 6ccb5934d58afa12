/**
 * Folders of Hugging Face's form (`config.json`, `model.safetensors`, `tokenizer.json`) of the GPT-2 and
 * Llama families, read and written.
 *
 * @module
 */
import { cat, type Tensor } from "@tensaurus/core";
import { FormatError, loadTensors, loadTokenizer, saveTensors } from "@tensaurus/core/data";
import type { Tokenizer } from "@tensaurus/core/data";
import type { RotaryScaling, StateDict } from "@tensaurus/core/nn";
import { exists } from "./files.ts";
import type { GptOptions } from "./gpt_options.ts";
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
  /** Token that ends a text. */
  endOfText: number | undefined;
  /** `config.json`, for writing a folder of the same family. */
  config: Record<string, unknown>;
}

/** A family: what its `config.json` means and where its weights go. */
interface Family {
  options(config: Fields): GptOptions;
  /** Own key → keys of the family (joined along the first axis), and whether each is transposed. */
  source(key: string): { keys: string[]; transposed: boolean };
}

// ------------------------------------------------------------------------------------------ config

const ACTIVATIONS = {
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
} as const;

const GPT2: Family = {
  options(config) {
    config.oneOf("scale_attn_weights", { true: true }, "true");
    config.oneOf("scale_attn_by_inverse_layer_idx", { false: false }, "false");
    const width = config.number("n_embd"), heads = config.number("n_head");
    return {
      vocabSize: config.number("vocab_size"),
      context: config.number("n_positions"),
      layers: config.number("n_layer"),
      heads,
      kvHeads: heads,
      width,
      headSize: width / heads,
      hidden: config.number("n_inner", 4 * width),
      norm: "layer",
      eps: config.number("layer_norm_epsilon", 1e-5),
      activation: config.oneOf("activation_function", ACTIVATIONS, "gelu_new"),
      positions: "learned",
      rotaryBase: 10_000,
      qkNorm: false,
      bias: true,
      tie: config.flag("tie_word_embeddings", true),
      dropout: 0,
    };
  },
  source(key) {
    const [head, layer, module, kind] = key.split(".") as [string, string, string, string];
    if (head === "head") return { keys: ["lm_head.weight"], transposed: false };
    if (head !== "h") return { keys: [`transformer.${key}`], transposed: false };
    const names: Record<string, string> = {
      qkv: "attn.c_attn",
      proj: "attn.c_proj",
      fc: "mlp.c_fc",
      out: "mlp.c_proj",
    };
    const name = names[module] ?? module;
    const transposed = module in names && kind === "weight"; // GPT-2 keeps [in, out]
    return { keys: [`transformer.h.${layer}.${name}.${kind}`], transposed };
  },
};

/** Kinds of `rope_scaling`, and how each is read; the names are those of transformers. */
const SCALINGS: Readonly<
  Record<string, (rope: Fields, config: Fields) => RotaryScaling | undefined>
> = {
  default: () => undefined,
  linear: (rope) => ({ type: "linear", factor: rope.atLeast("factor", 1) }),
  dynamic: (rope, config) => ({
    type: "dynamic",
    factor: rope.atLeast("factor", 1),
    originalMaxLen: config.number("max_position_embeddings"),
  }),
  llama3: (rope, config) => {
    const factor = rope.atLeast("factor", 1), lowFreqFactor = rope.number("low_freq_factor");
    const highFreqFactor = rope.above("high_freq_factor", lowFreqFactor);
    const originalMaxLen = originalContext(rope, config);
    return { type: "llama3", factor, lowFreqFactor, highFreqFactor, originalMaxLen };
  },
  yarn: (rope, config) => ({
    type: "yarn",
    factor: rope.atLeast("factor", 1),
    originalMaxLen: originalContext(rope, config),
    attentionFactor: rope.optional("attention_factor"),
    mscale: rope.optional("mscale"),
    mscaleAllDim: rope.optional("mscale_all_dim"),
    betaFast: rope.optional("beta_fast"),
    betaSlow: rope.optional("beta_slow"),
    truncate: rope.flag("truncate", true),
  }),
};

function rotaryScaling(rope: Fields, config: Fields): RotaryScaling | undefined {
  // Turning a part of each head only is another network.
  for (const fields of [rope, config]) fields.oneOf("partial_rotary_factor", { 1: true }, "1");
  const name = rope.has("rope_type") || !rope.has("type") ? "rope_type" : "type";
  return rope.oneOf(name, SCALINGS, "default")(rope, config);
}

/** Positions of pre-training; beside `rope_scaling` they go before those within it. */
function originalContext(rope: Fields, config: Fields): number {
  const name = "original_max_position_embeddings";
  return config.optional(name) ?? rope.number(name, config.number("max_position_embeddings"));
}

const LLAMA: Family = {
  options(config) {
    // Versions before 5 of transformers kept the base apart.
    const rope = config.inner(config.has("rope_scaling") ? "rope_scaling" : "rope_parameters");
    config.oneOf("hidden_act", { silu: true }, "silu");
    const bias = config.flag("attention_bias", false);
    config.oneOf("mlp_bias", { [`${bias}`]: true }, `${bias}`);
    const width = config.number("hidden_size"), heads = config.number("num_attention_heads");
    return {
      vocabSize: config.number("vocab_size"),
      context: config.number("max_position_embeddings"),
      layers: config.number("num_hidden_layers"),
      heads,
      kvHeads: config.number("num_key_value_heads", heads),
      width,
      headSize: config.number("head_dim", width / heads),
      hidden: config.number("intermediate_size"),
      norm: "rms",
      eps: config.number("rms_norm_eps", 1e-6),
      activation: "swiglu",
      positions: "rotary",
      rotaryBase: rope.number("rope_theta", config.number("rope_theta", 10_000)),
      rotaryScaling: rotaryScaling(rope, config),
      qkNorm: false,
      bias,
      tie: config.flag("tie_word_embeddings", false),
      dropout: 0,
    };
  },
  source(key) {
    const [head, layer, module, kind] = key.split(".") as [string, string, string, string];
    const outer: Record<string, string> = {
      wte: "model.embed_tokens",
      ln_f: "model.norm",
      head: "lm_head",
    };
    if (head !== "h") return { keys: [`${outer[head]}.${layer}`], transposed: false };
    const names: Record<string, string[]> = {
      ln_1: ["input_layernorm"],
      qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
      proj: ["self_attn.o_proj"],
      ln_2: ["post_attention_layernorm"],
      fc: ["mlp.gate_proj", "mlp.up_proj"],
      out: ["mlp.down_proj"],
    };
    const keys = names[module]!.map((name) => `model.layers.${layer}.${name}.${kind}`);
    return { keys, transposed: false };
  },
};

const FAMILIES = { gpt2: GPT2, llama: LLAMA } as const;

// --------------------------------------------------------------------------------- reading, writing

/**
 * Reads a folder.
 *
 * @param folder The folder; weights in one file or in shards with an index.
 * @param context Tokens that the model has to see at once; only dynamic rotary frequencies, which are
 *   made for that many, can go past what the folder says.
 * @returns Options, weights, tokenizer. `state()` throws a `FormatError` that names weights that are
 *   missing or left over.
 * @throws {FormatError} If a field of `config.json` is missing or not supported; the message names it.
 * @throws {UsageError} If the context is too long.
 */
export async function readHfFolder(folder: string, context = 1): Promise<HfFolder> {
  const path = `${folder}/config.json`;
  const config = JSON.parse(await Deno.readTextFile(path)) as Record<string, unknown>;
  const fields = new Fields(OP, config, path);
  const family = fields.oneOf("model_type", FAMILIES);
  const options = family.options(fields);
  if (options.rotaryScaling?.type === "dynamic") {
    options.context = Math.max(context, options.context);
  } else if (context > options.context) {
    throw new UsageError(`--context: ${context} is longer than the model's ${options.context}`);
  }
  const whole = `${folder}/model.safetensors`;
  const weights = await exists(whole) ? whole : `${whole}.index.json`;
  const tensors = withPrefix(await loadTensors(weights));
  const state = (keys: readonly string[]): StateDict =>
    collect(family, keys, tensors, options.tie, weights);
  const tokenizer = await exists(`${folder}/tokenizer.json`)
    ? await loadTokenizer(`${folder}/tokenizer.json`)
    : undefined;
  const end = config.eos_token_id;
  const endOfText = typeof end === "number" && end < options.vocabSize ? end : undefined;
  return { options, state, tokenizer, endOfText, config };
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
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(original.config, null, 2));
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
