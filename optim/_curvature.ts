/** What L-BFGS knows of the loss: how the gradient changed over the last steps. */
import { noGrad, stack, type Tensor, tensor } from "../ops/mod.ts";

/** Curvatures up to this are not kept: their reciprocal would blow up the direction. */
const LEAST = 1e-10;

/** One step of the past: how parameters and gradient changed, and 1 over the product of both. */
interface Change {
  readonly step: Tensor;
  readonly gradient: Tensor;
  readonly ro: number;
}

/** An approximation of the inverse Hessian by the newest changes. */
export class Curvature {
  #changes: Change[] = [];
  /** Factor of the gradient before the changes are applied. */
  #scale = 1;

  /** The negative gradient times the approximation, by two loops over the changes. */
  direction(gradient: Tensor): Tensor {
    return noGrad(() => {
      let q = gradient.neg();
      const shares: Tensor[] = [];
      for (const change of this.#changes.toReversed()) {
        const share = change.step.dot(q).mul(change.ro);
        q = q.sub(change.gradient.mul(share));
        shares.unshift(share);
      }
      let direction = q.mul(this.#scale);
      for (const [i, change] of this.#changes.entries()) {
        const share = change.gradient.dot(direction).mul(change.ro);
        direction = direction.add(change.step.mul(shares[i]!.sub(share)));
      }
      return direction;
    });
  }

  /** Adds a step and the change of the gradient over it, where the loss curves upwards along it. */
  async add(step: Tensor, gradient: Tensor, size: number): Promise<void> {
    const products = noGrad(() => [gradient.dot(step), gradient.dot(gradient)]);
    const [curvature, square] = await readScalars(products) as [number, number];
    if (!(curvature > LEAST)) return;
    if (this.#changes.length >= size) this.#changes.shift();
    this.#changes.push({ step, gradient, ro: 1 / curvature });
    this.#scale = curvature / square;
  }

  /** State under PyTorch's names. */
  state(dtype: Tensor["dtype"], device: Tensor["device"]): Record<string, Tensor> {
    const scale = { H_diag: tensor(this.#scale, { dtype, device }) };
    if (!this.#changes.length) return scale;
    return {
      ...scale,
      old_dirs: stack(this.#changes.map((change) => change.gradient)),
      old_stps: stack(this.#changes.map((change) => change.step)),
      ro: tensor(this.#changes.map((change) => change.ro), { dtype, device }),
    };
  }

  /** Takes a saved state; `own` makes a copy that nobody else holds. */
  restore(state: Readonly<Record<string, Tensor>>, own: (x: Tensor) => Tensor): void {
    this.#scale = savedNumbers(state.H_diag)[0] ?? 1;
    this.#changes = savedNumbers(state.ro).map((ro, i) => ({
      step: own(state.old_stps!.select(0, i)),
      gradient: own(state.old_dirs!.select(0, i)),
      ro,
    }));
  }
}

/** Numbers of a saved state. */
export function savedNumbers(x: Tensor | undefined): number[] {
  return x ? Array.from(x.dataSync(), Number) : [];
}

/** Reads scalars, all at once. */
export async function readScalars(scalars: readonly Tensor[]): Promise<number[]> {
  const dtype = scalars.some((x) => x.dtype === "float64") ? "float64" : "float32";
  const all = noGrad(() => stack(scalars.map((x) => x.reshape([]).to(dtype))));
  return Array.from(await all.data(), Number);
}
