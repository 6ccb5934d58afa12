/** In the page: the warnings of the shader compiler. */

const reports: Promise<string[]>[] = [];

let modules = 0;

/** Listens to every device of the page, from now on. */
export function watchShaders(): void {
  const create = GPUDevice.prototype.createShaderModule;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const module = create.call(this, descriptor);
    modules++;
    reports.push(messagesOf(module, descriptor));
    return module;
  };
}

async function messagesOf(
  module: GPUShaderModule,
  { label, code }: GPUShaderModuleDescriptor,
): Promise<string[]> {
  const lines = code.split("\n");
  const { messages } = await module.getCompilationInfo();
  // Errors fail the work that needs the module, which is what a test may be about.
  const remarks = messages.filter(({ type }) => type !== "error");
  return remarks.map(({ type, message, lineNum }) =>
    `${label}: ${type}: ${message}: ${lines[lineNum - 1]?.trim()}`
  );
}

/** How many modules there were, and what the compiler remarked on them. */
export async function shaderReport(): Promise<{ modules: number; messages: string[] }> {
  return { modules, messages: (await Promise.all(reports)).flat() };
}
