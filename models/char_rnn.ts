/**
 * A recurrent language model: the next character (or token) of a text from all before it.
 *
 * Architecture: Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks" (char-rnn):
 * embedding, layers of LSTM (Hochreiter & Schmidhuber 1997), GRU (Cho et al. 2014) or plain cells (Elman
 * 1990) with dropout between them, one linear layer. Trained by truncated backpropagation through
 * time: rows of a batch continue those of the batch before, and so does the state.
 *
 * The README has what each preset reaches, and in what time.
 *
 * ```sh
 * deno run -A models/char_rnn.ts --preset tiny            # a minute on two cores
 * deno run -A models/char_rnn.ts --cell gru --text a.txt b.txt
 * deno run -A models/char_rnn.ts eval runs/rnn-001
 * deno run -A models/char_rnn.ts sample runs/rnn-001 --prompt "Shall I" --temperature 0.7
 * ```
 *
 * @module
 */
import { compile, manualSeed, noGrad, stack, type Tensor, zeros } from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import * as optim from "@tensaurus/core/optim";
import { type LoaderState, loadTensors, type Tokenizer } from "@tensaurus/core/data";
import { commandLine, type Parsed, resumeConfig, type Script } from "./kit/config.ts";
import { openDevice, printStart } from "./kit/device.ts";
import { type Decoder, TokenGenerator, writeText } from "./kit/generate.ts";
import { Interrupt } from "./kit/interrupt.ts";
import * as language from "./kit/language.ts";
import { runMain } from "./kit/main.ts";
import { Progress } from "./kit/progress.ts";
import { type Checkpoint, findCheckpoint, RunFolder, savedConfig } from "./kit/run_folder.ts";
import { checkpointFiles, loadCheckpoint, loadWeights, tensorBytes } from "./kit/state.ts";
import { openText, savedTokenizer, trackBatches } from "./kit/text.ts";

const F = nn.functional;

// ---------------------------------------------------------------------------------------- settings

const config = {
  ...language.config,
  cell: "lstm",
  layers: 2,
  hidden: 256,
  embedding: 128,
  dropout: 0.2,
  forgetBias: 0,
  context: 64,
  steps: 1000,
  batchSize: 32,
  lr: 3e-3,
  minLr: 3e-4,
  warmup: 20,
  weightDecay: 0,
  clip: 5,
  seed: 0,
  device: "auto",
  out: "",
  resume: "",
  logEvery: 50,
  evalEvery: 100,
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
  name: "models/char_rnn.ts",
  about: "A recurrent language model (RNN, LSTM, GRU) on text.",
  config,
  describe: {
    ...language.describe,
    cell: "Kind of layer",
    layers: "Layers",
    hidden: "Size of a layer's state",
    embedding: "Size of a token's vector",
    dropout: "Probability of dropping between layers and before the last",
    forgetBias: "Offset of an LSTM's forget gates at the start; 0 leaves it to chance",
    context: "Tokens between two updates; the state goes on, its gradient does not",
    minLr: "Learning rate at the end",
    warmup: "Steps until the learning rate is reached",
    weightDecay: "Decay of weights (AdamW)",
    clip: "Greatest norm of all gradients; 0 for none",
    expect: "Exit with status 1 where the validation loss ends above this; 0 expects nothing",
  },
  limits: {
    ...language.limits,
    cell: ["rnn", "lstm", "gru"],
    layers: { min: 1, integer: true },
    hidden: { min: 1, integer: true },
    embedding: { min: 1, integer: true },
    dropout: { min: 0, max: 0.999 },
    context: { min: 1, integer: true },
    warmup: { min: 0, integer: true },
    weightDecay: { min: 0 },
    clip: { min: 0 },
  },
  presets: {
    // Less than a minute on two cores; 1.80 after 600 of the steps.
    tiny: { cell: "gru", layers: 1, hidden: 128, embedding: 64, steps: 2000, batchSize: 16 },
    // What the defaults are: validation loss 1.64 on the sonnets.
    cpu: {},
    gpu: { hidden: 512, embedding: 256, context: 128, batchSize: 64, dropout: 0.5, steps: 2000 },
  },
  commands: {
    train: { about: "Train, evaluate and write a sample (the default)" },
    eval: { about: "Loss, perplexity and bits per character", positional: "CHECKPOINT" },
    sample: { about: "Write text with a run or a checkpoint", positional: "CHECKPOINT" },
  },
};

