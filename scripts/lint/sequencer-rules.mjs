/*
 * Lint rules of this project, for oxlint.
 */

const ATOMIC_METHODS = new Set(["transactionSync", "transaction"]);

/**
 * A transaction whose callback is async commits at its first await: what follows is outside it, and a failure there
 * rolls nothing back. The platform accepts it without a word, so the linter must not.
 */
const noAsyncTransaction = {
  meta: {
    type: "problem",
    messages: { async: "A transaction's callback must be synchronous: an async one commits at its first await." },
  },
  create(context) {
    return {
      CallExpression(node) {
        const { callee } = node;
        if (callee.type !== "MemberExpression" || !ATOMIC_METHODS.has(callee.property.name)) return;
        for (const argument of node.arguments) {
          if (argument.async === true) context.report({ node: argument, messageId: "async" });
        }
      },
    };
  },
};

export default {
  meta: { name: "sequencer" },
  rules: { "no-async-transaction": noAsyncTransaction },
};
