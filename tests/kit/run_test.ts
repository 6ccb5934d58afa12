/** What stands around the steps of a run. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { setDevice, tensor } from "@tensaurus/core";
import { Linear } from "@tensaurus/core/nn";
import { expectAtLeast, expectAtMost } from "../../models/kit/expect.ts";
import { TrainingRun, type TrainingRunOptions } from "../../models/kit/run.ts";
import { type Checkpoint, findCheckpoint, parseMetrics } from "../../models/kit/run_folder.ts";
import { checkpointFiles } from "../../models/kit/state.ts";

const device = await setDevice("cpu");

/** Runs something without its lines on the terminal. @returns The lines. */
async function quietly(body: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const before = console.log;
  console.log = (line: string) => void lines.push(line);
  try {
    await body();
  } finally {
    console.log = before;
  }
  return lines;
}

function options(out: string, total: number, checkpoint?: Checkpoint): TrainingRunOptions {
  return {
    ...{ script: "models/tiny.ts", name: "tiny", device, checkpoint, total },
    settings: { out, logEvery: 100, overfitBatch: false, dryRun: false },
    model: new Linear(2, 3),
    ...{ perStep: 4, unit: "rows", columns: ["loss"] },
  };
}

Deno.test("TrainingRun.due() is true every so many steps, and of everything at the end", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const due: [second: boolean, never: boolean, over: boolean][] = [];
  const lines = await quietly(async () => {
    using run = await TrainingRun.open(options(out, 3));
    while (!run.over) {
      await run.stepped(tensor([0]));
      due.push([run.due(2), run.due(0), run.over]);
    }
    run.finish();
  });
  assertEquals(due, [[false, false, false], [true, false, false], [true, true, true]]);
  assert(lines.includes("parameters  9") && lines.includes("per step    4 rows"));
  assertEquals(lines.at(-1), `run folder  ${out}`);
});

Deno.test("TrainingRun.means() divides by the steps since the last line, and log() writes them", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  await quietly(async () => {
    using run = await TrainingRun.open(options(out, 10));
    const sums = tensor([0, 0]);
    for (const [steps, added, means] of [[2, 6, [3, 1.5]], [3, 6, [2, 1]]] as const) {
      for (let i = 0; i < steps; i++) await run.stepped(sums);
      sums.copy_(tensor([added, added / 2]));
      const [loss, lr] = await run.means(sums) as [number, number];
      assertEquals([loss, lr], [...means]);
      run.log({ loss, lr });
    }
    const error = assertThrows(() => run.log({ loss: NaN }), Error);
    assertEquals(error.message, "the loss is NaN at step 5 (try a smaller --lr)");
  });
  assertEquals(parseMetrics(await Deno.readTextFile(`${out}/metrics.jsonl`)), [
    { step: 2, loss: 3, lr: 1.5 },
    { step: 5, loss: 2, lr: 1 },
  ]);
});

Deno.test("TrainingRun.batch() gives each batch, or the first one again under --overfit-batch", async () => {
  for (const overfitBatch of [false, true]) {
    const plain = options(`${await Deno.makeTempDir()}/run`, 3);
    await quietly(async () => {
      using run = await TrainingRun.open({
        ...plain,
        settings: { ...plain.settings, overfitBatch },
      });
      const batches = [[1], [2], [3]].map((batch) => run.batch(batch));
      assertEquals(batches, overfitBatch ? [[1], [1], [1]] : [[1], [2], [3]]);
    });
  }
});

Deno.test("TrainingRun.save() writes a checkpoint, publish() its weights and the curves", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const tried = options(out, 1);
  const model = tried.model;
  await quietly(async () => {
    using run = await TrainingRun.open({
      ...tried,
      settings: { ...tried.settings, dryRun: true },
    });
    await run.stepped(tensor([0]));
    run.log({ loss: 1 });
    await run.save(() => checkpointFiles({ model, progress: {} }), { model });
    await run.publish();
  });
  const saved = await findCheckpoint(out, { name: "tiny" });
  assertEquals(
    await Deno.readFile(`${out}/model.safetensors`),
    await Deno.readFile(`${saved.path}/model.safetensors`),
  );
  assert((await Deno.readTextFile(`${out}/curves.svg`)).startsWith("<svg"));
});

Deno.test("TrainingRun keeps the best validation loss, and goes on from a checkpoint", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  await quietly(async () => {
    let checkpoint: Checkpoint | undefined;
    {
      using run = await TrainingRun.open(options(out, 5));
      for (const val of [2, 1, 3]) {
        await run.stepped(tensor([0]));
        await run.validated(val, () => Promise.resolve({ "best.txt": `${run.best}` }));
      }
      assertEquals(run.best, 1);
      assertEquals(await Deno.readTextFile(`${out}/checkpoints/best/best.txt`), "1");
      checkpoint = await run.folder.save(run.step, {});
    }
    using again = await TrainingRun.open(options(out, 5, checkpoint));
    assertEquals([again.step, again.over], [3, false]);
    using done = await TrainingRun.open(options(out, 3, checkpoint));
    assert(done.over);
  });
});

Deno.test("expectAtLeast() and expectAtMost() set the exit status, 0 expects nothing", () => {
  const before = console.error;
  const lines: string[] = [];
  console.error = (line: string) => void lines.push(line);
  try {
    expectAtLeast("accuracy", 0.5, 0);
    expectAtLeast("accuracy", 0.5, 0.5);
    expectAtMost("loss", 2, 0);
    expectAtMost("loss", 2, 2);
    assertEquals([Deno.exitCode, lines], [0, []]);
    expectAtLeast("accuracy", NaN, 0.5);
    expectAtMost("loss", 2, 1.5);
    assertEquals(Deno.exitCode, 1);
  } finally {
    console.error = before;
    Deno.exitCode = 0;
  }
  assertEquals(lines, [
    "accuracy NaN is below --expect 0.5",
    "loss 2.0000 is above --expect 1.5",
  ]);
});
