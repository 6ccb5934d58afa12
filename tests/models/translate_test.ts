/** models/translate.ts: the words, the network, and the script as its users run it. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { manualSeed, noGrad, setDevice, tensor } from "@tensaurus/core";
import { RandomStream } from "@tensaurus/core/data";
import { BeamSearch } from "../../models/kit/beam.ts";
import { unreadKeys } from "../../models/kit/config.ts";
import { TokenGenerator } from "../../models/kit/generate.ts";
import { heatmap } from "../../models/kit/heatmap.ts";
import { decodePicture } from "../../models/kit/picture.ts";
import {
  checkSource,
  decodeTarget,
  drawPair,
  encodePair,
  END,
  englishNumber,
  heldOutPairs,
  inWords,
  isHeldOut,
  PairDataset,
  polishNumber,
  ROW,
  spokenTokenizer,
  START,
} from "../../models/translate/spoken.ts";
import { UsageError } from "../../models/kit/settings.ts";
import { noam, script, Transformer } from "../../models/translate.ts";
import { Translator } from "../../models/translate/evaluate.ts";
import { losses, runScript, sources } from "./_script.ts";

await setDevice("cpu");

const SMALL = { layers: 2, heads: 2, width: 16, hidden: 32, dropout: 0 };

/** Small enough for a test: a narrow network, a few steps. */
const FLAGS = [
  "--device=cpu",
  "--layers=1",
  "--width=16",
  "--hidden=16",
  "--batch-size=4",
  "--log-every=1",
  "--test-items=20",
];

Deno.test("englishNumber() and polishNumber() write numbers in words", () => {
  const cases: [number, string, string][] = [
    [0, "zero", "zero"],
    [14, "fourteen", "czternaście"],
    [40, "forty", "czterdzieści"],
    [101, "one hundred one", "sto jeden"],
    [1000, "one thousand", "tysiąc"],
    [2002, "two thousand two", "dwa tysiące dwa"],
    [5012, "five thousand twelve", "pięć tysięcy dwanaście"],
    [13_000, "thirteen thousand", "trzynaście tysięcy"],
    [22_022, "twenty-two thousand twenty-two", "dwadzieścia dwa tysiące dwadzieścia dwa"],
    [101_000, "one hundred one thousand", "sto jeden tysięcy"],
    [
      999_999,
      "nine hundred ninety-nine thousand nine hundred ninety-nine",
      "dziewięćset dziewięćdziesiąt dziewięć tysięcy dziewięćset dziewięćdziesiąt dziewięć",
    ],
  ];
  for (const [n, english, polish] of cases) {
    assertEquals([englishNumber(n), polishNumber(n)], [english, polish]);
  }
  assertEquals(englishNumber(100_115, "and"), "one hundred thousand one hundred and fifteen");
  assertEquals(englishNumber(7_005, "and"), "seven thousand and five");
});

Deno.test("inWords() reads dates in four forms", () => {
  const forms = (item: string, language: "english" | "polish"): string[] =>
    [0, 1, 2, 3].map((form) => inWords(item, language, form));
  assertEquals(forms("2024-04-23", "polish"), [
    "dwudziesty trzeci kwietnia 2024",
    "dwadzieścia trzy kwietnia 2024",
    "dwudziesty trzeci kwietnia dwa tysiące dwadzieścia cztery",
    "dwadzieścia trzy kwietnia dwa tysiące dwadzieścia cztery",
  ]);
  assertEquals(forms("1905-12-30", "english"), [
    "the thirtieth of december 1905",
    "december thirtieth 1905",
    "the thirtieth of december nineteen oh five",
    "december thirtieth nineteen oh five",
  ]);
  assertEquals(inWords("2007-01-01", "english", 2), "the first of january two thousand seven");
  assertEquals(inWords("1900-02-11", "english", 2), "the eleventh of february nineteen hundred");
});

