/**
 * Progress of a training run: a bar on a terminal, plain lines with fixed columns elsewhere.
 *
 * ```text
 * step  250/5000  loss 1.532  val 1.611  lr 9.8e-4  norm 0.8   12.3 ms  1.33 M tok/s
 * [█████▌                  ]  23 %  loss 0.412  acc 87.9 %  2310 images/s  ETA 0:41
 * ```
 *
 * @module
 */
import { clock, scientific, shortTime, withPrefix } from "./numbers.ts";

/** A quantity shown on every line. */
export type Column = "loss" | "val" | "acc" | "lr" | "norm";

/** Where lines go; `console` and a terminal by default. */
export interface Output {
  /** Writes text as it is, without a newline. */
  write(text: string): void;
  /** Whether a line can be drawn over, and how wide it is. */
  terminal: boolean;
  /** Characters in a line. */
  width: number;
}

/** Options of {@linkcode Progress}. */
export interface ProgressOptions {
  /** Steps in all. */
  total: number;
  /** Steps done before, when a run is resumed. @default {0} */
  start?: number;
  /** What one step handles, for the rate: 64 images, 16,384 tokens. @default {1} */
  perStep?: number;
  /** Unit of `perStep`. @default {"steps"} */
  unit?: string;
  /** Quantities of the line, in order. @default {["loss"]} */
  columns?: readonly Column[];
  /** Stands before the counter: `step`, `epoch 2`. @default {"step"} */
  label?: string;
  /** Steps between two lines where there is no terminal; 0 for none. @default {0} */
  logEvery?: number;
  /** Where lines go. */
  output?: Output;
  /** Milliseconds since some moment. */
  now?: () => number;
}

/** Values of the columns that are known at a step. */
export type StepValues = { [K in Column]?: number | undefined };

/** Milliseconds between two drawings of the bar: 10 a second read as movement. */
const REDRAW_MS = 100;

/** Milliseconds between two turns of the event loop in {@linkcode Progress.over}. */
const TURN_MS = 4;

const FORMAT: { readonly [K in Column]: (value: number) => string } = {
  loss: (value) => value.toFixed(3).padStart(5),
  val: (value) => value.toFixed(3).padStart(5),
  acc: (value) => `${(100 * value).toFixed(1).padStart(5)} %`,
  lr: scientific,
  norm: (value) => value.toFixed(1).padStart(4),
};

const BLANK: { readonly [K in Column]: string } = {
  loss: "    –",
  val: "    –",
  acc: "    –  ",
  lr: "     –",
  norm: "   –",
};

/**
 * Shows how far a run is.
 *
 * @example Plain lines, as in a log file
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const output = { write: (text: string) => lines.push(text), terminal: false, width: 80 };
 * let time = 0;
 * const now = () => time;
 * const columns = ["loss", "lr"] as const;
 * const shown = new Progress({ total: 100, perStep: 64, unit: "images", logEvery: 10, columns, output, now });
 * for (let step = 1; step <= 10; step++) {
 *   time += 20;
 *   shown.update(step, { loss: 1.5, lr: 1e-3 });
 * }
 * assertEquals(lines, ["step  10/100  loss 1.500  lr 1.0e-3  20.0 ms  3200 images/s\n"]);
 * ```
 */
export class Progress {
  readonly #options: Required<ProgressOptions>;
  readonly #began: number;
  #step: number;
  #values: StepValues = {};
  #changed = false;
  #loggedStep: number;
  #loggedAt: number;
  #drawnAt = -Infinity;
  #drawn = false;

