import { assert, assertEquals } from "@std/assert";
import { manualSeed, noGrad, randn, setDevice } from "@tensaurus/core";
import { Diffusion } from "../../models/ddpm/diffusion.ts";
import { guided, Painter, same } from "../../models/ddpm/paint.ts";
import { Prompts } from "../../models/ddpm/prompts.ts";
import { betasOf, Process } from "../../models/ddpm/schedule.ts";
import { PromptEncoder } from "../../models/ddpm/text.ts";
import { UNet } from "../../models/ddpm/unet.ts";

await setDevice("cpu");

const prompts = Prompts.of([..."0123456789"]);
const diffusion = new Diffusion(new Process(betasOf("cosine", 100)), { prediction: "v" });

const settings = {
  imageSize: 8,
  channels: 1,
  sampler: "ddim",
  sampleSteps: 4,
  eta: 0,
  guidance: 3,
  threshold: "clip",
  percentile: 0.995,
};

function tinyModel(): { text: PromptEncoder; unet: UNet } {
  manualSeed(11);
  const { vocabulary, length } = prompts;
  const text = new PromptEncoder({ vocabulary, length, width: 8, layers: 1, heads: 2 });
  const unet = new UNet({
    imageSize: 8,
    channels: 1,
    width: 8,
    multipliers: [1, 2],
    blocks: 1,
    attention: [],
    heads: 2,
    groups: 4,
    dropout: 0.5,
    context: 8,
  });
  noGrad(() => {
    for (const p of unet.parameters()) p.copy_(randn(p.shape).mul(0.2));
  });
  return { text: text.eval(), unet: unet.eval() };
}

const model = tinyModel();

async function paint(
  changes: Partial<typeof settings>,
  prompt: string,
  more: { negative?: string; seed?: number; count?: number } = {},
): Promise<number[]> {
  const painter = new Painter(model, prompts, diffusion, { ...settings, ...changes });
  const { count = 2, seed = 1, negative = "" } = more;
  return [...await painter.finish({ wanted: [same(prompt, count)], negative, seed }).data()];
}

Deno.test("guided() weighs the prompt with g and the negative one with 1 − g", () => {
  const [wanted, without] = guided([same("seven", 2)], "two", 3);
  assertEquals(wanted, { prompts: ["seven", "seven"], weights: [3, 3] });
  assertEquals(without, { prompts: ["two", "two"], weights: [-2, -2] });
});

Deno.test("guided() leaves one prompt alone where the other has no weight", () => {
  assertEquals(guided([same("seven", 2)], "", 1), [same("seven", 2)]);
  assertEquals(guided([same("seven", 2)], "", 0), [same("", 2)]);
  // An empty prompt is the model without a prompt, whatever the guidance.
  assertEquals(guided([same("", 2)], "", 7.3), [same("", 2)]);
});

Deno.test("guidance 1 is the model with the prompt and 0 the one without, to the bit", async () => {
  const seven = await paint({ guidance: 1 }, "seven");
  assertEquals(await paint({ guidance: 1 }, "seven", { negative: "two" }), seven);
  const nothing = await paint({ guidance: 0 }, "seven");
  assertEquals(await paint({ guidance: 1 }, ""), nothing);
  assertEquals(await paint({ guidance: 5 }, ""), nothing);
  assert(seven.some((value, i) => value !== nothing[i]));
  const strong = await paint({ guidance: 3 }, "seven");
  assert(strong.some((value, i) => Math.abs(value - seven[i]!) > 1e-4));
});

Deno.test("a negative prompt changes what guidance goes away from", async () => {
  const plain = await paint({}, "seven");
  const away = await paint({}, "seven", { negative: "two" });
  assert(away.some((value, i) => Math.abs(value - plain[i]!) > 1e-4));
});

Deno.test("the same seed gives the same picture, also among more", async () => {
  const two = await paint({ sampler: "ddpm" }, "seven");
  assertEquals(await paint({ sampler: "ddpm" }, "seven"), two);
  const other = await paint({ sampler: "ddpm" }, "seven", { seed: 2 });
  assert(other.some((value, i) => value !== two[i]));
  const three = await paint({}, "seven", { count: 3 });
  for (const [i, value] of (await paint({}, "seven")).entries()) {
    assert(Math.abs(value - three[i]!) < 1e-5);
  }
});

Deno.test("Painter runs one plan for every step of every order of one size", async () => {
  const painter = new Painter(model, prompts, diffusion, settings);
  for (const [seed, prompt] of ["one", "an odd digit", "cyfra pięć"].entries()) {
    await painter.finish({ wanted: [same(prompt, 2)], seed }).data();
  }
  assertEquals(painter.planCount, 1);
});

Deno.test("Painter mixes two prompts by weight, from one to the other", async () => {
  const painter = new Painter(model, prompts, diffusion, { ...settings, guidance: 1 });
  const wanted = [
    { ...same("two", 3), weights: [1, 0.5, 0] },
    { ...same("five", 3), weights: [0, 0.5, 1] },
  ];
  const x = [...await painter.finish({ wanted, seed: 1, sameNoise: true }).data()];
  const end = async (prompt: string): Promise<number[]> => {
    const order = { wanted: [same(prompt, 3)], seed: 1, sameNoise: true };
    return [...await painter.finish(order).data()];
  };
  const two = await end("two"), five = await end("five");
  for (let i = 0; i < 64; i++) {
    assert(Math.abs(x[i]! - two[i]!) < 1e-5);
    assert(Math.abs(x[128 + i]! - five[128 + i]!) < 1e-5);
  }
});
