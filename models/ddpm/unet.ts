/**
 * The network: a U-Net of residual blocks that knows the step and a text (Ronneberger et al. 2015;
 * Ho et al. 2020; cross-attention as in Rombach et al. 2022).
 *
 * @module
 */
import { cat, noGrad, scaledDotProductAttention, type Tensor, tensor } from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";

const F = nn.functional;

/** Slowest wave of the step embedding, as in Vaswani et al. 2017. */
const LONGEST_PERIOD = 10_000;

/** Options of {@linkcode UNet}. */
export interface UNetOptions {
  /** Side of the images; the levels halve it. */
  imageSize: number;
  /** Channels of the images. */
  channels: number;
  /** Channels of the result. @default the same */
  outChannels?: number;
  /** Channels of the first level. */
  width: number;
  /** Channels of each level, as multiples of `width`. */
  multipliers: readonly number[];
  /** Residual blocks per level, down and up. */
  blocks: number;
  /** Sides of the feature maps on which there is attention; the middle always has it. */
  attention: readonly number[];
  /** Heads of the attention. */
  heads: number;
  /** Groups of the normalizations. */
  groups: number;
  /** Probability of dropping a value in a residual block. */
  dropout: number;
  /** Width of the text's tokens. */
  context: number;
}

/** What the network is told about the text of each image. */
export type TextContext = {
  /** Encoded tokens `[N, L, D]`. */
  readonly tokens: Tensor;
  /** Which of them are there, bool `[N, L]`. */
  readonly present: Tensor;
};

/** Starts a layer at 0, so that what it adds to is unchanged at first. */
function startAtZero<T extends nn.Linear | nn.Conv2d>(layer: T): T {
  noGrad(() => {
    layer.weight.zero_();
    layer.bias?.zero_();
  });
  return layer;
}

/**
 * Two convolutions; the embedding scales and shifts what lies between them (Dhariwal & Nichol 2021).
 * The second convolution starts at 0.
 */
export class ResidualBlock extends nn.Module {
  norm1: nn.GroupNorm;
  conv1: nn.Conv2d;
  embedding: nn.Linear;
  norm2: nn.GroupNorm;
  drop: nn.Dropout;
  conv2: nn.Conv2d;
  skip: nn.Conv2d | nn.Identity;

  constructor(inChannels: number, outChannels: number, embedding: number, options: UNetOptions) {
    super();
    this.norm1 = new nn.GroupNorm(options.groups, inChannels);
    this.conv1 = new nn.Conv2d(inChannels, outChannels, 3, { padding: 1 });
    this.embedding = new nn.Linear(embedding, 2 * outChannels);
    this.norm2 = new nn.GroupNorm(options.groups, outChannels);
    this.drop = new nn.Dropout(options.dropout);
    this.conv2 = startAtZero(new nn.Conv2d(outChannels, outChannels, 3, { padding: 1 }));
    this.skip = inChannels === outChannels
      ? new nn.Identity()
      : new nn.Conv2d(inChannels, outChannels, 1);
  }

  /** `[N, Cout, H, W]` from `[N, Cin, H, W]` and the embedding `[N, E]` after its activation. */
  override forward(x: Tensor, embedding: Tensor): Tensor {
    const modulation = this.embedding.forward(embedding).unsqueeze(-1).unsqueeze(-1);
    const [scale, shift] = modulation.chunk(2, 1); // [N, Cout, 1, 1] each
    let h = this.conv1.forward(F.silu(this.norm1.forward(x))); // [N, Cout, H, W]
    h = this.norm2.forward(h).mul(scale!.add(1)).add(shift!);
    h = this.drop.forward(F.silu(h));
    return this.skip.forward(x).add(this.conv2.forward(h)); // [N, Cout, H, W]
  }
}

/** Pixels look at each other, then at the text; both results start at 0. */
export class AttentionBlock extends nn.Module {
  norm: nn.GroupNorm;
  qkv: nn.Linear;
  out: nn.Linear;
  textNorm: nn.LayerNorm;
  textQuery: nn.Linear;
  textKv: nn.Linear;
  textOut: nn.Linear;
  readonly heads: number;

