/**
 * Compares the library with answers of PyTorch:
 * `deno task conformance [--device D] [--filter TEXT] [--json] [--verbose]`.
 *
 * Reads every case of the folder in `CONFORMANCE_DIR` (default: tests/conformance), prints `name, case,
 * pass/fail, worst error` for failures (for all with `--verbose`), and last `N passed, N failed`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { refuseUnknown } from "./_flags.ts";
import { type DeviceName, setDevice } from "../ops/mod.ts";
import { type Adapter, type CaseFile, type Outcome, readCases } from "./conformance/cases.ts";

const DEFAULT_FOLDER = new URL("../tests/conformance", import.meta.url).pathname;

/** The file that runs the cases of a kind; a kind without one fails. */
const ADAPTERS: Record<string, string> = {
  op: "./conformance/ops.ts",
  module: "./conformance/modules.ts",
  optim: "./conformance/optimizers.ts",
  model: "./conformance/models.ts",
  data: "./conformance/data.ts",
  hf: "./conformance/hf.ts",
};

const adapters = new Map<string, Adapter>();

async function adapterOf(kind: string): Promise<Adapter> {
  const known = adapters.get(kind);
  if (known) return known;
  const path = ADAPTERS[kind];
  if (path === undefined) throw new Error(`no adapter for kind "${kind}"`);
  const { run } = await import(new URL(path, import.meta.url).href) as { run: Adapter };
  adapters.set(kind, run);
  return run;
}

async function outcomeOf(file: CaseFile, index: number, device: DeviceName): Promise<Outcome> {
  try {
    const run = await adapterOf(file.kind);
    return await run(file, index, device);
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { pass: false, worst: Infinity, message: text.split("\n")[0]! };
  }
}

/** Runs the command line. */
export async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, {
    string: ["device", "filter"],
    boolean: ["json", "verbose"],
    unknown: refuseUnknown,
    default: { device: "cpu", filter: "" },
  });
  const device = flags.device as DeviceName;
  await setDevice(device);
  const folder = Deno.env.get("CONFORMANCE_DIR") ?? DEFAULT_FOLDER;
  let passed = 0, failed = 0;
  for await (const file of readCases(folder, (name) => name.includes(String(flags.filter)))) {
    for (let index = 0; index < file.cases.length; index++) {
      const outcome = await outcomeOf(file, index, device);
      if (outcome.pass) passed++;
      else failed++;
      if (flags.json) {
        const { pass, worst, message } = outcome;
        const line = { name: file.name, case: index, pass, worst: String(worst), message };
        console.log(JSON.stringify(line));
      } else if (flags.verbose || !outcome.pass) {
        const verdict = outcome.pass ? "pass" : "FAIL";
        const { message = "" } = outcome;
        console.log(
          `${file.name}  ${index}  ${verdict}  ${outcome.worst.toExponential(1)}  ${message}`,
        );
      }
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  if (passed + failed === 0) console.error(`--filter: no case has "${flags.filter}" in its name`);
  Deno.exit(failed || !passed ? 1 : 0);
}

if (import.meta.main) await main();
