/**
 * What stands around the training steps of a run: its folder, the count of steps, lines of progress,
 * Ctrl-C. The loop itself stays in the script.
 *
 * @module
 */
import { type DeviceName, noGrad, type Tensor } from "@tensaurus/core";
import type { Module } from "@tensaurus/core/nn";
import { curvesSvg, type Panel } from "./curves.ts";
import { printStart } from "./device.ts";
import { Interrupt } from "./interrupt.ts";
import { type Column, Progress, type StepValues } from "./progress.ts";
import { type Checkpoint, type CheckpointFiles, RunFolder } from "./run_folder.ts";
import type { Settings } from "./settings.ts";
import { loadCheckpoint, type Stateful } from "./state.ts";

/** What a run reads of the settings; all of them are printed and saved. */
export interface RunSettings {
  /** Folder given by the user; empty for the next free one. */
  readonly out: string;
  /** Steps between two lines. */
  readonly logEvery: number;
  /** Whether one batch is taken again and again. */
  readonly overfitBatch: boolean;
  /** Whether one step of everything is tried. */
  readonly dryRun: boolean;
}

/** Options of {@linkcode TrainingRun.open}. */
export interface TrainingRunOptions {
  /** The script, such as `models/gpt.ts`. */
  script: string;
  /** Start of the name of a numbered folder. */
  name: string;
  /** Settings of the run. */
  settings: Settings & RunSettings;
  /** Where to go on from; the weights are the script's to load. */
  checkpoint: Checkpoint | undefined;
  /** Device of the run. */
  device: DeviceName;
  /** What is trained. */
  model: Module;
  /** Steps in all. */
  total: number;
  /** What one step handles, for the rate. */
  perStep: number;
  /** Unit of `perStep`. */
  unit: string;
  /** Quantities of a line, in order. */
  columns: readonly Column[];
  /** What helps where the loss is NaN. @default {"try a smaller --lr"} */
  remedy?: string;
}

/** A loss that is no number any more; the message says what may help. */
export class DivergenceError extends Error {
  override name = "DivergenceError";
}

/**
 * A run as its loop sees it.
 *
 * @example The shape of a loop
 * ```ts ignore
 * using run = await TrainingRun.open(options);
 * for await (const batch of loader) {
 *   trainStep(run.batch(batch));
 *   await run.stepped(sums);
 *   if (run.due(settings.logEvery)) run.log({ loss: (await run.means(sums))[0] });
 *   else run.show();
 *   if (run.over) break;
 * }
 * run.finish();
 * ```
 */
export class TrainingRun {
  /** Its folder. */
  readonly folder: RunFolder;
  /** Lowest validation loss so far; a script that goes on with a run sets it. */
  best = Infinity;
  /** Newest validation loss. */
  val: number | undefined;
  readonly #options: TrainingRunOptions;
  readonly #interrupt = new Interrupt();
  #progress: Progress;
  readonly #first: number;
  readonly #began = performance.now();
  #step: number;
  #logged: number;
  #over: boolean;
  #fixed: unknown;

  private constructor(options: TrainingRunOptions, folder: RunFolder) {
    this.#options = options;
    this.folder = folder;
    this.#step = this.#logged = this.#first = options.checkpoint?.step ?? 0;
    this.#over = this.#step >= options.total;
    this.#progress = this.#progressTo(options.total);
  }

  /**
   * Makes the folder of a new run, or opens that of a checkpoint, and prints what begins.
   *
   * @param options What is trained, with which settings.
   * @returns The run, at its first step.
   */
  static async open(options: TrainingRunOptions): Promise<TrainingRun> {
    const { name, settings, checkpoint, device, model, perStep, unit } = options;
    const folder = checkpoint
      ? await RunFolder.resume(checkpoint)
      : await RunFolder.create({ out: settings.out, name, config: settings });
    const trained = model.parameters().filter((p) => p.requiresGrad);
    printStart({
      device,
      parameters: trained.reduce((count, p) => count + p.numel, 0),
      perStep: `${perStep} ${unit}`,
      folder: folder.path,
    }, settings);
    return new TrainingRun(options, folder);
  }

  #progressTo(total: number, label?: string): Progress {
    const { perStep, unit, columns, settings } = this.#options;
    const counted = { total, start: this.#step, perStep, unit, columns };
    const { logEvery } = settings;
    return new Progress({ ...counted, logEvery, ...label === undefined ? {} : { label } });
  }

  /**
   * Begins a part of the run with lines of its own, such as an epoch.
   *
   * @param label Stands before the counter.
   * @param total Steps at its end, from the beginning of the run.
   */
  part(label: string, total: number): void {
    this.#progress.stop();
    this.#progress = this.#progressTo(total, label);
  }

