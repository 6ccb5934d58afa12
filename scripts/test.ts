/**
 * Runs the tests by tiers and adds up what they report.
 *
 * ```sh
 * deno task test                       # plans, cpu, webgpu, doc, node, page
 * deno task test:cpu --filter conv2d   # one tier, with options for `deno test`
 * ```
 *
 * Tests that can run on more than one device read its name from `TENSAURUS_TEST_DEVICE`: `cpu`,
 * `webgpu` (any adapter, in practice the software one) or `gpu` (a hardware adapter).
 *
 * @module
 */
import { stripAnsiCode } from "@std/fmt/colors";
import { exists } from "../models/kit/files.ts";
import { findChromium } from "../tests/browser/chromium.ts";

/** One way of testing. */
interface Tier {
  /** Shown above its output. */
  about: string;
  /** Files and folders; those that do not exist are left out. */
  paths: readonly string[];
  /** Files and folders inside `paths` that belong to other tiers. */
  ignore?: readonly string[];
  /** Options of `deno test`. */
  options?: readonly string[];
  /** Value of `TENSAURUS_TEST_DEVICE`. */
  device?: string;
}

/** What a run of `deno test` reported. */
export interface Counts {
  /** Tests that passed. */
  passed: number;
  /** Tests that failed. */
  failed: number;
  /** Tests that were ignored, visibly. */
  skipped: number;
}

const LIBRARY = ["mod.ts", "ops", "nn", "optim", "data"];

/** Folders with tests that need no device. */
const DEVICE_FREE = ["tests/plans", "tests/ir", "tests/scripts"];

/** Folders with tests that the named device runs. */
const ON_DEVICE = ["tests/ops", "tests/compile", "tests/nn", "tests/optim"];

const TIERS = {
  plans: { about: "no device: fusion, memory, golden plans", paths: DEVICE_FREE },
  cpu: {
    about: "everything on the CPU",
    paths: ["tests"],
    ignore: [
      ...DEVICE_FREE,
      "tests/backends/webgpu",
      "tests/browser",
      "tests/consumer",
      "tests/node",
    ],
    device: "cpu",
  },
  webgpu: {
    about: "WebGPU, a software adapter will do",
    paths: ["tests/backends/webgpu", ...ON_DEVICE],
    device: "webgpu",
  },
  gpu: {
    about: "WebGPU on hardware",
    paths: ["tests/backends/webgpu", ...ON_DEVICE],
    device: "gpu",
  },
  doc: {
    about: "examples in the documentation",
    paths: [...LIBRARY, "models/kit", "README.md", "COURSE.md", "CONTRIBUTING.md"],
    options: ["--doc"],
    device: "cpu",
  },
  node: {
    about: "imported from JSR's name, and packed for npm and run in Node",
    paths: ["tests/node"],
  },
  page: {
    about: "trains on each device in a page of headless Chromium",
    paths: ["tests/browser/training_test.ts"],
  },
  browser: {
    about: "the same, and the tests of webgpu and PyTorch's answers in such a page: five minutes",
    paths: ["tests/browser"],
  },
} satisfies Record<string, Tier>;

type TierName = keyof typeof TIERS;

const DEFAULT_TIERS: readonly TierName[] = ["plans", "cpu", "webgpu", "doc", "node", "page"];

/**
 * Reads the counts from the output of `deno test`.
 *
 * @param output All of it.
 * @returns The counts of its last summary, or `undefined` where there is none.
 */
export function countsOf(output: string): Counts | undefined {
  const plain = stripAnsiCode(output);
  const summary =
    /^(?:ok|FAILED) \| (\d+) passed(?: \(.*?\))? \| (\d+) failed(?: \(.*?\))?(?: \| (\d+) ignored)?/gm;
  const last = [...plain.matchAll(summary)].at(-1);
  if (last === undefined) return undefined;
  return { passed: Number(last[1]), failed: Number(last[2]), skipped: Number(last[3] ?? 0) };
}

