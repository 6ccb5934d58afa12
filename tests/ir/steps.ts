/** Training steps of small models, traced from the library's own operations. */
import * as T from "../../ops/mod.ts";
import { Adam } from "../../optim/mod.ts";

/** A step with its parameters and a batch. */
export interface Step {
  readonly run: (x: T.Tensor, y: T.Tensor) => Record<string, T.Tensor>;
  readonly parameters: readonly T.Tensor[];
  readonly batch: readonly [T.Tensor, T.Tensor];
}

class Parameters {
  readonly list: T.Tensor[] = [];

  weight(...shape: number[]): T.Tensor {
    const scale = 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1));
    return this.#add(T.randn(shape).mul(scale));
  }

  bias(size: number, value = 0): T.Tensor {
    return this.#add(T.full([size], value));
  }

  #add(x: T.Tensor): T.Tensor {
    const parameter = x.detach().clone().setRequiresGrad(true);
    this.list.push(parameter);
    return parameter;
  }
}

function trainable(
  parameters: Parameters,
  loss: (x: T.Tensor, y: T.Tensor) => Record<string, T.Tensor> & { loss: T.Tensor },
  batch: readonly [T.Tensor, T.Tensor],
): Step {
  const optimizer = new Adam(parameters.list, { lr: 1e-2 });
  return {
    parameters: parameters.list,
    batch,
    run(x, y) {
      optimizer.zeroGrad();
      const results = loss(x, y);
      results.loss.backward();
      optimizer.step();
      return results;
    },
  };
}

/** Three convolutions with ReLU, two max pools, dropout, two linear layers, accuracy, Adam. */
export function cnnStep(batch: number, size: number, channels: readonly number[]): Step {
  const p = new Parameters();
  const [a, b, c] = channels as [number, number, number];
  const convolutions = [[1, a], [a, b], [b, c]].map(([i, o]) => ({
    weight: p.weight(o!, i!, 3, 3),
    bias: p.bias(o!),
  }));
  const features = c * (size / 4) ** 2;
  const hidden = { weight: p.weight(32, features), bias: p.bias(32) };
  const head = { weight: p.weight(10, 32), bias: p.bias(10) };
  function forward(x: T.Tensor): T.Tensor {
    let h = x;
    for (const [i, { weight, bias }] of convolutions.entries()) {
      h = T.relu(T.conv2d(h, weight, { bias, padding: 1 }));
      if (i > 0) h = T.maxPool2d(h, 2);
    }
    h = T.relu(T.linear(h.reshape([batch, features]), hidden.weight, hidden.bias));
    return T.linear(T.dropout(h, { p: 0.5 }), head.weight, head.bias);
  }
  const images = T.randn([batch, 1, size, size]), labels = T.randint(0, 10, [batch]);
  return trainable(p, (x, y) => {
    const logits = forward(x);
    return { loss: T.crossEntropy(logits, y), correct: logits.argmax(1).eq(y).sum() };
  }, [images, labels]);
}