Deno.test("drawPair() keeps items of the test out of the training, and texts fit a row", () => {
  const tokenizer = spokenTokenizer();
  let heldOut = 0;
  for (let index = 0; index < 4000; index++) {
    const random = new RandomStream(5, { index });
    const test = index % 4 === 0;
    const pair = drawPair(random, test);
    const item = pair.into === "normal" ? pair.target : pair.source;
    assertEquals(isHeldOut(item), test);
    if (isHeldOut(item)) heldOut++;
    const { source, target } = encodePair(tokenizer, pair);
    assertEquals([source.length, target.length], [ROW, ROW + 1]);
    assertEquals(decodeTarget(tokenizer, target), pair.target);
  }
  assertEquals(heldOut, 1000);
  let share = 0;
  for (let n = 100_000; n < 101_000; n++) if (isHeldOut(`${n}`)) share += 1e-3;
  assert(share > 0.07 && share < 0.13, `${share}`);
});

Deno.test("heldOutPairs() and PairDataset give the same every time", () => {
  const pairs = heldOutPairs(50, 3);
  assertEquals(heldOutPairs(50, 3), pairs);
  assertEquals(new Set(pairs.map((p) => `${p.into} ${p.source}`)).size, 50);
  const tokenizer = spokenTokenizer();
  const [a, b] = [0, 1].map(() => new PairDataset(tokenizer, 10, 7).get(4));
  assertEquals(a, b);
});

Deno.test("checkSource() names words that the vocabulary lacks, and long texts", () => {
  const tokenizer = spokenTokenizer();
  const check = (source: string) => () =>
    checkSource(tokenizer, { into: "normal", source, target: "" });
  assertThrows(
    check("seven housand"),
    UsageError,
    '"seven housand": the vocabulary lacks "housand" (did you mean "thousand"?)',
  );
  assertThrows(check("one ".repeat(16)), UsageError, "text has 17 tokens, at most 16 fit");
});

Deno.test("noam() rises and falls as the paper says", () => {
  const settings = { lr: 1, width: 512, warmup: 4000 };
  assertEquals(noam(0, settings), 512 ** -0.5 * 4000 ** -1.5);
  assertEquals(noam(3999, settings), 512 ** -0.5 * 4000 ** -0.5);
  assert(noam(8000, settings) < noam(3999, settings));
});

Deno.test("Translator writes the same as a whole forward pass, greedy and with one beam", async () => {
  manualSeed(4);
  const tokenizer = spokenTokenizer();
  const model = new Transformer(tokenizer.vocabSize, SMALL).eval();
  const pairs = heldOutPairs(3, 0);
  const ids = pairs.flatMap((pair) => encodePair(tokenizer, pair).source);
  const source = tensor(Int32Array.from(ids), { shape: [3, ROW] });
  const rows = [[START], [START], [START]];
  for (let i = 0; i < ROW; i++) {
    const target = tensor(Int32Array.from(rows.flat()), { shape: [3, i + 1] });
    const logits = noGrad(() => model.forward(source, target)).select(1, -1);
    [...await logits.argmax(-1).data()].forEach((token, row) => rows[row]!.push(token));
  }
  const wanted = rows.map((row) => {
    const tokens = row.slice(1);
    return tokens.includes(END) ? tokens.slice(0, tokens.indexOf(END)) : tokens;
  });
  const translator = new Translator(model, 3);
  translator.read(source);
  const generator = new TokenGenerator(translator, { batch: 3, temperature: 0 });
  const got: number[][] = [[], [], []];
  for await (
    const blocks of generator.stream([[START], [START], [START]], { length: ROW, stop: [END] })
  ) {
    blocks.forEach((tokens, row) => got[row]!.push(...tokens));
  }
  assertEquals(got, wanted);
  const options = { batch: 3, start: START, stop: END, length: ROW };
  assertEquals(await new BeamSearch(translator, { ...options, beams: 1 }).search(), wanted);
  const wide = new Translator(model, 3, 4);
  wide.read(source);
  const found = await new BeamSearch(wide, { ...options, beams: 4 }).search();
  for (const [row, tokens] of found.entries()) {
    const alone = new Translator(model, 1, 4);
    alone.read(source.narrow(0, row, 1));
    const search = new BeamSearch(alone, { ...options, batch: 1, beams: 4 });
    assertEquals(await search.search(), [tokens], `row ${row}`);
  }
});

