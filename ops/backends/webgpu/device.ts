/** Opens a device: which adapter, with which features and limits, and who hears of its errors. */
import { Failures } from "./failures.ts";
import type { DeviceFacts } from "./step.ts";

/** Which adapters are wanted. A software adapter computes on the processor, slowly. */
export type AdapterChoice = "hardware" | "software" | "any";

/** A device ready for work. */
export interface OpenedDevice {
  readonly device: GPUDevice;
  /** Name of the adapter. */
  readonly name: string;
  /** Whether it computes on the processor. */
  readonly software: boolean;
  readonly facts: DeviceFacts;
  readonly failures: Failures;
  /** Whether kernels can be timed. */
  readonly timestamps: boolean;
}

/** Names under which adapters that compute on the processor are known. */
const SOFTWARE = /llvmpipe|lavapipe|softpipe|swiftshader|subzero|microsoft basic render|\bwarp\b/i;

/**
 * Feature sets to ask for, from most to least. `adapter.features` does not tell all that a device
 * may have, so each set is tried on a fresh adapter.
 */
const FEATURE_SETS: readonly (readonly GPUFeatureName[])[] = [
  ["shader-f16", "timestamp-query"],
  ["shader-f16"],
  ["timestamp-query"],
  [],
];

/** Limits whose defaults are far below what adapters have. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
] as const;

/** Name of an adapter for people. */
export function adapterName(info: GPUAdapterInfo): string {
  const parts = [info.description, info.device, info.architecture, info.vendor];
  return parts.find((part) => part !== "" && !/^\d+$/.test(part)) ?? "unnamed adapter";
}

/** Whether an adapter computes on the processor. */
export function isSoftwareAdapter(adapter: GPUAdapter): boolean {
  const { info } = adapter;
  if (info.isFallbackAdapter === true) return true;
  return SOFTWARE.test(
    [info.description, info.device, info.architecture, info.vendor].join(" "),
  );
}

async function findAdapter(choice: AdapterChoice): Promise<GPUAdapter | undefined> {
  const gpu: GPU | undefined = globalThis.navigator?.gpu;
  if (!gpu) return undefined;
  const tries: GPURequestAdapterOptions[] = choice === "software"
    ? [{ forceFallbackAdapter: true }, {}]
    : [{ powerPreference: "high-performance" }, {}];
  for (const options of tries) {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) continue;
    if (choice === "any" || isSoftwareAdapter(adapter) === (choice === "software")) return adapter;
  }
  return undefined;
}

/**
 * Opens a device on an adapter of the kind asked for.
 *
 * @param choice Which adapters will do.
 * @returns The device, or `undefined` where there is no such adapter.
 */
export async function openDevice(choice: AdapterChoice): Promise<OpenedDevice | undefined> {
  for (const features of FEATURE_SETS) {
    const adapter = await findAdapter(choice);
    if (!adapter) return undefined;
    const requiredLimits: Record<string, number> = {};
    for (const limit of LIMITS) requiredLimits[limit] = adapter.limits[limit];
    try {
      const requiredFeatures = [...features];
      return opened(adapter, await adapter.requestDevice({ requiredFeatures, requiredLimits }));
    } catch {
      // The next set asks for less.
    }
  }
  return undefined;
}

function opened(adapter: GPUAdapter, device: GPUDevice): OpenedDevice {
  const failures = new Failures();
  device.addEventListener("uncapturederror", (event) => {
    const { error } = event as GPUUncapturedErrorEvent;
    event.preventDefault();
    failures.record(new Error(`webgpu: ${error.message}`));
  });
  device.lost.then(({ reason, message }) => {
    failures.lose(new Error(`webgpu: the device was lost: ${message || reason}`));
  });
  const { limits, features } = device;
  return {
    device,
    name: adapterName(adapter.info),
    software: isSoftwareAdapter(adapter),
    failures,
    timestamps: features.has("timestamp-query"),
    facts: {
      software: isSoftwareAdapter(adapter),
      half: features.has("shader-f16"),
      workgroupSize: Math.min(
        limits.maxComputeInvocationsPerWorkgroup,
        limits.maxComputeWorkgroupSizeX,
      ),
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
      storageBuffers: limits.maxStorageBuffersPerShaderStage,
    },
  };
}
