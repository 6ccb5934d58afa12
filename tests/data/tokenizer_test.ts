import {
  BpeTokenizer,
  CharTokenizer,
  loadTokenizer,
  parseTokenizer,
  saveTokenizer,
  type SplitName,
  TextStream,
  trainBpe,
  WordTokenizer,
  writeFile,
} from "../../data/mod.ts";
import { translatePattern } from "../../data/byte_level.ts";
import { assertEquals, assertInstanceOf } from "@std/assert";
import { assertMessage, assertRejection } from "./_errors.ts";
import training from "./fixtures/bpe_training.json" with { type: "json" };

const TEXT = "the cat sat on the mat, the cat's hat — żółć 😀 12345\n\n  end";

/** A configuration with some fields of the top and of the model replaced. */
function config(
  top: Record<string, unknown> = {},
  model: Record<string, unknown> = {},
): Record<string, unknown> {
  const base = trainBpe([TEXT], { vocabSize: 270, specialTokens: ["<|end|>"] }).toJSON();
  return { ...base, ...top, model: { ...base.model as Record<string, unknown>, ...model } };
}

Deno.test("trainBpe() joins the most frequent pair first, the smallest ids among equals", () => {
  const tokenizer = trainBpe(["hug hug hug pug pug bun bun"], { vocabSize: 262 });
  const { merges } = tokenizer.toJSON().model as { merges: [string, string][] };
  // Pairs of equal count: "b" has the smallest id, then "p", then "Ġ".
  assertEquals(
    merges.map((pair) => pair.join(" ")),
    ["u g", "h ug", "b u", "p ug", "Ġ hug", "Ġ bu"],
  );
});

Deno.test("trainBpe() learns the merges that Hugging Face's trainer learns", () => {
  for (const { split, vocabSize, merges, ids } of training.cases) {
    const tokenizer = trainBpe(training.texts, {
      vocabSize,
      specialTokens: ["<|endoftext|>"],
      split: split as SplitName,
    });
    const model = tokenizer.toJSON().model as { merges: [string, string][] };
    assertEquals(model.merges.map((pair) => pair.join(" ")).join(", "), merges);
    assertEquals(training.texts.map((text) => tokenizer.encode(text).join(" ")), ids);
  }
});

Deno.test("BpeTokenizer gives back every text", () => {
  for (const split of ["gpt2", "llama3"] as const) {
    const tokenizer = trainBpe([TEXT], { vocabSize: 300, split });
    for (const text of [TEXT, "", " ", "日本語\u0000\ufeffx\r\n\t", "a".repeat(2000), "'S we'LL"]) {
      assertEquals(tokenizer.decode(tokenizer.encode(text)), text);
    }
  }
});

Deno.test("BpeTokenizer splits digits by three as Llama 3 does", () => {
  const tokenizer = trainBpe(["1234567 1234567"], { vocabSize: 300, split: "llama3" });
  const tokens = [...tokenizer.encode("1234567")].map((id) => tokenizer.decode([id]));
  assertEquals(tokens, ["123", "456", "7"]);
});

Deno.test("BpeTokenizer finds special tokens, and leaves them out of the text", () => {
  const tokenizer = trainBpe([TEXT], { vocabSize: 270, specialTokens: ["<|end|>", "<|end|>x"] });
  const ids = tokenizer.encode("a<|end|>b<|end|>x");
  assertEquals([ids[1], ids[3]], [0, 1]);
  assertEquals(tokenizer.decode(ids), "ab");
  assertEquals(tokenizer.decode(ids, { skipSpecialTokens: false }), "a<|end|>b<|end|>x");
});

Deno.test("BpeTokenizer obeys the flags of added tokens", () => {
  const flags = { special: false, single_word: true, lstrip: true, rstrip: true };
  const tokenizer = new BpeTokenizer(config({
    added_tokens: [{ id: 270, content: "[M]", ...flags }],
  }));
  assertEquals([...tokenizer.encode("a  [M]  b")].indexOf(270), 1);
  assertEquals(tokenizer.encode("a  [M]  b").length, 3);
  assertEquals([...tokenizer.encode("x[M]y")].includes(270), false);
});

Deno.test("BpeTokenizer adds the tokens of its template", () => {
  const single = [{ SpecialToken: { id: "<|end|>" } }, { Sequence: { id: "A" } }];
  const tokenizer = new BpeTokenizer(config({
    post_processor: { type: "TemplateProcessing", single },
  }));
  const plain = tokenizer.encode("cat", { addSpecialTokens: false });
  assertEquals([...tokenizer.encode("cat")], [0, ...plain]);
});

