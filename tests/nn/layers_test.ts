import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  compile,
  DtypeError,
  manualSeed,
  nn,
  noGrad,
  ones,
  rand,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from "../../mod.ts";

Deno.test("layers refuse settings that are not allowed, with the numbers", () => {
  const cases: [() => unknown, string][] = [
    [() => new nn.Linear(-1, 2), "Linear: inFeatures -1 is not a whole number of at least 0"],
    [() => new nn.Conv2d(3, 0, 3), "Conv2d: outChannels 0 is not a whole number of at least 1"],
    [() => new nn.Conv2d(3, 4, undefined as unknown as number), "Conv2d: kernelSize is missing"],
    [
      () => new nn.LSTM(1, 1).forward(zeros([3, 2, 1]), zeros([1, 2, 1]) as unknown as undefined),
      "LSTM: state is no pair [hidden state, cell state]",
    ],
    [
      () => new nn.Conv2d(3, 4, 3, { groups: 2 }),
      "Conv2d: inChannels 3 is not divisible by groups 2",
    ],
    [
      () => new nn.Conv1d(1, 1, 3, { padding: "same", stride: 2 }),
      'Conv1d: padding "same" needs stride 1: stride [2]',
    ],
    [
      () => new nn.Conv2d(1, 1, 3, { paddingMode: "mirror" as "reflect" }),
      'Conv2d: paddingMode "mirror" is not one of zeros, reflect, replicate, circular',
    ],
    [() => new nn.Dropout(1.5), "Dropout: p 1.5 is not between 0 and 1"],
    [
      () => new nn.GroupNorm(3, 4),
      "GroupNorm: numChannels 4 is not divisible by numGroups 3",
    ],
    [
      () => new nn.MultiheadAttention(10, 4),
      "MultiheadAttention: embedDim 10 is not divisible by numHeads 4",
    ],
    [
      () => new nn.Embedding(3, 2, { paddingIdx: 3 }),
      "Embedding: paddingIdx 3 is no row of 3",
    ],
    [
      () => new nn.LSTM(2, 2, { projSize: 2 }),
      "LSTM: projSize 2 is not below hiddenSize 2",
    ],
    [
      () => new nn.ConvTranspose1d(1, 1, 2, { outputPadding: 1 }).forward(zeros([1, 4])),
      "convTranspose1d: outputPadding 1 is not below stride or dilation: limit 1",
    ],
    [
      () => new nn.Upsample({ size: 2, mode: "cubic" as "bicubic" }).forward(zeros([1, 1, 2])),
      'interpolate: mode "cubic" is not one of nearest, nearest-exact, linear, bilinear, trilinear, bicubic, area',
    ],
    [
      () => new nn.GELU({ approximate: "erf" as "none" }).forward(zeros([1])),
      'gelu: approximate "erf" is not one of none, tanh',
    ],
    [
      () => nn.functional.pad(zeros([1, 2]), [1, 0], { mode: "edge" as "reflect" }),
      'pad: mode "edge" is not one of constant, reflect, replicate, circular',
    ],
    [
      () => nn.init.kaimingNormal_(zeros([2, 2]), { nonlinearity: "gelu" as "relu" }),
      'calculateGain: nonlinearity "gelu" is not one of linear, conv1d, conv2d, conv3d, sigmoid, tanh, relu, leakyRelu, selu',
    ],
    [() => new nn.ZeroPad2d([1, 2]), "ZeroPad2d: padding needs 4 widths, not 2"],
    [() => new nn.RotaryEmbedding(3), "RotaryEmbedding: dim 3 is odd"],
    [
      () => new nn.TransformerEncoderLayer(4, 2, { activation: "tanh" as "relu" }),
      'TransformerEncoderLayer: activation "tanh" is not one of relu, gelu',
    ],
  ];
  for (const [make, message] of cases) assertThrows(make, RangeError, message);
});

