/**
 * The networks that the benchmark times, the same as those of the PyTorch script beside the shared
 * workloads.
 *
 * @module
 */
import { cat, scaledDotProductAttention, type Tensor } from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";

const F = nn.functional;

/** Decoder-only transformer: pre-norm, learned positions, GELU, untied head. */
export class Gpt extends nn.Module {
  wte: nn.Embedding;
  wpe: nn.Embedding;
  h: nn.ModuleList;
  ln_f: nn.LayerNorm;
  head: nn.Linear;

  constructor(vocabulary = 65, context = 64, width = 128, heads = 4, layers = 4) {
    super();
    this.wte = new nn.Embedding(vocabulary, width);
    this.wpe = new nn.Embedding(context, width);
    this.h = new nn.ModuleList(Array.from({ length: layers }, () => new Block(width, heads)));
    this.ln_f = new nn.LayerNorm(width);
    this.head = new nn.Linear(width, vocabulary, { bias: false });
  }

  /** Logits `[B, T, V]` of tokens `[B, T]`. */
  override forward(tokens: Tensor): Tensor {
    const length = tokens.shape[1]!;
    let x = this.wte.forward(tokens).add(this.wpe.weight.slice(0, 0, length)); // [B, T, C]
    for (const block of this.h) x = (block as Block).forward(x);
    return this.head.forward(this.ln_f.forward(x));
  }
}

class Block extends nn.Module {
  ln_1: nn.LayerNorm;
  qkv: nn.Linear;
  proj: nn.Linear;
  ln_2: nn.LayerNorm;
  fc: nn.Linear;
  out: nn.Linear;
  readonly heads: number;

  constructor(width: number, heads: number) {
    super();
    this.heads = heads;
    this.ln_1 = new nn.LayerNorm(width);
    this.qkv = new nn.Linear(width, 3 * width);
    this.proj = new nn.Linear(width, width);
    this.ln_2 = new nn.LayerNorm(width);
    this.fc = new nn.Linear(width, 4 * width);
    this.out = new nn.Linear(4 * width, width);
  }

  override forward(x: Tensor): Tensor {
    const [batch, length, width] = x.shape as [number, number, number];
    const split = (t: Tensor): Tensor =>
      t.reshape([batch, length, this.heads, width / this.heads]).transpose(1, 2); // [B, H, T, D]
    const [q, k, v] = this.qkv.forward(this.ln_1.forward(x)).chunk(3, -1).map(split);
    const attended = scaledDotProductAttention(q!, k!, v!, { isCausal: true }); // [B, H, T, D]
    const merged = attended.transpose(1, 2).reshape([batch, length, width]);
    const y = x.add(this.proj.forward(merged));
    return y.add(this.out.forward(F.gelu(this.fc.forward(this.ln_2.forward(y)))));
  }
}

/** Embedding, recurrent layers, linear. */
export class RecurrentLm extends nn.Module {
  emb: nn.Embedding;
  rnn: nn.LSTM | nn.GRU;
  fc: nn.Linear;

  constructor(cell: "lstm" | "gru", vocabulary = 65, embedding = 128, hidden = 256, layers = 2) {
    super();
    this.emb = new nn.Embedding(vocabulary, embedding);
    const options = { numLayers: layers, batchFirst: true };
    this.rnn = cell === "lstm"
      ? new nn.LSTM(embedding, hidden, options)
      : new nn.GRU(embedding, hidden, options);
    this.fc = new nn.Linear(hidden, vocabulary);
  }

  /** Logits `[B, T, V]` of tokens `[B, T]`. */
  override forward(tokens: Tensor): Tensor {
    return this.fc.forward(this.rnn.forward(this.emb.forward(tokens))[0]);
  }
}

class Residual extends nn.Module {
  n1: nn.GroupNorm;
  c1: nn.Conv2d;
  t: nn.Linear;
  n2: nn.GroupNorm;
  c2: nn.Conv2d;
  skip: nn.Identity | nn.Conv2d;

