/**
 * A decoder-only transformer that learns a text and goes on with it.
 *
 * Architecture: GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask learners") as
 * nanoGPT has it: pre-norm blocks, causal attention, GELU, residual projections that start smaller,
 * weight decay on matrices alone, warm-up and cosine. As flags, what came later: RMSNorm (Zhang &
 * Sennrich 2019), SwiGLU (Shazeer 2020), rotary positions (Su et al. 2021), grouped queries (Ainslie et
 * al. 2023), normalized queries and keys (Dehghani et al. 2023).
 *
 * The README has what it reaches, and in what time.
 *
 * ```sh
 * deno run -A models/gpt.ts --preset tiny           # a quarter of a minute on two cores
 * deno run -A models/gpt.ts --preset cpu            # nanoGPT's configuration for a laptop
 * deno run -A models/gpt.ts --preset gpu            # nanoGPT's configuration for one GPU
 * deno run -A models/gpt.ts sample runs/gpt-001 --prompt "Shall I" --temperature 0.8
 * deno run -A models/gpt.ts sample --hf gpt2 --prompt "Deep learning is"
 * deno run -A models/gpt.ts train --hf gpt2 --text mine.txt --lora-rank 8 --lr 1e-4
 * ```
 *
 * @module
 */
import {
  compile,
  manualSeed,
  noGrad,
  scaledDotProductAttention,
  stack,
  type Tensor,
  zeros,
} from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import * as optim from "@tensaurus/core/optim";
import type { Tokenizer } from "@tensaurus/core/data";
import { type Script, UsageError } from "./kit/config.ts";
import { openDevice } from "./kit/device.ts";
import { type Decoder, TokenGenerator } from "./kit/generate.ts";
import * as architecture from "./kit/gpt_options.ts";
import { type HfFolder, readHfFolder, writeHfFolder } from "./kit/hf.ts";
import { KeyValueCache } from "./kit/key_value_cache.ts";
import * as language from "./kit/language.ts";
import * as training from "./kit/language_run.ts";
import { commands, type OpenedModel, runLanguageScript } from "./kit/language_commands.ts";
import { addLora, mergedState, saveAdapters } from "./kit/lora.ts";
import { runMain } from "./kit/main.ts";
import type { Checkpoint } from "./kit/run_folder.ts";
import * as texts from "./kit/text.ts";

const F = nn.functional;

type GptOptions = architecture.GptOptions;

// ---------------------------------------------------------------------------------------- settings

const config = {
  ...language.config,
  ...architecture.config,
  hf: "",
  loraRank: 0,
  loraAlpha: 16,
  steps: 2000,
  batchSize: 12,
  lr: 1e-3,
  beta2: 0.99,
  weightDecay: 0.1,
  evalBatches: 0,
};

type Config = typeof config;

/** Settings and help of this script. */
export const script: Script<Config> = {
  name: "models/gpt.ts",
  about: "A decoder-only transformer on text: trained from scratch, or Hugging Face's weights.",
  config,
  describe: { ...language.describe, ...architecture.describe },
  limits: { ...language.limits, ...architecture.limits },
  presets: {
    // Validation loss 1.81 on the sonnets, in a quarter of a minute on two cores.
    tiny: { steps: 1500, layers: 2, width: 96, context: 48, batchSize: 16, lr: 2e-3 },
    // nanoGPT's configuration for a laptop, what the defaults are: 1.77, a minute.
    cpu: {},
    // nanoGPT's configuration for one GPU; the sonnets are too short for it, use --text.
    gpu: {
      steps: 5000,
      layers: 6,
      heads: 6,
      width: 384,
      context: 256,
      batchSize: 64,
      dropout: 0.2,
    },
  },
  commands,
};

// ------------------------------------------------------------------------------------------- model

type Norm = nn.LayerNorm | nn.RMSNorm;

function normOf(o: GptOptions, size: number): Norm {
  const { eps, bias } = o;
  return o.norm === "rms" ? new nn.RMSNorm(size, { eps }) : new nn.LayerNorm(size, { eps, bias });
}

/** Where the tokens of a forward pass stand. */
interface Places {
  layer: number;
  rotary: nn.RotaryEmbedding | undefined;
  cache: KeyValueCache | undefined;
}