/** Settings that the weights of a run depend on. */
const ARCHITECTURE = ["tokenizer", "vocabSize", "cell", "layers", "hidden", "embedding"] as const;

// ------------------------------------------------------------------------------------------- model

/** What the layers remember, `[layers, B, hidden]` each: hidden states, and the cells of an LSTM. */
type State = readonly Tensor[];

/** The language model. */
export class CharRnn extends nn.Module {
  emb: nn.Embedding;
  rnn: nn.RNN | nn.LSTM | nn.GRU;
  drop: nn.Dropout;
  fc: nn.Linear;
  readonly #stateShape: readonly [layers: number, hidden: number];

  constructor(
    vocabSize: number,
    o: Pick<Config, "cell" | "layers" | "hidden" | "embedding" | "dropout" | "forgetBias">,
  ) {
    super();
    const { cell, layers, hidden, embedding, forgetBias } = o;
    const dropout = layers > 1 ? o.dropout : 0; // between layers
    const options = { numLayers: layers, dropout, batchFirst: true };
    this.emb = new nn.Embedding(vocabSize, embedding);
    if (cell === "lstm") this.rnn = new nn.LSTM(embedding, hidden, options);
    else if (cell === "gru") this.rnn = new nn.GRU(embedding, hidden, options);
    else this.rnn = new nn.RNN(embedding, hidden, options);
    this.drop = new nn.Dropout(o.dropout);
    this.fc = new nn.Linear(hidden, vocabSize);
    this.#stateShape = [layers, hidden];
    if (cell === "lstm" && forgetBias !== 0) this.#openForgetGates(forgetBias, hidden);
  }

  /** A cell that keeps what it has learns long spans sooner (Jozefowicz et al. 2015). */
  #openForgetGates(value: number, hidden: number): void {
    for (const [name, bias] of this.rnn.namedParameters()) {
      if (!name.startsWith("bias")) continue;
      // Gates stand in the order i, f, g, o; of the two offsets that are added, one is 0.
      const forget = bias.detach().slice(0, hidden, 2 * hidden);
      nn.init.constant_(forget, name.startsWith("bias_ih") ? value : 0);
    }
  }

  /** The state before the first token. */
  zeroState(batch: number): State {
    const [layers, hidden] = this.#stateShape;
    const count = this.rnn instanceof nn.LSTM ? 2 : 1;
    return Array.from({ length: count }, () => zeros([layers, batch, hidden]));
  }

  /** Logits `[B, T, V]` of tokens `[B, T]` that follow a state, and the state after them. */
  override forward(tokens: Tensor, state?: State): [Tensor, State] {
    const [y, after] = this.#layers(this.emb.forward(tokens), state); // [B, T, H]
    return [this.fc.forward(this.drop.forward(y)), after]; // [B, T, V]
  }

  #layers(x: Tensor, state?: State): [Tensor, State] {
    if (this.rnn instanceof nn.LSTM) return this.rnn.forward(x, state as [Tensor, Tensor]);
    const [y, hidden] = this.rnn.forward(x, state?.[0]);
    return [y, [hidden]];
  }

  /** This model with a memory, for generation. */
  decoder(batch = 1): Decoder {
    const state = this.zeroState(batch);
    return {
      context: Infinity,
      next: (tokens) => {
        const [logits, after] = this.forward(tokens, state);
        setState(state, after);
        return logits.select(1, -1); // [B, V]
      },
      reset: () => clearState(state),
    };
  }
}

/** Writes a state in place, cut off from its history. */
function setState(state: State, after: State): void {
  noGrad(() => state.forEach((x, i) => x.copy_(after[i]!.detach())));
}

function clearState(state: State): void {
  noGrad(() => state.forEach((x) => x.zero_()));
}

/** Mean cross-entropy of the targets `[B, T]`; the state is taken up and left in place. */
function lossOf(model: CharRnn, x: Tensor, y: Tensor, state: State): Tensor {
  const [logits, after] = model.forward(x, state); // [B, T, V]
  setState(state, after);
  return F.crossEntropy(logits.flatten(0, 1), y.flatten());
}

