import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  parseConfig,
  type Parsed,
  resumeConfig,
  type Script,
  unreadKeys,
  UsageError,
} from "../../models/kit/config.ts";
import { flagsText } from "../../models/kit/settings.ts";
import { helpText } from "../../models/kit/help.ts";

const config = {
  preset: "",
  batchSize: 64,
  lr: 1e-3,
  seed: 0,
  dryRun: false,
  tie: true,
  cell: "lstm",
  dropout: 0,
  text: [] as string[],
  multipliers: [1, 2, 4],
  prompt: "",
  expect: 0,
};

const script: Script<typeof config> = {
  name: "models/tiny.ts",
  about: "A tiny model.",
  config,
  describe: {
    tie: "Tie the weights",
    cell: "Kind of cell",
    dropout: "Share of units dropped",
    text: "Text files",
    multipliers: "Widths of the levels",
    prompt: "Text to go on from",
  },
  limits: { cell: ["rnn", "lstm", "gru"], dropout: { min: 0, max: 1 } },
  presets: { quick: { batchSize: 32, lr: 0.01 } },
  commands: {
    train: { about: "Train" },
    sample: { about: "Sample" },
    predict: { about: "Classify", positional: "FILE…" },
  },
};

function parse(...argv: string[]): Parsed<typeof config> {
  const parsed = parseConfig(script, argv);
  assert(parsed !== "help");
  return parsed;
}

function assertUsage(argv: string[], message: string): void {
  const error = assertThrows(() => parseConfig(script, argv), UsageError);
  assertEquals(error.message, message);
}

Deno.test("parseConfig() returns the defaults for an empty command line", () => {
  assertEquals(parse(), { command: "train", config, args: [], given: new Set<string>() });
});

Deno.test("parseConfig() reads numbers, words, booleans and lists", () => {
  const argv = "sample --batch-size 8 --lr=3e-4 --dry-run --no-tie --cell gru --multipliers 1,2,8";
  const { command, config: read, given } = parse(...argv.split(" "), "--text", "a.txt", "b.txt");
  assertEquals(command, "sample");
  const flags = { batchSize: 8, lr: 3e-4, dryRun: true, tie: false, cell: "gru" };
  assertEquals(read, { ...config, ...flags, multipliers: [1, 2, 8], text: ["a.txt", "b.txt"] });
  assertEquals([...given].sort(), Object.keys({ ...flags, multipliers: 0, text: 0 }).sort());
});

Deno.test("parseConfig() takes values that begin with a hyphen", () => {
  const { config: read } = parse("--expect", "-1.5", "--prompt", "- a line");
  assertEquals(read.expect, -1.5);
  assertEquals(read.prompt, "- a line");
});

Deno.test("parseConfig() keeps numbers in texts as they were typed", () => {
  assertEquals(parse("--prompt", "007").config.prompt, "007");
  assertEquals(parse("predict", "007").args, ["007"]);
});

Deno.test("parseConfig() lets flags win over the preset", () => {
  const { config: read, given } = parse("--lr", "0.5", "--preset", "quick");
  assertEquals([read.batchSize, read.lr, read.preset], [32, 0.5, "quick"]);
  assertEquals(given, new Set(["preset", "lr"]));
});

Deno.test("parseConfig() passes positional arguments to commands that take them", () => {
  assertEquals(parse("predict", "a.png", "b.png", "--seed", "3").args, ["a.png", "b.png"]);
});

Deno.test("parseConfig() answers --help and -h", () => {
  assertEquals(parseConfig(script, ["--help"]), "help");
  assertEquals(parseConfig(script, ["sample", "-h"]), "help");
});

Deno.test("parseConfig() throws for an unknown flag and offers the nearest", () => {
  assertUsage(["--batch-sizee", "3"], "--batch-sizee: no such option (did you mean --batch-size?)");
  assertUsage(["--batchSize=3"], "--batchSize: no such option (did you mean --batch-size?)");
  assertUsage(["--colourful"], "--colourful: no such option");
  assertUsage(["-x"], "-x: no such option");
  assertUsage(["--no-lr"], "--no-lr: no such option");
});

