/** Runs cases of whole training runs: the losses of each step, compiled. */
import { compile, type DeviceName, F, nn, optim, type Tensor, tensor } from "../../mod.ts";
import { type Case, type CaseFile, decodeTensor, type EncodedTensor } from "./cases.ts";
import type { Outcome } from "./cases.ts";
import { Comparison } from "./compare.ts";
import { run as runDdpm } from "./ddpm.ts";

/** The CNN of the first training script, without dropout. */
class SeedCnn extends nn.Module {
  conv1: nn.Conv2d = new nn.Conv2d(3, 32, 3, { padding: 1 });
  conv2: nn.Conv2d = new nn.Conv2d(32, 64, 3, { padding: 1 });
  conv3: nn.Conv2d = new nn.Conv2d(64, 128, 3, { padding: 1 });
  fc1: nn.Linear = new nn.Linear(128 * 12 * 12, 512);
  fc2: nn.Linear = new nn.Linear(512, 10);

  forward(images: Tensor): Tensor {
    let x = F.relu(this.conv1.forward(images)); // [N, 32, 48, 48]
    x = F.maxPool2d(F.relu(this.conv2.forward(x)), 2); // [N, 64, 24, 24]
    x = F.maxPool2d(F.relu(this.conv3.forward(x)), 2); // [N, 128, 12, 12]
    x = F.relu(this.fc1.forward(x.flatten(1))); // [N, 512]
    return this.fc2.forward(x); // [N, 10]
  }
}

/** Parameters by the formula of the case: sin(12.9898 j + 78.233 i) / √(size of a row, or of a bias). */
function fillByFormula(model: nn.Module): void {
  const state: [string, Tensor][] = [];
  for (const [i, [name, p]] of model.namedParameters().entries()) {
    const row = p.ndim > 1 ? p.numel / p.shape[0]! : p.numel;
    const values = Float64Array.from(
      { length: p.numel },
      (_, j) => Math.sin(12.9898 * j + 78.233 * i) / Math.sqrt(row),
    );
    state.push([name, tensor(values, { shape: p.shape, dtype: "float32" })]);
  }
  model.loadStateDict(state);
}

function images(t: number, batch: number, r: number): Tensor {
  const shape = [batch, 3, 48, 48];
  const values = Float64Array.from(
    { length: batch * 3 * 48 * 48 },
    (_, j) => Math.cos(0.7351 * j * r + 1.37 * t),
  );
  return tensor(values, { shape, dtype: "float32" });
}

type Classifier = nn.Module & { forward(x: Tensor): Tensor };

/** Losses of the first steps, and logits of the first, on the batches of a case. */
async function runTraining(
  label: string,
  test: Case,
  model: Classifier,
  optimizer: optim.Optimizer,
  batchOf: (t: number) => [Tensor, Tensor],
): Promise<Outcome> {
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const logits = model.forward(x);
    const loss = F.crossEntropy(logits.flatten(0, -2), y.flatten());
    loss.backward();
    optimizer.step();
    return { loss, logits };
  });
  const comparison = new Comparison(label);
  const wanted = test.losses as number[];
  const losses: number[] = [];
  for (let t = 0; t < wanted.length; t++) {
    const { loss, logits } = step(...batchOf(t));
    if (t === 0 && test.logits0) await comparison.value("logits", logits, test.logits0);
    losses.push(await loss.item());
  }
  comparison.numbers("loss", losses, wanted);
  return comparison.outcome;
}

async function runSeedCnn(label: string, test: Case): Promise<Outcome> {
  const r = Number(test.r), batch = Number(test.batch);
  const model = new SeedCnn();
  fillByFormula(model);
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3, weightDecay: 1e-4 });
  return await runTraining(label, test, model, optimizer, (t) => {
    const labels = Array.from({ length: batch }, (_, b) => (3 * t + b * r) % 10);
    return [images(t, batch, r), tensor(labels, { dtype: "int32" })];
  });
}

/** A pre-norm block; names are those of the case. */
class Block extends nn.Module {
  ln_1: nn.LayerNorm;
  qkv: nn.Linear;
  proj: nn.Linear;
  ln_2: nn.LayerNorm;
  fc: nn.Linear;
  out: nn.Linear;
  readonly heads: number;

  constructor(size: number, heads: number, inner: number) {
    super();
    this.heads = heads;
    this.ln_1 = new nn.LayerNorm(size);
    this.qkv = new nn.Linear(size, 3 * size);
    this.proj = new nn.Linear(size, size);
    this.ln_2 = new nn.LayerNorm(size);
    this.fc = new nn.Linear(size, inner);
    this.out = new nn.Linear(inner, size);
  }

