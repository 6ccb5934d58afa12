/**
 * The float64 reference device.
 *
 * @module
 */
export { createReferenceBackend } from "./reference.ts";
