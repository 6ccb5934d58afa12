import { listFolder, readFile, writeFile } from "../../data/mod.ts";
import { locatePackage } from "../../data/packages.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { assertRejection } from "./_errors.ts";

Deno.test("writeFile() makes folders and leaves only the final name", async () => {
  const folder = await Deno.makeTempDir();
  await writeFile(`${folder}/a/b/c.txt`, "hé");
  assertEquals(await listFolder(`${folder}/a/b`), ["c.txt"]);
  assertEquals(new TextDecoder().decode(await readFile(`${folder}/a/b/c.txt`)), "hé");
});

Deno.test("writeFile() leaves nothing behind where it fails", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/taken/x`, { recursive: true });
  await assertRejects(() => writeFile(`${folder}/taken`, "text"));
  assertEquals(await listFolder(folder), ["taken"]);
});

Deno.test("readFile() throws for a missing file", async () => {
  await assertRejection(() => readFile("/no/such/file"), "readFile: no such file: /no/such/file");
  const folder = await Deno.makeTempDir();
  await assertRejection(() => readFile(folder), `readFile: is a folder, not a file: ${folder}`);
});

Deno.test("readFile() fetches URLs and reports what the server answers", async () => {
  const server = Deno.serve({ port: 0, onListen: () => {} }, (request) => {
    const found = new URL(request.url).pathname === "/a.txt";
    return new Response(found ? "hello" : "", { status: found ? 200 : 404 });
  });
  const base = `http://localhost:${server.addr.port}`;
  assertEquals(new TextDecoder().decode(await readFile(`${base}/a.txt`)), "hello");
  await assertRejection(
    () => readFile(`${base}/b.txt`),
    `readFile: the server answered 404: ${base}/b.txt`,
  );
  await server.shutdown();
});

Deno.test("listFolder() throws for a missing folder", async () => {
  await assertRejection(() => listFolder("/no/such"), "listFolder: no such folder: /no/such");
});

Deno.test("locatePackage() throws for a package that does not exist", async () => {
  const error = await assertRejects(() =>
    locatePackage("loadMnist", "tensaurus-no-such-package", "9.9.9")
  );
  assertStringIncludes(
    (error as Error).message,
    "loadMnist: cannot find tensaurus-no-such-package 9.9.9 (",
  );
});
