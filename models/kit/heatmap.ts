/**
 * A matrix as a picture with names at its rows and columns.
 *
 * @module
 */
import { ADVANCE, drawText, HEIGHT, textWidth } from "./font.ts";
import type { Picture } from "./picture.ts";

const CELL = 20;
const SCALE = 2;
const MARGIN = 6;

/**
 * Draws numbers from 0 to 1, white to dark blue.
 *
 * @param values Rows of the matrix.
 * @param rows Names of the rows, at the left.
 * @param columns Names of the columns, above, from the bottom up.
 * @returns The picture, RGB.
 */
export function heatmap(
  values: readonly ArrayLike<number>[],
  rows: readonly string[],
  columns: readonly string[],
): Picture {
  const widest = (names: readonly string[]): number =>
    SCALE * Math.max(ADVANCE, ...names.map(textWidth)) + 2 * MARGIN;
  const [left, top] = [widest(rows), widest(columns)];
  const width = left + columns.length * CELL + MARGIN;
  const height = top + rows.length * CELL + MARGIN;
  const data = new Uint8Array(width * height * 3).fill(255);
  function dot(x: number, y: number, colour: readonly number[]): void {
    if (x >= 0 && y >= 0 && x < width && y < height) data.set(colour, 3 * (y * width + x));
  }
  function square(x: number, y: number, side: number, colour: readonly number[]): void {
    for (let i = 0; i < side * side; i++) dot(x + i % side, y + Math.floor(i / side), colour);
  }
  const middle = (CELL - SCALE * HEIGHT) / 2;
  const ink = [32, 32, 32];
  for (const [i, name] of rows.entries()) {
    const x0 = left - MARGIN - SCALE * textWidth(name), y0 = top + i * CELL + middle;
    drawText(name, (x, y) => square(x0 + SCALE * x, y0 + SCALE * y, SCALE, ink));
  }
  for (const [j, name] of columns.entries()) {
    const x0 = left + j * CELL + middle, y0 = top - MARGIN;
    drawText(name, (x, y) => square(x0 + SCALE * y, y0 - SCALE * x, SCALE, ink)); // turned left
  }
  for (const [i, row] of values.entries()) {
    for (let j = 0; j < columns.length; j++) {
      const v = Math.min(1, Math.max(0, row[j]!));
      const colour = [255 - 247 * v, 255 - 207 * v, 255 - 148 * v].map(Math.round);
      square(left + j * CELL, top + i * CELL, CELL - 1, colour);
    }
  }
  return { width, height, channels: 3, data };
}
