/**
 * WebAssembly's instructions that access memory or a lane, by their names in the specification; codes
 * as in `opcodes.ts`. Three tables, by the immediates that follow: alignment and offset, these and a
 * lane, a lane.
 *
 * @module
 */

/** Memory instructions: opcode, then the natural alignment as a power of two. */
const MEMORY = {
  "i32.load": [0x28, 2],
  "i64.load": [0x29, 3],
  "f32.load": [0x2a, 2],
  "f64.load": [0x2b, 3],
  "i32.load8_s": [0x2c, 0],
  "i32.load8_u": [0x2d, 0],
  "i32.load16_s": [0x2e, 1],
  "i32.load16_u": [0x2f, 1],
  "i64.load8_s": [0x30, 0],
  "i64.load8_u": [0x31, 0],
  "i64.load16_s": [0x32, 1],
  "i64.load16_u": [0x33, 1],
  "i64.load32_s": [0x34, 2],
  "i64.load32_u": [0x35, 2],
  "i32.store": [0x36, 2],
  "i64.store": [0x37, 3],
  "f32.store": [0x38, 2],
  "f64.store": [0x39, 3],
  "i32.store8": [0x3a, 0],
  "i32.store16": [0x3b, 1],
  "i64.store8": [0x3c, 0],
  "i64.store16": [0x3d, 1],
  "i64.store32": [0x3e, 2],
  "v128.load": [0xfd0000, 4],
  "v128.load8x8_s": [0xfd0001, 3],
  "v128.load8x8_u": [0xfd0002, 3],
  "v128.load16x4_s": [0xfd0003, 3],
  "v128.load16x4_u": [0xfd0004, 3],
  "v128.load32x2_s": [0xfd0005, 3],
  "v128.load32x2_u": [0xfd0006, 3],
  "v128.load8_splat": [0xfd0007, 0],
  "v128.load16_splat": [0xfd0008, 1],
  "v128.load32_splat": [0xfd0009, 2],
  "v128.load64_splat": [0xfd000a, 3],
  "v128.store": [0xfd000b, 4],
  "v128.load32_zero": [0xfd005c, 2],
  "v128.load64_zero": [0xfd005d, 3],
  "memory.atomic.notify": [0xfe0000, 2],
  "memory.atomic.wait32": [0xfe0001, 2],
  "memory.atomic.wait64": [0xfe0002, 3],
  "i32.atomic.load": [0xfe0010, 2],
  "i64.atomic.load": [0xfe0011, 3],
  "i32.atomic.store": [0xfe0017, 2],
  "i64.atomic.store": [0xfe0018, 3],
  "i32.atomic.rmw.add": [0xfe001e, 2],
  "i64.atomic.rmw.add": [0xfe001f, 3],
  "i32.atomic.rmw.sub": [0xfe0025, 2],
  "i64.atomic.rmw.sub": [0xfe0026, 3],
  "i32.atomic.rmw.and": [0xfe002c, 2],
  "i64.atomic.rmw.and": [0xfe002d, 3],
  "i32.atomic.rmw.or": [0xfe0033, 2],
  "i64.atomic.rmw.or": [0xfe0034, 3],
  "i32.atomic.rmw.xor": [0xfe003a, 2],
  "i64.atomic.rmw.xor": [0xfe003b, 3],
  "i32.atomic.rmw.xchg": [0xfe0041, 2],
  "i64.atomic.rmw.xchg": [0xfe0042, 3],
  "i32.atomic.rmw.cmpxchg": [0xfe0048, 2],
  "i64.atomic.rmw.cmpxchg": [0xfe0049, 3],
} satisfies Record<string, [code: number, alignment: number]>;

const MEMORY_LANE = {
  "v128.load8_lane": [0xfd0054, 0],
  "v128.load16_lane": [0xfd0055, 1],
  "v128.load32_lane": [0xfd0056, 2],
  "v128.load64_lane": [0xfd0057, 3],
  "v128.store8_lane": [0xfd0058, 0],
  "v128.store16_lane": [0xfd0059, 1],
  "v128.store32_lane": [0xfd005a, 2],
  "v128.store64_lane": [0xfd005b, 3],
} satisfies Record<string, [code: number, alignment: number]>;

const LANE = {
  "i8x16.extract_lane_s": 0xfd0015,
  "i8x16.extract_lane_u": 0xfd0016,
  "i8x16.replace_lane": 0xfd0017,
  "i16x8.extract_lane_s": 0xfd0018,
  "i16x8.extract_lane_u": 0xfd0019,
  "i16x8.replace_lane": 0xfd001a,
  "i32x4.extract_lane": 0xfd001b,
  "i32x4.replace_lane": 0xfd001c,
  "i64x2.extract_lane": 0xfd001d,
  "i64x2.replace_lane": 0xfd001e,
  "f32x4.extract_lane": 0xfd001f,
  "f32x4.replace_lane": 0xfd0020,
  "f64x2.extract_lane": 0xfd0021,
  "f64x2.replace_lane": 0xfd0022,
};

/** A load, store or atomic, such as `"v128.load32_splat"`. */
export type MemoryOpcode = keyof typeof MEMORY;

/** A load or store of one lane, such as `"v128.store32_lane"`. */
export type MemoryLaneOpcode = keyof typeof MEMORY_LANE;

/** A lane read or write, such as `"f32x4.extract_lane"`. */
export type LaneOpcode = keyof typeof LANE;

/**
 * The code and natural alignment (a power of two) of a memory instruction.
 *
 * @param name Its name in the specification.
 * @returns Code and alignment.
 */
export function memoryOpcode(
  name: MemoryOpcode | MemoryLaneOpcode,
): readonly [code: number, alignment: number] {
  return name in MEMORY ? MEMORY[name as MemoryOpcode] : MEMORY_LANE[name as MemoryLaneOpcode];
}

/**
 * The code of a lane instruction.
 *
 * @param name Its name in the specification.
 * @returns `prefix << 16 | number`.
 */
export function laneOpcode(name: LaneOpcode): number {
  return LANE[name];
}