  constructor(channels: number, { groups, heads, context }: UNetOptions) {
    super();
    if (channels % heads) {
      throw new RangeError(`AttentionBlock: ${heads} heads do not divide ${channels} channels`);
    }
    this.heads = heads;
    this.norm = new nn.GroupNorm(groups, channels);
    this.qkv = new nn.Linear(channels, 3 * channels);
    this.out = startAtZero(new nn.Linear(channels, channels));
    this.textNorm = new nn.LayerNorm(channels);
    this.textQuery = new nn.Linear(channels, channels);
    this.textKv = new nn.Linear(context, 2 * channels);
    this.textOut = startAtZero(new nn.Linear(channels, channels));
  }

  /** `[N, C, H, W]` from the same and a text. */
  override forward(x: Tensor, { tokens, present }: TextContext): Tensor {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const split = (y: Tensor): Tensor => y.unflatten(-1, [this.heads, -1]).transpose(1, 2); // [N, h, L, d]
    const merge = (y: Tensor): Tensor => y.transpose(1, 2).flatten(2); // [N, L, C]

    const pixels = this.norm.forward(x).flatten(2).transpose(1, 2); // [N, HW, C]
    const [q, k, v] = this.qkv.forward(pixels).chunk(3, -1).map(split);
    const seen = merge(scaledDotProductAttention(q!, k!, v!)); // [N, HW, C]
    let h = x.flatten(2).transpose(1, 2).add(this.out.forward(seen)); // [N, HW, C]

    const query = split(this.textQuery.forward(this.textNorm.forward(h)));
    const [textK, textV] = this.textKv.forward(tokens).chunk(2, -1).map(split);
    const attnMask = present.reshape([batch, 1, 1, present.shape[1]!]); // [N, 1, 1, L]
    const read = merge(scaledDotProductAttention(query, textK!, textV!, { attnMask }));
    h = h.add(this.textOut.forward(read)); // [N, HW, C]
    return h.transpose(1, 2).reshape([batch, channels, height, width]);
  }
}

/** One residual block, with attention where the level has it. */
class Stage extends nn.Module {
  residual: ResidualBlock;
  attention: AttentionBlock | undefined;

  constructor(
    inChannels: number,
    outChannels: number,
    embedding: number,
    side: number,
    options: UNetOptions,
  ) {
    super();
    this.residual = new ResidualBlock(inChannels, outChannels, embedding, options);
    this.attention = options.attention.includes(side)
      ? new AttentionBlock(outChannels, options)
      : undefined;
  }

  override forward(x: Tensor, embedding: Tensor, text: TextContext): Tensor {
    const h = this.residual.forward(x, embedding); // [N, Cout, H, W]
    return this.attention?.forward(h, text) ?? h;
  }
}

/** Sinusoidal embedding of the step, then two linear layers. */
class StepEmbedding extends nn.Module {
  frequencies: Tensor;
  fc1: nn.Linear;
  fc2: nn.Linear;

  constructor(width: number, embedding: number) {
    super();
    const half = width / 2;
    const values = Float32Array.from({ length: half }, (_, i) => LONGEST_PERIOD ** (-i / half));
    this.frequencies = this.registerBuffer("frequencies", tensor(values), { persistent: false });
    this.fc1 = new nn.Linear(width, embedding);
    this.fc2 = new nn.Linear(embedding, embedding);
  }

  /** `[N, E]` of steps `[N]`. */
  override forward(t: Tensor): Tensor {
    const angles = t.to("float32").unsqueeze(1).mul(this.frequencies); // [N, width / 2]
    const wave = cat([angles.sin(), angles.cos()], 1); // [N, width]
    return this.fc2.forward(F.silu(this.fc1.forward(wave)));
  }
}

/** The whole network. */
export class UNet extends nn.Module {
  step: StepEmbedding;
  textEmbedding: nn.Linear;
  input: nn.Conv2d;
  down: Stage[][];
  shrink: nn.Conv2d[];
  middle1: ResidualBlock;
  middleAttention: AttentionBlock;
  middle2: ResidualBlock;
  grow: nn.Conv2d[];
  up: Stage[][];
  norm: nn.GroupNorm;
  output: nn.Conv2d;

