/**
 * Opening the device of a script, and what a run prints first.
 *
 * @module
 */
import { describeDevice, type DeviceName, setDevice } from "@tensaurus/core";
import type { Settings } from "./settings.ts";
import { isPaired, pairVectors } from "./paired.ts";
import { showValue } from "./settings.ts";

/** What {@linkcode openDevice} reads of the settings. */
export interface DeviceSettings {
  /** `auto`, `webgpu` or `cpu`. */
  readonly device: string;
  /** Whether vectors may be paired on the CPU. */
  readonly paired: boolean;
}

/**
 * Chooses the device named by `--device`. The process may start again first, with paired vectors:
 * nothing should be written or printed before.
 *
 * @param settings Settings of the script.
 * @returns The device, open and the default for new tensors.
 */
export async function openDevice(settings: DeviceSettings): Promise<DeviceName> {
  const { device, paired } = settings;
  if (paired && device !== "webgpu") pairVectors();
  return await setDevice(device as DeviceName | "auto");
}

/** What {@linkcode printStart} prints beside the settings. */
export interface StartFacts {
  /** Device of the run. */
  device: DeviceName;
  /** Number of trained numbers. */
  parameters: number;
  /** What one step handles, such as `64 images`. */
  perStep: string;
  /** Run folder. */
  folder: string;
}

/**
 * Prints device and adapter, parameter count, what one step handles, and all settings.
 *
 * @param facts What is known at the start.
 * @param config Settings of the run.
 */
export function printStart(facts: StartFacts, config: Settings): void {
  const rows: [string, string][] = [
    ["device", `${facts.device}: ${describeDevice(facts.device)}${vectors(facts.device)}`],
    ["parameters", facts.parameters.toLocaleString("en-US")],
    ["per step", facts.perStep],
    ["folder", facts.folder],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(12)}${value}`);
  const settings = Object.entries(config).map(([key, value]) => `${key} ${showValue(value)}`);
  console.log(wrap("settings", settings, 100));
}

function vectors(device: DeviceName): string {
  return device === "cpu" && isPaired() ? ", paired vectors" : "";
}

/** Joins items with commas into lines of a width, the first behind a name. */
function wrap(name: string, items: readonly string[], width: number): string {
  const lines: string[] = [];
  let line = name.padEnd(12);
  for (const [i, item] of items.entries()) {
    const piece = i + 1 < items.length ? `${item}, ` : item;
    if (line.length + piece.length > width) {
      lines.push(line.trimEnd());
      line = " ".repeat(12);
    }
    line += piece;
  }
  return [...lines, line].join("\n");
}
