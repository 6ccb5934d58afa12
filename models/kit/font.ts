/**
 * A 5 × 7 pixel font for captions, in the shapes that small LCD modules made common.
 *
 * @module
 */

/** Width of a character with the space after it, in font pixels. */
export const ADVANCE = 6;

/** Height of a character, in font pixels. */
export const HEIGHT = 7;

const COLUMNS = 5;
const FIRST = 0x20;

// One group per character from space to "~": five columns, the lowest bit is the top row.
const GLYPHS = (
  "0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0005030000 " +
  "001c224100 0041221c00 2a1c7f1c2a 08083e0808 0050300000 0808080808 0060600000 2010080402 " +
  "3e5149453e 00427f4000 4261514946 2141454b31 1814127f10 2745454539 3c4a494930 0171090503 " +
  "3649494936 064949291e 0036360000 0056360000 0814224100 1414141414 0041221408 0201510906 " +
  "324979413e 7e1111117e 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090901 3e4149497a " +
  "7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e " +
  "7f09090906 3e4151215e 7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 3f4038403f " +
  "6314081463 0708700807 6151494543 007f414100 0204081020 0041417f00 0402010204 4040404040 " +
  "0001020400 2054545478 7f48444438 3844444420 384444487f 3854545418 087e090102 0c5252523e " +
  "7f08040478 00447d4000 2040443d00 7f10284400 00417f4000 7c04180478 7c08040478 3844444438 " +
  "7c14141408 081414187c 7c08040408 4854545420 043f444020 3c4040207c 1c2040201c 3c4030403c " +
  "4428102844 0c5050503c 4464544c44 0008364100 00007f0000 0041360800 0804081008"
).split(" ");

/**
 * Calls `dot` for each font pixel of a text. Accents are left out, other characters than ASCII
 * show as a question mark.
 *
 * @param text One line.
 * @param dot Gets column and row, from the upper left corner.
 */
export function drawText(text: string, dot: (x: number, y: number) => void): void {
  let left = 0;
  for (const character of plain(text)) {
    const glyph = GLYPHS[character.charCodeAt(0) - FIRST] ?? GLYPHS["?".charCodeAt(0) - FIRST]!;
    for (let column = 0; column < COLUMNS; column++) {
      const bits = parseInt(glyph.slice(2 * column, 2 * column + 2), 16);
      for (let row = 0; row < HEIGHT; row++) {
        if (bits >> row & 1) dot(left + column, row);
      }
    }
    left += ADVANCE;
  }
}

/**
 * Width of a text in font pixels.
 *
 * @param text One line.
 * @returns Pixels, without the space after the last character.
 */
export function textWidth(text: string): number {
  return Math.max(0, plain(text).length * ADVANCE - 1);
}

function plain(text: string): string[] {
  return [
    ...text.replaceAll("ł", "l").replaceAll("Ł", "L").normalize("NFD").replace(/\p{M}/gu, ""),
  ];
}