Deno.test("layers refuse inputs that do not fit, with the shapes", () => {
  const cases: [() => unknown, string][] = [
    [
      () => new nn.BatchNorm2d(3).forward(zeros([2, 3])),
      "BatchNorm2d: input needs 4 dimensions: input [2, 3]",
    ],
    [
      () => new nn.GRU(4, 3).forward(zeros([5, 2, 3])),
      "GRU: input needs 2 or 3 dimensions, the last of size 4: input [5, 2, 3]",
    ],
    [
      () => new nn.GRU(4, 3).forward(zeros([5, 2, 4]), zeros([2, 2, 3])),
      "GRU: the initial state does not fit: state [2, 2, 3], expected [1, 2, 3]",
    ],
    [
      () =>
        new nn.MultiheadAttention(4, 2).forward(
          zeros([3, 1, 4]),
          zeros([3, 1, 4]),
          zeros([3, 1, 4]),
          {
            attnMask: zeros([2, 2]),
          },
        ),
      "MultiheadAttention: attnMask does not fit: attnMask [2, 2], expected [3, 3]",
    ],
    [
      () =>
        new nn.MultiheadAttention(4, 2).forward(
          zeros([3, 2, 4]),
          zeros([5, 2, 4]),
          zeros([6, 2, 4]),
        ),
      "MultiheadAttention: batches, or keys and values, differ in number: query [3, 2, 4], key [5, 2, 4], value [6, 2, 4]",
    ],
    [
      () => nn.Embedding.fromPretrained(zeros([3])),
      "Embedding.fromPretrained: table needs 2 dimensions: table [3]",
    ],
    [
      () => new nn.GroupNorm(1, 2).forward(zeros([2])),
      "groupNorm: input needs at least 2 dimensions: input [2]",
    ],
    [
      () => new nn.Bilinear(2, 3, 1).forward(zeros([4, 2]), zeros([1, 3])),
      "bilinear: sizes before the features do not agree: input1 [4, 2], input2 [1, 3], weight [1, 2, 3]",
    ],
    [
      () => new nn.KLDivLoss().forward(zeros([2, 3]), zeros([2, 4])),
      "klDiv: sizes 3 and 4 do not broadcast: input [2, 3], target [2, 4]",
    ],
    [
      () => new nn.CosineEmbeddingLoss().forward(zeros([2, 3]), zeros([2, 3]), ones([2, 1])),
      "cosineEmbeddingLoss: expects [N, D], [N, D] and [N], or one of each: input [2, 3], other [2, 3], target [2, 1]",
    ],
    [
      () => new nn.TripletMarginLoss().forward(zeros([2, 3]), zeros([2, 3]), zeros([3, 3])),
      "tripletMarginLoss: sizes 2 and 3 do not broadcast: anchor [2, 3], positive [2, 3], negative [3, 3]",
    ],
  ];
  for (const [run, message] of cases) assertThrows(run, ShapeError, message);
  assertThrows(
    () => new nn.LSTM(1, 1).forward(zeros([3, 2, 1]), undefined, { lengths: [3, 4] }),
    RangeError,
    "LSTM: length 4 is not between 1 and 3",
  );
  assertThrows(
    () => new nn.SinusoidalPositionalEncoding(2, { maxLen: 4 }).forward(zeros([1, 5, 2])),
    RangeError,
    "SinusoidalPositionalEncoding: positions 0 to 4 are not below 4",
  );
});

Deno.test("layers refuse dtypes that do not fit", () => {
  const x = zeros([3, 1, 4]), flags = zeros([1, 3], { dtype: "int32" });
  const attention = new nn.MultiheadAttention(4, 2);
  const cases: [() => unknown, string][] = [
    [
      () => new nn.GRU(4, 4).forward(x, zeros([1, 1, 4], { dtype: "bool" })),
      "GRU: dtypes float32 and bool differ (convert one with to())",
    ],
    [
      () => attention.forward(x, x, x, { keyPaddingMask: flags }),
      "MultiheadAttention: keyPaddingMask has dtype int32, expects bool or a float",
    ],
    [
      () => nn.functional.scaledDotProductAttention(x, x, x, { attnMask: flags }),
      "scaledDotProductAttention: attnMask has dtype int32, expects bool or a float",
    ],
  ];
  for (const [run, message] of cases) assertThrows(run, DtypeError, message);
});

Deno.test("layers refuse to store a dtype that the device has not", () => {
  const cases: [() => unknown, string][] = [
    [() => new nn.Linear(2, 2).to("float16"), "to: device cpu does not store float16"],
    [() => zeros([2], { dtype: "float16" }), "tensor: device cpu does not store float16"],
    [() => rand([2], { dtype: "float16" }), "random: device cpu does not store float16"],
    [
      () => compile((x: Tensor) => x.to("float16"))(ones([2])),
      "to: device cpu does not store float16",
    ],
  ];
  for (const [run, message] of cases) assertThrows(run, DtypeError, message);
});