/** Attention and a feed-forward layer, each added to what comes in. */
export class Block extends nn.Module {
  ln_1: Norm;
  qkv: nn.Linear;
  q_norm: nn.RMSNorm | undefined;
  k_norm: nn.RMSNorm | undefined;
  proj: nn.Linear;
  ln_2: Norm;
  fc: nn.Linear;
  out: nn.Linear;
  drop: nn.Dropout;
  readonly #o: GptOptions;

  constructor(o: GptOptions) {
    super();
    const { width, heads, kvHeads, headSize, hidden, bias } = o;
    this.#o = o;
    this.ln_1 = normOf(o, width);
    this.qkv = new nn.Linear(width, (heads + 2 * kvHeads) * headSize, { bias });
    this.q_norm = o.qkNorm ? new nn.RMSNorm(headSize, { eps: o.eps }) : undefined;
    this.k_norm = o.qkNorm ? new nn.RMSNorm(headSize, { eps: o.eps }) : undefined;
    this.proj = new nn.Linear(heads * headSize, width, { bias });
    this.ln_2 = normOf(o, width);
    this.fc = new nn.Linear(width, o.activation === "swiglu" ? 2 * hidden : hidden, { bias });
    this.out = new nn.Linear(hidden, width, { bias });
    this.drop = new nn.Dropout(o.dropout);
  }