// ---------------------------------------------------------------------------------------- training

async function train(given: Config, checkpoint?: Checkpoint): Promise<void> {
  const once = { steps: (checkpoint?.step ?? 0) + 1, length: 4 };
  const settings = given.dryRun ? { ...given, ...once } : given;
  const device = await openDevice(settings.device);
  manualSeed(settings.seed);
  const known = checkpoint ? await savedTokenizer(checkpoint) : undefined;
  const { tokenizer, train: tokens, validation, charactersPerToken } = await openText(
    settings,
    known,
  );
  const { batchSize, context, lr, weightDecay } = settings;
  const model = new CharRnn(tokenizer.vocabSize, settings);
  const parameters = model.parameters();
  const optimizer = new optim.AdamW(parameters, { lr, weightDecay });
  const loader = trackBatches(tokens, context, batchSize);
  const state = model.zeroState(loader.batchSize);

  let step = 0, best = Infinity, val: number | undefined;
  let folder: RunFolder;
  if (!checkpoint) {
    folder = await RunFolder.create({ out: settings.out, name: "rnn", config: settings });
    await folder.write("tokenizer.json", JSON.stringify(tokenizer));
  } else {
    folder = await RunFolder.resume(checkpoint);
    const saved = await loadCheckpoint(checkpoint.path, { model, optimizer });
    loader.loadState(saved["loader"] as LoaderState);
    [step, best] = [checkpoint.step, saved["best"] as number | null ?? Infinity];
    const carried = await loadTensors(`${checkpoint.path}/carried.safetensors`);
    setState(state, [...carried.values()]);
  }
  printStart({
    device,
    parameters: parameters.reduce((n, p) => n + p.numel, 0),
    perStep: `${batchSize * context} tokens`,
    folder: folder.path,
  }, settings);

  const sums = zeros([2]); // loss and gradient norm since the last line; they stay on the device
  const trainStep = compile((x: Tensor, y: Tensor) => {
    const loss = lossOf(model, x, y, state);
    loss.backward();
    const norm = optim.clipGradNorm(parameters, settings.clip || Infinity)!;
    optimizer.step();
    optimizer.zeroGrad(); // after the step: gradients that nobody reads later need no memory
    noGrad(() => sums.add_(stack([loss, norm])));
  }, { name: "trainStep" });
  const generator = new TokenGenerator(model.decoder(), language.samplingOf(settings));

  using interrupt = new Interrupt();
  const progress = new Progress({
    total: settings.steps,
    start: step,
    perStep: batchSize * context,
    unit: "tok",
    columns: ["loss", "val", "lr", "norm"],
    logEvery: settings.logEvery,
  });
  const files = async () => ({
    ...await checkpointFiles({ model, optimizer, progress: { loader: loader.state(), best } }),
    "carried.safetensors": await tensorBytes(state.map((x, i) => [`${i}`, x])),
  });
  const began = performance.now();
  const evaluate = evaluator(model, validation, settings);
  let lines = step; // steps at the last line
  let done = false;
  let fixed: [Tensor, Tensor] | undefined;
  while (!done) {
    if (loader.state().batch === 0) clearState(state); // the tracks begin again
    for await (const [x, y] of loader) {
      if (settings.overfitBatch) fixed ??= [x!, y!];
      if (fixed) clearState(state);
      const lr = language.warmupCosine(step, settings);
      for (const group of optimizer.paramGroups) group.lr = lr;
      trainStep(...fixed ?? [x!, y!]);
      step++;
      if (lines === 0 && step === 1) {
        await sums.data();
        const seconds = ((performance.now() - began) / 1000).toFixed(2);
        progress.note(`compiled    ${seconds} s to the end of the first step`);
      }
      done = step >= settings.steps || interrupt.requested;
      if (done || settings.evalEvery && step % settings.evalEvery === 0) {
        val = await evaluate();
        folder.log({ step, val });
        if (val < best) {
          best = val;
          await folder.saveBest(step, await files());
        }
      }
      if (done || step % settings.logEvery === 0) {
        const [loss, norm] = Array.from(await sums.data(), (sum) => sum / (step - lines));
        noGrad(() => sums.zero_());
        lines = step;
        if (Number.isNaN(loss)) {
          throw new Error(`the loss is NaN at step ${step} (try a smaller --lr)`);
        }
        folder.log({ step, loss, lr, norm });
        progress.update(step, { loss, val, lr, norm });
      } else progress.update(step);
      if (done || settings.saveEvery && step % settings.saveEvery === 0) {
        const { path } = await folder.save(step, await files());
        if (settings.dryRun) await loadCheckpoint(path, { model, optimizer });
      }
      if (done || settings.sampleEvery && step % settings.sampleEvery === 0) {
        const { prompt, length } = settings;
        model.eval();
        const { text } = await writeText(generator, tokenizer, prompt, { length });
        model.train();
        progress.note(`--- step ${step}\n${text}\n---`);
      }
      if (done) break;
    }
  }
  progress.stop();
  await language.finishRun(folder);
  console.log(`best validation ${language.lossText(best, charactersPerToken)}`);
  console.log(`run folder  ${folder.path}`);
  if (interrupt.requested) {
    console.log(`go on with  deno run -A models/char_rnn.ts --resume ${folder.path}`);
  }
  language.checkLoss(best, settings.expect);
}

