/** models/gpt.ts: the network, its memory, and the script as its users run it. */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { manualSeed, noGrad, randint, setDevice, tensor } from "@tensaurus/core";
import { Gpt, script } from "../../models/gpt.ts";
import { unreadKeys } from "../../models/kit/config.ts";
import { TokenGenerator } from "../../models/kit/generate.ts";
import { type GptOptions, gptOptions, type GptSettings } from "../../models/kit/gpt_options.ts";
import { warmupCosine } from "../../models/kit/language.ts";
import { losses, runScript, sources } from "./_script.ts";

await setDevice("cpu");

const SMALL: GptSettings = {
  context: 16,
  layers: 2,
  heads: 4,
  kvHeads: 0,
  width: 32,
  hidden: 0,
  norm: "layer",
  activation: "gelu",
  positions: "learned",
  qkNorm: false,
  bias: false,
  tie: true,
  dropout: 0,
};

function small(settings: Partial<GptSettings> = {}): GptOptions {
  return gptOptions({ ...SMALL, ...settings }, 20);
}

/** Small enough for a test: a narrow network, a few steps. */
const FLAGS = [
  "--device=cpu",
  "--context=16",
  "--layers=1",
  "--heads=2",
  "--width=16",
  "--batch-size=4",
  "--eval-batches=2",
  "--log-every=1",
  "--length=8",
];

/** Weights large enough that no two tokens are nearly as likely. */
function lively(options: GptOptions): Gpt {
  manualSeed(3);
  const model = new Gpt(options).eval();
  noGrad(() => {
    for (const weight of model.parameters()) if (weight.ndim > 1) weight.mul_(12);
  });
  return model;
}

/** The likeliest tokens, each from a whole forward pass over the window that the cache would hold. */
async function withoutCache(model: Gpt, prompt: number[], length: number): Promise<number[]> {
  const { context } = model.options;
  const tokens = [...prompt];
  let begin = 0; // of the window
  for (let i = 0; i < length; i++) {
    if (tokens.length - begin > context) begin = tokens.length - context / 2;
    const window = tensor(Int32Array.from(tokens.slice(begin)), {
      shape: [1, tokens.length - begin],
    });
    const logits = noGrad(() => model.forward(window)).select(1, -1);
    tokens.push(await logits.argmax(-1).item());
  }
  return tokens.slice(prompt.length);
}

const VARIANTS: [string, Partial<GptSettings>][] = [
  ["GPT-2's layers", {}],
  ["offsets and an untied head", { bias: true, tie: false }],
  ["RMSNorm, SwiGLU, rotary positions", { norm: "rms", activation: "swiglu", positions: "rotary" }],
  ["grouped queries and QK-norm", { kvHeads: 2, qkNorm: true, positions: "sinusoidal" }],
];

for (const [name, settings] of VARIANTS) {
  Deno.test(`Gpt writes the same with its cache as without: ${name}`, async () => {
    const model = lively(small(settings));
    const generator = new TokenGenerator(model.decoder(), { temperature: 0 });
    for (const prompt of [[3], [1, 2, 3, 4, 5, 6, 7]]) {
      const got = await generator.generate(prompt, { length: 40 });
      assertEquals(got, await withoutCache(model, prompt, 40));
      assert(new Set(got).size > 2);
    }
    generator.dispose();
  });
}

Deno.test("Gpt reads prompts in pieces of 32 tokens", async () => {
  const model = lively(small({ context: 80, positions: "rotary" }));
  const prompt = Array.from({ length: 70 }, (_, i) => (7 * i) % 20);
  const generator = new TokenGenerator(model.decoder(), { temperature: 0 });
  assertEquals(
    await generator.generate(prompt, { length: 10 }),
    await withoutCache(model, prompt, 10),
  );
});

