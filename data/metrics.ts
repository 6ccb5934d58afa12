import { checkInteger } from "./_check.ts";

/** Labels of samples: any list of whole numbers. */
export type Labels = ArrayLike<number>;

function checkLabels(op: string, targets: Labels, predictions: Labels): void {
  if (targets.length !== predictions.length) {
    throw new RangeError(
      `${op}: targets has ${targets.length} labels, predictions ${predictions.length}`,
    );
  }
  if (targets.length === 0) throw new RangeError(`${op}: there are no labels`);
  for (const [name, labels] of [["targets", targets], ["predictions", predictions]] as const) {
    for (let i = 0; i < labels.length; i++) {
      if (Number.isInteger(labels[i])) continue;
      throw new RangeError(`${op}: ${name} ${i} is ${labels[i]}, expected a whole number`);
    }
  }
}

/**
 * Fraction of predictions that are right.
 *
 * @param targets True labels.
 * @param predictions Predicted labels.
 * @returns From 0 to 1.
 * @throws {RangeError} If the lengths differ or are 0, or a label is no whole number.
 *
 * @example
 * ```ts
 * import { accuracy } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(accuracy([0, 1, 2, 2], [0, 1, 1, 2]), 0.75);
 * ```
 */
export function accuracy(targets: Labels, predictions: Labels): number {
  checkLabels("accuracy", targets, predictions);
  let right = 0;
  for (let i = 0; i < targets.length; i++) right += targets[i] === predictions[i] ? 1 : 0;
  return right / targets.length;
}

/**
 * Fraction of samples whose true class is among the `k` with the highest scores; of equal scores
 * the lower class counts as higher.
 *
 * @param targets True labels, `[count]`.
 * @param scores Scores, `[count, classes]`, row-major.
 * @param k How many classes may hold the true one.
 * @returns From 0 to 1.
 * @throws {RangeError} If the scores do not fill the rows or one is NaN, `k` is below 1, or a label
 *   has no score.
 *
 * @example
 * ```ts
 * import { topKAccuracy } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(topKAccuracy([2, 0], [0.1, 0.5, 0.4, 0.2, 0.3, 0.5], 2), 0.5);
 * ```
 */
export function topKAccuracy(targets: Labels, scores: ArrayLike<number>, k: number): number {
  checkLabels("topKAccuracy", targets, targets);
  checkInteger("topKAccuracy", "k", k, 1);
  const classes = scores.length / targets.length;
  if (!Number.isInteger(classes) || classes === 0) {
    throw new RangeError(
      `topKAccuracy: ${scores.length} scores are no rows of equal length for ` +
        `${targets.length} targets`,
    );
  }
  const nan = Array.prototype.findIndex.call(scores, Number.isNaN);
  if (nan !== -1) throw new RangeError(`topKAccuracy: score ${nan} is NaN`);
  let right = 0;
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i]!;
    if (target < 0 || target >= classes) {
      throw new RangeError(`topKAccuracy: target ${i} is ${target}, scores has ${classes} classes`);
    }
    const own = scores[i * classes + target]!;
    let higher = 0;
    for (let c = 0; c < classes; c++) {
      const score = scores[i * classes + c]!;
      if (score > own || (score === own && c < target)) higher++;
    }
    if (higher < k) right++;
  }
  return right / targets.length;
}

/** Options of {@linkcode confusionMatrix} and {@linkcode classificationReport}. */
export interface ClassOptions {
  /** Labels in the order of the rows; those that occur, ascending, where absent. */
  labels?: readonly number[] | undefined;
  /** Names of the classes. Without `labels`, class `i` is label `i`. */
  classes?: readonly string[] | undefined;
}

function resolveClasses(
  op: string,
  targets: Labels,
  predictions: Labels,
  options: ClassOptions,
): { labels: readonly number[]; names: readonly string[] } {
  const { classes } = options;
  const occurring = [...new Set([...Array.from(targets), ...Array.from(predictions)])]
    .sort((a, b) => a - b);
  const labels = options.labels ?? (classes === undefined ? occurring : classes.map((_, i) => i));
  if (classes !== undefined && classes.length !== labels.length) {
    throw new RangeError(`${op}: classes has ${classes.length} names, labels ${labels.length}`);
  }
  if (labels.length === 0) throw new RangeError(`${op}: labels is empty`);
  const twice = labels.find((label, i) => labels.indexOf(label) < i);
  if (twice !== undefined) throw new RangeError(`${op}: label ${twice} occurs twice`);
  if (options.labels === undefined && classes !== undefined) {
    const outside = occurring.find((label) => label < 0 || label >= classes.length);
    if (outside !== undefined) {
      throw new RangeError(`${op}: label ${outside} is out of range for ${classes.length} classes`);
    }
  }
  return { labels, names: classes ?? labels.map(String) };
}

/**
 * Counts of samples by true class (rows) and predicted class (columns), as scikit-learn orders
 * them. Samples with labels outside of `labels` are left out.
 *
 * @param targets True labels.
 * @param predictions Predicted labels.
 * @param options Labels or class names.
 * @returns One row for each class.
 * @throws {RangeError} If the lengths differ or are 0, a label is no whole number, or one is listed
 *   twice.
 *
 * @example
 * ```ts
 * import { confusionMatrix } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(confusionMatrix([0, 1, 1], [0, 0, 1]), [[1, 0], [1, 1]]);
 * ```
 */
