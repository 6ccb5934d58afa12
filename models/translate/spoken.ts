/**
 * Numbers and dates in English and Polish words: a translation task with a true answer.
 *
 * @module
 */
import { type Dataset, type HostArray, RandomStream, WordTokenizer } from "@tensaurus/core/data";
import { UsageError } from "../kit/settings.ts";

/** A language. */
export type Language = "english" | "polish";

/** A number from 0 to 999,999 or a date, in its normal form: `312405`, `2024-04-23`. */
export type Item = string;

/** A pair of texts: `normal` reads words, a language writes them. */
export interface Pair {
  /** What is to be written. */
  into: "normal" | Language;
  /** What is given. */
  source: string;
  /** The answer. */
  target: string;
}

// ----------------------------------------------------------------------------------------- English

const ENGLISH_ONES =
  ("zero one two three four five six seven eight nine ten eleven twelve thirteen " +
    "fourteen fifteen sixteen seventeen eighteen nineteen").split(" ");
const ENGLISH_TENS = "  twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const ENGLISH_ORDINALS =
  ("zeroth first second third fourth fifth sixth seventh eighth ninth tenth " +
    "eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth")
    .split(" ");
const ENGLISH_MONTHS =
  "january february march april may june july august september october november december".split(
    " ",
  );

function belowHundred(n: number, last: readonly string[]): string {
  if (n < 20) return last[n]!;
  const tens = ENGLISH_TENS[Math.floor(n / 10)]!;
  if (n % 10) return `${tens}-${last[n % 10]}`;
  return last === ENGLISH_ORDINALS ? tens.replace(/y$/, "ieth") : tens;
}

/**
 * A number in English words.
 *
 * @param n From 0 to 999,999.
 * @param and Word between hundreds and the rest: `""` as in America, `"and"` as in Britain.
 * @returns The words.
 */
export function englishNumber(n: number, and = ""): string {
  if (n >= 1000) {
    const rest = n % 1000;
    const link = rest && rest < 100 ? and : "";
    return words(
      englishNumber(Math.floor(n / 1000), and),
      "thousand",
      link,
      rest && englishNumber(rest, and),
    );
  }
  if (n < 100) return belowHundred(n, ENGLISH_ONES);
  const rest = n % 100;
  return words(
    ENGLISH_ONES[Math.floor(n / 100)],
    "hundred",
    rest && and,
    rest && englishNumber(rest),
  );
}

function englishYear(year: number): string {
  const [century, rest] = [Math.floor(year / 100), year % 100];
  if (year >= 2000 && year < 2010) return englishNumber(year);
  if (rest === 0) return `${englishNumber(century)} hundred`;
  return words(englishNumber(century), rest < 10 && "oh", englishNumber(rest));
}

// ------------------------------------------------------------------------------------------ Polish

const POLISH_ONES =
  ("zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście " +
    "dwanaście trzynaście czternaście piętnaście szesnaście siedemnaście osiemnaście dziewiętnaście")
    .split(" ");
const POLISH_TENS = ("  dwadzieścia trzydzieści czterdzieści pięćdziesiąt sześćdziesiąt " +
  "siedemdziesiąt osiemdziesiąt dziewięćdziesiąt").split(" ");
const POLISH_HUNDREDS = (" sto dwieście trzysta czterysta pięćset sześćset siedemset osiemset " +
  "dziewięćset").split(" ");
const POLISH_ORDINALS =
  ("zerowy pierwszy drugi trzeci czwarty piąty szósty siódmy ósmy dziewiąty " +
    "dziesiąty jedenasty dwunasty trzynasty czternasty piętnasty szesnasty siedemnasty osiemnasty " +
    "dziewiętnasty").split(" ");
const POLISH_MONTHS = ("stycznia lutego marca kwietnia maja czerwca lipca sierpnia września " +
  "października listopada grudnia").split(" ");

/** The noun after a number: tysiąc, tysiące, tysięcy. */
function thousands(n: number): string {
  if (n === 1) return "tysiąc";
  const few = n % 10 >= 2 && n % 10 <= 4 && !(n % 100 >= 12 && n % 100 <= 14);
  return few ? "tysiące" : "tysięcy";
}

