/** models/ddpm.ts as its users run it. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { manualSeed, randint, randn, setDevice, tensor, zeros } from "@tensaurus/core";
import { Ddpm, script, trainingOf } from "../../models/ddpm.ts";
import { bitsPerDimension } from "../../models/ddpm/evaluate.ts";
import { Diffusion } from "../../models/ddpm/diffusion.ts";
import { Judge } from "../../models/ddpm/judge.ts";
import { Prompts } from "../../models/ddpm/prompts.ts";
import { betasOf, Process } from "../../models/ddpm/schedule.ts";
import { unreadKeys } from "../../models/kit/config.ts";
import { decodePicture, encodePng } from "../../models/kit/picture.ts";
import { losses, type Run, runScript } from "./_script.ts";

await setDevice("cpu");

const ROOT = new URL("../../models/", import.meta.url);

/** Small enough for a test: 8×8 images of a folder, a narrow network, a few steps. */
const SMALL = [
  "--device=cpu",
  "--data=folder",
  "--image-size=8",
  "--diffusion-steps=20",
  "--width=8",
  "--groups=4",
  "--heads=2",
  "--multipliers=1,2",
  "--attention=4",
  "--text-width=8",
  "--text-layers=1",
  "--text-heads=2",
  "--dropout=0.1",
  "--batch-size=4",
  "--sample-steps=2",
  "--log-every=1",
  "--sample-every=2",
];

function run(...args: string[]): Promise<Run> {
  return runScript("ddpm.ts", ...args);
}

/** A folder of light and dark squares. */
async function squares(): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const [name, value] of [["dark", 40], ["light", 220]] as const) {
    await Deno.mkdir(`${folder}/${name}`);
    for (let i = 0; i < 8; i++) {
      const data = new Uint8Array(64).fill(value + i);
      const picture = { width: 8, height: 8, channels: 1, data };
      await Deno.writeFile(`${folder}/${name}/${i}.png`, encodePng(picture));
    }
  }
  return folder;
}

Deno.test("Ddpm has 900,001 parameters in its default form", () => {
  const prompts = Prompts.of([..."0123456789"]);
  const model = new Ddpm(script.config, prompts);
  assertEquals(model.parameters().reduce((n, p) => n + p.numel, 0), 900_001);
  const ids = tensor(prompts.encodeAll(["seven", ""]), { shape: [2, prompts.length] });
  assertEquals(model.forward(zeros([2, 1, 28, 28]), tensor([0, 999]), ids).shape, [2, 1, 28, 28]);
});

Deno.test("trainingOf() replays one plan for every step, whatever the learning rate", async () => {
  manualSeed(0);
  const small = { width: 8, groups: 4, heads: 2, multipliers: [1, 2], attention: [4] };
  const settings = { ...script.config, ...small, imageSize: 8, textWidth: 8, textHeads: 2 };
  const { step, sums, optimizer } = trainingOf(settings, Prompts.of([..."0123456789"]));
  for (const lr of [0, 1e-3, 2e-3]) {
    optimizer.paramGroups[0]!.lr = lr;
    step(randn([4, 1, 8, 8]), randint(0, 10, [4]));
  }
  const values = [...await sums.data()];
  const images = values.slice(4, 8).reduce((a, b) => a + b, 0);
  assertEquals([step.planCount, images, values[9]], [1, 12, 3]);
  step.dispose();
});

Deno.test("ddpm.ts reads every setting", async () => {
  const parts = [...Deno.readDirSync(new URL("ddpm", ROOT))].map(({ name }) => `ddpm/${name}`);
  const files = [
    "ddpm.ts",
    "kit/device.ts",
    "kit/run.ts",
    ...parts.filter((name) => !name.endsWith("settings.ts")),
  ];
  const texts = await Promise.all(files.map((name) => Deno.readTextFile(new URL(name, ROOT))));
  // The preset is read by the command line itself.
  assertEquals(unreadKeys(script.config, texts.join("\n")), ["preset"]);
});

