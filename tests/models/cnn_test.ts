/** models/cnn.ts as its users run it. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { zeros } from "@tensaurus/core";
import { asDigit, Net } from "../../models/cnn.ts";
import { unreadKeys } from "../../models/kit/config.ts";
import { encodePng } from "../../models/kit/picture.ts";
import { script } from "../../models/cnn.ts";
import { losses, type Run, runScript, scriptPath, sources } from "./_script.ts";

/** Small enough for a test: 12×12 images, a few steps. */
const SMALL = [
  "--device=cpu",
  "--image-size=12",
  "--train-images=96",
  "--test-images=32",
  "--batch-size=16",
  "--log-every=1",
];

function run(...args: string[]): Promise<Run> {
  return runScript("cnn.ts", ...args);
}

Deno.test("Net has the course's 9,536,074 parameters", () => {
  const net = new Net({ imageSize: 48, classes: 10, dropout: 0.5 });
  assertEquals(net.parameters().reduce((n, p) => n + p.numel, 0), 9_536_074);
  net.eval();
  assertEquals(net.forward(zeros([1, 3, 48, 48])).shape, [1, 10]);
});

Deno.test("cnn.ts reads every setting", async () => {
  // The preset is read by the command line itself.
  const text = await sources("cnn.ts", "kit/device.ts", "kit/run.ts");
  assertEquals(unreadKeys(script.config, text), ["preset"]);
});

Deno.test("cnn.ts trains, reports and leaves a run folder", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const { code, stdout, stderr } = await run(...SMALL, "--epochs=1", `--out=${out}`);
  assertEquals(code, 0, stderr);
  for (
    const part of ["device", "parameters", "epoch 1", "test accuracy", "precision", "confusion"]
  ) {
    assertStringIncludes(stdout, part);
  }
  const files = [...Deno.readDirSync(out)].map((f) => f.name).sort();
  assertEquals(files, [
    "checkpoints",
    "config.json",
    "curves.svg",
    "digits.png",
    "metrics.jsonl",
    "model.safetensors",
  ]);
  const evaluated = await run("eval", out, "--device=cpu", "--test-images=32", "--batch-size=16");
  assertEquals(evaluated.code, 0, evaluated.stderr);
  const line = (text: string): string | undefined => text.match(/test loss.*/)?.[0];
  assertEquals(line(evaluated.stdout), line(stdout));
  const digit = `${out}/digit.png`;
  const data = new Uint8Array(28 * 28).map((_, i) => i % 28 > 12 && i % 28 < 16 ? 255 : 0);
  await Deno.writeFile(digit, encodePng({ width: 28, height: 28, channels: 1, data }));
  const predicted = await run("predict", digit, `--resume=${out}`, "--device=cpu");
  assertEquals(predicted.code, 0, predicted.stderr);
  assertEquals(/digit\.png: (\d [\d.]+ %\s*){3}/.test(predicted.stdout), true);
  const text = `${out}/config.json`;
  for (
    const [args, message] of [
      [["predict", text], `decodePicture: ${text} is neither a PNG nor a JPEG`],
      [["predict", out], `Is a directory (os error 21): readfile '${out}'`],
      [
        ["eval", "--image-size=20"],
        '--image-size: the run was started with "12" and cannot go on with "20"',
      ],
    ] as const
  ) {
    const { code, stderr } = await run(...args, `--resume=${out}`, "--device=cpu");
    assertEquals([code, stderr.trim()], [2, message]);
  }
});

Deno.test("cnn.ts says what is wrong with the data in one line", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const few = await run(...SMALL, "--classes=5", `--out=${out}`);
  assertEquals([few.code, few.stderr.trim()], [2, "--classes: 5 are too few for labels up to 9"]);
  const none = await run(...SMALL, `--data=${out}`, `--out=${out}`);
  const names = "train-images-idx3-ubyte nor train-images-idx3-ubyte.gz";
  assertEquals([none.code, none.stderr.trim()], [
    2,
    `loadMnist: neither ${names} can be read: ${out}/`,
  ]);
});

Deno.test("asDigit() sees a dark digit on a transparent ground as light on dark", () => {
  for (const colours of [1, 3]) {
    const pixel = (alpha: number) => [...new Array<number>(colours).fill(0), alpha];
    const data = new Uint8Array([255, 0, 0, 0].flatMap(pixel));
    const digit = asDigit({ width: 2, height: 2, channels: colours + 1, data });
    assertEquals([digit.channels, ...digit.data], [1, 255, 0, 0, 0]);
  }
});

Deno.test("cnn.ts resumes bit for bit", async () => {
  const folder = await Deno.makeTempDir();
  const whole = await run(...SMALL, "--steps=9", `--out=${folder}/whole`);
  assertEquals(whole.code, 0, whole.stderr);
  const first = await run(...SMALL, "--steps=4", `--out=${folder}/parts`);
  assertEquals(first.code, 0, first.stderr);
  const second = await run(`--resume=${folder}/parts`, "--steps=9", "--device=cpu");
  assertEquals(second.code, 0, second.stderr);
  assertEquals(await losses(`${folder}/parts`), await losses(`${folder}/whole`));
});

Deno.test("cnn.ts does one step of everything with --dry-run", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const { code, stdout, stderr } = await run(...SMALL, "--dry-run", `--out=${out}`);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "test accuracy");
});

Deno.test("cnn.ts stops cleanly at Ctrl-C and says how to go on", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const args = ["run", "-A", scriptPath("cnn.ts"), ...SMALL, "--epochs=500", `--out=${out}`];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" })
    .spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let asked = false;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value;
    if (!asked && text.includes("  loss ")) {
      asked = true;
      child.kill("SIGINT");
    }
  }
  await child.stderr.cancel();
  assertEquals((await child.status).code, 0);
  assertStringIncludes(text, "test accuracy");
  assertStringIncludes(text, `go on with  deno run -A models/cnn.ts --resume ${out}`);
});

Deno.test("cnn.ts names the nearest option", async () => {
  const { code, stderr } = await run("--batch-sizee=3");
  assertEquals([code, stderr.trim()], [
    2,
    "--batch-sizee: no such option (did you mean --batch-size?)",
  ]);
});

Deno.test("cnn.ts exits 1 below --expect", async () => {
  const out = `${await Deno.makeTempDir()}/run`;
  const { code, stderr } = await run(...SMALL, "--steps=1", "--expect=0.99", `--out=${out}`);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "is below --expect 0.99");
});

Deno.test("cnn.ts says that there is no such checkpoint", async () => {
  const { code, stderr } = await run("eval", "no-such-run", "--device=cpu");
  assertEquals([code, stderr.trim()], [2, "--resume: no checkpoint in no-such-run"]);
});

Deno.test("cnn.ts stops at a NaN loss, and --detect-nan names the operation", async () => {
  const folder = await Deno.makeTempDir();
  const wild = [...SMALL, "--lr=1e30", "--steps=4"];
  const plain = await run(...wild, `--out=${folder}/plain`);
  assertEquals(plain.code, 1);
  assertEquals(plain.stderr.includes("Uncaught"), false);
  assertStringIncludes(
    plain.stderr,
    "(run again with --detect-nan to see which operation gave it)",
  );
  const detected = await run(...wild, "--detect-nan", `--out=${folder}/detected`);
  assertEquals(detected.code, 1);
  assertStringIncludes(detected.stderr, ": gave a NaN");
});
