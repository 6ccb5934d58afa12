/** Which devices there are, and which one new tensors go to. */
import { printKernels } from "./timing.ts";
import type { Backend, DeviceName } from "../backends/backend.ts";
import { createReferenceBackend } from "../backends/reference/mod.ts";
import { createWasmBackend } from "../backends/wasm/backend.ts";
import { createWebgpuBackend } from "../backends/webgpu/mod.ts";

const backends = new Map<DeviceName, Backend>();
let defaultName: DeviceName = "cpu";

/** What `setDevice` accepts: `auto` is a hardware GPU where there is one, else the CPU. */
export type DeviceRequest = DeviceName | "auto";

/** Options of `setDevice`. */
export interface DeviceOptions {
  /** Which WebGPU adapters are accepted. @default "hardware" for auto, "any" for webgpu */
  adapter?: "hardware" | "software" | "any" | undefined;
  /** Threads of the CPU device, before its first use. @default navigator.hardwareConcurrency */
  threads?: number | undefined;
}

async function openWebgpu(adapter: "hardware" | "software" | "any"): Promise<boolean> {
  if (backends.has("webgpu")) return true;
  const backend = await createWebgpuBackend({ adapter });
  if (backend) {
    backends.set("webgpu", backend);
    printKernels(backend);
  }
  return backend !== undefined;
}

/**
 * Chooses the device on which tensors are made from now on. Until it is called that is the CPU,
 * since asking for a GPU takes a promise.
 *
 * @param device Device name, or `auto`.
 * @param options Adapter kind, CPU threads.
 * @returns The device that was chosen.
 * @throws {Error} If the named device is not there.
 */
export async function setDevice(
  device: DeviceRequest,
  options: DeviceOptions = {},
): Promise<DeviceName> {
  if (options.threads !== undefined && !backends.has("cpu")) {
    backends.set("cpu", createWasmBackend({ threads: options.threads }));
  }
  if (device === "auto") {
    defaultName = await openWebgpu(options.adapter ?? "hardware") ? "webgpu" : "cpu";
    return defaultName;
  }
  if (device === "webgpu" && !await openWebgpu(options.adapter ?? "any")) {
    throw new Error(
      "setDevice: no WebGPU adapter was found (install a Vulkan driver; Debian's mesa-vulkan-drivers has a software one)",
    );
  }
  backendNamed(device);
  defaultName = device;
  return device;
}

/** Name of the device on which tensors are made. */
export function getDevice(): DeviceName {
  return defaultName;
}

/** The backend of a device; CPU and reference open on first use. */
export function backendNamed(name: DeviceName): Backend {
  const backend = backends.get(name);
  if (backend) return backend;
  if (name === "webgpu") {
    throw new Error('webgpu: the device is not open yet (await setDevice("webgpu") first)');
  }
  if (name !== "cpu" && name !== "reference") {
    throw new RangeError(`device: "${name}" is not one of cpu, webgpu, reference`);
  }
  const opened: Backend = name === "cpu" ? createWasmBackend() : createReferenceBackend();
  backends.set(name, opened);
  printKernels(opened);
  return opened;
}

/** The backend of the device named, or of the default one. */
export function backendOr(name: DeviceName | undefined): Backend {
  return backendNamed(name ?? defaultName);
}

/** All devices that are open. */
export function openBackends(): readonly Backend[] {
  return [...backends.values()];
}