  constructor(inChannels: number, outChannels: number, time: number) {
    super();
    this.n1 = new nn.GroupNorm(8, inChannels);
    this.c1 = new nn.Conv2d(inChannels, outChannels, 3, { padding: 1 });
    this.t = new nn.Linear(time, outChannels);
    this.n2 = new nn.GroupNorm(8, outChannels);
    this.c2 = new nn.Conv2d(outChannels, outChannels, 3, { padding: 1 });
    this.skip = inChannels === outChannels
      ? new nn.Identity()
      : new nn.Conv2d(inChannels, outChannels, 1);
  }

  override forward(x: Tensor, embedding: Tensor): Tensor {
    const shift = this.t.forward(F.silu(embedding)).unsqueeze(-1).unsqueeze(-1); // [N, C, 1, 1]
    const h = this.c1.forward(F.silu(this.n1.forward(x))).add(shift);
    return this.skip.forward(x).add(this.c2.forward(F.silu(this.n2.forward(h))));
  }
}

/** Two-level U-Net on 28×28: 28 → 14 → 7 and back, residual blocks with time embedding. */
export class UNet extends nn.Module {
  e1: nn.Linear;
  e2: nn.Linear;
  inp: nn.Conv2d;
  d1: Residual;
  down1: nn.Conv2d;
  d2: Residual;
  down2: nn.Conv2d;
  mid: Residual;
  up2: nn.Conv2d;
  u2: Residual;
  up1: nn.Conv2d;
  u1: Residual;
  n: nn.GroupNorm;
  out: nn.Conv2d;
  readonly width: number;

  constructor(width = 32) {
    super();
    const time = 4 * width;
    this.width = width;
    this.e1 = new nn.Linear(width, time);
    this.e2 = new nn.Linear(time, time);
    this.inp = new nn.Conv2d(1, width, 3, { padding: 1 });
    this.d1 = new Residual(width, width, time);
    this.down1 = new nn.Conv2d(width, width, 3, { stride: 2, padding: 1 });
    this.d2 = new Residual(width, 2 * width, time);
    this.down2 = new nn.Conv2d(2 * width, 2 * width, 3, { stride: 2, padding: 1 });
    this.mid = new Residual(2 * width, 2 * width, time);
    this.up2 = new nn.Conv2d(2 * width, 2 * width, 3, { padding: 1 });
    this.u2 = new Residual(4 * width, width, time);
    this.up1 = new nn.Conv2d(width, width, 3, { padding: 1 });
    this.u1 = new Residual(2 * width, width, time);
    this.n = new nn.GroupNorm(8, width);
    this.out = new nn.Conv2d(width, 1, 3, { padding: 1 });
  }

  /** Noise `[N, 1, 28, 28]` predicted from images and steps `[N]`; `frequencies` is `[width / 2]`. */
  override forward(x: Tensor, t: Tensor, frequencies: Tensor): Tensor {
    const angles = t.to("float32").unsqueeze(1).mul(frequencies); // [N, width / 2]
    const wave = cat([angles.sin(), angles.cos()], 1); // [N, width]
    const e = this.e2.forward(F.silu(this.e1.forward(wave))); // [N, 4 width]
    const double = (y: Tensor): Tensor => F.interpolate(y, { scaleFactor: 2 });
    const a = this.d1.forward(this.inp.forward(x), e); // [N, w, 28, 28]
    const b = this.d2.forward(this.down1.forward(a), e); // [N, 2w, 14, 14]
    const m = this.mid.forward(this.down2.forward(b), e); // [N, 2w, 7, 7]
    const u = this.u2.forward(cat([this.up2.forward(double(m)), b], 1), e); // [N, w, 14, 14]
    const v = this.u1.forward(cat([this.up1.forward(double(u)), a], 1), e); // [N, w, 28, 28]
    return this.out.forward(F.silu(this.n.forward(v)));
  }
}
