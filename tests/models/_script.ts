/** Running the scripts of models as their users do. */
import { parseMetrics } from "../../models/kit/run_folder.ts";

/** How a run ended. */
export interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

/** Path of a script in `models/`. */
export function scriptPath(name: string): string {
  return new URL(`../../models/${name}`, import.meta.url).pathname;
}

/** Runs a script to its end. */
export async function runScript(name: string, ...args: string[]): Promise<Run> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", scriptPath(name), ...args],
  });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Texts of a script and of the helpers that it hands its settings to. */
export async function sources(...names: string[]): Promise<string> {
  const texts = names.map((name) => Deno.readTextFile(scriptPath(name)));
  return (await Promise.all(texts)).join("\n");
}

/** Steps and losses of a run folder. */
export async function losses(folder: string): Promise<[number, number][]> {
  const metrics = parseMetrics(await Deno.readTextFile(`${folder}/metrics.jsonl`));
  return metrics.filter((m) => m["loss"] !== undefined).map((m) => [m.step, Number(m["loss"])]);
}
