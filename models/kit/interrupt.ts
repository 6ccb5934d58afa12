/**
 * Ctrl-C in a training loop.
 *
 * @module
 */

/** Exit status of a process that Ctrl-C ended, as shells have it. */
const INTERRUPTED = 130;

/** Options of {@linkcode Interrupt}. */
export interface InterruptOptions {
  /** Tells the user what happens. */
  note?: (text: string) => void;
  /** Ends the process. */
  exit?: (status: number) => void;
}

/**
 * Listens to Ctrl-C: the first asks the loop to stop after its step, the second ends the process.
 *
 * @example A loop that can be stopped
 * ```ts
 * using interrupt = new Interrupt();
 * for (let step = 0; step < 3 && !interrupt.requested; step++) {
 *   // one step; after the loop: evaluate, save, say how to resume
 * }
 * ```
 */
export class Interrupt {
  readonly #note: (text: string) => void;
  readonly #exit: (status: number) => void;
  readonly #listener: () => void;
  #requested = false;

  /**
   * @param options Where to tell, and how to end; for tests.
   */
  constructor(options: InterruptOptions = {}) {
    this.#note = options.note ?? ((text) => console.error(text));
    this.#exit = options.exit ?? ((status) => Deno.exit(status));
    this.#listener = () => this.press();
    Deno.addSignalListener("SIGINT", this.#listener);
  }

  /** Whether the loop should stop after its step. */
  get requested(): boolean {
    return this.#requested;
  }

  /** What Ctrl-C does. */
  press(): void {
    if (this.#requested) {
      this.#exit(INTERRUPTED);
      return;
    }
    this.#requested = true;
    this.#note("\nstopping after this step (Ctrl-C again ends at once, without saving)");
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#listener);
  }
}