Deno.test("ddpm.ts trains, resumes bit for bit, and does what a trained model is for", async () => {
  const data = `--data-folder=${await squares()}`;
  const folder = await Deno.makeTempDir();
  const whole = await run(...SMALL, data, "--steps=5", `--out=${folder}/whole`);
  assertEquals(whole.code, 0, whole.stderr);
  assertStringIncludes(whole.stdout, "samples/step-000002.png");
  const first = await run(...SMALL, data, "--steps=5", "--dry-run", `--out=${folder}/parts`);
  assertEquals(first.code, 0, first.stderr);
  const second = await run(`--resume=${folder}/parts`, "--device=cpu");
  assertEquals(second.code, 0, second.stderr);
  assertEquals(await losses(`${folder}/parts`), await losses(`${folder}/whole`));
  const weights = (name: string): Promise<Uint8Array> =>
    Deno.readFile(`${folder}/${name}/model.safetensors`);
  assertEquals(await weights("parts"), await weights("whole"));

  const resume = `--resume=${folder}/whole`;
  const out = `${folder}/made.png`;
  const made = async (...args: string[]): Promise<[number, number]> => {
    const { code, stderr } = await run(
      ...args,
      resume,
      `--out=${out}`,
      "--device=cpu",
      "--count=3",
    );
    assertEquals(code, 0, stderr);
    const { width, height } = decodePicture(await Deno.readFile(out));
    return [width, height];
  };
  await made("sample", "--prompt=a dark", "--steps=3", "--sampler=dpm++2m", "--animate");
  assert((await Deno.readFile(`${folder}/made.animated.png`)).length > 0);
  await made("interpolate", "--from=dark", "--to=light", "--steps=20");
  const picture = `${folder}/whole/samples.png`;
  await made("inpaint", picture, `--mask=${picture}`, "--steps=4", "--sampler=ddpm");

  const refusals: [string[], string][] = [
    [["sample", "--prompt=drak"], '--prompt: the vocabulary lacks "drak" (did you mean "dark"?)'],
    [["sample", "--steps=21"], "--steps: 21 denoising steps of a process that has 20"],
    [["sample", "--sampler=plms"], '--sampler: expected one of ddpm, ddim, dpm++2m, got "plms"'],
    [
      ["train", "--schedule=cosinus"],
      "--schedule: expected one of linear, cosine, scaled-linear, sigmoid, got " +
      '"cosinus" (did you mean cosine?)',
    ],
    [["sample", "--width=16"], '--width: the run was started with "8" and cannot go on with "16"'],
    [
      ["train", "--resume=", "--prediction=eps", "--zero-terminal-snr", ...SMALL, data],
      "Diffusion: eps says nothing about an image of which no signal is left (predict v or x0)",
    ],
    [
      ["train", "--resume=", ...SMALL, data, "--image-size=7"],
      "UNet: imageSize 7 cannot be halved 1 times: multipliers [1, 2]",
    ],
    [
      ["train", "--resume=", ...SMALL, data, "--channels=2"],
      '--channels: expected 1 or 3, got "2"',
    ],
    [["inpaint"], "inpaint: name an image, and with --mask a picture of what to paint anew"],
    [["inpaint", "/nowhere.png", "--mask=x.png"], "inpaint: there is no file /nowhere.png"],
    [
      ["eval", "--expect=0.9"],
      "--expect: the classifier of models/cnn.ts knows the ten digits alone",
    ],
  ];
  await Deno.mkdir(`${folder}/other/checkpoints/step-000001`, { recursive: true });
  const other = `${folder}/other/checkpoints/step-000001`;
  await Deno.writeTextFile(`${other}/step.json`, '{"step":1}');
  await Deno.copyFile(`${folder}/whole/config.json`, `${folder}/other/config.json`);
  const foreign = await run("sample", `--resume=${other}`);
  assertEquals(foreign.stderr.trim(), `--resume: ${other} is no checkpoint of models/ddpm.ts`);
  const config = JSON.parse(await Deno.readTextFile(`${folder}/whole/config.json`));
  const wider = JSON.stringify({ ...config, width: 16 });
  await Deno.writeTextFile(`${folder}/other/config.json`, wider);
  await Deno.copyFile(`${folder}/whole/model.safetensors`, `${other}/model.safetensors`);
  await Deno.writeTextFile(
    `${other}/text.json`,
    JSON.stringify(Prompts.of(["dark", "light"]).save()),
  );
  const misfit = await run("sample", `--resume=${other}`);
  assertEquals(misfit.code, 2);
  assertStringIncludes(
    misfit.stderr,
    `--resume: ${other} does not fit the settings: loadStateDict`,
  );

  const answers = await Promise.all(refusals.map(([args]) => run(resume, ...args)));
  for (const [i, [args, message]] of refusals.entries()) {
    assertEquals([answers[i]!.code, answers[i]!.stderr.trim()], [2, message], args.join(" "));
  }
});

Deno.test("ddpm.ts fails below --expect without training where there is no classifier", async () => {
  const { code, stderr } = await run("--expect=0.9", "--classifier=/nowhere", "--device=cpu");
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--classifier: no checkpoint in /nowhere");
});

Deno.test("bitsPerDimension() is the bound of a network that always answers 0", async () => {
  const process = new Process(betasOf("cosine", 40));
  const diffusion = new Diffusion(process, { prediction: "x0" });
  const bits = (terms: number, seed: number): Promise<number> =>
    bitsPerDimension({
      predict: (x) => x.mul(0),
      diffusion,
      batches: [zeros([8, 1, 2, 2]).add(0.5)],
      terms,
      seed,
    });
  // An error of 0.5 in x_0 costs ½ · 0.5² · (SNR_{t−1} − SNR_t) nats at t, and at t = 0 the level is
  // so far away that its probability is the smallest there is.
  const { snr } = process;
  const expected = (0.125 * (snr[0]! - snr[39]!) - Math.log(1e-12)) / Math.LN2;
  const all = await bits(40, 1);
  assert(Math.abs(all - expected) < 0.02 * expected, `${all} for ${expected}`);
  let mean = 0;
  for (let seed = 0; seed < 10; seed++) mean += await bits(21, seed) / 10;
  assert(Math.abs(mean - expected) < 0.25 * expected, `${mean} for ${expected}`);
});

Deno.test("Judge gives a label and features for each image, in any number", async () => {
  const judge = Judge.untrained();
  const images = Array.from({ length: 130 }, (_, i) => {
    const data = new Uint8Array(64).map((_, j) => (i * j) % 256);
    return { width: 8, height: 8, channels: 1, data };
  });
  const { labels, features } = await judge.look(images);
  assertEquals([labels.length, features.length, features[0]!.length], [130, 130, 512]);
  const alone = await judge.look(images.slice(125, 126));
  assertEquals(alone.labels[0], labels[125]);
  assert(features[125]!.every((x, i) => Math.abs(x - alone.features[0]![i]!) < 1e-4));
});