/**
 * A number in Polish words.
 *
 * @param n From 0 to 999,999.
 * @returns The words.
 */
export function polishNumber(n: number): string {
  if (n >= 1000) {
    const count = Math.floor(n / 1000), rest = n % 1000;
    return words(count > 1 && polishNumber(count), thousands(count), rest && polishNumber(rest));
  }
  if (n < 20) return POLISH_ONES[n]!;
  const rest = n % 100;
  const low = rest < 20
    ? rest && POLISH_ONES[rest]
    : words(POLISH_TENS[Math.floor(rest / 10)], rest % 10 && POLISH_ONES[rest % 10]);
  return words(POLISH_HUNDREDS[Math.floor(n / 100)], low);
}

function polishOrdinal(n: number): string {
  if (n < 20) return POLISH_ORDINALS[n]!;
  const tens = n < 30 ? "dwudziesty" : "trzydziesty";
  return words(tens, n % 10 && POLISH_ORDINALS[n % 10]);
}

function words(...parts: readonly (string | number | false | undefined)[]): string {
  return parts.filter((part) => part).join(" ");
}

// ------------------------------------------------------------------------------------------- items

/** Years of the dates. */
const FIRST_YEAR = 1900, YEARS = 200;

/**
 * An item in words.
 *
 * @param item The item.
 * @param language The language.
 * @param form 0 is how the item is written; the others are further ways in which it is read.
 * @returns The words, in lower case.
 */
export function inWords(item: Item, language: Language, form = 0): string {
  const [year, month, day] = item.split("-").map(Number) as [number, number?, number?];
  if (month === undefined || day === undefined) {
    if (language === "polish") return polishNumber(year);
    return englishNumber(year, form % 2 ? "and" : "");
  }
  if (language === "polish") {
    const written = form % 2 ? polishNumber(day) : polishOrdinal(day);
    return words(written, POLISH_MONTHS[month - 1], form < 2 ? `${year}` : polishNumber(year));
  }
  const spoken = form < 2 ? `${year}` : englishYear(year);
  const [name, ordinal] = [ENGLISH_MONTHS[month - 1], belowHundred(day, ENGLISH_ORDINALS)];
  return form % 2 ? words(name, ordinal, spoken) : words("the", ordinal, "of", name, spoken);
}

/** Whether an item is kept for the test: a tenth of all, by a hash; short numbers are too few. */
export function isHeldOut(item: Item): boolean {
  if (item.length < 3) return false;
  let hash = 2166136261; // FNV-1a
  for (const character of item) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  return ((hash ^ (hash >>> 15)) >>> 0) % 10 === 0;
}

function drawItem(random: RandomStream): Item {
  if (random.integer(2)) {
    const digits = 1 + random.integer(6); // as many short numbers as long ones
    const low = digits === 1 ? 0 : 10 ** (digits - 1);
    return `${low + random.integer(10 ** digits - low)}`;
  }
  const year = FIRST_YEAR + random.integer(YEARS), month = random.integer(12);
  const day = 1 + random.integer(new Date(Date.UTC(year, month + 1, 0)).getUTCDate());
  return new Date(Date.UTC(year, month, day)).toISOString().slice(0, 10);
}

/**
 * A random pair.
 *
 * @param random Where it comes from.
 * @param heldOut Whether its item is one of the test's.
 * @returns The pair.
 */
export function drawPair(random: RandomStream, heldOut: boolean): Pair {
  let item = drawItem(random);
  while (isHeldOut(item) !== heldOut) item = drawItem(random);
  const language = random.integer(2) ? "english" : "polish";
  if (random.integer(2)) return { into: language, source: item, target: inWords(item, language) };
  return { into: "normal", source: inWords(item, language, random.integer(4)), target: item };
}

// ------------------------------------------------------------------------------------------ tokens

const SPECIAL = ["<pad>", "<start>", "<end>", "<normal>", "<english>", "<polish>"] as const;

/** Id of what fills rows. */
export const PAD = 0;
/** Id that opens a target. */
export const START = 1;
/** Id that ends a target. */
export const END = 2;

/** Tokens of a row: the longest text and the token at its start or end. */
export const ROW = 16;