Deno.test("parseConfig() throws for an unknown command", () => {
  assertUsage(["trian"], "trian: no such command (did you mean train?)");
  assertUsage(["sample", "x"], "x: unexpected argument after sample");
});

Deno.test("parseConfig() throws for a missing value", () => {
  assertUsage(["--lr"], "--lr: needs a value (a number of at least 0)");
  assertUsage(
    ["--batch-size", "--lr", "1"],
    "--batch-size: needs a value (a whole number of at least 1)",
  );
});

Deno.test("parseConfig() throws for a value of the wrong type or out of range", () => {
  assertUsage(
    ["--batch-size", "many"],
    '--batch-size: expected a whole number of at least 1, got "many"',
  );
  assertUsage(
    ["--batch-size", "1.5"],
    '--batch-size: expected a whole number of at least 1, got "1.5"',
  );
  assertUsage(["--lr="], '--lr: expected a number of at least 0, got ""');
  assertUsage(["--dropout", "2"], '--dropout: expected a number from 0 to 1, got "2"');
  assertUsage(["--multipliers", "1,x"], '--multipliers: expected a number, got "x"');
  assertUsage(
    ["--cell", "grru"],
    '--cell: expected one of rnn, lstm, gru, got "grru" (did you mean gru?)',
  );
  assertUsage(
    ["--preset", "quik"],
    '--preset: expected one of quick, got "quik" (did you mean quick?)',
  );
});

Deno.test("parseConfig() throws for a value given to a switch", () => {
  assertUsage(["--dry-run=maybe"], '--dry-run: takes no value, got "maybe"');
});

Deno.test("resumeConfig() takes saved settings and lets flags win", () => {
  const saved = { ...config, batchSize: 16, cell: "gru", gone: 1 };
  const resumed = resumeConfig(parse("--lr", "0.1"), saved, ["cell"]);
  assertEquals(resumed, { ...config, batchSize: 16, cell: "gru", lr: 0.1 });
});

Deno.test("resumeConfig() throws where a fixed setting changes", () => {
  const error = assertThrows(
    () => resumeConfig(parse("--cell", "rnn"), { ...config, cell: "gru" }, ["cell"]),
    UsageError,
  );
  assertEquals(error.message, '--cell: the run was started with "gru" and cannot go on with "rnn"');
});

Deno.test("resumeConfig() throws where the run lacks a fixed setting", () => {
  const error = assertThrows(() => resumeConfig(parse(), { lr: 1 }, ["cell"]), UsageError);
  assertEquals(
    error.message,
    "--resume: the run has no setting --cell (is it another script's?)",
  );
});

Deno.test("unreadKeys() finds keys that a source never reads", () => {
  const source = `const { batchSize, lr } = config;\n f(config.seed, config["cell"]); // dropout`;
  const keys = { batchSize: 1, lr: 1, seed: 1, cell: "", dropout: 0, tie: true };
  assertEquals(unreadKeys(keys, source), ["dropout", "tie"]);
  const renamed = "const { seed: first, tie: joined } = config; const { x: dropout } = other;";
  assertEquals(unreadKeys({ seed: 1, tie: true, dropout: 0 }, renamed), ["dropout"]);
});

Deno.test("flagsText() writes settings so that parseConfig() reads them back", () => {
  const text = flagsText({ batchSize: 8, tie: false, dryRun: true, multipliers: [1, 2] });
  assertEquals(text, "--batch-size 8 --no-tie --dry-run --multipliers 1,2");
  assertEquals(parse(...text.split(" ")).config.multipliers, [1, 2]);
});

Deno.test("helpText() lists every option with its default", () => {
  const text = helpText(script);
  assertStringIncludes(text, "Usage: deno run -A models/tiny.ts [train]|sample|predict [options]");
  assertStringIncludes(text, "--batch-size N");
  assertStringIncludes(text, "Items per step [64]");
  assertStringIncludes(text, "--cell rnn|lstm|gru");
  assertStringIncludes(text, "--no-tie");
  assertStringIncludes(text, "--batch-size 32 --lr 0.01");
});
