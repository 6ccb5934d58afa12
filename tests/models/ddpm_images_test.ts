import { assertEquals, assertRejects } from "@std/assert";
import { fit, type ImageSettings, openImages, toFloats } from "../../models/ddpm/images.ts";
import { UsageError } from "../../models/kit/config.ts";
import { encodePng } from "../../models/kit/picture.ts";

function plain(width: number, height: number, value: number, channels = 1) {
  return { width, height, channels, data: new Uint8Array(width * height * channels).fill(value) };
}

function settings(changes: Partial<ImageSettings>): ImageSettings {
  return {
    data: "folder",
    dataFolder: "",
    emnistSplit: "digits",
    imageSize: 4,
    channels: 1,
    images: 0,
    ...changes,
  };
}

Deno.test("fit() resizes the shorter side and cuts out the middle", () => {
  const image = plain(12, 8, 0);
  for (let y = 0; y < 8; y++) image.data.fill(255, y * 12 + 2, y * 12 + 10);
  const result = fit(image, 4, 1);
  assertEquals([result.width, result.height], [4, 4]);
  assertEquals(Math.min(...result.data.filter((_, i) => i % 4 === 1 || i % 4 === 2)), 255);
});

Deno.test("fit() makes gray or colours, and shows white behind transparent pixels", () => {
  assertEquals([...fit(plain(2, 2, 9), 2, 3).data], new Array(12).fill(9));
  const clear = { width: 1, height: 1, channels: 4, data: new Uint8Array([10, 20, 30, 0]) };
  assertEquals([...fit(clear, 1, 3).data], [255, 255, 255]);
  assertEquals([...fit(clear, 1, 1).data], [255]);
  const half = { width: 1, height: 1, channels: 2, data: new Uint8Array([55, 128]) };
  assertEquals([...fit(half, 1, 1).data], [155]);
});

Deno.test("toFloats() goes from −1 to 1", () => {
  const { data, shape } = toFloats({
    width: 2,
    height: 1,
    channels: 1,
    data: Uint8Array.of(0, 255),
  });
  assertEquals([[...data], shape], [[-1, 1], [1, 1, 2]]);
});

Deno.test("openImages() takes a folder, its sub-folders as classes, and names unreadable files", async () => {
  const folder = await Deno.makeTempDir();
  for (const name of ["cat", "dog"]) {
    await Deno.mkdir(`${folder}/${name}`);
    for (let i = 0; i < 10; i++) {
      await Deno.writeFile(`${folder}/${name}/${i}.png`, encodePng(plain(6, 5, 10 * i)));
    }
  }
  await Deno.writeTextFile(`${folder}/dog/broken.png`, "no picture");
  await Deno.writeTextFile(`${folder}/notes.txt`, "not looked at");
  const notes: string[] = [];
  const note = (text: string) => void notes.push(text);
  const training = await openImages(settings({ dataFolder: folder }), true, note);
  assertEquals(training.classes, ["cat", "dog"]);
  assertEquals(training.length, 18);
  assertEquals(training.get(0)[0].width, 4);
  assertEquals(notes, [
    `skipped 1 of 21 files that cannot be read: ${folder}/dog/broken.png`,
  ]);
  const kept = await openImages(settings({ dataFolder: folder, images: 1 }), false, note);
  assertEquals([kept.length, kept.get(0)[1]], [1, 0]);
});

Deno.test("openImages() refuses folders that are missing, empty, or without readable files", async () => {
  const folder = await Deno.makeTempDir();
  const refused = (changes: Partial<ImageSettings>, message: string) =>
    assertRejects(() => openImages(settings(changes), true, () => {}), UsageError, message);
  await refused({ dataFolder: folder }, `no PNG or JPEG that can be read: ${folder}`);
  await Deno.writeTextFile(`${folder}/broken.jpg`, "no picture");
  await refused(
    { dataFolder: folder },
    `--data-folder: no PNG or JPEG that can be read: ${folder}`,
  );
  await refused({ dataFolder: "/nowhere" }, "--data-folder: there is no folder /nowhere");
  await refused({}, "--data-folder: name the folder with the images");
  await refused(
    { data: "fashion" },
    "--data-folder: fashion needs the folder with its IDX files",
  );
});
