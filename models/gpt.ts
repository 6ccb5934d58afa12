/**
 * A decoder-only transformer that learns a text and goes on with it.
 *
 * Architecture: GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask learners") as
 * nanoGPT has it: pre-norm blocks, causal attention, GELU, residual projections that start smaller,
 * weight decay on matrices alone, warm-up and cosine. As flags, what came later: RMSNorm (Zhang &
 * Sennrich 2019), SwiGLU (Shazeer 2020), rotary positions (Su et al. 2021), grouped queries (Ainslie et
 * al. 2023), normalized queries and keys (Dehghani et al. 2023).
 *
 * The README has what each preset reaches, and in what time.
 *
 * ```sh
 * deno run -A models/gpt.ts --preset tiny           # a minute on two cores
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
import type { LoaderState, Tokenizer } from "@tensaurus/core/data";
import { commandLine, type Parsed, resumeConfig, type Script, UsageError } from "./kit/config.ts";
import { openDevice, printStart } from "./kit/device.ts";
import { type Decoder, KeyValueCache, TokenGenerator, writeText } from "./kit/generate.ts";
import * as architecture from "./kit/gpt_options.ts";
import { type HfFolder, readHfFolder, writeHfFolder } from "./kit/hf.ts";
import { Interrupt } from "./kit/interrupt.ts";
import * as language from "./kit/language.ts";
import { addLora, type LoraOptions, mergedState, saveAdapters } from "./kit/lora.ts";
import { runMain } from "./kit/main.ts";
import { Progress } from "./kit/progress.ts";
import { type Checkpoint, findCheckpoint, RunFolder, savedConfig } from "./kit/run_folder.ts";
import { checkpointFiles, loadCheckpoint, loadWeights } from "./kit/state.ts";
import { meanLoss, openText, orderedBatches, randomBatches, savedTokenizer } from "./kit/text.ts";

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
  minLr: 1e-4,
  warmup: 100,
  beta2: 0.99,
  weightDecay: 0.1,
  clip: 1,
  evalBatches: 0,
  seed: 0,
  device: "auto",
  out: "",
  resume: "",
  logEvery: 50,
  evalEvery: 250,
  sampleEvery: 500,
  saveEvery: 500,
  dryRun: false,
  overfitBatch: false,
  expect: 0,
  preset: "",
};

type Config = typeof config;

/** Settings and help of this script. */
export const script: Script<Config> = {
  name: "models/gpt.ts",
  about: "A decoder-only transformer on text: trained from scratch, or Hugging Face's weights.",
  config,
  describe: {
    ...language.describe,
    ...architecture.describe,
    hf: "Folder with a model of the GPT-2 or Llama family, as Hugging Face saves them",
    loraRank: "Fine-tune adapters of this rank alone; 0 trains all weights",
    loraAlpha: "Scale of the adapters",
    minLr: "Learning rate at the end",
    warmup: "Steps until the learning rate is reached",
    beta2: "Memory of AdamW's squared gradients",
    weightDecay: "Decay of matrices",
    clip: "Greatest norm of all gradients; 0 for none",
    evalBatches: "Batches of an evaluation; 0 for all",
    expect: "Exit with status 1 where the validation loss ends above this; 0 expects nothing",
  },
  limits: {
    ...language.limits,
    ...architecture.limits,
    loraRank: { min: 0, integer: true },
    warmup: { min: 0, integer: true },
    beta2: { min: 0, max: 0.99999 },
    evalBatches: { min: 0, integer: true },
  },
  presets: {
    // Validation loss 1.81 on the sonnets, in about a minute on two cores.
    tiny: { steps: 1500, layers: 2, width: 96, context: 48, batchSize: 16, lr: 2e-3 },
    // nanoGPT's configuration for a laptop, what the defaults are: 1.77, under four minutes.
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
  commands: {
    train: { about: "Train, evaluate and write a sample (the default)" },
    sample: { about: "Write text with a run or a checkpoint", positional: "CHECKPOINT" },
    eval: { about: "Loss of a run or a checkpoint", positional: "CHECKPOINT" },
  },
};

/** Settings that the weights of a run depend on. */
const FIXED = [
  ...Object.keys(architecture.config).filter((key) => key !== "dropout"),
  ...["tokenizer", "vocabSize", "hf", "loraRank", "loraAlpha"],
] as (keyof Config)[];

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

// -------------------------------------------------------------------------------------------- data

interface Opened {
  model: Gpt;
  tokenizer: Tokenizer;
  hf: HfFolder | undefined;
}

function loraOf(settings: Config): LoraOptions {
  return { rank: settings.loraRank, alpha: settings.loraAlpha };
}

/** The model that settings describe, with the weights of a folder where they name one. */
async function openModel(settings: Config, known: Tokenizer | undefined): Promise<Opened> {
  const { context, dropout } = settings;
  const hf = settings.hf ? await readHfFolder(settings.hf) : undefined;
  // Dynamic frequencies are made for the context that is asked for.
  const grows = hf?.options.rotaryScaling?.type === "dynamic";
  if (hf && !grows && context > hf.options.context) {
    throw new UsageError(`--context: ${context} is longer than the model's ${hf.options.context}`);
  }
  const tokenizer = known ?? hf?.tokenizer;
  if (!tokenizer) throw new UsageError(`--hf: ${settings.hf} has no tokenizer.json`);
  const options = hf
    ? { ...hf.options, context: Math.max(context, hf.options.context), dropout }
    : architecture.gptOptions(settings, tokenizer.vocabSize);
  const model = new Gpt(options);
  if (hf) model.loadStateDict(hf.state(Object.keys(model.stateDict())));
  if (settings.loraRank) addLora(model, model.h, loraOf(settings));
  return { model, tokenizer, hf };
}

/** Writes with a model; its vocabulary may have more tokens than the tokenizer. */
function generatorOf(model: Gpt, { vocabSize }: Tokenizer, settings: Config): TokenGenerator {
  return new TokenGenerator(model.decoder(), { ...language.samplingOf(settings), vocabSize });
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
  const device = await openDevice(settings.device);
  manualSeed(settings.seed);
  const known = checkpoint ? await savedTokenizer(checkpoint) : undefined;
  const text = settings.hf ? undefined : await openText(settings, known);
  const { model, tokenizer, hf } = await openModel(settings, known ?? text?.tokenizer);
  const tokens = text ?? await openText(settings, tokenizer);
  const optimizer = optimizerOf(model, settings);
  const { batchSize, context, seed } = settings;
  const sizes = { batchSize, context, seed };
  const loader = randomBatches(tokens.train, { ...sizes, batches: settings.steps });
  const validation = orderedBatches(tokens.validation, { ...sizes, batches: settings.evalBatches });

  let step = 0, best = Infinity, val: number | undefined;
  let folder: RunFolder;
  if (!checkpoint) {
    folder = await RunFolder.create({ out: settings.out, name: "gpt", config: settings });
    await folder.write("tokenizer.json", JSON.stringify(tokenizer));
  } else {
    folder = await RunFolder.resume(checkpoint);
    const saved = await loadCheckpoint(checkpoint.path, { model, optimizer });
    loader.loadState(saved["loader"] as LoaderState);
    [step, best] = [checkpoint.step, saved["best"] as number | null ?? Infinity];
  }
  const parameters = model.parameters().filter((p) => p.requiresGrad);
  printStart({
    device,
    parameters: parameters.reduce((n, p) => n + p.numel, 0),
    perStep: `${batchSize * context} tokens`,
    folder: folder.path,
  }, settings);

  const sums = zeros([2]); // loss and gradient norm since the last line; they stay on the device
  const trainStep = compile((x: Tensor, y: Tensor) => {
    const loss = lossOf(model, x, y);
    loss.backward();
    const norm = optim.clipGradNorm(parameters, settings.clip || Infinity)!;
    optimizer.step();
    optimizer.zeroGrad(); // after the step: gradients that nobody reads later need no memory
    noGrad(() => sums.add_(stack([loss, norm])));
  }, { name: "trainStep" });
  const evalLoss = compile((x: Tensor, y: Tensor) => noGrad(() => lossOf(model, x, y)), {
    name: "evalLoss",
  });
  const generator = generatorOf(model, tokenizer, settings);

  using interrupt = new Interrupt();
  const progress = new Progress({
    total: settings.steps,
    start: step,
    perStep: batchSize * context,
    unit: "tok",
    columns: ["loss", "val", "lr", "norm"],
    logEvery: settings.logEvery,
  });
  const files = () =>
    checkpointFiles({ model, optimizer, progress: { loader: loader.state(), best } });
  const began = performance.now();
  let lines = step; // steps at the last line
  let fixed: [Tensor, Tensor] | undefined;
  for await (const [x, y] of loader) {
    if (settings.overfitBatch) fixed ??= [x!, y!];
    const lr = language.warmupCosine(step, settings);
    for (const group of optimizer.paramGroups) group.lr = lr;
    trainStep(...fixed ?? [x!, y!]);
    step++;
    if (lines === 0 && step === 1) {
      await sums.data();
      const seconds = ((performance.now() - began) / 1000).toFixed(2);
      progress.note(`compiled    ${seconds} s to the end of the first step`);
    }
    const last = step >= settings.steps || interrupt.requested;
    if (last || settings.evalEvery && step % settings.evalEvery === 0) {
      model.eval();
      val = await meanLoss(validation, evalLoss);
      model.train();
      folder.log({ step, val });
      if (val < best) {
        best = val;
        await folder.saveBest(step, await files());
      }
    }
    if (last || step % settings.logEvery === 0) {
      const [loss, norm] = Array.from(await sums.data(), (sum) => sum / (step - lines));
      noGrad(() => sums.zero_());
      lines = step;
      if (Number.isNaN(loss)) {
        throw new Error(`the loss is NaN at step ${step} (try a smaller --lr)`);
      }
      folder.log({ step, loss, lr, norm });
      progress.update(step, { loss, val, lr, norm });
    } else progress.update(step);
    if (last || settings.saveEvery && step % settings.saveEvery === 0) {
      const { path } = await folder.save(step, await files());
      if (settings.dryRun) await loadCheckpoint(path, { model, optimizer });
    }
    if (last || settings.sampleEvery && step % settings.sampleEvery === 0) {
      model.eval();
      const { prompt, length } = settings;
      const { text } = await writeText(generator, tokenizer, prompt, { length });
      model.train();
      progress.note(`--- step ${step}\n${text}\n---`);
    }
    if (last) break;
  }
  progress.stop();
  await language.finishRun(folder);
  if (hf) await writeHfFolder(folder.file("hf"), hf, mergedState(model));
  if (settings.loraRank) {
    await saveAdapters(folder.file("adapters.safetensors"), model, loraOf(settings));
  }
  console.log(`best validation ${language.lossText(best, tokens.charactersPerToken)}`);
  console.log(`run folder  ${folder.path}`);
  if (interrupt.requested) {
    console.log(`go on with  deno run -A models/gpt.ts --resume ${folder.path}`);
  }
  language.checkLoss(best, settings.expect);
}

/** Mean cross-entropy of the targets `[B, T]`. */
function lossOf(model: Gpt, x: Tensor, y: Tensor): Tensor {
  return F.crossEntropy(model.forward(x).flatten(0, 1), y.flatten());
}

// --------------------------------------------------------------------------------- other commands

/** The model of a checkpoint, or of a folder that `--hf` names. */
async function openTrained(
  args: readonly string[],
  parsed: Parsed<Config>,
): Promise<Opened & { settings: Config }> {
  const { config: given } = parsed;
  await openDevice(given.device);
  manualSeed(given.seed);
  const name = args[0] ?? given.resume;
  if (!name && given.hf) return { ...await openModel(given, undefined), settings: given };
  const checkpoint = await findCheckpoint(name || "last", { name: "gpt" });
  const settings = resumeConfig(parsed, await savedConfig(checkpoint), FIXED);
  const opened = await openModel(settings, await savedTokenizer(checkpoint));
  await loadWeights(`${checkpoint.path}/model.safetensors`, opened.model);
  return { ...opened, settings };
}

async function sample(parsed: Parsed<Config>): Promise<void> {
  const { model, tokenizer, hf } = await openTrained(parsed.args, parsed);
  const generator = generatorOf(model.eval(), tokenizer, parsed.config);
  await language.showSample(generator, tokenizer, parsed.config, hf?.endOfText);
}

async function evalCommand(parsed: Parsed<Config>): Promise<void> {
  const { model, tokenizer, settings } = await openTrained(parsed.args, parsed);
  const { validation, charactersPerToken } = await openText(settings, tokenizer);
  const { batchSize, context, seed, evalBatches: batches } = settings;
  model.eval();
  const loss = await meanLoss(
    orderedBatches(validation, { batchSize, context, seed, batches }),
    compile((x: Tensor, y: Tensor) => noGrad(() => lossOf(model, x, y))),
  );
  console.log(`validation ${language.lossText(loss, charactersPerToken)}`);
  language.checkLoss(loss, settings.expect);
}

async function main(): Promise<void> {
  const parsed = commandLine(script);
  if (parsed.command === "sample") return await sample(parsed);
  if (parsed.command === "eval") return await evalCommand(parsed);
  const { resume } = parsed.config;
  if (!resume) return await train(parsed.config);
  const checkpoint = await findCheckpoint(resume, { name: "gpt" });
  await train(resumeConfig(parsed, await savedConfig(checkpoint), FIXED), checkpoint);
}

if (import.meta.main) await runMain(main);