Deno.test("Gpt has the keys and shapes of nanoGPT's parts", () => {
  const model = new Gpt(small({ bias: true, layers: 1, tie: false }));
  const shapes = Object.entries(model.stateDict()).map(([key, x]) => `${key} ${x.shape}`);
  assertEquals(shapes, [
    "wte.weight 20,32",
    "wpe.weight 16,32",
    "h.0.ln_1.weight 32",
    "h.0.ln_1.bias 32",
    "h.0.qkv.weight 96,32",
    "h.0.qkv.bias 96",
    "h.0.proj.weight 32,32",
    "h.0.proj.bias 32",
    "h.0.ln_2.weight 32",
    "h.0.ln_2.bias 32",
    "h.0.fc.weight 128,32",
    "h.0.fc.bias 128",
    "h.0.out.weight 32,128",
    "h.0.out.bias 32",
    "ln_f.weight 32",
    "ln_f.bias 32",
    "head.weight 20,32",
  ]);
});

Deno.test("Gpt begins with small residual projections and a uniform guess", async () => {
  manualSeed(0);
  const model = new Gpt(small({ layers: 8, width: 64 }));
  const deviation = async (key: string): Promise<number> =>
    await model.stateDict()[key]!.std().item();
  assertAlmostEquals(await deviation("h.3.qkv.weight"), 0.02, 1e-3);
  assertAlmostEquals(await deviation("h.3.proj.weight"), 0.02 / 4, 5e-4);
  assertAlmostEquals(await deviation("h.3.out.weight"), 0.02 / 4, 5e-4);
  const logits = noGrad(() => model.forward(randint(0, 20, [2, 16])));
  assertAlmostEquals(await logits.logSoftmax(-1).mean().item(), -Math.log(20), 0.1);
});

Deno.test("Gpt shares the embedding with the last layer where weights are tied", () => {
  assertEquals(
    new Gpt(small()).parameters().length + 1,
    new Gpt(small({ tie: false })).parameters().length,
  );
});

Deno.test("warmupCosine() rises, then falls by half a cosine", () => {
  const settings = { lr: 1, minLr: 0.1, warmup: 9, steps: 109 };
  assertAlmostEquals(warmupCosine(0, settings), 0.1);
  assertAlmostEquals(warmupCosine(9, settings), 1);
  assertAlmostEquals(warmupCosine(59, settings), 0.55);
  assertAlmostEquals(warmupCosine(109, settings), 0.1);
  assertAlmostEquals(warmupCosine(500, settings), 0.1);
});

Deno.test("gpt.ts reads every setting", async () => {
  const text = await sources(
    "gpt.ts",
    "kit/language.ts",
    "kit/language_commands.ts",
    "kit/language_run.ts",
    "kit/device.ts",
    "kit/run.ts",
    "kit/text.ts",
    "kit/gpt_options.ts",
  );
  assertEquals(unreadKeys(script.config, text), ["preset"]); // read by the command line itself
});

