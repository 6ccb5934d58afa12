/**
 * The forward process, the losses and the likelihood on tensors: Ho et al. 2020, "Denoising diffusion
 * probabilistic models", with what the network predicts and its variance left open.
 *
 * Images are `[N, C, H, W]` within −1 to 1, steps `t` are int32 `[N]` from 0 to T − 1.
 *
 * @module
 */
import { erfc, noGrad, type Tensor, tensor, where } from "@tensaurus/core";
import type { Process } from "./schedule.ts";

/** What a network can predict. */
export const PREDICTIONS = ["eps", "x0", "v"] as const;

/** The noise ε, the image x_0, or v = √ᾱ ε − √(1 − ᾱ) x_0 (Salimans & Ho 2022). */
export type Prediction = typeof PREDICTIONS[number];

/** Variances of p(x_{t−1} | x_t). */
export const VARIANCES = ["fixed-small", "fixed-large", "learned-range"] as const;

/**
 * β̃_t, β_t, or between the two in proportions that the network gives in a second half of its
 * channels (Nichol & Dhariwal 2021).
 */
export type Variance = typeof VARIANCES[number];

/** Options of {@linkcode Diffusion}. */
export interface DiffusionOptions {
  /** What the network predicts. @default {"eps"} */
  prediction?: Prediction;
  /** Variance of a reverse step. @default {"fixed-small"} */
  variance?: Variance;
  /** Weight the loss by min(SNR, γ) (Hang et al. 2023); 0 weighs all steps alike. @default {0} */
  minSnr?: number;
}

/** A training example: an image, its noise, and what they make at step t. */
export interface Noised {
  /** The image. */
  x0: Tensor;
  /** Standard normal noise. */
  eps: Tensor;
  /** The noisy image. */
  xt: Tensor;
  /** Steps `[N]`. */
  t: Tensor;
}

/** Weight of the variational bound beside the simple loss, per step of the process. */
const VLB_WEIGHT = 1e-3;

/** A gap between two of the 256 levels of a pixel, from −1 to 1. */
const LEVEL = 2 / 255;

/** Deviations beyond which float32 has no probability left. */
const FAR = 100;

type Table =
  | "signal"
  | "noise"
  | "posteriorMeanCoef1"
  | "posteriorMeanCoef2"
  | "posteriorLogVariance"
  | "largeLogVariance"
  | "weight";

/** The process with its tables on the device. */
export class Diffusion {
  /** The numbers. */
  readonly process: Process;
  /** What the network predicts. */
  readonly prediction: Prediction;
  /** Variance of a reverse step. */
  readonly variance: Variance;
  readonly #tables: Readonly<Record<Table, Tensor>>;

