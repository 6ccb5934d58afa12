/** Settings of spatial axes. */
import { ShapeError, shapeText } from "./check.ts";
import type { Sizes } from "./convolution.ts";

/** One number per spatial axis; where it is absent `missing`, or an error. */
export function perAxis(
  op: string,
  name: string,
  value: Sizes | undefined,
  rank: number,
  missing?: number | undefined,
): number[] {
  if (value === undefined) {
    if (missing === undefined) throw new RangeError(`${op}: ${name} is missing`);
    return new Array<number>(rank).fill(missing);
  }
  const list = typeof value === "number" ? [value] : value;
  if (list.length !== 1 && list.length !== rank) {
    throw new ShapeError(op, `${name} has ${list.length} numbers for ${rank} spatial dimensions`, {
      [name]: list,
    });
  }
  for (const v of list) {
    if (
      !Number.isInteger(v) || v < 0 || (v === 0 && name !== "padding" && name !== "outputPadding")
    ) {
      throw new RangeError(`${op}: ${name} ${shapeText(list)} is not allowed`);
    }
  }
  return list.length === rank ? [...list] : new Array<number>(rank).fill(list[0]!);
}