Deno.test("BpeTokenizer takes the ids of its template from the template's own table", () => {
  const single = [{ SpecialToken: { id: "open" } }, { Sequence: { id: "A" } }];
  const tokenizer = new BpeTokenizer(config({
    post_processor: {
      type: "TemplateProcessing",
      single,
      special_tokens: { open: { id: "open", ids: [5, 7], tokens: ["a", "b"] } },
    },
  }));
  const plain = tokenizer.encode("cat", { addSpecialTokens: false });
  assertEquals([...tokenizer.encode("cat")], [5, 7, ...plain]);
});

Deno.test("BpeTokenizer finds normalized added tokens after the others, in what is normalized", () => {
  const flags = { special: false, single_word: false, lstrip: false, rstrip: false };
  const tokenizer = new BpeTokenizer(config({
    normalizer: { type: "Lowercase" },
    added_tokens: [
      { id: 270, content: "[M]", ...flags, normalized: true },
      { id: 271, content: "[M]x", ...flags, normalized: true },
      { id: 272, content: "[N]", ...flags, normalized: false },
      { id: 273, content: "X[N]", ...flags, normalized: true },
    ],
  }));
  const added = (text: string) => [...tokenizer.encode(text)].filter((id) => id >= 270);
  assertEquals(added("[M] [m] [m]X"), [270, 270, 271]);
  assertEquals(added("[N] [n]"), [272]);
  assertEquals(added("X[N]"), [272]); // found before the longer one is looked for
});

Deno.test("BpeTokenizer takes all numbers for digits, as Hugging Face's Digits does", () => {
  for (const [individual, cut] of [[true, 3], [false, 1]] as const) {
    const tokenizer = new BpeTokenizer({
      pre_tokenizer: { type: "Digits", individual_digits: individual },
      decoder: { type: "Fuse" },
      model: {
        type: "BPE",
        vocab: { "1": 0, "½": 1, "Ⅷ": 2, "1½": 3, "1½Ⅷ": 4 },
        merges: [["1", "½"], ["1½", "Ⅷ"]],
      },
    });
    assertEquals(tokenizer.encode("1½Ⅷ").length, cut);
  }
});

Deno.test("translatePattern() finds what Oniguruma finds", () => {
  const cases: [pattern: string, text: string, found: string[]][] = [
    ["\\w+", "aö²_x-１½ Ⅷ٣", ["aö²_x", "１½", "Ⅷ٣"]],
    ["\\bé\\w*", "é éa bé", ["é", "éa"]],
    ["\\Bb", "ab b éb", ["b", "b"]],
    ["^.", "ab\r\ncd\n", ["a", "c"]],
    [".$", "ab\r\ncd\n", ["\r", "d"]],
    ["[\\d_]+", "1_٣x²", ["1_٣"]],
    ["\\'\\ ?", "it' s'", ["' ", "'"]],
    ["\\W", "a²-é", ["-"]],
  ];
  for (const [pattern, text, found] of cases) {
    assertEquals(text.match(translatePattern("test", pattern)), found);
  }
  for (const pattern of ["[^\\W_]", "[\\w&&\\d]", "[a[b]]", "[]a]", "\\h"]) {
    assertMessage(
      () => translatePattern("test", pattern),
      `test: pattern ${JSON.stringify(pattern)} is not supported`,
    );
  }
});

