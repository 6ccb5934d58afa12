import { assert, assertEquals, assertThrows } from "@std/assert";
import { manualSeed, noGrad, randn, setDevice, type Tensor, tensor } from "@tensaurus/core";
import { Prompts } from "../../models/ddpm/prompts.ts";
import { PromptEncoder } from "../../models/ddpm/text.ts";
import { type TextContext, UNet, type UNetOptions } from "../../models/ddpm/unet.ts";

await setDevice("cpu");

const OPTIONS: UNetOptions = {
  imageSize: 8,
  channels: 1,
  width: 8,
  multipliers: [1, 2],
  blocks: 1,
  attention: [4],
  heads: 2,
  groups: 4,
  dropout: 0,
  context: 8,
};

const prompts = Prompts.of([..."0123456789"]);

function encoder(): PromptEncoder {
  const { vocabulary, length } = prompts;
  return new PromptEncoder({ vocabulary, length, width: 8, layers: 1, heads: 2 });
}

function idsOf(...texts: string[]): Tensor {
  return tensor(prompts.encodeAll(texts), { shape: [texts.length, prompts.length] });
}

/** Takes the zeros of the last layers away, so that everything takes part. */
function awaken(model: UNet): UNet {
  noGrad(() => {
    for (const p of model.parameters()) p.copy_(randn(p.shape).mul(0.3));
  });
  return model.eval();
}

async function gap(a: Tensor, b: Tensor): Promise<number> {
  return await a.sub(b).abs().amax().item();
}

Deno.test("UNet keeps the size of images for all numbers of levels, blocks and channels", () => {
  const text = noGrad(() => encoder().forward(idsOf("seven", "")));
  const variants: Partial<UNetOptions>[] = [
    { multipliers: [1] },
    { multipliers: [1, 2, 3], blocks: 2, attention: [8, 4] },
    { channels: 3, outChannels: 6, blocks: 3, multipliers: [2, 1] },
  ];
  for (const variant of variants) {
    const options = { ...OPTIONS, ...variant };
    const { channels, outChannels = channels } = options;
    const y = new UNet(options).forward(randn([2, channels, 8, 8]), tensor([3, 700]), text);
    assertEquals(y.shape, [2, outChannels, 8, 8]);
  }
});

Deno.test("UNet gives 0 at first, since its last layers start at 0", async () => {
  const text = noGrad(() => encoder().forward(idsOf("seven", "")));
  const y = new UNet(OPTIONS).forward(randn([2, 1, 8, 8]), tensor([3, 700]), text);
  assertEquals(await y.abs().amax().item(), 0);
});

Deno.test("UNet depends on the step and on the text, of each image alone", async () => {
  manualSeed(4);
  const model = awaken(new UNet(OPTIONS));
  const words = encoder();
  const x = randn([1, 1, 8, 8]).expand([3, 1, 8, 8]);
  const text = words.forward(idsOf("seven", "two", "seven"));
  const y = model.forward(x, tensor([5, 5, 900]), text);
  assert(await gap(y.select(0, 0), y.select(0, 1)) > 1e-3, "text");
  assert(await gap(y.select(0, 0), y.select(0, 2)) > 1e-3, "step");
  const alone = model.forward(x.narrow(0, 1, 1), tensor([5]), words.forward(idsOf("two")));
  assert(await gap(alone.select(0, 0), y.select(0, 1)) < 1e-4, "other images");
});

Deno.test("UNet does not see the padding of a prompt", async () => {
  manualSeed(4);
  const model = awaken(new UNet(OPTIONS));
  const { tokens, present } = encoder().forward(idsOf("seven"));
  const x = randn([1, 1, 8, 8]), t = tensor([5]);
  const noise = randn(tokens.shape).mul(present.logicalNot().to("float32").unsqueeze(-1));
  const other: TextContext = { tokens: tokens.add(noise), present };
  const y = model.forward(x, t, { tokens, present });
  assert(await gap(y, model.forward(x, t, other)) < 1e-6);
});

Deno.test("PromptEncoder gives the same tokens for a prompt in any company", async () => {
  manualSeed(4);
  const words = encoder().eval();
  const both = words.forward(idsOf("a digit smaller than four", "2"));
  const alone = words.forward(idsOf("2"));
  assert(await gap(both.tokens.select(0, 1), alone.tokens.select(0, 0)) < 1e-5);
  assertEquals([...await alone.present.data()], [1, 1, 0, 0, 0, 0]);
});

Deno.test("UNet trains every parameter", async () => {
  manualSeed(4);
  const model = awaken(new UNet(OPTIONS)).train();
  const words = encoder();
  const y = model.forward(randn([2, 1, 8, 8]), tensor([5, 90]), words.forward(idsOf("1", "odd")));
  y.square().mean().backward();
  for (const [name, p] of [...model.namedParameters(), ...words.namedParameters()]) {
    assert(p.grad !== undefined && await p.grad.abs().amax().item() > 0, name);
  }
});

Deno.test("UNet throws for sizes that do not fit", () => {
  const message = (options: Partial<UNetOptions>, text: string): void => {
    assertThrows(() => new UNet({ ...OPTIONS, ...options }), RangeError, text);
  };
  message(
    { imageSize: 28, multipliers: [1, 2, 2, 2] },
    "UNet: imageSize 28 cannot be halved 3 times: multipliers [1, 2, 2, 2]",
  );
  message({ width: 10 }, "UNet: width 10 is not a multiple of 2 and of groups 4");
  message({ blocks: 0 }, "UNet: 0 blocks on 2 levels, at least 1 each");
  message({ heads: 3 }, "AttentionBlock: 3 heads do not divide 16 channels");
});
