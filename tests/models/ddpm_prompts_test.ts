import { assert, assertEquals, assertThrows } from "@std/assert";
import { PAD, Prompts, promptsOf, SLOTS, START } from "../../models/ddpm/prompts.ts";
import { UsageError } from "../../models/kit/config.ts";

const DIGITS = [..."0123456789"];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const CLOTHES = [
  ...["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"],
  ...["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
];

Deno.test("promptsOf() says what a digit is and what it has in common with others", () => {
  const { specific, shared } = promptsOf("3", DIGITS);
  for (const prompt of ["a handwritten three", "cyfra trzy", "3", "trójka"]) {
    assert(specific.includes(prompt), prompt);
  }
  const common = ["an odd digit", "a digit smaller than four", "a digit greater than two"];
  for (const prompt of [...common, "cyfra nieparzysta", "cyfra mniejsza niż cztery"]) {
    assert(shared.includes(prompt), prompt);
  }
  assert(!shared.includes("a digit smaller than three") && !shared.includes("an even digit"));
});

Deno.test("promptsOf() gives no prompt of a class to another one", () => {
  for (
    const classes of [DIGITS, CLOTHES, [...LETTERS.toLowerCase()], [...DIGITS, ...LETTERS, "a"]]
  ) {
    const all = classes.map((name) => promptsOf(name, classes));
    for (const [i, { specific }] of all.entries()) {
      for (const [j, other] of all.entries()) {
        if (i === j) continue;
        for (const prompt of specific) {
          const taken = [...other.specific, ...other.shared].includes(prompt);
          assert(!taken, `${prompt}: ${classes[i]} and ${classes[j]}`);
        }
      }
    }
  }
});

Deno.test("promptsOf() says clothes in English and Polish, and what several of them are", () => {
  const trousers = promptsOf("Trouser", CLOTHES), bag = promptsOf("Bag", CLOTHES);
  for (
    const prompt of ["a picture of a pair of trousers", "trouser", "spodnie", "zdjęcie spodni"]
  ) {
    assert(trousers.specific.includes(prompt), prompt);
  }
  assert(trousers.shared.includes("ubranie"));
  assert(bag.specific.includes("a bag") && bag.specific.includes("obrazek torby"));
  assertEquals(bag.shared, []);
  const shoes = CLOTHES.filter((name) => promptsOf(name, CLOTHES).shared.includes("a shoe"));
  assertEquals(shoes, ["Sandal", "Sneaker", "Ankle boot"]);
});

Deno.test("promptsOf() knows letters, clothes, words, and images without a name", () => {
  const upper = promptsOf("A", ["A", "a"]), lower = promptsOf("a", ["A", "a"]);
  assert(upper.specific.includes("the capital letter a"));
  assert(lower.specific.includes("the small letter a"));
  assert(promptsOf("q", ["q"]).specific.includes("litera q"));
  assert(promptsOf("T-shirt/top", ["T-shirt/top"]).specific.includes("koszulka"));
  assert(promptsOf("grey_cats", []).specific.includes("grey cats"));
  assertEquals(promptsOf("", [""]), { specific: [""], shared: [] });
});

Deno.test("Prompts.encode() puts the start before the words and pads", () => {
  const prompts = Prompts.of(DIGITS);
  assertEquals(prompts.length, 6);
  const empty = [...prompts.encode("")];
  assertEquals(empty, [START, PAD, PAD, PAD, PAD, PAD]);
  const ids = [...prompts.encode("a  Digit smaller than FOUR")];
  assertEquals(ids[0], START);
  assert(ids.slice(1).every((id) => id > START));
});

Deno.test("Prompts.table() has slots for every class, most of them for it alone", () => {
  const prompts = Prompts.of(DIGITS);
  const table = prompts.table();
  assertEquals(table.length, 10 * SLOTS);
  for (const [digit, name] of DIGITS.entries()) {
    const { specific } = promptsOf(name, DIGITS);
    const own = table.slice(digit * SLOTS, (digit + 1) * SLOTS);
    assertEquals(own.filter((prompt) => specific.includes(prompt)).length, 96);
  }
});

Deno.test("Prompts.load() reads what Prompts.save() wrote", () => {
  const prompts = Prompts.of(["cat", "dog"]);
  const again = Prompts.load(JSON.parse(JSON.stringify(prompts.save())));
  assertEquals(again.encode("a picture of a cat"), prompts.encode("a picture of a cat"));
  assertEquals(again.question(1), "a picture of a dog");
});

Deno.test("Prompts.check() names unknown words with the nearest, and prompts that are too long", () => {
  const prompts = Prompts.of(DIGITS);
  assertThrows(
    () => prompts.check("--prompt", "a handwriten sevn"),
    UsageError,
    '--prompt: the vocabulary lacks "handwriten" (did you mean "handwritten"?), "sevn" ' +
      '(did you mean "seven"?)',
  );
  assertThrows(
    () => prompts.check("--negative", "one two three four five six"),
    UsageError,
    "--negative: the prompt has 6 words, the model knows up to 5",
  );
});