/** Runs one tier; its output goes to the terminal as it comes. */
async function runTier(name: TierName, extra: readonly string[]): Promise<Counts> {
  const tier: Tier = TIERS[name];
  const paths = await existing(tier.paths);
  if (paths.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const ignored = await existing(tier.ignore ?? []);
  const ignore = ignored.length > 0 ? [`--ignore=${ignored.join(",")}`] : [];
  const options = [...(tier.options ?? []), ...ignore, ...extra];
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", "--quiet", "--allow-all", "--permit-no-files", ...options, ...paths],
    env: environment(tier),
    stdout: "piped",
    stderr: "inherit",
  });
  const child = command.spawn();
  const decoder = new TextDecoder();
  let output = "";
  for await (const bytes of child.stdout) {
    output += decoder.decode(bytes, { stream: true });
    await writeAll(bytes);
  }
  const { success } = await child.status;
  const counts = countsOf(output) ?? { passed: 0, failed: 0, skipped: 0 };
  // A module that does not compile runs no test, and is a failure all the same.
  if (!success && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map(exists));
  return paths.filter((_, i) => found[i]);
}

function environment({ device }: Tier): Record<string, string> {
  const env: Record<string, string> = {};
  if (device !== undefined) env.TENSAURUS_TEST_DEVICE = device;
  if (Deno.stdout.isTerminal() && Deno.env.get("NO_COLOR") === undefined) env.FORCE_COLOR = "1";
  else env.NO_COLOR = "1";
  return env;
}

/** The Vulkan loader complains on standard error where this is not set. */
function quietVulkan(): void {
  if (Deno.build.os !== "linux" || Deno.env.get("XDG_RUNTIME_DIR") !== undefined) return;
  Deno.env.set("XDG_RUNTIME_DIR", Deno.env.get("TMPDIR") ?? "/tmp");
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(await Deno.stdout.write(rest));
}

/** What to say where the WebGPU tests found nothing to run on. */
async function adapterNote(): Promise<string | undefined> {
  const gpu: GPU | undefined = navigator.gpu;
  if (await gpu?.requestAdapter()) return undefined;
  return "No WebGPU adapter was found, so the WebGPU tests did not run. " +
    "A software adapter will do; Debian and Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1";
}

/** What to say where there is no browser. */
async function browserNote(): Promise<string | undefined> {
  if (await findChromium() !== undefined) return undefined;
  return "Chromium was not found, so the tests in a page did not run. " +
    "Debian: apt-get install chromium";
}

/** What to say after the counts: what did not run for want of something, and how to get it. */
async function notesOn(tiers: readonly TierName[]): Promise<string[]> {
  const onGpu = tiers.includes("webgpu") || tiers.includes("gpu");
  const inPage = tiers.includes("page") || tiers.includes("browser");
  const notes = [onGpu ? await adapterNote() : undefined, inPage ? await browserNote() : undefined];
  return notes.filter((note) => note !== undefined);
}

function tiersOf(names: readonly string[]): TierName[] {
  const unknown = names.find((name) => !Object.hasOwn(TIERS, name));
  if (unknown !== undefined) {
    console.error(`${unknown}: no such tier (there are ${Object.keys(TIERS).join(", ")})`);
    Deno.exit(2);
  }
  return names.length > 0 ? names as TierName[] : [...DEFAULT_TIERS];
}

if (import.meta.main) {
  const split = Deno.args.findIndex((argument) => argument.startsWith("-"));
  const names = split < 0 ? Deno.args : Deno.args.slice(0, split);
  const options = split < 0 ? [] : Deno.args.slice(split);
  const total = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  const tiers = tiersOf(names);
  quietVulkan();
  for (const name of tiers) {
    console.log(`\n== ${name}: ${TIERS[name].about}`);
    const began = performance.now();
    const { passed, failed, skipped } = await runTier(name, options);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
    const counts = `${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed`;
    lines.push(`${name.padEnd(8)}${counts} ${String(skipped).padStart(4)} skipped ${seconds} s`);
  }
  console.log(`\n${lines.join("\n")}\n`);
  for (const note of await notesOn(tiers)) console.log(`${note}\n`);
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  Deno.exit(total.failed > 0 ? 1 : 0);
}
