/**
 * The functions behind the layers, as `torch.nn.functional` names them (in camelCase), with all
 * others of the tensor library beside them.
 *
 * @module
 */
export * from "../ops/mod.ts";
export { ctcLoss, type CTCLossOptions, type Lengths } from "./ctc.ts";
