/** Rotary frequencies for longer contexts, against the formulas of their sources in float64. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { ones, setDevice } from "@tensaurus/core";
import { RotaryEmbedding, type RotaryScaling } from "@tensaurus/core/nn";

await setDevice("cpu");

const DIM = 16, BASE = 10_000, POSITIONS = 96;
const PAIRS = Array.from({ length: DIM / 2 }, (_, pair) => pair);

/** θ of Su et al. 2021, equation 15. */
function theta(pair: number, base = BASE, dim = DIM): number {
  return 1 / Math.pow(base, 2 * pair / dim);
}

/** The tables are those of these frequencies, times a factor. */
async function assertTables(
  scaling: RotaryScaling,
  expected: readonly number[],
  factor = 1,
): Promise<void> {
  const rotary = new RotaryEmbedding(DIM, {
    maxLen: POSITIONS,
    base: BASE,
    scaling,
    dtype: "float64",
  });
  const cos = await rotary.cos.data(), sin = await rotary.sin.data();
  for (let position = 0; position < POSITIONS; position++) {
    for (const [pair, frequency] of expected.entries()) {
      const i = position * expected.length + pair;
      assertAlmostEquals(Number(cos[i]), factor * Math.cos(position * frequency), 1e-12);
      assertAlmostEquals(Number(sin[i]), factor * Math.sin(position * frequency), 1e-12);
    }
  }
}

/** Frequencies of a model by name, read off the first position. */
async function frequenciesOf(
  dim: number,
  base: number,
  scaling: RotaryScaling,
): Promise<(pair: number) => number> {
  const rotary = new RotaryEmbedding(dim, { maxLen: 2, base, scaling, dtype: "float64" });
  const cos = await rotary.cos.data(), sin = await rotary.sin.data();
  return (pair) => Math.atan2(Number(sin[dim / 2 + pair]), Number(cos[dim / 2 + pair]));
}

Deno.test("RotaryEmbedding scales linearly as position interpolation does", async () => {
  // Chen et al. 2023, equation 4: position m becomes m / factor.
  await assertTables({ type: "linear", factor: 4 }, PAIRS.map((pair) => theta(pair) / 4));
});

Deno.test("RotaryEmbedding grows the base of dynamic scaling with the length", async () => {
  // bloc97 and emozilla 2023, as in transformers: with l positions of which L were trained, the base
  // grows by (α l / L − (α − 1))^(d / (d − 2)).
  const grown = BASE * Math.pow(2 * POSITIONS / 32 - (2 - 1), DIM / (DIM - 2));
  const scaling = { type: "dynamic", factor: 2, originalMaxLen: 32 } as const;
  await assertTables(scaling, PAIRS.map((pair) => theta(pair, grown)));
  // What was trained on as many positions turns as it did.
  const plain = PAIRS.map((pair) => theta(pair));
  await assertTables({ ...scaling, originalMaxLen: POSITIONS }, plain);
  await assertTables({ ...scaling, originalMaxLen: 1000 }, plain);
});

Deno.test("RotaryEmbedding scales by wavelength as Llama 3.1", async () => {
  // Meta's llama-models, models/llama3/model.py, apply_scaling: by wavelength, in three cases.
  const factor = 8, low = 1, high = 4, original = 64;
  const expected = PAIRS.map((pair) => {
    const wavelength = 2 * Math.PI / theta(pair);
    if (wavelength < original / high) return theta(pair);
    if (wavelength > original / low) return theta(pair) / factor;
    const smooth = (original / wavelength - low) / (high - low);
    return (1 - smooth) * theta(pair) / factor + smooth * theta(pair);
  });
  const kinds = expected.map((f, pair) => f === theta(pair) ? "kept" : f * factor / theta(pair));
  assert(kinds.includes("kept") && kinds.includes(1) && new Set(kinds).size > 2, "all three cases");
  await assertTables(
    { type: "llama3", factor, lowFreqFactor: low, highFreqFactor: high, originalMaxLen: original },
    expected,
  );
});

Deno.test("RotaryEmbedding scales by parts as YaRN", async () => {
  // Peng et al. 2023: section 3.2 with the ramp over pairs of the authors' code
  // (jquesnelle/yarn, LlamaYaRNScaledRotaryEmbedding), section 3.4 for the factor √(1 / t).
  const factor = 4, original = 32;
  const pairOfTurns = (turns: number): number =>
    DIM / 2 * Math.log(original / (2 * Math.PI * turns)) / Math.log(BASE);
  const expected = (first: number, last: number): number[] =>
    PAIRS.map((pair) => {
      const ramp = Math.min(1, Math.max(0, (pair - first) / (last - first)));
      return ramp * theta(pair) / factor + (1 - ramp) * theta(pair);
    });
  const scaling = { type: "yarn", factor, originalMaxLen: original } as const;
  const temperature = 0.1 * Math.log(factor) + 1;
  // 32 turns are more than there are: the ramp starts at the first pair.
  const last = Math.ceil(pairOfTurns(1));
  await assertTables(scaling, expected(0, last), temperature);
  const between = expected(pairOfTurns(4), pairOfTurns(0.25));
  const fine = { ...scaling, betaFast: 4, betaSlow: 0.25, truncate: false };
  await assertTables(fine, between, temperature);
  await assertTables({ ...fine, attentionFactor: 1.25 }, between, 1.25);
  const ratio = (0.07 * Math.log(factor) + 1) / (0.09 * Math.log(factor) + 1);
  await assertTables({ ...fine, mscale: 0.7, mscaleAllDim: 0.9 }, between, ratio);
});

