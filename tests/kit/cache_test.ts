import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { cached, sha256Of } from "../../models/kit/cache.ts";
import { exists } from "../../models/kit/files.ts";

const BYTES = new Uint8Array([1, 2, 3]);
const SHA256 = "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensaurus-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

class Source {
  loads = 0;
  readonly load = (): Promise<Uint8Array> => {
    this.loads++;
    return Promise.resolve(BYTES);
  };
}

Deno.test("cached() loads once", () =>
  withFolder(async (folder) => {
    const source = new Source();
    for (let i = 0; i < 2; i++) {
      assertEquals(await cached("a/b.bin", { load: source.load, folder }), BYTES);
    }
    assertEquals(source.loads, 1);
  }));

Deno.test("cached() loads again what was damaged", () =>
  withFolder(async (folder) => {
    const source = new Source();
    const options = { load: source.load, sha256: SHA256, folder };
    await cached("b.bin", options);
    await Deno.writeFile(join(folder, "b.bin"), new Uint8Array([1, 2]));
    assertEquals(await cached("b.bin", options), BYTES);
    assertEquals(source.loads, 2);
    await Deno.writeFile(join(folder, "b.bin"), new Uint8Array([9]));
    assertEquals(await cached("b.bin", { load: source.load, folder }), BYTES);
    assertEquals(source.loads, 3);
  }));

Deno.test("cached() throws for a wrong checksum and stores nothing", () =>
  withFolder(async (folder) => {
    const { load } = new Source();
    const sha256 = "0".repeat(64);
    const error = await assertRejects(() => cached("b.bin", { load, sha256, folder }), RangeError);
    assertEquals(error.message, `cached: b.bin has SHA-256 ${SHA256}, expected ${sha256}`);
    assertEquals(await exists(join(folder, "b.bin")), false);
  }));

Deno.test("sha256Of() matches a known digest", async () => {
  assertEquals(await sha256Of(BYTES), SHA256);
});
