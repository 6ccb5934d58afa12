import type { Sizes } from "../ops/mod.ts";
import { perAxis } from "../ops/spatial.ts";
import { checkCount, checkDivides } from "./_check.ts";
import { fanBound, uniformParameter } from "./_factory.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Options of all convolutions. */
export interface ConvolutionBaseOptions extends FactoryOptions {
  /** Blocks of channels that do not see each other. @default 1 */
  groups?: number | undefined;
  /** Add a learned offset to each channel. @default true */
  bias?: boolean | undefined;
}

/** What the convolutions have in common: the parameters. */
export abstract class ConvolutionBase extends Module {
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Size of the window. */
  readonly kernelSize: readonly number[];
  /** Blocks of channels. */
  readonly groups: number;
  /** Filters. */
  weight: Parameter;
  /** Offset of each channel. */
  bias: Parameter | undefined;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param rank Number of spatial axes.
   * @param inChannels Channels of the input.
   * @param outChannels Channels of the result.
   * @param kernelSize Size of the window.
   * @param options Groups, bias, dtype, device.
   * @param transposed Whether the weight's first axis is the input's.
   */
  constructor(
    name: string,
    rank: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvolutionBaseOptions,
    transposed: boolean,
  ) {
    super();
    const { groups = 1 } = options;
    checkCount(name, "inChannels", inChannels);
    checkCount(name, "outChannels", outChannels);
    checkCount(name, "groups", groups);
    checkDivides(name, "groups", groups, "inChannels", inChannels);
    checkDivides(name, "groups", groups, "outChannels", outChannels);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.groups = groups;
    this.kernelSize = perAxis(name, "kernelSize", kernelSize, rank);
    const [outer, inner] = transposed ? [inChannels, outChannels] : [outChannels, inChannels];
    const shape = [outer, inner / groups, ...this.kernelSize];
    const bound = fanBound(shape.slice(1).reduce((n, s) => n * s, 1));
    this.weight = uniformParameter(shape, bound, options);
    this.bias = options.bias ?? true ? uniformParameter([outChannels], bound, options) : undefined;
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.inChannels}, ${this.outChannels}, [${this.kernelSize.join(", ")}]`;
  }
}
