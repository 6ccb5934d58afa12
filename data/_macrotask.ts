// Turns of the event loop. Dead tensors are noticed only between macrotasks, so long loops must
// give them; a MessageChannel turn takes microseconds where a timer takes a millisecond or more.

/** Longest run without a turn, in milliseconds. */
const TURN_EVERY = 4;

/** Resolves in the next macrotask. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Gives a turn where the last one is some milliseconds ago. */
export class TurnKeeper {
  #last = performance.now();

  /** Resolves at once, or after a macrotask. */
  async turn(): Promise<void> {
    if (performance.now() - this.#last < TURN_EVERY) return;
    await macrotask();
    this.#last = performance.now();
  }
}
