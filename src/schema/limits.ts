import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

/** What one request may ask for, where that is a setting. */
export interface RequestLimits {
  /** Bytes of a document. */
  queryBytes: number;
  /** Bytes of the names and values in variables; fields that take large input have limits of their own. */
  variablesBytes: number;
  /** A field costs 1, and what is asked of a list as often as it may have items: a page its size, other lists 10. */
  cost: number;
}

/** Said on the context of an operation: what it costs is known, and within the limit. */
export const withinCost = Symbol('withinCost');

export interface Priced {
  [withinCost]?: boolean;
}

export const requestLimits: RequestLimits = { queryBytes: 16_384, variablesBytes: 65_536, cost: 25_000 };

/** Of a root field whose own checks know better how large its input may be. */
export const takesLargeInput = { extensions: { takesLargeInput: true } } as const;

/** What one request may ask for (facts of the field: query depth, aliases, …). Each is tested at n and n+1. */
export const limits = {
  tokens: 1000,
  depth: 10,
  aliases: 15,
  rootFields: 10,
  directives: 20,
  fragments: 20,
  /** Levels of lists and objects in variables, which are themselves the first. */
  nesting: 32,
  /** Bytes of the request body. */
  bodyBytes: 1_572_864,
  /** Bytes of one WebSocket message. */
  messageBytes: 65_536,
  /** Operations at once on one WebSocket. */
  socketOperations: 32,
  /** Messages of one signed-in WebSocket in `messagesMs`. */
  messages: 100,
  messagesMs: 10_000,
} as const;

function exceeded(what: string, limit: number, reason: string): GraphQLError {
  return new GraphQLError(`The document has ${what} than ${limit}.`, {
    extensions: { code: 'LIMIT_EXCEEDED', reason },
  });
}

/** The validation rules behind the limits; introspection has graphql-js' own depth rule. */
export const limitRules: ValidationRule[] = [countRule, depthRule];

function countRule(context: ValidationContext): ASTVisitor {
  let [aliases, directives, fragments] = [0, 0, 0];
  return {
    Field(node) {
      if (node.alias && ++aliases === limits.aliases + 1)
        context.reportError(exceeded('more aliases', limits.aliases, 'ALIASES'));
    },
    Directive() {
      if (++directives === limits.directives + 1)
        context.reportError(exceeded('more directives', limits.directives, 'DIRECTIVES'));
    },
    FragmentDefinition() {
      if (++fragments === limits.fragments + 1)
        context.reportError(exceeded('more fragments', limits.fragments, 'FRAGMENTS'));
    },
    OperationDefinition(node) {
      const keys = new Set<string>();
      collectRootFields(node.selectionSet, context.getDocument(), keys, new Set());
      if (keys.size > limits.rootFields)
        context.reportError(exceeded('more root fields', limits.rootFields, 'ROOT_FIELDS'));
    },
  };
}

function fragmentNamed(document: DocumentNode, name: string): FragmentDefinitionNode | undefined {
  return document.definitions.find(
    (definition): definition is FragmentDefinitionNode =>
      definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === name,
  );
}

/** The response keys of an operation's root, through fragments: the same field twice is run once. */
function collectRootFields(
  set: SelectionSetNode,
  document: DocumentNode,
  keys: Set<string>,
  visited: Set<string>,
): void {
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) keys.add((selection.alias ?? selection.name).value);
    else if (selection.kind === Kind.INLINE_FRAGMENT) {
      collectRootFields(selection.selectionSet, document, keys, visited);
    } else if (!visited.has(selection.name.value)) {
      visited.add(selection.name.value);
      const fragment = fragmentNamed(document, selection.name.value);
      if (fragment) collectRootFields(fragment.selectionSet, document, keys, visited);
    }
  }
}

function depthRule(context: ValidationContext): ASTVisitor {
  // Depth of each fragment is computed once: a fan-out of fragments stays linear.
  const known = new Map<string, number>();
  const depthOf = (set: SelectionSetNode, path: ReadonlySet<string>): number => {
    let deepest = 0;
    for (const selection of set.selections) {
      let depth = 0;
      if (selection.kind === Kind.FIELD) {
        if (selection.name.value.startsWith('__')) continue;
        depth = 1 + (selection.selectionSet ? depthOf(selection.selectionSet, path) : 0);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) depth = depthOf(selection.selectionSet, path);
      else depth = depthOfFragment(selection.name.value, path);
      deepest = Math.max(deepest, depth);
    }
    return deepest;
  };
  const depthOfFragment = (name: string, path: ReadonlySet<string>): number => {
    const present = known.get(name);
    if (present !== undefined) return present;
    const fragment = path.has(name) ? undefined : fragmentNamed(context.getDocument(), name);
    const depth = fragment ? depthOf(fragment.selectionSet, new Set([...path, name])) : 0;
    known.set(name, depth);
    return depth;
  };
  return {
    OperationDefinition(node) {
      if (depthOf(node.selectionSet, new Set()) > limits.depth) {
        context.reportError(exceeded('a selection deeper', limits.depth, 'DEPTH'));
      }
    },
  };
}