Deno.test("layers start with PyTorch's distributions", async () => {
  manualSeed(1);
  const linear = new nn.Linear(100, 400);
  const weight = Array.from(await linear.weight.data()), bound = 0.1;
  assert(weight.every((x) => Math.abs(x) <= bound));
  const variance = weight.reduce((sum, x) => sum + x * x, 0) / weight.length;
  assert(Math.abs(variance / (bound ** 2 / 3) - 1) < 0.05);
  const table = Array.from(await new nn.Embedding(100, 100, { paddingIdx: 2 }).weight.data());
  assert(table.slice(200, 300).every((x) => x === 0));
  const square = table.reduce((sum, x) => sum + x * x, 0) / (table.length - 100);
  assert(Math.abs(square - 1) < 0.05);
});

Deno.test("nn.init writes the distributions it is named for", async () => {
  manualSeed(2);
  const w = zeros([64, 128]);
  nn.init.kaimingNormal_(w, { nonlinearity: "relu" });
  const values = Array.from(await w.data());
  const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
  assert(Math.abs(variance * 64 - 1) < 0.1); // 2 / fan in = 1 / 64
  await nn.init.orthogonal_(w);
  const gram = await w.matmul(w.transpose(0, 1)).sub(nn.init.eye_(zeros([64, 64]))).abs().amax()
    .item();
  assert(gram < 1e-5);
  const grouped = nn.init.dirac_(zeros([4, 2, 1]), 2);
  assertEquals([...await grouped.data()], [1, 0, 0, 1, 1, 0, 0, 1]);
  nn.init.truncNormal_(w, { std: 0.5, low: -1, high: 1 });
  assert((await w.abs().amax().item()) <= 1);
});

Deno.test("BatchNorm counts batches without a kernel, also compiled", async () => {
  const norm = new nn.BatchNorm1d(2);
  const f = compile((x: Tensor) => norm.forward(x));
  for (let i = 0; i < 3; i++) f(rand([4, 2]));
  norm.forward(rand([4, 2]));
  assertEquals(await norm.stateDict().num_batches_tracked!.item(), 4);
});

Deno.test("BatchNorm leaves its running statistics alone at an empty batch", async () => {
  for (const momentum of [0.1, null]) {
    const norm = new nn.BatchNorm1d(2, { momentum });
    assertEquals(norm.forward(zeros([0, 2, 3])).shape, [0, 2, 3]);
    assertEquals([...await norm.runningMean!.data()], [0, 0]);
    assertEquals([...await norm.runningVar!.data()], [1, 1]);
  }
});

Deno.test("AdaptiveAvgPool2d repeats elements where every size is a multiple of the input's", async () => {
  const y = new nn.AdaptiveAvgPool2d([2, 4]).forward(tensor([[[1, 2]]]));
  assertEquals(y.shape, [1, 2, 4]);
  assertEquals([...await y.data()], [1, 1, 2, 2, 1, 1, 2, 2]);
});

Deno.test("MultiheadAttention with isCausal sees the appended keys from all positions", async () => {
  manualSeed(4);
  const layer = new nn.MultiheadAttention(4, 2, { addBiasKv: true, addZeroAttn: true });
  const x = rand([3, 1, 4]);
  const attnMask = tensor([[0, 1, 1], [0, 0, 1], [0, 0, 0]]).to("bool");
  const [y, weights] = layer.forward(x, x, x, { attnMask });
  const [causal, causalWeights] = layer.forward(x, x, x, { isCausal: true });
  const [fused] = layer.forward(x, x, x, { isCausal: true, needWeights: false });
  assertEquals(await causalWeights!.sub(weights!).abs().amax().item(), 0);
  assertEquals(await causal.sub(y).abs().amax().item(), 0);
  assert(await fused.sub(y).abs().amax().item() < 1e-6);
});

Deno.test("LPPool1d scales up windows that are cut off, as PyTorch does", async () => {
  const y = new nn.LPPool1d(1, 2, { ceilMode: true }).forward(tensor([[1, 2, 3]]));
  assertEquals([...await y.data()], [3, 6]);
});

