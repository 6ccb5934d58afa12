/** Data sets that models/ddpm.ts is given by flag, as files that its users have. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import jpeg from "jpeg-js";
import { type ImageSettings, openImages } from "../../models/ddpm/images.ts";
import { promptsOf } from "../../models/ddpm/prompts.ts";
import { encodePng } from "../../models/kit/picture.ts";
import { runScript } from "./_script.ts";

/** Images of each file. */
const COUNT = 64;

const SIDE = 28, PIXELS = SIDE ** 2;

/** One step of a narrow network. */
const TRIAL = [
  ..."--dry-run --device=cpu --width=8 --groups=4 --heads=2 --text-width=8".split(" "),
  ..."--text-layers=1 --text-heads=2 --batch-size=4 --diffusion-steps=20 --sample-steps=2".split(
    " ",
  ),
];

function idx(sizes: readonly number[], data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 4 * sizes.length + data.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, 8, sizes.length]);
  for (const [axis, size] of sizes.entries()) view.setUint32(4 + 4 * axis, size);
  bytes.set(data, bytes.length - data.length);
  return bytes;
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Writes images that are bright above the diagonal, and labels from `first` on in turn. */
async function writePair(
  folder: string,
  name: string,
  { classes, first = 0, gzipped }: { classes: number; first?: number; gzipped: boolean },
): Promise<void> {
  const pixels = Uint8Array.from({ length: COUNT * PIXELS }, (_, i) => {
    const y = Math.floor(i % PIXELS / SIDE), x = i % SIDE;
    return x > y ? 255 : 0;
  });
  const labels = Uint8Array.from({ length: COUNT }, (_, i) => first + i % classes);
  const files = [
    [`${name}-images-idx3-ubyte`, idx([COUNT, SIDE, SIDE], pixels)],
    [`${name}-labels-idx1-ubyte`, idx([COUNT], labels)],
  ] as const;
  for (const [file, bytes] of files) {
    const path = `${folder}/${file}${gzipped ? ".gz" : ""}`;
    await Deno.writeFile(path, gzipped ? await gzip(bytes) : bytes);
  }
}

/** A folder with both parts of Fashion-MNIST, one gzipped and one not. */
async function fashion(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await writePair(folder, "train", { classes: 10, gzipped: true });
  await writePair(folder, "t10k", { classes: 10, gzipped: false });
  return folder;
}

async function emnist(split: string, classes: number, first = 0): Promise<string> {
  const folder = await Deno.makeTempDir();
  await writePair(folder, `emnist-${split}-train`, { classes, first, gzipped: true });
  await writePair(folder, `emnist-${split}-test`, { classes, first, gzipped: false });
  return folder;
}

/** Trains for a step and evaluates. @returns The classes that the run knows. */
async function tryOut(...flags: string[]): Promise<string[]> {
  const out = `${await Deno.makeTempDir()}/run`;
  const { code, stdout, stderr } = await runScript("ddpm.ts", ...TRIAL, ...flags, `--out=${out}`);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "bits/dim");
  const text = await Deno.readTextFile(`${out}/checkpoints/step-000001/text.json`);
  return JSON.parse(text).classes;
}

async function refusal(...flags: string[]): Promise<string> {
  const { code, stderr } = await runScript("ddpm.ts", ...TRIAL, ...flags);
  assertEquals(code, 2, stderr);
  return stderr.trim();
}

Deno.test("ddpm.ts learns Fashion-MNIST from IDX files, and samples a named class", async () => {
  const folder = await fashion(), out = `${folder}/run`;
  const flags = ["--data=fashion", `--data-folder=${folder}`, `--out=${out}`];
  const trained = await runScript("ddpm.ts", ...TRIAL, ...flags);
  assertEquals(trained.code, 0, trained.stderr);
  for (const prompt of ["a pair of trousers", "zdjęcie sukienki", "T-shirt/top", "obuwie"]) {
    const sampled = await runScript(
      "ddpm.ts",
      ...["sample", `--resume=${out}`, `--prompt=${prompt}`, `--out=${folder}/sample.png`],
      ...["--dry-run", "--device=cpu", "--count=2"],
    );
    assertEquals(sampled.code, 0, sampled.stderr);
  }
  // No classifier of these classes exists: what needs none is told.
  const judged = await runScript("ddpm.ts", "eval", out, "--device=cpu", "--bpd-images=2");
  assertEquals(judged.code, 0, judged.stderr);
  assert(/^bits\/dim .* of 2 test images$/m.test(judged.stdout), judged.stdout);
  assert(!judged.stdout.includes("prompted"));
});