Deno.test("RotaryEmbedding divides each pair by its own factor as LongRoPE", async () => {
  // Ding et al. 2024, equation 4; the factor √(1 + ln s / ln L) is that of section 3.3.
  const shortFactors = PAIRS.map((pair) => 1 + pair / 16), longFactors = PAIRS.map((i) => 2 + i);
  const scaling = { type: "longrope", factor: 4, shortFactors, longFactors } as const;
  const temperature = (original: number): number => Math.sqrt(1 + Math.log(4) / Math.log(original));
  const long = PAIRS.map((pair) => theta(pair) / longFactors[pair]!);
  const short = PAIRS.map((pair) => theta(pair) / shortFactors[pair]!);
  await assertTables({ ...scaling, originalMaxLen: 95 }, long, temperature(95));
  await assertTables({ ...scaling, originalMaxLen: 96 }, short, temperature(96));
  await assertTables({ ...scaling, originalMaxLen: 32, attentionFactor: 1.25 }, long, 1.25);
  await assertTables({ ...scaling, factor: 1, originalMaxLen: 96 }, short, 1);
});

Deno.test("RotaryEmbedding has the frequencies of models that transformers 5.24 loads", async () => {
  // inv_freq of pairs, printed in float32: Llama 3.1 8B, and Qwen 2.5 7B with its YaRN settings.
  const llama = await frequenciesOf(128, 500_000, {
    type: "llama3",
    factor: 8,
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxLen: 8192,
  });
  const qwen = await frequenciesOf(128, 1_000_000, {
    type: "yarn",
    factor: 4,
    originalMaxLen: 32_768,
  });
  const cases: [(pair: number) => number, number, number][] = [
    [llama, 20, 0.016560440883040428],
    [llama, 29, 0.0021665706299245358],
    [llama, 30, 0.0013718936825171113],
    [llama, 32, 0.0005248460220173001],
    [llama, 35, 9.556212171446532e-05],
    [llama, 63, 3.068925877869333e-07],
    [qwen, 20, 0.01333521492779255],
    [qwen, 23, 0.006978305988013744],
    [qwen, 30, 0.0010643609566614032],
    [qwen, 35, 0.0002462583943270147],
    [qwen, 39, 6.490394298452884e-05],
    [qwen, 63, 3.102344408034696e-07],
  ];
  for (const [frequency, pair, expected] of cases) {
    assertAlmostEquals(frequency(pair) / expected, 1, 1e-6, `pair ${pair}`);
  }
});

Deno.test("RotaryEmbedding multiplies queries and keys by the factor of YaRN", async () => {
  const scaling = { type: "yarn", factor: 4, originalMaxLen: 8, attentionFactor: 1.5 } as const;
  const y = new RotaryEmbedding(4, { maxLen: 32, scaling }).forward(ones([1, 32, 4]));
  for (const length of await y.square().sum(-1).sqrt().data()) {
    assertAlmostEquals(Number(length), 1.5 * 2, 1e-5);
  }
});

Deno.test("RotaryEmbedding refuses scalings that make no sense, with the numbers", () => {
  const llama3 = { type: "llama3", factor: 8, originalMaxLen: 64 } as const;
  const cases: [RotaryScaling, string][] = [
    [{ type: "linear", factor: 0.5 }, "RotaryEmbedding: factor 0.5 is not at least 1"],
    [
      { type: "dynamic", factor: 2, originalMaxLen: 0 },
      "RotaryEmbedding: originalMaxLen 0 is not a whole number of at least 1",
    ],
    [
      { ...llama3, lowFreqFactor: 4, highFreqFactor: 4 },
      "RotaryEmbedding: highFreqFactor 4 is not above lowFreqFactor 4",
    ],
    [
      { type: "yarn", factor: 8, originalMaxLen: 64, betaFast: 1, betaSlow: 2 },
      "RotaryEmbedding: betaFast 1 is not at least betaSlow 2, above 0",
    ],
    [
      {
        type: "longrope",
        factor: 2,
        shortFactors: [1, 1, 1, 1],
        longFactors: [1, 1],
        originalMaxLen: 8,
      },
      "RotaryEmbedding: longFactors has 2 numbers, expected 4",
    ],
  ];
  for (const [scaling, message] of cases) {
    const error = assertThrows(() => new RotaryEmbedding(8, { scaling }), RangeError);
    assertEquals(error.message, message);
  }
});
