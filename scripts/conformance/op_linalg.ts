/** Linear algebra. */
import * as T from "../../ops/mod.ts";
import { type Row, row } from "./parameters.ts";

/** Rows by PyTorch's name. */
export const LINALG_ROWS: Record<string, Row> = {
  "linalg.cholesky": row("input", (p) => T.cholesky(p.input, p)),
  "linalg.det": row("input", (p) => T.det(p.input)),
  "linalg.eigh": row("input", (p) => T.eigh(p.input, p)),
  "linalg.inv": row("input", (p) => T.inv(p.input)),
  "linalg.lstsq": row("input other", (p) => {
    const { solution, residuals } = T.lstsq(p.input, p.other);
    // Only some of LAPACK's drivers give residuals.
    return p.driver === "gelsy" ? [solution] : [solution, residuals];
  }),
  "linalg.matrix_norm": row(
    "input ord dim keepdim",
    (p) => T.matrixNorm(p.input, p as unknown as T.MatrixNormOptions),
  ),
  "linalg.matrix_power": row("input n", (p) => T.matrixPower(p.input, p.n)),
  "linalg.pinv": row("input other", (p) => {
    // The variant "singular" takes factors of a matrix of low rank.
    const x = p.other ? p.input.matmul(p.other.transpose(-2, -1)) : p.input;
    return T.pinv(x, p);
  }),
  "linalg.qr": row("input mode", (p) => T.qr(p.input, p as unknown as T.QrOptions)),
  "linalg.slogdet": row("input", (p) => T.slogdet(p.input)),
  "linalg.solve": row("input other", (p) => T.solve(p.input, p.other, p)),
  "linalg.svd": row("input", (p) => T.svd(p.input, p)),
  "linalg.vector_norm": row(
    "input ord dim keepdim",
    (p) => T.vectorNorm(p.input, p as unknown as T.VectorNormOptions),
  ),
};
