/**
 * The transformer with encoder and decoder, on a translation with a true answer: numbers and dates
 * written in English and Polish words, to their normal form and back.
 *
 * "dwadzieścia trzy kwietnia 2024" → "2024-04-23" → "the twenty-third of april 2024"
 *
 * Architecture: Vaswani et al. 2017, "Attention is all you need": sinusoidal positions, shared and scaled
 * embeddings (3.4), normalization after each residual, teacher forcing, label smoothing, the Noam
 * schedule, beam search. The wanted language is the first token of the source (Johnson et al. 2017).
 * The pairs are drawn here; a tenth of all numbers and dates is never trained on.
 *
 * The README has what it reaches, and in what time.
 *
 * ```sh
 * deno run -A models/translate.ts                   # a few minutes on two cores
 * deno run -A models/translate.ts eval --beams 4
 * deno run -A models/translate.ts translate "dwadzieścia trzy kwietnia 2024"
 * deno run -A models/translate.ts translate --into polish 312405 2024-04-23
 * ```
 *
 * @module
 */
import {
  compile,
  linear,
  manualSeed,
  noGrad,
  scaledDotProductAttention,
  stack,
  type Tensor,
  zeros,
} from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import { commandLine, type Parsed, resumeConfig, type Script, UsageError } from "./kit/config.ts";
import { curvesSvg } from "./kit/curves.ts";
import { openDevice } from "./kit/device.ts";
import { expectAtLeast } from "./kit/expect.ts";
import type { KeyValueCache } from "./kit/key_value_cache.ts";
import { runMain } from "./kit/main.ts";
import { TrainingRun } from "./kit/run.ts";
import { type Checkpoint, findCheckpoint, savedConfig } from "./kit/run_folder.ts";
import { loadWeights, tensorBytes } from "./kit/state.ts";
import { drawAttention, evaluator, percent, printReport, right } from "./translate/evaluate.ts";
import { filesOf, type Learner, learnerOf, restore } from "./translate/run.ts";
import * as spoken from "./translate/spoken.ts";

const F = nn.functional;
const { ROW } = spoken;

// ---------------------------------------------------------------------------------------- settings

const config = {
  layers: 2,
  heads: 4,
  width: 128,
  hidden: 256,
  dropout: 0,
  labelSmoothing: 0.1,
  steps: 4000,
  batchSize: 64,
  lr: 1,
  warmup: 400,
  averaging: 0.998,
  testItems: 1000,
  beams: 1,
  into: "normal",
  seed: 0,
  device: "auto",
  paired: true,
  out: "",
  resume: "",
  logEvery: 100,
  evalEvery: 500,
  saveEvery: 500,
  dryRun: false,
  overfitBatch: false,
  expect: 0,
  preset: "",
};

type Config = typeof config;

/** Settings and help of this script. */
export const script: Script<Config> = {
  name: "models/translate.ts",
  about:
    "The encoder-decoder transformer: numbers and dates in words to their normal form and back.",
  config,
  describe: {
    layers: "Layers of the encoder, and of the decoder",
    heads: "Attention heads",
    width: "Features of a token",
    hidden: "Features inside a feed-forward layer",
    dropout: "Probability of dropping",
    labelSmoothing: "Share of the target that all other tokens get",
    lr: "Factor of the Noam schedule, width^-0.5 · min(step^-0.5, step · warmup^-1.5)",
    warmup: "Steps until the learning rate is greatest",
    averaging:
      "Share of the averaged weights that a step keeps, in place of the paper's 5 checkpoints",
    testItems: "Held-out pairs of an evaluation",
    beams: "Sequences that a search keeps; 1 takes the likeliest token each time",
    into: "What to translate into",
    expect: "Exit with status 1 where fewer held-out pairs than this share are right",
  },
  limits: {
    layers: { min: 1, integer: true },
    heads: { min: 1, integer: true },
    width: { min: 1, integer: true },
    hidden: { min: 1, integer: true },
    dropout: { min: 0, max: 0.999 },
    labelSmoothing: { min: 0, max: 0.999 },
    warmup: { min: 1, integer: true },
    averaging: { min: 0, max: 1 },
    testItems: { min: 1, integer: true },
    beams: { min: 1, integer: true },
    into: ["normal", "english", "polish"],
  },
  presets: {
    tiny: { layers: 1, width: 64, hidden: 128, steps: 1500 },
    // 99.5 % of held-out pairs after 3,000 steps, in under three minutes on two cores.
    cpu: { expect: 0.99 },
    gpu: { layers: 3, width: 256, hidden: 512, batchSize: 256, steps: 5000, expect: 0.99 },
  },
  commands: {
    train: { about: "Train, evaluate, draw the attention of an example (the default)" },
    eval: { about: "Share of held-out pairs that are right", positional: "[CHECKPOINT]" },
    translate: { about: "Translate texts with the newest run", positional: "TEXT…" },
  },
};

