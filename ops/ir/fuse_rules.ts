/** Limits and words that the fusion passes share. */

/** Told about each decision: the rule, and what was weighed. */
export type FusionLog = (rule: string, text: string) => void;

/** Numbers that decisions are made with. Costs are in multiplications of one element. */
export const FUSION_LIMITS = {
  /** Arrays bound to one kernel; WebGPU adapters of all vendors allow ten. */
  buffers: 10,
  /** Multiplications in the time of one byte from memory: 4 on a CPU, up to 16 on a GPU. */
  costPerByte: 4,
  /** A kernel launch (2 µs) in the arithmetic of one core. */
  launchCost: 20_000,
  /** Arithmetic that costs no more than loading its result. */
  trivial: 4,
  /** Arithmetic that may be repeated. */
  cheap: 8,
  /** Nodes of a kernel's expressions; compile time and registers. */
  nodes: 600,
  /** Longest row that one workgroup can go over several times. */
  rowLength: 65_536,
  /** Rows that are longer than this need `rowCount` of them to fill a device. */
  shortRow: 8_192,
  rowCount: 64,
  /** Points of a kernel whose launch costs more than its work. */
  smallKernel: 4_096,
  /** Nodes so close to each other that doing both at once keeps nothing alive for longer. */
  neighbours: 3,
} as const;

/** Names of two kernels as one, each once. */
export function joinLabels(a: string, b: string): string {
  return [...new Set([...a.split("+"), ...b.split("+")])].join("+");
}
