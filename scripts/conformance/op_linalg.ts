/** Linear algebra. */
import type { Row } from "./parameters.ts";

/** Rows by PyTorch's name. */
export const LINALG_ROWS: Record<string, Row> = {};
