/**
 * What the tests in a page share: Chromium, the server, a page for each test.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Chromium, findChromium, type Page } from "./chromium.ts";
import { type PageServer, startServer } from "./server.ts";

const COMMAND = await findChromium();
const SHADERS = "/tests/browser/shaders.ts";

interface Session {
  readonly server: PageServer;
  readonly browser: Chromium;
}

let session: Session | undefined;

Deno.test.beforeAll(async () => {
  if (COMMAND === undefined) return;
  session = { server: await startServer(), browser: await Chromium.start(COMMAND) };
});

Deno.test.afterAll(async () => {
  await session?.browser.close();
  await session?.server.close();
});

/** A test in a page of its own, which must not complain of anything. */
export function pageTest(
  name: string,
  kind: "plain" | "isolated",
  body: (page: Page, test: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: `browser: ${name}`,
    ignore: COMMAND === undefined,
    async fn(test) {
      const { server, browser } = session!;
      const page = await browser.open(server[kind]);
      try {
        await body(page, test);
        assertEquals(page.complaints, []);
      } finally {
        await page.close();
      }
    },
  });
}

/** Listens to the shader compiler from now on. */
export async function watchShaders(page: Page): Promise<void> {
  await page.call(SHADERS, "watchShaders");
}

/** Not even a warning of the shader compiler. Returns how many modules it was given. */
export async function assertNoShaderMessages(page: Page): Promise<number> {
  const report = await page.call<{ modules: number; messages: string[] }>(SHADERS, "shaderReport");
  assertEquals(report.messages, []);
  return report.modules;
}