export function confusionMatrix(
  targets: Labels,
  predictions: Labels,
  options: ClassOptions = {},
): number[][] {
  checkLabels("confusionMatrix", targets, predictions);
  const { labels } = resolveClasses("confusionMatrix", targets, predictions, options);
  const row = new Map(labels.map((label, i) => [label, i]));
  const matrix = labels.map(() => new Array<number>(labels.length).fill(0));
  for (let i = 0; i < targets.length; i++) {
    const [from, to] = [row.get(targets[i]!), row.get(predictions[i]!)];
    if (from !== undefined && to !== undefined) matrix[from]![to]!++;
  }
  return matrix;
}

/** Precision, recall and their harmonic mean, of a class or an average. */
export interface ClassScores {
  /** Right among the predicted; 0 where none was predicted. */
  precision: number;
  /** Right among the true; 0 where there is none. */
  recall: number;
  /** Harmonic mean of the two; 0 where both are. */
  f1Score: number;
  /** True samples. */
  support: number;
}

/** The numbers of a {@linkcode classificationReport}. */
export interface ClassificationScores {
  /** Names of the classes. */
  names: string[];
  /** Scores of each class. */
  classes: ClassScores[];
  /** Over all samples; its name in the report is `accuracy` where every label is covered. */
  micro: ClassScores;
  /** True where every label is covered, so that `micro` is the accuracy. */
  complete: boolean;
  /** Plain mean over the classes. */
  macro: ClassScores;
  /** Mean over the classes, weighted by support. */
  weighted: ClassScores;
}

/**
 * Precision, recall, F1 and support for each class and their averages, as scikit-learn computes
 * them (division by zero gives 0).
 *
 * @param targets True labels.
 * @param predictions Predicted labels.
 * @param options Labels or class names.
 * @returns All numbers of the report.
 * @throws {RangeError} If the lengths differ or are 0, or a label is no whole number.
 *
 * @example
 * ```ts
 * import { classificationScores } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const { classes, micro } = classificationScores([0, 1, 1, 1], [0, 0, 1, 1]);
 * assertEquals([classes[0]!.precision, micro.precision], [0.5, 0.75]);
 * ```
 */
export function classificationScores(
  targets: Labels,
  predictions: Labels,
  options: ClassOptions = {},
): ClassificationScores {
  return scoresFor("classificationScores", targets, predictions, options);
}

/** The scores, with the errors of another public name. */
export function scoresFor(
  op: string,
  targets: Labels,
  predictions: Labels,
  options: ClassOptions,
): ClassificationScores {
  checkLabels(op, targets, predictions);
  const { labels, names } = resolveClasses(op, targets, predictions, options);
  const row = new Map(labels.map((label, i) => [label, i]));
  const [right, predicted, support] = [0, 1, 2].map(() => new Float64Array(labels.length));
  let complete = true;
  for (let i = 0; i < targets.length; i++) {
    const [target, prediction] = [row.get(targets[i]!), row.get(predictions[i]!)];
    if (target !== undefined) support![target]!++;
    if (prediction !== undefined) predicted![prediction]!++;
    if (target !== undefined && target === prediction) right![target]!++;
    complete &&= target !== undefined && prediction !== undefined;
  }
  const classes = labels.map((_, i) => scoresOf(right![i]!, predicted![i]!, support![i]!));
  const total = pairwiseSum(support!);
  return {
    names: [...names],
    classes,
    complete,
    micro: scoresOf(pairwiseSum(right!), pairwiseSum(predicted!), total),
    macro: averageScores(classes, total, () => 1),
    weighted: averageScores(classes, total, (scores) => scores.support),
  };
}

function scoresOf(right: number, predicted: number, support: number): ClassScores {
  return {
    precision: predicted === 0 ? 0 : right / predicted,
    recall: support === 0 ? 0 : right / support,
    f1Score: predicted + support === 0 ? 0 : 2 * right / (predicted + support),
    support,
  };
}

function averageScores(
  classes: readonly ClassScores[],
  support: number,
  weightOf: (scores: ClassScores) => number,
): ClassScores {
  const weights = pairwiseSum(classes.map(weightOf));
  const mean = (key: "precision" | "recall" | "f1Score"): number =>
    weights === 0 ? 0 : pairwiseSum(classes.map((s) => s[key] * weightOf(s))) / weights;
  return {
    precision: mean("precision"),
    recall: mean("recall"),
    f1Score: mean("f1Score"),
    support,
  };
}

/** NumPy's order of summation, so that a mean on the edge of rounding prints the same digit. */
function pairwiseSum(values: ArrayLike<number>, start = 0, count = values.length): number {
  if (count > 128) {
    const half = Math.floor(count / 2) - Math.floor(count / 2) % 8;
    return pairwiseSum(values, start, half) + pairwiseSum(values, start + half, count - half);
  }
  const lanes = new Float64Array(8);
  const whole = count - count % 8;
  for (let i = 0; i < whole; i++) lanes[i % 8]! += values[start + i]!;
  const [a, b, c, d, e, f, g, h] = lanes as unknown as number[];
  let sum = ((a! + b!) + (c! + d!)) + ((e! + f!) + (g! + h!));
  for (let i = whole; i < count; i++) sum += values[start + i]!;
  return sum;
}
