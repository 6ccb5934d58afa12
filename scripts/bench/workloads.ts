/**
 * The training steps that the benchmark times and the golden plans print.
 *
 * @module
 */
import {
  arange,
  compile,
  type CompiledFunction,
  exp,
  randint,
  randn,
  type Tensor,
} from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import * as optim from "@tensaurus/core/optim";
import { Net } from "../../models/cnn.ts";
import { Gpt, RecurrentLm, UNet } from "./models.ts";

const F = nn.functional;

/** One training step: forward, backward and optimizer. */
export interface Workload {
  readonly name: string;
  /** Only timed on a GPU: minutes on a CPU. */
  readonly gpuOnly?: boolean;
  /** Builds the step and its arguments. */
  readonly make: () => { step: CompiledFunction<Tensor[], Tensor>; args: Tensor[] };
}

/** A compiled step: forward, backward, optimizer. */
export function trainStep(
  optimizer: { zeroGrad(): void; step(): void },
  lossOf: (...args: Tensor[]) => Tensor,
): CompiledFunction<Tensor[], Tensor> {
  return compile((...args: Tensor[]) => {
    optimizer.zeroGrad();
    const loss = lossOf(...args);
    loss.backward();
    optimizer.step();
    return loss;
  });
}

function languageModel(
  name: string,
  build: () => Gpt | RecurrentLm,
  batch: number,
  length: number,
): Workload {
  return {
    name,
    make: () => {
      const model = build();
      const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });
      const step = trainStep(optimizer, (x, y) => {
        const logits = model.forward(x!); // [B, T, V]
        return F.crossEntropy(logits.flatten(0, 1), y!.flatten());
      });
      const tokens = randint(0, 65, [batch, length + 1]);
      return {
        step,
        args: [tokens.slice(1, 0, length).contiguous(), tokens.slice(1, 1).contiguous()],
      };
    },
  };
}

function seedCnn(batch: number): Workload {
  return {
    name: `seed-cnn b${batch} 48x48`,
    gpuOnly: batch > 64,
    make: () => {
      const model = new Net({ imageSize: 48, classes: 10, dropout: 0.5 });
      const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3, weightDecay: 1e-4 });
      const step = trainStep(optimizer, (x, y) => F.crossEntropy(model.forward(x!), y!));
      return { step, args: [randn([batch, 3, 48, 48]), randint(0, 10, [batch])] };
    },
  };
}

const DDPM: Workload = {
  name: "ddpm unet32 b32 28x28",
  make: () => {
    const model = new UNet(32);
    const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });
    const frequencies = exp(arange(0, 16, 1, { dtype: "float32" }).mul(-Math.log(10_000) / 16));
    const step = trainStep(optimizer, (x, t) => {
      const noise = randn([32, 1, 28, 28], { device: x!.device });
      return F.mseLoss(model.forward(x!, t!, frequencies), noise);
    });
    return { step, args: [randn([32, 1, 28, 28]), randint(0, 1000, [32])] };
  },
};

/** All of them, in the order of the PyTorch script. */
export const WORKLOADS: readonly Workload[] = [
  seedCnn(64),
  seedCnn(256),
  languageModel("gpt 4x128 b12 t64", () => new Gpt(), 12, 64),
  {
    ...languageModel("gpt 6x384 b64 t256", () => new Gpt(65, 256, 384, 6, 6), 64, 256),
    gpuOnly: true,
  },
  languageModel("lstm 2x256 b32 t64", () => new RecurrentLm("lstm"), 32, 64),
  languageModel("gru 2x256 b32 t64", () => new RecurrentLm("gru"), 32, 64),
  DDPM,
];