  /** Milliseconds per step of this part. */
  get stepTime(): number {
    return this.#progress.stepTime;
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /** Whether the last step is done. A Ctrl-C counts from the end of a step, for all that is due then. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether something that is done every so many steps is done now; at the end all of it is, once. */
  due(every: number): boolean {
    return this.#over || every > 0 && this.#step % every === 0;
  }

  /** A batch as it came, or under `--overfit-batch` the first one again. */
  batch<B>(given: B): B {
    if (!this.#options.settings.overfitBatch) return given;
    return (this.#fixed ??= given) as B;
  }

  /**
   * Counts a step. After the first it waits for the device and tells how long compiling took.
   *
   * @param sums Anything that the step wrote.
   */
  async stepped(sums: Tensor): Promise<void> {
    this.#step++;
    this.#over = this.#step >= this.#options.total || this.#interrupt.requested;
    if (this.#step !== this.#first + 1) return;
    await sums.data();
    const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(2);
    this.note(
      `first step  ${seconds(this.#began)} s with compiling, ${seconds(0)} s since the start`,
    );
  }

  /**
   * Reads sums that the steps since the last line added to on the device, and starts them again.
   *
   * @param sums One number per quantity.
   * @returns Means over the steps.
   */
  async means(sums: Tensor): Promise<number[]> {
    const values = Array.from(await sums.data(), (sum) => sum / (this.#step - this.#logged));
    noGrad(() => sums.zero_());
    return values;
  }

  /**
   * Writes a line, and what was measured to `metrics.jsonl`.
   *
   * @param values What was measured since the last line.
   * @param shown What stands on the line alone.
   * @throws {DivergenceError} If the loss is NaN.
   */
  log(values: StepValues & Readonly<Record<string, number>>, shown: StepValues = {}): void {
    if (Number.isNaN(values.loss)) {
      const { remedy = "try a smaller --lr" } = this.#options;
      throw new DivergenceError(`the loss is NaN at step ${this.#step} (${remedy})`);
    }
    this.folder.log({ step: this.#step, ...values });
    this.#progress.update(this.#step, { ...values, ...shown });
    this.#logged = this.#step;
  }

  /**
   * Writes a validation loss to `metrics.jsonl`, and a checkpoint where it is the best so far.
   *
   * @param val The loss.
   * @param files Makes the files of the checkpoint, after `best` is known.
   */
  async validated(val: number, files: () => Promise<CheckpointFiles>): Promise<void> {
    this.val = val;
    this.folder.log({ step: this.#step, val });
    if (val >= this.best) return;
    this.best = val;
    await this.folder.saveBest(this.#step, await files());
  }

  /**
   * Writes a checkpoint; a trial reads it again, to see that it can be.
   *
   * @param files Makes its files.
   * @param state What the trial puts it back into.
   */
  async save(
    files: () => Promise<CheckpointFiles>,
    state: Pick<Stateful, "model" | "optimizer">,
  ): Promise<void> {
    const { path } = await this.folder.save(this.#step, await files());
    if (this.#options.settings.dryRun) await loadCheckpoint(path, state);
  }

  /** Moves the bar, where there is one. */
  show(): void {
    this.#progress.update(this.#step);
  }

  /** Writes a line of text without disturbing the bar. */
  note(text: string): void {
    this.#progress.note(text);
  }

  /** Takes the bar away; what follows is printed as it is. */
  stop(): void {
    this.#progress.stop();
  }

  /**
   * Puts weights and curves into the folder of the run, where people look first.
   *
   * @param checkpoint Folder that has the weights; by default the newest checkpoint.
   * @param panels What is drawn of the measurements.
   */
  async publish(checkpoint?: string, panels?: Panel[]): Promise<void> {
    const source = checkpoint ?? (await this.folder.checkpoints()).at(-1)!.path;
    const weights = await Deno.readFile(`${source}/model.safetensors`);
    await this.folder.write("model.safetensors", weights);
    await this.folder.write("curves.svg", curvesSvg(await this.folder.metrics(), panels));
  }

  /** Says where the run is, and how to go on where Ctrl-C ended it. */
  finish(): void {
    this.stop();
    this.folder.close();
    console.log(`run folder  ${this.folder.path}`);
    if (!this.#interrupt.requested) return;
    const { script } = this.#options;
    console.log(`go on with  deno run -A ${script} --resume ${this.folder.path}`);
  }

  /** Stops listening to Ctrl-C. */
  [Symbol.dispose](): void {
    this.#interrupt[Symbol.dispose]();
    this.folder.close();
  }
}
