import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { exists, writeWhole } from "../../models/kit/files.ts";
import { Interrupt } from "../../models/kit/interrupt.ts";
import {
  findCheckpoint,
  parseMetrics,
  RunFolder,
  savedConfig,
} from "../../models/kit/run_folder.ts";
import { FormatError } from "@tensaurus/core/data";
import { UsageError } from "../../models/kit/settings.ts";

async function inTemporaryFolder(test: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "tensaurus-" });
  try {
    await test(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function names(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) found.push(entry.name);
  return found.sort();
}

Deno.test("RunFolder.create() numbers folders and writes config.json", () =>
  inTemporaryFolder(async (root) => {
    const first = await RunFolder.create({ name: "cnn", root, config: { lr: 0.1 } });
    const second = await RunFolder.create({ name: "cnn", root, config: {} });
    assertEquals([first.path, second.path], [join(root, "cnn-001"), join(root, "cnn-002")]);
    assertEquals(JSON.parse(await Deno.readTextFile(first.file("config.json"))), { lr: 0.1 });
  }));

Deno.test("RunFolder.create() gives runs that start together a folder each", () =>
  inTemporaryFolder(async (root) => {
    const start = (): Promise<RunFolder> => RunFolder.create({ name: "cnn", root, config: {} });
    const runs = await Promise.all([start(), start(), start()]);
    assertEquals(new Set(runs.map(({ path }) => path)).size, 3);
  }));

Deno.test("RunFolder.create() throws where the folder holds a run", () =>
  inTemporaryFolder(async (root) => {
    const out = join(root, "mine");
    await RunFolder.create({ name: "cnn", out, config: {} });
    const error = await assertRejects(
      () => RunFolder.create({ name: "cnn", out, config: {} }),
      UsageError,
    );
    assertEquals(
      error.message,
      `--out: ${out} already holds a run (use --resume ${out} to go on with it)`,
    );
  }));

Deno.test("RunFolder.log() has each line in the file at once, NaN as text", () =>
  inTemporaryFolder(async (root) => {
    using run = await RunFolder.create({ name: "cnn", root, config: {} });
    run.log({ step: 1, loss: 2.5 });
    run.log({ step: 2, loss: NaN });
    const text = await Deno.readTextFile(run.file("metrics.jsonl"));
    assertEquals(text, '{"step":1,"loss":2.5}\n{"step":2,"loss":"NaN"}\n');
  }));

Deno.test("RunFolder.save() keeps the newest two and the best", () =>
  inTemporaryFolder(async (root) => {
    using run = await RunFolder.create({ name: "cnn", root, config: {} });
    await run.saveBest(10, { "model.bin": new Uint8Array([1]) });
    for (const step of [10, 20, 30]) await run.save(step, { "state.json": `{"at":${step}}` });
    assertEquals(await names(run.file("checkpoints")), ["best", "step-000020", "step-000030"]);
    assertEquals((await run.checkpoints()).map(({ step }) => step), [20, 30]);
    await run.saveBest(30, { "model.bin": new Uint8Array([2]) });
    const best = join(run.path, "checkpoints", "best");
    assertEquals(await Deno.readFile(join(best, "model.bin")), new Uint8Array([2]));
    assertEquals((await findCheckpoint(best, { name: "cnn" })).step, 30);
  }));

Deno.test("findCheckpoint() takes a run, a checkpoint, or the newest run", () =>
  inTemporaryFolder(async (root) => {
    for (const lr of [1, 2]) {
      using run = await RunFolder.create({ name: "gpt", root, config: { lr } });
      await run.save(100 * lr, {});
      await run.save(100 * lr + 50, {});
    }
    const options = { name: "gpt", root };
    assertEquals((await findCheckpoint(join(root, "gpt-001"), options)).step, 150);
    const exact = join(root, "gpt-001", "checkpoints", "step-000100");
    assertEquals(await findCheckpoint(exact, options), { step: 100, path: exact });
    const last = await findCheckpoint("last", options);
    assertEquals(last.step, 250);
    assertEquals(await savedConfig(last), { lr: 2 });
  }));

Deno.test("findCheckpoint() throws where there is nothing to resume", () =>
  inTemporaryFolder(async (root) => {
    const none = await assertRejects(
      () => findCheckpoint("last", { name: "gpt", root }),
      UsageError,
    );
    assertEquals(none.message, `--resume: no run of gpt under ${root}`);
    const empty = await assertRejects(
      () => findCheckpoint(root, { name: "gpt", root }),
      UsageError,
    );
    assertEquals(empty.message, `--resume: no checkpoint in ${root}`);
    const path = join(root, "file");
    await Deno.writeTextFile(path, "");
    const file = await assertRejects(() => findCheckpoint(path, { name: "gpt", root }), UsageError);
    assertEquals(file.message, `--resume: no checkpoint in ${path}`);
  }));

Deno.test("savedConfig() names a file that is no JSON", () =>
  inTemporaryFolder(async (root) => {
    using run = await RunFolder.create({ name: "gpt", root, config: {} });
    const checkpoint = await run.save(1, {});
    const path = await run.write("config.json", "{");
    const error = await assertRejects(() => savedConfig(checkpoint), FormatError);
    assertEquals(error.message, `readJson: file is no JSON: ${path}`);
  }));

Deno.test("RunFolder.resume() drops metrics after the checkpoint and goes on", () =>
  inTemporaryFolder(async (root) => {
    {
      using run = await RunFolder.create({ name: "cnn", root, config: {} });
      run.log({ step: 1, loss: 3 });
      await run.save(1, {});
      run.log({ step: 2, loss: 2 });
    }
    using run = await RunFolder.resume(await findCheckpoint("last", { name: "cnn", root }));
    run.log({ step: 2, loss: 1.5 });
    assertEquals(await run.metrics(), [{ step: 1, loss: 3 }, { step: 2, loss: 1.5 }]);
  }));

Deno.test("parseMetrics() leaves out a line that was cut short", () => {
  assertEquals(parseMetrics('{"step":1}\n{"st'), [{ step: 1 }]);
  assertEquals(parseMetrics(""), []);
});

Deno.test("writeWhole() leaves nothing behind when it fails", () =>
  inTemporaryFolder(async (root) => {
    await Deno.mkdir(join(root, "taken"));
    await assertRejects(() => writeWhole(join(root, "taken"), "text"));
    assertEquals(await names(root), ["taken"]);
    assert(!await exists(join(root, "other")));
  }));

Deno.test("Interrupt asks the loop to stop first, then ends the process", () => {
  const notes: string[] = [];
  const exits: number[] = [];
  using interrupt = new Interrupt({
    note: (text) => notes.push(text),
    exit: (status) => exits.push(status),
  });
  assertEquals(interrupt.requested, false);
  interrupt.press();
  assertEquals([interrupt.requested, notes.length, exits.length], [true, 1, 0]);
  interrupt.press();
  assertEquals(exits, [130]);
});