const ARCHITECTURE = ["layers", "heads", "width", "hidden"] as const;

// ------------------------------------------------------------------------------------------- model

type ModelOptions = Pick<Config, "layers" | "heads" | "width" | "hidden" | "dropout">;

/** Keys and values of one attention, `[B, H, S, D]` each. */
export type KeysValues = readonly [keys: Tensor, values: Tensor];

/** Multi-head attention (3.2.2). */
class Attention extends nn.Module {
  query: nn.Linear;
  key: nn.Linear;
  value: nn.Linear;
  out: nn.Linear;
  readonly #heads: number;

  constructor({ width, heads }: ModelOptions) {
    super();
    this.query = new nn.Linear(width, width);
    this.key = new nn.Linear(width, width);
    this.value = new nn.Linear(width, width);
    this.out = new nn.Linear(width, width);
    this.#heads = heads;
  }

  #split(x: Tensor): Tensor {
    return x.unflatten(-1, [this.#heads, -1]).transpose(1, 2); // [B, H, T, D]
  }

  /** Keys and values of what is attended to, `[B, S, C]`. */
  keysValues(memory: Tensor): KeysValues {
    return [this.#split(this.key.forward(memory)), this.#split(this.value.forward(memory))];
  }

  /** `[B, T, C]` of what asks, `[B, T, C]`; `mask` says what is seen, without it all before. */
  override forward(x: Tensor, [k, v]: KeysValues, mask: Tensor | undefined): Tensor {
    const q = this.#split(this.query.forward(x)); // [B, H, T, D]
    const y = scaledDotProductAttention(q, k, v, { attnMask: mask, isCausal: !mask });
    return this.out.forward(y.transpose(1, 2).flatten(2)); // [B, T, C]
  }

  /** The weights that {@linkcode forward} mixes values with, `[B, H, T, S]`. */
  weights(x: Tensor, [k]: KeysValues, mask: Tensor): Tensor {
    const q = this.#split(this.query.forward(x));
    const scores = q.matmul(k.transpose(-2, -1)).div(Math.sqrt(k.size(-1)));
    return scores.maskedFill(mask.logicalNot(), -Infinity).softmax(-1);
  }
}

/** Attention among the tokens of the source, then the feed-forward layer (3.1, 3.3). */
class EncoderLayer extends nn.Module {
  attention: Attention;
  norm1: nn.LayerNorm;
  feed: nn.Sequential;
  norm2: nn.LayerNorm;
  drop: nn.Dropout;

  constructor(o: ModelOptions) {
    super();
    this.attention = new Attention(o);
    this.norm1 = new nn.LayerNorm(o.width);
    this.feed = feedForward(o);
    this.norm2 = new nn.LayerNorm(o.width);
    this.drop = new nn.Dropout(o.dropout);
  }

  override forward(x: Tensor, mask: Tensor): Tensor {
    const y = this.attention.forward(x, this.attention.keysValues(x), mask); // [B, S, C]
    x = this.norm1.forward(x.add(this.drop.forward(y)));
    return this.norm2.forward(x.add(this.drop.forward(this.feed.forward(x))));
  }
}

function feedForward(o: ModelOptions): nn.Sequential {
  const { width, hidden } = o;
  return new nn.Sequential(new nn.Linear(width, hidden), F.relu, new nn.Linear(hidden, width));
}

/** What a decoder layer looks at. */
export interface Seen {
  /** The source as each layer needs it. */
  memory: readonly KeysValues[];
  /** Which of its tokens are real, `[B, 1, 1, S]`. */
  mask: Tensor;
  /** Targets before, in generation. */
  cache?: KeyValueCache | undefined;
  /** Gets the weights over the source of each layer. */
  weights?: Tensor[] | undefined;
}

/** Attention among the targets so far, to the source, then the feed-forward layer. */
class DecoderLayer extends nn.Module {
  attention: Attention;
  norm1: nn.LayerNorm;
  cross: Attention;
  norm2: nn.LayerNorm;
  feed: nn.Sequential;
  norm3: nn.LayerNorm;
  drop: nn.Dropout;

  constructor(o: ModelOptions) {
    super();
    this.attention = new Attention(o);
    this.norm1 = new nn.LayerNorm(o.width);
    this.cross = new Attention(o);
    this.norm2 = new nn.LayerNorm(o.width);
    this.feed = feedForward(o);
    this.norm3 = new nn.LayerNorm(o.width);
    this.drop = new nn.Dropout(o.dropout);
  }

  override forward(x: Tensor, layer: number, { memory, mask, cache, weights }: Seen): Tensor {
    const own = this.attention.keysValues(x);
    const y = this.attention.forward(
      x,
      cache?.append(layer, ...own) ?? own,
      cache?.mask(x.size(1)),
    );
    x = this.norm1.forward(x.add(this.drop.forward(y))); // [B, T, C]
    weights?.push(this.cross.weights(x, memory[layer]!, mask));
    x = this.norm2.forward(x.add(this.drop.forward(this.cross.forward(x, memory[layer]!, mask))));
    return this.norm3.forward(x.add(this.drop.forward(this.feed.forward(x))));
  }
}

/** The transformer. */
export class Transformer extends nn.Module {
  embedding: nn.Embedding;
  positions: nn.SinusoidalPositionalEncoding;
  drop: nn.Dropout;
  encoder: nn.ModuleList<EncoderLayer>;
  decoder: nn.ModuleList<DecoderLayer>;
  readonly options: ModelOptions;

  constructor(vocabSize: number, options: ModelOptions) {
    super();
    const { width, heads, layers, dropout } = options;
    if (width % heads) throw new UsageError(`--heads: ${heads} heads do not divide width ${width}`);
    this.options = options;
    this.embedding = new nn.Embedding(vocabSize, width);
    this.positions = new nn.SinusoidalPositionalEncoding(width, { maxLen: ROW + 1 });
    this.drop = new nn.Dropout(dropout);
    const times = { length: layers };
    this.encoder = new nn.ModuleList(Array.from(times, () => new EncoderLayer(options)));
    this.decoder = new nn.ModuleList(Array.from(times, () => new DecoderLayer(options)));
    for (const weight of this.parameters()) if (weight.ndim > 1) nn.init.xavierUniform_(weight);
    nn.init.normal_(this.embedding.weight, 0, width ** -0.5);
  }

  #embed(tokens: Tensor, offset: number | Tensor = 0): Tensor {
    const x = this.embedding.forward(tokens).mul(Math.sqrt(this.options.width)); // [B, T, C]
    return this.drop.forward(this.positions.forward(x, { offset }));
  }

  /** The source `[B, S]` as the decoder needs it. */
  read(source: Tensor): Seen {
    const mask = source.ne(spoken.PAD).reshape([-1, 1, 1, source.size(1)]); // [B, 1, 1, S]
    let x = this.#embed(source); // [B, S, C]
    for (const layer of this.encoder) x = layer.forward(x, mask);
    return { memory: [...this.decoder].map((layer) => layer.cross.keysValues(x)), mask };
  }

  /** Logits `[B, T, V]` of the tokens after each of `tokens` `[B, T]`. */
  write(tokens: Tensor, seen: Seen): Tensor {
    let x = this.#embed(tokens, seen.cache?.filled); // [B, T, C]
    for (const [i, layer] of [...this.decoder].entries()) x = layer.forward(x, i, seen);
    seen.cache?.advance(tokens.size(1));
    return linear(x, this.embedding.weight); // [B, T, V]
  }

  /** Logits `[B, T, V]` of targets `[B, T]` for sources `[B, S]`. */
  override forward(source: Tensor, target: Tensor): Tensor {
    return this.write(target, this.read(source));
  }
}

// ---------------------------------------------------------------------------------------- training

/** Learning rate of a step (5.3). */
export function noam(step: number, settings: Pick<Config, "lr" | "width" | "warmup">): number {
  const { lr, width, warmup } = settings;
  return lr * width ** -0.5 * Math.min((step + 1) ** -0.5, (step + 1) * warmup ** -1.5);
}

/** One step; adds its loss and its share of right tokens to the sums. */
function stepOf(
  { model, optimizer, average }: Learner<Transformer>,
  sums: Tensor,
  labelSmoothing: number,
): (source: Tensor, target: Tensor) => void {
  return compile((source: Tensor, target: Tensor) => {
    const wanted = target.slice(1, 1).flatten(); // [B · T], one token ahead of what is shown
    const logits = model.forward(source, target.slice(1, 0, ROW)).flatten(0, 1); // [B · T, V]
    const loss = F.crossEntropy(logits, wanted, { ignoreIndex: spoken.PAD, labelSmoothing });
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    average.update();
    noGrad(() => {
      const real = wanted.ne(spoken.PAD);
      const right = logits.argmax(-1).eq(wanted).logicalAnd(real).sum().div(real.sum());
      sums.add_(stack([loss, right]));
    });
  }, { name: "trainStep" });
}

async function train(given: Config, checkpoint?: Checkpoint): Promise<void> {
  const once = { steps: (checkpoint?.step ?? 0) + 1, testItems: 8 };
  const settings = given.dryRun ? { ...given, ...once } : given;
  const device = await openDevice(settings);
  manualSeed(settings.seed);
  const model = new Transformer(spoken.spokenTokenizer().vocabSize, settings);
  const learner = learnerOf(model, settings);
  const { optimizer, average, loader } = learner;

  using run = await TrainingRun.open({
    script: script.name,
    name: "translate",
    device,
    settings,
    checkpoint,
    model,
    total: settings.steps,
    perStep: settings.batchSize,
    unit: "pairs",
    columns: ["loss", "acc", "lr"],
  });
  if (checkpoint) await restore(learner, checkpoint);

  const sums = zeros([2]); // loss and correct tokens since the last line; they stay on the device
  const trainStep = stepOf(learner, sums, settings.labelSmoothing);
  const test = spoken.heldOutPairs(settings.testItems, settings.seed);
  const evaluate = evaluator(model, settings.beams);

  let accuracy = 0;
  for await (const batch of loader) {
    const lr = optimizer.paramGroups[0]!.lr = noam(run.step, settings);
    trainStep(...run.batch(batch));
    await run.stepped(sums);
    if (run.due(settings.logEvery)) {
      const [loss, acc] = await run.means(sums) as [number, number];
      run.log({ loss, acc, lr });
    } else run.show();
    if (run.due(settings.evalEvery)) {
      accuracy = right(test, await average.swap(() => evaluate(test)));
      run.folder.log({ step: run.step, testAcc: accuracy });
      run.note(`held out    ${percent(accuracy)} exactly right`);
    }
    if (run.due(settings.saveEvery)) await run.save(() => filesOf(learner), learner);
    if (run.over) break;
  }
  run.stop();
  const { folder } = run;
  model.loadStateDict(average.stateDict());
  printReport(test, await evaluate(test));
  await drawAttention(model, folder);
  await folder.write("model.safetensors", await tensorBytes(Object.entries(model.stateDict())));
  await folder.write("curves.svg", curvesSvg(await folder.metrics()));
  run.finish();
  expectAtLeast("held-out accuracy", accuracy, settings.expect);
}

// --------------------------------------------------------------------------------- other commands

async function openTrained(parsed: Parsed<Config>, name: string): Promise<[Transformer, Config]> {
  const { config: given } = parsed;
  await openDevice(given);
  const checkpoint = await findCheckpoint(name, { name: "translate" });
  const settings = resumeConfig(parsed, await savedConfig(checkpoint), ARCHITECTURE);
  const model = new Transformer(spoken.spokenTokenizer().vocabSize, settings);
  await loadWeights(`${checkpoint.path}/average.safetensors`, model);
  return [model, { ...settings, beams: given.beams, into: given.into }];
}

async function evalCommand(parsed: Parsed<Config>): Promise<void> {
  const name = parsed.args[0] ?? (parsed.config.resume || "last");
  const [model, settings] = await openTrained(parsed, name);
  const test = spoken.heldOutPairs(settings.testItems, settings.seed);
  const answers = await evaluator(model, settings.beams)(test);
  printReport(test, answers);
  expectAtLeast("held-out accuracy", right(test, answers), settings.expect);
}

async function translate(parsed: Parsed<Config>): Promise<void> {
  if (parsed.args.length === 0) throw new UsageError("translate: give at least one text");
  const [model, settings] = await openTrained(parsed, parsed.config.resume || "last");
  const into = settings.into as spoken.Pair["into"];
  const pairs = parsed.args.map((source) => ({ into, source, target: "" }));
  const tokenizer = spoken.spokenTokenizer();
  for (const pair of pairs) spoken.checkSource(tokenizer, pair);
  const answers = await evaluator(model, settings.beams)(pairs);
  pairs.forEach(({ source }, i) => console.log(`${source} → ${answers[i]}`));
}

async function main(): Promise<void> {
  const parsed = commandLine(script);
  if (parsed.command === "eval") return await evalCommand(parsed);
  if (parsed.command === "translate") return await translate(parsed);
  const { resume } = parsed.config;
  if (!resume) return await train(parsed.config);
  const checkpoint = await findCheckpoint(resume, { name: "translate" });
  await train(resumeConfig(parsed, await savedConfig(checkpoint), ARCHITECTURE), checkpoint);
}

if (import.meta.main) await runMain(main);
