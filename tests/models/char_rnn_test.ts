/** models/char_rnn.ts: the network, its memory, and the script as its users run it. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { manualSeed, noGrad, randint, setDevice, tensor } from "@tensaurus/core";
import { CharRnn, script } from "../../models/char_rnn.ts";
import { unreadKeys } from "../../models/kit/config.ts";
import { TokenGenerator } from "../../models/kit/generate.ts";
import { losses, runScript, sources } from "./_script.ts";

await setDevice("cpu");

const SMALL = { cell: "lstm", layers: 2, hidden: 16, embedding: 8, dropout: 0.3, forgetBias: 0 };

/** Small enough for a test: a narrow network, a few steps. */
const FLAGS = [
  "--device=cpu",
  "--context=8",
  "--hidden=8",
  "--embedding=8",
  "--batch-size=4",
  "--log-every=1",
  "--length=8",
];

/** Two pages of text: short enough that a few steps go once around. */
async function shortText(folder: string): Promise<string> {
  const text = "To be, or not to be, that is the question:\n".repeat(6);
  await Deno.writeTextFile(`${folder}/text.txt`, text);
  return `${folder}/text.txt`;
}

for (const cell of ["rnn", "lstm", "gru"]) {
  Deno.test(`CharRnn carries the state of its ${cell} layers`, async () => {
    manualSeed(1);
    const model = new CharRnn(20, { ...SMALL, cell }).eval();
    const tokens = randint(0, 20, [3, 12]);
    const [whole] = noGrad(() => model.forward(tokens));
    const [first, state] = noGrad(() => model.forward(tokens.slice(1, 0, 5)));
    const [second] = noGrad(() => model.forward(tokens.slice(1, 5), state));
    const gap = whole.slice(1, 0, 5).sub(first).abs().amax();
    const later = whole.slice(1, 5).sub(second).abs().amax();
    assert(await gap.item() < 1e-6 && await later.item() < 1e-6);
  });

  Deno.test(`CharRnn writes the same with its memory as without: ${cell}`, async () => {
    manualSeed(2);
    const model = new CharRnn(20, { ...SMALL, cell }).eval();
    noGrad(() => {
      for (const weight of model.parameters()) weight.mul_(4);
    });
    const prompt = Array.from({ length: 37 }, (_, i) => (3 * i) % 20);
    const tokens = [...prompt];
    for (let i = 0; i < 40; i++) {
      const x = tensor(Int32Array.from(tokens), { shape: [1, tokens.length] });
      const [logits] = noGrad(() => model.forward(x));
      tokens.push(await logits.select(1, -1).argmax(-1).item());
    }
    const generator = new TokenGenerator(model.decoder(), { temperature: 0 });
    assertEquals(await generator.generate(prompt, { length: 40 }), tokens.slice(37));
  });
}

Deno.test("CharRnn opens the forget gates", async () => {
  const model = new CharRnn(20, { ...SMALL, forgetBias: 1.5 });
  for (const layer of [0, 1]) {
    const state = model.stateDict();
    const [input, hidden] = ["ih", "hh"].map((part) => state[`rnn.bias_${part}_l${layer}`]!);
    const sum = await input!.add(hidden!).data();
    assertEquals([...sum.subarray(16, 32)].every((x) => x === 1.5), true);
    assertEquals([...sum.subarray(0, 16)].some((x) => x === 1.5), false);
  }
});

Deno.test("CharRnn has PyTorch's keys", () => {
  const keys = Object.keys(new CharRnn(20, { ...SMALL, layers: 1 }).stateDict());
  assertEquals(keys, [
    "emb.weight",
    "rnn.weight_ih_l0",
    "rnn.weight_hh_l0",
    "rnn.bias_ih_l0",
    "rnn.bias_hh_l0",
    "fc.weight",
    "fc.bias",
  ]);
});

Deno.test("char_rnn.ts reads every setting", async () => {
  const text = await sources(
    "char_rnn.ts",
    "kit/language.ts",
    "kit/language_commands.ts",
    "kit/language_run.ts",
    "kit/device.ts",
    "kit/run.ts",
    "kit/text.ts",
  );
  assertEquals(unreadKeys(script.config, text), ["preset"]); // read by the command line itself
});

Deno.test("char_rnn.ts trains, evaluates, resumes bit for bit and writes text", async () => {
  const folder = await Deno.makeTempDir();
  const flags = [...FLAGS, `--text=${await shortText(folder)}`, "--steps=12"];
  const whole = await runScript("char_rnn.ts", ...flags, `--out=${folder}/whole`);
  assertEquals(whole.code, 0, whole.stderr);
  for (const part of ["device", "parameters", "step 12/12", "bits per character"]) {
    assertStringIncludes(whole.stdout, part);
  }
  // An epoch has 7 steps: one of the checkpoints lies inside an epoch, one at its end.
  for (const every of [3, 7]) {
    const out = `${folder}/every${every}`;
    const parts = await runScript("char_rnn.ts", ...flags, `--save-every=${every}`, `--out=${out}`);
    assertEquals(parts.code, 0, parts.stderr);
    const at = `${out}/checkpoints/step-0000${every === 3 ? "09" : "07"}`;
    const resumed = await runScript("char_rnn.ts", `--resume=${at}`, "--device=cpu");
    assertEquals(resumed.code, 0, resumed.stderr);
    assertEquals(await losses(out), await losses(`${folder}/whole`));
  }
  const evaluated = await runScript("char_rnn.ts", "eval", `${folder}/whole`, "--device=cpu");
  assertEquals(evaluated.code, 0, evaluated.stderr);
  const figures = (text: string): string | undefined => text.match(/validation (loss.*)/)?.[1];
  assertEquals(figures(evaluated.stdout), figures(whole.stdout));
  const sample = ["sample", `${folder}/whole`, "--device=cpu", "--length=70"];
  const written = await runScript("char_rnn.ts", ...sample, "--prompt=to be", "--top-p=0.9");
  assertEquals(written.code, 0, written.stderr);
  assert(/^to be[^]{70}\n\(\d+ tokens\/s\)\n$/.test(written.stdout), written.stdout);
  const lacking = await runScript("char_rnn.ts", ...sample, "--prompt=42");
  assertEquals([lacking.code, lacking.stderr.trim()], [
    2,
    `--prompt: the vocabulary lacks "4", "2"`,
  ]);
  const empty = await runScript("char_rnn.ts", ...sample, "--prompt=");
  assertEquals([empty.code, empty.stderr.trim()], [
    2,
    "--prompt: is empty (give at least one character)",
  ]);
});

Deno.test("char_rnn.ts does one step of everything with --dry-run", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const options = ["--cell=gru", "--dry-run", ...FLAGS, `--out=${out}`];
  const { code, stdout, stderr } = await runScript("char_rnn.ts", ...options);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "best validation loss");
});

Deno.test("char_rnn.ts refuses a cell that it does not know", async () => {
  const { code, stderr } = await runScript("char_rnn.ts", "--cell=lst");
  assertEquals([code, stderr.trim()], [
    2,
    '--cell: expected one of rnn, lstm, gru, got "lst" (did you mean lstm?)',
  ]);
});
