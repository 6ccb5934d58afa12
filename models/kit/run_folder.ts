/**
 * The folder of one training run.
 *
 * ```text
 * runs/cnn-003/
 *   config.json          all settings
 *   metrics.jsonl        one object per line, flushed line by line
 *   checkpoints/
 *     step-000250/       what resuming needs; the folder appears complete or not at all
 *     best/              the best one by validation, where a run asks for it
 *   model.safetensors, curves.svg, …
 * ```
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { exists, readJson, removeIfThere, writeWhole } from "./files.ts";
import { UsageError } from "./settings.ts";

/** One line of `metrics.jsonl`. */
export interface Metrics {
  /** Steps done when it was written. */
  step: number;
  /** Loss, accuracy and whatever else was measured. */
  [name: string]: number | string | boolean | undefined;
}

/** Options of {@linkcode RunFolder.create}. */
export interface RunOptions {
  /** Folder given by the user; empty for the next free one under `root`. @default {""} */
  out?: string;
  /** Start of the name of a numbered folder, such as `cnn`. */
  name: string;
  /** Where numbered folders are made. @default {"runs"} */
  root?: string;
  /** All settings, for `config.json`. */
  config: Readonly<Record<string, unknown>>;
}

/** A checkpoint on disk. */
export interface Checkpoint {
  /** Steps done when it was saved. */
  step: number;
  /** Its folder. */
  path: string;
}

/** Files of a checkpoint: name and content. */
export type CheckpointFiles = Readonly<Record<string, string | Uint8Array>>;

/** Number of numbered checkpoints that are kept. */
const KEPT = 2;

/** A run folder that is open for writing. */
export class RunFolder {
  /** Where it is. */
  readonly path: string;
  #metrics: Deno.FsFile | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Starts a new run.
   *
   * @param options Where, and with which settings.
   * @returns The folder, with `config.json` in it.
   * @throws {UsageError} If the folder already holds a run.
   */
  static async create(options: RunOptions): Promise<RunFolder> {
    const { out = "", name, root = "runs", config } = options;
    if (out !== "" && await exists(join(out, "config.json"))) {
      throw new UsageError(
        `--out: ${out} already holds a run (use --resume ${out} to go on with it)`,
      );
    }
    const folder = new RunFolder(out === "" ? await nextFree(root, name) : out);
    await folder.write("config.json", JSON.stringify(config, null, 2) + "\n");
    return folder;
  }

  /**
   * Opens the folder of a run to go on from one of its checkpoints. Metrics written after that
   * checkpoint are dropped, since they will be written again.
   *
   * @param checkpoint From {@linkcode findCheckpoint}.
   * @returns The folder.
   */
  static async resume(checkpoint: Checkpoint): Promise<RunFolder> {
    const folder = new RunFolder(runOf(checkpoint));
    const kept = (await folder.metrics()).filter(({ step }) => step <= checkpoint.step);
    const lines = kept.map((metrics) => JSON.stringify(metrics) + "\n");
    await folder.write("metrics.jsonl", lines.join(""));
    return folder;
  }

  /** Path of a file in the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /**
   * Writes a file, complete or not at all.
   *
   * @param name Name inside the folder.
   * @param content Text or bytes.
   * @returns Its path.
   */
  async write(name: string, content: string | Uint8Array): Promise<string> {
    await writeWhole(this.file(name), content);
    return this.file(name);
  }

