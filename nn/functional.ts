/**
 * The functions behind the layers, under the name that users of PyTorch look for.
 *
 * @module
 */
export * from "../ops/mod.ts";
