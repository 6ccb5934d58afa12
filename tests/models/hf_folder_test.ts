/** What the folders of Hugging Face's hub have beside the plain form: shards, settings of sampling, Phi-3. */
import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { cat, oneHot, randint, setDevice, type Tensor } from "@tensaurus/core";
import { FormatError, loadTensors, saveTensors } from "@tensaurus/core/data";
import { type Decoder, TokenGenerator } from "../../models/kit/generate.ts";
import { readHfFolder, writeHfFolder } from "../../models/kit/hf.ts";
import { changed, FOLDERS, open, runnable } from "./_hf.ts";
import { runScript } from "./_script.ts";

await setDevice("cpu");

/** Logits of the same tokens from the model of a folder. */
async function logits(folder: string, tokens: Tensor): Promise<ArrayLike<number | bigint>> {
  const [model] = await open(folder);
  return await model.forward(tokens).data();
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(value));
}

Deno.test("readHfFolder() joins the shards that an index names", async () => {
  const folder = await changed("llama", {});
  const tokens = randint(0, 300, [1, 8]);
  const whole = await logits(folder, tokens);
  const weights = [...await loadTensors(`${folder}/model.safetensors`)];
  await Deno.remove(`${folder}/model.safetensors`);
  const names = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`);
  for (const [i, name] of names.entries()) {
    await saveTensors(`${folder}/${name}`, weights.filter((_, k) => k % 3 === i));
  }
  const index = Object.fromEntries(weights.map(([key], k) => [key, names[k % 3]]));
  await writeJson(`${folder}/model.safetensors.index.json`, { weight_map: index });
  assertEquals(await logits(folder, tokens), whole);
});

Deno.test("readHfFolder() ties the last layer where the folder says so, with and without its weight", async () => {
  const tokens = randint(0, 300, [1, 8]);
  const own = await logits(`${FOLDERS}hf-llama`, tokens);
  const tie = { tie_word_embeddings: true };
  const tied = await changed("llama", tie, (weights) => weights.delete("lm_head.weight"));
  const twice = await changed("llama", tie);
  const copied = await changed("llama", {}, (weights) => {
    weights.set("lm_head.weight", weights.get("model.embed_tokens.weight")!);
  });
  const expected = await logits(tied, tokens);
  assertNotEquals(expected, own);
  assertEquals(await logits(twice, tokens), expected);
  assertEquals(await logits(copied, tokens), expected);
  const lacking = await changed("llama", {}, (weights) => weights.delete("lm_head.weight"));
  const error = await assertRejects(() => open(lacking), FormatError);
  assertEquals(
    error.message,
    `readHfFolder: missing "lm_head.weight": ${lacking}/model.safetensors`,
  );
});

Deno.test("readHfFolder() gives all tokens that end a text, those of generation_config.json first", async () => {
  const folder = await changed("llama", { eos_token_id: [2, 290, 128_009] });
  assertEquals((await readHfFolder(folder)).endOfText, [2, 290]); // the model has 300 tokens
  await writeJson(`${folder}/generation_config.json`, { eos_token_id: 7 });
  assertEquals((await readHfFolder(folder)).endOfText, [7]);
  await writeJson(`${folder}/generation_config.json`, { do_sample: true });
  assertEquals((await readHfFolder(folder)).endOfText, [2, 290]);
  assertEquals((await readHfFolder(await changed("llama", { eos_token_id: null }))).endOfText, []);
});

Deno.test("TokenGenerator stops at any of the tokens that end a text", async () => {
  const counting: Decoder = {
    context: Infinity,
    next: (tokens) =>
      oneHot(tokens.slice(1, -1).reshape([-1]).add(1).remainder(10), 10).to("float32"),
    reset: () => {},
  };
  const generator = new TokenGenerator(counting, { batch: 2, temperature: 0 });
  const rows: number[][] = [[], []];
  for await (const blocks of generator.stream([[1], [6]], { length: 20, stop: [4, 9] })) {
    for (const [b, block] of blocks.entries()) rows[b]!.push(...block);
  }
  generator.dispose();
  assertEquals(rows, [[2, 3], [7, 8]]);
});

Deno.test("readHfFolder() reads how to draw tokens, and names what is out of range", async () => {
  const folder = await changed("llama", {});
  const path = `${folder}/generation_config.json`;
  const read = async (generation: unknown) => {
    await writeJson(path, generation);
    return (await readHfFolder(folder)).sampling;
  };
  assertEquals((await readHfFolder(folder)).sampling, {});
  assertEquals(await read({ do_sample: true, temperature: 0.6, top_p: 0.9 }), {
    temperature: 0.6,
    topP: 0.9,
  });
  assertEquals(await read({ top_k: 20 }), { topK: 20 });
  assertEquals(await read({ do_sample: false, temperature: 0.6 }), { temperature: 0 });
  const error = await assertRejects(() => read({ top_p: 1.5 }), FormatError);
  assertEquals(error.message, `readHfFolder: top_p is 1.5, expected 0 to 1: ${path}`);
});

Deno.test("gpt.ts sample takes its defaults from generation_config.json; flags win; tuning keeps it", async () => {
  const folder = await runnable("llama");
  const sample = async (...flags: string[]): Promise<string> => {
    const common = ["--device=cpu", "--length=8", "--prompt=To be"];
    const { code, stdout, stderr } = await runScript(
      "gpt.ts",
      "sample",
      `--hf=${folder}`,
      ...common,
      ...flags,
    );
    assertEquals(code, 0, stderr);
    return stdout;
  };
  const greedy = await sample("--temperature=0"), drawn = await sample("--temperature=1");
  assertNotEquals(greedy, drawn);
  await writeJson(`${folder}/generation_config.json`, { do_sample: false });
  assertEquals(await sample(), greedy);
  assertEquals(await sample("--temperature=1"), drawn);
  const [model, hf] = await open(folder);
  await writeHfFolder(`${folder}/again`, hf, model.stateDict());
  assertEquals((await readHfFolder(`${folder}/again`)).sampling, { temperature: 0 });
});

Deno.test("readHfFolder() reads Phi-3: joined weights, a window, two forms of the frequencies", async () => {
  const shortFactors = [1, 1, 1.05, 1.1, 1.2, 1.3, 1.5, 2];
  const longFactors = [1, 2, 3, 4, 6, 8, 12, 16];
  const config = {
    model_type: "phi3",
    sliding_window: 96,
    original_max_position_embeddings: 32,
    rope_parameters: undefined,
    rope_theta: 10_000,
    rope_scaling: { type: "longrope", short_factor: shortFactors, long_factor: longFactors },
  };
  const parts = {
    qkv_proj: ["q_proj", "k_proj", "v_proj"],
    gate_up_proj: ["gate_proj", "up_proj"],
  };
  const folder = await changed("llama", config, (weights) => {
    for (const key of [...weights.keys()]) {
      for (const [joined, [first, ...others]] of Object.entries(parts)) {
        if (!key.includes(`.${first}.`)) continue;
        const keys = [first!, ...others].map((part) => key.replace(first!, part));
        weights.set(key.replace(first!, joined), cat(keys.map((name) => weights.get(name)!), 0));
        for (const name of keys) weights.delete(name);
      }
    }
  });
  const { options } = await readHfFolder(folder, 33);
  assertEquals([options.context, options.rotaryScaling], [96, {
    type: "longrope",
    factor: 4, // 128 positions in all
    shortFactors,
    longFactors,
    originalMaxLen: 32,
    attentionFactor: undefined,
  }]);
  // The frequencies of short texts hold for the original context alone.
  assertEquals((await readHfFolder(folder, 32)).options.context, 32);
  // One that scales nothing is the model of the Llama folder.
  const plain = { short_factor: Array(8).fill(1), long_factor: Array(8).fill(1) };
  const old = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  old.rope_scaling = { type: "su", factor: 1, ...plain };
  await writeJson(`${folder}/config.json`, old);
  const tokens = randint(0, 300, [1, 8]);
  assertEquals(await logits(folder, tokens), await logits(`${FOLDERS}hf-llama`, tokens));
  // Written again, it is a folder of the same form.
  const [model, hf] = await open(folder);
  await writeHfFolder(`${folder}/again`, hf, model.stateDict());
  const before = await loadTensors(`${folder}/model.safetensors`);
  const after = await loadTensors(`${folder}/again/model.safetensors`);
  assertEquals([...after.keys()].sort(), [...before.keys()].sort());
  for (const [name, x] of before) assertEquals(await after.get(name)!.data(), await x.data());
});
