import {
  accuracy,
  bitsPerCharacter,
  bleu,
  classificationReport,
  classificationScores,
  confusionMatrix,
  formatConfusionMatrix,
  perplexity,
  topKAccuracy,
} from "../../data/mod.ts";
import { assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { readCases } from "./_cases.ts";
import { assertMessage } from "./_errors.ts";

interface MetricsCase {
  y: number[];
  pred: number[];
  dict: Record<string, Record<string, number>>;
}

Deno.test("classificationScores() gives scikit-learn's numbers on all reference cases", async () => {
  for (const { y, pred, dict } of await readCases<MetricsCase>("data.metrics")) {
    const scores = classificationScores(y, pred);
    for (const [i, name] of scores.names.entries()) {
      assertAlmostEquals(scores.classes[i]!.f1Score, dict[name]!["f1-score"]!);
      assertAlmostEquals(scores.classes[i]!.precision, dict[name]!.precision!);
    }
    assertAlmostEquals(scores.weighted.recall, dict["weighted avg"]!.recall!);
    assertAlmostEquals(scores.macro.f1Score, dict["macro avg"]!["f1-score"]!);
  }
});

Deno.test("classificationReport() rounds an exact half to the even digit", () => {
  const targets = [...new Array<number>(8).fill(0), 1];
  const predictions = [0, 1, 1, 1, 1, 1, 1, 1, 1];
  assertStringIncludes(
    classificationReport(targets, predictions),
    "           0       1.00      0.12      0.22         8\n",
  );
});

Deno.test("classificationReport() has rows for classes that do not occur", () => {
  const report = classificationReport([0, 1], [0, 1], {
    classes: ["cat", "dog", "a long name here"],
  });
  assertStringIncludes(report, "a long name here       0.00      0.00      0.00         0\n");
  assertStringIncludes(report, "        accuracy                           1.00         2\n");
});

Deno.test("classificationReport() prints supports as floats where nothing is right", () => {
  assertStringIncludes(
    classificationReport([0, 1], [1, 0]),
    "    accuracy                           0.00       2.0\n",
  );
});

Deno.test("classificationReport() says micro avg where labels are left out", () => {
  const report = classificationReport([0, 1, 2], [0, 2, 2], { labels: [0, 1] });
  assertStringIncludes(report, "   micro avg       1.00      0.50      0.67         2\n");
});

Deno.test("classificationReport() counts in floating point only where no sample at all is right", () => {
  const outside = classificationReport([0, 1], [0, 1], { labels: [5] });
  assertStringIncludes(outside, "           5       0.00      0.00      0.00         0\n");
  assertStringIncludes(classificationReport([0], [1]), "0.00      0.00      0.00       1.0\n");
});

Deno.test("reports measure class names in characters as Python does", () => {
  const report = classificationReport([0, 1], [0, 1], { classes: ["😀", "smile"] });
  assertStringIncludes(report, "           😀       1.00      1.00      1.00         1\n");
  assertEquals(
    formatConfusionMatrix([[5, 0], [1, 12]], ["😀", "b"]),
    "    😀  b\n😀   5  0\nb   1 12\n",
  );
});

Deno.test("classification metrics throw for labels that do not fit", () => {
  assertMessage(() => accuracy([1], [1, 2]), "accuracy: targets has 1 labels, predictions 2");
  assertMessage(() => accuracy([], []), "accuracy: there are no labels");
  assertMessage(
    () => confusionMatrix([0.5], [0]),
    "confusionMatrix: targets 0 is 0.5, expected a whole number",
  );
  assertMessage(
    () => classificationReport([0, 3], [0, 0], { classes: ["a", "b"] }),
    "classificationReport: label 3 is out of range for 2 classes",
  );
  assertMessage(
    () => classificationReport([0], [0], { classes: ["a"], labels: [0, 1] }),
    "classificationReport: classes has 1 names, labels 2",
  );
  assertMessage(
    () => confusionMatrix([0], [0], { labels: [] }),
    "confusionMatrix: labels is empty",
  );
  assertMessage(
    () => classificationReport([0, 1], [0, 1], { labels: [0, 1, 0] }),
    "classificationReport: label 0 occurs twice",
  );
  assertMessage(
    () => classificationReport([0], [0], { digits: -1 }),
    "classificationReport: digits is -1, expected an integer of at least 0",
  );
  assertMessage(
    () => formatConfusionMatrix([[1]], ["a", "b"]),
    "formatConfusionMatrix: classes has 2 names, matrix 1 rows",
  );
});

Deno.test("topKAccuracy() counts the true class among the k best", () => {
  const scores = [0.1, 0.5, 0.4, 0.3, 0.3, 0.4];
  assertEquals([1, 2, 3].map((k) => topKAccuracy([2, 1], scores, k)), [0, 0.5, 1]);
  assertMessage(
    () => topKAccuracy([0, 1], [1, 2, 3], 1),
    "topKAccuracy: 3 scores are no rows of equal length for 2 targets",
  );
  assertMessage(
    () => topKAccuracy([2], [1, 2], 1),
    "topKAccuracy: target 0 is 2, scores has 2 classes",
  );
  assertMessage(() => topKAccuracy([0], [NaN, 0.5], 1), "topKAccuracy: score 0 is NaN");
});

Deno.test("perplexity() and bitsPerCharacter() convert nats", () => {
  assertEquals(perplexity(0), 1);
  assertEquals(bitsPerCharacter(Math.LN2 * 4, 2), 2);
  assertMessage(() => perplexity(NaN), "perplexity: loss is NaN, expected nats per token");
  assertMessage(
    () => bitsPerCharacter(1, 0),
    "bitsPerCharacter: charactersPerToken is 0, expected a positive number",
  );
});

Deno.test("bleu() clips matches and punishes brevity as Papineni et al. do", () => {
  const the = new Array<string>(7).fill("the");
  const references = ["the cat is on the mat", "there is a cat on the mat"]
    .map((text) => text.split(" "));
  assertEquals(bleu([the], [references]).precisions[0], 2 / 7);
  const short = bleu([["the", "cat"]], [references], { maxN: 2 });
  assertAlmostEquals(short.brevityPenalty, Math.exp(1 - 6 / 2));
  assertAlmostEquals(short.score, Math.exp(-2));
  assertEquals(bleu([the], [references]).score, 0);
  assertEquals(bleu([the], [references], { smooth: true }).score > 0, true);
});

Deno.test("bleu() agrees with a worked corpus of two sentences", () => {
  const candidates = ["it is a guide to action which ensures that the military always obeys", "he"]
    .map((text) => text.split(" "));
  const references = [["it is a guide to action that ensures that the military will obey"], ["he"]]
    .map((list) => list.map((text) => text.split(" ")));
  const { precisions, score } = bleu(candidates, references);
  assertEquals(precisions, [11 / 14, 8 / 12, 6 / 11, 4 / 10]);
  assertAlmostEquals(score, Math.exp(precisions.reduce((s, p) => s + Math.log(p), 0) / 4));
});

Deno.test("bleu() throws for texts without references", () => {
  assertMessage(() => bleu([["a"]], []), "bleu: candidates has 1 texts, references 0");
  assertMessage(() => bleu([["a"]], [[]]), "bleu: candidate 0 has no reference");
});