Deno.test("MultiMarginLoss counts nothing for the own class, with any margin", async () => {
  const scores = tensor([[0.5, 0, 2]]), target = tensor([0], { dtype: "int32" });
  for (const [margin, wanted] of [[1, 3], [-1, 0.5]] as const) {
    const loss = new nn.MultiMarginLoss({ margin }).forward(scores, target);
    assert(Math.abs(await loss.item() - wanted / 3) < 1e-6);
  }
});

Deno.test("LSTM with lengths equals each sequence by itself", async () => {
  manualSeed(3);
  const lstm = new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true });
  const x = rand([5, 2, 3]);
  const [y, [h, c]] = noGrad(() => lstm.forward(x, undefined, { lengths: [3, 5] }));
  for (const [b, length] of [3, 5].entries()) {
    const alone = x.narrow(1, b, 1).narrow(0, 0, length);
    const [ya, [ha, ca]] = noGrad(() => lstm.forward(alone));
    const gap = async (p: Tensor, q: Tensor) => await p.sub(q).abs().amax().item();
    assert(await gap(y.narrow(1, b, 1).narrow(0, 0, length), ya) < 1e-6);
    assert(await gap(h.narrow(1, b, 1), ha) < 1e-6);
    assert(await gap(c.narrow(1, b, 1), ca) < 1e-6);
  }
  assertEquals(await y.narrow(1, 0, 1).narrow(0, 3, 2).abs().sum().item(), 0);
});

Deno.test("a cell stepped by hand equals its layer", async () => {
  manualSeed(4);
  const layer = new nn.GRU(3, 4), cell = new nn.GRUCell(3, 4);
  const state = layer.stateDict();
  cell.loadStateDict(Object.entries(state).map(([k, v]) => [k.replace("_l0", ""), v] as const));
  const x = rand([4, 2, 3]);
  const [y] = noGrad(() => layer.forward(x));
  let h = zeros([2, 4]);
  for (let t = 0; t < 4; t++) h = noGrad(() => cell.forward(x.select(0, t), h));
  assert(await y.select(0, 3).sub(h).abs().amax().item() < 1e-6);
});

Deno.test("MultiheadAttention gives the same with and without weights", async () => {
  manualSeed(5);
  const attention = new nn.MultiheadAttention(8, 2, { batchFirst: true });
  const x = rand([2, 5, 8]);
  for (const isCausal of [false, true]) {
    const [a] = noGrad(() => attention.forward(x, x, x, { isCausal }));
    const [b, none] = noGrad(() => attention.forward(x, x, x, { isCausal, needWeights: false }));
    assertEquals(none, undefined);
    assert(await a.sub(b).abs().amax().item() < 1e-6);
  }
});

Deno.test("RotaryEmbedding with an offset continues the sequence", async () => {
  const rotary = new nn.RotaryEmbedding(4);
  const x = rand([1, 6, 4]);
  const whole = rotary.forward(x).narrow(1, 4, 2);
  const offset = tensor(4, { dtype: "int32" });
  const part = rotary.forward(x.narrow(1, 4, 2), { offset });
  assert(await whole.sub(part).abs().amax().item() < 1e-6);
  const norms = rotary.forward(x).square().sum(-1).sub(x.square().sum(-1));
  assert(await norms.abs().amax().item() < 1e-5);
});

Deno.test("EmbeddingBag reduces bags, without padding and with empty ones", async () => {
  const table = tensor([[1, 2], [3, 4], [50, 60]]);
  const x = tensor([0, 1, 2, 1], { dtype: "int32" });
  const offsets = tensor([0, 3, 4], { dtype: "int32" });
  const cases: ["sum" | "mean" | "max", number[]][] = [
    ["sum", [4, 6, 3, 4, 0, 0]],
    ["mean", [2, 3, 3, 4, 0, 0]],
    ["max", [3, 4, 3, 4, 0, 0]],
  ];
  for (const [mode, wanted] of cases) {
    const layer = nn.EmbeddingBag.fromPretrained(table, { mode, paddingIdx: 2 });
    assertEquals([...await layer.forward(x, { offsets }).data()], wanted);
  }
  assertThrows(
    () => new nn.EmbeddingBag(3, 2).forward(x),
    ShapeError,
    "embeddingBag: 1 dimension needs a vector of offsets, 2 need none: input [4]",
  );
  assertThrows(
    () => new nn.EmbeddingBag(3, 2, { mode: "median" as "mean" }),
    RangeError,
    'EmbeddingBag: mode "median" is not one of sum, mean, max',
  );
  assertThrows(
    () => nn.EmbeddingBag.fromPretrained(tensor([1, 2])),
    ShapeError,
    "EmbeddingBag.fromPretrained: table needs 2 dimensions: table [2]",
  );
  assertThrows(
    () => nn.functional.embeddingBag(x.reshape([2, 2]), tensor([[1]]), { mode: "max2" as "max" }),
    RangeError,
    'embeddingBag: mode "max2" is not one of sum, mean, max',
  );
});