Deno.test("BpeTokenizer reads SentencePiece models with byte fallback", () => {
  const bytes = Array.from(
    { length: 256 },
    (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const tokens = ["<unk>", ...bytes, "▁", "h", "i", "hi", "▁hi"];
  const replace = (from: string, content: string) => ({
    type: "Replace",
    pattern: { String: from },
    content,
  });
  const tokenizer = new BpeTokenizer({
    added_tokens: [{ id: 0, content: "<unk>", special: true }],
    normalizer: {
      type: "Sequence",
      normalizers: [{ type: "Prepend", prepend: "▁" }, replace(" ", "▁")],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        replace("▁", " "),
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: ["h i", "▁ hi"],
    },
  });
  const ids = tokenizer.encode("hi hié");
  assertEquals([...ids], [261, 261, 1 + 0xc3, 1 + 0xa9]);
  assertEquals(tokenizer.decode(ids), "hi hié");
});

Deno.test("saveTokenizer() and loadTokenizer() keep both kinds of tokenizer", async () => {
  const path = `${await Deno.makeTempDir()}/tokenizer.json`;
  const bpe = trainBpe([TEXT], { vocabSize: 300, specialTokens: ["<|end|>"], split: "llama3" });
  await saveTokenizer(path, bpe);
  const loaded = await loadTokenizer(path);
  assertEquals(loaded.encode(TEXT), bpe.encode(TEXT));
  assertEquals(loaded.toJSON(), bpe.toJSON());
  const characters = CharTokenizer.fromText(TEXT + "0123");
  await saveTokenizer(path, characters);
  const again = await loadTokenizer(path);
  assertInstanceOf(again, CharTokenizer);
  assertEquals(again.encode(TEXT), characters.encode(TEXT));
});

Deno.test("TextStream never splits a character", () => {
  const tokenizer = trainBpe(["abc"], { vocabSize: 256 });
  const stream = new TextStream(tokenizer);
  const pieces = [...tokenizer.encode("a😀é\ufeff")].map((id) => stream.push(id));
  assertEquals(pieces, ["a", "", "", "", "😀", "", "é", "", "", "\ufeff"]);
  assertEquals(stream.end(), "");
  stream.push(tokenizer.encode("é")[0]!);
  assertEquals(stream.end(), "\ufffd");
});

Deno.test("CharTokenizer throws for characters it lacks and names them", () => {
  const tokenizer = CharTokenizer.fromText("abc");
  assertMessage(() => tokenizer.encode("cab😀d"), 'encode: the vocabulary lacks "😀", "d"');
  assertMessage(
    () => tokenizer.encode("0123456789xyz"),
    'encode: the vocabulary lacks "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" and 3 more',
  );
  assertMessage(() => tokenizer.decode([3]), "decode: id 3 is out of range for 3 tokens");
  assertMessage(() => tokenizer.bytesOf(9), "bytesOf: id 9 is out of range for 3 tokens");
  assertMessage(() => CharTokenizer.fromText(""), "CharTokenizer: text is empty");
  assertMessage(() => new CharTokenizer([]), "CharTokenizer: there are no characters");
  assertMessage(() => new CharTokenizer(["a", "a"]), 'CharTokenizer: "a" occurs twice');
  assertMessage(
    () => new CharTokenizer(["ab"]),
    'CharTokenizer: character 0 is "ab", expected one code point',
  );
});

Deno.test("tokenizers are not learned from the characters of one text", () => {
  const problem = "texts is a text, expected a list of texts (use [text])";
  assertMessage(() => trainBpe("hello", { vocabSize: 300 }), `trainBpe: ${problem}`);
  assertMessage(() => WordTokenizer.fromTexts("hello"), `WordTokenizer: ${problem}`);
});

Deno.test("BpeTokenizer.decode() throws for an id that does not exist", () => {
  const tokenizer = trainBpe(["abc"], { vocabSize: 256 });
  assertMessage(() => tokenizer.decode([256]), "decode: id 256 is out of range for 256 tokens");
});

Deno.test("trainBpe() throws for sizes and special tokens that do not fit", () => {
  assertMessage(
    () => trainBpe([], { vocabSize: 256, specialTokens: ["<s>"] }),
    "trainBpe: vocabSize is 256, 256 bytes and 1 special tokens need 257",
  );
  assertMessage(
    () => trainBpe([], { vocabSize: 300, specialTokens: ["<s>", "<s>"] }),
    'trainBpe: special token 1 "<s>" occurs twice',
  );
  assertMessage(
    () => trainBpe([], { vocabSize: 300, specialTokens: [""] }),
    "trainBpe: special token 0 is empty",
  );
});

Deno.test("parseTokenizer() names the field that it does not support", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ ...config(), model: null }, "model is missing"],
    [config({}, { type: "Unigram" }), 'model.type is "Unigram", which is not supported'],
    [config({}, { dropout: 0.1 }), "model.dropout is 0.1, which is not supported"],
    [
      config({}, { continuing_subword_prefix: "##" }),
      'model.continuing_subword_prefix is "##", which is not supported',
    ],
    [config({}, { vocab: 1 }), "model.vocab is no object"],
    [config({}, { vocab: { a: -1 } }), 'model.vocab gives "a" the id -1'],
    [config({}, { merges: {} }), "model.merges is no list"],
    [config({}, { merges: ["a b c"] }), 'model.merges[0] is "a b c", no pair'],
    [config({}, { merges: ["é é"] }), 'model.merges[0] needs "éé", which model.vocab lacks'],
    [config({}, { unk_token: "?!" }), 'model.unk_token is "?!", which model.vocab lacks'],
    [config({ added_tokens: {} }), "added_tokens is no list"],
    [config({ added_tokens: [null] }), "added_tokens[0] is no object"],
    [config({ normalizer: { type: "Sequence" } }), "normalizer.normalizers is no list"],
    [config({ decoder: { type: "Sequence" } }), "decoder.decoders is no list"],
    [config({ post_processor: { type: "Sequence" } }), "post_processor.processors is no list"],
    [
      config({ post_processor: { type: "TemplateProcessing", single: [1] } }),
      "post_processor.single[0] is no object",
    ],
    [config({ added_tokens: [{ id: 1 }] }), "added_tokens[0] has no id or no content"],
    [
      config({ pre_tokenizer: { type: "BertPreTokenizer" } }),
      'pre_tokenizer.type is "BertPreTokenizer", which is not supported',
    ],
    [
      config({ pre_tokenizer: { type: "Sequence" } }),
      "pre_tokenizer.pretokenizers is no list",
    ],
    [
      config({ normalizer: { type: "Replace", pattern: { Regex: "a" } } }),
      "normalizer.pattern has no String",
    ],
    [
      config({ pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Split" }] } }),
      "pre_tokenizer.pretokenizers[0].pattern has neither Regex nor String",
    ],
    [
      config({ pre_tokenizer: { type: "Split", pattern: { Regex: "a++" }, behavior: "Isolated" } }),
      'pattern "a++" is not supported',
    ],
    [
      config({ pre_tokenizer: { type: "Split", pattern: { String: "a" }, behavior: "Odd" } }),
      'pre_tokenizer.behavior is "Odd", which is not supported',
    ],
    [
      config({ normalizer: { type: "Sequence", normalizers: [{ type: "Bert" }] } }),
      'normalizer.normalizers[0].type is "Bert", which is not supported',
    ],
    [
      config({ decoder: { type: "WordPiece" } }),
      'decoder.type is "WordPiece", which is not supported',
    ],
    [
      config({ decoder: { type: "Sequence", decoders: [{ type: "CTC" }] } }),
      'decoder.decoders[0].type is "CTC", which is not supported',
    ],
    [
      config({ post_processor: { type: "BertProcessing" } }),
      'post_processor.type is "BertProcessing", which is not supported',
    ],
    [
      config({
        post_processor: {
          type: "TemplateProcessing",
          single: [{ SpecialToken: { id: "<x>" } }, { Sequence: { id: "A" } }],
        },
      }),
      'post_processor names the token "<x>", which does not exist',
    ],
    [
      config({
        post_processor: {
          type: "TemplateProcessing",
          single: [{ Sequence: { id: "A" } }, { Sequence: { id: "A" } }],
        },
      }),
      "post_processor.single holds the text 2 times, which is not supported",
    ],
    [
      config({ decoder: { type: "Sequence", decoders: [{ type: "Fuse" }, { type: "Replace" }] } }),
      "decoder.decoders[1] is Replace at a place that is not supported",
    ],
    [
      config({ decoder: { type: "Sequence", decoders: [{ type: "Strip" }] } }),
      "decoder.decoders[0] is Strip at a place that is not supported",
    ],
    [config({}, { type: "WordLevel" }), 'model.type is "WordLevel", which is not supported'],
  ];
  for (const [value, problem] of cases) {
    assertMessage(() => parseTokenizer(JSON.stringify(value)), `parseTokenizer: ${problem}`);
  }
  assertMessage(() => parseTokenizer("{", "t.json"), "parseTokenizer: text is no JSON: t.json");
  assertMessage(() => parseTokenizer("[]"), "parseTokenizer: text is no JSON object");
  assertMessage(
    () => parseTokenizer(JSON.stringify({ model: null }), "t.json"),
    "parseTokenizer: model is missing: t.json",
  );
});

