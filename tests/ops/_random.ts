// Random inputs for tests of operations, the same on every run.

import { Generator, rand, type Tensor } from "../../ops/mod.ts";
import type { DeviceName, DType } from "../../ops/mod.ts";

const SEED = 20240607;

/** Draws tensors; values depend only on the order of calls. */
export class Inputs {
  readonly #generator = new Generator(SEED);

  /** Uniform float64 values on the reference device. */
  draw(shape: readonly number[], low = -2, high = 2): Tensor {
    const options = { dtype: "float64", device: "reference", generator: this.#generator } as const;
    return rand(shape, options).mul(high - low).add(low);
  }
}

/** The same values on another device and in another dtype. */
export async function copyTo(x: Tensor, device: DeviceName, dtype: DType): Promise<Tensor> {
  const moved = await x.detach().to(dtype).toDevice(device);
  return moved.setRequiresGrad(dtype.startsWith("float"));
}

/** Largest |a − b| relative to max(1, |b|). */
export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let error = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < b.length; i++) {
    const gap = Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!));
    if (!(gap <= error) && !Object.is(a[i], b[i])) error = gap === gap ? gap : Infinity;
  }
  return error;
}