Deno.test("Embedding divides gradients by frequency where it is told to", async () => {
  const layer = new nn.Embedding(3, 1, { scaleGradByFreq: true });
  layer.forward(tensor([0, 0, 2], { dtype: "int32" })).sum().backward();
  assertEquals([...await layer.weight.grad!.data()], [1, 0, 1]);
});

Deno.test("Embedding shortens rows that are used and longer than maxNorm", async () => {
  const layer = new nn.Embedding(3, 2, { maxNorm: 1 });
  noGrad(() => layer.weight.copy_(tensor([[3, 4], [3, 4], [0.1, 0]])));
  layer.forward(tensor([0, 2], { dtype: "int32" }));
  const [a, b, c] = await layer.weight.square().sum(1).sqrt().data();
  assert(Math.abs(a! - 1) < 1e-5 && Math.abs(b! - 5) < 1e-5 && Math.abs(c! - 0.1) < 1e-5);
});

Deno.test("AlphaDropout keeps mean and variance", async () => {
  manualSeed(6);
  const y = new nn.AlphaDropout(0.3).forward(nn.init.normal_(zeros([20_000])));
  assert(Math.abs(await y.mean().item()) < 0.05);
  assert(Math.abs(await y.variance().item() - 1) < 0.05);
});

Deno.test("Dropout2d drops whole channels", async () => {
  manualSeed(7);
  const y = new nn.Dropout2d(0.5).forward(ones([4, 8, 3, 3]));
  const sums = await y.sum([2, 3]).data();
  assert(sums.every((s) => s === 0 || s === 18));
  assert(sums.includes(0) && sums.includes(18));
  const rows = await new nn.Dropout2d(0.5).forward(ones([2, 16, 3])).sum(2).data();
  assert(rows.every((s) => s === 0 || s === 6));
  assert([0, 16].every((at) => new Set(rows.slice(at, at + 16)).size === 2));
});

Deno.test("EmbeddingBag, MaxUnpool2d, LPPool1d, ChannelShuffle and RReLU run their functions", async () => {
  const ints = (values: number[]) => tensor(values, { dtype: "int32" });
  const bag = nn.EmbeddingBag.fromPretrained(tensor([[1, 2], [3, 4]]), { mode: "sum" });
  assertEquals(Object.keys(bag.stateDict()), ["weight"]);
  const offsets = ints([0, 1]);
  assertEquals(await bag.forward(ints([1, 0, 0]), { offsets }).tolist(), [[3, 4], [2, 4]]);
  const padded = new nn.EmbeddingBag(3, 2, { paddingIdx: -1 });
  assertEquals(await padded.weight.narrow(0, 2, 1).tolist(), [[0, 0]]);
  const image = tensor([[[1, 2], [4, 3]]]);
  const { values, indices } = new nn.MaxPool2d(2).forwardWithIndices(image);
  assertEquals(await new nn.MaxUnpool2d(2).forward(values, indices).tolist(), [[[0, 0], [4, 0]]]);
  assertEquals(await new nn.LPPool1d(1, 2).forward(image).tolist(), [[[3], [7]]]);
  const channels = new nn.ChannelShuffle(2).forward(tensor([0, 1, 2, 3]).reshape([1, 4, 1]));
  assertEquals([...await channels.data()], [0, 2, 1, 3]);
  const slopes = [...await new nn.RReLU().forward(ones([200]).neg()).data()];
  assert(slopes.every((s) => s <= -1 / 8 && s >= -1 / 3 - 1e-6) && new Set(slopes).size > 100);
});
