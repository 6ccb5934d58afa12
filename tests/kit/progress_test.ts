import { assertEquals, assertStringIncludes } from "@std/assert";
import { drawBar, type Output, Progress } from "../../models/kit/progress.ts";
import { clock, scientific, shortTime, withPrefix } from "../../models/kit/numbers.ts";

class Recorder implements Output {
  readonly texts: string[] = [];
  constructor(readonly terminal: boolean, readonly width = 100) {}
  write(text: string): void {
    this.texts.push(text);
  }
}

class Clock {
  time = 0;
  readonly now = (): number => this.time;
}

const GPT = { perStep: 16_384, unit: "tok", columns: ["loss", "val", "lr", "norm"] } as const;

Deno.test("Progress writes a line with fixed columns every logEvery steps", () => {
  const output = new Recorder(false);
  const time = new Clock();
  const shown = new Progress({ total: 5000, logEvery: 250, ...GPT, output, now: time.now });
  for (let step = 1; step <= 500; step++) {
    time.time += 12.3;
    const val = step === 250 ? 1.611 : undefined;
    shown.update(step, { loss: 1.532, lr: 9.8e-4, norm: 0.8, ...(val ? { val } : {}) });
  }
  assertEquals(output.texts, [
    "step  250/5000  loss 1.532  val 1.611  lr 9.8e-4  norm  0.8  12.3 ms  1.33 M tok/s\n",
    "step  500/5000  loss 1.532  val     –  lr 9.8e-4  norm  0.8  12.3 ms  1.33 M tok/s\n",
  ]);
});

Deno.test("Progress writes the last step, also where it is no multiple of logEvery", () => {
  const output = new Recorder(false);
  const shown = new Progress({ total: 3, logEvery: 2, output, now: () => 0 });
  for (let step = 1; step <= 3; step++) shown.update(step, { loss: step });
  assertEquals(output.texts.map((text) => text.slice(0, 8)), ["step 2/3", "step 3/3"]);
});

Deno.test("Progress writes no line twice", () => {
  const output = new Recorder(false);
  const shown = new Progress({ total: 3, logEvery: 1, output, now: () => 0 });
  shown.update(1, { loss: 1 });
  shown.log();
  assertEquals(output.texts.length, 1);
});

Deno.test("Progress draws a bar on a terminal ten times a second at most", () => {
  const output = new Recorder(true, 100);
  const time = new Clock();
  const columns = ["loss", "acc"] as const;
  const shown = new Progress({
    total: 100,
    perStep: 64,
    unit: "images",
    columns,
    output,
    now: time.now,
  });
  for (let step = 1; step <= 50; step++) {
    time.time += 20;
    shown.update(step, { loss: 0.4121, acc: 0.879 });
  }
  assertEquals(output.texts.length, 10);
  const [control, bar] = [output.texts.at(-1)!.slice(0, 4), output.texts.at(-1)!.slice(4)];
  assertEquals(control, "\r\x1b[K");
  assertStringIncludes(bar, "step [████");
  assertStringIncludes(bar, "]  46 %  loss 0.412  acc 87.9 %  3200 images/s  ETA 0:01");
});

Deno.test("Progress keeps notes above the bar and takes the bar away at the end", () => {
  const output = new Recorder(true);
  const shown = new Progress({ total: 10, output, now: () => 1 });
  shown.update(1, { loss: 1 });
  shown.note("saved");
  shown.stop();
  assertEquals(output.texts[1], "\r\x1b[Ksaved\n");
  assertEquals(output.texts.at(-1), "\r\x1b[K");
});

Deno.test("Progress never draws past the width of the terminal", () => {
  const output = new Recorder(true, 40);
  const shown = new Progress({ total: 10, columns: ["loss", "acc", "lr"], output, now: () => 1 });
  shown.update(5, { loss: 1, acc: 0.5, lr: 0.1 });
  assertEquals(output.texts[0]!.replace("\r\x1b[K", "").length, 39);
});

Deno.test("Progress counts from the start of a resumed run", () => {
  const time = new Clock();
  const options = {
    total: 100,
    start: 50,
    logEvery: 1,
    output: new Recorder(false),
    now: time.now,
  };
  const shown = new Progress(options);
  time.time = 1000;
  shown.update(60);
  assertEquals(shown.stepTime, 100);
});

Deno.test("Progress.over() yields all items and counts them", async () => {
  const output = new Recorder(false);
  const shown = new Progress({ total: 4, logEvery: 4, output, now: () => 0 });
  const seen: number[] = [];
  for await (const item of shown.over([1, 2, 3, 4])) {
    const until = performance.now() + 5; // long enough for a turn of the event loop
    while (performance.now() < until);
    seen.push(item);
  }
  assertEquals(seen, [1, 2, 3, 4]);
  assertEquals(output.texts.length, 1);
});

Deno.test("drawBar() fills to an eighth of a character", () => {
  assertEquals(drawBar(0, 4), "    ");
  assertEquals(drawBar(0.5, 4), "██  ");
  assertEquals(drawBar(0.53125, 4), "██▏ ");
  assertEquals(drawBar(2, 4), "████");
});

Deno.test("numbers are written with three digits and a unit", () => {
  assertEquals([0, 9.99, 123.4, 9999, 12_345, 999_600, 2e9].map(withPrefix), [
    "0.00",
    "9.99",
    "123",
    "9999",
    "12.3 k",
    "1.00 M",
    "2.00 G",
  ]);
  assertEquals([0.0123, 1.5, 12.34, 431.2, 12_000].map(shortTime), [
    "12.3 µs",
    "1.50 ms",
    "12.3 ms",
    "431 ms",
    "12.0 s",
  ]);
  assertEquals([5, 65, 7389].map(clock), ["0:05", "1:05", "2:03:09"]);
  assertEquals([9.8e-4, 0, 1].map(scientific), ["9.8e-4", "0.0e+0", "1.0e+0"]);
});
