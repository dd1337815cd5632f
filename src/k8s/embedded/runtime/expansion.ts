/**
 * Replaces `$(NAME)` as Kubernetes does in commands, arguments and environment values: `$$` is a literal `$`, and a
 * reference to an unknown name stays as it is written.
 */
export function expand(text: string, value: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (reference, name: string | undefined) => {
    if (name === undefined) return '$';
    return value(name) ?? reference;
  });
}
