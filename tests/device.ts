/** The device that device-independent tests run on: `TENSAURUS_TEST_DEVICE`, else the CPU. */
import { setDevice } from "@tensaurus/core";

/** Name from the environment. */
export function testDeviceName(): string {
  return Deno.env.get("TENSAURUS_TEST_DEVICE") ?? "cpu";
}

/**
 * Opens the device once and makes it the default.
 *
 * @returns Whether it is there; tests are ignored, visibly, where it is not.
 */
export async function openTestDevice(): Promise<boolean> {
  const name = testDeviceName();
  try {
    if (name === "gpu") await setDevice("webgpu", { adapter: "hardware" });
    else await setDevice(name as "cpu" | "webgpu" | "reference");
    return true;
  } catch (error) {
    if (name === "cpu" || name === "reference") throw error;
    return false;
  }
}