  /** `[B, T, C]` from `[B, T, C]`; with a cache, the tokens see those in it. */
  override forward(x: Tensor, places: Places): Tensor {
    const y = x.add(this.drop.forward(this.#attend(this.ln_1.forward(x), places)));
    return y.add(this.drop.forward(this.#feed(this.ln_2.forward(y))));
  }

  #attend(x: Tensor, { layer, rotary, cache }: Places): Tensor {
    const { heads, kvHeads, headSize } = this.#o;
    const [batch, count] = x.shape as [number, number, number];
    const split = (t: Tensor): Tensor => t.reshape([batch, count, -1, headSize]).transpose(1, 2);
    const qkv = split(this.qkv.forward(x)); // [B, H + 2 Hkv, T, D]
    let q = qkv.slice(1, 0, heads); // [B, H, T, D]
    let k = qkv.slice(1, heads, heads + kvHeads); // [B, Hkv, T, D]
    const v = qkv.slice(1, heads + kvHeads); // [B, Hkv, T, D]
    if (this.q_norm && this.k_norm) [q, k] = [this.q_norm.forward(q), this.k_norm.forward(k)];
    const offset = cache?.filled ?? 0;
    if (rotary) [q, k] = [rotary.forward(q, { offset }), rotary.forward(k, { offset })];
    const [keys, values] = cache ? cache.append(layer, k, v) : [k, v]; // [B, Hkv, S, D]
    const y = scaledDotProductAttention(q, keys, values, {
      enableGqa: kvHeads < heads,
      ...cache
        ? { attnMask: cache.mask(count) }
        : { isCausal: true, dropoutP: this.training ? this.#o.dropout : 0 },
    }); // [B, H, T, D]
    return this.proj.forward(y.transpose(1, 2).reshape([batch, count, heads * headSize]));
  }

  #feed(x: Tensor): Tensor {
    const h = this.fc.forward(x); // [B, T, hidden], twice that for SwiGLU
    const { activation } = this.#o;
    if (activation !== "swiglu") {
      return this.out.forward(F.gelu(h, { approximate: activation === "gelu" ? "none" : "tanh" }));
    }
    const [gate, value] = h.chunk(2, -1) as [Tensor, Tensor]; // [B, T, hidden]
    return this.out.forward(F.silu(gate).mul(value));
  }
}

/** The transformer. */
export class Gpt extends nn.Module {
  wte: nn.Embedding;
  wpe: nn.LearnedPositionalEncoding | nn.SinusoidalPositionalEncoding | undefined;
  rotary: nn.RotaryEmbedding | undefined;
  drop: nn.Dropout;
  h: nn.ModuleList<Block>;
  ln_f: Norm;
  head: nn.Linear;
  readonly options: GptOptions;

  constructor(options: GptOptions) {
    super();
    const { vocabSize, context, width, layers, headSize, positions } = options;
    this.options = options;
    this.wte = new nn.Embedding(vocabSize, width);
    const maxLen = context;
    if (positions === "learned") this.wpe = new nn.LearnedPositionalEncoding(context, width);
    else if (positions === "sinusoidal") {
      this.wpe = new nn.SinusoidalPositionalEncoding(width, { maxLen });
    } else {
      const { rotaryBase: base, rotaryScaling: scaling } = options;
      this.rotary = new nn.RotaryEmbedding(headSize, { maxLen, base, scaling });
    }
    this.drop = new nn.Dropout(options.dropout);
    this.h = new nn.ModuleList(Array.from({ length: layers }, () => new Block(options)));
    this.ln_f = normOf(options, width);
    this.head = new nn.Linear(width, vocabSize, { bias: false });
    if (options.tie) this.head.weight = this.wte.weight;
    this.#initialize();
  }

  #initialize(): void {
    for (const [name, weight] of this.namedParameters()) {
      if (name.endsWith("bias")) nn.init.zeros_(weight);
      else if (weight.ndim < 2) nn.init.ones_(weight);
      else {
        // Two layers of each block add to the residual stream; its variance shall not grow.
        const residual = /\.(proj|out)\./.test(name);
        nn.init.normal_(weight, 0, residual ? 0.02 / Math.sqrt(2 * this.options.layers) : 0.02);
      }
    }
  }

  /** Logits `[B, T, V]` of tokens `[B, T]`. */
  override forward(tokens: Tensor): Tensor {
    return this.head.forward(this.#features(tokens)); // [B, T, V]
  }

  /** Logits `[B, V]` of the token after tokens `[B, T]` that follow those in the cache. */
  next(tokens: Tensor, cache: KeyValueCache): Tensor {
    const x = this.#features(tokens, cache); // [B, T, C]
    cache.advance(tokens.shape[1]!);
    return this.head.forward(x.select(1, -1)); // [B, V]
  }

  #features(tokens: Tensor, cache?: KeyValueCache): Tensor {
    let x = this.wte.forward(tokens); // [B, T, C]
    if (this.wpe) x = this.wpe.forward(x, { offset: cache?.filled ?? 0 });
    x = this.drop.forward(x);
    for (const [layer, block] of [...this.h].entries()) {
      x = block.forward(x, { layer, rotary: this.rotary, cache }); // [B, T, C]
    }
    return this.ln_f.forward(x);
  }

  /** This model with a memory, for generation. */
  decoder(batch = 1): Decoder {
    const { layers, kvHeads: heads, context: length, headSize: size } = this.options;
    const cache = new KeyValueCache({ layers, batch, heads, length, size });
    return {
      context: length,
      next: (tokens) => this.next(tokens, cache),
      reset: () => cache.reset(),
    };
  }
}

// -------------------------------------------------------------------------------- weights and text

interface Opened extends OpenedModel<Gpt> {
  hf: HfFolder | undefined;
}

/** The model that settings describe, with the weights of a folder where they name one. */
async function openModel(settings: Config, known: Tokenizer | undefined): Promise<Opened> {
  const { context, dropout, loraRank: rank, loraAlpha: alpha } = settings;
  const hf = settings.hf ? await readHfFolder(settings.hf, context) : undefined;
  const tokenizer = known ?? hf?.tokenizer;
  if (!tokenizer) throw new UsageError(`--hf: ${settings.hf} has no tokenizer.json`);
  const options = hf
    ? { ...hf.options, dropout }
    : architecture.gptOptions(settings, tokenizer.vocabSize);
  const model = new Gpt(options);
  if (hf) model.loadStateDict(hf.state(Object.keys(model.stateDict())));
  if (rank) addLora(model, model.h, { rank, alpha });
  return { model, tokenizer, hf, endOfText: hf?.endOfText, sampling: hf?.sampling };
}

/** Writes with a model; its vocabulary may have more tokens than the tokenizer. */
function generatorOf(model: Gpt, { vocabSize }: Tokenizer, settings: Config): TokenGenerator {
  return new TokenGenerator(model.decoder(), { ...language.samplingOf(settings), vocabSize });
}

/** Mean cross-entropy of the targets `[B, T]`. */
function lossOf(model: Gpt, x: Tensor, y: Tensor): Tensor {
  return F.crossEntropy(model.forward(x).flatten(0, 1), y.flatten());
}

/** Gives a function for the mean loss over the first batches of the validation text. */
function evaluator(
  model: Gpt,
  { validation }: texts.TokenText,
  settings: Config,
): () => Promise<number> {
  const { batchSize, context, seed, evalBatches: batches } = settings;
  const loader = texts.orderedBatches(validation, { batchSize, context, seed, batches });
  const evalLoss = compile((x: Tensor, y: Tensor) => noGrad(() => lossOf(model, x, y)), {
    name: "evalLoss",
  });
  return () => texts.meanLoss(model, loader, evalLoss);
}

// ---------------------------------------------------------------------------------------- training

/** Decay on matrices alone: offsets and factors of norms are few and have their own scale. */
function optimizerOf(model: Gpt, settings: Config): optim.AdamW {
  const { lr, beta2, weightDecay } = settings;
  const trained = model.parameters().filter((p) => p.requiresGrad);
  const groups = [
    { params: trained.filter((p) => p.ndim >= 2), weightDecay },
    { params: trained.filter((p) => p.ndim < 2), weightDecay: 0 },
  ];
  const betas = [0.9, beta2] as const;
  return new optim.AdamW(groups.filter(({ params }) => params.length), { lr, betas });
}

async function train(given: Config, checkpoint?: Checkpoint): Promise<void> {
  const once = { steps: (checkpoint?.step ?? 0) + 1, evalBatches: 1, length: 4 };
  const settings = given.dryRun ? { ...given, ...once } : given;
  const device = await openDevice(settings);
  manualSeed(settings.seed);
  const known = checkpoint ? await texts.savedTokenizer(checkpoint) : undefined;
  const own = settings.hf ? undefined : await texts.openText(settings, known);
  const { model, tokenizer, hf } = await openModel(settings, known ?? own?.tokenizer);
  const text = own ?? await texts.openText(settings, tokenizer);
  const optimizer = optimizerOf(model, settings);
  const { batchSize, context, seed, steps: batches } = settings;
  const loader = texts.randomBatches(text.train, { batchSize, context, seed, batches });

  const learner = { model, optimizer, loader, tokenizer };
  const options = { script: script.name, name: "gpt", device, settings, checkpoint };
  using run = await training.openRun(model, options);
  await training.beginRun(run, learner, checkpoint);

  const sums = zeros([2]); // loss and gradient norm since the last line; they stay on the device
  const parameters = model.parameters().filter((p) => p.requiresGrad);
  const trainStep = compile((x: Tensor, y: Tensor) => {
    const loss = lossOf(model, x, y);
    loss.backward();
    const norm = optim.clipGradNorm(parameters, settings.clip || Infinity)!;
    optimizer.step();
    optimizer.zeroGrad(); // after the step: gradients that nobody reads later need no memory
    noGrad(() => sums.add_(stack([loss, norm])));
  }, { name: "trainStep" });
  const between = {
    ...learner,
    settings,
    sums,
    files: () => training.filesOf(run, learner),
    evaluate: evaluator(model, text, settings),
    generator: generatorOf(model, tokenizer, settings),
  };

  for await (const batch of loader) {
    const [x, y] = run.batch(batch) as [Tensor, Tensor];
    const lr = language.warmupCosine(run.step, settings);
    for (const group of optimizer.paramGroups) group.lr = lr;
    trainStep(x, y);
    await training.afterStep(run, between, lr);
    if (run.over) break;
  }
  run.stop();
  if (hf) await writeHfFolder(run.folder.file("hf"), hf, mergedState(model));
  const { loraRank: rank, loraAlpha: alpha } = settings;
  if (rank) await saveAdapters(run.folder.file("adapters.safetensors"), model, { rank, alpha });
  await language.finishRun(run, { text, expect: settings.expect });
}

if (import.meta.main) {
  const hasWeights = ({ hf }: Config): boolean => hf !== "";
  const parts = { name: "gpt", fixed: architecture.FIXED, open: openModel, generator: generatorOf };
  await runMain(() => runLanguageScript(script, { ...parts, train, evaluator, hasWeights }));
}
