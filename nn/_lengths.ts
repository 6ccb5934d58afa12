/** Sequences of different lengths in one batch `[T, B, …]`. */
import { arange, type DeviceName, type Tensor, tensor, where } from "../ops/mod.ts";
import { rangeError, ShapeError } from "../ops/check.ts";

/** Lengths as int32 `[B]`. @throws {RangeError} If one is not between 1 and the longest. */
export function lengthsOf(
  name: string,
  lengths: Tensor | readonly number[] | undefined,
  steps: number,
  batch: number,
  device: DeviceName,
): Tensor | undefined {
  if (lengths === undefined) return undefined;
  const count = "length" in lengths ? lengths.length : lengths.numel;
  if (count !== batch) {
    throw new ShapeError(name, `${count} lengths were given for a batch of ${batch}`);
  }
  if (!("length" in lengths)) return lengths.to("int32");
  for (const length of lengths) {
    if (!Number.isInteger(length) || length < 1 || length > steps) {
      throw rangeError(name, `length ${length} is not between 1 and ${steps}`);
    }
  }
  return tensor([...lengths], { dtype: "int32", device });
}

function steps(x: Tensor): Tensor {
  return arange(0, x.shape[0]!, 1, { device: x.device, dtype: "int32" }).unsqueeze(1);
}

/** Each sequence backwards, up to its length; what lies after stays. */
export function reverseWithin(x: Tensor, lengths: Tensor | undefined): Tensor {
  if (!lengths) return x.flip(0);
  const at = steps(x), last = lengths.unsqueeze(0);
  const source = where(at.lt(last), last.sub(at).sub(1), at);
  return x.gather(0, source.unsqueeze(2).expand(x.shape));
}

/** Zeros after the end of each sequence. */
export function maskAfter(x: Tensor, lengths: Tensor | undefined): Tensor {
  if (!lengths) return x;
  return where(steps(x).lt(lengths.unsqueeze(0)).unsqueeze(2), x, 0);
}

/** The state after the last step of each sequence, from `[T + 1, B, H]` with the initial one first. */
export function stateAt(states: Tensor, lengths: Tensor | undefined): Tensor {
  if (!lengths) return states.select(0, states.shape[0]! - 1);
  const [, batch, size] = states.shape as [number, number, number];
  const index = lengths.reshape([1, batch, 1]).expand([1, batch, size]);
  return states.gather(0, index).squeeze(0);
}