/** A transformer as GPT-2's, with dropout and tied embeddings, and Adam. */
export function gptStep(
  layers: number,
  width: number,
  batch: number,
  length: number,
  tiled = false,
): Step {
  const p = new Parameters();
  const vocabulary = 17, heads = 2, size = width / heads;
  const tokens = p.weight(vocabulary, width), positions = p.weight(length, width);
  const norm = () => ({ weight: p.bias(width, 1), bias: p.bias(width) });
  const dense = (i: number, o: number) => ({ weight: p.weight(o, i), bias: p.bias(o) });
  const blocks = Array.from({ length: layers }, () => ({
    norm1: norm(),
    mix: dense(width, 3 * width),
    out: dense(width, width),
    norm2: norm(),
    up: dense(width, 4 * width),
    down: dense(4 * width, width),
  }));
  const last = norm();
  type Dense = ReturnType<typeof dense>;
  const apply = (x: T.Tensor, { weight, bias }: Dense) => T.linear(x, weight, bias);
  function plain(q: T.Tensor, k: T.Tensor, v: T.Tensor): T.Tensor {
    const scores = T.matmul(q, k.permute([0, 1, 3, 2])).mul(1 / Math.sqrt(size));
    const mask = T.ones([length, length], { dtype: "bool" }).tril();
    return T.matmul(T.softmax(T.where(mask, scores, -Infinity), -1), v);
  }
  function attention(x: T.Tensor, block: (typeof blocks)[number]): T.Tensor {
    const mixed = apply(x, block.mix);
    const [q, k, v] = [0, 1, 2].map((i) =>
      mixed.slice(2, i * width, (i + 1) * width)
        .reshape([batch, length, heads, size]).permute([0, 2, 1, 3])
    ) as [T.Tensor, T.Tensor, T.Tensor];
    const y = (tiled ? T.scaledDotProductAttention(q, k, v, { isCausal: true }) : plain(q, k, v))
      .permute([0, 2, 1, 3]).reshape([batch, length, width]);
    return T.dropout(apply(y, block.out), { p: 0.1 });
  }
  const ids = () => T.randint(0, vocabulary, [batch, length]);
  return trainable(p, (x, y) => {
    let h = T.embedding(x, tokens).add(positions);
    for (const block of blocks) {
      h = h.add(attention(T.layerNorm(h, [width], block.norm1), block));
      const wide = T.gelu(apply(T.layerNorm(h, [width], block.norm2), block.up));
      h = h.add(T.dropout(apply(wide, block.down), { p: 0.1 }));
    }
    const logits = T.linear(T.layerNorm(h, [width], last), tokens);
    const rows = batch * length;
    return { loss: T.crossEntropy(logits.reshape([rows, vocabulary]), y.reshape([rows])) };
  }, [ids(), ids()]);
}

/** One LSTM layer over a sequence, the last state classified. */
export function lstmStep(batch: number, length: number, width: number): Step {
  const p = new Parameters();
  const input = p.weight(4 * width, 3), hidden = p.weight(4 * width, width);
  const bias = p.bias(4 * width), head = p.weight(5, width);
  const labels = T.randint(0, 5, [batch]);
  return trainable(p, (x, y) => {
    const zeros = T.zeros([batch, width]);
    const [states] = T.lstmSequence(T.linear(x, input, bias), zeros, zeros, hidden);
    const last = states.slice(0, length, length + 1).reshape([batch, width]);
    return { loss: T.crossEntropy(T.linear(last, head), y) };
  }, [T.randn([length, batch, 3]), labels]);
}

/** Residual blocks with group normalization and SiLU, strided down and up again, mean squared error. */
export function unetStep(batch: number, size: number, channels: number): Step {
  const p = new Parameters();
  const conv = (i: number, o: number, k = 3) => ({
    weight: p.weight(o, i, k, k),
    bias: p.bias(o),
    padding: (k - 1) / 2,
  });
  const norm = (c: number) => ({ weight: p.bias(c, 1), bias: p.bias(c) });
  const block = (i: number, o: number) => ({
    norm1: norm(i),
    conv1: conv(i, o),
    norm2: norm(o),
    conv2: conv(o, o),
    skip: i === o ? undefined : conv(i, o, 1),
  });
  const first = conv(1, channels), down = conv(channels, 2 * channels);
  const middle = block(2 * channels, 2 * channels);
  const up = block(3 * channels, channels), final = conv(channels, 1);
  const run = (x: T.Tensor, c: ReturnType<typeof conv>, stride = 1) =>
    T.conv2d(x, c.weight, { bias: c.bias, padding: c.padding, stride });
  function residual(x: T.Tensor, b: ReturnType<typeof block>): T.Tensor {
    let h = run(T.silu(T.groupNorm(x, 2, b.norm1)), b.conv1);
    h = run(T.silu(T.groupNorm(h, 2, b.norm2)), b.conv2);
    return h.add(b.skip ? run(x, b.skip) : x);
  }
  const image = () => T.randn([batch, 1, size, size]);
  return trainable(p, (x, y) => {
    const a = run(x, first);
    const low = residual(run(a, down, 2), middle);
    const wide = low.reshape([batch, 2 * channels, size / 2, 1, size / 2, 1])
      .expand([batch, 2 * channels, size / 2, 2, size / 2, 2])
      .reshape([batch, 2 * channels, size, size]);
    const h = residual(T.cat([a, wide], 1), up);
    return { loss: run(h, final).sub(y).square().mean() };
  }, [image(), image()]);
}
