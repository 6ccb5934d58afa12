/**
 * Prompts for labelled images, in English and Polish.
 *
 * @module
 */
import { WordTokenizer } from "@tensaurus/core/data";
import { UsageError } from "../kit/settings.ts";

/** Id of the padding after a prompt. */
export const PAD = 0;

/** Id of the word before each prompt; alone it is the empty prompt. */
export const START = 1;

/** Prompts that are drawn from for a class; the table has this many for each, some more than once. */
export const SLOTS = 128;

/** How many of them say which class it is; the others say what several have in common. */
const SPECIFIC_SLOTS = 96;

const ENGLISH = "zero one two three four five six seven eight nine".split(" ");
const POLISH = "zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć".split(" ");
const POLISH_NAMES = "zero jedynka dwójka trójka czwórka piątka szóstka siódemka ósemka dziewiątka"
  .split(" ");

/** A class of Fashion-MNIST as people say it. */
interface Article {
  /** The noun. */
  readonly english: string;
  /** With its article, or what stands for one. */
  readonly one?: string;
  /** The noun in Polish. */
  readonly polish: string;
  /** Of the noun: "zdjęcie torby". */
  readonly genitive: string;
  /** What it has in common with other classes. */
  readonly kind?: "clothing" | "footwear";
}

const KINDS = {
  clothing: ["clothing", "a piece of clothing", "ubranie", "odzież"],
  footwear: ["footwear", "a shoe", "but", "obuwie"],
} as const;

const CLOTHES: Readonly<Record<string, Article>> = {
  "T-shirt/top": {
    english: "t-shirt",
    polish: "koszulka",
    genitive: "koszulki",
    kind: "clothing",
  },
  "Trouser": {
    english: "trousers",
    one: "a pair of trousers",
    polish: "spodnie",
    genitive: "spodni",
    kind: "clothing",
  },
  "Pullover": { english: "pullover", polish: "sweter", genitive: "swetra", kind: "clothing" },
  "Dress": { english: "dress", polish: "sukienka", genitive: "sukienki", kind: "clothing" },
  "Coat": { english: "coat", polish: "płaszcz", genitive: "płaszcza", kind: "clothing" },
  "Sandal": { english: "sandal", polish: "sandał", genitive: "sandała", kind: "footwear" },
  "Shirt": { english: "shirt", polish: "koszula", genitive: "koszuli", kind: "clothing" },
  "Sneaker": { english: "sneaker", polish: "trampek", genitive: "trampka", kind: "footwear" },
  "Bag": { english: "bag", polish: "torba", genitive: "torby" },
  "Ankle boot": { english: "ankle boot", polish: "botek", genitive: "botka", kind: "footwear" },
};

/** Prompts of one class. */
export interface ClassPrompts {
  /** Prompts that mean this class alone; the first is the one that `eval` asks with. */
  readonly specific: readonly string[];
  /** Prompts that mean several classes, this one among them. */
  readonly shared: readonly string[];
}

/**
 * All prompts of a class.
 *
 * @param name Name of the class: a digit, a letter, a word.
 * @param classes Names of all classes.
 * @returns Its prompts; none for a class without a name.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * const { specific, shared } = promptsOf("3", [..."0123456789"]);
 * assert(specific.includes("a handwritten three") && specific.includes("cyfra trzy"));
 * assert(shared.includes("an odd digit") && shared.includes("a digit smaller than four"));
 * ```
 */
export function promptsOf(name: string, classes: readonly string[]): ClassPrompts {
  if (name === "") return { specific: [""], shared: [] };
  if (/^\d$/.test(name)) return digitPrompts(Number(name));
  if (/^[a-z]$/i.test(name)) return letterPrompts(name, classes);
  const clothes = CLOTHES[name];
  if (clothes) return clothesPrompts(name, clothes);
  const noun = name.replaceAll(/[_-]+/g, " ");
  const one = article(noun);
  return { specific: [`a picture of ${one}`, one, noun, `one ${noun}`], shared: [] };
}

function clothesPrompts(name: string, clothes: Article): ClassPrompts {
  const { english, one = article(english), polish, genitive, kind } = clothes;
  const specific = new Set([
    `a picture of ${one}`,
    one,
    english,
    `a photo of ${one}`,
    name.toLowerCase(),
    polish,
    `zdjęcie ${genitive}`,
    `obrazek ${genitive}`,
  ]);
  return { specific: [...specific], shared: kind ? KINDS[kind] : [] };
}

function digitPrompts(digit: number): ClassPrompts {
  const word = ENGLISH[digit]!, polish = POLISH[digit]!, polishName = POLISH_NAMES[digit]!;
  const specific = [
    `a handwritten ${word}`,
    `${word}`,
    `${article(word)}`,
    `the digit ${word}`,
    `a handwritten digit ${word}`,
    `the number ${word}`,
    `handwritten ${word}`,
    `${digit}`,
    `the digit ${digit}`,
    `a handwritten ${digit}`,
    `the number ${digit}`,
    `cyfra ${polish}`,
    `liczba ${polish}`,
    `${polish}`,
    `${polishName}`,
    `odręczna cyfra ${polish}`,
    `ręcznie napisana cyfra ${polish}`,
    `cyfra ${digit}`,
    `liczba ${digit}`,
  ];
  const odd = digit % 2 === 1;
  const shared = [
    odd ? "an odd digit" : "an even digit",
    odd ? "an odd number" : "an even number",
    odd ? "cyfra nieparzysta" : "cyfra parzysta",
    odd ? "liczba nieparzysta" : "liczba parzysta",
  ];
  for (let other = 0; other < 10; other++) {
    if (other > digit) {
      shared.push(`a digit smaller than ${ENGLISH[other]}`);
      shared.push(`cyfra mniejsza niż ${POLISH[other]}`);
    } else if (other < digit) {
      shared.push(`a digit greater than ${ENGLISH[other]}`);
      shared.push(`cyfra większa niż ${POLISH[other]}`);
    }
  }
  return { specific, shared };
}