  /**
   * Appends a line to `metrics.jsonl`; it is in the file when this returns.
   *
   * @param metrics The step and what was measured.
   */
  log(metrics: Metrics): void {
    this.#metrics ??= Deno.openSync(this.file("metrics.jsonl"), { append: true, create: true });
    let bytes = new TextEncoder().encode(JSON.stringify(metrics, plainNumber) + "\n");
    while (bytes.length > 0) bytes = bytes.subarray(this.#metrics.writeSync(bytes));
  }

  /**
   * Reads `metrics.jsonl`. A last line that a crash cut short is left out.
   *
   * @returns All lines, oldest first.
   */
  async metrics(): Promise<Metrics[]> {
    if (!await exists(this.file("metrics.jsonl"))) return [];
    return parseMetrics(await Deno.readTextFile(this.file("metrics.jsonl")));
  }

  /**
   * Saves a checkpoint: all files are written beside its place, then it appears under its name.
   * Of the numbered ones the newest two are kept.
   *
   * @param step Steps done.
   * @param files Names and contents.
   * @returns Where it is.
   */
  async save(step: number, files: CheckpointFiles): Promise<Checkpoint> {
    const path = await this.#put(`step-${String(step).padStart(6, "0")}`, step, files);
    const numbered = await this.checkpoints();
    for (const old of numbered.slice(0, -KEPT)) await removeIfThere(old.path);
    return { step, path };
  }

  /**
   * Saves the best checkpoint so far in place of the one before.
   *
   * @param step Steps done.
   * @param files Names and contents.
   * @returns Where it is.
   */
  async saveBest(step: number, files: CheckpointFiles): Promise<Checkpoint> {
    return { step, path: await this.#put("best", step, files) };
  }

  /** The numbered checkpoints that are kept, oldest first. */
  checkpoints(): Promise<Checkpoint[]> {
    return listCheckpoints(this.path);
  }

  /** Closes `metrics.jsonl`. */
  close(): void {
    this.#metrics?.close();
    this.#metrics = undefined;
  }

  /** Same as {@linkcode RunFolder.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #put(name: string, step: number, files: CheckpointFiles): Promise<string> {
    const place = join(this.path, "checkpoints", name);
    const beside = `${place}.part`;
    await removeIfThere(beside);
    for (const [file, content] of Object.entries(files)) {
      await writeWhole(join(beside, file), content);
    }
    await writeWhole(join(beside, "step.json"), JSON.stringify({ step }) + "\n");
    const before = `${place}.old`;
    await removeIfThere(before);
    if (await exists(place)) await Deno.rename(place, before);
    await Deno.rename(beside, place);
    await removeIfThere(before);
    return place;
  }
}

/**
 * Finds what `--resume` names.
 *
 * @param given A run folder, a checkpoint folder, or `last` for the newest run of a script.
 * @param options Where numbered runs are, and how they are named.
 * @returns The checkpoint to go on from; of a run, its newest.
 * @throws {UsageError} If there is none.
 */
export async function findCheckpoint(
  given: string,
  options: { name: string; root?: string },
): Promise<Checkpoint> {
  const { name, root = "runs" } = options;
  const path = given === "last" ? (await numberedRuns(root, name)).at(-1)?.path : given;
  if (path === undefined) throw new UsageError(`--resume: no run of ${name} under ${root}`);
  if (await exists(join(path, "step.json"))) {
    const { step } = await readJson<Checkpoint>(join(path, "step.json"));
    return { step, path };
  }
  const newest = (await listCheckpoints(path)).at(-1);
  if (newest === undefined) throw new UsageError(`--resume: no checkpoint in ${path}`);
  return newest;
}

/**
 * Reads the settings of the run that a checkpoint belongs to.
 *
 * @param checkpoint From {@linkcode findCheckpoint}.
 * @returns The content of its `config.json`.
 */
export async function savedConfig(checkpoint: Checkpoint): Promise<Record<string, unknown>> {
  return await readJson(join(runOf(checkpoint), "config.json"));
}

/**
 * Reads the text of a `metrics.jsonl`.
 *
 * @param text Lines of JSON.
 * @returns One object per complete line.
 */
export function parseMetrics(text: string): Metrics[] {
  const complete = text.slice(0, text.lastIndexOf("\n") + 1);
  return complete.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

function runOf(checkpoint: Checkpoint): string {
  return dirname(dirname(checkpoint.path));
}

async function listCheckpoints(run: string): Promise<Checkpoint[]> {
  const found = await numbered(join(run, "checkpoints"), /^step-(\d+)$/);
  return found.map(({ number, path }) => ({ step: number, path }));
}

function numberedRuns(root: string, name: string): Promise<{ number: number; path: string }[]> {
  return numbered(root, new RegExp(`^${name}-(\\d+)$`));
}

async function numbered(
  folder: string,
  pattern: RegExp,
): Promise<{ number: number; path: string }[]> {
  if (!await exists(folder)) return [];
  const found: { number: number; path: string }[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const match = entry.name.match(pattern);
    if (match !== null) found.push({ number: Number(match[1]), path: join(folder, entry.name) });
  }
  return found.sort((a, b) => a.number - b.number);
}

/** Makes the next free folder; two runs that start together get one each. */
async function nextFree(root: string, name: string): Promise<string> {
  await Deno.mkdir(root, { recursive: true });
  const last = (await numberedRuns(root, name)).at(-1)?.number ?? 0;
  for (let number = last + 1;; number++) {
    const path = join(root, `${name}-${String(number).padStart(3, "0")}`);
    try {
      await Deno.mkdir(path);
      return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** JSON has no NaN and no infinity; a diverged loss must not read as missing. */
function plainNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
