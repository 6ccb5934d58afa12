/**
 * The WebGPU backend.
 *
 * @module
 */
export { createWebgpuBackend, WebgpuBackend, type WebgpuOptions } from "./backend.ts";
export { type AdapterChoice } from "./device.ts";
export { type CompileStatistics } from "./pipelines.ts";
