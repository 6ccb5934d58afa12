/**
 * A static server for the library's own modules: each `.ts` file is served as JavaScript under its
 * own name, without a bundler, so that a page imports what Deno imports.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** What pages import. */
const SOURCES = [
  "mod.ts",
  "ops",
  "nn",
  "optim",
  "data",
  "models/ddpm",
  "scripts/conformance",
  "tests/device.ts",
  "tests/backends/webgpu",
  "tests/browser",
  "tests/compile",
  "tests/nn",
  "tests/ops",
  "tests/optim",
];

/** Together they make a page cross-origin isolated, which is when it has `SharedArrayBuffer`. */
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** A running server. */
export interface PageServer {
  /** Page without `SharedArrayBuffer`. */
  readonly plain: string;
  /** Page with it. */
  readonly isolated: string;
  /** Ends it. */
  close(): Promise<void>;
}

/** Transpiles the library and serves it on a free port of this machine. */
export async function startServer(): Promise<PageServer> {
  const folder = await Deno.makeTempDir({ prefix: "tensaurus-browser-" });
  const [page, packages] = await Promise.all([pageText(), packageFolder(), transpile(folder)]);
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(options, (request) => {
    const { pathname } = new URL(request.url);
    const html = { "content-type": "text/html" };
    if (pathname === "/plain") return new Response(page, { headers: html });
    if (pathname === "/isolated") {
      return new Response(page, { headers: { ...html, ...ISOLATION } });
    }
    return fileResponse(pathname, folder, packages);
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  return {
    plain: `${origin}/plain`,
    isolated: `${origin}/isolated`,
    async close() {
      await server.shutdown();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function fileResponse(path: string, scripts: string, packages: string): Promise<Response> {
  try {
    if (path.endsWith(".ts")) {
      const text = await Deno.readTextFile(join(scripts, path.replace(/\.ts$/, ".js")));
      return script(path.startsWith("/tests/browser/") ? text : withTestRunner(text));
    }
    const npm = "/npm/";
    if (path.startsWith(npm)) {
      return script(await Deno.readTextFile(join(packages, path.slice(npm.length))));
    }
    return new Response(await Deno.readFile(join(ROOT, path)));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return new Response("not found", { status: 404 });
  }
}

function script(text: string): Response {
  return new Response(text, { headers: { "content-type": "text/javascript" } });
}

/**
 * Test files call `Deno.test`. They get a `Deno` of their own by an import, and not a global one: the
 * library asks for that to find out where it runs.
 */
function withTestRunner(text: string): string {
  if (!/\bDeno\.(test|env)\b/.test(text)) return text;
  return `import { Deno } from "/tests/browser/runner.ts";\n${text}`;
}

/** The page, with the import map of `deno.json`. */
async function pageText(): Promise<string> {
  const config = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const imports = Object.entries(config.imports as Record<string, string>).map(([name, target]) => [
    name,
    target.startsWith("npm:")
      ? target.replace(/^npm:((?:@[^/]+\/)?[^@/]+)@/, "/npm/$1/")
      : target.replace(/^\./, ""),
  ]);
  return `<!doctype html>
<title>Tensaurus</title>
<link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports: Object.fromEntries(imports) })}</script>
`;
}

/** Where Deno keeps packages of npm: a folder per package in it, and one per version in that. */
async function packageFolder(): Promise<string> {
  const { npmCache } = JSON.parse(await output(["info", "--json"]));
  for await (const registry of Deno.readDir(npmCache)) {
    const folder = join(npmCache, registry.name);
    const found = await Deno.stat(join(folder, "deno-std")).catch(() => undefined);
    if (found) return folder;
  }
  throw new Error(`deno-std is not among the packages in ${npmCache}`);
}

async function transpile(folder: string): Promise<void> {
  const files = (await Promise.all(SOURCES.map(scriptsIn))).flat();
  await output(["transpile", "--quiet", "--no-check", "--outdir", folder, ...files]);
}

async function scriptsIn(path: string): Promise<string[]> {
  if (path.endsWith(".ts")) return [path];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, path))) {
    if (isDirectory || name.endsWith(".ts")) found.push(...await scriptsIn(`${path}/${name}`));
  }
  return found;
}

async function output(args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: ROOT });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`deno ${args[0]} failed:\n${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