  constructor(options: UNetOptions) {
    super();
    checkSizes(options);
    const { width, multipliers, blocks, channels, outChannels = channels, imageSize } = options;
    const embedding = 4 * width;
    const widths = multipliers.map((multiplier) => multiplier * width);
    const last = widths.at(-1)!;
    this.step = new StepEmbedding(width, embedding);
    this.textEmbedding = new nn.Linear(options.context, embedding);
    this.input = new nn.Conv2d(channels, width, 3, { padding: 1 });
    this.down = widths.map((own, level) =>
      Array.from({ length: blocks }, (_, block) => {
        const from = block > 0 ? own : widths[level - 1] ?? width;
        return new Stage(from, own, embedding, imageSize / 2 ** level, options);
      })
    );
    this.shrink = widths.slice(0, -1).map((own) =>
      new nn.Conv2d(own, own, 3, { stride: 2, padding: 1 })
    );
    this.middle1 = new ResidualBlock(last, last, embedding, options);
    this.middleAttention = new AttentionBlock(last, options);
    this.middle2 = new ResidualBlock(last, last, embedding, options);
    this.up = widths.map((own, level) =>
      Array.from({ length: blocks }, (_, block) => {
        // The last block gives as many channels as the level above has.
        const to = block < blocks - 1 ? own : widths[level - 1] ?? width;
        return new Stage(2 * own, to, embedding, imageSize / 2 ** level, options);
      })
    );
    this.grow = widths.slice(0, -1).map((above) => new nn.Conv2d(above, above, 3, { padding: 1 }));
    this.norm = new nn.GroupNorm(options.groups, width);
    this.output = startAtZero(new nn.Conv2d(width, outChannels, 3, { padding: 1 }));
  }

  /** `[N, Cout, H, W]` of images `[N, C, H, W]`, steps `[N]` and texts. */
  override forward(x: Tensor, t: Tensor, text: TextContext): Tensor {
    const summary = this.textEmbedding.forward(averaged(text)); // [N, E]
    const e = F.silu(this.step.forward(t).add(summary)); // [N, E]
    const skips: Tensor[] = [];
    let h = this.input.forward(x); // [N, width, H, W]
    for (const [level, stages] of this.down.entries()) {
      if (level > 0) h = this.shrink[level - 1]!.forward(h); // [N, C, H / 2, W / 2]
      for (const stage of stages) {
        h = stage.forward(h, e, text); // [N, C, H, W]
        skips.push(h);
      }
    }
    h = this.middle1.forward(h, e);
    h = this.middleAttention.forward(h, text);
    h = this.middle2.forward(h, e); // [N, C, H, W] of the last level
    for (const [level, stages] of [...this.up.entries()].reverse()) {
      for (const stage of stages) {
        h = stage.forward(cat([h, skips.pop()!], 1), e, text); // [N, C, H, W]
      }
      if (level > 0) {
        h = this.grow[level - 1]!.forward(F.interpolate(h, { scaleFactor: 2 })); // [N, C, 2 H, 2 W]
      }
    }
    return this.output.forward(F.silu(this.norm.forward(h))); // [N, Cout, H, W]
  }
}

/** Mean of the tokens that are there, `[N, D]`. */
function averaged({ tokens, present }: TextContext): Tensor {
  const share = present.to("float32").unsqueeze(-1); // [N, L, 1]
  return tokens.mul(share).sum(1).div(share.sum(1));
}

function checkSizes({ imageSize, multipliers, width, blocks, groups }: UNetOptions): void {
  const halvings = multipliers.length - 1;
  if (imageSize % 2 ** halvings) {
    throw new RangeError(
      `UNet: imageSize ${imageSize} cannot be halved ${halvings} times: multipliers ` +
        `[${multipliers.join(", ")}]`,
    );
  }
  if (width % 2 || width % groups) {
    throw new RangeError(`UNet: width ${width} is not a multiple of 2 and of groups ${groups}`);
  }
  if (blocks < 1 || multipliers.length < 1) {
    throw new RangeError(`UNet: ${blocks} blocks on ${multipliers.length} levels, at least 1 each`);
  }
}
