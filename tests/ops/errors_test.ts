import { assertEquals, assertThrows } from "@std/assert";
import * as T from "../../ops/mod.ts";
import { ones, tensor, zeros } from "../../ops/mod.ts";

function ints(...values: number[]): T.Tensor {
  return tensor(values, { dtype: "int32" });
}

/** A value as a program without type checks passes it. */
function untyped<T = never>(value: unknown): T {
  return value as T;
}

/** Calls and the exact messages that they throw. */
const CASES: readonly (readonly [call: () => unknown, message: string])[] = [
  [
    () => ones([2, 3]).add(ones([4])),
    "add: sizes 3 and 4 do not broadcast: input [2, 3], other [4]",
  ],
  [
    () => T.bitwiseAnd(ones([1]), 1),
    "bitwiseAnd: dtype float32 is not supported, expects bool or int32 or uint32",
  ],
  [() => ones([2]).sum(1), "sum: dim 1 is out of range for 1 dimensions"],
  [() => ones([2, 2]).sum([0, -2]), "sum: dim appears twice in [0, -2]"],
  [() => ints(1).mean(), "mean: dtype int32 has no mean (pass { dtype } or convert first)"],
  [() => zeros([0]).amax(), "amax: an empty axis has no extremum: input [0]"],
  [() => zeros([0, 2]).argmax(), "argmax: an empty tensor has no extremum: input [0, 2]"],
  [
    () => ones([2, 3]).reshape([4, 2]),
    "reshape: 6 elements do not fit the shape [4, 2]: input [2, 3]",
  ],
  [() => ones([6]).reshape([-1, -1]), "reshape: only one size can be −1: shape [-1, -1]"],
  [
    () => ones([2, 3]).permute([0]),
    "permute: 1 axes named, the tensor has 2: input [2, 3], dims [0]",
  ],
  [
    () => ones([2]).expand([3]),
    "expand: sizes do not broadcast: input [2], shape [3]",
  ],
  [
    () => ones([2]).narrow(0, 1, 2),
    "narrow: 1 + 2 is out of range for size 2: input [2]",
  ],
  [() => ones([2]).select(0, 2), "select: index 2 is out of range for size 2: input [2]"],
  [() => ones([2]).slice(0, 0, 1, 0), "slice: step 0 is not allowed"],
  [
    () => ones([5]).split([2, 2]),
    "split: sizes add up to 4, dim 0 has 5: input [5], sizes [2, 2]",
  ],
  [
    () => ones([2, 3]).matmul(ones([4, 2])),
    "matmul: inner sizes 3 and 4 differ: input [2, 3], other [4, 2]",
  ],
  [
    () => ones([2]).matmul(ints(1, 2)),
    "matmul: dtypes float32 and int32 differ (convert one with to())",
  ],
  [() => T.mm(ones([2]), ones([2, 2])), "mm: expects 2 and 2 dimensions: input [2], other [2, 2]"],
  [
    () => T.einsum("ij,jk", ones([2, 2])),
    "einsum: the equation names 2 operands, 1 were given",
  ],
  [
    () => T.linear(ones([2, 3]), ones([4, 5])),
    "linear: input has 3 features, weight expects 5: input [2, 3], weight [4, 5]",
  ],
  [
    () => T.conv2d(ones([8, 4, 32, 32]), ones([16, 3, 3, 3])),
    "conv2d: input has 4 channels, weight expects 3 × 1 groups: input [8, 4, 32, 32], weight [16, 3, 3, 3]",
  ],
  [
    () => T.conv2d(ones([1, 1, 2, 2]), ones([1, 1, 3, 3])),
    "conv2d: the kernel is larger than the padded input: input [1, 1, 2, 2], weight [1, 1, 3, 3]",
  ],
  [
    () => T.maxPool2d(ones([1, 1, 4, 4]), 2, { padding: 2 }),
    "maxPool2d: padding 2 is more than half of the window 2",
  ],
  [
    () => T.avgPool2d(ones([4, 4]), 2),
    "avgPool2d: input needs 3 or 4 dimensions: input [4, 4]",
  ],
  [
    () => T.avgPool2d(ones([1, 4, 4]), 2, { divisorOverride: 0 }),
    "avgPool2d: divisorOverride is 0",
  ],
  [
    () => T.adaptiveAvgPool2d(ones([1, 4, 4]), [2]),
    "adaptiveAvgPool2d: outputSize has 1 numbers for 2 spatial dimensions: input [1, 4, 4]",
  ],
  [
    () => ones([3]).gather(0, ones([3])),
    "gather: index has dtype float32, expects int32",
  ],
  [
    () => ones([3]).gather(0, zeros([2, 2], { dtype: "int32" })),
    "gather: index does not fit the input: input [3], index [2, 2]",
  ],
  [
    () => T.embedding(ints(0, 7), ones([5, 2])),
    "embedding: input 7 is out of range for 5 rows: input [2], weight [5, 2]",
  ],
  [() => T.oneHot(ints(3), 3), "oneHot: index 3 is out of range for 3 classes: index [1]"],
  [
    () => T.cat([ones([2, 2]), ones([3, 3])]),
    "cat: sizes differ outside of dim 0: first [2, 2], other [3, 3]",
  ],
  [() => T.stack([]), "stack: needs at least one tensor"],
  [() => T.topk(ones([3]), 4), "topk: k 4 is out of range for size 3: input [3]"],
  [
    () => T.crossEntropy(ones([2, 3]), ints(0, 3)),
    "crossEntropy: target 3 is out of range for 3 classes: input [2, 3], target [2]",
  ],
  [
    () => T.crossEntropy(ones([2, 3]), ints(0, 1, 2)),
    "crossEntropy: target does not have the input's shape without the classes: input [2, 3], target [3]",
  ],
  [
    () => T.crossEntropy(ones([2, 3]), ints(0, 1), { weight: ones([4]) }),
    "crossEntropy: weight has 4 numbers for 3 classes: input [2, 3], target [2], weight [4]",
  ],
  [
    () => T.crossEntropy(ones([2, 3]), ints(0, 1), { labelSmoothing: 2 }),
    "crossEntropy: labelSmoothing 2 is not between 0 and 1",
  ],
  [
    () => T.nllLoss(ones([2, 3]), ints(-1, 1)),
    "nllLoss: target -1 is out of range for 3 classes: input [2, 3], target [2]",
  ],
  [
    () => T.binaryCrossEntropy(ones([2]), ones([3])),
    "binaryCrossEntropy: input and target differ in shape: input [2], target [3]",
  ],
  [
    () => T.mseLoss(ones([2]), ones([2]), { reduction: "total" as "sum" }),
    'mseLoss: reduction "total" is not one of mean, sum, none',
  ],
  [
    () => T.batchNorm(ones([1, 2]), null, null, { training: true }),
    "batchNorm: training needs more than 1 value per channel: input [1, 2]",
  ],
  [
    () => T.batchNorm(ones([3, 2]), ones([3]), ones([3])),
    "batchNorm: runningMean has 3 numbers for 2 channels: input [3, 2], runningMean [3]",
  ],
  [
    () => T.layerNorm(ones([2, 3]), [4]),
    "layerNorm: normalizedShape is not the end of the input's shape: input [2, 3], normalizedShape [4]",
  ],
  [
    () => T.groupNorm(ones([2, 3]), 2),
    "groupNorm: 2 groups do not divide 3 channels: input [2, 3]",
  ],
  [
    () => T.scaledDotProductAttention(ones([2, 3]), ones([2, 4]), ones([2, 4])),
    "scaledDotProductAttention: query has 3 features, key 4: query [2, 3], key [2, 4], value [2, 4]",
  ],
  [() => T.interpolate(ones([1, 1, 2])), "interpolate: give either size or scaleFactor"],
  [
    () => T.interpolate(ones([1, 1, 1, 4]), { scaleFactor: 0.5 }),
    "interpolate: sizes [0, 2] are not all at least 1: input [1, 1, 1, 4]",
  ],
  [
    () => T.convTranspose1d(ones([1, 1, 2]), ones([1, 1, 1]), { padding: 2 }),
    "convTranspose1d: the padding leaves nothing of the result: input [1, 1, 2], weight [1, 1, 1]",
  ],
  [
    () => T.multiMarginLoss(ones([1, 2]), T.tensor([0], { dtype: "int32" }), { p: 3 }),
    "multiMarginLoss: p 3 is neither 1 nor 2",
  ],
  [() => T.lpPool1d(ones([1, 2]), 0, 2), "lpPool1d: normType 0 is not above 0"],
  [
    () => T.pad(ones([1, 2]), [2, 0], { mode: "reflect" }),
    "pad: amounts 2 and 0 do not fit size 2: input [1, 2], padding [2, 0]",
  ],
  [
    () => T.pixelShuffle(ones([3, 2, 2]), 2),
    "pixelShuffle: channels are no multiple of 2²: input [3, 2, 2]",
  ],
  [() => T.inv(ones([2, 3])), "inv: expects square matrices, not 2 × 3: input [2, 3]"],
  [() => T.inv(ones([2, 2])), "solve: matrix 0 is singular"],
  [() => T.cholesky(tensor([[-1]])), "cholesky: matrix 0 is not positive definite"],
  [() => T.glu(ones([3])), "glu: dim -1 needs an even size: input [3]"],
  [
    () => tensor([[1, 2], [3]]),
    "tensor: nested arrays differ in length or depth: first rows [2, 2]",
  ],
  [
    () => T.crossEntropy(ones([2, 3]), ones([2])),
    'crossEntropy: probabilities need the input\'s shape: input [2, 3], target [2] (labels need dtype int32: to("int32"))',
  ],
  // As in PyTorch, but not here: what a program that nobody type-checked may say.
  [() => T.zeros(untyped(2)), "full: shape is 2, expected a list"],
  [() => T.randn(untyped(2)), "randn: shape is 2, expected a list"],
  [() => ones([6]).reshape(untyped(2)), "reshape: shape is 2, expected a list"],
  [() => ones([2, 3]).permute(untyped(1)), "permute: dims is 1, expected a list"],
  [() => ones([1]).expand(untyped(2)), "expand: shape is 2, expected a list"],
  [() => T.cat(untyped(1)), "cat: tensors is 1, expected a list"],
  [() => T.stack(untyped(1)), "stack: tensors is 1, expected a list"],
  [
    () => tensor([1], { dtype: untyped("float") }),
    'dtype: "float" is not one of bool, int32, uint32, float16, float32, float64',
  ],
  [
    () => ones([1]).to(untyped("cuda")),
    'to: "cuda" is not one of bool, int32, uint32, float16, float32, float64 (to another device with await toDevice(name))',
  ],
  [() => T.maxPool2d(ones([1, 4, 4]), untyped(undefined)), "maxPool2d: kernelSize is missing"],
  [
    () => untyped<number>(ones([2])) + 1,
    "Tensor: operators do not take tensors (a.add(b), a.gt(b), or await a.item() for the number)",
  ],
  [
    () => untyped<number>(ones([])) > 0,
    "Tensor: operators do not take tensors (a.add(b), a.gt(b), or await a.item() for the number)",
  ],
  [() => T.full([-1], 0), "full: sizes are whole numbers of at least 0: shape [-1]"],
  [() => T.arange(0, 5, -1), "arange: step -1 leads away from the end: start 0, end 5"],
  [() => T.arange(0, NaN), "arange: start, end and step must be finite: start 0, end NaN, step 1"],
  [
    () => ones([2]).add(ones([2], { device: "reference" })),
    "add: tensors are on different devices: input cpu, other reference (move one with await toDevice())",
  ],
];

for (const [call, message] of CASES) {
  Deno.test(`error: ${message}`, () => {
    const error = assertThrows(call, Error);
    assertEquals(error.message, message);
  });
}

Deno.test("a tensor in a template is its text", () => {
  const x = tensor([1, 2]);
  assertEquals(`${x}`, x.toString());
});

Deno.test("mseLoss() warns once where input and target differ in shape, as PyTorch does", () => {
  const [warn, texts] = [console.warn, [] as string[]];
  console.warn = (text: string) => texts.push(text);
  try {
    for (let i = 0; i < 2; i++) T.mseLoss(ones([3, 1]), ones([3]));
    T.mseLoss(ones([3]), ones([3]));
  } finally {
    console.warn = warn;
  }
  assertEquals(texts, [
    "mseLoss: input [3, 1] and target [3] differ, the loss is over [3, 3] (reshape one of them)",
  ]);
});