/** The tokenizer of all words, digits and signs that occur. */
export function spokenTokenizer(): WordTokenizer {
  const numbers = Array.from({ length: 100 }, (_, n) => n);
  const texts = [
    ...numbers.map((n) => words(englishNumber(n), polishNumber(n))),
    ...[...ENGLISH_ORDINALS, ...POLISH_ORDINALS, ...ENGLISH_MONTHS, ...POLISH_MONTHS],
    ...POLISH_HUNDREDS,
    "hundred thousand and oh the of twentieth thirtieth",
    "dwudziesty trzydziesty tysiąc tysiące tysięcy - 0 1 2 3 4 5 6 7 8 9",
  ];
  return new WordTokenizer([...SPECIAL, ...WordTokenizer.fromTexts(texts).words.slice(1)]);
}

/** Source and target as rows of ids. */
export interface Row {
  /** Source, its wanted language in front, `[ROW]`. */
  source: number[];
  /** Target between start and end, `[ROW + 1]`. */
  target: number[];
}

/**
 * A pair as rows of ids, filled up.
 *
 * @param tokenizer From {@linkcode spokenTokenizer}.
 * @param pair The pair; an empty target where the answer is not known.
 * @returns The rows.
 * @throws {RangeError} If a text has unknown words or is too long.
 */
export function encodePair(tokenizer: WordTokenizer, pair: Pair): Row {
  const into = tokenizer.idOf(`<${pair.into}>`)!;
  const source = [into, ...tokenizer.encode(pair.source)];
  const target = [START, ...tokenizer.encode(pair.target), END];
  const long = Math.max(source.length, target.length - 1);
  if (long > ROW) throw new RangeError(`encodePair: text has ${long} tokens, at most ${ROW} fit`);
  return { source: filled(source, ROW), target: filled(target, ROW + 1) };
}

/**
 * Checks a text that a user gave.
 *
 * @param tokenizer From {@linkcode spokenTokenizer}.
 * @param pair The text as a source.
 * @throws {UsageError} If it has unknown words or is too long.
 */
export function checkSource(tokenizer: WordTokenizer, pair: Pair): void {
  try {
    encodePair(tokenizer, pair);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`"${pair.source}": ${error.message.replace(/^\w+: /, "")}`);
  }
}

function filled(ids: readonly number[], length: number): number[] {
  return [...ids, ...Array<number>(length - ids.length).fill(PAD)];
}

/**
 * Text of a target's ids.
 *
 * @param tokenizer From {@linkcode spokenTokenizer}.
 * @param ids Ids, special ones left out.
 * @returns `312405`, `2024-04-23`, `twenty-one`.
 */
export function decodeTarget(tokenizer: WordTokenizer, ids: Iterable<number>): string {
  const plain = Array.from(ids).filter((id) => id >= SPECIAL.length);
  return tokenizer.decode(plain).replaceAll(" - ", "-").replace(/(?<=\d) (?=\d)/g, "");
}

/** Random pairs, the same for the same seed. */
export class PairDataset implements Dataset<[source: HostArray, target: HostArray]> {
  /** Number of pairs. */
  readonly length: number;
  readonly #tokenizer: WordTokenizer;
  readonly #seed: number;

  /**
   * @param tokenizer From {@linkcode spokenTokenizer}.
   * @param length Number of pairs.
   * @param seed Seed.
   */
  constructor(tokenizer: WordTokenizer, length: number, seed: number) {
    this.length = length;
    this.#tokenizer = tokenizer;
    this.#seed = seed;
  }

  /** Pair `index` as rows of ids, none of them held out. */
  get(index: number): [source: HostArray, target: HostArray] {
    const pair = drawPair(new RandomStream(this.#seed, { index }), false);
    const { source, target } = encodePair(this.#tokenizer, pair);
    return [row(source), row(target)];
  }
}

function row(ids: readonly number[]): HostArray {
  return { dtype: "int32", shape: [ids.length], data: Int32Array.from(ids) };
}

/** Different held-out pairs, the same for the same seed. */
export function heldOutPairs(count: number, seed: number): Pair[] {
  const found = new Map<string, Pair>();
  for (let index = 0; found.size < count; index++) {
    const pair = drawPair(new RandomStream(seed, { index, purpose: 1 }), true);
    found.set(`${pair.into} ${pair.source}`, pair);
  }
  return [...found.values()];
}