Deno.test("ddpm.ts learns the letters and the balanced split of EMNIST", async () => {
  const letters = await emnist("letters", 26, 1);
  assertEquals(
    await tryOut("--data=emnist", "--emnist-split=letters", `--data-folder=${letters}`),
    [..."abcdefghijklmnopqrstuvwxyz"],
  );
  const balanced = await emnist("balanced", 47);
  const classes = await tryOut(
    ...["--data=emnist", "--emnist-split=balanced", `--data-folder=${balanced}/`, "--channels=3"],
  );
  assertEquals([classes.length, classes[9], classes[10], classes.at(-1)], [47, "9", "A", "t"]);
});

Deno.test("ddpm.ts learns a folder of PNG and JPEG files, grey or in colours", async () => {
  const folder = await Deno.makeTempDir();
  for (const name of ["cat", "dog"]) await Deno.mkdir(`${folder}/${name}`);
  for (let i = 0; i < 12; i++) {
    const width = 20 + i, height = 17;
    const colours = new Uint8Array(width * height * 3).map((_, j) => (7 * i + j) % 256);
    const png = encodePng({ width, height, channels: 3, data: colours });
    await Deno.writeFile(`${folder}/cat/${i}.png`, png);
    const data = new Uint8Array(width * height * 4).fill(20 * i);
    await Deno.writeFile(`${folder}/dog/${i}.jpeg`, jpeg.encode({ width, height, data }, 90).data);
  }
  const flags = ["--data=folder", `--data-folder=${folder}`, "--image-size=16"];
  assertEquals(await tryOut(...flags, "--channels=3"), ["cat", "dog"]);
  assertEquals(await tryOut(...flags, "--channels=1"), ["cat", "dog"]);
});

Deno.test("ddpm.ts says which file of a data set is missing or wrong", async () => {
  const folder = await emnist("digits", 11);
  assertEquals(
    await refusal("--data=fashion", "--data-folder=/nowhere"),
    "--data-folder: neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz can be read: " +
      "/nowhere/",
  );
  assertEquals(
    await refusal("--data=emnist", `--data-folder=${folder}`),
    "--data-folder: label 10 of image 10 is out of range for 10 classes",
  );
  const letters = await emnist("letters", 26);
  assertEquals(
    await refusal("--data=emnist", "--emnist-split=letters", `--data-folder=${letters}`),
    "--data-folder: label 0 of image 0 is no letter",
  );
  assertEquals(
    await refusal("--data=fashion"),
    "--data-folder: fashion needs the folder with its IDX files",
  );
});

Deno.test("openImages() stands EMNIST upright and gives each letter its label and prompts", async () => {
  const settings: ImageSettings = {
    data: "emnist",
    dataFolder: await emnist("letters", 26, 1),
    emnistSplit: "letters",
    imageSize: SIDE,
    channels: 1,
    images: 0,
  };
  const set = await openImages(settings, false);
  const [image, label] = set.get(27);
  assertEquals([set.length, label, set.classes[label]], [COUNT, 1, "b"]);
  // The files have columns for rows: what is above the diagonal there is below it here.
  assertEquals([image.data[1], image.data[SIDE]], [0, 255]);
  const { specific } = promptsOf("b", set.classes);
  for (const prompt of ["the letter b", "litera b", "b"]) assert(specific.includes(prompt), prompt);
  const [coloured] = (await openImages({ ...settings, channels: 3 }, true)).get(0);
  assertEquals([coloured.channels, coloured.data.length], [3, 3 * PIXELS]);
});
