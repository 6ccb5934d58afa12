/** What `deno task conformance` starts; see `scripts/conformance.ts`. */
import { main } from "../../scripts/conformance.ts";

await main();
