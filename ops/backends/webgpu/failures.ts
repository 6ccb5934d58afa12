/** Device errors: WebGPU reports them late and never throws, so they are kept for the next wait. */

/** Collects what went wrong on a device until somebody waits for it. */
export class Failures {
  #first: Error | undefined;
  #lost: Error | undefined;

  /** Notes an error; the first one since the last wait is kept. */
  record(error: Error): void {
    this.#first ??= error;
  }

  /** Notes that the device is gone for good. */
  lose(error: Error): void {
    this.#lost ??= error;
  }

  /** Throws the loss of the device, or the first error since the last call, which is then forgotten. */
  check(): void {
    const error = this.#lost ?? this.#first;
    this.#first = undefined;
    if (error) throw error;
  }
}