  /**
   * @param options What is counted, and where it is shown.
   */
  constructor(options: ProgressOptions) {
    this.#options = {
      start: 0,
      perStep: 1,
      unit: "steps",
      columns: ["loss"],
      label: "step",
      logEvery: 0,
      output: standardOutput(),
      now: () => performance.now(),
      ...options,
    };
    this.#step = this.#loggedStep = this.#options.start;
    this.#began = this.#loggedAt = this.#options.now();
  }

  /** Milliseconds per step since this run began. */
  get stepTime(): number {
    return (this.#options.now() - this.#began) / (this.#step - this.#options.start);
  }

  /**
   * Tells that a step is done. Cheap enough for every step: it draws ten times a second at most.
   *
   * @param step Steps done so far.
   * @param values What is known now; columns left out keep what they showed.
   */
  update(step: number, values: StepValues = {}): void {
    this.#step = step;
    this.#changed = true;
    Object.assign(this.#values, values);
    const { output, logEvery, total, now } = this.#options;
    if (output.terminal) {
      if (step < total && now() - this.#drawnAt < REDRAW_MS) return;
      this.#drawnAt = now();
      output.write(`\r\x1b[K${this.bar().slice(0, output.width - 1)}`);
      this.#drawn = true;
    } else if (logEvery > 0 && (step % logEvery === 0 || step === total)) {
      this.log();
    }
  }

  /**
   * Writes the line with fixed columns; on a terminal it stays above the bar. Nothing is written
   * twice.
   */
  log(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.note(this.line());
    this.#loggedStep = this.#step;
    this.#loggedAt = this.#options.now();
    this.#values = { ...this.#values, val: undefined };
  }

  /**
   * Writes a line of text without disturbing the bar.
   *
   * @param text The line.
   */
  note(text: string): void {
    const { output } = this.#options;
    output.write(this.#drawn ? `\r\x1b[K${text}\n` : `${text}\n`);
    this.#drawnAt = -Infinity;
    if (this.#drawn) this.#redraw();
  }

  /** Takes the bar away; what was noted stays. */
  stop(): void {
    if (this.#drawn) this.#options.output.write("\r\x1b[K");
    this.#drawn = false;
  }

  /** The line with fixed columns, with time and rate since the line before. */
  line(): string {
    const { total, columns, label, unit, perStep, now } = this.#options;
    const counter = `${String(this.#step).padStart(String(total).length)}/${total}`;
    const cells = columns.map((name) => `${name} ${this.#cell(name)}`);
    const steps = this.#step - this.#loggedStep;
    const time = (now() - this.#loggedAt) / steps;
    const rate = withPrefix(1000 * perStep / time);
    cells.push(shortTime(steps > 0 ? time : NaN).padStart(7));
    cells.push(`${steps > 0 ? rate : "–"} ${unit}/s`);
    return [`${label} ${counter}`, ...cells].join("  ");
  }

  /** The bar with loss, accuracy, rate and the time that is left. */
  bar(): string {
    const { total, start, columns, label, unit, perStep, output } = this.#options;
    const done = total > 0 ? this.#step / total : 1;
    const time = this.stepTime;
    const left = this.#step > start ? time * (total - this.#step) / 1000 : NaN;
    const cells = columns.filter((name) => this.#values[name] !== undefined)
      .map((name) => `${name} ${this.#cell(name).trim()}`);
    const percent = `${String(Math.floor(100 * done)).padStart(3)} %`;
    const rate = `${withPrefix(1000 * perStep / time)} ${unit}/s`;
    const text = [percent, ...cells, rate, `ETA ${clock(left)}`].join("  ");
    const room = output.width - text.length - label.length - 6;
    return `${label} [${drawBar(done, Math.max(8, Math.min(30, room)))}] ${text}`;
  }

  /**
   * Walks over items, counts them and lets the event loop turn every few milliseconds, which is
   * what frees tensors that nobody holds any more.
   *
   * @param items What to walk over.
   * @returns The same items.
   */
  async *over<T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
    let turned = performance.now();
    for await (const item of items) {
      yield item;
      this.update(this.#step + 1);
      if (performance.now() - turned < TURN_MS) continue;
      await turn();
      turned = performance.now();
    }
  }

  #cell(name: Column): string {
    const value = this.#values[name];
    return value === undefined ? BLANK[name] : FORMAT[name](value);
  }

  #redraw(): void {
    this.#options.output.write(this.bar().slice(0, this.#options.output.width - 1));
  }
}

/** Standard output, as a terminal where it is one. */
export function standardOutput(): Output {
  const encoder = new TextEncoder();
  const terminal = Deno.stdout.isTerminal();
  return {
    terminal,
    width: terminal ? Deno.consoleSize().columns : 80,
    write(text: string): void {
      let bytes = encoder.encode(text);
      while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    },
  };
}

/** A bar of the given width, filled to an eighth of a character. */
export function drawBar(fraction: number, width: number): string {
  const eighths = Math.round(Math.max(0, Math.min(1, fraction)) * width * 8);
  const full = "█".repeat(Math.floor(eighths / 8));
  const rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
  return (full + rest).padEnd(width);
}

/** One turn of the event loop, without the delay that a timer has. */
function turn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = (): void => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
