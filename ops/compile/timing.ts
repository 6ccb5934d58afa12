/** One line per kernel with its time, for `TENSAURUS_DEBUG` ≥ 1. */
import type { Backend, KernelTiming } from "../backends/backend.ts";
import type { PlanStep } from "../ir/graph.ts";
import { kernelCost } from "../ir/plan_cost.ts";
import { debug, debugLevel } from "./debug.ts";

/** `1.234 ms  12.3 GB/s  45.6 GFLOP/s  contract conv1+relu` */
function line(name: string, milliseconds: number, bytes: number, flops: number): string {
  const rate = (x: number): string => (x / milliseconds / 1e6).toFixed(1).padStart(7);
  return `${milliseconds.toFixed(3).padStart(9)} ms ${rate(bytes)} GB/s ${
    rate(flops)
  } GFLOP/s  ${name}`;
}

/** Lets a device print its kernels as they run, when the level asks for it. */
export function printKernels(backend: Backend): void {
  if (debugLevel() < 1) return;
  debug(1, () => `device ${backend.name}: ${backend.description}`);
  backend.onTiming = ({ label, milliseconds }: KernelTiming) =>
    debug(1, () => `${milliseconds.toFixed(3).padStart(9)} ms  ${label}`);
  if (debugLevel() >= 4) {
    backend.onSource = (label, source) => debug(4, () => `source of ${label}:\n${source}`);
  }
}

/** Runs a plan with lines that name its steps and their rates; timings come in the steps' order. */
export function timedRun(backend: Backend, steps: readonly PlanStep[], run: () => void): void {
  const before = backend.onTiming;
  let next = 0;
  backend.onTiming = ({ label, milliseconds }: KernelTiming) => {
    const step = steps[next++];
    if (!step) return before?.({ label, milliseconds });
    const { readBytes, writeBytes, flops } = kernelCost(step.kernel);
    const name = `${step.kernel.kind} ${step.label}`;
    debug(1, () => line(name, milliseconds, readBytes + writeBytes, flops));
  };
  run();
  // A GPU reports later, so the names stay until the next plan runs.
  if (backend.name !== "webgpu") backend.onTiming = before;
}
