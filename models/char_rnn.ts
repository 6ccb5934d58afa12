/**
 * A recurrent language model: the next character (or token) of a text from all before it.
 *
 * Architecture: Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks" (char-rnn):
 * embedding, layers of LSTM (Hochreiter & Schmidhuber 1997), GRU (Cho et al. 2014) or plain cells (Elman
 * 1990) with dropout between them, one linear layer. Trained by truncated backpropagation through
 * time: rows of a batch continue those of the batch before, and so does the state.
 *
 * The README has what it reaches, and in what time.
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
import { loadTensors, type Tokenizer } from "@tensaurus/core/data";
import type { Script } from "./kit/config.ts";
import { openDevice } from "./kit/device.ts";
import { type Decoder, TokenGenerator } from "./kit/generate.ts";
import * as language from "./kit/language.ts";
import * as training from "./kit/language_run.ts";
import { commands, type OpenedModel, runLanguageScript } from "./kit/language_commands.ts";
import { runMain } from "./kit/main.ts";
import type { Checkpoint } from "./kit/run_folder.ts";
import { tensorBytes } from "./kit/state.ts";
import * as texts from "./kit/text.ts";

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
  evalEvery: 100,
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
    weightDecay: "Decay of weights (AdamW)",
  },
  limits: {
    ...language.limits,
    cell: ["rnn", "lstm", "gru"],
    layers: { min: 1, integer: true },
    hidden: { min: 1, integer: true },
    embedding: { min: 1, integer: true },
    dropout: { min: 0, max: 0.999 },
    context: { min: 1, integer: true },
    weightDecay: { min: 0 },
  },
  presets: {
    // Less than a minute on two cores; 1.80 after 600 of the steps.
    tiny: { cell: "gru", layers: 1, hidden: 128, embedding: 64, steps: 2000, batchSize: 16 },
    // What the defaults are: validation loss 1.64 on the sonnets.
    cpu: {},
    gpu: { hidden: 512, embedding: 256, context: 128, batchSize: 64, dropout: 0.5, steps: 2000 },
  },
  commands,
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

// -------------------------------------------------------------------------------------- evaluation

function openModel(settings: Config, tokenizer: Tokenizer): OpenedModel<CharRnn> {
  return { model: new CharRnn(tokenizer.vocabSize, settings), tokenizer };
}

/** Writes with a model. */
function generatorOf(model: CharRnn, _: Tokenizer, settings: Config): TokenGenerator {
  return new TokenGenerator(model.decoder(), language.samplingOf(settings));
}

/** Tracks of an evaluation: each has to begin without a past, so few are better. */
const EVAL_TRACKS = 8;

/** Gives a function for the mean loss over a text that is read from its beginning to its end. */
function evaluator(
  model: CharRnn,
  { validation }: texts.TokenText,
  { context, dryRun }: Config,
): () => Promise<number> {
  const loader = texts.trackBatches(validation, context, EVAL_TRACKS);
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

// ---------------------------------------------------------------------------------------- training

async function train(given: Config, checkpoint?: Checkpoint): Promise<void> {
  const once = { steps: (checkpoint?.step ?? 0) + 1, length: 4 };
  const settings = given.dryRun ? { ...given, ...once } : given;
  const device = await openDevice(settings);
  manualSeed(settings.seed);
  const known = checkpoint ? await texts.savedTokenizer(checkpoint) : undefined;
  const text = await texts.openText(settings, known);
  const { batchSize, context, weightDecay } = settings;
  const { model, tokenizer } = openModel(settings, text.tokenizer);
  const parameters = model.parameters();
  const optimizer = new optim.AdamW(parameters, { lr: settings.lr, weightDecay });
  const loader = texts.trackBatches(text.train, context, batchSize);
  const state = model.zeroState(loader.batchSize);

  const learner = { model, optimizer, loader, tokenizer };
  const options = { script: script.name, name: "rnn", device, settings, checkpoint };
  using run = await training.openRun(model, options);
  await training.beginRun(run, learner, checkpoint);
  if (checkpoint) {
    const carried = await loadTensors(`${checkpoint.path}/carried.safetensors`);
    setState(state, [...carried.values()]);
  }

  const sums = zeros([2]); // loss and gradient norm since the last line; they stay on the device
  const trainStep = compile((x: Tensor, y: Tensor) => {
    const loss = lossOf(model, x, y, state);
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
    files: async () => ({
      ...await training.filesOf(run, learner),
      "carried.safetensors": await tensorBytes(state.map((x, i) => [`${i}`, x])),
    }),
    evaluate: evaluator(model, text, settings),
    generator: generatorOf(model, tokenizer, settings),
  };

  while (!run.over) {
    if (loader.state().batch === 0) clearState(state); // the tracks begin again
    for await (const batch of loader) {
      const [x, y] = run.batch(batch) as [Tensor, Tensor];
      if (settings.overfitBatch) clearState(state);
      const lr = language.warmupCosine(run.step, settings);
      for (const group of optimizer.paramGroups) group.lr = lr;
      trainStep(x, y);
      await training.afterStep(run, between, lr);
      if (run.over) break;
    }
  }
  run.stop();
  await language.finishRun(run, { text, expect: settings.expect });
}

if (import.meta.main) {
  const parts = { name: "rnn", fixed: ARCHITECTURE, open: openModel, generator: generatorOf };
  await runMain(() => runLanguageScript(script, { ...parts, train, evaluator }));
}
