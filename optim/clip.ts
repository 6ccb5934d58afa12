import { noGrad, type Tensor } from "../ops/mod.ts";
import { arenaLayout, arenaView, packArena, withoutPadding } from "../ops/arena.ts";
import { rangeError } from "../ops/check.ts";

/** Options of {@linkcode clipGradNorm}. */
export interface ClipGradNormOptions {
  /** Which norm; may be Infinity. @default 2 */
  normType?: number | undefined;
}

interface Packed {
  readonly owners: readonly Tensor[];
  readonly flat: Tensor;
  readonly layout: ReturnType<typeof arenaLayout>;
}

/** Gradients by device and dtype as one array each, in the order in which the optimizer has them. */
function packGradients(parameters: Iterable<Tensor>): Packed[] {
  const kinds = new Map<string, Tensor[]>();
  for (const p of parameters) {
    if (!p.grad) continue;
    const kind = `${p.grad.device} ${p.grad.dtype}`;
    kinds.set(kind, [...kinds.get(kind) ?? [], p]);
  }
  return [...kinds.values()].map((owners) => {
    const layout = arenaLayout(owners.map((p) => p.numel));
    const packed = packArena(owners.map((p) => p.grad!), layout);
    return { owners, layout, flat: withoutPadding(packed, layout) };
  });
}

function checkNormType(name: string, p: number): void {
  if (!(p > 0)) throw rangeError(name, `normType ${p} is not above 0`);
}

function normOf(flat: Tensor, p: number): Tensor {
  if (p === Infinity) return flat.abs().amax();
  if (p === 2) return flat.square().sum().sqrt();
  if (p === 1) return flat.abs().sum();
  return flat.abs().pow(p).sum().pow(1 / p);
}

function combined(norms: readonly Tensor[], p: number): Tensor {
  return norms.reduce((a, b) => {
    if (p === Infinity) return a.maximum(b);
    return a.pow(p).add(b.pow(p)).pow(1 / p);
  });
}

/** Makes each gradient a view of an array that holds all of them. */
function putBack({ owners, layout }: Packed, flat: Tensor): void {
  for (const [i, p] of owners.entries()) p.grad = arenaView(flat, layout, i, p.shape);
}

/**
 * Norm of all gradients together, like `torch.nn.utils.get_total_norm`.
 *
 * @param parameters Parameters; those without a gradient are left out.
 * @param options Which norm.
 * @returns A scalar; undefined where there is no gradient.
 */
export function totalGradNorm(
  parameters: Iterable<Tensor>,
  options: ClipGradNormOptions = {},
): Tensor | undefined {
  const { normType = 2 } = options;
  checkNormType("totalGradNorm", normType);
  return noGrad(() => {
    const norms = packGradients(parameters).map(({ flat }) => normOf(flat, normType));
    return norms.length ? combined(norms, normType) : undefined;
  });
}

/**
 * Scales all gradients so that their norm together is at most `maxNorm`, like
 * `torch.nn.utils.clip_grad_norm_`. One kernel for the norm, and in a compiled step none for the
 * scaling, which becomes part of the optimizer's kernel.
 *
 * @param parameters Parameters; those without a gradient are left out.
 * @param maxNorm Highest norm.
 * @param options Which norm.
 * @returns The norm before clipping, a scalar on the device; undefined where there is no gradient.
 * @throws {RangeError} If `maxNorm` is negative.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { clipGradNorm } from "@tensaurus/core/optim";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * const w = tensor([3, 4], { requiresGrad: true });
 * w.square().sum().div(2).backward();
 * const norm = clipGradNorm([w], 1);
 * assertEquals(await norm!.item(), 5);
 * assertAlmostEquals((await w.grad!.data())[0]!, 0.6, 1e-5);
 * ```
 */
export function clipGradNorm(
  parameters: Iterable<Tensor>,
  maxNorm: number,
  options: ClipGradNormOptions = {},
): Tensor | undefined {
  if (!(maxNorm >= 0)) throw rangeError("clipGradNorm", `maxNorm ${maxNorm} is not at least 0`);
  const { normType = 2 } = options;
  checkNormType("clipGradNorm", normType);
  return noGrad(() => {
    const packed = packGradients(parameters);
    if (!packed.length) return undefined;
    const total = combined(packed.map(({ flat }) => normOf(flat, normType)), normType);
    const factor = total.add(1e-6).reciprocal().mul(maxNorm).clamp(undefined, 1);
    for (const part of packed) putBack(part, part.flat.mul(factor.to(part.flat.dtype)));
    return total;
  });
}

/**
 * Limits each element of the gradients to ±`clipValue`, like `torch.nn.utils.clip_grad_value_`.
 *
 * @param parameters Parameters; those without a gradient are left out.
 * @param clipValue Highest absolute value.
 * @throws {RangeError} If `clipValue` is negative.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { clipGradValue } from "@tensaurus/core/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const w = tensor([3, 0.25], { requiresGrad: true });
 * w.square().sum().backward();
 * clipGradValue([w], 1);
 * assertEquals([...await w.grad!.data()], [1, 0.5]);
 * ```
 */
export function clipGradValue(parameters: Iterable<Tensor>, clipValue: number): void {
  if (!(clipValue >= 0)) {
    throw rangeError("clipGradValue", `clipValue ${clipValue} is not at least 0`);
  }
  noGrad(() => {
    for (const part of packGradients(parameters)) {
      putBack(part, part.flat.clamp(-clipValue, clipValue));
    }
  });
}
