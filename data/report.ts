import { checkInteger } from "./_check.ts";
import {
  accuracy,
  type ClassOptions,
  type ClassScores,
  type Labels,
  scoresFor,
} from "./metrics.ts";

/** Options of {@linkcode classificationReport}. */
export interface ReportOptions extends ClassOptions {
  /**
   * Digits after the point.
   *
   * @default {2}
   */
  digits?: number | undefined;
}

/**
 * The table of precision, recall, F1 and support that scikit-learn prints, to the letter.
 *
 * @param targets True labels.
 * @param predictions Predicted labels.
 * @param options Labels or class names, digits.
 * @returns The text, which ends in a line break.
 * @throws {RangeError} If the lengths differ or are 0, or a label is no whole number.
 *
 * @example
 * ```ts
 * import { classificationReport } from "@tensaurus/core/data";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const report = classificationReport([0, 1, 1, 1], [0, 0, 1, 1]);
 * assertStringIncludes(report, "    accuracy                           0.75         4");
 * ```
 */
export function classificationReport(
  targets: Labels,
  predictions: Labels,
  options: ReportOptions = {},
): string {
  const { digits = 2 } = options;
  checkInteger("classificationReport", "digits", digits, 0);
  const scores = scoresFor("classificationReport", targets, predictions, options);
  const { micro } = scores;
  // Where no sample at all is right, scikit-learn counts in floating point, and it shows.
  const float = accuracy(targets, predictions) === 0;
  const supportText = (count: number): string => float ? `${count}.0` : `${count}`;
  const width = Math.max("weighted avg".length, digits, ...scores.names.map(codePoints));
  const line = (name: string, cells: readonly string[]): string =>
    `${padName(name, width)} ${cells.map((cell) => ` ${cell.padStart(9)}`).join("")}\n`;
  const row = (name: string, s: ClassScores): string =>
    line(name, [
      fixed(s.precision, digits),
      fixed(s.recall, digits),
      fixed(s.f1Score, digits),
      supportText(s.support),
    ]);
  return [
    line("", ["precision", "recall", "f1-score", "support"]),
    "\n",
    ...scores.classes.map((s, i) => row(scores.names[i]!, s)),
    "\n",
    scores.complete
      ? line("accuracy", ["", "", fixed(micro.f1Score, digits), supportText(micro.support)])
      : row("micro avg", micro),
    row("macro avg", scores.macro),
    row("weighted avg", scores.weighted),
  ].join("");
}

/** Length of a text in Python. */
function codePoints(text: string): number {
  return [...text].length;
}

function padName(name: string, width: number): string {
  return " ".repeat(width - codePoints(name)) + name;
}

/** Python's fixed format: an exact half goes to the even digit, where `toFixed` goes up. */
function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  const tail = value.toFixed(Math.min(100, digits + 60)).slice(-60);
  if (!/^50*$/.test(tail) || Number(text.at(-1)) % 2 === 0) return text;
  return (value - 10 ** -digits / 2).toFixed(digits);
}

/**
 * A confusion matrix as an aligned table: true classes down, predicted classes across.
 *
 * @param matrix Counts, as {@linkcode confusionMatrix} gives them.
 * @param classes Names of the classes; their numbers where absent.
 * @returns The text, which ends in a line break.
 * @throws {RangeError} If the number of names differs from the number of rows.
 *
 * @example
 * ```ts
 * import { formatConfusionMatrix } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatConfusionMatrix([[5, 0], [1, 12]]), "    0  1\n0   5  0\n1   1 12\n");
 * ```
 */
export function formatConfusionMatrix(
  matrix: readonly (readonly number[])[],
  classes?: readonly string[] | undefined,
): string {
  const names = classes ?? matrix.map((_, i) => String(i));
  if (names.length !== matrix.length) {
    throw new RangeError(
      `formatConfusionMatrix: classes has ${names.length} names, matrix ${matrix.length} rows`,
    );
  }
  const head = Math.max(...names.map(codePoints));
  const width = Math.max(head, ...matrix.flat().map((n) => `${n}`.length));
  const line = (name: string, cells: readonly (string | number)[]): string =>
    `${padName(name, head)} ${cells.map((cell) => ` ${padName(String(cell), width)}`).join("")}\n`;
  return line("", names) + matrix.map((row, i) => line(names[i]!, row)).join("");
}
