/**
 * A training step of the course's network in other JavaScript libraries, and here, on the CPU:
 *
 * ```sh
 * deno task bench:peers
 * ```
 *
 * 3 × 48 × 48 pixels, convolutions of 32, 64 and 128 filters, 512 hidden units, ten classes. Here and
 * in TensorFlow.js with dropout and Adam; in jax-js with neither, and gradient descent. TensorFlow.js
 * runs on its plain CPU backend: the WebAssembly one has no gradient of a convolution's weights.
 * A step takes them up to a minute, so batches are small.
 *
 * @module
 */
import { manualSeed, randint, randn, setDevice, synchronize } from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import * as optim from "@tensaurus/core/optim";
import { trainStep } from "./bench/workloads.ts";
import { Net } from "../models/cnn.ts";

// Behind variables, so that neither is among what this project depends on.
const JAX = "npm:@jax-js/jax@0.1.25";
const TENSORFLOW = "npm:@tensorflow/tfjs@4.22.0";

/** Milliseconds of the fastest of some runs after the first. */
async function fastest(runs: number, run: () => Promise<void>): Promise<number> {
  await run();
  let least = Infinity;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await run();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

async function here(batch: number): Promise<number> {
  await setDevice("cpu");
  manualSeed(0);
  const model = new Net({ imageSize: 48, classes: 10, dropout: 0.5 });
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3, weightDecay: 1e-4 });
  const step = trainStep(
    optimizer,
    (x, y) => nn.functional.crossEntropy(model.forward(x!), y!),
  );
  const args = [randn([batch, 3, 48, 48]), randint(0, 10, [batch])];
  const ms = await fastest(40, async () => {
    step(...args).dispose();
    await synchronize("cpu");
  });
  step.dispose();
  return ms;
}

/** What is used of TensorFlow.js, whose own types are not imported. */
interface TensorFlow {
  setBackend(name: string): Promise<unknown>;
  readonly layers: Record<
    "conv2d" | "maxPooling2d" | "flatten" | "dropout" | "dense",
    (options?: Record<string, unknown>) => object
  >;
  sequential(options: { layers: object[] }): {
    compile(options: { optimizer: object; loss: unknown }): void;
    trainOnBatch(x: object, y: object): Promise<unknown>;
  };
  readonly train: { adam(lr: number): object };
  readonly losses: { readonly softmaxCrossEntropy: unknown };
  randomNormal(shape: number[]): object;
  randomUniform(shape: number[], low: number, high: number, dtype: string): object;
  oneHot(x: object, depth: number): object;
}

async function tensorflow(batch: number): Promise<number> {
  const tf: TensorFlow = await import(TENSORFLOW);
  await tf.setBackend("cpu");
  const { layers } = tf;
  const convolution = (filters: number, first = {}) =>
    layers.conv2d({ filters, kernelSize: 3, padding: "same", activation: "relu", ...first });
  const model = tf.sequential({
    layers: [
      convolution(32, { inputShape: [48, 48, 3] }),
      convolution(64),
      layers.maxPooling2d({ poolSize: 2 }),
      convolution(128),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 512, activation: "relu" }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 10 }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(1e-3), loss: tf.losses.softmaxCrossEntropy });
  const x = tf.randomNormal([batch, 48, 48, 3]);
  const y = tf.oneHot(tf.randomUniform([batch], 0, 10, "int32"), 10);
  return await fastest(1, async () => void await model.trainOnBatch(x, y));
}

/** What is used of jax-js, whose own types are not imported. */
interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: [number, number, number, number];
  mul(x: JaxArray | number): JaxArray;
  sub(x: JaxArray): JaxArray;
  sum(): JaxArray;
  reshape(shape: number[]): JaxArray;
  slice(range: number[]): JaxArray;
  data(): Promise<Float32Array>;
}
type Weights = Record<"w1" | "w2" | "w3" | "f1" | "f2", JaxArray>;
type Loss = (p: Weights, x: JaxArray, y: JaxArray) => JaxArray;
type Step = (p: Weights, x: JaxArray, y: JaxArray) => [JaxArray, Weights];
interface Jax {
  readonly numpy: {
    max(x: JaxArray, axes: number[]): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    eye(n: number): JaxArray;
  };
  readonly lax: {
    conv(x: JaxArray, w: JaxArray, strides: number[], padding: "SAME"): JaxArray;
  };
  readonly nn: { relu(x: JaxArray): JaxArray; logSoftmax(x: JaxArray): JaxArray };
  readonly random: {
    key(seed: number): JaxArray;
    normal(key: JaxArray, shape: number[]): JaxArray;
  };
  init(): Promise<unknown>;
  defaultDevice(name: string): void;
  jit(step: Step): Step;
  valueAndGrad(loss: Loss): Step;
}

async function jax(batch: number): Promise<number> {
  const { numpy: np, init, defaultDevice, lax, nn, random, jit, valueAndGrad }: Jax = await import(
    JAX
  );
  await init();
  defaultDevice("wasm");
  const key = random.key(0);
  const normal = (shape: number[], scale: number) => random.normal(key.ref, shape).mul(scale);
  const pool = (x: JaxArray) => {
    const [n, c, h, w] = x.shape;
    return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
  };
  const loss = (p: Weights, x: JaxArray, y: JaxArray) => {
    let h = nn.relu(lax.conv(x, p.w1, [1, 1], "SAME"));
    h = pool(nn.relu(lax.conv(h, p.w2, [1, 1], "SAME")));
    h = pool(nn.relu(lax.conv(h, p.w3, [1, 1], "SAME")));
    h = nn.relu(np.matmul(h.reshape([batch, 18432]), p.f1));
    return nn.logSoftmax(np.matmul(h, p.f2)).mul(y).sum().mul(-1 / batch);
  };
  const each = (change: (name: keyof Weights) => JaxArray): Weights => ({
    w1: change("w1"),
    w2: change("w2"),
    w3: change("w3"),
    f1: change("f1"),
    f2: change("f2"),
  });
  const step = jit((p, x, y) => {
    const [value, gradient] = valueAndGrad(loss)(each((name) => p[name].ref), x, y);
    return [value, each((name) => p[name].sub(gradient[name].mul(1e-3)))];
  });
  let parameters: Weights = {
    w1: normal([32, 3, 3, 3], 0.2),
    w2: normal([64, 32, 3, 3], 0.06),
    w3: normal([128, 64, 3, 3], 0.04),
    f1: normal([18432, 512], 0.005),
    f2: normal([512, 10], 0.04),
  };
  const x = normal([batch, 3, 48, 48], 1), y = np.eye(10).slice([0, batch]);
  return await fastest(2, async () => {
    const [value, next] = step(parameters, x.ref, y.ref);
    parameters = next;
    await value.data();
  });
}

if (import.meta.main) {
  for (const [name, peer, batch] of [[JAX, jax, 8], [TENSORFLOW, tensorflow, 4]] as const) {
    const [theirs, ours] = [await peer(batch), await here(batch)];
    console.log(
      `batch ${batch}: ${name.slice(4)} ${(theirs / 1000).toFixed(1)} s, here ${
        ours.toFixed(1)
      } ms: ${(theirs / ours).toFixed(0)} times as fast`,
    );
  }
  Deno.exit(0);
}