Deno.test("loadTokenizer() throws for a file that is no UTF-8", async () => {
  const path = `${await Deno.makeTempDir()}/tokenizer.json`;
  await writeFile(path, new Uint8Array([0xff, 0xfe]));
  await assertRejection(() => loadTokenizer(path), `loadTokenizer: file is no UTF-8: ${path}`);
});

Deno.test("WordTokenizer takes words, digits and signs apart, in any case", async () => {
  const tokenizer = WordTokenizer.fromTexts(["an odd digit, 3", "trzydzieści"]);
  assertEquals([...tokenizer.encode("Odd 33,")].map((id) => tokenizer.words[id]), [
    "odd",
    "3",
    "3",
    ",",
  ]);
  assertEquals(tokenizer.encode(" "), new Uint32Array(0));
  assertEquals(tokenizer.decode([0, tokenizer.idOf("odd")!]), "odd");
  const path = `${await Deno.makeTempDir()}/tokenizer.json`;
  await saveTokenizer(path, tokenizer);
  const loaded = await loadTokenizer(path);
  assertInstanceOf(loaded, WordTokenizer);
  assertEquals(loaded.encode("trzydzieści 3"), tokenizer.encode("trzydzieści 3"));
});

Deno.test("WordTokenizer names the words it lacks and offers the nearest", () => {
  const tokenizer = WordTokenizer.fromTexts(["a handwritten seven"]);
  assertMessage(
    () => tokenizer.encode("a handwriten xylophone"),
    'encode: the vocabulary lacks "handwriten" (did you mean "handwritten"?), "xylophone"',
  );
  assertMessage(() => tokenizer.decode([9]), "decode: id 9 is out of range for 4 tokens");
  assertMessage(() => new WordTokenizer(["a"]), 'WordTokenizer: word 0 is "a", expected "<pad>"');
  assertMessage(
    () => new WordTokenizer(["<pad>", "a", "a"]),
    'WordTokenizer: "a" occurs twice',
  );
});
