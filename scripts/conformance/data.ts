/** Runs cases of transforms and metrics. */
import { type CaseResult, metricsResults, transformResults } from "../../tests/data/_reference.ts";
import type { CaseFile, Outcome } from "./cases.ts";

const results = new Map<string, Promise<CaseResult[]>>();

function resultsOf(name: string): Promise<CaseResult[]> {
  let known = results.get(name);
  if (!known) {
    if (name === "data.transforms") known = transformResults();
    else if (name === "data.metrics") known = metricsResults();
    else throw new Error(`no adapter for "${name}"`);
    results.set(name, known);
  }
  return known;
}

/** Joins the results that belong to one case (a report and its matrix). */
export function joined(parts: readonly CaseResult[]): Outcome {
  const failed = parts.find((part) => !part.pass);
  return {
    pass: parts.length > 0 && failed === undefined,
    worst: Math.max(...parts.map((part) => part.worst)),
    message: failed?.case,
  };
}

/** Runs one case. */
export async function run(file: CaseFile, index: number): Promise<Outcome> {
  const all = await resultsOf(file.name);
  const each = all.length / file.cases.length;
  return joined(all.slice(index * each, (index + 1) * each));
}
