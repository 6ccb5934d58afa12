/** Checks of constructor arguments, in the house form. */
import { rangeError, shapeText } from "../ops/check.ts";

/** Refuses a size that is not a whole number of at least `least`. */
export function checkCount(layer: string, name: string, value: number, least = 1): void {
  if (!Number.isInteger(value) || value < least) {
    throw rangeError(layer, `${name} ${value} is not a whole number of at least ${least}`);
  }
}

/** Refuses a probability outside 0 to 1. */
export function checkProbability(layer: string, name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) {
    throw rangeError(layer, `${name} ${value} is not between 0 and 1`);
  }
}

/** Refuses a divisor that leaves a rest. */
export function checkDivides(
  layer: string,
  part: string,
  divisor: number,
  whole: string,
  value: number,
): void {
  if (value % divisor !== 0) {
    throw rangeError(layer, `${whole} ${value} is not divisible by ${part} ${divisor}`);
  }
}

/** Whether two shapes are equal. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return shapeText(a) === shapeText(b);
}