Deno.test("heatmap() draws a cell for each number, and names", () => {
  const { width, height, data } = heatmap([[0, 1], [0.5, 0]], ["a", "bc"], ["x", "y"]);
  let blue = 0;
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] === 8 && data[i + 1] === 48 && data[i + 2] === 107) blue++;
  }
  assertEquals([blue, width > 40, height > 40], [19 * 19, true, true]);
});

Deno.test("translate.ts reads every setting", async () => {
  // The preset is read by the command line itself.
  assertEquals(
    unreadKeys(
      script.config,
      await sources("translate.ts", "translate/run.ts", "kit/device.ts", "kit/run.ts"),
    ),
    ["preset"],
  );
});

Deno.test("translate.ts trains, draws, evaluates, resumes bit for bit and translates", async () => {
  const folder = await Deno.makeTempDir();
  const flags = [...FLAGS, "--dropout=0.1", "--steps=6"];
  const whole = await runScript("translate.ts", ...flags, `--out=${folder}/whole`);
  assertEquals(whole.code, 0, whole.stderr);
  for (const part of ["device", "parameters", "held out", "into normal", "BLEU"]) {
    assertStringIncludes(whole.stdout, part);
  }
  const parts = await runScript(
    "translate.ts",
    ...flags,
    "--save-every=3",
    `--out=${folder}/parts`,
  );
  assertEquals(parts.code, 0, parts.stderr);
  const third = `${folder}/parts/checkpoints/step-000003`;
  const resumed = await runScript("translate.ts", `--resume=${third}`, "--device=cpu");
  assertEquals(resumed.code, 0, resumed.stderr);
  assertEquals(await losses(`${folder}/parts`), await losses(`${folder}/whole`));
  const picture = decodePicture(await Deno.readFile(`${folder}/whole/attention.png`));
  assert(picture.width > 100 && picture.height > 200);
  for (const beams of ["1", "3"]) {
    const args = ["eval", `${folder}/whole`, "--device=cpu", `--beams=${beams}`];
    const { code, stdout, stderr } = await runScript("translate.ts", ...args);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "into polish");
  }
  const command = ["translate", `--resume=${folder}/whole`, "--device=cpu"];
  const { code, stdout } = await runScript("translate.ts", ...command, "sto jeden", "maja");
  assertEquals([code, stdout.split("\n").length], [0, 3]);
  assertStringIncludes(stdout, "sto jeden → ");
  const none = await runScript("translate.ts", ...command);
  assertEquals([none.code, none.stderr.trim()], [2, "translate: give at least one text"]);
});

Deno.test("translate.ts does one step of everything with --dry-run", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const { code, stdout, stderr } = await runScript(
    "translate.ts",
    ...FLAGS,
    "--dry-run",
    `--out=${out}`,
  );
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "exactly right");
});

Deno.test("translate.ts refuses heads that do not divide the width, and exits 1 below --expect", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const heads = await runScript("translate.ts", ...FLAGS, "--heads=3", `--out=${out}-a`);
  assertEquals([heads.code, heads.stderr.trim()], [2, "--heads: 3 heads do not divide width 16"]);
  const below = await runScript(
    "translate.ts",
    ...FLAGS,
    "--steps=1",
    "--expect=0.99",
    `--out=${out}`,
  );
  assertEquals(below.code, 1);
  assertStringIncludes(below.stderr, "is below --expect 0.99");
});
