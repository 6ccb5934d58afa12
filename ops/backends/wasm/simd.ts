/**
 * What the engine's vector instructions can do.
 *
 * @module
 */

/**
 * `(func (result v128) … f32x4.relaxed_madd)` over three zero constants, written out by hand: the
 * assembler itself asks this question.
 */
function probe(): Uint8Array<ArrayBuffer> {
  const zero = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
  const body = [0, ...zero, ...zero, ...zero, 0xfd, 0x85, 0x02, 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 5, 1, 0x60, 0, 1, 0x7b],
    ...[3, 2, 1, 0],
    ...[10, body.length + 2, 1, body.length, ...body],
  ]);
}

let known: boolean | undefined;

/**
 * Whether the engine has relaxed SIMD: fused multiply-add. Missing in Node 20 and Safari; kernels
 * then multiply and add, with two roundings and half the speed.
 *
 * @returns The answer, found once by validating a tiny module.
 */
export function relaxedSimd(): boolean {
  return known ??= WebAssembly.validate(probe());
}
