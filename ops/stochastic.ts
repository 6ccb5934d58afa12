/** Random choices among weighted positions, and activations with a random part. */
import { add, mul, sub } from "./arithmetic.ts";
import { maxAlong } from "./extremum.ts";
import { leakyRelu } from "./activation.ts";
import { rangeError } from "./check.ts";
import { where } from "./choice.ts";
import { gt } from "./comparison.ts";
import { scatter } from "./index.ts";
import { randLike, uniformRandom } from "./random.ts";
import type { Generator } from "./random_stream.ts";
import { softmax } from "./softmax.ts";
import { topk } from "./sort.ts";
import type { Tensor } from "./tensor.ts";
import { zerosLike } from "./create.ts";

/** What all of these can be told. */
export interface DrawOptions {
  /** Stream to draw from. @default the one seeded by `manualSeed` */
  generator?: Generator | undefined;
}

/** Options of `multinomial`. */
export interface MultinomialOptions extends DrawOptions {
  /** Whether a position can be drawn more than once. @default false */
  replacement?: boolean | undefined;
}

/** Standard Gumbel numbers, all finite, of the shape, dtype and device of `x`. */
function gumbelLike(x: Tensor, options: DrawOptions = {}): Tensor {
  const u = randLike(x, options).clamp(2 ** -25, 1 - 2 ** -24);
  return u.log().neg().log().neg();
}

/**
 * Positions drawn with the given weights, int32, like `torch.multinomial`; by the Gumbel trick, so
 * that nothing leaves the device. Without replacement, positions of weight 0 come last, when no others
 * are left.
 *
 * Shapes: weights `[…, N]`, result `[…, count]`.
 *
 * @throws {RangeError} If `count` is not positive, or more than N without replacement.
 */
export function multinomial(
  weights: Tensor,
  count: number,
  options: MultinomialOptions = {},
): Tensor {
  const { replacement = false, generator } = options;
  const size = weights.shape.at(-1) ?? 0;
  if (!Number.isInteger(count) || count < 1) {
    throw rangeError("multinomial", `count ${count} is not positive`);
  }
  if (!replacement && count > size) {
    throw rangeError(
      "multinomial",
      `count ${count} is more than ${size} weights`,
      { weights: weights.shape },
      "pass { replacement: true }",
    );
  }
  const logits = weights.detach().log();
  if (!replacement) return topk(logits.add(gumbelLike(logits, { generator })), count).indices;
  const wide = logits.unsqueeze(-2).expand([...weights.shape.slice(0, -1), count, size]);
  return wide.add(gumbelLike(wide, { generator })).argmax(-1);
}

/** Options of `gumbelSoftmax`. */
export interface GumbelSoftmaxOptions extends DrawOptions {
  /** Temperature: the lower, the closer to a choice of one. @default 1 */
  tau?: number | undefined;
  /** Give exactly one 1, with the gradient of the soft choice. @default false */
  hard?: boolean | undefined;
  /** Axis of the classes. @default -1 */
  dim?: number | undefined;
}

/**
 * Random soft choice among classes (Jang et al. 2017), like `torch.nn.functional.gumbel_softmax`.
 *
 * @param logits Floating.
 * @param options Temperature, hardness, axis.
 * @throws {RangeError} If the temperature is not positive.
 */
export function gumbelSoftmax(logits: Tensor, options: GumbelSoftmaxOptions = {}): Tensor {
  const { tau = 1, hard = false, dim = -1, generator } = options;
  if (!(tau > 0)) throw rangeError("gumbelSoftmax", `tau ${tau} is not positive`);
  const noisy = add(logits, gumbelLike(logits, { generator }));
  const soft = softmax(mul(noisy, 1 / tau), dim);
  if (!hard) return soft;
  const { indices } = maxAlong(soft.detach(), dim, { keepdim: true });
  const one = scatter(zerosLike(soft), dim, indices, 1);
  return add(sub(one, soft.detach()), soft);
}

/** Options of `rrelu`. */
export interface RReLUOptions extends DrawOptions {
  /** Least slope. @default 1 / 8 */
  lower?: number | undefined;
  /** Greatest slope. @default 1 / 3 */
  upper?: number | undefined;
  /** Whether slopes are drawn; else all are the mean of the two. @default false */
  training?: boolean | undefined;
}

/**
 * `x` where positive, else `x` times a random slope (Xu et al. 2015), like
 * `torch.nn.functional.rrelu`.
 *
 * @param x Floating.
 * @param options Slopes, whether they are drawn.
 * @throws {RangeError} If `lower` is above `upper`.
 */
export function rrelu(x: Tensor, options: RReLUOptions = {}): Tensor {
  const { lower = 1 / 8, upper = 1 / 3, training = false, generator } = options;
  if (!(lower <= upper)) throw rangeError("rrelu", `lower ${lower} is above upper ${upper}`);
  if (!training) return leakyRelu(x, (lower + upper) / 2);
  const { dtype, device } = x;
  const slopes = uniformRandom(x.shape, lower, upper, { dtype, device, generator });
  return where(gt(x, 0), x, mul(x, slopes));
}