  forward(x: Tensor): Tensor {
    const [batch, steps, size] = x.shape as [number, number, number];
    const split = (y: Tensor) =>
      y.reshape([batch, steps, this.heads, size / this.heads]).transpose(1, 2);
    const [q, k, v] = this.qkv.forward(this.ln_1.forward(x)).chunk(3, -1).map(split);
    const seen = F.scaledDotProductAttention(q!, k!, v!, { isCausal: true });
    const y = x.add(this.proj.forward(seen.transpose(1, 2).reshape([batch, steps, size])));
    const hidden = F.gelu(this.fc.forward(this.ln_2.forward(y)), { approximate: "tanh" });
    return y.add(this.out.forward(hidden));
  }
}

class Gpt extends nn.Module {
  wte: nn.Embedding;
  wpe: nn.Embedding;
  h: Block[];
  ln_f: nn.LayerNorm;
  head: nn.Linear;

  constructor(state: Readonly<Record<string, Tensor>>, heads: number) {
    super();
    const [classes, size] = state["wte.weight"]!.shape as [number, number];
    const count = Object.keys(state).filter((key) => /^h\.\d+\.qkv\.weight$/.test(key)).length;
    this.wte = new nn.Embedding(classes, size);
    this.wpe = new nn.Embedding(state["wpe.weight"]!.shape[0]!, size);
    const inner = state["h.0.fc.weight"]!.shape[0]!;
    this.h = Array.from({ length: count }, () => new Block(size, heads, inner));
    this.ln_f = new nn.LayerNorm(size);
    this.head = new nn.Linear(size, classes, { bias: "head.bias" in state });
  }

  forward(tokens: Tensor): Tensor {
    const positions = F.arange(0, tokens.size(-1));
    let x = this.wte.forward(tokens).add(this.wpe.forward(positions));
    for (const block of this.h) x = block.forward(x);
    return this.head.forward(this.ln_f.forward(x));
  }
}

type RecurrentKind = "lstm" | "gru" | "rnn";

class RecurrentModel extends nn.Module {
  emb: nn.Embedding;
  rnn: nn.LSTM | nn.GRU | nn.RNN;
  fc: nn.Linear;

  constructor(state: Readonly<Record<string, Tensor>>, kind: RecurrentKind) {
    super();
    const [classes, size] = state["emb.weight"]!.shape as [number, number];
    const hidden = state["rnn.weight_hh_l0"]!.shape[1]!;
    const numLayers = Object.keys(state).filter((key) => /weight_ih_l\d+$/.test(key)).length;
    const options = { numLayers, batchFirst: true };
    const kinds = { lstm: nn.LSTM, gru: nn.GRU, rnn: nn.RNN };
    this.emb = new nn.Embedding(classes, size);
    this.rnn = new kinds[kind](size, hidden, options);
    this.fc = new nn.Linear(hidden, classes);
  }

  forward(tokens: Tensor): Tensor {
    return this.fc.forward(this.rnn.forward(this.emb.forward(tokens))[0]);
  }
}

/** Next-token losses on the same tokens, step by step. */
async function runLanguageModel(
  label: string,
  test: Case,
  model: Classifier,
  optimizer: optim.Optimizer,
): Promise<Outcome> {
  const tokens = decodeTensor(test.tokens as EncodedTensor);
  const length = tokens.shape[1]! - 1;
  const inputs = tokens.narrow(1, 0, length), targets = tokens.narrow(1, 1, length);
  return await runTraining(label, test, model, optimizer, () => [inputs, targets]);
}

/** Runs one case. */
export async function run(file: CaseFile, index: number, device: DeviceName): Promise<Outcome> {
  const test = file.cases[index]!;
  const name = file.name.replace(/^model\./, "");
  if (name === "ddpm") return await runDdpm(file, index, device);
  if (name === "seed_cnn") return await runSeedCnn(file.name, test);
  const state = Object.fromEntries(
    Object.entries(test.state as Record<string, EncodedTensor>)
      .map(([key, value]) => [key, decodeTensor(value)]),
  );
  const kind = /^lm_(lstm|gru|rnn)$/.exec(name)?.[1] as RecurrentKind | undefined;
  if (!kind && name !== "gpt") throw new Error(`no model "${name}"`);
  const model = kind ? new RecurrentModel(state, kind) : new Gpt(state, Number(test.heads));
  model.loadStateDict(state);
  const optimizer = kind
    ? new optim.Adam(model.parameters(), { lr: 1e-2 })
    : new optim.AdamW(model.parameters(), { lr: 3e-3 });
  return await runLanguageModel(file.name, test, model, optimizer);
}
