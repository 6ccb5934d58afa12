/** What the scripts have in common in reading their options. */

/** For `unknown` of `parseArgs`: ends a script that has no such option, instead of running without it. */
export function refuseUnknown(argument: string): never {
  console.error(`${argument}: no such option`);
  Deno.exit(2);
}
