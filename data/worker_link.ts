// The only file of this folder that knows how a worker thread is started and spoken to: web
// workers in Deno and in browsers, `node:worker_threads` in Node.

const NODE_WORKERS = "node:worker_threads";

/** Sends to the other side; `transfer` lists buffers that move instead of being copied. */
export type Send = (message: unknown, transfer: readonly ArrayBuffer[]) => void;

/** A running worker. */
export interface WorkerLink {
  /** Sends a message to the worker. */
  send: Send;
  /** Stops the worker. */
  stop(): void;
}

interface NodePort {
  postMessage: Send;
  on(event: string, listener: (value: unknown) => void): void;
}

interface NodeWorkers {
  Worker: new (url: URL) => NodePort & { terminate(): Promise<unknown> };
  parentPort: NodePort | null;
}

/**
 * Starts a module as a worker.
 *
 * @param module URL of the module.
 * @param onMessage Gets each message of the worker.
 * @param onFailure Gets the reason where the module fails to load or throws.
 * @returns The running worker.
 */
export async function startWorker(
  module: string | URL,
  onMessage: (message: unknown) => void,
  onFailure: (reason: string) => void,
): Promise<WorkerLink> {
  if (typeof Worker === "function") {
    const worker = new Worker(new URL(module), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<unknown>) => onMessage(data);
    worker.onerror = (event: ErrorEvent) => {
      event.preventDefault();
      onFailure(event.message);
    };
    return {
      send: (message, transfer) => worker.postMessage(message, [...transfer]),
      stop: () => worker.terminate(),
    };
  }
  const name = NODE_WORKERS;
  const { Worker: NodeWorker } = await import(name) as NodeWorkers;
  const worker = new NodeWorker(new URL(module));
  worker.on("message", onMessage);
  worker.on("error", (error) => onFailure(error instanceof Error ? error.message : String(error)));
  return {
    send: (message, transfer) => worker.postMessage(message, [...transfer]),
    stop: () => void worker.terminate(),
  };
}

interface WorkerScope {
  postMessage: (message: unknown, transfer: ArrayBuffer[]) => void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
}

/**
 * Listens to the main thread, from inside a worker.
 *
 * @param onMessage Gets each message and answers through `send`.
 * @returns False where this is no worker.
 */
export async function listenInWorker(
  onMessage: (message: unknown, send: Send) => void,
): Promise<boolean> {
  if ("WorkerGlobalScope" in globalThis) {
    const scope = globalThis as unknown as WorkerScope;
    const send: Send = (message, transfer) => scope.postMessage(message, [...transfer]);
    scope.addEventListener("message", ({ data }) => onMessage(data, send));
    return true;
  }
  if (!("process" in globalThis)) return false;
  const name = NODE_WORKERS;
  const { parentPort } = await import(name) as NodeWorkers;
  if (parentPort === null) return false;
  const send: Send = (message, transfer) => parentPort.postMessage(message, [...transfer]);
  parentPort.on("message", (data) => onMessage(data, send));
  return true;
}
