/** In the page: compares the library on WebGPU with PyTorch's answers. */
import { describeDevice, setDevice } from "@tensaurus/core";
import type { Adapter, Case, CaseFile } from "../../scripts/conformance/cases.ts";
import { run as runModel } from "../../scripts/conformance/models.ts";
import { run as runModule } from "../../scripts/conformance/modules.ts";
import { run as runOp } from "../../scripts/conformance/ops.ts";
import { run as runOptimizer } from "../../scripts/conformance/optimizers.ts";

const ADAPTERS: Record<string, Adapter> = {
  op: runOp,
  module: runModule,
  optim: runOptimizer,
  model: runModel,
};

/** What came of the cases of a file. */
export interface FileOutcome {
  readonly passed: number;
  /** A line per case that failed. */
  readonly failures: string[];
}

/** Opens WebGPU; returns the adapter's name. */
export async function open(): Promise<string> {
  await setDevice("webgpu");
  return describeDevice("webgpu");
}

/** Runs all cases of a file of `tests/conformance`. */
export async function runFile(name: string): Promise<FileOutcome> {
  const response = await fetch(`/tests/conformance/${name}.json.gz`);
  const stream = response.body!.pipeThrough(new DecompressionStream("gzip"));
  const { kind, cases }: { kind: string; cases: Case[] } = await new Response(stream).json();
  const file: CaseFile = { name, kind, path: "", cases };
  const failures: string[] = [];
  for (const index of cases.keys()) {
    let message: string | undefined;
    try {
      const outcome = await ADAPTERS[kind]!(file, index, "webgpu");
      if (!outcome.pass) message = outcome.message ?? "";
    } catch (error) {
      message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
    if (message !== undefined) failures.push(`${name} ${index}: ${message}`);
  }
  return { passed: cases.length - failures.length, failures };
}