/** Capitals and small letters have names of their own where both are classes. */
function letterPrompts(name: string, classes: readonly string[]): ClassPrompts {
  const small = name.toLowerCase(), capital = name.toUpperCase();
  const both = classes.includes(small) && classes.includes(capital);
  const [english, polish] = !both
    ? ["letter", "litera"]
    : name === small
    ? ["small letter", "mała litera"]
    : ["capital letter", "wielka litera"];
  return {
    specific: [
      `a handwritten ${english} ${small}`,
      `the ${english} ${small}`,
      `${english} ${small}`,
      ...both ? [] : [small],
      `${polish} ${small}`,
      `odręczna ${polish} ${small}`,
    ],
    shared: both ? [`the letter ${small}`, `litera ${small}`, small] : ["a letter", "litera"],
  };
}

function article(noun: string): string {
  return `${/^[aeiou]/i.test(noun) ? "an" : "a"} ${noun}`;
}

/** What a run keeps about its prompts, as JSON. */
export interface TextFile {
  /** Names of the classes. */
  readonly classes: readonly string[];
  /** Words by id. */
  readonly words: readonly string[];
  /** Longest prompt with its start. */
  readonly length: number;
}

/** Prompts as numbers. */
export class Prompts {
  /** Names of the classes. */
  readonly classes: readonly string[];
  /** Longest prompt with its start. */
  readonly length: number;
  readonly #tokenizer: WordTokenizer;

  private constructor(classes: readonly string[], tokenizer: WordTokenizer, length: number) {
    this.classes = classes;
    this.length = length;
    this.#tokenizer = tokenizer;
  }

  /**
   * Prompts for some classes: their words are the vocabulary.
   *
   * @param classes Names of the classes.
   * @returns The prompts.
   */
  static of(classes: readonly string[]): Prompts {
    const texts = classes.flatMap((name) => {
      const { specific, shared } = promptsOf(name, classes);
      return [...specific, ...shared];
    });
    const plain = WordTokenizer.fromTexts(texts);
    const tokenizer = new WordTokenizer(["<pad>", "<start>", ...plain.words.slice(1)]);
    const longest = Math.max(0, ...texts.map((text) => tokenizer.encode(text).length));
    return new Prompts(classes, tokenizer, longest + 1);
  }

  /** Prompts of a saved run. */
  static load({ classes, words, length }: TextFile): Prompts {
    return new Prompts(classes, new WordTokenizer(words), length);
  }

  /** What {@linkcode Prompts.load} needs. */
  save(): TextFile {
    return { classes: this.classes, words: this.#tokenizer.words, length: this.length };
  }

  /** Number of words. */
  get vocabulary(): number {
    return this.#tokenizer.vocabSize;
  }

  /**
   * Ids of a prompt.
   *
   * @param prompt The text; empty for none.
   * @returns `length` ids: start, words, padding.
   * @throws {RangeError} If a word is not known, or the prompt is longer than any that was trained.
   */
  encode(prompt: string): Int32Array {
    const words = this.#tokenizer.encode(prompt);
    if (words.length >= this.length) {
      throw new RangeError(
        `encode: the prompt has ${words.length} words, the model knows up to ${this.length - 1}`,
      );
    }
    const ids = new Int32Array(this.length).fill(PAD);
    ids[0] = START;
    ids.set(words, 1);
    return ids;
  }

  /**
   * Refuses a prompt that the model does not know.
   *
   * @param flag Where the prompt was given, such as `--prompt`.
   * @param prompt The text.
   * @throws {UsageError} If it has unknown words, with the nearest known ones, or too many.
   */
  check(flag: string, prompt: string): void {
    try {
      this.encode(prompt);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new UsageError(error.message.replace("encode", flag));
    }
  }

  /** Ids of several prompts, `[prompts × length]`. */
  encodeAll(prompts: readonly string[]): Int32Array {
    const ids = new Int32Array(prompts.length * this.length);
    for (const [i, prompt] of prompts.entries()) ids.set(this.encode(prompt), i * this.length);
    return ids;
  }

  /** The prompt that asks for a class and nothing else. */
  question(label: number): string {
    return promptsOf(this.classes[label]!, this.classes).specific[0]!;
  }

  /**
   * The prompts that training draws from: of each class {@linkcode SLOTS}, one after another.
   *
   * @returns Texts, `classes × SLOTS`.
   */
  table(): string[] {
    return this.classes.flatMap((name) => {
      const { specific, shared } = promptsOf(name, this.classes);
      const own = shared.length ? SPECIFIC_SLOTS : SLOTS;
      return Array.from(
        { length: SLOTS },
        (_, i) => i < own ? specific[i % specific.length]! : shared[(i - own) % shared.length]!,
      );
    });
  }
}
