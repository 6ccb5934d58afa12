/** Folders of Hugging Face's form, and LoRA. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { noGrad, randint, setDevice, zeros } from "@tensaurus/core";
import { FormatError, loadTensors } from "@tensaurus/core/data";
import { SGD } from "@tensaurus/core/optim";
import { Gpt } from "../../models/gpt.ts";
import { readHfFolder, writeHfFolder } from "../../models/kit/hf.ts";
import { addLora, loadAdapters, mergedState, saveAdapters } from "../../models/kit/lora.ts";
import { changed, FOLDERS, open, runnable } from "./_hf.ts";
import { runScript } from "./_script.ts";

await setDevice("cpu");

const FAMILIES = ["gpt2", "llama"] as const;

for (const family of FAMILIES) {
  Deno.test(`writeHfFolder() gives back what readHfFolder() read: ${family}`, async () => {
    const [model, hf] = await open(`${FOLDERS}hf-${family}`);
    const folder = `${await Deno.makeTempDir()}/hf`;
    await writeHfFolder(folder, hf, model.stateDict());
    const before = await loadTensors(`${FOLDERS}hf-${family}/model.safetensors`);
    const after = await loadTensors(`${folder}/model.safetensors`);
    assertEquals([...after.keys()].sort(), [...before.keys()].sort());
    for (const [name, x] of before) {
      assertEquals(after.get(name)!.shape, x.shape);
      assertEquals(await after.get(name)!.data(), await x.data());
    }
    assertEquals(JSON.parse(await Deno.readTextFile(`${folder}/config.json`)), hf.config);
  });

  Deno.test(`gpt.ts --hf writes text and fine-tunes adapters: ${family}`, async () => {
    const folder = await runnable(family);
    const common = [`--hf=${folder}`, "--device=cpu", "--length=8"];
    const prompt = "--prompt=To be";
    const written = await runScript("gpt.ts", "sample", ...common, prompt);
    assertEquals(written.code, 0, written.stderr);
    assertStringIncludes(written.stdout, "To be");
    const out = `${folder}/run`;
    const tuning = [`--text=${folder}/text.txt`, "--lora-rank=2", "--steps=2", "--context=8"];
    const trained = await runScript(
      "gpt.ts",
      ...common,
      ...tuning,
      prompt,
      "--batch-size=2",
      `--out=${out}`,
    );
    assertEquals(trained.code, 0, trained.stderr);
    const adapters = await loadTensors(`${out}/adapters.safetensors`);
    assert([...adapters.keys()].every((key) => /\.lora_[AB]$/.test(key)) && adapters.size === 16);
    // The merged folder is a model of the family again.
    const [merged] = await open(`${out}/hf`);
    const [original] = await open(folder);
    const tokens = randint(0, 290, [1, 8]);
    const gap = merged.forward(tokens).sub(original.forward(tokens)).abs().amax();
    assert(await gap.item() > 0);
    const again = await runScript("gpt.ts", "sample", out, "--device=cpu", "--length=8", prompt);
    assertEquals(again.code, 0, again.stderr);
  });
}

Deno.test("readHfFolder() names the field that it cannot use", async () => {
  const cases: [string, Record<string, unknown>, string][] = [
    ["gpt2", { model_type: "mamba" }, 'model_type is "mamba", supported are gpt2, llama, phi3'],
    [
      "gpt2",
      { model_type: undefined },
      'model_type is "undefined", supported are gpt2, llama, phi3',
    ],
    ["gpt2", { n_head: undefined }, "n_head is missing, expected a number"],
    ["gpt2", { n_embd: "wide" }, 'n_embd is "wide", expected a number'],
    [
      "gpt2",
      { activation_function: "relu" },
      'activation_function is "relu", supported are gelu, gelu_new, gelu_pytorch_tanh',
    ],
    ["llama", { hidden_act: "gelu" }, 'hidden_act is "gelu", supported are silu'],
    [
      "llama",
      { rope_parameters: { rope_type: "ntk" } },
      'rope_parameters.rope_type is "ntk", supported are default, linear, dynamic, llama3, yarn, longrope, su',
    ],
    [
      "llama",
      { rope_scaling: { type: "linear" } },
      "rope_scaling.factor is missing, expected a number",
    ],
    [
      "llama",
      { rope_scaling: { type: "dynamic", factor: 0.5 } },
      "rope_scaling.factor is 0.5, expected at least 1",
    ],
    [
      "llama",
      { rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 1 } },
      "rope_scaling.high_freq_factor is missing, expected a number",
    ],
    [
      "llama",
      { rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 1 } },
      "rope_scaling.high_freq_factor is 1, expected more than 4",
    ],
    [
      "llama",
      { rope_parameters: { rope_type: "yarn", factor: 4, beta_fast: "32" } },
      'rope_parameters.beta_fast is "32", expected a number',
    ],
    [
      "llama",
      { rope_parameters: { partial_rotary_factor: 0.5 } },
      'rope_parameters.partial_rotary_factor is "0.5", supported are 1',
    ],
    [
      "llama",
      { rope_scaling: { rope_type: "longrope", short_factor: [1], long_factor: "1" } },
      'rope_scaling.long_factor is "1", expected a list of numbers',
    ],
    ["llama", { mlp_bias: true }, 'mlp_bias is "true", supported are false'],
  ];
  for (const [family, config, problem] of cases) {
    const folder = await changed(family, config);
    const error = await assertRejects(() => readHfFolder(folder), FormatError);
    assertEquals(error.message, `readHfFolder: ${problem}: ${folder}/config.json`);
  }
});

Deno.test("readHfFolder() reads how rotary frequencies are scaled, under both names", async () => {
  const scalingOf = async (config: Record<string, unknown>) => {
    const { options } = await readHfFolder(await changed("llama", config));
    return [options.rotaryBase, options.rotaryScaling];
  };
  const older = { rope_parameters: undefined, rope_theta: 500_000 };
  const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  assertEquals(
    await scalingOf({
      ...older,
      rope_scaling: { ...llama3, original_max_position_embeddings: 64 },
    }),
    [500_000, {
      type: "llama3",
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxLen: 64,
    }],
  );
  assertEquals(await scalingOf({ ...older, rope_scaling: { type: "linear", factor: 2 } }), [
    500_000,
    { type: "linear", factor: 2 },
  ]);
  assertEquals(await scalingOf({ rope_scaling: null }), [10_000, undefined]);
  const dynamic = { rope_type: "dynamic", factor: 2, rope_theta: 20_000 };
  assertEquals(await scalingOf({ rope_parameters: dynamic }), [
    20_000,
    { type: "dynamic", factor: 2, originalMaxLen: 128 },
  ]);
  const yarn = await scalingOf({
    rope_parameters: { rope_type: "yarn", factor: 4, beta_slow: 2, truncate: false },
    original_max_position_embeddings: 32,
  });
  assertEquals(yarn, [10_000, {
    type: "yarn",
    factor: 4,
    originalMaxLen: 32,
    attentionFactor: undefined,
    mscale: undefined,
    mscaleAllDim: undefined,
    betaFast: undefined,
    betaSlow: 2,
    truncate: false,
  }]);
});

Deno.test("gpt.ts --hf goes past the context of a folder with dynamic scaling alone", async () => {
  const folder = await runnable("llama");
  const flags = ["sample", `--hf=${folder}`, "--context=160", "--device=cpu", "--length=8"];
  const refused = await runScript("gpt.ts", ...flags, "--prompt=To be");
  assertEquals([refused.code, refused.stderr.trim()], [
    2,
    "--context: 160 is longer than the model's 128",
  ]);
  const config = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  config.rope_scaling = { rope_type: "dynamic", factor: 2 };
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  const written = await runScript("gpt.ts", ...flags, "--prompt=To be");
  assertEquals(written.code, 0, written.stderr);
});

Deno.test("readHfFolder() names weights that are missing, left over or of another shape", async () => {
  const folder = await changed("llama", {}, (weights) => {
    weights.delete("model.layers.1.self_attn.k_proj.weight");
    weights.set("model.extra", zeros([1]));
  });
  const keys = Object.keys(new Gpt((await readHfFolder(folder)).options).stateDict());
  const { state } = await readHfFolder(folder);
  const error = assertThrows(() => state(keys), FormatError);
  assertEquals(
    error.message,
    'readHfFolder: missing "model.layers.1.self_attn.k_proj.weight", unexpected "model.extra": ' +
      `${folder}/model.safetensors`,
  );
  const narrow = await changed("gpt2", {}, (weights) => {
    weights.set("transformer.wpe.weight", zeros([32, 64]));
  });
  await assertRejects(
    () => open(narrow),
    TypeError,
    'loadStateDict: "wpe.weight" has another shape: module [64, 64], given [32, 64]',
  );
});

Deno.test("gpt.ts refuses a context longer than the model's, and a folder without a tokenizer", async () => {
  const folder = await runnable("gpt2");
  const long = await runScript("gpt.ts", `--hf=${folder}`, "--context=65", "--device=cpu");
  assertEquals([long.code, long.stderr.trim()], [2, "--context: 65 is longer than the model's 64"]);
  await Deno.remove(`${folder}/tokenizer.json`);
  const none = await runScript("gpt.ts", "sample", `--hf=${folder}`, "--device=cpu");
  assertEquals([none.code, none.stderr.trim()], [2, `--hf: ${folder} has no tokenizer.json`]);
  const missing = await runScript("gpt.ts", "sample", "--hf=no-such-folder", "--device=cpu");
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.stderr, "no-such-folder/config.json");
});

Deno.test("addLora() changes nothing at first, trains adapters alone, and can be merged", async () => {
  const [model] = await open(`${FOLDERS}hf-llama`);
  const tokens = randint(0, 300, [2, 8]);
  const before = noGrad(() => model.forward(tokens));
  const frozen = await model.stateDict()["h.0.qkv.weight"]!.clone().data();
  const options = { rank: 3, alpha: 6 };
  addLora(model, model.h, options);
  assertEquals(await noGrad(() => model.forward(tokens)).data(), await before.data());
  const trained = model.namedParameters().filter(([, p]) => p.requiresGrad);
  assertEquals(trained.map(([name]) => name).slice(0, 2), ["h.0.qkv.lora_A", "h.0.qkv.lora_B"]);
  assertEquals(trained.length, 2 * 4 * 2);

  const optimizer = new SGD(trained.map(([, p]) => p), { lr: 500 });
  for (let step = 0; step < 2; step++) {
    optimizer.zeroGrad();
    model.forward(tokens).square().mean().backward();
    optimizer.step();
  }
  assertEquals(await model.stateDict()["h.0.qkv.weight"]!.data(), frozen);
  const after = noGrad(() => model.forward(tokens));
  assert(await after.sub(before).abs().amax().item() > 1e-3);

  const [plain] = await open(`${FOLDERS}hf-llama`);
  plain.loadStateDict(mergedState(model));
  const gap = noGrad(() => plain.forward(tokens)).sub(after).abs().amax();
  assert(await gap.item() < 1e-5);

  const path = `${await Deno.makeTempDir()}/adapters.safetensors`;
  await saveAdapters(path, model, options);
  const [other] = await open(`${FOLDERS}hf-llama`);
  addLora(other, other.h, options);
  await loadAdapters(path, other);
  assertEquals(await noGrad(() => other.forward(tokens)).data(), await after.data());
});