  /**
   * @param process The numbers.
   * @param options What the network predicts, variance, weights.
   * @throws {RangeError} If ε is predicted where the last step is pure noise.
   */
  constructor(process: Process, options: DiffusionOptions = {}) {
    const { prediction = "eps", variance = "fixed-small", minSnr = 0 } = options;
    if (prediction === "eps" && process.alphaBar.at(-1) === 0) {
      throw new RangeError(
        "Diffusion: eps says nothing about an image of which no signal is left (predict v or x0)",
      );
    }
    this.process = process;
    this.prediction = prediction;
    this.variance = variance;
    const table = (values: Float64Array): Tensor => tensor(Float32Array.from(values));
    this.#tables = {
      signal: table(process.signal),
      noise: table(process.noise),
      posteriorMeanCoef1: table(process.posteriorMeanCoef1),
      posteriorMeanCoef2: table(process.posteriorMeanCoef2),
      posteriorLogVariance: table(process.posteriorLogVariance),
      largeLogVariance: table(largeLogVariance(process)),
      weight: table(process.snr.map((snr) => weightOf(prediction, snr, minSnr))),
    };
  }

  /** An entry of a table for each image, `[N, 1, …]` as `x` has axes. */
  #at(name: Table, t: Tensor, x: Tensor): Tensor {
    const values = this.#tables[name].indexSelect(0, t); // [N]
    return values.reshape([-1, ...x.shape.slice(1).map(() => 1)]);
  }

  /** x_t from x_0 and noise: √ᾱ x_0 + √(1 − ᾱ) ε. */
  qSample(x0: Tensor, t: Tensor, eps: Tensor): Tensor {
    return this.#at("signal", t, x0).mul(x0).add(this.#at("noise", t, x0).mul(eps));
  }

  /** Mean of q(x_{t−1} | x_t, x_0). */
  posteriorMean(x0: Tensor, xt: Tensor, t: Tensor): Tensor {
    const fromImage = this.#at("posteriorMeanCoef1", t, x0).mul(x0);
    return fromImage.add(this.#at("posteriorMeanCoef2", t, x0).mul(xt));
  }

  /** What the network should give for an example. */
  target({ x0, eps, t }: Pick<Noised, "x0" | "eps" | "t">): Tensor {
    if (this.prediction === "eps") return eps;
    if (this.prediction === "x0") return x0;
    return this.#at("signal", t, x0).mul(eps).sub(this.#at("noise", t, x0).mul(x0));
  }

  /** x_0 from what the network gave. */
  toX0(output: Tensor, xt: Tensor, t: Tensor): Tensor {
    const signal = this.#at("signal", t, xt), noise = this.#at("noise", t, xt);
    if (this.prediction === "x0") return output;
    if (this.prediction === "v") return signal.mul(xt).sub(noise.mul(output));
    return xt.sub(noise.mul(output)).div(signal);
  }

  /** ε from what the network gave. */
  toEps(output: Tensor, xt: Tensor, t: Tensor): Tensor {
    const signal = this.#at("signal", t, xt), noise = this.#at("noise", t, xt);
    if (this.prediction === "eps") return output;
    if (this.prediction === "v") return signal.mul(output).add(noise.mul(xt));
    return xt.sub(signal.mul(output)).div(noise);
  }

  /** The prediction and, where it is learned, the share of log β_t in the log variance. */
  split(output: Tensor): { value: Tensor; share: Tensor | undefined } {
    if (this.variance !== "learned-range") return { value: output, share: undefined };
    const [value, raw] = output.chunk(2, 1); // [N, C, H, W] each
    return { value: value!, share: raw!.add(1).mul(0.5) };
  }

  /** Log variance of p(x_{t−1} | x_t), broadcastable to x. */
  logVariance(share: Tensor | undefined, xt: Tensor, t: Tensor): Tensor {
    const small = this.#at("posteriorLogVariance", t, xt);
    if (this.variance === "fixed-small") return small;
    const large = this.#at("largeLogVariance", t, xt);
    return share ? small.add(share.mul(large.sub(small))) : large;
  }

  /**
   * The training loss of each image, `[N]`: weighted squared error, and for a learned variance the
   * bound, whose gradient does not reach the mean.
   */
  loss(output: Tensor, example: Noised): Tensor {
    const { value, share } = this.split(output);
    const error = value.sub(this.target(example)).square().flatten(1).mean(1); // [N]
    const simple = this.#at("weight", example.t, error).mul(error);
    if (!share) return simple;
    const bits = this.bits({ value: value.detach(), share }, example);
    return simple.add(bits.mul(VLB_WEIGHT * this.process.steps));
  }

  /** A term of the variational bound for each image in bits per dimension, `[N]`. */
  bits(
    { value, share }: { value: Tensor; share: Tensor | undefined },
    { x0, xt, t }: Pick<Noised, "x0" | "xt" | "t">,
    clip = false,
  ): Tensor {
    const predicted = this.toX0(value, xt, t);
    const mean = this.posteriorMean(clip ? predicted.clamp(-1, 1) : predicted, xt, t);
    const logVariance = this.logVariance(share, xt, t);
    const divergence = normalDivergence(
      this.posteriorMean(x0, xt, t),
      this.#at("posteriorLogVariance", t, xt),
      mean,
      logVariance,
    );
    const decoder = discreteNll(x0, mean, logVariance);
    const first = t.eq(0).reshape([-1, ...x0.shape.slice(1).map(() => 1)]);
    return where(first, decoder, divergence).flatten(1).mean(1).div(Math.LN2); // [N]
  }

  /** Bits per dimension between q(x_T | x_0) and the noise that sampling starts from, `[N]`. */
  priorBits(x0: Tensor): Tensor {
    const { alphaBar } = this.process;
    const last = alphaBar.at(-1)!;
    return noGrad(() => {
      const mean = x0.mul(Math.sqrt(last));
      const constant = -1 - Math.log(1 - last) + (1 - last);
      return mean.square().add(constant).mul(0.5).flatten(1).mean(1).div(Math.LN2);
    });
  }
}

/** log β_t; at t = 0 that of the posterior, or the last step would blur what the others made. */
function largeLogVariance({ beta, posteriorLogVariance }: Process): Float64Array {
  return beta.map((b, t) => t ? Math.log(b) : posteriorLogVariance[0]!);
}

/** Weight of the squared error in the space of the prediction. */
function weightOf(prediction: Prediction, snr: number, gamma: number): number {
  if (gamma <= 0) return 1;
  const weight = Math.min(snr, gamma);
  if (prediction === "x0") return weight;
  return prediction === "eps" ? weight / snr : weight / (snr + 1);
}

/** KL of two normal distributions with diagonal covariance, elementwise, in nats. */
function normalDivergence(m1: Tensor, logV1: Tensor, m2: Tensor, logV2: Tensor): Tensor {
  const ratio = logV1.sub(logV2);
  const distance = m1.sub(m2).square().mul(logV2.neg().exp());
  return ratio.exp().add(distance).sub(ratio).sub(1).mul(0.5);
}

/** −log of the probability of the level of `x` under a normal distribution, in nats. */
function discreteNll(x: Tensor, mean: Tensor, logVariance: Tensor): Tensor {
  const scale = logVariance.mul(-0.5).exp();
  const centred = x.sub(mean);
  const above = centred.add(LEVEL / 2).mul(scale), below = centred.sub(LEVEL / 2).mul(scale);
  // The outermost levels reach as far as there is anything.
  const high = where(x.gt(1 - LEVEL / 2), FAR, above);
  const low = where(x.lt(-1 + LEVEL / 2), -FAR, below);
  // Φ(high) − Φ(low) on the side where Φ is small, so that float32 keeps its digits.
  const right = centred.gt(0);
  const upper = where(right, low.neg(), high), lower = where(right, high.neg(), low);
  const mass = cumulative(upper).sub(cumulative(lower));
  return mass.clamp(1e-12).log().neg();
}

/** Φ, the standard normal distribution function. */
function cumulative(z: Tensor): Tensor {
  return erfc(z.mul(-Math.SQRT1_2)).mul(0.5);
}