// -------------------------------------------------------------------------------------- evaluation

/** Tracks of an evaluation: each has to begin without a past, so few are better. */
const EVAL_TRACKS = 8;

/** Gives a function for the mean loss over a text that is read from its beginning to its end. */
function evaluator(
  model: CharRnn,
  tokens: ArrayLike<number>,
  { context, dryRun }: Pick<Config, "context" | "dryRun">,
): () => Promise<number> {
  const loader = trackBatches(tokens, context, EVAL_TRACKS);
  const state = model.zeroState(loader.batchSize);
  const sum = zeros([]);
  const evalStep = compile((x: Tensor, y: Tensor) => {
    noGrad(() => sum.add_(lossOf(model, x, y, state)));
  }, { name: "evalStep" });
  return async () => {
    model.eval();
    clearState(state);
    noGrad(() => sum.zero_());
    let batches = 0;
    for await (const [x, y] of loader) {
      evalStep(x!, y!);
      batches++;
      if (dryRun) break;
    }
    model.train();
    return await sum.item() / batches;
  };
}

// --------------------------------------------------------------------------------- other commands

async function openTrained(
  parsed: Parsed<Config>,
): Promise<{ model: CharRnn; tokenizer: Tokenizer; settings: Config }> {
  const { config: given, args } = parsed;
  await openDevice(given.device);
  manualSeed(given.seed);
  const checkpoint = await findCheckpoint(args[0] ?? (given.resume || "last"), { name: "rnn" });
  const settings = resumeConfig(parsed, await savedConfig(checkpoint), ARCHITECTURE);
  const tokenizer = await savedTokenizer(checkpoint);
  const model = new CharRnn(tokenizer.vocabSize, settings);
  await loadWeights(`${checkpoint.path}/model.safetensors`, model);
  return { model: model.eval(), tokenizer, settings };
}

async function evalCommand(parsed: Parsed<Config>): Promise<void> {
  const { model, tokenizer, settings } = await openTrained(parsed);
  const { validation, charactersPerToken } = await openText(settings, tokenizer);
  const loss = await evaluator(model, validation, settings)();
  console.log(`validation ${language.lossText(loss, charactersPerToken)}`);
  language.checkLoss(loss, settings.expect);
}

async function sample(parsed: Parsed<Config>): Promise<void> {
  const { model, tokenizer } = await openTrained(parsed);
  const generator = new TokenGenerator(model.decoder(), language.samplingOf(parsed.config));
  await language.showSample(generator, tokenizer, parsed.config);
}

async function main(): Promise<void> {
  const parsed = commandLine(script);
  if (parsed.command === "sample") return await sample(parsed);
  if (parsed.command === "eval") return await evalCommand(parsed);
  const { resume } = parsed.config;
  if (!resume) return await train(parsed.config);
  const checkpoint = await findCheckpoint(resume, { name: "rnn" });
  await train(resumeConfig(parsed, await savedConfig(checkpoint), ARCHITECTURE), checkpoint);
}

if (import.meta.main) await runMain(main);