Deno.test("gpt.ts trains, evaluates, resumes bit for bit and writes text", async () => {
  const folder = await Deno.makeTempDir();
  const whole = await runScript(
    "gpt.ts",
    ...FLAGS,
    "--dropout=0.1",
    "--steps=6",
    `--out=${folder}/whole`,
  );
  assertEquals(whole.code, 0, whole.stderr);
  for (const part of ["device", "parameters", "first step", "step 6/6", "best validation loss"]) {
    assertStringIncludes(whole.stdout, part);
  }
  // The schedule looks at the number of steps: an interrupted run of the same length goes on.
  const again = await runScript(
    "gpt.ts",
    ...FLAGS,
    "--dropout=0.1",
    "--steps=6",
    "--save-every=3",
    `--out=${folder}/parts`,
  );
  assertEquals(again.code, 0, again.stderr);
  const third = `${folder}/parts/checkpoints/step-000003`;
  const resumed = await runScript("gpt.ts", `--resume=${third}`, "--device=cpu");
  assertEquals(resumed.code, 0, resumed.stderr);
  assertEquals(await losses(`${folder}/parts`), await losses(`${folder}/whole`));
  const files = [...Deno.readDirSync(`${folder}/whole`)].map((f) => f.name).sort();
  assertEquals(files, [
    "checkpoints",
    "config.json",
    "curves.svg",
    "metrics.jsonl",
    "model.safetensors",
    "tokenizer.json",
  ]);

  const evaluated = await runScript("gpt.ts", "eval", `${folder}/whole`, "--device=cpu");
  assertEquals(evaluated.code, 0, evaluated.stderr);
  const figures = (text: string): string | undefined => text.match(/validation (loss.*)/)?.[1];
  assertEquals(figures(evaluated.stdout), figures(whole.stdout));
  const sample = ["sample", `${folder}/whole`, "--device=cpu", "--prompt=Shall I"];
  const written = await runScript("gpt.ts", ...sample, "--length=40", "--top-k=5");
  assertEquals(written.code, 0, written.stderr);
  assert(/^Shall I[^]{40}\n\(\d+ tokens\/s\)\n$/.test(written.stdout), written.stdout);
  const lacking = await runScript("gpt.ts", ...sample.slice(0, 3), "--prompt=żółw €");
  assertEquals([lacking.code, lacking.stderr.trim()], [
    2,
    `--prompt: the vocabulary lacks "ż", "ó", "ł", "€"`,
  ]);
  const narrow = await runScript("gpt.ts", `--resume=${folder}/whole`, "--width=8");
  assertStringIncludes(
    narrow.stderr,
    `--width: the run was started with "16" and cannot go on with "8"`,
  );
});

Deno.test("gpt.ts does one step of everything with --dry-run, with the newer layers", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const newer = [
    "--norm=rms",
    "--activation=swiglu",
    "--positions=rotary",
    "--kv-heads=1",
    "--qk-norm",
  ];
  const bpe = ["--tokenizer=bpe", "--vocab-size=280"];
  const { code, stdout, stderr } = await runScript(
    "gpt.ts",
    "--dry-run",
    ...FLAGS,
    ...newer,
    ...bpe,
    `--out=${out}`,
  );
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "best validation loss");
});

Deno.test("gpt.ts refuses sizes, texts and files that do not fit", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/short.txt`, "short");
  await Deno.writeTextFile(`${folder}/empty.txt`, "");
  await Deno.writeFile(`${folder}/latin.txt`, Uint8Array.of(97, 0xb3, 98));
  const cases: [string[], string][] = [
    [["--heads=3", "--width=16"], "--heads: 3 heads do not divide width 16"],
    [["--kv-heads=3"], "--kv-heads: 3 heads do not divide 4 heads"],
    [
      ["--width=12", "--positions=rotary"],
      "--positions: rotary needs heads of even size, width 12 / 4",
    ],
    [
      [`--text=${folder}/short.txt`],
      "--context: a part of the text has 4 tokens, a row of 64 needs 65 (use a longer text or a shorter context)",
    ],
    [[`--text=${folder}/empty.txt`], `loadText: text is empty: ${folder}/empty.txt`],
    [[`--text=${folder}/latin.txt`], `loadText: file is no UTF-8 from byte 1: ${folder}/latin.txt`],
    [["sample", "--length=0"], `--length: expected a whole number of at least 1, got "0"`],
    [["sample", `${folder}/nothing`], `--resume: no checkpoint in ${folder}/nothing`],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await runScript(
      "gpt.ts",
      ...args,
      "--dry-run",
      "--device=cpu",
      `--out=${folder}/run`,
    );
    assertEquals([code, stderr.trim()], [2, message]);
  }
});

Deno.test("gpt.ts exits 1 above --expect", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const { code, stderr } = await runScript(
    "gpt.ts",
    ...FLAGS,
    "--steps=1",
    "--expect=0.5",
    `--out=${out}`,
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "is above --expect 0.5");
});
