/** Device errors: WebGPU reports them late and never throws, so they are kept for the next wait. */

/** Collects what went wrong on a device until somebody waits for it. */
export class Failures {
  #cause: Error | undefined;
  #first: Error | undefined;
  #lost: Error | undefined;

  /** Notes an error; the first one since the last wait is kept. */
  record(error: Error): void {
    this.#first ??= error;
  }

  /** Notes an error that explains others, perhaps noted before: a kernel that does not compile. */
  recordCause(error: Error): void {
    this.#cause ??= error;
  }

  /** Notes that the device is gone for good. */
  lose(error: Error): void {
    this.#lost ??= error;
  }

  /** Whether there is something to throw. */
  get any(): boolean {
    return (this.#lost ?? this.#cause ?? this.#first) !== undefined;
  }

  /** Throws the loss of the device, or the first error since the last call, which is then forgotten. */
  check(): void {
    const error = this.#lost ?? this.#cause ?? this.#first;
    this.#first = undefined;
    this.#cause = undefined;
    if (error) throw error;
  }
}
