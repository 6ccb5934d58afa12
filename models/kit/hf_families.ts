/**
 * The families whose Hugging Face folders are read and written.
 *
 * @module
 */
import type { RotaryScaling } from "@tensaurus/core/nn";
import type { GptOptions } from "./gpt_options.ts";
import type { Fields } from "./hf_fields.ts";

/** A family: what its `config.json` means and where its weights go. */
export interface Family {
  options(config: Fields): GptOptions;
  /** Own key → keys of the family (joined along the first axis), and whether each is transposed. */
  source(key: string): { keys: string[]; transposed: boolean };
}

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

function longRope(rope: Fields, config: Fields): RotaryScaling {
  const originalMaxLen = originalContext(rope, config);
  return {
    type: "longrope",
    factor: rope.optional("factor") ??
      Math.max(1, config.number("max_position_embeddings") / originalMaxLen),
    shortFactors: rope.numbers("short_factor"),
    longFactors: rope.numbers("long_factor"),
    originalMaxLen,
    attentionFactor: rope.optional("attention_factor"),
  };
}

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
  longrope: longRope,
  su: longRope, // its name in the first folders of Phi-3
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

/** Phi-3 is Llama with queries, keys and values in one weight, and gate and value in another. */
const PHI3: Family = {
  options(config) {
    const options = LLAMA.options(config);
    // Within the window nothing is out of sight, so that attention to all positions is the same.
    const window = config.optional("sliding_window") ?? Infinity;
    return { ...options, context: Math.min(options.context, window) };
  },
  source(key) {
    const { keys, transposed } = LLAMA.source(key);
    const joined: Record<string, string> = { q_proj: "qkv_proj", gate_proj: "gate_up_proj" };
    const name = keys[0]!.replace(/(q_proj|gate_proj)(?=\.\w+$)/, (part) => joined[part]!);
    return { keys: [name], transposed };
  },
};

/** The families by `model_type`. */
export const FAMILIES = { gpt2: GPT2, llama: LLAMA, phi3: PHI3 } as const;
