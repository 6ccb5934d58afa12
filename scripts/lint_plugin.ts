/**
 * Lint rules of this project that Deno does not have.
 *
 * | rule | says |
 * |---|---|
 * | `no-top-level-arrow` | a function at the top of a module is a `function` |
 * | `no-default-export` | exports have names |
 * | `private-fields` | `#name` in place of `private name` |
 * | `error-message` | no contraction and no final period in the message of an error |
 *
 * @module
 */

const CONTRACTION = /\b\w+n['’]t\b|\b(?:it|that|there|what|let)['’]s\b|\b\w+['’](?:re|ve|ll)\b/i;

/** Names of errors: `new RangeError(…)`, `shapeError(…)`. */
const ERROR_NAME = /(^|[a-z])Error$/;

const noTopLevelArrow: Deno.lint.Rule = {
  create(context) {
    return {
      "Program > VariableDeclaration > VariableDeclarator > ArrowFunctionExpression": report,
      "Program > ExportNamedDeclaration > VariableDeclaration > VariableDeclarator > ArrowFunctionExpression":
        report,
    };

    function report(node: Deno.lint.Node): void {
      context.report({ node, message: "A function at the top of a module is a `function`" });
    }
  },
};

const noDefaultExport: Deno.lint.Rule = {
  create(context) {
    return {
      ExportDefaultDeclaration(node): void {
        context.report({ node, message: "Exports have names" });
      },
    };
  },
};

const privateFields: Deno.lint.Rule = {
  create(context) {
    return {
      PropertyDefinition: check,
      MethodDefinition(node): void {
        // A constructor cannot be `#private`.
        if (node.kind !== "constructor") check(node);
      },
    };

    function check(node: Deno.lint.PropertyDefinition | Deno.lint.MethodDefinition): void {
      if (node.accessibility !== "private") return;
      context.report({ node, message: "Write `#name` in place of `private name`" });
    }
  },
};

const errorMessage: Deno.lint.Rule = {
  create(context) {
    return {
      NewExpression: check,
      CallExpression: check,
    };

    function check(node: Deno.lint.NewExpression | Deno.lint.CallExpression): void {
      if (node.callee.type !== "Identifier" || !ERROR_NAME.test(node.callee.name)) return;
      for (const argument of node.arguments) {
        const message = textOf(argument);
        if (message === undefined) continue;
        const contraction = message.match(CONTRACTION)?.[0];
        if (contraction !== undefined) {
          const text = `The message of an error has no contraction: ${contraction}`;
          context.report({ node: argument, message: text });
        }
        if (/[^.]\.$/.test(message)) {
          context.report({
            node: argument,
            message: "The message of an error has no final period",
          });
        }
      }
    }
  },
};

/** The text of a literal or template; a value in a template counts as `0`. */
function textOf(node: Deno.lint.Node): string | undefined {
  if (node.type === "Literal") return typeof node.value === "string" ? node.value : undefined;
  if (node.type === "TemplateLiteral") return node.quasis.map((part) => part.cooked).join("0");
  if (node.type !== "BinaryExpression" || node.operator !== "+") return undefined;
  const sides = [textOf(node.left), textOf(node.right)];
  return sides.includes(undefined) ? sides[1] : sides.join("");
}

const plugin: Deno.lint.Plugin = {
  name: "tensaurus",
  rules: {
    "no-top-level-arrow": noTopLevelArrow,
    "no-default-export": noDefaultExport,
    "private-fields": privateFields,
    "error-message": errorMessage,
  },
};

// deno-lint-ignore tensaurus/no-default-export -- the linter loads a plugin by its default export
export default plugin;
